// Broadcasts, reshapes, counters, gathers and reversals as linalg and tensor
// operations.
#include "dialects/Graph/Conversion/ElementLoops.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

/// How a dimension of a broadcast's source follows the result's index.
enum class Follows { Never, Always, UnlessOne };

/// graph.broadcast_to %x : tensor<1xNxf32> -> tensor<MxNxf32>
///   ==>  linalg.generic ins(%x: (d0, d1) -> (0, d1)) outs(tensor.empty)
/// Where it is unknown whether the source's size is 1, the body reads the
/// source at min(index, size - 1), which is the index or 0.
struct BroadcastToLinalg : OpRewritePattern<BroadcastToOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BroadcastToOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    SmallVector<Follows> follows = classify(op);
    Value result = llvm::is_contained(follows, Follows::UnlessOne)
                       ? readAtRunTime(op, *destination, follows, rewriter)
                       : readByMap(op, *destination, follows, rewriter);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static SmallVector<Follows> classify(BroadcastToOp op) {
    auto source = cast<RankedTensorType>(op.getSource().getType());
    auto result = cast<RankedTensorType>(op.getType());
    SizeAnalysis sizes(op.getContext());
    int64_t added = result.getRank() - source.getRank();
    SmallVector<Follows> follows;
    for (int64_t i = 0; i < source.getRank(); ++i) {
      if (!source.isDynamicDim(i))
        follows.push_back(source.getDimSize(i) == 1 ? Follows::Never
                                                    : Follows::Always);
      else if (sizes.areEqual(sizes.dimOf(op.getSource(), i),
                              sizes.dimOf(op.getResult(), i + added)))
        follows.push_back(Follows::Always);
      else
        follows.push_back(Follows::UnlessOne);
    }
    return follows;
  }

  static Value readByMap(BroadcastToOp op, Value destination,
                         ArrayRef<Follows> follows, OpBuilder &builder) {
    int64_t rank = cast<RankedTensorType>(op.getType()).getRank();
    int64_t added = rank - follows.size();
    SmallVector<AffineExpr> exprs;
    for (auto [i, follow] : llvm::enumerate(follows))
      exprs.push_back(follow == Follows::Never
                          ? builder.getAffineConstantExpr(0)
                          : builder.getAffineDimExpr(i + added));
    AffineMap maps[] = {AffineMap::get(rank, 0, exprs, builder.getContext()),
                        builder.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    return linalg::GenericOp::create(
               builder, op.getLoc(), op.getType(), op.getSource(), destination,
               maps, iterators,
               [](OpBuilder &nested, Location loc, ValueRange elements) {
                 linalg::YieldOp::create(nested, loc, elements.front());
               })
        .getResult(0);
  }

  static Value readAtRunTime(BroadcastToOp op, Value destination,
                             ArrayRef<Follows> follows, OpBuilder &builder) {
    Location loc = op.getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    SmallVector<Value> last;
    for (size_t i = 0; i < follows.size(); ++i)
      last.push_back(arith::SubIOp::create(
          builder, loc, createSize(builder, loc, op.getSource(), i), one));
    return createElementLoop(
        builder, loc, destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> indices) -> Value {
          SmallVector<Value> read(indices.take_back(follows.size()));
          for (auto [i, follow] : llvm::enumerate(follows)) {
            if (follow == Follows::Never)
              read[i] = zero;
            else if (follow == Follows::UnlessOne)
              read[i] = arith::MinSIOp::create(nested, loc, read[i], last[i]);
          }
          return tensor::ExtractOp::create(nested, loc, op.getSource(), read);
        });
  }
};

/// graph.reshape  ==>  tensor.collapse_shape to one dimension, then
/// tensor.expand_shape to the result. Both are views of dense storage.
struct ReshapeToTensor : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto result = cast<RankedTensorType>(op.getType());
    Value flat = flatten(rewriter, loc, op.getSource());
    int64_t count = result.hasStaticShape() ? result.getNumElements()
                                            : ShapedType::kDynamic;
    flat = castTo(rewriter, loc, flat, {count});
    if (result.getRank() == 1) {
      rewriter.replaceOp(op, castTo(rewriter, loc, flat, result.getShape()));
      return success();
    }
    if (result.getRank() == 0) {
      rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(
          op, result, flat, ArrayRef<ReassociationIndices>());
      return success();
    }
    SmallVector<ReassociationIndices> all = {
        llvm::to_vector<2>(llvm::seq<int64_t>(0, result.getRank()))};
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(
        op, result, flat, all,
        getMixedValues(result.getShape(), op.getSizes(), rewriter));
    return success();
  }

private:
  static Value castTo(OpBuilder &builder, Location loc, Value tensor,
                      ArrayRef<int64_t> shape) {
    auto type = cast<RankedTensorType>(tensor.getType());
    auto wanted = RankedTensorType::get(shape, type.getElementType());
    return type == wanted
               ? tensor
               : tensor::CastOp::create(builder, loc, wanted, tensor);
  }

  /// All elements as one dimension.
  static Value flatten(OpBuilder &builder, Location loc, Value tensor) {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (type.getRank() == 1)
      return tensor;
    int64_t count =
        type.hasStaticShape() ? type.getNumElements() : ShapedType::kDynamic;
    auto flat = RankedTensorType::get({count}, type.getElementType());
    if (type.getRank() == 0)
      return tensor::ExpandShapeOp::create(builder, loc, flat, tensor,
                                           ArrayRef<ReassociationIndices>());
    SmallVector<ReassociationIndices> all = {
        llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()))};
    return tensor::CollapseShapeOp::create(builder, loc, flat, tensor, all);
  }
};

/// graph.iota  ==>  linalg.generic { linalg.index, converted }
struct IotaToLinalg : OpRewritePattern<IotaOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(IotaOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Type element = cast<RankedTensorType>(op.getType()).getElementType();
    Type integer = isa<FloatType>(element) ? rewriter.getI64Type() : element;
    Value result = createElementLoop(
        rewriter, op.getLoc(), *destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> indices) -> Value {
          Value number = arith::IndexCastOp::create(nested, loc, integer,
                                                    indices[op.getDimension()]);
          if (isa<FloatType>(element))
            number = arith::SIToFPOp::create(nested, loc, element, number);
          return number;
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// graph.gather %data[%indices] axis a
///   ==>  linalg.generic ins(%indices) { tensor.extract %data[.., index, ..] }
struct GatherToLinalg : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    int64_t axis = op.getAxis();
    int64_t rank = cast<RankedTensorType>(op.getType()).getRank();
    int64_t indexRank =
        cast<RankedTensorType>(op.getIndices().getType()).getRank();
    Value size = createSize(rewriter, loc, op.getData(), axis);
    AffineMap maps[] = {AffineMap::getMultiDimIdentityMap(rank, op.getContext())
                            .getSliceMap(axis, indexRank),
                        rewriter.getMultiDimIdentityMap(rank)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    auto generic = linalg::GenericOp::create(
        rewriter, loc, op.getType(), op.getIndices(), *destination, maps,
        iterators, [&](OpBuilder &nested, Location loc, ValueRange elements) {
          SmallVector<Value> result = createIndices(nested, loc, rank);
          SmallVector<Value> read(result.begin(), result.begin() + axis);
          read.push_back(createIndex(nested, loc, elements.front(), size));
          read.append(result.begin() + axis + indexRank, result.end());
          linalg::YieldOp::create(nested, loc,
                                  createRead(nested, loc, op, read, size));
        });
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }

private:
  /// Counts a negative index from the end and clamps what is still outside.
  static Value createIndex(OpBuilder &builder, Location loc, Value element,
                           Value size) {
    Value index = arith::IndexCastOp::create(builder, loc,
                                             builder.getIndexType(), element);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value isNegative = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::slt, index, zero);
    Value wrapped = arith::AddIOp::create(builder, loc, index, size);
    index = arith::SelectOp::create(builder, loc, isNegative, wrapped, index);
    Value last = arith::SubIOp::create(builder, loc, size, one);
    index = arith::MinSIOp::create(builder, loc, index, last);
    return arith::MaxSIOp::create(builder, loc, index, zero);
  }

  /// The element, or zero where `data` may be empty and is.
  static Value createRead(OpBuilder &builder, Location loc, GatherOp op,
                          ArrayRef<Value> indices, Value size) {
    auto data = cast<RankedTensorType>(op.getData().getType());
    auto extract = [&](OpBuilder &nested, Location loc) -> Value {
      return tensor::ExtractOp::create(nested, loc, op.getData(), indices);
    };
    int64_t known = data.getDimSize(op.getAxis());
    if (!ShapedType::isDynamic(known) && known > 0)
      return extract(builder, loc);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value hasElements = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ne, size, zero);
    return scf::IfOp::create(
               builder, loc, hasElements,
               [&](OpBuilder &nested, Location loc) {
                 scf::YieldOp::create(nested, loc, extract(nested, loc));
               },
               [&](OpBuilder &nested, Location loc) {
                 Value nothing = arith::ConstantOp::create(
                     nested, loc, nested.getZeroAttr(data.getElementType()));
                 scf::YieldOp::create(nested, loc, nothing);
               })
        .getResult(0);
  }
};

/// graph.reverse %x [d]  ==>  linalg.generic { tensor.extract %x[.., size - 1 -
/// i, ..] }
struct ReverseToLinalg : OpRewritePattern<ReverseOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReverseOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
    SmallVector<Value> last;
    for (int64_t dimension : op.getDimensions())
      last.push_back(arith::SubIOp::create(
          rewriter, loc, createSize(rewriter, loc, op.getSource(), dimension),
          one));
    Value result = createElementLoop(
        rewriter, loc, *destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> indices) -> Value {
          SmallVector<Value> read(indices);
          for (auto [dimension, end] : llvm::zip(op.getDimensions(), last))
            read[dimension] =
                arith::SubIOp::create(nested, loc, end, indices[dimension]);
          return tensor::ExtractOp::create(nested, loc, op.getSource(), read);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

} // namespace

void graph::populateShapesToLinalg(RewritePatternSet &patterns) {
  patterns.add<BroadcastToLinalg, ReshapeToTensor, IotaToLinalg, GatherToLinalg,
               ReverseToLinalg>(patterns.getContext());
}
