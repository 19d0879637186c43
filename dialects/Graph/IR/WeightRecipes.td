// Weights: the places of their bytes and the steps that shape them. See
// docs/architecture.md, "Weights".
#ifndef TESSERA_GRAPH_WEIGHT_RECIPES
#define TESSERA_GRAPH_WEIGHT_RECIPES

include "dialects/Graph/IR/GraphDialect.td"
include "dialects/Graph/IR/RecipeStep.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

def Graph_FileAttr : Graph_Attr<"File", "file"> {
  let summary = "Bytes of a file: path, offset and length in bytes";
  let description = [{
    The source of a `graph.weights`: the bytes are read when the artifact is
    written, never by a pass that only moves or reshapes them.

    ```mlir
    #graph.file<"model.onnx", 4096, 9437184>
    ```
  }];
  let parameters = (ins StringRefParameter<"path">:$path, "uint64_t":$offset,
                        "uint64_t":$bytes);
  let assemblyFormat = "`<` $path `,` $offset `,` $bytes `>`";
}

def Graph_PartAttr : Graph_Attr<"Part", "part"> {
  let summary = "What a part of a weight is made of: source, its type, and a recipe";
  let parameters = (ins "::mlir::Attribute":$source,
                        "::mlir::RankedTensorType":$sourceType,
                        "::mlir::ArrayAttr":$recipe);
  let assemblyFormat = "`<` $source `as` $sourceType `recipe` $recipe `>`";
}

def Graph_ConcatAttr : Graph_Attr<"Concat", "concat"> {
  let summary = "Parts, one after another along the first dimension";
  let description = [{
    The source of a `graph.weights` whose bytes are those of its parts, each after
    its own recipe, in order.

    ```mlir
    #graph.concat<<#graph.file<"m.onnx", 0, 64> as tensor<4x4xf32> recipe []>,
                  <#graph.file<"m.onnx", 64, 32> as tensor<4x2xf32> recipe [#graph.transpose<[1, 0]>]>>
    ```

    is a tensor<6x4xf32>.
  }];
  let parameters = (ins ArrayRefParameter<"PartAttr">:$parts);
  let assemblyFormat = "`<` $parts `>`";
}

//===----------------------------------------------------------------------===//
// Steps that map indices: their methods are in ViewSteps.cpp
//===----------------------------------------------------------------------===//

class Graph_StepAttr<string name, string mnemonic>
    : Graph_Attr<name, mnemonic, [DeclareAttrInterfaceMethods<Graph_RecipeStep>]>;

class Graph_ViewStepAttr<string name, string mnemonic>
    : Graph_Attr<name, mnemonic,
                 [DeclareAttrInterfaceMethods<Graph_RecipeStep, ["mapsIndices"]>]>;

def Graph_TransposeAttr : Graph_ViewStepAttr<"Transpose", "transpose"> {
  let summary = "Recipe step: dimension i of the result is permutation[i] of the source";
  let description = [{
    `#graph.transpose<[1, 0]>` makes tensor<768x3072xf32> of tensor<3072x768xf32>.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$permutation);
  let assemblyFormat = "`<` `[` $permutation `]` `>`";
}

def Graph_ReverseAttr : Graph_ViewStepAttr<"Reverse", "reverse"> {
  let summary = "Recipe step: the order of elements reversed along dimensions";
  let description = [{
    `#graph.reverse<[0]>` makes [[3, 4], [1, 2]] of [[1, 2], [3, 4]].
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$dimensions);
  let assemblyFormat = "`<` `[` $dimensions `]` `>`";
}

def Graph_SliceAttr : Graph_ViewStepAttr<"Slice", "slice"> {
  let summary = "Recipe step: `sizes` elements from `offsets` on, `strides` apart";
  let description = [{
    `#graph.slice<[0, 1] sizes [2, 2] strides [1, 2]>` makes tensor<2x2xf32> of
    tensor<2x4xf32>: its second and fourth column.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$offsets,
                        ArrayRefParameter<"int64_t">:$sizes,
                        ArrayRefParameter<"int64_t">:$strides);
  let assemblyFormat = "`<` `[` $offsets `]` `sizes` `[` $sizes `]` `strides` `[` $strides `]` `>`";
}

def Graph_ReshapeAttr : Graph_ViewStepAttr<"Reshape", "reshape"> {
  let summary = "Recipe step: the same elements in row-major order with another shape";
  let description = [{
    `#graph.reshape<[2, 6]>` makes tensor<2x6xf32> of tensor<3x4xf32>, `#graph.reshape<>`
    a scalar of one element.
  }];
  let parameters = (ins OptionalArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` (`[` $shape^ `]`)? `>`";
}

def Graph_BroadcastAttr : Graph_ViewStepAttr<"Broadcast", "broadcast"> {
  let summary = "Recipe step: elements repeated along dimensions of size 1 and new ones";
  let description = [{
    As `graph.broadcast_to`: shapes are aligned at their last dimensions.
    `#graph.broadcast<[2, 3]>` makes [[5, 6, 7], [5, 6, 7]] of [5, 6, 7]. Part of what
    a weight is computed from: nothing is stored repeatedly.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` `[` $shape `]` `>`";
}

def Graph_PackAttr : Graph_ViewStepAttr<"Pack", "pack"> {
  let summary = "Recipe step: column panels of the last two dimensions";
  let description = [{
    [..., rows, columns] becomes [..., ceil(columns / width), rows, width]; the
    columns that are missing in the last panel are zero. Equals `linalg.pack`
    with `inner_dims_pos = [last]`, `inner_tiles = [width]` and the panel
    dimension moved before the rows.

    `#graph.pack<16>` makes tensor<3x8x16xf32> of tensor<8x40xf32>.

    With `depthGroup` rows of a column lie together, as instructions read them that
    sum pairs (2) or quads (4): [..., ceil(columns / width), ceil(rows / depthGroup),
    width, depthGroup]. Rows that are missing in the last group are zero.
    `#graph.pack<16, depthGroup 4>` makes tensor<3x2x16x4xi8> of tensor<7x40xi8>.
  }];
  let parameters = (ins "int64_t":$width,
                        DefaultValuedParameter<"int64_t", "1">:$depthGroup);
  let builders = [AttrBuilder<(ins "int64_t":$width), [{
    return $_get($_ctxt, width, 1);
  }]>];
  let assemblyFormat = "`<` $width (`,` `depthGroup` $depthGroup^)? `>`";
}

//===----------------------------------------------------------------------===//
// Steps that compute elements: their methods are in ElementSteps.cpp
//===----------------------------------------------------------------------===//

def Graph_ScaleAttr : Graph_StepAttr<"Scale", "scale"> {
  let summary = "Recipe step: f32 elements times the value of their index along a dimension";
  let description = [{
    Element [..., i, ...] with index i of dimension `axis` is multiplied by
    `values[i]`, rounded to f32.

    ```mlir
    #graph.scale<1, dense<[0.5, 2.0]> : tensor<2xf32>>
    ```
  }];
  let parameters = (ins "int64_t":$axis, "::mlir::DenseElementsAttr":$values);
  let assemblyFormat = "`<` $axis `,` $values `>`";
}

def Graph_ElementwiseAttr : Graph_StepAttr<"Elementwise", "elementwise"> {
  let summary = "Recipe step: an elementwise operation on the source and other weights";
  let description = [{
    What the operation `operation` of arith or math computes of the elements, each
    rounded as the compiled operation does. Floats narrower than f32 are computed
    with in f32. The source is operand number `position` among the `operands`, parts
    of the source's shape. `predicate` is that of a comparison. The result has
    elements of `elementType`.

    An int8 weight, dequantized by one scale for each column:

    ```mlir
    recipe [#graph.elementwise<"arith.sitofp" to f32>,
            #graph.elementwise<"arith.mulf" to f32 with
              [<dense<[0.5, 2.0]> : tensor<2xf32> as tensor<2xf32>
                recipe [#graph.broadcast<[768, 2]>]>]>]
    ```
  }];
  let parameters = (ins StringRefParameter<"operation">:$operation,
                        "::mlir::Type":$elementType,
                        OptionalArrayRefParameter<"PartAttr">:$operands,
                        DefaultValuedParameter<"int64_t", "0">:$position,
                        DefaultValuedParameter<"int64_t", "0">:$predicate);
  let assemblyFormat = [{
    `<` $operation `to` $elementType (`with` `[` $operands^ `]`)? (`at` $position^)?
        (`predicate` $predicate^)? `>`
  }];
}

def Graph_UnpackBitsAttr : Graph_StepAttr<"UnpackBits", "unpack_bits"> {
  let summary = "Recipe step: elements of 2 or 4 bits, packed in bytes, as a byte each";
  let description = [{
    The source is a vector of bytes (i8); elements follow each other from the low
    bits of the first byte on, as in ONNX. The high bits of the results are zero.

    `#graph.unpack_bits<4, [3, 3]>` makes tensor<3x3xi8> of tensor<5xi8>.
  }];
  let parameters = (ins "int64_t":$bits, ArrayRefParameter<"int64_t">:$shape);
  let assemblyFormat = "`<` $bits `,` `[` $shape `]` `>`";
}

//===----------------------------------------------------------------------===//
// Steps that take or join elements: their methods are in GatherSteps.cpp
//===----------------------------------------------------------------------===//

def Graph_TakeAttr : Graph_StepAttr<"Take", "take"> {
  let summary = "Recipe step: the entries of a dimension that indices name";
  let description = [{
    As `graph.gather` with constant indices, an i32 or i64 weight of any shape:
    negative ones count from the end, others are clamped. [A, B, C] with indices of
    [I, J] and axis 1 gives [A, I, J, C].

    ```mlir
    #graph.take<0, <dense<[2, 0]> : tensor<2xi64> as tensor<2xi64> recipe []>>
    ```
  }];
  let parameters = (ins "int64_t":$axis, "PartAttr":$indices);
  let assemblyFormat = "`<` $axis `,` $indices `>`";
}

def Graph_ReduceAttr : Graph_StepAttr<"Reduce", "reduce"> {
  let summary = "Recipe step: elements along dimensions joined to one";
  let description = [{
    Sums, products, minima or maxima (`operation` is the arith operation that joins two)
    along `dimensions`, which go away. Floats are summed in f64, so that the last bits
    differ from those of a kernel. The result is held in memory.

    `#graph.reduce<"arith.addf", [0]>` makes tensor<3xf32> of tensor<2x3xf32>.
  }];
  let parameters = (ins StringRefParameter<"operation">:$operation,
                        ArrayRefParameter<"int64_t">:$dimensions);
  let assemblyFormat = "`<` $operation `,` `[` $dimensions `]` `>`";
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

def Graph_WeightsOp
    : Graph_Op<"weights", [DeclareOpInterfaceMethods<Symbol, ["getVisibility"]>]> {
  let summary = "Declare constant data by its place and the steps that shape it";
  let description = [{
    `source` is `#graph.file<path, offset, bytes>` (row-major, little-endian,
    `source_type`), an elements attribute, or a `#graph.concat` of such parts. The
    `recipe` steps turn it into `type`; they run once, streaming, when the artifact
    is written. Nobody outside its module sees it: what no `graph.weight` reads goes
    away.

    C1: `source` is a file or elements attribute, or a concatenation of such parts.
    C2: the file holds exactly the bytes of `source_type`; parts make it together.
    C3: applying the recipe to `source_type` gives `type`.

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
  let extraClassDeclaration = [{
    /// All that decides the bytes, as a part of other weights.
    PartAttr getPart();
  }];
  let hasVerifier = 1;
}

def Graph_WeightOp : Graph_Op<"weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "Use declared constant data as a tensor";
  let description = [{
    C1: `weights` names a `graph.weights` of the module, whose type is the
    result's type.

    ```mlir
    %w = graph.weight @w : tensor<192x768x16xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weights);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = "$weights attr-dict `:` type($result)";
}

#endif // TESSERA_GRAPH_WEIGHT_RECIPES
