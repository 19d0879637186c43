// Expresses graph operations on tensors as linalg and tensor operations.
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

namespace tessera::graph {
#define GEN_PASS_DEF_GRAPHTOLINALG
#include "dialects/Graph/Conversion/Passes.h.inc"
} // namespace tessera::graph

using namespace mlir;
using namespace tessera;

namespace {
struct GraphToLinalg : graph::impl::GraphToLinalgBase<GraphToLinalg> {
  void runOnOperation() override {
    ConversionTarget target(getContext());
    target.markUnknownOpDynamicallyLegal([](Operation *) { return true; });
    target.addIllegalOp<graph::BroadcastToOp, graph::ReshapeOp, graph::IotaOp,
                        graph::GatherOp, graph::ReverseOp, graph::ConvOp,
                        graph::PoolOp, graph::ArgReduceOp,
                        graph::GatherPointsOp, graph::ScatterPointsOp,
                        graph::TopIndicesOp, graph::CumulativeOp>();
    RewritePatternSet patterns(&getContext());
    graph::populateShapesToLinalg(patterns);
    graph::populateWindowsToLinalg(patterns);
    graph::populateReductionsToLinalg(patterns);
    graph::populatePointsToLinalg(patterns);
    graph::populateOrderToLoops(patterns);
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
