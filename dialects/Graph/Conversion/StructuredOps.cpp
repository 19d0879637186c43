// Turns tensor operations into structured ones; see the header.
#include "dialects/Graph/Conversion/StructuredOps.h"
#include "dialects/Graph/Conversion/ElementLoops.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace tessera;

namespace {

/// linalg.softmax  ==>  maximum, exponentials of differences, sum, quotients;
/// likewise whatever else can say its parts (attention).
struct DecomposeAggregated
    : OpInterfaceRewritePattern<linalg::AggregatedOpInterface> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::AggregatedOpInterface op,
                                PatternRewriter &rewriter) const override {
    FailureOr<SmallVector<Value>> parts = op.decomposeOperation(rewriter);
    if (failed(parts))
      return rewriter.notifyMatchFailure(op, "expects to be decomposable");
    rewriter.replaceOp(op, *parts);
    return success();
  }
};

/// linalg.unpack %p inner_dims_pos = [1] inner_tiles = [16]
///   ==>  linalg.generic { tensor.extract %p[.., j / 16, .., j % 16] }
struct UnpackToElements : OpRewritePattern<linalg::UnPackOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::UnPackOp op,
                                PatternRewriter &rewriter) const override {
    if (llvm::any_of(op.getStaticInnerTiles(), ShapedType::isDynamic))
      return rewriter.notifyMatchFailure(op, "expects static tiles");
    Value result = graph::createElementLoop(
        rewriter, op.getLoc(), op.getDest(),
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> indices) -> Value {
          SmallVector<Value> outer(indices), inner;
          for (auto [position, tile] :
               llvm::zip(op.getInnerDimsPos(), op.getStaticInnerTiles())) {
            Value index = indices[position];
            Value width = arith::ConstantIndexOp::create(nested, loc, tile);
            outer[position] = arith::DivUIOp::create(nested, loc, index, width);
            inner.push_back(arith::RemUIOp::create(nested, loc, index, width));
          }
          SmallVector<Value> read;
          if (op.getOuterDimsPerm().empty())
            read = outer;
          else
            for (int64_t dimension : op.getOuterDimsPerm())
              read.push_back(outer[dimension]);
          read.append(inner);
          return tensor::ExtractOp::create(nested, loc, op.getSource(), read);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Booleans that are read from bytes stay bytes until an element is read, which a
/// body does by tensor.extract:
///
///   graph.gather (arith.trunci %bytes)[..]  ==>  arith.trunci (graph.gather %bytes[..])
struct NarrowAfterMoving : RewritePattern {
  NarrowAfterMoving(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    // A destination would have to be narrowed too.
    if (!movementOf(op) || isa<DestinationStyleOpInterface>(op))
      return rewriter.notifyMatchFailure(op, "expects a view or gather");
    auto narrow = op->getOperand(0).getDefiningOp<arith::TruncIOp>();
    if (!narrow || !getElementTypeOrSelf(narrow.getType()).isInteger(1))
      return rewriter.notifyMatchFailure(op, "expects booleans from integers");
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Operation *moved = rewriter.clone(*op);
    moved->setOperand(0, narrow.getIn());
    moved->getResult(0).setType(
        type.clone(getElementTypeOrSelf(narrow.getIn().getType())));
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, type, moved->getResult(0));
    return success();
  }
};

/// The integers that `value` has booleans of; null where it has none.
static Value bytesOf(Value value) {
  auto narrow = value.getDefiningOp<arith::TruncIOp>();
  return narrow && getElementTypeOrSelf(value.getType()).isInteger(1)
             ? narrow.getIn()
             : Value();
}

/// tensor.concat (arith.trunci %a), (arith.trunci %b)
///   ==>  arith.trunci (tensor.concat %a, %b)
struct NarrowAfterJoining : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> parts = llvm::map_to_vector(op.getInputs(), bytesOf);
    Type byte = rewriter.getI8Type();
    if (!llvm::all_of(parts, [&](Value part) {
          return part && getElementTypeOrSelf(part.getType()) == byte;
        }))
      return rewriter.notifyMatchFailure(op, "expects booleans from bytes");
    Value joined = tensor::ConcatOp::create(rewriter, op.getLoc(),
                                            op.getResultType().clone(byte),
                                            op.getDim(), parts);
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, op.getResultType(), joined);
    return success();
  }
};

/// tensor.pad (arith.trunci %x) with %c
///   ==>  arith.trunci (tensor.pad %x with (arith.extui %c))
struct NarrowAfterPadding : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    Value bytes = bytesOf(op.getSource());
    if (!bytes)
      return rewriter.notifyMatchFailure(op, "expects booleans from integers");
    Type type = getElementTypeOrSelf(bytes.getType());
    auto padded = cast<tensor::PadOp>(rewriter.clone(*op));
    padded.getSourceMutable().assign(bytes);
    padded.getResult().setType(op.getResultType().clone(type));
    Operation *yield = padded.getBody()->getTerminator();
    OpBuilder inside(yield);
    yield->setOperand(0, arith::ExtUIOp::create(inside, op.getLoc(), type,
                                                yield->getOperand(0)));
    rewriter.replaceOpWithNewOp<arith::TruncIOp>(op, op.getResultType(),
                                                 padded.getResult());
    return success();
  }
};

} // namespace

/// Whether the body only finds and reads elements.
static bool onlyMovesElements(linalg::GenericOp op) {
  return op.getNumReductionLoops() == 0 &&
         llvm::all_of(op.getBody()->getOperations(), [](Operation &inner) {
           return isa<linalg::YieldOp, linalg::IndexOp, tensor::ExtractOp,
                      affine::AffineApplyOp, arith::ConstantOp>(inner) ||
                  llvm::all_of(inner.getResultTypes(),
                               llvm::IsaPred<IndexType>);
         });
}

/// Whether the producer of `operand` moves into its consumer.
static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
    return false;
  if (onlyMovesElements(producer))
    return true;
  bool readsOnce = consumer.getMatchingIndexingMap(operand).getNumResults() ==
                   consumer.getNumLoops();
  return readsOnce && producer->hasOneUse();
}

namespace {
/// An element of what only moves elements is read where it comes from, so that a
/// gather needs no copy of a transposed or unpacked table:
///
///   tensor.extract (linalg.generic { tensor.extract %p[f(i, j)] })[%a, %b]
///     ==>  tensor.extract %p[f(%a, %b)]
struct ExtractFromOrigin : OpRewritePattern<tensor::ExtractOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractOp op,
                                PatternRewriter &rewriter) const override {
    auto moved = op.getTensor().getDefiningOp<linalg::GenericOp>();
    if (!moved || moved->getNumResults() != 1 || !onlyMovesElements(moved))
      return rewriter.notifyMatchFailure(op, "expects moved elements");
    OpOperand *init = moved.getDpsInitOperand(0);
    if (!moved.getMatchingIndexingMap(init).isIdentity() ||
        !moved.getMatchingBlockArgument(init).use_empty())
      return rewriter.notifyMatchFailure(op, "expects loops over the result");
    IRMapping mapping;
    for (OpOperand *input : moved.getDpsInputOperands())
      mapping.map(moved.getMatchingBlockArgument(input),
                  elementOf(rewriter, moved, *input, op));
    for (Operation &inner : moved.getBody()->without_terminator())
      if (auto index = dyn_cast<linalg::IndexOp>(inner))
        mapping.map(index.getResult(), op.getIndices()[index.getDim()]);
      else
        rewriter.clone(inner, mapping);
    rewriter.replaceOp(op, mapping.lookupOrDefault(
                               moved.getBody()->getTerminator()->getOperand(0)));
    return success();
  }

private:
  /// The element of `input` that belongs to the one which `op` extracts.
  static Value elementOf(OpBuilder &builder, linalg::GenericOp moved,
                         OpOperand &input, tensor::ExtractOp op) {
    if (!isa<RankedTensorType>(input.get().getType()))
      return input.get();
    AffineMap map = moved.getMatchingIndexingMap(&input);
    SmallVector<OpFoldResult> at = affine::makeComposedFoldedMultiResultAffineApply(
        builder, op.getLoc(), map, getAsOpFoldResult(op.getIndices()));
    return tensor::ExtractOp::create(
        builder, op.getLoc(), input.get(),
        getValueOrCreateConstantIndexOp(builder, op.getLoc(), at));
  }
};
} // namespace

static void addCanonicalization(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  for (StringRef name : {"arith", "linalg", "tensor", "affine", "scf"}) {
    if (Dialect *dialect = context->getLoadedDialect(name))
      dialect->getCanonicalizationPatterns(patterns);
    for (RegisteredOperationName op :
         context->getRegisteredOperationsByDialect(name))
      op.getCanonicalizationPatterns(patterns, context);
  }
}

static LogicalResult applyFusion(Operation *root,
                                 const linalg::ControlFusionFn &shouldFuse) {
  RewritePatternSet patterns(root->getContext());
  linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
  // Sizes of results become sizes of operands, so that they are no uses.
  memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
  memref::populateResolveShapedTypeResultDimsPatterns(patterns);
  patterns.add<ExtractFromOrigin>(root->getContext());
  addCanonicalization(patterns);
  return applyPatternsGreedily(root, std::move(patterns));
}

LogicalResult graph::convertToStructuredOps(Operation *root) {
  MLIRContext *context = root->getContext();
  RewritePatternSet narrowing(context);
  narrowing.add<NarrowAfterMoving, NarrowAfterJoining, NarrowAfterPadding>(
      context);
  if (failed(applyPatternsGreedily(root, std::move(narrowing))))
    return root->emitError("does not come to an end when moving conversions");
  RewritePatternSet conversions(context);
  populateShapesToLinalg(conversions);
  populateWindowsToLinalg(conversions);
  populateReductionsToLinalg(conversions);
  populatePointsToLinalg(conversions);
  populateOrderToLoops(conversions);
  linalg::populateElementwiseToLinalgConversionPatterns(conversions);
  linalg::populateDecomposePadPatterns(conversions);
  tensor::populateDecomposeTensorConcatPatterns(conversions);
  conversions.add<DecomposeAggregated, UnpackToElements>(context);
  if (failed(applyPatternsGreedily(root, std::move(conversions))))
    return root->emitError("does not come to an end when converted to linalg");

  SmallVector<linalg::LinalgOp> named;
  root->walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp, linalg::FillOp>(op))
      named.push_back(op);
  });
  IRRewriter rewriter(context);
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return op.emitError("has no form as linalg.generic");
  }

  // An elementwise operation that was converted has an operand as destination;
  // only when that is gone is its producer seen to have one use.
  auto never = [](OpOperand *) { return false; };
  if (failed(applyFusion(root, never)) || failed(applyFusion(root, shouldFuse)))
    return root->emitError("does not come to an end when fused");
  DominanceInfo dominance(root);
  eliminateCommonSubExpressions(rewriter, dominance, root);
  return success();
}
