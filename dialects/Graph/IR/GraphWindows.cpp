// Verifiers and result sizes of convolution and pooling.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/WindowSizes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

/// Elements from the first to the last of one window, both included.
static int64_t reachOf(const WindowSteps &window) {
  return window.dilation * (window.kernel - 1) + 1;
}

int64_t graph::windowOutputSize(int64_t size, const WindowSteps &window) {
  int64_t room = size + window.padLow + window.padHigh - reachOf(window);
  if (!window.ceilMode)
    return room < 0 ? 0 : room / window.stride + 1;
  // Rounded up, a window may be larger than all that there is.
  int64_t count =
      std::max<int64_t>(llvm::divideCeilSigned(room, window.stride) + 1, 0);
  return (count - 1) * window.stride >= size + window.padLow ? count - 1
                                                             : count;
}

AffineExpr graph::windowOutputSize(AffineExpr size, const WindowSteps &window) {
  int64_t reach = reachOf(window);
  if (!window.ceilMode)
    return (size + (window.padLow + window.padHigh - reach))
               .floorDiv(window.stride) +
           1;
  // Of the windows that begin before the high padding, those that fit once it
  // is rounded up: the smaller number, which the constants decide.
  int64_t beyond = std::min<int64_t>(window.padHigh - reach + window.stride, 0);
  return (size + (window.padLow + beyond)).ceilDiv(window.stride);
}

static WindowSteps stepsOf(ConvOp conv, int64_t i) {
  auto filter = cast<RankedTensorType>(conv.getFilter().getType());
  return {filter.getDimSize(i),     conv.getStrides()[i],
          conv.getDilations()[i],   conv.getPadLow()[i],
          conv.getPadHigh()[i],     /*ceilMode=*/false};
}

static WindowSteps stepsOf(PoolOp pool, int64_t i) {
  return {pool.getKernel()[i], pool.getStrides()[i], pool.getDilations()[i],
          pool.getPadLow()[i], pool.getPadHigh()[i], pool.getCeilMode()};
}

/// Checks that each array has one entry per spatial dimension and that those
/// of `positive` are positive and those of `pads` not negative.
static LogicalResult verifyWindow(Operation *op, int64_t spatialRank,
                                  ArrayRef<ArrayRef<int64_t>> positive,
                                  ArrayRef<ArrayRef<int64_t>> pads) {
  auto check = [&](ArrayRef<int64_t> values, int64_t least) -> LogicalResult {
    if (static_cast<int64_t>(values.size()) != spatialRank)
      return op->emitOpError("C2: expects ")
             << spatialRank << " window entries, but got " << values.size();
    for (int64_t value : values)
      if (value < least)
        return op->emitOpError("C2: expects window entries of at least ")
               << least << ", but got " << value;
    return success();
  };
  for (ArrayRef<int64_t> values : positive)
    if (failed(check(values, 1)))
      return failure();
  for (ArrayRef<int64_t> values : pads)
    if (failed(check(values, 0)))
      return failure();
  return success();
}

/// The size of spatial dimension `axis` (of the tensor) as a folded value.
static OpFoldResult reifyWindow(OpBuilder &builder, Location loc,
                                OpFoldResult size, const WindowSteps &window) {
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return builder.getIndexAttr(windowOutputSize(*known, window));
  AffineExpr symbol = builder.getAffineSymbolExpr(0);
  AffineExpr count = windowOutputSize(symbol, window);
  return affine::makeComposedFoldedAffineApply(builder, loc, count, {size});
}

//===----------------------------------------------------------------------===//
// Convolution
//===----------------------------------------------------------------------===//

LogicalResult ConvOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto filter = cast<RankedTensorType>(getFilter().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t rank = input.getRank();
  if (rank < 3 || filter.getRank() != rank || result.getRank() != rank)
    return emitOpError("C1: expects operands and result of one rank, at least "
                       "3, but got ")
           << rank << ", " << filter.getRank() << " and " << result.getRank();
  if (failed(verifyWindow(*this, rank - 2, {getStrides(), getDilations()},
                          {getPadLow(), getPadHigh()})))
    return failure();
  int64_t groups = getGroups();
  int64_t channels = input.getShape().back();
  int64_t outputs = filter.getShape().back();
  int64_t perGroup = filter.getDimSize(rank - 2);
  if (groups < 1 || ShapedType::isDynamic(channels) ||
      ShapedType::isDynamic(outputs) || channels % groups ||
      outputs % groups || perGroup != channels / groups ||
      result.getShape().back() != outputs)
    return emitOpError("C3: expects channels divisible by ")
           << groups << " groups and a filter for them, but got " << input
           << " and " << filter;
  for (int64_t i = 1; i < rank - 1; ++i) {
    int64_t size = input.getDimSize(i), kernel = filter.getDimSize(i - 1);
    int64_t got = result.getDimSize(i);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(kernel) ||
        ShapedType::isDynamic(got))
      continue;
    int64_t expected = windowOutputSize(size, stepsOf(*this, i - 1));
    if (expected != got)
      return emitOpError("C4: expects size ")
             << expected << " in dimension " << i << ", but got " << got;
  }
  if (getUnsignedInput() && !input.getElementType().isInteger(8))
    return emitOpError("C5: expects an unsigned input of i8, but got ") << input;
  return success();
}

LogicalResult ConvOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getInput());
  auto filter = cast<RankedTensorType>(getFilter().getType());
  for (size_t i = 1; i + 1 < sizes.size(); ++i) {
    if (filter.isDynamicDim(i - 1))
      return emitOpError("has a filter of unknown size");
    sizes[i] =
        reifyWindow(builder, getLoc(), sizes[i], stepsOf(*this, i - 1));
  }
  sizes.back() = builder.getIndexAttr(filter.getShape().back());
  shapes = {sizes};
  return success();
}

//===----------------------------------------------------------------------===//
// Pooling
//===----------------------------------------------------------------------===//

LogicalResult PoolOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t rank = input.getRank();
  if (rank < 3 || result.getRank() != rank)
    return emitOpError("C1: expects an input and result of one rank, at least "
                       "3, but got ")
           << rank << " and " << result.getRank();
  if (failed(verifyWindow(*this, rank - 2,
                          {getKernel(), getStrides(), getDilations()},
                          {getPadLow(), getPadHigh()})))
    return failure();
  for (int64_t i = 0; i < rank; ++i) {
    int64_t size = input.getDimSize(i), got = result.getDimSize(i);
    if (ShapedType::isDynamic(size) || ShapedType::isDynamic(got))
      continue;
    int64_t expected = size;
    if (i > 0 && i < rank - 1)
      expected = windowOutputSize(size, stepsOf(*this, i - 1));
    if (expected != got)
      return emitOpError("C3: expects size ")
             << expected << " in dimension " << i << ", but got " << got;
  }
  return success();
}

LogicalResult PoolOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getInput());
  for (size_t i = 1; i + 1 < sizes.size(); ++i)
    sizes[i] =
        reifyWindow(builder, getLoc(), sizes[i], stepsOf(*this, i - 1));
  shapes = {sizes};
  return success();
}
