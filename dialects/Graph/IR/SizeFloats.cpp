// Sizes by way of float arithmetic: exporters scale a size as
//
//   Cast(Floor(Mul(Cast(n, f32), 1.7)), i64)
//
// whose value depends on how each step rounds. It is kept as the steps that it is; the
// runtime evaluates them as the hardware does. See SizeAnalysis.h.
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera::graph;

using Kind = SizeAnalysis::Symbol::Kind;

static std::optional<double> constantFloat(AffineExpr number) {
  if (auto bits = dyn_cast<AffineConstantExpr>(number))
    return llvm::bit_cast<double>(bits.getValue());
  return std::nullopt;
}

/// An operation on floats of 32 or 64 bits, or from or to integers.
AffineExpr SizeAnalysis::computeFloat(Operation *op) {
  if (op->getNumResults() != 1)
    return {};
  auto isWide = [](Type type) { return type.isF32() || type.isF64(); };
  auto sizesOf = [&](ValueRange values) {
    SmallVector<AffineExpr> sizes;
    for (Value value : values)
      sizes.push_back(sizeOf(value));
    return sizes;
  };
  Type type = op->getResult(0).getType();
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op))
    return isWide(op->getOperand(0).getType())
               ? composite(Kind::ToInteger, sizesOf(op->getOperands()))
               : AffineExpr();
  if (!isWide(type))
    return {};
  AffineExpr bits = getAffineConstantExpr(type.getIntOrFloatBitWidth(), context);
  auto made = [&](Kind kind, SmallVector<AffineExpr> operands) {
    operands.push_back(bits);
    return composite(kind, operands);
  };
  auto all = [&](Kind kind) { return made(kind, sizesOf(op->getOperands())); };
  auto fixed = [&](double value) {
    return getAffineConstantExpr(llvm::bit_cast<int64_t>(value), context);
  };
  auto extremum = [&](bool isLarger) {
    AffineExpr a = sizeOf(op->getOperand(0)), b = sizeOf(op->getOperand(1));
    return composite(Kind::SelectEqual,
                     {composite(Kind::FloatLess, {a, b}),
                      getAffineConstantExpr(isLarger, context), b, a});
  };
  return TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](arith::SIToFPOp cast) { return all(Kind::ToFloat); })
      .Case([&](arith::UIToFPOp cast) {
        return made(Kind::ToFloat, {unsignedOf(cast.getIn())});
      })
      .Case([&](arith::ExtFOp cast) {
        return isWide(cast.getIn().getType()) ? sizeOf(cast.getIn())
                                              : AffineExpr();
      })
      .Case([&](arith::TruncFOp cast) {
        return made(Kind::FloatMul, {sizeOf(cast.getIn()), fixed(1)});
      })
      .Case([&](arith::AddFOp) { return all(Kind::FloatAdd); })
      .Case([&](arith::SubFOp) { return all(Kind::FloatSub); })
      .Case([&](arith::MulFOp) { return all(Kind::FloatMul); })
      .Case([&](arith::DivFOp) { return all(Kind::FloatDiv); })
      .Case([&](arith::NegFOp neg) {
        return made(Kind::FloatMul, {sizeOf(neg.getOperand()), fixed(-1)});
      })
      .Case([&](arith::MinimumFOp) { return extremum(false); })
      .Case([&](arith::MaximumFOp) { return extremum(true); })
      .Case([&](math::FloorOp) { return all(Kind::FloatFloor); })
      .Case([&](math::CeilOp) { return all(Kind::FloatCeil); })
      .Case([&](math::RoundEvenOp) { return all(Kind::FloatRound); })
      .Case([&](math::SqrtOp) { return all(Kind::FloatSqrt); })
      .Case([&](math::PowFOp power) {
        // Powers that are one operation.
        std::optional<double> exponent = constantFloat(sizeOf(power.getRhs()));
        AffineExpr base = sizeOf(power.getLhs());
        return exponent == 0.5   ? made(Kind::FloatSqrt, {base})
               : exponent == 2.0 ? made(Kind::FloatMul, {base, base})
                                 : AffineExpr();
      })
      .Default([&](Operation *) { return AffineExpr(); });
}

/// What changes nothing: a product or quotient by 1, a whole number rounded, and an
/// integer that went to a float that has all such integers.
AffineExpr SizeAnalysis::evaluateFloat(Kind kind,
                                       ArrayRef<AffineExpr> operands) {
  auto operationOf = [&](AffineExpr number) -> const Symbol * {
    auto symbol = dyn_cast<AffineSymbolExpr>(resolve(number));
    return symbol ? &symbolList[symbol.getPosition()] : nullptr;
  };
  auto widthOf = [](const Symbol &operation) {
    return cast<AffineConstantExpr>(operation.operands.back()).getValue();
  };
  switch (kind) {
  case Kind::FloatMul:
  case Kind::FloatDiv: {
    const Symbol *made = operationOf(operands[0]);
    bool keepsWidth =
        made && isFloatOperation(made->kind) &&
        widthOf(*made) <=
            cast<AffineConstantExpr>(operands.back()).getValue();
    return keepsWidth && constantFloat(operands[1]) == 1.0 ? operands[0]
                                                           : AffineExpr();
  }
  case Kind::FloatFloor:
  case Kind::FloatCeil:
  case Kind::FloatRound: {
    const Symbol *made = operationOf(operands[0]);
    bool isWhole = made && (made->kind == Kind::ToFloat ||
                            made->kind == Kind::FloatFloor ||
                            made->kind == Kind::FloatCeil ||
                            made->kind == Kind::FloatRound);
    return isWhole ? operands[0] : AffineExpr();
  }
  case Kind::ToInteger: {
    const Symbol *made = operationOf(operands[0]);
    if (!made || made->kind != Kind::ToFloat)
      return {};
    AffineExpr size = made->operands[0];
    int64_t largest = int64_t(1) << (widthOf(*made) == 32 ? 24 : 53);
    SizeBounds bounds = boundsOf(resolve(size));
    return bounds.least.value_or(INT64_MIN) >= -largest &&
                   bounds.most.value_or(INT64_MAX) <= largest
               ? resolve(size)
               : AffineExpr();
  }
  default:
    return {};
  }
}

bool SizeAnalysis::isNotNegativeFloat(AffineExpr number) {
  number = resolve(number);
  if (auto bits = dyn_cast<AffineConstantExpr>(number))
    return bits.getValue() >= 0;
  auto used = dyn_cast<AffineSymbolExpr>(number);
  if (!used)
    return false;
  Symbol symbol = symbolList[used.getPosition()];
  auto areNotNegative = [&](ArrayRef<AffineExpr> operands) {
    return llvm::all_of(operands, [&](AffineExpr operand) {
      return isNotNegativeFloat(operand);
    });
  };
  ArrayRef<AffineExpr> operands = symbol.operands;
  switch (symbol.kind) {
  case Kind::ToFloat:
    return boundsOf(resolve(operands[0])).least.value_or(-1) >= 0;
  case Kind::FloatAdd:
  case Kind::FloatMul:
  case Kind::FloatDiv:
  case Kind::FloatFloor:
  case Kind::FloatCeil:
  case Kind::FloatRound:
  case Kind::FloatSqrt:
    return areNotNegative(operands.drop_back());
  case Kind::SelectEqual:
  case Kind::SelectLess:
    return areNotNegative(operands.drop_front(2));
  default:
    return false;
  }
}

/// The value of the float `number`, in `bits` bits.
Value SizeAnalysis::materializeFloat(OpBuilder &builder, Location loc,
                                     AffineExpr number, unsigned bits) {
  number = resolve(number);
  Type type = bits == 32 ? Type(builder.getF32Type()) : builder.getF64Type();
  if (std::optional<double> constant = constantFloat(number))
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(type, *constant));
  unsigned position = cast<AffineSymbolExpr>(number).getPosition();
  Symbol symbol = symbolList[position];
  Value value;
  if (symbol.kind == Kind::SelectEqual || symbol.kind == Kind::SelectLess) {
    auto index = [&](AffineExpr size) {
      return getValueOrCreateConstantIndexOp(builder, loc,
                                             materialize(builder, loc, size));
    };
    Value holds = builder.createOrFold<arith::CmpIOp>(
        loc,
        symbol.kind == Kind::SelectEqual ? arith::CmpIPredicate::eq
                                         : arith::CmpIPredicate::slt,
        index(symbol.operands[0]), index(symbol.operands[1]));
    return builder.createOrFold<arith::SelectOp>(
        loc, holds, materializeFloat(builder, loc, symbol.operands[2], bits),
        materializeFloat(builder, loc, symbol.operands[3], bits));
  }
  value = isFloatOperation(symbol.kind)
              ? materializeFloatOperation(builder, loc, symbol)
              : symbol.value;
  if (value.getType() == type)
    return value;
  return bits == 64 ? builder.createOrFold<arith::ExtFOp>(loc, type, value)
                    : builder.createOrFold<arith::TruncFOp>(loc, type, value);
}

/// The operation on floats that `symbol` is; an index for an integer.
Value SizeAnalysis::materializeFloatOperation(OpBuilder &builder, Location loc,
                                              const Symbol &symbol) {
  Type i64 = builder.getI64Type(), index = builder.getIndexType();
  auto toIndex = [&](Value value) {
    return builder.createOrFold<arith::IndexCastOp>(loc, index, value);
  };
  if (symbol.kind == Kind::ToInteger)
    return toIndex(builder.createOrFold<arith::FPToSIOp>(
        loc, i64, materializeFloat(builder, loc, symbol.operands[0], 64)));
  if (symbol.kind == Kind::FloatLess) {
    Value holds = builder.createOrFold<arith::CmpFOp>(
        loc, arith::CmpFPredicate::OLT,
        materializeFloat(builder, loc, symbol.operands[0], 64),
        materializeFloat(builder, loc, symbol.operands[1], 64));
    return toIndex(builder.createOrFold<arith::ExtUIOp>(loc, i64, holds));
  }
  unsigned bits = cast<AffineConstantExpr>(symbol.operands.back()).getValue();
  if (symbol.kind == Kind::ToFloat) {
    Value integer = builder.createOrFold<arith::IndexCastOp>(
        loc, i64,
        getValueOrCreateConstantIndexOp(
            builder, loc, materialize(builder, loc, symbol.operands[0])));
    Type type = bits == 32 ? Type(builder.getF32Type()) : builder.getF64Type();
    return builder.createOrFold<arith::SIToFPOp>(loc, type, integer);
  }
  SmallVector<Value> x;
  for (AffineExpr operand : ArrayRef(symbol.operands).drop_back())
    x.push_back(materializeFloat(builder, loc, operand, bits));
  switch (symbol.kind) {
  case Kind::FloatAdd:
    return builder.createOrFold<arith::AddFOp>(loc, x[0], x[1]);
  case Kind::FloatSub:
    return builder.createOrFold<arith::SubFOp>(loc, x[0], x[1]);
  case Kind::FloatMul:
    return builder.createOrFold<arith::MulFOp>(loc, x[0], x[1]);
  case Kind::FloatDiv:
    return builder.createOrFold<arith::DivFOp>(loc, x[0], x[1]);
  case Kind::FloatFloor:
    return builder.createOrFold<math::FloorOp>(loc, x[0]);
  case Kind::FloatCeil:
    return builder.createOrFold<math::CeilOp>(loc, x[0]);
  case Kind::FloatRound:
    return builder.createOrFold<math::RoundEvenOp>(loc, x[0]);
  default:
    return builder.createOrFold<math::SqrtOp>(loc, x[0]);
  }
}
