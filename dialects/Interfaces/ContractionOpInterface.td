// What a product is: the answer for every pass, cost model and builder.
#ifndef TESSERA_INTERFACES_CONTRACTION
#define TESSERA_INTERFACES_CONTRACTION

include "mlir/IR/OpBase.td"

def ContractionOpInterface : OpInterface<"ContractionOpInterface"> {
  let cppNamespace = "::tessera";
  let description = [{
    An operation whose result is a sum of products of elements of two operands: a
    matrix product, a convolution. Structured operations of linalg have the
    interface by external models (LinalgContractions.cpp), where `isProduct` says
    whether the body is one.
  }];
  let methods = [
    InterfaceMethod<"Whether the operation is a product.", "bool", "isProduct">,
    InterfaceMethod<[{
      Loops, affine maps, windows and types of the product. Fails where it has no
      form with rows and columns; `emitError` (may be null) then takes the reason.
    }], "::mlir::FailureOr<::tessera::Contraction>", "getContraction",
    (ins "::llvm::function_ref<::mlir::InFlightDiagnostic()>":$emitError)>];
}

#endif // TESSERA_INTERFACES_CONTRACTION
