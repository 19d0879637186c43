// What elementwise operations of arith and math compute, on arrays: the table.
#include "dialects/Graph/Weights/ElementBlocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"

#include <cmath>
#include <limits>

using namespace mlir;

namespace tessera::graph {

std::optional<ElementKind> elementKindOf(Type type) {
  if (type.isF16())
    return ElementKind::F16;
  if (type.isBF16())
    return ElementKind::BF16;
  if (type.isF32())
    return ElementKind::F32;
  if (type.isF64())
    return ElementKind::F64;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || !integer.isSignless())
    return std::nullopt;
  switch (integer.getWidth()) {
  case 1:
    return ElementKind::I1;
  case 8:
    return ElementKind::I8;
  case 16:
    return ElementKind::I16;
  case 32:
    return ElementKind::I32;
  case 64:
    return ElementKind::I64;
  default:
    return std::nullopt;
  }
}

int64_t bytesOf(ElementKind kind) {
  switch (kind) {
  case ElementKind::I1:
  case ElementKind::I8:
    return 1;
  case ElementKind::I16:
  case ElementKind::F16:
  case ElementKind::BF16:
    return 2;
  case ElementKind::I32:
  case ElementKind::F32:
    return 4;
  case ElementKind::I64:
  case ElementKind::F64:
    return 8;
  }
  return 0;
}

namespace {

/// Floats to floats of the same type.
template <typename Function>
void onFloats(const ElementCall &call, Function function) {
  if (call.kinds[0] == ElementKind::F64)
    return inBlocks<double, double>(call, function);
  inBlocks<float, float>(call, function);
}

template <typename Function>
void onIntegers(const ElementCall &call, Function function) {
  inBlocks<int64_t, int64_t>(call, function);
}

/// Integers as unsigned ones of their width.
template <typename Function>
void onUnsigned(const ElementCall &call, Function function) {
  uint64_t mask = ~uint64_t(0) >> (64 - 8 * bytesOf(call.kinds[0]));
  if (call.kinds[0] == ElementKind::I1)
    mask = 1;
  onIntegers(call, [=](int64_t a, int64_t b) {
    return static_cast<int64_t>(function(a & mask, b & mask));
  });
}

/// As the type's signed numbers: i1 is 0 or -1 there.
template <typename Function>
void onSigned(const ElementCall &call, Function function) {
  if (call.kinds[0] != ElementKind::I1)
    return onIntegers(call, function);
  onIntegers(call, [=](int64_t a, int64_t b) { return function(-a, -b); });
}

int64_t bitsOf(const ElementCall &call) {
  return call.kinds[0] == ElementKind::I1 ? 1 : 8 * bytesOf(call.kinds[0]);
}

/// x as an integer, cut towards zero; NaN and what does not fit give the least
/// number, as the processor's conversions do.
template <typename Wide> int64_t integerOf(Wide x, bool isWide) {
  Wide limit = isWide ? Wide(0x1p63) : Wide(0x1p31);
  if (!(x > -limit - 1 && x < limit))
    return isWide ? std::numeric_limits<int64_t>::min()
                  : std::numeric_limits<int32_t>::min();
  return static_cast<int64_t>(x);
}

void toSigned(const ElementCall &call) {
  bool isWide = call.resultKind == ElementKind::I64;
  auto convert = [=](auto x, auto) { return integerOf(x, isWide); };
  if (call.kinds[0] == ElementKind::F64)
    return inBlocks<double, int64_t>(call, convert);
  inBlocks<float, int64_t>(call, convert);
}

void toUnsigned(const ElementCall &call) {
  auto convert = [](auto x, auto) -> int64_t {
    using Wide = decltype(x);
    if (x >= Wide(0x1p63))
      return integerOf(x - Wide(0x1p63), true) ^
             std::numeric_limits<int64_t>::min();
    return integerOf(x, true);
  };
  if (call.kinds[0] == ElementKind::F64)
    return inBlocks<double, int64_t>(call, convert);
  inBlocks<float, int64_t>(call, convert);
}

/// Integers to floats, rounded once.
template <bool isSigned> void fromInteger(const ElementCall &call) {
  uint64_t mask = bitsOf(call) == 64 ? ~uint64_t(0)
                                     : (uint64_t(1) << bitsOf(call)) - 1;
  bool isBoolean = call.kinds[0] == ElementKind::I1;
  auto convert = [=](auto zero) {
    using Wide = decltype(zero);
    inBlocks<int64_t, Wide>(call, [=](int64_t x, int64_t) -> Wide {
      if (isSigned)
        return static_cast<Wide>(isBoolean ? -x : x);
      return static_cast<Wide>(static_cast<uint64_t>(x) & mask);
    });
  };
  if (call.resultKind == ElementKind::F32)
    return convert(float());
  convert(double());
}

/// Between floats; f64 holds all.
void floatCast(const ElementCall &call) {
  bool isWide = call.kinds[0] == ElementKind::F64 ||
                call.resultKind == ElementKind::F64;
  if (isWide)
    return inBlocks<double, double>(call, [](double x, double) { return x; });
  inBlocks<float, float>(call, [](float x, float) { return x; });
}

void bitcast(const ElementCall &call) {
  std::memcpy(call.result, call.operands[0],
              call.count * bytesOf(call.resultKind));
}

void select(const ElementCall &call) {
  int64_t bytes = bytesOf(call.resultKind);
  for (int64_t i = 0; i < call.count; ++i)
    std::memcpy(call.result + i * bytes,
                call.operands[call.operands[0][i] ? 1 : 2] + i * bytes, bytes);
}

template <typename T> bool holds(arith::CmpFPredicate predicate, T a, T b) {
  using P = arith::CmpFPredicate;
  bool isUnordered = std::isnan(a) || std::isnan(b);
  switch (predicate) {
  case P::AlwaysFalse:
    return false;
  case P::OEQ:
    return a == b;
  case P::OGT:
    return a > b;
  case P::OGE:
    return a >= b;
  case P::OLT:
    return a < b;
  case P::OLE:
    return a <= b;
  case P::ONE:
    return !isUnordered && a != b;
  case P::ORD:
    return !isUnordered;
  case P::UEQ:
    return isUnordered || a == b;
  case P::UGT:
    return !(a <= b);
  case P::UGE:
    return !(a < b);
  case P::ULT:
    return !(a >= b);
  case P::ULE:
    return !(a > b);
  case P::UNE:
    return a != b;
  case P::UNO:
    return isUnordered;
  case P::AlwaysTrue:
    return true;
  }
  return false;
}

void compareFloats(const ElementCall &call) {
  auto predicate = static_cast<arith::CmpFPredicate>(call.predicate);
  auto compare = [=](auto a, auto b) -> int64_t {
    return holds(predicate, a, b);
  };
  if (call.kinds[0] == ElementKind::F64)
    return inBlocks<double, int64_t>(call, compare);
  inBlocks<float, int64_t>(call, compare);
}

void compareIntegers(const ElementCall &call) {
  auto predicate = static_cast<arith::CmpIPredicate>(call.predicate);
  // As applyCmpPredicate, on the numbers' own width.
  unsigned bits = bitsOf(call);
  onIntegers(call, [=](int64_t a, int64_t b) -> int64_t {
    return arith::applyCmpPredicate(
        predicate, llvm::APInt(bits, a, /*isSigned=*/true, /*implicitTrunc=*/true),
        llvm::APInt(bits, b, /*isSigned=*/true, /*implicitTrunc=*/true));
  });
}

/// Of -0 and 0 the smaller is -0; NaN if one is (`passesNaN`), else the other.
template <typename T> T least(T a, T b, bool passesNaN) {
  if (std::isnan(a) || std::isnan(b))
    return passesNaN == std::isnan(a) ? a : b;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}

template <bool passesNaN> void minimum(const ElementCall &call) {
  onFloats(call, [](auto a, auto b) { return least(a, b, passesNaN); });
}
template <bool passesNaN> void maximum(const ElementCall &call) {
  onFloats(call, [](auto a, auto b) -> decltype(a) {
    return -least(-a, -b, passesNaN);
  });
}

#define FLOATS(expression)                                                     \
  [](const ElementCall &call) {                                                \
    onFloats(call, [](auto a, auto b) -> decltype(a) {                         \
      (void)b;                                                                 \
      return expression;                                                       \
    });                                                                        \
  }
#define INTEGERS(category, expression)                                         \
  [](const ElementCall &call) {                                                \
    unsigned bits = bitsOf(call);                                              \
    category(call, [=](auto a, auto b) -> decltype(a) {                        \
      (void)b, (void)bits;                                                     \
      return expression;                                                       \
    });                                                                        \
  }
#define UNSIGNED(expression) INTEGERS(onUnsigned, expression)
#define SIGNED(expression) INTEGERS(onSigned, expression)

using O = ElementOperands;
using R = ElementResult;

const ElementOperation operations[] = {
    {"arith.addf", 2, O::Floats, R::Same, FLOATS(a + b)},
    {"arith.subf", 2, O::Floats, R::Same, FLOATS(a - b)},
    {"arith.mulf", 2, O::Floats, R::Same, FLOATS(a *b)},
    {"arith.divf", 2, O::Floats, R::Same, FLOATS(a / b)},
    {"arith.negf", 1, O::Floats, R::Same, FLOATS(-a)},
    {"arith.maximumf", 2, O::Floats, R::Same, maximum<true>},
    {"arith.minimumf", 2, O::Floats, R::Same, minimum<true>},
    {"arith.maxnumf", 2, O::Floats, R::Same, maximum<false>},
    {"arith.minnumf", 2, O::Floats, R::Same, minimum<false>},
    {"math.absf", 1, O::Floats, R::Same, FLOATS(std::abs(a))},
    {"math.sqrt", 1, O::Floats, R::Same, FLOATS(std::sqrt(a))},
    {"math.rsqrt", 1, O::Floats, R::Same, FLOATS(1 / std::sqrt(a))},
    {"math.floor", 1, O::Floats, R::Same, FLOATS(std::floor(a))},
    {"math.ceil", 1, O::Floats, R::Same, FLOATS(std::ceil(a))},
    {"math.trunc", 1, O::Floats, R::Same, FLOATS(std::trunc(a))},
    {"math.roundeven", 1, O::Floats, R::Same, FLOATS(std::nearbyint(a))},
    {"math.exp", 1, O::Floats, R::Same, FLOATS(std::exp(double(a)))},
    {"math.log", 1, O::Floats, R::Same, FLOATS(std::log(double(a)))},
    {"math.tanh", 1, O::Floats, R::Same, FLOATS(std::tanh(double(a)))},
    {"math.powf", 2, O::Floats, R::Same, FLOATS(std::pow(double(a), double(b)))},

    {"arith.addi", 2, O::Integers, R::Same, UNSIGNED(a + b)},
    {"arith.subi", 2, O::Integers, R::Same, UNSIGNED(a - b)},
    {"arith.muli", 2, O::Integers, R::Same, UNSIGNED(a *b)},
    {"arith.andi", 2, O::Integers, R::Same, UNSIGNED(a &b)},
    {"arith.ori", 2, O::Integers, R::Same, UNSIGNED(a | b)},
    {"arith.xori", 2, O::Integers, R::Same, UNSIGNED(a ^ b)},
    {"arith.shli", 2, O::Integers, R::Same, UNSIGNED(b < bits ? a << b : 0)},
    {"arith.shrui", 2, O::Integers, R::Same, UNSIGNED(b < bits ? a >> b : 0)},
    {"arith.shrsi", 2, O::Integers, R::Same,
     SIGNED(a >> (uint64_t(b) < bits ? b : bits - 1))},
    {"arith.maxsi", 2, O::Integers, R::Same, SIGNED(std::max(a, b))},
    {"arith.minsi", 2, O::Integers, R::Same, SIGNED(std::min(a, b))},
    {"arith.maxui", 2, O::Integers, R::Same, UNSIGNED(std::max(a, b))},
    {"arith.minui", 2, O::Integers, R::Same, UNSIGNED(std::min(a, b))},

    {"arith.cmpf", 2, O::Floats, R::Boolean, compareFloats},
    {"arith.cmpi", 2, O::Integers, R::Boolean, compareIntegers},
    {"arith.select", 3, O::Choice, R::Same, select},

    {"arith.extf", 1, O::Floats, R::Float, floatCast},
    {"arith.truncf", 1, O::Floats, R::Float, floatCast},
    {"arith.sitofp", 1, O::Integers, R::Float, fromInteger<true>},
    {"arith.uitofp", 1, O::Integers, R::Float, fromInteger<false>},
    {"arith.fptosi", 1, O::Floats, R::Integer, toSigned},
    {"arith.fptoui", 1, O::Floats, R::Integer, toUnsigned},
    {"arith.extsi", 1, O::Integers, R::Integer, SIGNED(a)},
    {"arith.extui", 1, O::Integers, R::Integer, UNSIGNED(a)},
    {"arith.trunci", 1, O::Integers, R::Integer, UNSIGNED(a)},
    {"arith.bitcast", 1, O::Any, R::SameWidth, bitcast},
};

} // namespace

const ElementOperation *ElementOperation::named(StringRef name) {
  const ElementOperation *found = llvm::find_if(
      operations,
      [&](const ElementOperation &operation) { return operation.name == name; });
  return found == std::end(operations) ? nullptr : found;
}

bool ElementOperation::admits(ArrayRef<Type> types, Type resultType) const {
  if (types.size() != operandCount || !elementKindOf(resultType))
    return false;
  ArrayRef<Type> alike = types;
  if (operands == ElementOperands::Choice) {
    if (!types[0].isInteger(1))
      return false;
    alike = alike.drop_front();
  }
  Type first = alike.front();
  if (!llvm::all_equal(alike) || !elementKindOf(first) ||
      (operands == ElementOperands::Floats && !isa<FloatType>(first)) ||
      (operands == ElementOperands::Integers && !isa<IntegerType>(first)))
    return false;
  switch (result) {
  case ElementResult::Same:
    return resultType == first;
  case ElementResult::Boolean:
    return resultType.isInteger(1);
  case ElementResult::Float:
    return isa<FloatType>(resultType);
  case ElementResult::Integer:
    return isa<IntegerType>(resultType);
  case ElementResult::SameWidth:
    return resultType.getIntOrFloatBitWidth() == first.getIntOrFloatBitWidth();
  }
  return false;
}

} // namespace tessera::graph
