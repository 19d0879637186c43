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
    An argument has a dense layout unless a launch passes another one; it then has
    the strides that all launches agree on, the others are dynamic. A kernel with
    guarded schedules becomes a function for each of them and one that calls the first
    whose guard holds.

    Expects the buffer state. Fails with a diagnostic at a kernel that has no
    schedule or whose schedule its body does not fit.
  }];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::amx::AMXDialect", "mlir::arith::ArithDialect",
    "mlir::bufferization::BufferizationDialect", "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
    "mlir::math::MathDialect", "mlir::memref::MemRefDialect",
    "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
    "mlir::vector::VectorDialect", "tessera::graph::GraphDialect",
    "tessera::kernel::KernelDialect"];
}

def LowerVectors : Pass<"cpu-lower-vectors", "mlir::func::FuncOp"> {
  let summary = "Break vector operations into those that LLVM has";
  let description = [{
    Contractions become outer products of fused multiply-adds, multi-dimensional
    transfers unrolled one-dimensional ones, these (masked) loads and stores,
    transposes shuffles. The number of lanes of a mask is compared in 32 bits
    after it was clamped, so it may exceed 2^31.

      vector.transfer_read %m[%i, %j] : memref<?x?xf32>, vector<2x8xf32>
        ==>  two vector.maskedload of vector<8xf32>
  }];
  let options = [Option<"avx2", "avx2", "bool", /*default=*/"true",
                        "Transpose 8x8 f32 by AVX2 instructions">];
  let dependentDialects = [
    "mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
    "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect",
    "mlir::scf::SCFDialect", "mlir::ub::UBDialect",
    "mlir::vector::VectorDialect"];
}

def GuardDivisions : Pass<"cpu-guard-divisions", "mlir::func::FuncOp"> {
  let summary = "Keep integer divisions from stopping the process";
  let description = [{
    A divisor that may be 0, or of signed numbers -1, by which the least one has no
    quotient, is 1 in these places; quotients by -1 are the negated dividend. What x / 0
    gives is the dividend, and no remainder: nobody who minds may divide by it.

      arith.divui %x, %d
        ==>  arith.divui %x, (select (cmpi eq %d, 0), 1, %d)

    Leaves divisors alone that are known not to be these numbers: constants, maxima,
    and what a model's own division was given.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::vector::VectorDialect"];
}

def ExpandReshapes : Pass<"cpu-expand-reshapes", "mlir::func::FuncOp"> {
  let summary = "Express memref.expand_shape as memref.reinterpret_cast";
  let description = [{
    Upstream's expansion of strided metadata does not know two dynamic sizes in
    one group; here sizes are those that the operation names and strides follow
    from the source's.
    ```mlir
    %y = memref.expand_shape %x [[0, 1]] output_shape [%a, %b] : memref<?xf32> into memref<?x?xf32>
    // becomes
    %base, %offset, %size, %stride = memref.extract_strided_metadata %x
    %y = memref.reinterpret_cast %base to offset: [0], sizes: [%a, %b], strides: [%b, 1]
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::memref::MemRefDialect"];
}

def ExpandNarrowFloats : Pass<"cpu-expand-narrow-floats", "mlir::func::FuncOp"> {
  let summary = "Compute f16 and bf16 in f32, and their conversions without a runtime library";
  let description = [{
    LLVM calls helpers such as __truncsfbf2 for conversions that the CPU lacks,
    which no C library of ours has.

      arith.addf %a, %b : bf16   ==>  extf, extf, arith.addf : f32, truncf
      arith.truncf : f32 to bf16 ==>  integer operations, round to nearest even
      arith.truncf : f64 to f16  ==>  f64 to f32 rounding to odd, then to f16

    Sums, products, quotients, extrema and selections go on in f32 to the next of
    these; what others take is rounded to its type, as what is stored.

    Also expands the rounding integer divisions. Without the option `f16c`
    conversions of f16 become integer operations, too.
  }];
  let options = [Option<"f16c", "f16c", "bool", /*default=*/"true",
                        "Whether the CPU converts between f16 and f32">];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::vector::VectorDialect"];
}

def LowerEntries : Pass<"cpu-lower-entries", "mlir::ModuleOp"> {
  let summary = "Give entries the C signature and asserts an error exit";
  let description = [{
    A function that a kernel.entry runs, and the one that has its checks, returns an
    i32: 0, or 1 after a graph.assert that failed has stored its message in the
    context. What an entry runs begins with its checks. After each
    call that was a kernel.launch the context's observer, if it has one, is told.

      func.func @main(%ctx: !llvm.ptr) { graph.assert %c, "message"  return }
        ==>  func.func @main(%ctx: !llvm.ptr) -> i32 { … cf.cond_br … return %zero : i32 }

    Expects control flow without scf. Fails at a graph.assert elsewhere than in
    an entry and outside of its parallel loops.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::cf::ControlFlowDialect",
                           "mlir::LLVM::LLVMDialect"];
}

def ConvertKernelToLLVM : Pass<"cpu-convert-kernel-to-llvm", "mlir::ModuleOp"> {
  let summary = "Convert functions on memrefs to the LLVM dialect, but for parallel loops";
  let description = [{
    kernel.symbol, kernel.storage and all of arith, math, memref, vector, cf and
    func become LLVM operations on the context's fields. kernel.parallel_for
    stays, with a body in the LLVM dialect and a 64-bit count. Functions are
    internal: only the artifact's table is seen from outside.

      kernel.symbol %ctx 0   ==>  a load of ctx->symbols[0]

    Fails at anything else and at an allocation: generated code does not allocate.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

def OutlineParallelLoops : Pass<"cpu-outline-parallel-loops", "mlir::ModuleOp"> {
  let summary = "Turn the bodies of parallel loops into functions called by the thread pool";
  let description = [{
    The values that a body uses from above go into a struct on the stack;
    constants are repeated in the body instead.

      kernel.parallel_for (%task, %worker) in (%count) of %ctx { use(%a)  kernel.end }
        ==>
      captures = {%a};  ctx->parallelFor(ctx->pool, @f.task, &captures, %count)
      llvm.func @f.task(%captures, %task, %worker) { use(captures->a) }

    One task runs on the calling thread without the pool: in place when the count
    is the constant 1, by a call when it turns out at run time; not so in
    functions called from inside a parallel loop, which do not know their worker.
    Allocas of constant size move to their function's entry, so that loops do
    not grow the stack.

    Expects what cpu-convert-kernel-to-llvm leaves.
  }];
  let dependentDialects = ["mlir::LLVM::LLVMDialect"];
}

def ExpandMath : Pass<"cpu-expand-math"> {
  let summary = "Replace elementary functions of f32 by polynomial code";
  let description = [{
    Functions of scalars and vectors of any length become arithmetic
    (VectorMath.h has the errors), pow and the inverse hyperbolic ones partly in
    f64; rsqrt becomes a division by a square root. cbrt, erfc, atan2 and large
    angles are computed element by element in f64, for libm. f16 and bf16 are
    computed in f32; f64 is left for libm.

      math.exp %x : vector<8xf32>  ==>  math.fma, arith.shli, arith.mulf ... : vector<8xf32>
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect",
                           "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

#endif // TESSERA_TARGET_CPU_PASSES
