// Greedy rewriting that ends even where patterns turn in a circle.
#include "lib/Transforms/Graph/LimitedRewrites.h"

#include "dialects/Graph/IR/SizeKeepingFolds.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

/// Far above what a chain of operations needs.
static constexpr int64_t kRewritesPerOperation = 100;

void tessera::applyLimitedRewrites(func::FuncOp function,
                                   RewritePatternSet patterns, StringRef what) {
  int64_t operations = 0;
  function->walk([&](Operation *) { ++operations; });
  GreedyRewriteConfig config;
  graph::foldKeepingSizes(patterns, config);
  config.setMaxNumRewrites(kRewritesPerOperation * operations);
  if (failed(applyPatternsGreedily(function, std::move(patterns), config)))
    function.emitWarning(what + " were still moving after ")
        << kRewritesPerOperation * operations << " rewrites";
}
