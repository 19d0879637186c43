// The machine that a module is compiled for.
#ifndef TESSERA_KERNEL_MACHINE
#define TESSERA_KERNEL_MACHINE

include "dialects/Kernel/IR/KernelBase.td"

def Kernel_MachineAttr : Kernel_Attr<"Machine", "machine"> {
  let summary = "The machine that schedules are chosen and code is made for";
  let description = [{
    A machine record (`lib/CostModel/Machine.h`, which names the fields and their
    units) as the attribute `kernel.machine` of a module. `kernel-set-machine` writes
    it whole. A person may leave fields out: they are those of the record of the
    family `base`, which is x86-64-v3 if it is left out, too.

    C1: fields are strings, booleans, 64-bit integers or floats, and each is there
    once. C2: the attribute `kernel.machine` is a machine, on a module.

    ```mlir
    module attributes {kernel.machine = #kernel.machine<base = "znver4", l2Bytes = 2097152>} {}
    ```
  }];
  let parameters = (ins "::mlir::DictionaryAttr":$fields);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The attribute of a module that holds its machine.
    static constexpr ::llvm::StringLiteral kModuleAttr = "kernel.machine";
  }];
}

#endif // TESSERA_KERNEL_MACHINE
