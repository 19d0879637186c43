// What every step of a weight's recipe answers.
#ifndef TESSERA_GRAPH_RECIPE_STEP
#define TESSERA_GRAPH_RECIPE_STEP

include "mlir/IR/OpBase.td"

def Graph_RecipeStep : AttrInterface<"RecipeStep"> {
  let cppNamespace = "::tessera::graph";
  let description = [{
    A step that makes a weight of another: of its elements in another order, of
    other elements, or of another element type. A new step is an attribute in
    `WeightRecipes.td` with this interface, its methods in a file beside it, and a
    test; nobody who reads, folds or writes weights knows the steps apart.
  }];
  let methods = [
    InterfaceMethod<[{
      The type that the step makes of `source`, or failure if it does not apply:
      `reason` then says why.
    }], "::mlir::FailureOr<::mlir::RankedTensorType>", "resultType",
    (ins "::mlir::RankedTensorType":$source, "std::string &":$reason)>,
    InterfaceMethod<[{
      Makes `reader`, whose elements have the type `source` that the step applies
      to, give the elements of the step's result.
    }], "::llvm::Error", "apply", (ins "::tessera::graph::WeightReader &":$reader)>,
    InterfaceMethod<[{
      Whether the step only maps indices: each element of the result is one of the
      source, or zero.
    }], "bool", "mapsIndices", (ins), [{}], [{ return false; }]>];
}

#endif // TESSERA_GRAPH_RECIPE_STEP
