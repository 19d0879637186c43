// Convolution and pooling as linalg.generic. The input is read in the body, at
// output * stride + kernel * dilation - padding, where that is inside it: no
// padded copy exists. The channels are the innermost loop, so that results,
// filters and (for pooling and depthwise convolution) inputs are read in order.
#include "dialects/Graph/Conversion/ElementLoops.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

/// The moving of a window over the spatial dimensions 1, 2, … of an input.
struct Window {
  ArrayRef<int64_t> strides, dilations, padLow, padHigh;

  int64_t rank() const { return strides.size(); }
  bool isPadded(bool ceilMode) const {
    return ceilMode || llvm::any_of(padLow, [](int64_t p) { return p != 0; }) ||
           llvm::any_of(padHigh, [](int64_t p) { return p != 0; });
  }
};

} // namespace

/// output * stride + kernel * dilation - padLow for spatial dimension `i`.
static Value createPosition(OpBuilder &builder, Location loc,
                            const Window &window, int64_t i, Value output,
                            Value kernel) {
  AffineExpr position = builder.getAffineDimExpr(0) * window.strides[i] +
                        builder.getAffineDimExpr(1) * window.dilations[i] -
                        window.padLow[i];
  return affine::makeComposedAffineApply(builder, loc, position,
                                         {output, kernel});
}

/// input[indices], or `outside` where a spatial index is not inside it.
static Value createWindowRead(OpBuilder &builder, Location loc, Value input,
                              ArrayRef<Value> indices, ArrayRef<Value> sizes,
                              Value outside) {
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value isInside;
  for (auto [index, size] :
       llvm::zip(indices.drop_front().drop_back(), sizes)) {
    Value notBefore = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::sge, index, zero);
    Value notBehind = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::slt, index, size);
    Value both = arith::AndIOp::create(builder, loc, notBefore, notBehind);
    isInside =
        isInside ? arith::AndIOp::create(builder, loc, isInside, both) : both;
  }
  return scf::IfOp::create(
             builder, loc, isInside,
             [&](OpBuilder &nested, Location loc) {
               scf::YieldOp::create(nested, loc,
                                    ValueRange{tensor::ExtractOp::create(
                                        nested, loc, input, indices)});
             },
             [&](OpBuilder &nested, Location loc) {
               scf::YieldOp::create(nested, loc, outside);
             })
      .getResult(0);
}

/// `value` in the wider type `type` of the accumulator.
static Value widen(OpBuilder &builder, Location loc, Value value, Type type,
                   bool isUnsigned = false) {
  if (value.getType() == type)
    return value;
  if (isa<FloatType>(type))
    return arith::ExtFOp::create(builder, loc, type, value);
  if (isUnsigned)
    return arith::ExtUIOp::create(builder, loc, type, value);
  return arith::ExtSIOp::create(builder, loc, type, value);
}

/// `destination` with every element `value`.
static Value createFill(OpBuilder &builder, Location loc, Value destination,
                        TypedAttr value) {
  Value constant = arith::ConstantOp::create(builder, loc, value);
  return linalg::FillOp::create(builder, loc, constant, destination)
      .getResult(0);
}

static SmallVector<Value> createSpatialSizes(OpBuilder &builder, Location loc,
                                             Value input, int64_t count) {
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < count; ++i)
    sizes.push_back(createSize(builder, loc, input, i + 1));
  return sizes;
}

/// The type with its last dimension split into `groups` and the rest.
static RankedTensorType splitChannels(RankedTensorType type, int64_t groups) {
  SmallVector<int64_t> shape(type.getShape());
  shape.back() /= groups;
  shape.insert(shape.end() - 1, groups);
  return RankedTensorType::get(shape, type.getElementType());
}

/// Reassociation that splits the last of `rank` dimensions in two.
static SmallVector<ReassociationIndices> splitLast(int64_t rank) {
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < rank; ++i)
    groups.push_back({i});
  groups.back().push_back(rank);
  return groups;
}

namespace {

/// graph.conv  ==>  linalg.generic over (batch, spatial..., kernel..., channel
/// of the group, group, output channel of the group); filter and result have
/// their output channels split by group.
struct ConvToLinalg : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ConvOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    auto result = cast<RankedTensorType>(op.getType());
    auto filter = cast<RankedTensorType>(op.getFilter().getType());
    int64_t rank = result.getRank(), groups = op.getGroups();
    Value zero = createFill(rewriter, loc, *destination,
                            rewriter.getZeroAttr(result.getElementType()));
    Value splitResult = tensor::ExpandShapeOp::create(
        rewriter, loc, splitChannels(result, groups), zero, splitLast(rank));
    Value splitFilter = tensor::ExpandShapeOp::create(
        rewriter, loc, splitChannels(filter, groups), op.getFilter(),
        splitLast(rank));
    Value convolved = createLoops(rewriter, op, splitFilter, splitResult);
    rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(op, result, convolved,
                                                         splitLast(rank));
    return success();
  }

private:
  static Value createLoops(OpBuilder &builder, ConvOp op, Value filter,
                           Value result) {
    Location loc = op.getLoc();
    Window window = {op.getStrides(), op.getDilations(), op.getPadLow(),
                     op.getPadHigh()};
    int64_t spatial = window.rank();
    // Loops: 0 batch, 1.. spatial, then kernel, channel, group, output channel.
    int64_t kernel = spatial + 1, channel = kernel + spatial;
    int64_t group = channel + 1, output = group + 1, loops = output + 1;
    auto dims = [&](int64_t from, int64_t count) {
      SmallVector<AffineExpr> exprs;
      for (int64_t i = 0; i < count; ++i)
        exprs.push_back(builder.getAffineDimExpr(from + i));
      return exprs;
    };
    SmallVector<AffineExpr> filterDims = dims(kernel, spatial + 3);
    SmallVector<AffineExpr> resultDims = dims(0, spatial + 1);
    llvm::append_range(resultDims, dims(group, 2));
    AffineMap maps[] = {
        AffineMap::get(loops, 0, filterDims, builder.getContext()),
        AffineMap::get(loops, 0, resultDims, builder.getContext())};
    SmallVector<utils::IteratorType> iterators(loops,
                                               utils::IteratorType::parallel);
    for (int64_t i = kernel; i <= channel; ++i)
      iterators[i] = utils::IteratorType::reduction;

    auto input = cast<RankedTensorType>(op.getInput().getType());
    int64_t groupChannels = input.getShape().back() / op.getGroups();
    SmallVector<Value> sizes =
        createSpatialSizes(builder, loc, op.getInput(), spatial);
    Value padding = arith::ConstantOp::create(
        builder, loc, builder.getZeroAttr(input.getElementType()));
    Type accumulator =
        cast<RankedTensorType>(result.getType()).getElementType();
    auto body = [&](OpBuilder &nested, Location loc, ValueRange elements) {
      SmallVector<Value> index = createIndices(nested, loc, loops);
      SmallVector<Value> read = {index[0]};
      for (int64_t i = 0; i < spatial; ++i)
        read.push_back(createPosition(nested, loc, window, i, index[i + 1],
                                      index[kernel + i]));
      read.push_back(affine::makeComposedAffineApply(
          nested, loc,
          nested.getAffineDimExpr(0) * groupChannels +
              nested.getAffineDimExpr(1),
          {index[group], index[channel]}));
      Value x =
          window.isPadded(/*ceilMode=*/false)
              ? createWindowRead(nested, loc, op.getInput(), read, sizes,
                                 padding)
              : tensor::ExtractOp::create(nested, loc, op.getInput(), read);
      x = widen(nested, loc, x, accumulator, op.getUnsignedInput());
      Value w = widen(nested, loc, elements[0], accumulator);
      Value sum;
      if (isa<FloatType>(accumulator))
        sum = arith::AddFOp::create(nested, loc, elements[1],
                                    arith::MulFOp::create(nested, loc, x, w));
      else
        sum = arith::AddIOp::create(nested, loc, elements[1],
                                    arith::MulIOp::create(nested, loc, x, w));
      linalg::YieldOp::create(nested, loc, sum);
    };
    return linalg::GenericOp::create(builder, loc, result.getType(), filter,
                                     result, maps, iterators, body)
        .getResult(0);
  }
};

/// graph.pool  ==>  linalg.generic over (batch, spatial..., kernel...,
/// channel). Averages are summed, in f32 if narrower, and then divided by the
/// number of elements, which the place of the window gives.
struct PoolToLinalg : OpRewritePattern<PoolOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(PoolOp op,
                                PatternRewriter &rewriter) const override {
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    bool isMax = op.getKind() == PoolKind::Max;
    if (!isMax && !isa<FloatType>(element))
      return rewriter.notifyMatchFailure(op, "expects floats to average");
    Type accumulator = element;
    if (!isMax && element.getIntOrFloatBitWidth() < 32)
      accumulator = rewriter.getF32Type();
    FailureOr<Value> destination = createDestination(rewriter, op, accumulator);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    TypedAttr neutral =
        isMax ? smallest(rewriter, element) : rewriter.getZeroAttr(accumulator);
    Value init = createFill(rewriter, loc, *destination, neutral);
    Value result = createLoops(rewriter, op, init, neutral);
    if (!isMax) {
      destination = createDestination(rewriter, op);
      if (failed(destination))
        return failure();
      result = createDivision(rewriter, op, result, *destination);
    }
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// -inf or the least signed integer.
  static TypedAttr smallest(Builder &builder, Type type) {
    if (auto floating = dyn_cast<FloatType>(type))
      return builder.getFloatAttr(
          type,
          APFloat::getInf(floating.getFloatSemantics(), /*Negative=*/true));
    return builder.getIntegerAttr(
        type, APInt::getSignedMinValue(type.getIntOrFloatBitWidth()));
  }

  static Window windowOf(PoolOp op) {
    return {op.getStrides(), op.getDilations(), op.getPadLow(),
            op.getPadHigh()};
  }

  static Value createLoops(OpBuilder &builder, PoolOp op, Value init,
                           TypedAttr neutral) {
    Location loc = op.getLoc();
    Window window = windowOf(op);
    int64_t spatial = window.rank(), kernel = spatial + 1;
    int64_t channel = kernel + spatial, loops = channel + 1;
    SmallVector<AffineExpr> windowDims, resultDims;
    for (int64_t i = 0; i <= spatial; ++i)
      resultDims.push_back(builder.getAffineDimExpr(i));
    resultDims.push_back(builder.getAffineDimExpr(channel));
    for (int64_t i = 0; i < spatial; ++i)
      windowDims.push_back(builder.getAffineDimExpr(kernel + i));
    AffineMap maps[] = {
        AffineMap::get(loops, 0, windowDims, builder.getContext()),
        AffineMap::get(loops, 0, resultDims, builder.getContext())};
    SmallVector<utils::IteratorType> iterators(loops,
                                               utils::IteratorType::parallel);
    for (int64_t i = kernel; i < channel; ++i)
      iterators[i] = utils::IteratorType::reduction;

    // An empty tensor of the window's shape gives the kernel loops their range;
    // nothing reads it.
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    Value shape =
        tensor::EmptyOp::create(builder, loc, op.getKernel(), element);
    SmallVector<Value> sizes =
        createSpatialSizes(builder, loc, op.getInput(), spatial);
    Type accumulator = neutral.getType();
    Value outside = arith::ConstantOp::create(
        builder, loc,
        accumulator == element ? neutral : builder.getZeroAttr(element));
    auto body = [&](OpBuilder &nested, Location loc, ValueRange elements) {
      SmallVector<Value> index = createIndices(nested, loc, loops);
      SmallVector<Value> read = {index[0]};
      for (int64_t i = 0; i < spatial; ++i)
        read.push_back(createPosition(nested, loc, window, i, index[i + 1],
                                      index[kernel + i]));
      read.push_back(index[channel]);
      Value x =
          window.isPadded(op.getCeilMode())
              ? createWindowRead(nested, loc, op.getInput(), read, sizes,
                                 outside)
              : tensor::ExtractOp::create(nested, loc, op.getInput(), read);
      x = widen(nested, loc, x, accumulator);
      Value joined;
      if (op.getKind() != PoolKind::Max)
        joined = arith::AddFOp::create(nested, loc, elements[1], x);
      else if (isa<FloatType>(accumulator))
        joined = arith::MaximumFOp::create(nested, loc, elements[1], x);
      else
        joined = arith::MaxSIOp::create(nested, loc, elements[1], x);
      linalg::YieldOp::create(nested, loc, joined);
    };
    return linalg::GenericOp::create(builder, loc, init.getType(), shape, init,
                                     maps, iterators, body)
        .getResult(0);
  }

  /// Number of kernel positions of spatial dimension `i` that count at
  /// `output`: those inside the input, or inside the padded input.
  static Value createCount(OpBuilder &builder, Location loc, PoolOp op,
                           int64_t i, Value output, Value size) {
    Window window = windowOf(op);
    bool withPadding = op.getKind() == PoolKind::AverageWithPadding;
    int64_t kernel = op.getKernel()[i], dilation = window.dilations[i];
    AffineExpr o = builder.getAffineDimExpr(0),
               n = builder.getAffineSymbolExpr(0);
    // Kernel position k lies at start + k * dilation, counted from the first
    // element that counts; there are `length` of them.
    AffineExpr start =
        o * window.strides[i] - (withPadding ? 0 : window.padLow[i]);
    AffineExpr length =
        withPadding ? n + window.padLow[i] + window.padHigh[i] : n;
    AffineExpr zero = builder.getAffineConstantExpr(0);
    auto first = AffineMap::get(1, 1, {(zero - start).ceilDiv(dilation), zero},
                                builder.getContext());
    auto end = AffineMap::get(1, 1,
                              {(length - start).ceilDiv(dilation),
                               builder.getAffineConstantExpr(kernel)},
                              builder.getContext());
    SmallVector<Value> operands = {output, size};
    Value from = affine::AffineMaxOp::create(builder, loc, first, operands);
    Value to = affine::AffineMinOp::create(builder, loc, end, operands);
    return arith::SubIOp::create(builder, loc, to, from);
  }

  static Value createDivision(OpBuilder &builder, PoolOp op, Value sum,
                              Value into) {
    Location loc = op.getLoc();
    auto type = cast<RankedTensorType>(into.getType());
    Type accumulator = cast<RankedTensorType>(sum.getType()).getElementType();
    int64_t spatial = op.getKernel().size();
    SmallVector<Value> sizes =
        createSpatialSizes(builder, loc, op.getInput(), spatial);
    SmallVector<AffineMap> maps(2,
                                builder.getMultiDimIdentityMap(type.getRank()));
    SmallVector<utils::IteratorType> iterators(type.getRank(),
                                               utils::IteratorType::parallel);
    auto body = [&](OpBuilder &nested, Location loc, ValueRange elements) {
      SmallVector<Value> index = createIndices(nested, loc, type.getRank());
      Value count;
      for (int64_t i = 0; i < spatial; ++i) {
        Value one = createCount(nested, loc, op, i, index[i + 1], sizes[i]);
        count = count ? arith::MulIOp::create(nested, loc, count, one) : one;
      }
      count =
          arith::IndexCastOp::create(nested, loc, nested.getI64Type(), count);
      count = arith::SIToFPOp::create(nested, loc, accumulator, count);
      Value mean = arith::DivFOp::create(nested, loc, elements.front(), count);
      if (accumulator != type.getElementType())
        mean =
            arith::TruncFOp::create(nested, loc, type.getElementType(), mean);
      linalg::YieldOp::create(nested, loc, mean);
    };
    return linalg::GenericOp::create(builder, loc, type, sum, into, maps,
                                     iterators, body)
        .getResult(0);
  }
};

} // namespace

void graph::populateWindowsToLinalg(RewritePatternSet &patterns) {
  patterns.add<ConvToLinalg, PoolToLinalg>(patterns.getContext());
}
