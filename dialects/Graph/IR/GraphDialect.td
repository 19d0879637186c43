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

class Graph_Op<string mnemonic, list<Trait> traits = []>
    : Op<Graph_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

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
