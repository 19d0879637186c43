// Operations that take elements from a tensor as they are.
#ifndef TESSERA_INTERFACES_MOVEMENT
#define TESSERA_INTERFACES_MOVEMENT

include "mlir/IR/OpBase.td"

def MovementOpInterface : OpInterface<"MovementOpInterface"> {
  let cppNamespace = "::tessera";
  let description = [{
    Every element of the only result is an element of the first operand, as it is;
    the operation only says which one. `Movement` says how, from what costs nothing
    to what reads indices from memory. Upstream's operations have it from
    `registerMovements`.
  }];
  let methods = [
    InterfaceMethod<"How the index into the source follows from that of the result.",
                    "::tessera::Movement", "getMovement">
  ];
}

#endif // TESSERA_INTERFACES_MOVEMENT
