// Passes of the CPU target.
#ifndef TESSERA_TARGET_CPU_PASSES
#define TESSERA_TARGET_CPU_PASSES

include "mlir/Pass/PassBase.td"

def EmitKernels : Pass<"cpu-emit-kernels", "mlir::ModuleOp"> {
  let summary = "Turn each kernel into a function on memrefs by the route its schedule names";
  let description = [{
    ```mlir
    kernel.func @k(%x: tensor<?x4xf32>, %out: tensor<?x4xf32>, %n: index) …
    kernel.launch @k of %ctx (%a, %b) sizes(%n) : memref<?x4xf32>, memref<?x4xf32>
    ```
    becomes
    ```mlir
    func.func private @k(%ctx: !llvm.ptr, %x: memref<?x4xf32>, %out: memref<?x4xf32>, %n: index) { … }
    func.call @k(%ctx, %a, %b, %n)
    ```
    An argument has a dense layout unless a launch passes another one; it then
    is `strided<[?, …, 1], offset: ?>`, to which all launches cast.

    Expects the buffer state. Fails with a diagnostic at a kernel that has no
    schedule or whose schedule its body does not fit.
  }];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
    "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
    "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
    "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
    "mlir::vector::VectorDialect", "tessera::kernel::KernelDialect"];
}

#endif // TESSERA_TARGET_CPU_PASSES
