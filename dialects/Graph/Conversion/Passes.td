// Conversions of the graph dialect.
#ifndef TESSERA_GRAPH_CONVERSION_PASSES
#define TESSERA_GRAPH_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def GraphToLinalg : Pass<"graph-to-linalg"> {
  let summary = "Express graph operations on tensors as linalg and tensor operations";
  let description = [{
    The one generic way out of the dialect, for any sizes, zero included. What
    reads an operand at computed places does so by `tensor.extract` in the body of
    a `linalg.generic`, so that no padded or broadcast copy of it exists:

      graph.reverse %x [0]  ==>  linalg.generic { tensor.extract %x[%size - 1 - %i] }

    Leaves sizes, weights and assertions: they have no tensor form.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect", "mlir::scf::SCFDialect",
                           "mlir::tensor::TensorDialect"];
}

#endif // TESSERA_GRAPH_CONVERSION_PASSES
