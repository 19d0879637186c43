// The graph dialect: what a model needs beyond linalg, tensor, arith and math
// for some pass to see it whole. See dialects/Graph/README.md.
#ifndef TESSERA_GRAPH_OPS
#define TESSERA_GRAPH_OPS

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::tessera::graph";
  let summary = "Model-level operations on tensors, sizes and weights";
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

class Graph_Op<string mnemonic, list<Trait> traits = []>
    : Op<Graph_Dialect, mnemonic, traits>;

class Graph_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Graph_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

def Graph_FileAttr : Graph_Attr<"File", "file"> {
  let summary = "Bytes of a file: path, offset and length in bytes";
  let parameters = (ins StringRefParameter<"path">:$path, "uint64_t":$offset,
                        "uint64_t":$bytes);
  let assemblyFormat = "`<` $path `,` $offset `,` $bytes `>`";
}

def Graph_TransposeAttr : Graph_Attr<"Transpose", "transpose"> {
  let summary = "Recipe step: dimension i of the result is permutation[i] of the source";
  let parameters = (ins ArrayRefParameter<"int64_t">:$permutation);
  let assemblyFormat = "`<` `[` $permutation `]` `>`";
}

def Graph_ReshapeAttr : Graph_Attr<"Reshape", "reshape"> {
  let summary = "Recipe step: the same elements in row-major order with another shape";
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` `[` $shape `]` `>`";
}

def Graph_PackAttr : Graph_Attr<"Pack", "pack"> {
  let summary = "Recipe step: column panels of the last two dimensions";
  let description = [{
    [..., rows, columns] becomes [..., ceil(columns / width), rows, width]; the
    columns that are missing in the last panel are zero. Equals `linalg.pack`
    with `inner_dims_pos = [last]`, `inner_tiles = [width]` and the panel
    dimension moved before the rows.
  }];
  let parameters = (ins "int64_t":$width);
  let assemblyFormat = "`<` $width `>`";
}

def Graph_ScaleAttr : Graph_Attr<"Scale", "scale"> {
  let summary = "Recipe step: f32 elements times the value of their index along a dimension";
  let description = [{
    Element [..., i, ...] with index i of dimension `axis` is multiplied by
    `values[i]`, rounded to f32.
  }];
  let parameters = (ins "int64_t":$axis, "::mlir::DenseElementsAttr":$values);
  let assemblyFormat = "`<` $axis `,` $values `>`";
}

def Graph_PoolKind : I32EnumAttr<"PoolKind", "What a pooling window computes", [
    I32EnumAttrCase<"Max", 0, "max">,
    I32EnumAttrCase<"Average", 1, "average">,
    I32EnumAttrCase<"AverageWithPadding", 2, "average_with_padding">]> {
  let cppNamespace = "::tessera::graph";
  let genSpecializedAttr = 0;
}
def Graph_PoolKindAttr : EnumAttr<Graph_Dialect, Graph_PoolKind, "pool_kind">;

def Graph_Extremum : I32EnumAttr<"Extremum", "Which extreme element", [
    I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Min", 1, "min">]> {
  let cppNamespace = "::tessera::graph";
  let genSpecializedAttr = 0;
}
def Graph_ExtremumAttr : EnumAttr<Graph_Dialect, Graph_Extremum, "extremum">;

def Graph_Combination : I32EnumAttr<"Combination", "How an element joins one that is there", [
    I32EnumAttrCase<"Replace", 0, "replace">, I32EnumAttrCase<"Add", 1, "add">,
    I32EnumAttrCase<"Multiply", 2, "multiply">, I32EnumAttrCase<"Min", 3, "min">,
    I32EnumAttrCase<"Max", 4, "max">]> {
  let cppNamespace = "::tessera::graph";
  let genSpecializedAttr = 0;
}
def Graph_CombinationAttr : EnumAttr<Graph_Dialect, Graph_Combination, "combination">;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

def Graph_SymbolOp : Graph_Op<"symbol", [Symbol]> {
  let summary = "Declare a named size and the range it may take";
  let description = [{
    C1: 0 <= min <= typical <= max.

    ```mlir
    graph.symbol @seq min 0 typical 128 max 512
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, I64Attr:$min, I64Attr:$typical,
                       I64Attr:$max);
  let assemblyFormat = "$sym_name `min` custom<Integer>($min) `typical` custom<Integer>($typical) `max` custom<Integer>($max) attr-dict";
  let hasVerifier = 1;
}

def Graph_SizeOp : Graph_Op<"size", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "The value of a named size";
  let description = [{ C1: `symbol` names a `graph.symbol` of the module. }];
  let arguments = (ins FlatSymbolRefAttr:$symbol);
  let results = (outs Index:$result);
  let assemblyFormat = "$symbol attr-dict";
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

def Graph_WeightsOp : Graph_Op<"weights", [Symbol]> {
  let summary = "Declare constant data by its place and the steps that shape it";
  let description = [{
    `source` is `#graph.file<path, offset, bytes>` (row-major, little-endian,
    `source_type`) or an elements attribute. The `recipe` steps turn it into
    `type`; they run once, streaming, when the artifact is written.

    C1: `source` is a file or elements attribute. C2: the file holds exactly
    the bytes of `source_type`. C3: applying the recipe to `source_type` gives
    `type`.

    ```mlir
    graph.weights @w : tensor<192x768x16xf32> from #graph.file<"m.onnx", 64, 9437184>
      as tensor<768x3072xf32> recipe [#graph.pack<16>]
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyStaticShapeTensor>:$type,
                       AnyAttr:$source, TypeAttrOf<AnyStaticShapeTensor>:$source_type,
                       DefaultValuedAttr<ArrayAttr, "{}">:$recipe);
  let assemblyFormat = [{
    $sym_name `:` $type `from` $source `as` $source_type (`recipe` $recipe^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Graph_WeightOp : Graph_Op<"weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Use declared constant data as a tensor";
  let description = [{
    C1: `weights` names a `graph.weights` of the module, whose type is the
    result's type.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weights);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$weights attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Shapes and data movement
//===----------------------------------------------------------------------===//

// Operations whose result's dynamic sizes are the operands `sizes`, in order.
class Graph_SizedOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<
          ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)>;

def Graph_BroadcastToOp : Graph_SizedOp<"broadcast_to"> {
  let summary = "Repeat a tensor along dimensions of size 1 (ONNX/NumPy rules)";
  let description = [{
    Dimensions are aligned at the right. A source dimension is 1 or equals the
    result's; where its size is unknown, element index i reads i if the sizes
    agree and 0 if it is 1, and anything else is a run-time error.

    C1: `sizes` has one value for each dynamic result dimension. C2: the
    result's rank is at least the source's. C3: a static source dimension other
    than 1 equals the static result dimension.
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Graph_ReshapeOp : Graph_SizedOp<"reshape"> {
  let summary = "The same elements in row-major order with another shape";
  let description = [{
    For reshapes that no size expression proves to be an expansion or collapse.
    The element counts must agree; where that is unknown it is checked at run
    time.

    C1: `sizes` has one value for each dynamic result dimension. C2: static
    element counts agree.
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_IotaOp : Graph_SizedOp<"iota"> {
  let summary = "Each element is its index along one dimension";
  let description = [{
    C1: `sizes` has one value for each dynamic result dimension. C2: `dimension`
    is below the rank.
  }];
  let arguments = (ins I64Attr:$dimension, Variadic<Index>:$sizes);
  let results = (outs RankedTensorOf<[AnySignlessInteger, AnyFloat]>:$result);
  let assemblyFormat = "$dimension (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Graph_GatherOp : Graph_SizedOp<"gather"> {
  let summary = "Take slices along one dimension by index (ONNX Gather)";
  let description = [{
    result[a..., i..., b...] = data[a..., indices[i...], b...], where a are the
    dimensions before `axis` and b those after it. A negative index counts from
    the end; one that is still outside is clamped, so no memory outside `data` is
    read.

    C1: `axis` is below data's rank. C2: the result's rank is data's - 1 +
    indices'. C3: element types of data and result agree, indices are i32 or i64.
  }];
  let arguments = (ins AnyRankedTensor:$data, RankedTensorOf<[I32, I64]>:$indices,
                       I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$data `[` $indices `]` `axis` $axis attr-dict `:` type($data) `,` type($indices) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_GatherPointsOp : Graph_SizedOp<"gather_points"> {
  let summary = "Take elements by index vectors (ONNX GatherND, GatherElements)";
  let description = [{
    result[p...] = data[x...]. `dimensions` has an entry for each dimension d of
    data: where it is not negative, x[d] = p[dimensions[d]]; where it is -1, x[d]
    is the next component of the vector indices[p[0], ..., p[n - 1], :], where n
    is the rank of indices less one. A negative component counts from the end; one
    that is still outside is clamped.

    ```mlir
    // GatherElements along dimension 1
    %y = graph.gather_points %x[%i] dimensions [0, -1]
      : tensor<4x8xf32>, tensor<4x3x1xi64> -> tensor<4x3xf32>
    ```

    C1: `dimensions` has one entry for each dimension of data, -1 or below the
    result's rank. C2: indices' last size is static and the number of -1. C3: the
    rank of indices less one is at most the result's rank. C4: element types of
    data and result agree, indices are i32 or i64. C5: `sizes` has one value for
    each dynamic result dimension.
  }];
  let arguments = (ins AnyRankedTensor:$data, RankedTensorOf<[I32, I64]>:$indices,
                       DenseI64ArrayAttr:$dimensions, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $data `[` $indices `]` `dimensions` $dimensions (`sizes` `(` $sizes^ `)`)? attr-dict
    `:` type($data) `,` type($indices) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_ScatterPointsOp : Graph_SizedOp<"scatter_points"> {
  let summary = "Put elements at index vectors (ONNX ScatterND, ScatterElements)";
  let description = [{
    The result is data, where for each p, in row-major order, updates[p...] joins
    the element at x...; x follows from p as in `graph.gather_points`. A vector
    that is outside after negative components are counted from the end changes
    nothing.

    C1: `dimensions` has one entry for each dimension of data, -1 or below the
    rank of updates. C2: indices' last size is static and the number of -1. C3: the
    rank of indices less one is at most that of updates. C4: element types of data
    and updates agree, indices are i32 or i64. C5: the result has data's type.
  }];
  let arguments = (ins AnyRankedTensor:$data, RankedTensorOf<[I32, I64]>:$indices,
                       AnyRankedTensor:$updates, DenseI64ArrayAttr:$dimensions,
                       Graph_CombinationAttr:$combination, UnitAttr:$is_unsigned);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $combination $updates `at` $indices `into` $data `dimensions` $dimensions
    (`unsigned` $is_unsigned^)? attr-dict
    `:` type($updates) `,` type($indices) `,` type($data) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_ReverseOp : Graph_SizedOp<"reverse", [SameOperandsAndResultType]> {
  let summary = "Reverse the order of elements along dimensions";
  let description = [{ C1: `dimensions` are below the rank and increasing. }];
  let arguments = (ins AnyRankedTensor:$source, DenseI64ArrayAttr:$dimensions);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source $dimensions attr-dict `:` type($source)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

def Graph_ConvOp : Graph_SizedOp<"conv"> {
  let summary = "N-d convolution, channels last";
  let description = [{
    input [batch, spatial..., channels], filter [spatial..., channels / groups,
    outputChannels], result [batch, spatial..., outputChannels]; as in ONNX the
    filter is not flipped, padding reads zero, and output channel o belongs to
    group o / (outputChannels / groups). f16 and bf16 accumulate in f32 and give
    an f32 result.

    C1: ranks agree and are at least 3. C2: `strides`, `dilations`, `pad_low`,
    `pad_high` have one entry for each spatial dimension; strides and dilations
    are positive, pads are not negative. C3: channels and outputChannels are
    static and divisible by `groups`, and the filter has channels / groups. C4: a
    static result size is floor((size + pads - dilation * (kernel - 1) - 1) /
    stride) + 1.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pad_low, DenseI64ArrayAttr:$pad_high,
                       I64Attr:$groups);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $filter `strides` $strides `dilations` $dilations `pads` $pad_low
    `,` $pad_high `groups` $groups attr-dict `:` type($input) `,` type($filter) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_PoolOp : Graph_SizedOp<"pool"> {
  let summary = "N-d max or average pooling, channels last";
  let description = [{
    input [batch, spatial..., channels]. `average` divides by the number of
    elements inside the input, `average_with_padding` by the number inside the
    padded input. With `ceil_mode` the last window may begin inside the input or
    the low padding and reach beyond the high padding.

    C1: input and result have the same rank, at least 3. C2: all arrays have one
    entry for each spatial dimension; kernel, strides and dilations are positive.
    C3: batch, channels and a static result size agree with the formula.
  }];
  let arguments = (ins AnyRankedTensor:$input, Graph_PoolKindAttr:$kind,
                       DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pad_low,
                       DenseI64ArrayAttr:$pad_high, UnitAttr:$ceil_mode);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $kind $input `kernel` $kernel `strides` $strides `dilations` $dilations
    `pads` $pad_low `,` $pad_high (`ceil` $ceil_mode^)? attr-dict `:` type($input) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

def Graph_ArgReduceOp : Graph_SizedOp<"arg_reduce"> {
  let summary = "Index of the largest or smallest element along one dimension";
  let description = [{
    The result lacks `dimension`. The first of equal elements wins, the last with
    `select_last`. A NaN is larger (max) or smaller (min) than everything.

    C1: `dimension` is below the rank. C2: the result's rank is one less.
  }];
  let arguments = (ins AnyRankedTensor:$source, Graph_ExtremumAttr:$kind,
                       I64Attr:$dimension, UnitAttr:$select_last, UnitAttr:$is_unsigned);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = "$kind $source `dimension` $dimension (`last` $select_last^)? (`unsigned` $is_unsigned^)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_TopIndicesOp : Graph_SizedOp<"top_indices"> {
  let summary = "Indices of the first elements in sorted order along one dimension";
  let description = [{
    Along `dimension` the result holds the indices of the largest (max) or smallest
    (min) elements, the best first, as many as its size there. Of equal elements
    that with the lower index comes first. A NaN is larger (max) or smaller (min)
    than everything. More than there are is a run-time error that the importer
    reports; the rest of the result then is not defined.

    C1: `dimension` is below the rank. C2: source and result have one rank and
    agree in static sizes but that of `dimension`. C3: `sizes` has one value for
    each dynamic result dimension.
  }];
  let arguments = (ins AnyRankedTensor:$source, Graph_ExtremumAttr:$kind,
                       I64Attr:$dimension, UnitAttr:$is_unsigned, Variadic<Index>:$sizes);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = [{
    $kind $source `dimension` $dimension (`unsigned` $is_unsigned^)?
    (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($source) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Graph_CumulativeOp : Graph_SizedOp<"cumulative", [AllTypesMatch<["source", "result"]>]> {
  let summary = "Sums or products of all elements up to each one";
  let description = [{
    result[.., i, ..] joins source[.., j, ..] for all j <= i, for j < i with
    `exclusive`; with `reverse` for j >= i and j > i. Elements join in the order of
    their distance from the border, the first one to 0 or 1. f16 and bf16
    accumulate as they are; whoever wants more widens before.

    C1: `dimension` is below the rank. C2: `combination` is add or multiply.
  }];
  let arguments = (ins RankedTensorOf<[AnySignlessInteger, AnyFloat]>:$source,
                       Graph_CombinationAttr:$combination, I64Attr:$dimension,
                       UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs RankedTensorOf<[AnySignlessInteger, AnyFloat]>:$result);
  let assemblyFormat = [{
    $combination $source `dimension` $dimension (`exclusive` $exclusive^)?
    (`reverse` $reverse^)? attr-dict `:` type($source)
  }];
  let hasVerifier = 1;
}

def Graph_AssertOp : Graph_Op<"assert"> {
  let summary = "Fail the run with a message unless the condition holds";
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

#endif // TESSERA_GRAPH_OPS
