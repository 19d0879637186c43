// Where the sizes of an operation's results come from.
#ifndef TESSERA_INTERFACES_DIMENSION_SOURCE
#define TESSERA_INTERFACES_DIMENSION_SOURCE

include "mlir/IR/OpBase.td"

def DimensionSourceOpInterface : OpInterface<"DimensionSourceOpInterface"> {
  let cppNamespace = "::tessera";
  let description = [{
    Every dimension of the results is one of an operand, or follows from one.
    `SizeAnalysis` looks through such an operation without knowing its dialect.
  }];
  let methods = [
    InterfaceMethod<[{
      The tensor operand and its dimension whose size is that of `dimension` of
      the result `result`.
    }], "std::pair<::mlir::Value, int64_t>", "getDimensionSource",
    (ins "unsigned":$result, "int64_t":$dimension)>,
    InterfaceMethod<[{
      The size of `dimension` of the result `result`, where `dimOf` gives those of
      operands: for operations with sizes that only follow from an operand's.
    }], "::mlir::AffineExpr", "getDimension",
    (ins "unsigned":$result, "int64_t":$dimension,
         "::llvm::function_ref<::mlir::AffineExpr(::mlir::Value, int64_t)>":$dimOf),
    "", [{
      auto [source, from] = $_op.getDimensionSource(result, dimension);
      return dimOf(source, from);
    }]>];
}

#endif // TESSERA_INTERFACES_DIMENSION_SOURCE
