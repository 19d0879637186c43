// Where the sizes of an operation's results come from.
#ifndef TESSERA_INTERFACES_DIMENSION_SOURCE
#define TESSERA_INTERFACES_DIMENSION_SOURCE

include "mlir/IR/OpBase.td"

def DimensionSourceOpInterface : OpInterface<"DimensionSourceOpInterface"> {
  let cppNamespace = "::tessera";
  let description = [{
    Every dimension of the results is one of an operand. `SizeAnalysis` looks
    through such an operation without knowing its dialect.
  }];
  let methods = [
    InterfaceMethod<[{
      The tensor operand and its dimension whose size is that of `dimension` of
      the result `result`.
    }], "std::pair<::mlir::Value, int64_t>", "getDimensionSource",
    (ins "unsigned":$result, "int64_t":$dimension)>];
}

#endif // TESSERA_INTERFACES_DIMENSION_SOURCE
