// Conversions of the quantization dialect.
#ifndef TESSERA_QUANTIZATION_CONVERSION_PASSES
#define TESSERA_QUANTIZATION_CONVERSION_PASSES

include "mlir/Pass/PassBase.td"

def QuantizationToArith : Pass<"quantization-to-arith"> {
  let summary = "Express quantized tensors as arithmetic and products of bytes";
  let description = [{
    The one generic way out of the dialect, at the end of the passes that raise to it.
    Elements become operations of arith and math, which fuse with what is around them;
    products those of a left operand without a sign and a right one with one, which is
    what contraction builders take. Other signs are an xor of the sign bit, zero points
    are taken out of the sum, where constant ones join the bias:

      quantization.matmul %a as i8 zero %za, %b as i8
        ==>  linalg.generic sums of extui (%a ^ 0x80) * extsi %b,
             less (%za + 128) * (sums of %b's columns)

    Convolutions of one channel a group, which have no products of bytes, are f32 ones
    where all sums are exact in f32. What follows from weights alone becomes theirs in
    `graph-fold-weight-arithmetic`.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect", "mlir::math::MathDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect",
                           "tessera::quantization::QuantizationDialect"];
}

#endif // TESSERA_QUANTIZATION_CONVERSION_PASSES
