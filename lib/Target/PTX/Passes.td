// Passes from kernel.func to PTX, in the order in which they run.
#ifndef TESSERA_TARGET_PTX_PASSES
#define TESSERA_TARGET_PTX_PASSES

include "mlir/Pass/PassBase.td"

def ChooseSchedules : Pass<"ptx-choose-schedules", "mlir::ModuleOp"> {
  let summary = "Give each kernel the schedule of its root for an sm_90a device";
  let description = [{
    Schedules belong to a target, kernels do not: this pass replaces the
    `schedules` of every kernel.func by one that the PTX builders read.

      linalg.matmul ...   ==>  #kernel.warpgroup_contraction<rows = 128, ...>
      arith, math         ==>  #kernel.rows<lanes = 8, ...>

    The options are the sizes of the first kind. An elementwise kernel gets so
    many lanes that its narrowest element type is accessed 16 bytes at a time.
    Kernels with another root are left alone.
  }];
  let options = [
    Option<"rows", "rows", "int64_t", /*default=*/"128", "Tile rows">,
    Option<"columns", "columns", "int64_t", /*default=*/"256", "Tile columns">,
    Option<"depth", "depth", "int64_t", /*default=*/"64",
           "Elements of the contracted dimension in a stage">,
    Option<"stages", "stages", "int64_t", /*default=*/"4",
           "Stages of the shared-memory ring">,
    Option<"consumers", "consumers", "int64_t", /*default=*/"2",
           "Warpgroups that multiply">,
    Option<"rasterRows", "raster-rows", "int64_t", /*default=*/"8",
           "Row tiles that blocks running together share">,
    Option<"pingPong", "ping-pong", "bool", /*default=*/"false",
           "Consumers take whole tiles in turn instead of sharing each">];
  let dependentDialects = ["tessera::kernel::KernelDialect"];
}

def EmitKernels : Pass<"ptx-emit-kernels", "mlir::ModuleOp"> {
  let summary = "Build device kernels from kernel.funcs by their schedules";
  let description = [{
    Makes one gpu.module @device with an llvm.func for each kernel.func whose
    first schedule is `#kernel.warpgroup_contraction` or `#kernel.rows`. What the
    host needs for a launch is the function's attribute `kernel.device_launch`.
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
