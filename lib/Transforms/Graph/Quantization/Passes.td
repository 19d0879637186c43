// Passes on quantized tensors in the graph state, before any fold.
include "mlir/Pass/PassBase.td"

def FoldParameters : Pass<"quantization-fold-parameters", "mlir::ModuleOp"> {
  let summary = "Make scales and zero points the constants that they are";
  let description = [{
    Exporters put parameters behind casts, reshapes and arithmetic, and give every
    column of a weight its zero point of 0:

      %s = tensor.expand_shape (…) %constant
      quantization.dequantize %w scale %s zero dense<0> as i8 axis 1
        ==>  quantization.dequantize %w scale dense<[…]> as i8 axis 1

    Zero points that are 0 go away; a vector of equal numbers becomes one for the whole
    tensor, which more operations may move through.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def RaiseArithmetic : Pass<"quantization-raise-arithmetic", "mlir::func::FuncOp"> {
  let summary = "Make quantization that was taken apart whole again";
  let description = [{
    Some exporters spell quantization as arithmetic:

      (arith.sitofp %q - zero) * scale
        ==>  quantization.dequantize %q scale zero
      arith.trunci (arith.fptosi (clamp(math.roundeven(%x / scale) + zero)))
        ==>  quantization.quantize %x scale zero

    where the limits are those of a byte, and differences are made in i32 or f32. The
    same arithmetic: a product with a reciprocal stays one, in front of a quantization
    with the scale 1. NaN, which such a cast leaves open, gives the least number.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect",
                           "tessera::quantization::QuantizationDialect"];
}

def MoveThrough : Pass<"quantization-move-through", "mlir::func::FuncOp"> {
  let summary = "Move dequantization down and quantization up through movement";
  let description = [{
    What moves elements moves bytes instead of floats, and products find what their
    operands are made of:

      %t = linalg.transpose (dequantize %q)   ==>   %t = dequantize (linalg.transpose %q)
      %q = quantize (linalg.transpose %x)     ==>   %q = linalg.transpose (quantize %x)

    Transposes, reshapes, slices, reversals, padding with 0, which becomes the zero point,
    and joins: of equal parameters as one, or each part quantized by itself. A scale for
    each index of an axis goes with the axis where that stays whole. Leaves scales of
    blocks alone, and quantization of what others read, too.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect",
                           "tessera::quantization::QuantizationDialect"];
}

def Cancel : Pass<"quantization-cancel", "mlir::func::FuncOp"> {
  let summary = "Remove quantization of what was dequantized alike";
  let description = [{
    Where movement was quantized on both sides, nothing is left between:

      quantize (dequantize %q scale %s zero %z) scale %s zero %z   ==>   %q

    Exact for scales that are known and not extreme: the product and the quotient of a
    difference of 17 bits round to it. Leaves other parameters alone.
  }];
}

def RaiseContractions : Pass<"quantization-raise-contractions", "mlir::ModuleOp"> {
  let summary = "Make products of dequantized numbers integer products";
  let description = [{
    The scales of both operands are factors of the sum:

      linalg.matmul (dequantize %a scale %sa zero %za), (dequantize %b scale %sb)
        ==>  %i = quantization.matmul %a zero %za, %b
             arith.mulf (arith.sitofp %i), (%sa * %sb)

    So with `linalg.contract` and `graph.conv`, whatever reads the product: what follows
    stays in f32 and becomes the kernel's epilogue. A scale may be one for each row of
    the left operand and each column of the right one. A bias that is i32 of the
    product's own scale, to a millionth, joins the sum; any other stays a float. Products
    of queries and keys are left to attention where the probabilities are not quantized.

    Missed remarks of the category `quantization` say why a product of a quantized model
    stays in float, and the last one how many do.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect",
                           "tessera::quantization::QuantizationDialect"];
}

def FoldScales : Pass<"quantization-fold-scales", "mlir::func::FuncOp"> {
  let summary = "Requantize by one multiplication";
  let description = [{
    Between the sums of an integer product and their quantization stand a product with
    one scale and a quotient by another, with nothing or a limit at 0 between:

      quantize (arith.mulf (arith.sitofp %i), %m) scale %s
        ==>  quantize (arith.mulf (arith.sitofp %i), %m / %s) scale 1

    Each step is rounded to f32, as other runtimes do. Leaves alone what others read, too.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "tessera::graph::GraphDialect",
                           "tessera::quantization::QuantizationDialect"];
}

def ChooseSigns : Pass<"quantization-choose-signs", "mlir::func::FuncOp"> {
  let summary = "Quantize to the signs that products of bytes read";
  let description = [{
    Multiply-accumulates take bytes without a sign on the left and with one on the right.
    Where other bytes are made for products on one side only, they are made so, which moves
    the zero point by 128 and spares each product the change:

      %q = quantize %x scale %s as i8                 %q = quantize %x scale %s zero 128 as u8
      quantization.conv %q as i8, %w as i8      ==>   quantization.conv %q as u8 zero 128, %w as i8

    Through movement, and with all that dequantizes them. Leaves bytes alone that anything
    else reads, as who calls the model does, and that products have on both sides.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}
