// The graph dialect itself and its attributes. See dialects/Graph/README.md.
#ifndef TESSERA_GRAPH_DIALECT
#define TESSERA_GRAPH_DIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "graph";
  let cppNamespace = "::tessera::graph";
  let summary = "Model-level operations on tensors, sizes and weights";
  let description = [{
    What a model needs beyond `linalg`, `tensor`, `arith` and `math`: operations
    that some pass must see whole, the model's named sizes, and its weights. All
    but declarations are values on tensors; a result's unknown sizes are operands
    (`sizes`), one for each, in order.

    The entry of a model is a `func.func` whose arguments and results carry
    `graph.name` (the ONNX name), `graph.dims` (for each dimension its symbol or
    number) and, where signless types lose it, `graph.element_type`:

    ```mlir
    graph.symbol @seq min 0 typical 128 max 512
    func.func @main(%x: tensor<?x8xf32> {graph.name = "x", graph.dims = [@seq, 8]})
        -> (tensor<?x8xf32> {graph.name = "y"}) {
      %y = math.tanh %x : tensor<?x8xf32>
      return %y : tensor<?x8xf32>
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

class Graph_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Graph_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

//===----------------------------------------------------------------------===//
// Attributes
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

def Graph_TransposeAttr : Graph_Attr<"Transpose", "transpose"> {
  let summary = "Recipe step: dimension i of the result is permutation[i] of the source";
  let description = [{
    `#graph.transpose<[1, 0]>` makes tensor<768x3072xf32> of tensor<3072x768xf32>.
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$permutation);
  let assemblyFormat = "`<` `[` $permutation `]` `>`";
}

def Graph_ReverseAttr : Graph_Attr<"Reverse", "reverse"> {
  let summary = "Recipe step: the order of elements reversed along dimensions";
  let description = [{
    `#graph.reverse<[0]>` makes [[3, 4], [1, 2]] of [[1, 2], [3, 4]].
  }];
  let parameters = (ins ArrayRefParameter<"int64_t">:$dimensions);
  let assemblyFormat = "`<` `[` $dimensions `]` `>`";
}

def Graph_SliceAttr : Graph_Attr<"Slice", "slice"> {
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

def Graph_ReshapeAttr : Graph_Attr<"Reshape", "reshape"> {
  let summary = "Recipe step: the same elements in row-major order with another shape";
  let description = [{
    `#graph.reshape<[2, 6]>` makes tensor<2x6xf32> of tensor<3x4xf32>.
  }];
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

    `#graph.pack<16>` makes tensor<3x8x16xf32> of tensor<8x40xf32>.
  }];
  let parameters = (ins "int64_t":$width);
  let assemblyFormat = "`<` $width `>`";
}

def Graph_ScaleAttr : Graph_Attr<"Scale", "scale"> {
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

#endif // TESSERA_GRAPH_DIALECT
