// Powers of integers and floats.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// `base`, a signed integer, to the power of `exponent`, an integer of any type:
/// wraps, else exact. A negative exponent asks for a quotient, which is rounded
/// towards zero: 0 but of 1 and -1.
Value integerPower(NodeContext &node, Value base, Value exponent) {
  Type type = getElementTypeOrSelf(base), i64 = node.builder.getI64Type();
  base = castElements(node, base, /*fromUnsigned=*/false, i64, false);
  exponent = castElements(node, exponent, node.isUnsigned(1), i64, false);
  Value zero = node.filled(0.0, base), one = node.filled(1.0, base);
  Value isNegative =
      node.create<arith::CmpIOp>(arith::CmpIPredicate::slt, exponent, zero);
  Value other; // with the same power
  if (node.isUnsigned(1)) {
    // From 2^63 on. Powers of odd numbers repeat after 2^62, those of even ones
    // are 0 long before.
    Value period = node.filled(std::ldexp(1.0, 62), base);
    Value rest = node.create<arith::AndIOp>(
        exponent, node.create<arith::SubIOp>(period, one));
    other = node.create<arith::OrIOp>(rest, period);
  } else {
    other = node.create<arith::AndIOp>(exponent, one);
  }
  Value power = node.create<math::IPowIOp>(
      base, node.create<arith::SelectOp>(isNegative, other, exponent));
  if (!node.isUnsigned(1)) {
    Value isAbove = node.create<arith::CmpIOp>(
        arith::CmpIPredicate::ne, node.create<math::AbsIOp>(base), one);
    power = node.create<arith::SelectOp>(
        node.create<arith::AndIOp>(isNegative, isAbove), zero, power);
  }
  return castElements(node, power, /*fromUnsigned=*/false, type, false);
}

/// Whether `value` is constant and `type` has all of its numbers.
bool isConstantOf(FloatType type, Value value, bool isUnsigned) {
  while (auto broadcast = value.getDefiningOp<graph::BroadcastToOp>())
    value = broadcast.getSource();
  auto isExact = [&](Attribute element) {
    constexpr auto rounding = APFloat::rmNearestTiesToEven;
    bool losesInfo = false;
    if (auto number = dyn_cast<FloatAttr>(element)) {
      number.getValue().convert(type.getFloatSemantics(), rounding, &losesInfo);
      return !losesInfo;
    }
    APFloat number(type.getFloatSemantics());
    return number.convertFromAPInt(cast<IntegerAttr>(element).getValue(),
                                   !isUnsigned, rounding) == APFloat::opOK;
  };
  Attribute constant;
  if (!matchPattern(value, m_Constant(&constant)))
    return false;
  auto elements = dyn_cast<DenseElementsAttr>(constant);
  return elements ? llvm::all_of(elements.getValues<Attribute>(), isExact)
                  : isExact(constant);
}

/// The type in which floats or integers of `type` can be raised to powers.
FloatType floatFor(Type type) {
  bool isWide = type.isF64() || (!isa<FloatType>(type) &&
                                 type.getIntOrFloatBitWidth() > 16);
  return isWide ? FloatType(Float64Type::get(type.getContext()))
                : Float32Type::get(type.getContext());
}

/// The exponent may have another type than the base, which is the result's. A
/// small constant power of integers, as of sizes, is a product.
LogicalResult power(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    Type base = getElementTypeOrSelf(x[0]);
    Type exponent = getElementTypeOrSelf(x[1]);
    if (!isa<FloatType>(base) && !isa<FloatType>(exponent)) {
      constexpr int64_t largestProduct = 4;
      std::optional<int64_t> times = constantInteger(x[1]);
      if (!times || *times < 1 || *times > largestProduct)
        return integerPower(node, x[0], x[1]);
      Value product = x[0];
      for (int64_t i = 1; i < *times; ++i)
        product = node.create<arith::MulIOp>(product, x[0]);
      return product;
    }
    auto type = dyn_cast<FloatType>(base);
    if (!type || (exponent != base &&
                  !isConstantOf(type, x[1], node.isUnsigned(1))))
      type = std::max(floatFor(base), floatFor(exponent), [](Type a, Type b) {
        return a.getIntOrFloatBitWidth() < b.getIntOrFloatBitWidth();
      });
    Value result = node.create<math::PowFOp>(
        castElements(node, x[0], node.isUnsigned(0), type, false),
        castElements(node, x[1], node.isUnsigned(1), type, false));
    return castElements(node, result, false, base, node.isUnsigned(0));
  });
}

} // namespace

void addPowerTranslators(TranslatorTable &table) { table.add("Pow", power); }

} // namespace tessera::onnx_importer
