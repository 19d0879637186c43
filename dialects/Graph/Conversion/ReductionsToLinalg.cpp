// Index of an extreme element as linalg.generic.
#include "dialects/Graph/Conversion/ElementLoops.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

/// Whether `candidate`, which comes later, replaces `best`.
static Value createIsBetter(OpBuilder &builder, Location loc, ArgReduceOp op,
                            Value candidate, Value best) {
  bool isMax = op.getKind() == Extremum::Max, last = op.getSelectLast();
  if (!isa<FloatType>(candidate.getType())) {
    using P = arith::CmpIPredicate;
    P predicate;
    if (op.getIsUnsigned())
      predicate = isMax ? (last ? P::uge : P::ugt) : (last ? P::ule : P::ult);
    else
      predicate = isMax ? (last ? P::sge : P::sgt) : (last ? P::sle : P::slt);
    return arith::CmpIOp::create(builder, loc, predicate, candidate, best);
  }
  using P = arith::CmpFPredicate;
  P predicate = isMax ? (last ? P::OGE : P::OGT) : (last ? P::OLE : P::OLT);
  Value beats = arith::CmpFOp::create(builder, loc, predicate, candidate, best);
  // A NaN beats every number, and an earlier NaN if the last one wins.
  Value isNan =
      arith::CmpFOp::create(builder, loc, P::UNO, candidate, candidate);
  if (!last) {
    Value bestIsNumber =
        arith::CmpFOp::create(builder, loc, P::ORD, best, best);
    isNan = arith::AndIOp::create(builder, loc, isNan, bestIsNumber);
  }
  return arith::OrIOp::create(builder, loc, beats, isNan);
}

namespace {

/// graph.arg_reduce  ==>  linalg.generic whose only result is the index of the
/// best element so far; the body reads that element again, so that no tensor of
/// best elements exists.
struct ArgReduceToLinalg : OpRewritePattern<ArgReduceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ArgReduceOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    Value source = op.getSource();
    int64_t rank = cast<RankedTensorType>(source.getType()).getRank();
    int64_t dimension = op.getDimension();
    Value zero =
        arith::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(0));
    Value init =
        linalg::FillOp::create(rewriter, loc, zero, *destination).getResult(0);
    AffineMap identity = rewriter.getMultiDimIdentityMap(rank);
    AffineMap maps[] = {identity, identity.dropResult(dimension)};
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    iterators[dimension] = utils::IteratorType::reduction;
    auto body = [&](OpBuilder &nested, Location loc, ValueRange elements) {
      SmallVector<Value> index = createIndices(nested, loc, rank);
      Value here = arith::IndexCastOp::create(nested, loc, nested.getI64Type(),
                                              index[dimension]);
      index[dimension] = arith::IndexCastOp::create(
          nested, loc, nested.getIndexType(), elements[1]);
      Value best = tensor::ExtractOp::create(nested, loc, source, index);
      Value isBetter = createIsBetter(nested, loc, op, elements[0], best);
      linalg::YieldOp::create(nested, loc,
                              ValueRange{arith::SelectOp::create(
                                  nested, loc, isBetter, here, elements[1])});
    };
    auto generic = linalg::GenericOp::create(
        rewriter, loc, op.getType(), source, init, maps, iterators, body);
    rewriter.replaceOp(op, generic.getResults());
    return success();
  }
};

} // namespace

void graph::populateReductionsToLinalg(RewritePatternSet &patterns) {
  patterns.add<ArgReduceToLinalg>(patterns.getContext());
}
