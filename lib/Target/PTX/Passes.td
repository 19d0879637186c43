// Passes from kernel.func to PTX, in the order in which they run.
#ifndef TESSERA_TARGET_PTX_PASSES
#define TESSERA_TARGET_PTX_PASSES

include "mlir/Pass/PassBase.td"

def EmitKernels : Pass<"ptx-emit-kernels", "mlir::ModuleOp"> {
  let summary = "Build device kernels from kernel.funcs by their schedules";
  let description = [{
    Makes one gpu.module @device with an llvm.func for each kernel.func whose
    first schedule a route of the target takes (`Routes.h`): it is
    `#kernel.warpgroup_contraction` or `#kernel.rows`, as
    `kernel-choose-schedules=target=ptx` writes them. What the host needs for a launch is the function's attribute `kernel.device_launch`.
    Kernel.funcs stay: the host side still refers to them. Those with another
    schedule are left alone.

    Fails where a kernel does not fit its schedule, with a diagnostic at the
    kernel or at the operation that has no device form.
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::gpu::GPUDialect",
    "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect",
    "mlir::NVVM::NVVMDialect", "mlir::scf::SCFDialect",
    "mlir::vector::VectorDialect"];
}

def LowerDeviceModules : Pass<"ptx-lower-device-modules", "mlir::gpu::GPUModuleOp"> {
  let summary = "Lower a gpu.module to the LLVM and NVVM dialects";
  let description = [{
    Expands math functions (see ApproximateMath.h), then converts arith, math,
    vector, scf and cf, and the nvvm operations that are inline PTX. Nothing
    else is left, or the pass fails.
  }];
  let dependentDialects = [
    "mlir::arith::ArithDialect", "mlir::cf::ControlFlowDialect",
    "mlir::LLVM::LLVMDialect", "mlir::math::MathDialect",
    "mlir::vector::VectorDialect"];
}

def ToText : Pass<"ptx-to-text", "mlir::ModuleOp"> {
  let summary = "Turn each gpu.module into a gpu.binary that holds PTX text";
  let description = [{
    Translates to LLVM IR, optimises and runs LLVM's NVPTX code generator, all in
    process. The gpu.object's properties hold, for each kernel, what its
    `kernel.device_launch` attribute said. Needs a module
    that ptx-lower-device-modules has lowered; needs neither a GPU nor NVIDIA's tools.
  }];
  let options = [
    Option<"chip", "chip", "std::string", /*default=*/"\"sm_90a\"",
           "Architecture as LLVM names it">,
    Option<"features", "features", "std::string", /*default=*/"\"+ptx88\"",
           "PTX version as an LLVM feature">];
  let dependentDialects = ["mlir::gpu::GPUDialect", "mlir::NVVM::NVVMDialect"];
}

#endif // TESSERA_TARGET_PTX_PASSES
