// Arithmetic, comparison and logic.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value));
}

/// One operation for floats, one for integers.
template <typename FloatOp, typename IntegerOp>
LogicalResult arithmetic(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    return isFloat(x[0]) ? node.create<FloatOp>(x[0], x[1])
                         : node.create<IntegerOp>(x[0], x[1]);
  });
}

/// Whether an integer tensor or scalar is known to have no element that is `value`.
bool hasNo(Value tensor, int64_t value) {
  if (isa<IntegerType>(tensor.getType()))
    return constantInteger(tensor).value_or(value) != value;
  while (auto broadcast = tensor.getDefiningOp<graph::BroadcastToOp>())
    tensor = broadcast.getSource();
  DenseIntElementsAttr elements;
  return matchPattern(tensor, m_Constant(&elements)) &&
         llvm::none_of(elements, [&](const APInt &element) {
           return element == APInt(element.getBitWidth(), value, true, true);
         });
}

/// Where a divisor would stop the process: 0, and -1, by which the least signed
/// number has no quotient. Null where it is known not to.
struct Traps {
  Value isZero, isMinusOne;

  Traps(NodeContext &node, Value divisor) {
    auto isEqual = [&](double value) {
      return node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, divisor,
                                        node.filled(value, divisor));
    };
    if (!hasNo(divisor, 0))
      isZero = isEqual(0.0);
    if (!node.isUnsigned() && !hasNo(divisor, -1))
      isMinusOne = isEqual(-1.0);
  }

  /// The divisor with 1 in these places.
  Value avoid(NodeContext &node, Value divisor) const {
    for (Value trap : {isZero, isMinusOne})
      if (trap)
        divisor = node.create<arith::SelectOp>(
            trap, node.filled(1.0, divisor), divisor);
    return divisor;
  }
};

/// What `Op` gives of sizes: as SizeAnalysis reads it, which stops no process. Null if
/// an operand is no signed size.
template <typename Op>
Value ofSizes(NodeContext &node, Value dividend, Value divisor) {
  auto isSize = [&](Value value) {
    return isa<IntegerType>(value.getType()) &&
           !node.sizes.dependsOnData(node.sizes.sizeOf(value));
  };
  if (node.isUnsigned() || !isSize(dividend) || !isSize(divisor))
    return {};
  Value result = node.create<Op>(dividend, divisor);
  if (!hasNo(divisor, 0) || !hasNo(divisor, -1))
    result = node.create<arith::IndexCastOp>(
        dividend.getType(), node.materializeIndex(node.sizes.sizeOf(result)));
  return result;
}

/// Of integers, x / 0 is 0 and the quotient by -1 wraps: data must not stop the
/// process, and ONNX says nothing of either.
LogicalResult divide(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    if (isFloat(x[0]))
      return node.create<arith::DivFOp>(x[0], x[1]);
    if (Value size = ofSizes<arith::DivSIOp>(node, x[0], x[1]))
      return size;
    Traps traps(node, x[1]);
    Value divisor = traps.avoid(node, x[1]);
    Value quotient = node.isUnsigned()
                         ? node.create<arith::DivUIOp>(x[0], divisor)
                         : node.create<arith::DivSIOp>(x[0], divisor);
    Value zero = node.filled(0.0, quotient);
    if (traps.isMinusOne)
      quotient = node.create<arith::SelectOp>(
          traps.isMinusOne, node.create<arith::SubIOp>(zero, x[0]), quotient);
    if (traps.isZero)
      quotient =
          node.create<arith::SelectOp>(traps.isZero, zero, quotient);
    return quotient;
  });
}

/// fmod = 0: the result has the divisor's sign, as in Python; fmod = 1: the
/// dividend's, as in C. Of integers, the rest by 0 is 0.
LogicalResult modulo(NodeContext &node) {
  bool isC = node.integer("fmod", 0) != 0;
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    bool floats = isFloat(x[0]);
    Value size =
        floats ? Value() : ofSizes<arith::RemSIOp>(node, x[0], x[1]);
    if (size && isC)
      return size;
    // What has no rest by 1 has none by 0 and -1.
    Value divisor =
        floats ? x[1] : Traps(node, x[1]).avoid(node, x[1]);
    if (!floats && node.isUnsigned())
      return node.create<arith::RemUIOp>(x[0], divisor);
    // Of sizes by a number, as SizeAnalysis reads it.
    if (!floats && !isC && x[0].getType().isInteger() &&
        constantInteger(x[1]).value_or(0) > 0)
      return node.create<arith::SubIOp>(
          x[0], node.create<arith::MulIOp>(
                    node.create<arith::FloorDivSIOp>(x[0], x[1]), x[1]));
    Value rest = floats ? node.create<arith::RemFOp>(x[0], x[1])
                 : size ? size
                        : node.create<arith::RemSIOp>(x[0], divisor);
    if (isC)
      return rest;
    Value zero = node.filled(0.0, rest);
    auto isNegative = [&](Value v) {
      return floats ? node.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, v,
                                                 zero)
                    : node.create<arith::CmpIOp>(arith::CmpIPredicate::slt, v,
                                                 zero);
    };
    Value signsDiffer =
        node.create<arith::XOrIOp>(isNegative(rest), isNegative(x[1]));
    Value isNonzero =
        floats
            ? node.create<arith::CmpFOp>(arith::CmpFPredicate::UNE, rest, zero)
            : node.create<arith::CmpIOp>(arith::CmpIPredicate::ne, rest, zero);
    Value shifted = floats ? node.create<arith::AddFOp>(rest, x[1])
                           : node.create<arith::AddIOp>(rest, x[1]);
    return node.create<arith::SelectOp>(
        node.create<arith::AndIOp>(signsDiffer, isNonzero), shifted, rest);
  });
}

template <typename Op> LogicalResult unaryFloat(NodeContext &node) {
  return translateElementwise(
      node, [&](ArrayRef<Value> x) { return node.create<Op>(x[0]); });
}

LogicalResult negate(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    return isFloat(x[0])
               ? node.create<arith::NegFOp>(x[0])
               : node.create<arith::SubIOp>(node.filled(0.0, x[0]), x[0]);
  });
}

LogicalResult absolute(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    if (isFloat(x[0]))
      return node.create<math::AbsFOp>(x[0]);
    return node.isUnsigned() ? x[0] : node.create<math::AbsIOp>(x[0]);
  });
}

LogicalResult reciprocal(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    return node.create<arith::DivFOp>(node.filled(1.0, x[0]), x[0]);
  });
}

/// -1, 0 or 1; NaN stays.
LogicalResult sign(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    Value zero = node.filled(0.0, x[0]), one = node.filled(1.0, x[0]);
    if (isFloat(x[0])) {
      Value positive =
          node.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, x[0], zero);
      Value negative =
          node.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, x[0], zero);
      Value rest =
          node.create<arith::SelectOp>(negative, node.filled(-1.0, x[0]), x[0]);
      return node.create<arith::SelectOp>(positive, one, rest);
    }
    auto above = node.isUnsigned() ? arith::CmpIPredicate::ugt
                                   : arith::CmpIPredicate::sgt;
    Value positive = node.create<arith::CmpIOp>(above, x[0], zero);
    Value isZero =
        node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, x[0], zero);
    Value rest =
        node.create<arith::SelectOp>(isZero, zero, node.filled(-1.0, x[0]));
    return node.create<arith::SelectOp>(positive, one, rest);
  });
}

Value maximum(NodeContext &node, Value a, Value b) {
  if (isFloat(a))
    return node.create<arith::MaximumFOp>(a, b);
  return node.isUnsigned() ? node.create<arith::MaxUIOp>(a, b)
                           : node.create<arith::MaxSIOp>(a, b);
}

Value minimum(NodeContext &node, Value a, Value b) {
  if (isFloat(a))
    return node.create<arith::MinimumFOp>(a, b);
  return node.isUnsigned() ? node.create<arith::MinUIOp>(a, b)
                           : node.create<arith::MinSIOp>(a, b);
}

/// Folds a variadic operator from the left.
template <Value (*combine)(NodeContext &, Value, Value)>
LogicalResult variadic(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    Value result = x[0];
    for (Value next : x.drop_front())
      result = combine(node, result, next);
    return result;
  });
}

Value add(NodeContext &node, Value a, Value b) {
  return node.create<arith::AddFOp>(a, b);
}

LogicalResult mean(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    Value sum = x[0];
    for (Value next : x.drop_front())
      sum = add(node, sum, next);
    return node.create<arith::DivFOp>(sum, node.filled(x.size(), sum));
  });
}

/// Limits are attributes before opset 11, optional scalar inputs from then on.
LogicalResult clip(NodeContext &node) {
  Value x = node.input(0);
  Type elementType = getElementTypeOrSelf(x);
  auto limit = [&](unsigned index, StringRef name) -> FailureOr<Value> {
    if (node.version() < 11) {
      if (!node.hasAttribute(name))
        return Value();
      Value scalar = node.scalar(node.number(name, 0), elementType);
      return fromElements(node, scalar, {}, elementType);
    }
    if (Value value = node.input(index)) {
      if (node.inputRank(index) != 0)
        return node.error("expects '" + name + "' to be a scalar");
      return value;
    }
    return Value();
  };
  FailureOr<Value> low = limit(1, "min"), high = limit(2, "max");
  if (failed(low) || failed(high))
    return failure();
  FailureOr<Value> result = x;
  if (*low)
    result = applyElementwise(node, {*result, *low}, [&](ArrayRef<Value> v) {
      return maximum(node, v[0], v[1]);
    });
  if (succeeded(result) && *high)
    result = applyElementwise(node, {*result, *high}, [&](ArrayRef<Value> v) {
      return minimum(node, v[0], v[1]);
    });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult logicalNot(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    // All bits set: -1, also for booleans.
    Value ones = node.filled(-1.0, x[0]);
    return node.create<arith::XOrIOp>(x[0], ones);
  });
}

template <typename Op> LogicalResult binaryInteger(NodeContext &node) {
  return translateElementwise(
      node, [&](ArrayRef<Value> x) { return node.create<Op>(x[0], x[1]); });
}

/// A shift by the width or more leaves zeros, or copies of the sign where a
/// signed integer is shifted right; a negative one counts as such.
LogicalResult bitShift(NodeContext &node) {
  StringRef direction = node.string("direction", "");
  if (direction != "LEFT" && direction != "RIGHT")
    return node.error("expects direction LEFT or RIGHT but got '" + direction +
                      "'");
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    unsigned bits = getElementTypeOrSelf(x[0]).getIntOrFloatBitWidth();
    Value last = node.filled(bits - 1, x[1]);
    Value amount = node.create<arith::MinUIOp>(x[1], last);
    if (direction == "RIGHT" && !node.isUnsigned())
      return node.create<arith::ShRSIOp>(x[0], amount);
    Value shifted = direction == "LEFT"
                        ? node.create<arith::ShLIOp>(x[0], amount)
                        : node.create<arith::ShRUIOp>(x[0], amount);
    Value isInside =
        node.create<arith::CmpIOp>(arith::CmpIPredicate::ule, x[1], last);
    return node.create<arith::SelectOp>(isInside, shifted,
                                        node.filled(0.0, x[0]));
  });
}

template <arith::CmpFPredicate floats, arith::CmpIPredicate integers,
          arith::CmpIPredicate unsignedIntegers>
LogicalResult compare(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    if (isFloat(x[0]))
      return node.create<arith::CmpFOp>(floats, x[0], x[1]);
    return node.create<arith::CmpIOp>(
        node.isUnsigned() ? unsignedIntegers : integers, x[0], x[1]);
  });
}

LogicalResult where(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    return node.create<arith::SelectOp>(x[0], x[1], x[2]);
  });
}

LogicalResult isNan(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    return node.create<arith::CmpFOp>(arith::CmpFPredicate::UNO, x[0], x[0]);
  });
}

LogicalResult isInf(NodeContext &node) {
  bool positive = node.integer("detect_positive", 1) != 0;
  bool negative = node.integer("detect_negative", 1) != 0;
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    double infinity = std::numeric_limits<double>::infinity();
    Value probe = positive && negative ? node.create<math::AbsFOp>(x[0]) : x[0];
    if (!positive && !negative)
      return node.create<arith::CmpFOp>(arith::CmpFPredicate::AlwaysFalse, x[0],
                                        x[0]);
    return node.create<arith::CmpFOp>(
        arith::CmpFPredicate::OEQ, probe,
        node.filled(positive ? infinity : -infinity, x[0]));
  });
}

} // namespace

void addElementwiseTranslators(TranslatorTable &table) {
  table.add("Add", arithmetic<arith::AddFOp, arith::AddIOp>);
  table.add("Sub", arithmetic<arith::SubFOp, arith::SubIOp>);
  table.add("Mul", arithmetic<arith::MulFOp, arith::MulIOp>);
  table.add("Div", divide);
  table.add("Mod", modulo);
  table.add("Neg", negate);
  table.add("Abs", absolute);
  table.add("Reciprocal", reciprocal);
  table.add("Sign", sign);
  table.add("Sqrt", unaryFloat<math::SqrtOp>);
  table.add("Exp", unaryFloat<math::ExpOp>);
  table.add("Log", unaryFloat<math::LogOp>);
  table.add("Sin", unaryFloat<math::SinOp>);
  table.add("Cos", unaryFloat<math::CosOp>);
  table.add("Tan", unaryFloat<math::TanOp>);
  table.add("Asin", unaryFloat<math::AsinOp>);
  table.add("Acos", unaryFloat<math::AcosOp>);
  table.add("Atan", unaryFloat<math::AtanOp>);
  table.add("Sinh", unaryFloat<math::SinhOp>);
  table.add("Cosh", unaryFloat<math::CoshOp>);
  table.add("Tanh", unaryFloat<math::TanhOp>);
  table.add("Asinh", unaryFloat<math::AsinhOp>);
  table.add("Acosh", unaryFloat<math::AcoshOp>);
  table.add("Atanh", unaryFloat<math::AtanhOp>);
  table.add("Erf", unaryFloat<math::ErfOp>);
  table.add("Ceil", unaryFloat<math::CeilOp>);
  table.add("Floor", unaryFloat<math::FloorOp>);
  table.add("Round", unaryFloat<math::RoundEvenOp>);
  table.add("Max", variadic<maximum>);
  table.add("Min", variadic<minimum>);
  table.add("Sum", variadic<add>);
  table.add("Mean", mean);
  table.add("Clip", clip);
  table.add("Not", logicalNot);
  table.add("And", binaryInteger<arith::AndIOp>);
  table.add("Or", binaryInteger<arith::OrIOp>);
  table.add("Xor", binaryInteger<arith::XOrIOp>);
  table.add("BitwiseNot", logicalNot);
  table.add("BitwiseAnd", binaryInteger<arith::AndIOp>);
  table.add("BitwiseOr", binaryInteger<arith::OrIOp>);
  table.add("BitwiseXor", binaryInteger<arith::XOrIOp>);
  table.add("BitShift", bitShift);
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  table.add("Equal", compare<F::OEQ, I::eq, I::eq>);
  table.add("Greater", compare<F::OGT, I::sgt, I::ugt>);
  table.add("Less", compare<F::OLT, I::slt, I::ult>);
  table.add("GreaterOrEqual", compare<F::OGE, I::sge, I::uge>);
  table.add("LessOrEqual", compare<F::OLE, I::sle, I::ule>);
  table.add("Where", where);
  table.add("IsNaN", isNan);
  table.add("IsInf", isInf);
}

} // namespace tessera::onnx_importer
