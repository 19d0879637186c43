// Integer arithmetic on sizes, exactly as its operations compute it; see
// SizeAnalysis.h.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeTerms.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera::graph;

using Kind = SizeAnalysis::Symbol::Kind;

static std::optional<int64_t> constantOf(AffineExpr size) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return constant.getValue();
  return std::nullopt;
}

bool SizeAnalysis::dependsOnData(AffineExpr size) {
  return size
      .walk([&](AffineExpr part) {
        auto used = dyn_cast<AffineSymbolExpr>(part);
        return used && symbolList[used.getPosition()].isData
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

//===----------------------------------------------------------------------===//
// Widths
//===----------------------------------------------------------------------===//

/// Whether `size` is made of sizes of tensors, by factors that sizes of elements and
/// blocks have.
bool SizeAnalysis::isPlainSize(AffineExpr size) {
  constexpr int64_t kLargestFactor = int64_t(1) << 16;
  return !size
              .walk([&](AffineExpr part) {
                int64_t factor = constantOf(part).value_or(0);
                auto used = dyn_cast<AffineSymbolExpr>(part);
                return factor > kLargestFactor || factor < -kLargestFactor ||
                               (used && !symbolList[used.getPosition()].isPlain)
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

bool SizeAnalysis::isAssumedToFit(AffineExpr size, unsigned bits) {
  SizeBounds bounds = boundsOf(size);
  bool mayFit = bounds.least.value_or(INT32_MIN) >= INT32_MIN &&
                bounds.most.value_or(INT32_MAX) <= INT32_MAX;
  return bits == 32 && mayFit && (!bounds.least || !bounds.most) &&
         isPlainSize(size);
}

/// `size`, of which only the rest by `modulus` matters, without inner rests:
///
///   (x mod 256) - 128   ==>   x - 128, for 256
static AffineExpr dropInnerRests(AffineExpr size, int64_t modulus) {
  SmallVector<AffineExpr> terms;
  appendTerms(size, terms);
  AffineExpr sum = getAffineConstantExpr(0, size.getContext());
  for (AffineExpr term : terms) {
    auto rest = dyn_cast<AffineBinaryOpExpr>(term);
    bool isRest = rest && term.getKind() == AffineExprKind::Mod &&
                  constantOf(rest.getRHS()).value_or(1) % modulus == 0;
    sum = sum + (isRest ? dropInnerRests(rest.getLHS(), modulus) : term);
  }
  return sum;
}

/// The value that an integer of `bits` bits has after `size` was put into it.
AffineExpr SizeAnalysis::wrapped(AffineExpr size, unsigned bits,
                                 bool isUnsigned) {
  if (bits < 2 || bits >= 64)
    return size;
  int64_t least = isUnsigned ? 0 : llvm::minIntN(bits),
          most = isUnsigned ? int64_t(llvm::maxUIntN(bits))
                            : llvm::maxIntN(bits);
  SizeBounds bounds = boundsOf(size);
  if ((bounds.least.value_or(INT64_MIN) >= least &&
       bounds.most.value_or(INT64_MAX) <= most) ||
      (isAssumedToFit(size, bits) &&
       (!isUnsigned || bounds.least.value_or(-1) >= 0)))
    return size;
  int64_t modulus = int64_t(1) << bits;
  return simplify((dropInnerRests(size, modulus) - least) % modulus + least);
}

/// The value of an integer whose bits are read as unsigned.
AffineExpr SizeAnalysis::unsignedOf(Value value) {
  Type type = value.getType();
  return wrapped(sizeOf(value), type.isIndex() ? 64 : type.getIntOrFloatBitWidth(),
                 /*isUnsigned=*/true);
}

//===----------------------------------------------------------------------===//
// Quotients
//===----------------------------------------------------------------------===//

/// a / b, cut towards zero; 0 where b is.
AffineExpr SizeAnalysis::truncatedQuotient(AffineExpr a, AffineExpr b) {
  AffineExpr zero = getAffineConstantExpr(0, context);
  SizeBounds boundsA = boundsOf(a), boundsB = boundsOf(b);
  if (std::optional<int64_t> divisor = constantOf(b)) {
    if (*divisor == 0)
      return zero;
    if (*divisor < 0)
      return simplify(-truncatedQuotient(a, simplify(-b)));
    AffineExpr down = simplify(a.floorDiv(b)), up = simplify(a.ceilDiv(b));
    if (boundsA.least.value_or(-1) >= 0 || areEqual(down, up))
      return down;
    if (boundsA.least.value_or(-*divisor) > -*divisor)
      return composite(Kind::Max, {down, zero});
    return composite(Kind::SelectLess, {a, zero, up, down});
  }
  bool isPositive = boundsB.least.value_or(0) > 0;
  if (boundsA.least.value_or(-1) >= 0 && boundsB.least.value_or(-1) >= 0) {
    AffineExpr known = evaluate(Kind::Quotient, {a, b});
    if (known || isPositive)
      return composite(Kind::Quotient, {a, b});
    AffineExpr one = getAffineConstantExpr(1, context);
    return composite(
        Kind::SelectEqual,
        {b, zero, zero,
         composite(Kind::Quotient, {a, composite(Kind::Max, {b, one})})});
  }
  auto magnitude = [&](AffineExpr size) {
    AffineExpr negative = simplify(-size);
    return composite(Kind::SelectLess, {size, zero, negative, size});
  };
  auto withSignOf = [&](AffineExpr size, AffineExpr quotient) {
    return composite(Kind::SelectLess,
                     {size, zero, simplify(-quotient), quotient});
  };
  AffineExpr one = getAffineConstantExpr(1, context);
  AffineExpr divisor = composite(Kind::Max, {magnitude(b), one});
  AffineExpr quotient =
      composite(Kind::Quotient, {magnitude(a), divisor});
  quotient = withSignOf(b, withSignOf(a, quotient));
  return composite(Kind::SelectEqual, {b, zero, zero, quotient});
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

AffineExpr SizeAnalysis::computeSize(Value value) {
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant))) {
    if (auto number = dyn_cast<FloatAttr>(constant))
      return getAffineConstantExpr(
          llvm::bit_cast<int64_t>(number.getValueAsDouble()), context);
    if (auto flag = dyn_cast<BoolAttr>(constant))
      return getAffineConstantExpr(flag.getValue(), context);
    if (auto number = dyn_cast<IntegerAttr>(constant))
      return getAffineConstantExpr(number.getInt(), context);
    return opaque(value);
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return opaque(value);
  AffineExpr size;
  for (auto compute :
       {&SizeAnalysis::computeInteger, &SizeAnalysis::computeUnsigned,
        &SizeAnalysis::computeBits, &SizeAnalysis::computeBoolean,
        &SizeAnalysis::computeFloat})
    if (!size)
      size = (this->*compute)(op);
  if (!size)
    return opaque(value);
  // A float that does not fit its integer gives any number.
  auto type = isa<arith::FPToSIOp, arith::FPToUIOp>(op)
                  ? IntegerType()
                  : dyn_cast<IntegerType>(value.getType());
  return type && type.getWidth() < 64
             ? wrapped(simplify(size), type.getWidth(), /*isUnsigned=*/false)
             : size;
}

AffineExpr SizeAnalysis::computeInteger(Operation *op) {
  auto positive = [&](Value divisor) {
    return constantOf(sizeOf(divisor)).value_or(0) > 0;
  };
  return TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](SizeOp size) { return symbolFor(size.getSymbolAttr(), size); })
      .Case([&](arith::AddIOp add) {
        return sizeOf(add.getLhs()) + sizeOf(add.getRhs());
      })
      .Case([&](arith::SubIOp sub) {
        return sizeOf(sub.getLhs()) - sizeOf(sub.getRhs());
      })
      .Case([&](arith::MulIOp mul) {
        return sizeOf(mul.getLhs()) * sizeOf(mul.getRhs());
      })
      .Case([&](arith::FloorDivSIOp div) {
        return positive(div.getRhs())
                   ? sizeOf(div.getLhs()).floorDiv(sizeOf(div.getRhs()))
                   : composite(Kind::Quotient,
                               {sizeOf(div.getLhs()), sizeOf(div.getRhs())});
      })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto div) {
        return positive(div.getRhs())
                   ? sizeOf(div.getLhs()).ceilDiv(sizeOf(div.getRhs()))
                   : AffineExpr();
      })
      .Case([&](arith::DivSIOp div) {
        return truncatedQuotient(sizeOf(div.getLhs()), sizeOf(div.getRhs()));
      })
      .Case([&](arith::RemSIOp rem) {
        AffineExpr a = sizeOf(rem.getLhs()), b = sizeOf(rem.getRhs());
        return boundsOf(a).least.value_or(-1) >= 0 && positive(rem.getRhs())
                   ? a % b
                   : a - truncatedQuotient(a, b) * b;
      })
      .Case([&](arith::MinSIOp min) {
        return composite(Kind::Min,
                         {sizeOf(min.getLhs()), sizeOf(min.getRhs())});
      })
      .Case([&](arith::MaxSIOp max) {
        return composite(Kind::Max,
                         {sizeOf(max.getLhs()), sizeOf(max.getRhs())});
      })
      .Case([&](math::AbsIOp abs) {
        AffineExpr size = sizeOf(abs.getOperand());
        return composite(Kind::Max, {size, simplify(-size)});
      })
      .Case([&](arith::SelectOp select) {
        return computeCompare(select.getCondition(),
                              sizeOf(select.getTrueValue()),
                              sizeOf(select.getFalseValue()));
      })
      .Case([&](tensor::ExtractOp extract) {
        return computeElement(extract.getResult());
      })
      .Case<arith::IndexCastOp, arith::ExtSIOp, arith::TruncIOp>([&](auto cast) {
        AffineExpr size = sizeOf(cast.getIn());
        bool isFlag = cast.getIn().getType().isInteger(1);
        if (cast.getType().isInteger(1)) // the lowest bit
          return AffineExpr(size % 2);
        return isFlag ? -size : size;
      })
      .Case([&](affine::AffineApplyOp apply) {
        AffineMap map = apply.getAffineMap();
        SmallVector<AffineExpr> dims, symbols;
        for (Value operand : apply.getDimOperands())
          dims.push_back(sizeOf(operand));
        for (Value operand : apply.getSymbolOperands())
          symbols.push_back(sizeOf(operand));
        return map.getResult(0).replaceDimsAndSymbols(dims, symbols);
      })
      .Case([&](tensor::DimOp dim) {
        std::optional<int64_t> index = dim.getConstantIndex();
        auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
        return index && type && *index >= 0 && *index < type.getRank()
                   ? dimOf(dim.getSource(), *index)
                   : AffineExpr();
      })
      .Default([&](Operation *) { return AffineExpr(); });
}

/// Operations that read bits as unsigned. Sizes are taken for positive in 64 bits.
AffineExpr SizeAnalysis::computeUnsigned(Operation *op) {
  auto positive = [&](Value divisor) {
    return constantOf(unsignedOf(divisor)).value_or(0) > 0;
  };
  return TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](arith::DivUIOp div) {
        AffineExpr a = unsignedOf(div.getLhs()), b = unsignedOf(div.getRhs());
        return positive(div.getRhs()) ? a.floorDiv(b)
                                      : composite(Kind::Quotient, {a, b});
      })
      .Case([&](arith::RemUIOp rem) {
        AffineExpr a = unsignedOf(rem.getLhs()), b = unsignedOf(rem.getRhs());
        return positive(rem.getRhs()) ? a % b : AffineExpr();
      })
      .Case([&](arith::MinUIOp min) {
        return composite(Kind::Min,
                         {unsignedOf(min.getLhs()), unsignedOf(min.getRhs())});
      })
      .Case([&](arith::MaxUIOp max) {
        return composite(Kind::Max,
                         {unsignedOf(max.getLhs()), unsignedOf(max.getRhs())});
      })
      .Case<arith::ExtUIOp, arith::IndexCastUIOp>(
          [&](auto cast) { return unsignedOf(cast.getIn()); })
      .Default([&](Operation *) { return AffineExpr(); });
}

/// Shifts, and what masks of low or high bits leave.
AffineExpr SizeAnalysis::computeBits(Operation *op) {
  if (!isa<arith::AndIOp, arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp>(op) ||
      op->getResult(0).getType().isInteger(1))
    return {};
  AffineExpr size = sizeOf(op->getOperand(0));
  std::optional<int64_t> constant = constantOf(sizeOf(op->getOperand(1)));
  if (isa<arith::AndIOp>(op) && constantOf(size)) {
    std::optional<int64_t> mask = constantOf(size);
    size = sizeOf(op->getOperand(1));
    constant = mask;
  }
  if (!constant)
    return {};
  if (isa<arith::AndIOp>(op)) {
    if (*constant == -1)
      return size;
    if (*constant >= 0 && llvm::isPowerOf2_64(*constant + 1))
      return size % (*constant + 1);
    if (*constant < 0 && llvm::isPowerOf2_64(-uint64_t(*constant)))
      return size - size % -*constant;
    return {};
  }
  if (*constant < 0 || *constant > 62)
    return {};
  int64_t factor = int64_t(1) << *constant;
  if (isa<arith::ShLIOp>(op))
    return size * factor;
  if (isa<arith::ShRSIOp>(op))
    return size.floorDiv(factor);
  if (isa<arith::ShRUIOp>(op))
    return unsignedOf(op->getOperand(0)).floorDiv(factor);
  return {};
}

/// Booleans, 0 or 1.
AffineExpr SizeAnalysis::computeBoolean(Operation *op) {
  if (op->getNumResults() != 1 || !op->getResult(0).getType().isInteger(1))
    return {};
  AffineExpr one = getAffineConstantExpr(1, context),
             zero = getAffineConstantExpr(0, context);
  if (isa<arith::CmpIOp, arith::CmpFOp>(op))
    return computeCompare(op->getResult(0), one, zero);
  auto operand = [&](unsigned i) { return sizeOf(op->getOperand(i)); };
  if (isa<arith::AndIOp>(op))
    return composite(Kind::Min, {operand(0), operand(1)});
  if (isa<arith::OrIOp>(op))
    return composite(Kind::Max, {operand(0), operand(1)});
  if (isa<arith::XOrIOp>(op))
    return constantOf(operand(1)) == 1
               ? one - operand(0)
               : composite(Kind::SelectEqual,
                           {operand(0), operand(1), zero, one});
  return {};
}

/// `then` where `condition` holds, else `otherwise`.
AffineExpr SizeAnalysis::computeCompare(Value condition, AffineExpr then,
                                        AffineExpr otherwise) {
  using Predicate = arith::CmpIPredicate;
  AffineExpr one = getAffineConstantExpr(1, context);
  auto less = [&](AffineExpr a, AffineExpr b, bool isNegated) {
    return composite(Kind::SelectLess, {a, b, isNegated ? otherwise : then,
                                        isNegated ? then : otherwise});
  };
  if (auto compare = condition.getDefiningOp<arith::CmpIOp>();
      compare && compare.getLhs().getType().isIntOrIndex()) {
    bool isUnsigned = compare.getPredicate() >= Predicate::ult;
    auto read = [&](Value value) {
      return isUnsigned ? unsignedOf(value) : sizeOf(value);
    };
    AffineExpr a = read(compare.getLhs()), b = read(compare.getRhs());
    switch (compare.getPredicate()) {
    case Predicate::eq:
      return composite(Kind::SelectEqual, {a, b, then, otherwise});
    case Predicate::ne:
      return composite(Kind::SelectEqual, {a, b, otherwise, then});
    case Predicate::slt:
    case Predicate::ult:
      return less(a, b, false);
    case Predicate::sgt:
    case Predicate::ugt:
      return less(b, a, false);
    case Predicate::sle:
    case Predicate::ule:
      return less(b, a, true);
    case Predicate::sge:
    case Predicate::uge:
      return less(a, b, true);
    }
  }
  AffineExpr holds;
  if (auto compare = condition.getDefiningOp<arith::CmpFOp>()) {
    AffineExpr a = sizeOf(compare.getLhs()), b = sizeOf(compare.getRhs()),
               below = composite(Kind::FloatLess, {a, b}),
               above = composite(Kind::FloatLess, {b, a});
    using Float = arith::CmpFPredicate;
    switch (compare.getPredicate()) {
    case Float::OLT:
      holds = below;
      break;
    case Float::OGT:
      holds = above;
      break;
    case Float::OLE:
      holds = one - above;
      break;
    case Float::OGE:
      holds = one - below;
      break;
    case Float::OEQ:
      holds = one - below - above;
      break;
    case Float::UNE:
      holds = below + above;
      break;
    default:
      holds = opaque(condition);
    }
  } else {
    holds = sizeOf(condition);
  }
  return composite(Kind::SelectEqual, {holds, one, then, otherwise});
}

/// An element, of constant index, of an argument that is a list of integers or
/// one integer.
AffineExpr SizeAnalysis::computeElement(Value value) {
  auto extract = value.getDefiningOp<tensor::ExtractOp>();
  auto argument = dyn_cast<BlockArgument>(extract.getTensor());
  bool isList =
      argument && argument.getOwner()->isEntryBlock() &&
      extract.getIndices().size() <= 1 &&
      isa<FunctionOpInterface>(argument.getOwner()->getParentOp()) &&
      (value.getType().isInteger(32) || value.getType().isInteger(64));
  AffineExpr index = getAffineConstantExpr(0, context);
  if (isList && !extract.getIndices().empty())
    index = sizeOf(extract.getIndices().front());
  if (!isList || !isa<AffineConstantExpr>(index))
    return {};
  return composite(
      Kind::Element,
      {getAffineConstantExpr(argument.getArgNumber(), context), index},
      argument);
}
