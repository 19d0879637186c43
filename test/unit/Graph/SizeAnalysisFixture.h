// A size analysis, and the expressions of sizes that are given as text.
#ifndef TESSERA_TEST_UNIT_GRAPH_SIZEANALYSISFIXTURE_H
#define TESSERA_TEST_UNIT_GRAPH_SIZEANALYSISFIXTURE_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

namespace tessera {

/// A function of index values over @batch in [0, inf) and @seq in [0, 512]; its
/// results are what a test asks about.
class SizeAnalysisTest : public ::testing::Test {
protected:
  SizeAnalysisTest() : sizes(&context) {
    context.loadDialect<graph::GraphDialect, mlir::arith::ArithDialect, mlir::func::FuncDialect,
                        mlir::tensor::TensorDialect>();
  }

  /// The expressions of what `body` returns.
  llvm::SmallVector<mlir::AffineExpr> expressionsOf(llvm::StringRef body, unsigned count) {
    std::string text =
        "graph.symbol @batch min 0 typical 1 max 9223372036854775807\n"
        "graph.symbol @seq min 0 typical 128 max 512\n"
        "func.func @f(%x: tensor<?xf32>, %any: index) -> (";
    for (unsigned i = 0; i < count; ++i)
      text += i ? ", index" : "index";
    text += ") {\n  %batch = graph.size @batch\n  %seq = graph.size @seq\n"
            "  %c0 = arith.constant 0 : index\n  %c1 = arith.constant 1 : index\n"
            "  %c256 = arith.constant 256 : index\n"
            "  %c512 = arith.constant 512 : index\n" +
            body.str() + "\n}\n";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    llvm::SmallVector<mlir::AffineExpr> expressions;
    if (!module)
      return expressions;
    module->walk([&](mlir::func::ReturnOp end) {
      for (mlir::Value value : end.getOperands())
        expressions.push_back(sizes.sizeOf(value));
    });
    return expressions;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  graph::SizeAnalysis sizes;
};

} // namespace tessera

#endif // TESSERA_TEST_UNIT_GRAPH_SIZEANALYSISFIXTURE_H
