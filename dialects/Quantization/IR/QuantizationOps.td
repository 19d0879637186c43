// The quantization dialect: numbers that stand for others, with explicit scales and
// zero points. See dialects/Quantization/README.md.
#ifndef TESSERA_QUANTIZATION_OPS
#define TESSERA_QUANTIZATION_OPS

include "dialects/Interfaces/DimensionSource.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Quantization_Dialect : Dialect {
  let name = "quantization";
  let cppNamespace = "::tessera::quantization";
  let summary = "Quantized tensors and their products, in the graph state";
  let description = [{
    Quantizing, dequantizing and sums of products of quantized numbers, whole until
    passes have found the integer products of a model. Scales and zero points are
    operands, never types: layers that differ only in these stay one kernel. Storage
    has no sign; a `format` says what its bits mean. `quantization-to-arith` is the
    way out at the end of these passes: no kernel sees the dialect.
  }];
  let useDefaultAttributePrinterParser = 1;
}

class Quantization_Op<string mnemonic, list<Trait> traits = []>
    : Op<Quantization_Dialect, mnemonic, !listconcat([Pure,
          DeclareOpInterfaceMethods<DimensionSourceOpInterface>], traits)> {
  let hasVerifier = 1;
}

def Quantization_Format : I32EnumAttr<"Format", "What the bits of stored elements mean", [
    I32EnumAttrCase<"I2", 0, "i2">, I32EnumAttrCase<"U2", 1, "u2">,
    I32EnumAttrCase<"I4", 2, "i4">, I32EnumAttrCase<"U4", 3, "u4">,
    I32EnumAttrCase<"I8", 4, "i8">, I32EnumAttrCase<"U8", 5, "u8">,
    I32EnumAttrCase<"I16", 6, "i16">, I32EnumAttrCase<"U16", 7, "u16">,
    I32EnumAttrCase<"I32", 8, "i32">,
    I32EnumAttrCase<"E4M3FN", 9, "e4m3fn">, I32EnumAttrCase<"E4M3FNUZ", 10, "e4m3fnuz">,
    I32EnumAttrCase<"E5M2", 11, "e5m2">, I32EnumAttrCase<"E5M2FNUZ", 12, "e5m2fnuz">,
    I32EnumAttrCase<"E2M1", 13, "e2m1">, I32EnumAttrCase<"E8M0", 14, "e8m0">]> {
  let cppNamespace = "::tessera::quantization";
  let genSpecializedAttr = 0;
}
def Quantization_FormatAttr : EnumAttr<Quantization_Dialect, Quantization_Format, "format">;

def Quantization_Part : I32EnumAttr<"Part", "What one scale is for", [
    I32EnumAttrCase<"Tensor", 0, "tensor">, I32EnumAttrCase<"Row", 1, "row">,
    I32EnumAttrCase<"Block", 2, "block">]> {
  let cppNamespace = "::tessera::quantization";
  let genSpecializedAttr = 0;
}
def Quantization_PartAttr : EnumAttr<Quantization_Dialect, Quantization_Part, "part">;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

def Quantization_QuantizeOp : Quantization_Op<"quantize"> {
  let summary = "Floats as numbers of a narrow format";
  let description = [{
    result = saturate(round(source / scale) + zero), half to even; a true division in
    f32, and NaN gives the least number. To float formats source / scale + zero is
    rounded once; `saturate = false` makes what is too large infinity or NaN there.
    The scale and zero point are of the whole tensor (no dimensions), of each index
    along `axis` (a vector), or of each `block` elements along it (the source's rank).

    Storage is the smallest of i8, i16 and i32 that holds the format. Bits above a
    format of 2 or 4 bits do not matter to readers.

    Q1: the storage type is that of the format, which has at most 16 bits. Q2: the scale
    is f32 and the zero point
    has its shape. Q3: the scale is a scalar, a vector of the axis's size, or has the
    source's rank and its sizes but ceil(size / block) on the axis. Q4: a scale that is
    no scalar has an `axis` below the rank, and a `block` is positive and has one, too.
    Q5: the zero point has the storage type. Q6: the source has f32 or i32 elements and
    the result's shape.

    ```mlir
    %q = quantization.quantize %x scale %s zero %z as u8
      : tensor<?x64xf32>, tensor<f32> zero tensor<i8> -> tensor<?x64xi8>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$scale,
                       Optional<AnyRankedTensor>:$zero, Quantization_FormatAttr:$format,
                       OptionalAttr<I64Attr>:$axis, OptionalAttr<I64Attr>:$block,
                       DefaultValuedAttr<BoolAttr, "true">:$saturate);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `scale` $scale (`zero` $zero^)? `as` $format (`axis` $axis^)? (`block` $block^)?
    attr-dict `:` type($source) `,` type($scale) (`zero` type($zero)^)? `->` type($result)
  }];
}

def Quantization_DequantizeOp : Quantization_Op<"dequantize", [AttrSizedOperandSegments]> {
  let summary = "The floats that quantized numbers stand for";
  let description = [{
    result = f32(source - zero) * scale: the difference is exact, in i32, and there is
    one rounding. A zero point may be f32, as some quantizers of weights give it: then
    the difference is one of floats. Scales and zero points are as those of `quantize`;
    with `groups`, index k along `axis` has the scale of group `groups`[k] (act-order).

    Q1 to Q4 as of `quantize`, for the source. Q5: the zero point has the storage type
    or f32. Q6: the result is f32 and has the source's shape. Q12: `groups` is a vector
    of i32 or i64 of the axis's size, the scale has the source's rank, and there is no
    `block`.

    ```mlir
    %y = quantization.dequantize %w scale %s as i8 axis 1
      : tensor<64x32xi8>, tensor<32xf32> -> tensor<64x32xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$scale,
                       Optional<AnyRankedTensor>:$zero, Optional<AnyRankedTensor>:$groups,
                       Quantization_FormatAttr:$format,
                       OptionalAttr<I64Attr>:$axis, OptionalAttr<I64Attr>:$block);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `scale` $scale (`zero` $zero^)? (`groups` $groups^)? `as` $format
    (`axis` $axis^)? (`block` $block^)? attr-dict
    `:` type($source) `,` type($scale) (`zero` type($zero)^)? (`groups` type($groups)^)?
    `->` type($result)
  }];
}

def Quantization_RangeOp : Quantization_Op<"range"> {
  let summary = "Scale and zero point for the numbers that are there";
  let description = [{
    Of the least and the largest number of the tensor, or of each row or `block`
    elements along the last dimension, both widened to 0:

      scale = (largest - least) / (steps of the format), or 1 if that is 0
      zero = saturate(round(lowest number of the format - least / scale))

    `symmetric`: scale = max(|least|, |largest|) / largest number of the format, or 1,
    and zero is 0. Exact however the tensor is cut. Both results have no dimensions for
    the tensor; else the source's with 1, or ceil(size / block), as the last.

    Q1: zero has the storage type. Q2: source and scale are f32. Q4: `block` is positive
    and comes with `block` parts only. Q8: the format is one of integers of at most 8
    bits. Q11: the results have the shapes above.

    ```mlir
    %s, %z = quantization.range %x per tensor as u8
      : tensor<?x64xf32> -> tensor<f32>, tensor<i8>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, Quantization_PartAttr:$part,
                       UnitAttr:$symmetric, Quantization_FormatAttr:$format,
                       OptionalAttr<I64Attr>:$block);
  let extraClassDeclaration = [{
    /// DimensionSourceOpInterface: there are as many blocks as hold the source.
    ::mlir::AffineExpr getDimension(
        unsigned result, int64_t dimension,
        ::llvm::function_ref<::mlir::AffineExpr(::mlir::Value, int64_t)> dimOf);
  }];
  let results = (outs AnyRankedTensor:$scale, AnyRankedTensor:$zero);
  let assemblyFormat = [{
    $source `per` $part (`of` $block^)? (`symmetric` $symmetric^)? `as` $format attr-dict
    `:` type($source) `->` type($scale) `,` type($zero)
  }];
}

def Quantization_LookupOp : Quantization_Op<"lookup"> {
  let summary = "For each byte its entry in a table of 256";
  let description = [{
    result = table[source], the source's bits being a number from 0 to 255. It is what
    any elementwise chain between two quantized tensors of 8 bits computes.

    Q1: the source has i8 elements. Q10: the table is a vector of 256 elements of the
    result's type, and the result has the source's shape.

    ```mlir
    %y = quantization.lookup %q, %table : tensor<?x64xi8>, tensor<256xi8> -> tensor<?x64xi8>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $source `,` $table attr-dict `:` type($source) `,` type($table) `->` type($result)
  }];
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

def Quantization_MatmulOp : Quantization_Op<"matmul", [AttrSizedOperandSegments]> {
  let summary = "A product of quantized numbers, summed in i32";
  let description = [{
    result = sum((a - zero of a) * (b - zero of b)) + bias, all in i32, which wraps.
    `maps` give the indices of a, b and the result over the loops, as those of
    `linalg.contract`; dimensions that the result lacks are summed over. A zero point
    is one number (no dimensions), or has the dimensions of its operand that are not
    summed over, in their order: one for each row of a, each column of b. The bias is
    one for each index of the result's last dimension.

    Q1: a and b have the storage types of their formats, and zero points their
    operand's. Q7: a zero point has no dimension, or those of its operand that are not
    summed over; the bias is an i32 vector of the result's last size. Q8: the formats
    are of integers of at most 8 bits, and the result has i32 elements. Q13: there are
    three maps, projections without repetition over the same loops, that fit the
    operands' shapes.

    ```mlir
    %y = quantization.matmul %a as u8 zero %z, %b as i8 maps [#a, #b, #y]
      : tensor<?x64xi8>, tensor<64x32xi8> zeros tensor<i8> -> tensor<?x32xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$a, AnyRankedTensor:$b,
                       Optional<AnyRankedTensor>:$a_zero, Optional<AnyRankedTensor>:$b_zero,
                       Optional<AnyRankedTensor>:$bias,
                       Quantization_FormatAttr:$a_format, Quantization_FormatAttr:$b_format,
                       AffineMapArrayAttr:$maps);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $a `as` $a_format (`zero` $a_zero^)? `,` $b `as` $b_format (`zero` $b_zero^)?
    (`bias` $bias^)? `maps` $maps attr-dict
    `:` type($a) (`zero` type($a_zero)^)? `,` type($b) (`zero` type($b_zero)^)?
    (`bias` type($bias)^)? `->` type($result)
  }];
  let extraClassDeclaration = [{
    ::mlir::AffineMap getMap(unsigned index) {
      return ::llvm::cast<::mlir::AffineMapAttr>(getMaps()[index]).getValue();
    }
    /// The dimensions of operand `index` (0 or 1) that are summed over, and the others.
    ::llvm::SmallVector<int64_t> getSummedDims(unsigned index);
    ::llvm::SmallVector<int64_t> getKeptDims(unsigned index);
  }];
}

def Quantization_ConvOp : Quantization_Op<"conv", [AttrSizedOperandSegments]> {
  let summary = "A convolution of quantized numbers, summed in i32, channels last";
  let description = [{
    As `graph.conv`: input [batch, spatial..., channels], filter [spatial..., channels /
    groups, outputChannels], result [batch, spatial..., outputChannels] in i32, each
    element less its zero point, plus the bias. Padding reads the input's zero point, so
    that it adds nothing.

    Q1: input and filter have the storage types of their formats, and zero points their
    operand's. Q7: the input's zero point is one number, the filter's one or one for
    each output channel; the bias is an i32 vector of the output channels. Q8: as of
    `matmul`. Q14: input, filter and result have one rank of at least 3, each array one
    entry for each spatial dimension, and channels, groups and static sizes fit.

    ```mlir
    %y = quantization.conv %x as u8 zero %z, %w as i8 strides [1, 1] dilations [1, 1]
        pads [1, 1], [1, 1] groups 1
      : tensor<1x8x8x4xi8> zero tensor<i8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       Optional<AnyRankedTensor>:$input_zero,
                       Optional<AnyRankedTensor>:$filter_zero,
                       Optional<AnyRankedTensor>:$bias,
                       Quantization_FormatAttr:$input_format,
                       Quantization_FormatAttr:$filter_format,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pad_low, DenseI64ArrayAttr:$pad_high,
                       I64Attr:$groups);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `as` $input_format (`zero` $input_zero^)? `,` $filter `as` $filter_format
    (`zero` $filter_zero^)? (`bias` $bias^)? `strides` $strides `dilations` $dilations
    `pads` $pad_low `,` $pad_high `groups` $groups attr-dict
    `:` type($input) (`zero` type($input_zero)^)? `,` type($filter)
    (`zero` type($filter_zero)^)? (`bias` type($bias)^)? `->` type($result)
  }];
  let extraClassDeclaration = [{
    /// DimensionSourceOpInterface: spatial sizes follow from the windows.
    ::mlir::AffineExpr getDimension(
        unsigned result, int64_t dimension,
        ::llvm::function_ref<::mlir::AffineExpr(::mlir::Value, int64_t)> dimOf);
  }];
}

def Quantization_BlockMatmulOp : Quantization_Op<"block_matmul"> {
  let summary = "A product of numbers that are quantized in blocks, summed in f32";
  let description = [{
    a [rows, depth], b [depth, columns], each with a scale for every `block` elements of
    its depth: [rows, blocks] and [blocks, columns]. Sums of one block are i32 and exact;
    each is multiplied by the product of both scales and added to the result in f32, in
    no promised order. The zero points of b, [blocks, columns], may be left out.

      result[m, n] = sum over blocks k of
        f32(sum over the block of a[m, i] * (b[i, n] - zero[k, n])) * (sa[m, k] * sb[k, n])

    Q1: a and b have the storage types of their formats, the zero point b's. Q2: scales
    and result are f32. Q4: `block` is positive. Q8: the formats are of integers of at
    most 8 bits. Q9: all shapes are those above, the last block may be short.

    ```mlir
    %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 32
      : tensor<?x64xi8>, tensor<?x2xf32>, tensor<64x16xi8>, tensor<2x16xf32>
        zero tensor<2x16xi8> -> tensor<?x16xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$a, AnyRankedTensor:$a_scale, AnyRankedTensor:$b,
                       AnyRankedTensor:$b_scale, Optional<AnyRankedTensor>:$b_zero,
                       Quantization_FormatAttr:$a_format, Quantization_FormatAttr:$b_format,
                       I64Attr:$block);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $a `as` $a_format `scale` $a_scale `,` $b `as` $b_format `scale` $b_scale
    (`zero` $b_zero^)? `block` $block attr-dict
    `:` type($a) `,` type($a_scale) `,` type($b) `,` type($b_scale) (`zero` type($b_zero)^)?
    `->` type($result)
  }];
}

#endif // TESSERA_QUANTIZATION_OPS
