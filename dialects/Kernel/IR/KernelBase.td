// The kernel dialect itself and what its definitions are made of.
#ifndef TESSERA_KERNEL_BASE
#define TESSERA_KERNEL_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/OpBase.td"

def Kernel_Dialect : Dialect {
  let name = "kernel";
  let cppNamespace = "::tessera::kernel";
  let summary = "Fused kernels, their schedules and their storage";
  let description = [{
    The border between what is computed and how. In the kernel state a
    `kernel.func` is one fused group on tensors, run by `kernel.call`; in the
    buffer state `kernel.launch` runs it on storage that is planned, and the other
    operations are what generated code asks of the runtime. Schedules are
    attributes of a `kernel.func` which passes write and emitters read.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

def Kernel_Context
    : Type<CPred<"::llvm::isa<::mlir::LLVM::LLVMPointerType>($_self)">, "context pointer">,
      BuildableType<"::mlir::LLVM::LLVMPointerType::get($_builder.getContext())">;

class Kernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<Kernel_Dialect, mnemonic, traits>;

class Kernel_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Kernel_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

#endif // TESSERA_KERNEL_BASE
