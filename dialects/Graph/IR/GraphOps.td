// The graph dialect: what a model needs beyond linalg, tensor, arith and math
// for some pass to see it whole. See dialects/Graph/README.md.
#ifndef TESSERA_GRAPH_OPS
#define TESSERA_GRAPH_OPS

include "dialects/Graph/IR/GraphDialect.td"
include "dialects/Graph/IR/WeightRecipes.td"
include "dialects/Interfaces/ContractionOpInterface.td"
include "dialects/Interfaces/Movement.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

def Graph_SymbolOp : Graph_Op<"symbol", [Symbol]> {
  let summary = "Declare a named size and the range it may take";
  let description = [{
    A size that is known at run time only and that the caller's inputs bind. The
    `typical` size is what schedules are chosen for; `min` and `max` are checked
    when the model runs, and let `SizeAnalysis` prove bounds.

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
  let description = [{
    The only source of sizes in an entry; all others are `arith` or `affine.apply`
    on it, so that equal sizes have equal expressions.

    C1: `symbol` names a `graph.symbol` of the module.

    ```mlir
    %n = graph.size @seq
    %e = tensor.empty(%n) : tensor<?x8xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$symbol);
  let results = (outs Index:$result);
  let assemblyFormat = "$symbol attr-dict";
}

//===----------------------------------------------------------------------===//
// Shapes and data movement
//===----------------------------------------------------------------------===//

// Operations whose result's dynamic sizes are the operands `sizes`, in order.
class Graph_SizedOp<string mnemonic, list<Trait> traits = []>
    : Graph_Op<mnemonic, !listconcat([Pure, DeclareOpInterfaceMethods<
          ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)>;

// Operations that take elements of their first operand as they are.
class Graph_MovementOp<string mnemonic, string movement, list<Trait> traits = []>
    : Graph_SizedOp<mnemonic, !listconcat([MovementOpInterface], traits)> {
  let extraClassDeclaration = "::tessera::Movement getMovement() { return ::tessera::Movement::"
                              # movement # "; }";
}

def Graph_BroadcastToOp : Graph_MovementOp<"broadcast_to", "IndexMap"> {
  let summary = "Repeat a tensor along dimensions of size 1 (ONNX/NumPy rules)";
  let description = [{
    Dimensions are aligned at the right. A source dimension is 1 or equals the
    result's; where its size is unknown, element index i reads i if the sizes
    agree and 0 if it is 1, and anything else is a run-time error.

    C1: `sizes` has one value for each dynamic result dimension. C2: the
    result's rank is at least the source's. C3: a static source dimension other
    than 1 equals the static result dimension.

    ```mlir
    %b = graph.broadcast_to %bias sizes(%n) : tensor<8xf32> -> tensor<?x8xf32>
    %y = arith.addf %x, %b : tensor<?x8xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Graph_ReshapeOp : Graph_MovementOp<"reshape", "View"> {
  let summary = "The same elements in row-major order with another shape";
  let description = [{
    For reshapes that no size expression proves to be an expansion or collapse.
    The element counts must agree; where that is unknown it is checked at run
    time.

    C1: `sizes` has one value for each dynamic result dimension. C2: static
    element counts agree.

    ```mlir
    %r = graph.reshape %x sizes(%m) : tensor<?x6xf32> -> tensor<?x4xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, Variadic<Index>:$sizes);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($source) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_IotaOp : Graph_SizedOp<"iota"> {
  let summary = "Each element is its index along one dimension";
  let description = [{
    result[i0, i1, ...] = i`dimension`, converted to the element type.

    C1: `sizes` has one value for each dynamic result dimension. C2: `dimension`
    is below the rank.

    ```mlir
    %columns = graph.iota 1 : tensor<2x3xi64>  // [[0, 1, 2], [0, 1, 2]]
    ```
  }];
  let arguments = (ins I64Attr:$dimension, Variadic<Index>:$sizes);
  let results = (outs RankedTensorOf<[AnySignlessInteger, AnyFloat]>:$result);
  let assemblyFormat = "$dimension (`sizes` `(` $sizes^ `)`)? attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def Graph_GatherOp : Graph_MovementOp<"gather", "Gather"> {
  let summary = "Take slices along one dimension by index (ONNX Gather)";
  let description = [{
    result[a..., i..., b...] = data[a..., indices[i...], b...], where a are the
    dimensions before `axis` and b those after it. A negative index counts from
    the end; one that is still outside is clamped, so no memory outside `data` is
    read.

    C1: `axis` is below data's rank. C2: the result's rank is data's - 1 +
    indices'. C3: element types of data and result agree, indices are i32 or i64.

    ```mlir
    // Rows of an embedding table.
    %rows = graph.gather %table[%ids] axis 0
      : tensor<30522x384xf32>, tensor<?x?xi64> -> tensor<?x?x384xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$data, RankedTensorOf<[I32, I64]>:$indices,
                       I64Attr:$axis);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$data `[` $indices `]` `axis` $axis attr-dict `:` type($data) `,` type($indices) `->` type($result)";
  let hasVerifier = 1;
}

def Graph_GatherPointsOp : Graph_MovementOp<"gather_points", "Gather"> {
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

    ```mlir
    // ScatterND: rows of %x are replaced.
    %y = graph.scatter_points replace %rows at %i into %x dimensions [-1, 1]
      : tensor<3x8xf32>, tensor<3x1xi64>, tensor<4x8xf32> -> tensor<4x8xf32>
    ```
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

def Graph_ReverseOp : Graph_MovementOp<"reverse", "IndexMap", [SameOperandsAndResultType]> {
  let summary = "Reverse the order of elements along dimensions";
  let description = [{
    Index i of a dimension of `dimensions` reads size - 1 - i.

    C1: `dimensions` are below the rank and increasing.

    ```mlir
    %y = graph.reverse %x [0] : tensor<?x4xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$source, DenseI64ArrayAttr:$dimensions);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$source $dimensions attr-dict `:` type($source)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

def Graph_ConvOp
    : Graph_SizedOp<"conv", [DeclareOpInterfaceMethods<ContractionOpInterface>]> {
  let summary = "N-d convolution, channels last";
  let description = [{
    input [batch, spatial..., channels], filter [spatial..., channels / groups,
    outputChannels], result [batch, spatial..., outputChannels]; as in ONNX the
    filter is not flipped, padding reads zero, and output channel o belongs to
    group o / (outputChannels / groups). f16 and bf16 accumulate in f32 and give
    an f32 result; bytes, of which the input's are numbers from 0 to 255 with
    `unsigned` and all others from -128 to 127, wrap in i32.

    C1: ranks agree and are at least 3. C2: `strides`, `dilations`, `pad_low`,
    `pad_high` have one entry for each spatial dimension; strides and dilations
    are positive, pads are not negative. C3: channels and outputChannels are
    static and divisible by `groups`, and the filter has channels / groups. C4: a
    static result size is floor((size + pads - dilation * (kernel - 1) - 1) /
    stride) + 1. C5: `unsigned` is for an input of i8.

    ```mlir
    %y = graph.conv %x, %w strides [2, 2] dilations [1, 1] pads [1, 1], [1, 1] groups 2
      : tensor<1x8x8x4xf16>, tensor<3x3x2x6xf16> -> tensor<1x4x4x6xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations,
                       DenseI64ArrayAttr:$pad_low, DenseI64ArrayAttr:$pad_high,
                       I64Attr:$groups, UnitAttr:$unsigned_input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $filter `strides` $strides `dilations` $dilations `pads` $pad_low
    `,` $pad_high `groups` $groups (`unsigned` $unsigned_input^)? attr-dict `:` type($input) `,` type($filter) `->` type($result)
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

    A NaN in a window makes `max` NaN; padding never wins.

    C1: input and result have the same rank, at least 3. C2: all arrays have one
    entry for each spatial dimension; kernel, strides and dilations are positive.
    C3: batch, channels and a static result size agree with the formula of
    `graph.conv`, rounded up with `ceil_mode`.

    ```mlir
    %y = graph.pool max %x kernel [2, 2] strides [2, 2] dilations [1, 1]
      pads [0, 0], [0, 0] : tensor<1x8x8x4xf32> -> tensor<1x4x4x4xf32>
    ```
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

    ```mlir
    %i = graph.arg_reduce max %x dimension 1 : tensor<?x1000xf32> -> tensor<?xi64>
    ```
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

    ```mlir
    %i = graph.top_indices max %x dimension 1 sizes(%n)
      : tensor<?x1000xf32> -> tensor<?x5xi64>
    ```
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

    ```mlir
    %y = graph.cumulative add %x dimension 0 exclusive : tensor<?x4xf32>
    ```
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
  let description = [{
    Ends the run with `message`, which names the node, and no output is set. Where
    the condition compares two sizes, `SizeAnalysis` takes them for equal in the
    whole function: what runs at all runs with them equal. Stands in an entry,
    outside of kernels and loops.

    ```mlir
    %same = arith.cmpi eq, %n, %m : index
    graph.assert %same, "node 'add' (Add, opset 17): sizes of x and y differ"
    ```
  }];
  let arguments = (ins I1:$condition, StrAttr:$message);
  let assemblyFormat = "$condition `,` $message attr-dict";
}

#endif // TESSERA_GRAPH_OPS
