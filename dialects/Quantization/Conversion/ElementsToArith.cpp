// Quantizing, dequantizing, ranges and tables as arithmetic.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Quantization/Conversion/Lowering.h"
#include "dialects/Quantization/Conversion/NarrowFloats.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

bool quantization::isZero(Value value) {
  return !value || matchPattern(value, m_Zero());
}

Value quantization::integersOf(TensorBuilder &b, Value stored, Format format) {
  return b.extended(wrapNarrowInteger(b, stored, format), isUnsigned(format));
}

/// Compares with `bound` and takes it where `value` is not on its inner side.
static Value limited(TensorBuilder &b, Value value,
                     arith::CmpFPredicate predicate, double bound) {
  Value limit = b.filled(bound, b.f32(), value);
  Value isInside = b.create<arith::CmpFOp>(predicate, value, limit);
  return b.create<arith::SelectOp>(isInside, value, limit);
}

Value quantization::roundToInteger(TensorBuilder &b, Value value, Value zero,
                                   Format format) {
  Value q = b.create<math::RoundEvenOp>(value);
  if (zero)
    q = b.create<arith::AddFOp>(q, zero);
  q = limited(b, q, arith::CmpFPredicate::OGT, leastOf(format));
  q = limited(b, q, arith::CmpFPredicate::OLT, largestOf(format));
  return b.create<arith::FPToSIOp>(withElements(q, b.i32()), q);
}

static Value stored(TensorBuilder &b, Value integers, Format format) {
  Type type = withElements(integers, storageOf(format, b.builder.getContext()));
  return type == integers.getType() ? integers
                                    : b.create<arith::TruncIOp>(type, integers);
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

namespace {
/// Where a scale or zero point stands for elements of a tensor.
struct Placement {
  std::optional<int64_t> axis, block;
  Value groups;
};
} // namespace

/// Each element of `parameter` repeated `block` times along `axis`, in the shape of
/// `like`: what is too much of the last block is cut off.
static Value repeatBlocks(TensorBuilder &b, Value parameter, Value like,
                          int64_t axis, int64_t block) {
  TensorBuilder::Shape wanted = b.shapeOf(like), apart = b.shapeOf(parameter);
  int64_t rank = apart.size();
  if (apart[axis] == b.constantSize(1))
    return b.broadcastLike(parameter, like);
  SmallVector<int64_t> positions;
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t at = i + (i > axis);
    positions.push_back(at);
    groups.push_back({at});
    if (i == axis)
      groups.back().push_back(at + 1);
  }
  apart.insert(apart.begin() + axis + 1, b.constantSize(block));
  Value repeated = b.broadcastTo(b.placed(parameter, positions, rank + 1), apart);
  return b.head(b.collapse(repeated, groups), axis, wanted[axis]);
}

/// `parameter` in the shape of `like`.
static Value placedLike(TensorBuilder &b, Value parameter, Value like,
                        const Placement &placement) {
  auto type = cast<RankedTensorType>(parameter.getType());
  int64_t rank = cast<RankedTensorType>(like.getType()).getRank();
  if (placement.groups) {
    TensorBuilder::Shape shape = b.shapeOf(like);
    return b.create<graph::GatherOp>(b.typeOf(shape, type.getElementType()),
                                     parameter, placement.groups,
                                     *placement.axis);
  }
  if (placement.block)
    return repeatBlocks(b, parameter, like, *placement.axis, *placement.block);
  if (type.getRank() == 1)
    parameter = b.placed(parameter, *placement.axis, rank);
  return b.broadcastLike(parameter, like);
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// The zero point of a quantization to or from `format`, in f32; null: 0.
static Value zeroNumber(TensorBuilder &b, Value zero, Format format) {
  if (isZero(zero) && isInteger(format))
    return {};
  if (!zero || getElementTypeOrSelf(zero).isF32())
    return zero;
  return isInteger(format) ? b.toFloat(integersOf(b, zero, format))
                           : decodeNarrowFloat(b, zero, format);
}

/// The one number that `zero` is: null is 0.
static std::optional<int64_t> knownZero(Value zero, Format format) {
  APInt number;
  if (!zero)
    return 0;
  if (!matchPattern(zero, m_ConstantInt(&number)))
    return std::nullopt;
  return isUnsigned(format) ? int64_t(number.getZExtValue())
                            : number.getSExtValue();
}

/// The quotient that `op` rounds.
static Value scaled(TensorBuilder &b, QuantizeOp op, const Placement &placement) {
  Value q = op.getSource();
  if (isa<IntegerType>(getElementTypeOrSelf(q)))
    q = b.toFloat(q);
  // A quotient by 1 rounds nothing.
  return matchPattern(op.getScale(), m_OneFloat())
             ? q
             : b.create<arith::DivFOp>(
                   q, placedLike(b, op.getScale(), q, placement));
}

/// What is quantized and dequantized by one zero point never becomes an integer: the
/// steps that are left of the limits, times the scale. Null for anything else.
static Value roundedNumbers(TensorBuilder &b, DequantizeOp op) {
  auto from = op.getSource().getDefiningOp<QuantizeOp>();
  Format format = op.getFormat();
  if (!from || from.getFormat() != format || !isInteger(format) ||
      bitsOf(format) < 8)
    return {};
  std::optional<int64_t> zero = knownZero(op.getZero(), format);
  if (!zero || zero != knownZero(from.getZero(), format))
    return {};
  Value steps = b.create<math::RoundEvenOp>(
      scaled(b, from, {from.getAxis(), from.getBlock(), {}}));
  steps = limited(b, steps, arith::CmpFPredicate::OGT, leastOf(format) - *zero);
  return limited(b, steps, arith::CmpFPredicate::OLT, largestOf(format) - *zero);
}

Value quantization::lower(TensorBuilder &b, QuantizeOp op) {
  Placement placement{op.getAxis(), op.getBlock(), {}};
  Value q = scaled(b, op, placement);
  Format format = op.getFormat();
  Value zero = zeroNumber(b, op.getZero(), format);
  if (zero)
    zero = placedLike(b, zero, q, placement);
  if (isInteger(format))
    return stored(b, roundToInteger(b, q, zero, format), format);
  if (zero)
    q = b.create<arith::AddFOp>(q, zero);
  return encodeNarrowFloat(b, q, format, op.getSaturate());
}

Value quantization::lower(TensorBuilder &b, DequantizeOp op) {
  Placement placement{op.getAxis(), op.getBlock(), op.getGroups()};
  Format format = op.getFormat();
  if (Value rounded = roundedNumbers(b, op))
    return b.create<arith::MulFOp>(
        rounded, placedLike(b, op.getScale(), rounded, placement));
  Value number, zero = op.getZero();
  bool isExact = isInteger(format) &&
                 (!zero || !getElementTypeOrSelf(zero).isF32());
  if (isExact) {
    number = integersOf(b, op.getSource(), format);
    if (!isZero(zero))
      number = b.create<arith::SubIOp>(
          number,
          placedLike(b, integersOf(b, zero, format), number, placement));
    number = b.toFloat(number);
  } else {
    number = isInteger(format)
                 ? b.toFloat(integersOf(b, op.getSource(), format))
                 : decodeNarrowFloat(b, op.getSource(), format);
    if (Value difference = zeroNumber(b, zero, format))
      number = b.create<arith::SubFOp>(
          number, placedLike(b, difference, number, placement));
  }
  return b.create<arith::MulFOp>(
      number, placedLike(b, op.getScale(), number, placement));
}

Value quantization::lower(TensorBuilder &b, LookupOp op) {
  Value indices = b.extended(op.getSource(), /*isUnsigned=*/true);
  auto type = cast<RankedTensorType>(op.getResult().getType());
  return b.create<graph::GatherOp>(
      b.typeOf(b.shapeOf(op.getSource()), type.getElementType()), op.getTable(),
      indices, /*axis=*/0);
}

/// The last dimension of `source` as [blocks, block]; what is missing is 0, which no
/// range is changed by.
static Value inBlocks(TensorBuilder &b, Value source, int64_t block) {
  TensorBuilder::Shape shape = b.shapeOf(source);
  int64_t last = shape.size() - 1;
  AffineExpr blocks = shape[last].ceilDiv(block);
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i <= last; ++i)
    groups.push_back({i});
  groups.back().push_back(last + 1);
  TensorBuilder::Shape whole = shape;
  whole[last] = blocks * block;
  if (!b.sizes.areEqual(whole[last], shape[last])) {
    SmallVector<OpFoldResult> low(shape.size(), b.builder.getIndexAttr(0)),
        high = low;
    high[last] =
        b.sizes.materialize(b.builder, b.loc, whole[last] - shape[last]);
    Value zero = arith::ConstantOp::create(b.builder, b.loc,
                                           b.builder.getF32FloatAttr(0));
    source = tensor::PadOp::create(b.builder, b.loc,
                                   b.typeOf(whole, b.f32()), source, low, high,
                                   zero);
  }
  whole[last] = blocks;
  whole.push_back(b.constantSize(block));
  return b.expand(source, whole, groups);
}

/// `scale`, or 1 where it is 0.
static Value orOne(TensorBuilder &b, Value scale) {
  Value isNone =
      b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, scale,
                              b.filled(0, b.f32(), scale));
  return b.create<arith::SelectOp>(isNone, b.filled(1, b.f32(), scale), scale);
}

std::pair<Value, Value> quantization::lower(TensorBuilder &b, RangeOp op) {
  Value source = op.getSource();
  if (op.getBlock())
    source = inBlocks(b, source, *op.getBlock());
  int64_t rank = cast<RankedTensorType>(source.getType()).getRank();
  auto dims = llvm::to_vector(llvm::seq<int64_t>(
      op.getPart() == Part::Tensor ? 0 : rank - 1, rank));
  double infinity = std::numeric_limits<double>::infinity();
  auto extremum = [&](auto kind, double start) {
    Value number = arith::ConstantOp::create(
        b.builder, b.loc, b.builder.getF32FloatAttr(start));
    Value found = b.reduce<decltype(kind)>(source, dims, number);
    // [..., rows] of [..., rows, 1]
    if (op.getPart() == Part::Row)
      found = b.placed(found,
                       llvm::to_vector(llvm::seq<int64_t>(0, rank - 1)), rank);
    return b.create<decltype(kind)>(found, b.filled(0, b.f32(), found));
  };
  Value least = extremum(arith::MinimumFOp(), infinity),
        largest = extremum(arith::MaximumFOp(), -infinity);
  Format format = op.getFormat();
  auto scaled = [&](Value width, double steps) {
    return orOne(b, b.create<arith::DivFOp>(
                        width, b.filled(steps, b.f32(), width)));
  };
  if (op.getSymmetric()) {
    Value most = b.create<arith::MaximumFOp>(b.create<arith::NegFOp>(least),
                                             largest);
    Type type = storageOf(format, b.builder.getContext());
    return {scaled(most, largestOf(format)), b.filled(0, type, most)};
  }
  Value scale = scaled(b.create<arith::SubFOp>(largest, least),
                       largestOf(format) - leastOf(format));
  Value lowest = b.filled(leastOf(format), b.f32(), least);
  Value zero = b.create<arith::SubFOp>(
      lowest, b.create<arith::DivFOp>(least, scale));
  return {scale, stored(b, roundToInteger(b, zero, {}, format), format)};
}
