// Conversions of the attention dialect.
#ifndef TESSERA_ATTENTION_CONVERSION_PASSES
#define TESSERA_ATTENTION_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def AttentionToLinalg : Pass<"attention-to-linalg"> {
  let summary = "Express attention as products and a softmax in linalg";
  let description = [{
    The one generic way out of the dialect. The scores are a tensor of queries x
    keys in f32:

      attention.sdpa  ==>  product, scores with bias and masks, row maximum,
                           exponentials, row sum, quotients, product

    The generic route calls the same decomposition through linalg's
    AggregatedOpInterface.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect", "mlir::tensor::TensorDialect"];
}

#endif // TESSERA_ATTENTION_CONVERSION_PASSES
