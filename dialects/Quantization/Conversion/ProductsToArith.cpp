// Products of quantized numbers as products of bytes; see the header.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Quantization/Conversion/Lowering.h"
#include "dialects/Quantization/Conversion/NarrowFloats.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

namespace {
/// Bytes and what is taken from each of them.
struct ByteOperand {
  Value bytes;
  bool isUnsigned = false;
  /// i32; null: 0.
  Value zero;
};
} // namespace

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The numbers of `format` in `stored` as bytes with a sign or without one.
static ByteOperand byteOperand(TensorBuilder &b, Value stored, Value zero,
                               Format format, bool isUnsigned) {
  ByteOperand operand{wrapNarrowInteger(b, stored, format), isUnsigned, {}};
  if (!isZero(zero))
    operand.zero = integersOf(b, zero, format);
  if (quantization::isUnsigned(format) == isUnsigned)
    return operand;
  Type i8 = b.builder.getI8Type();
  operand.bytes = b.create<arith::XOrIOp>(
      operand.bytes, b.filled(-128, i8, operand.bytes));
  if (!operand.zero)
    operand.zero = arith::ConstantOp::create(
        b.builder, b.loc,
        DenseElementsAttr::get(RankedTensorType::get({}, b.i32()),
                               b.builder.getI32IntegerAttr(0)));
  operand.zero = b.create<arith::AddIOp>(
      operand.zero, b.filled(isUnsigned ? 128 : -128, b.i32(), operand.zero));
  return operand;
}

/// `a` times `b`, which broadcast together, one of them having the shape of the result.
static Value multiplied(TensorBuilder &b, Value x, Value y) {
  if (tensorType(x).getRank() < tensorType(y).getRank())
    std::swap(x, y);
  return b.create<arith::MulIOp>(x, b.broadcastLike(y, x));
}

/// The sum of `wide`, i32, over `dims`.
static Value sumOver(TensorBuilder &b, Value wide, ArrayRef<int64_t> dims) {
  Value zero =
      arith::ConstantOp::create(b.builder, b.loc, b.builder.getI32IntegerAttr(0));
  return b.reduce<arith::AddIOp>(wide, dims, zero);
}

/// `sums` less what is in `terms`, all of one shape or less: the shortest are joined
/// first, with the bias, as these may be constants.
static Value corrected(TensorBuilder &b, Value sums, Value bias,
                       ArrayRef<Value> terms) {
  SmallVector<Value> large;
  for (Value term : terms) {
    bool isColumns = tensorType(term).getRank() <= 1;
    if (!isColumns) {
      large.push_back(term);
      continue;
    }
    if (!bias)
      bias = b.filled(0, b.i32(), term);
    // A single number for all columns.
    if (tensorType(bias).getRank() < tensorType(term).getRank())
      bias = b.broadcastLike(bias, term);
    bias = b.create<arith::SubIOp>(bias, b.broadcastLike(term, bias));
  }
  for (Value term : large)
    sums = b.create<arith::SubIOp>(sums, b.broadcastLike(term, sums));
  return bias ? b.create<arith::AddIOp>(sums, b.broadcastLike(bias, sums)) : sums;
}

//===----------------------------------------------------------------------===//
// matmul
//===----------------------------------------------------------------------===//

/// Sums of products of bytes, each extended by its own sign, over `maps`.
static Value multiplyBytes(TensorBuilder &b, Value lhs, Value rhs,
                           const TensorBuilder::Shape &shape,
                           ArrayRef<AffineMap> maps) {
  SmallVector<utils::IteratorType> iterators(maps.back().getNumDims(),
                                             utils::IteratorType::reduction);
  for (AffineExpr expr : maps.back().getResults())
    iterators[cast<AffineDimExpr>(expr).getPosition()] =
        utils::IteratorType::parallel;
  Value zero =
      arith::ConstantOp::create(b.builder, b.loc, b.builder.getI32IntegerAttr(0));
  Value start = linalg::FillOp::create(b.builder, b.loc, zero,
                                       b.empty(shape, b.i32()))
                    .getResult(0);
  auto body = [](OpBuilder &builder, Location loc, ValueRange elements) {
    Type i32 = builder.getI32Type();
    Value product = arith::MulIOp::create(
        builder, loc, arith::ExtUIOp::create(builder, loc, i32, elements[0]),
        arith::ExtSIOp::create(builder, loc, i32, elements[1]));
    Value sum = arith::AddIOp::create(builder, loc, elements[2], product);
    linalg::YieldOp::create(builder, loc, sum);
  };
  return linalg::GenericOp::create(b.builder, b.loc, start.getType(),
                                   ValueRange{lhs, rhs}, start, maps, iterators,
                                   body)
      .getResult(0);
}

/// Which dimensions of the result are those of operand `index` that are kept.
static SmallVector<int64_t> resultDims(MatmulOp op, unsigned index) {
  SmallVector<int64_t> dims;
  for (int64_t dim : op.getKeptDims(index))
    dims.push_back(
        *op.getMap(2).getResultPosition(op.getMap(index).getResult(dim)));
  return dims;
}

Value quantization::lower(TensorBuilder &b, MatmulOp op) {
  ByteOperand lhs = byteOperand(b, op.getA(), op.getAZero(), op.getAFormat(),
                                /*isUnsigned=*/true),
              rhs = byteOperand(b, op.getB(), op.getBZero(), op.getBFormat(),
                                /*isUnsigned=*/false);
  int64_t rank = tensorType(op.getResult()).getRank();
  Value sums = multiplyBytes(b, lhs.bytes, rhs.bytes, b.shapeOf(op.getResult()),
                             {op.getMap(0), op.getMap(1), op.getMap(2)});
  // What is one for each kept dimension of an operand, in the result.
  auto inResult = [&](Value value, unsigned index) {
    return tensorType(value).getRank() == 0
               ? value
               : b.placed(value, resultDims(op, index), rank);
  };
  auto joined = [&](Value x, Value y) {
    // Rows times columns are as many as the result has.
    if (tensorType(x).getRank() > 0 && tensorType(y).getRank() > 0 &&
        tensorType(x).getShape() != tensorType(y).getShape()) {
      x = b.broadcastLike(x, sums);
      y = b.broadcastLike(y, sums);
    }
    return multiplied(b, x, y);
  };
  SmallVector<Value> terms;
  if (!isZero(lhs.zero)) {
    Value wide = b.extended(rhs.bytes, /*isUnsigned=*/false);
    if (!isZero(rhs.zero)) {
      Value zero = rhs.zero;
      if (tensorType(zero).getRank() > 0)
        zero = b.placed(zero, op.getKeptDims(1), tensorType(wide).getRank());
      wide = b.create<arith::SubIOp>(wide, b.broadcastLike(zero, wide));
    }
    Value columns = sumOver(b, wide, op.getSummedDims(1));
    terms.push_back(joined(inResult(columns, 1), inResult(lhs.zero, 0)));
  }
  if (!isZero(rhs.zero)) {
    Value wide = b.extended(lhs.bytes, /*isUnsigned=*/true);
    Value rows = sumOver(b, wide, op.getSummedDims(0));
    terms.push_back(joined(inResult(rows, 0), inResult(rhs.zero, 1)));
  }
  return corrected(b, sums, op.getBias(), terms);
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

/// `image` with `pad`, a scalar, around its spatial dimensions.
static Value padded(TensorBuilder &b, ConvOp op, Value image, Value pad) {
  SmallVector<OpFoldResult> low(1, b.builder.getIndexAttr(0)), high = low;
  for (auto [before, after] : llvm::zip(op.getPadLow(), op.getPadHigh())) {
    low.push_back(b.builder.getIndexAttr(before));
    high.push_back(b.builder.getIndexAttr(after));
  }
  low.push_back(b.builder.getIndexAttr(0));
  high.push_back(b.builder.getIndexAttr(0));
  TensorBuilder::Shape shape = b.shapeOf(image);
  for (size_t i = 0; i < op.getPadLow().size(); ++i)
    shape[i + 1] = shape[i + 1] + (op.getPadLow()[i] + op.getPadHigh()[i]);
  Type type = tensorType(image).getElementType();
  return tensor::PadOp::create(b.builder, b.loc, b.typeOf(shape, type), image,
                               low, high, pad);
}

static Value convolved(TensorBuilder &b, ConvOp op, Value image, Value filter,
                       bool hasPads) {
  SmallVector<int64_t> none(op.getPadLow().size(), 0);
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(image));
  bool isBytes = getElementTypeOrSelf(image).isInteger(8);
  RankedTensorType type = b.typeOf(b.shapeOf(op.getResult()),
                                   isFloat ? b.f32() : b.i32());
  // A filter of ones has one column, no groups.
  int64_t outputs = tensorType(filter).getShape().back();
  SmallVector<int64_t> shape(type.getShape());
  shape.back() = outputs;
  int64_t groups =
      outputs == tensorType(op.getFilter()).getShape().back() ? op.getGroups() : 1;
  return graph::ConvOp::create(b.builder, b.loc, type.clone(shape), image, filter,
                               op.getStrides(), op.getDilations(),
                               hasPads ? op.getPadLow() : ArrayRef(none),
                               hasPads ? op.getPadHigh() : ArrayRef(none), groups,
                               /*unsigned_input=*/isBytes);
}

/// Whether builders have a form for bytes: of one group, or of a filter that is centred
/// already.
static bool canConvolveBytes(ConvOp op) {
  return op.getGroups() == 1 ||
         (!isUnsigned(op.getFilterFormat()) && isZero(op.getFilterZero()));
}

/// The largest absolute difference of a number of `format` and a zero point.
static int64_t mostOf(Format format, Value zero) {
  int64_t width = largestOf(format) - leastOf(format);
  return isZero(zero) ? std::max(largestOf(format), -leastOf(format)) : width;
}

/// Whether f32 holds all sums under the windows.
static bool isExactInFloat(ConvOp op) {
  RankedTensorType filter = tensorType(op.getFilter());
  int64_t taps = filter.getNumElements() / filter.getShape().back();
  return taps * mostOf(op.getInputFormat(), op.getInputZero()) *
             mostOf(op.getFilterFormat(), op.getFilterZero()) <=
         1 << 24;
}

/// Numbers less their zero point, which pads of 0 fit.
static Value centred(TensorBuilder &b, Value stored, Value zero, Format format) {
  Value wide = integersOf(b, stored, format);
  if (isZero(zero))
    return wide;
  return b.create<arith::SubIOp>(
      wide, b.broadcastLike(integersOf(b, zero, format), wide));
}

static Value convolveNumbers(TensorBuilder &b, ConvOp op) {
  Value image = centred(b, op.getInput(), op.getInputZero(), op.getInputFormat()),
        filter =
            centred(b, op.getFilter(), op.getFilterZero(), op.getFilterFormat());
  if (!isExactInFloat(op))
    return convolved(b, op, image, filter, /*hasPads=*/true);
  Value sums =
      convolved(b, op, b.toFloat(image), b.toFloat(filter), /*hasPads=*/true);
  return b.create<arith::FPToSIOp>(withElements(sums, b.i32()), sums);
}

static Value convolveBytes(TensorBuilder &b, ConvOp op,
                           SmallVectorImpl<Value> &terms) {
  ByteOperand image = byteOperand(b, op.getInput(), op.getInputZero(),
                                  op.getInputFormat(), /*isUnsigned=*/true),
              filter = byteOperand(b, op.getFilter(), op.getFilterZero(),
                                   op.getFilterFormat(), /*isUnsigned=*/false);
  bool isPadded = llvm::any_of(op.getPadLow(), [](int64_t p) { return p > 0; }) ||
                  llvm::any_of(op.getPadHigh(), [](int64_t p) { return p > 0; });
  bool readsZero = isZero(image.zero);
  if (isPadded && !readsZero) {
    Value pad = b.create<arith::TruncIOp>(
        b.builder.getI8Type(),
        b.create<tensor::ExtractOp>(image.zero, ValueRange{}));
    image.bytes = padded(b, op, image.bytes, pad);
  }
  Value sums = convolved(b, op, image.bytes, filter.bytes, readsZero);
  auto dims = llvm::to_vector(
      llvm::seq<int64_t>(0, tensorType(filter.bytes).getRank() - 1));
  if (!readsZero) {
    Value wide = b.extended(filter.bytes, /*isUnsigned=*/false);
    if (!isZero(filter.zero))
      wide = b.create<arith::SubIOp>(wide, b.broadcastLike(filter.zero, wide));
    terms.push_back(multiplied(b, sumOver(b, wide, dims), image.zero));
  }
  if (!isZero(filter.zero)) {
    // The sums under all windows: a filter of ones.
    RankedTensorType type = tensorType(filter.bytes);
    SmallVector<int64_t> shape(type.getShape());
    shape.back() = 1;
    Value ones = arith::ConstantOp::create(
        b.builder, b.loc,
        DenseElementsAttr::get(type.clone(shape), b.builder.getI8IntegerAttr(1)));
    Value under = convolved(b, op, image.bytes, ones, readsZero);
    terms.push_back(multiplied(b, b.broadcastLike(under, sums), filter.zero));
  }
  return sums;
}

Value quantization::lower(TensorBuilder &b, ConvOp op) {
  SmallVector<Value> terms;
  Value sums = canConvolveBytes(op) ? convolveBytes(b, op, terms)
                                    : convolveNumbers(b, op);
  return corrected(b, sums, op.getBias(), terms);
}

//===----------------------------------------------------------------------===//
// block_matmul
//===----------------------------------------------------------------------===//

/// Dimension `axis` of `tensor`, i32 or bytes, as [blocks, block], filled up by `zero`.
static Value inBlocks(TensorBuilder &b, Value tensor, int64_t axis, int64_t block) {
  TensorBuilder::Shape shape = b.shapeOf(tensor);
  int64_t depth = tensorType(tensor).getDimSize(axis);
  int64_t blocks = llvm::divideCeil(depth, block);
  if (blocks * block != depth) {
    SmallVector<OpFoldResult> low(shape.size(), b.builder.getIndexAttr(0)),
        high = low;
    high[axis] = b.builder.getIndexAttr(blocks * block - depth);
    shape[axis] = b.constantSize(blocks * block);
    Type type = tensorType(tensor).getElementType();
    Value zero = arith::ConstantOp::create(b.builder, b.loc,
                                           b.builder.getIntegerAttr(type, 0));
    tensor = tensor::PadOp::create(b.builder, b.loc, b.typeOf(shape, type),
                                   tensor, low, high, zero);
  }
  shape[axis] = b.constantSize(blocks);
  shape.insert(shape.begin() + axis + 1, b.constantSize(block));
  SmallVector<ReassociationIndices> groups = {{0}, {1}};
  groups[axis].push_back(axis + 1);
  if (axis == 0)
    groups[1] = {2};
  return b.expand(tensor, shape, groups);
}

Value quantization::lower(TensorBuilder &b, BlockMatmulOp op) {
  int64_t block = op.getBlock();
  // a [rows, blocks, block], b [blocks, block, columns], sums [blocks, rows, columns]
  Value lhs = inBlocks(b, op.getA(), 1, block),
        rhs = inBlocks(b, op.getB(), 0, block);
  TensorBuilder::Shape rows = b.shapeOf(lhs), columns = b.shapeOf(rhs);
  TensorBuilder::Shape shape = {rows[1], rows[0], columns[2]};
  auto mapOf = [&](ArrayRef<unsigned> loops) {
    return AffineMap::getMultiDimMapWithTargets(4, loops,
                                                b.builder.getContext());
  };
  AffineMap maps[] = {mapOf({1, 0, 3}), mapOf({0, 3, 2}), mapOf({0, 1, 2})};
  auto type = b.typeOf(shape, b.i32());
  auto product = MatmulOp::create(
      b.builder, b.loc, type, lhs, rhs, /*a_zero=*/Value(), op.getBZero(),
      /*bias=*/Value(), op.getAFormat(), op.getBFormat(),
      b.builder.getAffineMapArrayAttr(maps));
  Value sums = lower(b, product);
  product.erase();
  // [rows, blocks] as [blocks, rows, 1]; [blocks, columns] as [blocks, 1, columns]
  Value scales = b.create<arith::MulFOp>(
      b.broadcastTo(b.placed(op.getAScale(), {1, 0}, 3), shape),
      b.broadcastTo(b.placed(op.getBScale(), {0, 2}, 3), shape));
  Value zero = arith::ConstantOp::create(b.builder, b.loc,
                                         b.builder.getF32FloatAttr(0));
  return b.reduce<arith::AddFOp>(
      b.create<arith::MulFOp>(b.toFloat(sums), scales), {0}, zero);
}
