// Passes of the kernel state.
#ifndef TESSERA_KERNEL_PASSES
#define TESSERA_KERNEL_PASSES

include "mlir/Pass/PassBase.td"

def OnePerOp : Pass<"kernel-one-per-op", "mlir::ModuleOp"> {
  let summary = "Make every tensor operation of the entries a kernel of its own";
  let description = [{
    The naive way to the kernel state, for -O0 and as the oracle of every
    optimised path: no fusion, every kernel lowered by the generic route.

      %a = math.exp %x ; %b = math.tanh %a
      ==>
      %a = kernel.call @exp ins(%x) outs(%e) ; %b = kernel.call @tanh ins(%a) outs(%f)

    Expects the graph state with boolean arguments and results as bytes
    (graph-legalize-booleans). Leaves weights, sizes, scalars and assertions in
    the entry. Branches and loops as kernel-outline-groups.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect", "tessera::kernel::KernelDialect"];
}

def MergeIdentical : Pass<"kernel-merge-identical", "mlir::ModuleOp"> {
  let summary = "Keep one of the kernels that are equal but for their names";
  let description = [{
    The layers of a model give the same kernels again and again; compile time
    and code size follow the number of distinct ones.

      kernel.call @exp …, kernel.call @exp_0 …  ==>  kernel.call @exp …, kernel.call @exp …

    Locations do not count; the first kernel's stay.
  }];
}

def ShareConstants : Pass<"kernel-share-constants", "mlir::ModuleOp"> {
  let summary = "Make kernels that differ only in numbers take these as arguments";
  let description = [{
    The steps of a recurrent layer, which read one row each, and layers that are
    scaled by a number of their own are one kernel then, not one each:

      extract_slice %x[0, 0], extract_slice %x[1, 0] …
        ==>  extract_slice %x[%first, 0], called with 0, 1 …
      constant dense<0.3> : tensor<f32>, constant dense<0.7> : tensor<f32> …
        ==>  an argument, called with weights of one element

    Where four kernels or more differ in nothing but the first offset of their
    slices and constants of floats, i32 or i8 that are all the same (scales and zero
    points of quantized layers); kernel-merge-identical
    leaves one of them.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect"];
}

def NarrowContractions : Pass<"kernel-narrow-contractions", "mlir::ModuleOp"> {
  let summary = "Give products of f32 operands of 16 bits, where the precision allows";
  let description = [{
    Matrix units multiply 16 bits many times as fast as 32, and half the bytes are
    read. Sums, and all that is no product, stay f32:

      linalg.matmul ins(%a, %w) of f32   ==>   %b = arith.truncf %a ; %v = arith.truncf %w
                                               linalg.matmul ins(%b, %v) outs(… : f32)

    What computes %a stores it as bf16, if nothing else reads it; weights are
    converted when the artifact is written (graph-fold-weight-arithmetic).

    Expects the graph state and, for `fast`, a machine: products that it does not
    compute faster so stay. Leaves products of fewer than 32 contracted elements and
    depthwise convolutions. `strict`, `highest` and `high` change nothing.
  }];
  let options = [
    Option<"precision", "precision", "std::string", /*default=*/"\"highest\"",
           "strict, highest, high, fast (or medium), bf16 or f16">];
  let dependentDialects = ["mlir::arith::ArithDialect"];
}

def StoreOperands : Pass<"kernel-store-operands", "mlir::func::FuncOp"> {
  let summary = "Store operands that a kernel would convert or gather again at every use";
  let description = [{
    A window reads each element of its input many times, and through a transpose
    one element at a time; a register tile broadcasts each element of its rows for
    every tile of columns, and widens it each time:

      %p = graph.pool max (linalg.transpose %x)   ==>  %c = linalg.copy (linalg.transpose %x)
                                                       %p = graph.pool max %c
      linalg.transpose (graph.pool (linalg.transpose %x))
                                                  ==>  graph.pool of the planes of %x
      %q = linalg.matmul ins(%a, %b) with f16 %a  ==>  %w = arith.extf %a to f32
                                                       %q = linalg.matmul ins(%w, %b)

    Expects the graph state, before groups are formed. Leaves products of so few
    columns that one tile has all of them, and operands that the module's machine,
    if it has one, multiplies in pairs without widening them.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

def OutlineGroups : Pass<"kernel-outline-groups", "mlir::ModuleOp"> {
  let summary = "Make each fused group of operations a kernel";
  let description = [{
    Forms the groups (KernelGroups.h) and outlines them: contractions and
    convolutions with their epilogues, reductions of the same rows with what
    stands between them, chains of elementwise operations.

      %p = linalg.matmul …
      %s = arith.addf %p, %bias      ==>   %t = kernel.call @matmul ins(…) outs(…)
      %t = math.tanh %s

    Expects the graph state. Operations that only map indices are cloned into
    every kernel that reads through them; reshapes of stored values stay outside,
    as views.

    The blocks of `scf.if` and `scf.for` have groups of their own. What such a block
    gives, and what a loop begins with, is copied unless a kernel writes it for that
    alone (RegionTensors.h). Fails where a loop carries a tensor whose sizes change.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect", "tessera::kernel::KernelDialect"];
}

def PackWeights : Pass<"kernel-pack-weights", "mlir::ModuleOp"> {
  let summary = "Store the right-hand sides of products as the panels that their route reads";
  let description = [{
    Which panels a product [M, K] x [K, N] reads is asked of the target's routes
    (`operandLayout`): columns of a panel, and how many neighbours of the contracted
    dimension lie together. The weight's recipe gains the packing; the kernel's body
    begins with the matching unpack, which the route's builder reads directly:

      kernel.func @matmul(%w: tensor<KxN>, …)   ==>   kernel.func @matmul(%p: tensor<N/32 x K/4 x 32 x 4>, …) {
                                                        %w = linalg.unpack %p outer_dims_perm = [1, 0]
                                                               inner_dims_pos = [1, 0] inner_tiles = [32, 4] …

    Convolution filters [spatial..., C, N] are packed as [spatial * C, N], those of
    groups only if each group is whole panels. Neighbours that lie together are those
    of one tap, or of taps that are read as one row of the input: where C is no multiple
    of them, the panels are [N/32, taps, ceil(C/4), 32, 4]. What fills panels is zero.

    Gathers read the panels too, so that a table that is also a right-hand side,
    transposed or not, is stored once:

      graph.gather %table[%ids]   ==>   %t = linalg.transpose (linalg.unpack %p) [1, 0]
                                        graph.gather %t[%ids]

    Each element that a gather takes then costs a cache line, about the time of 128
    multiply-adds: only where at typical sizes all of them take at most a 32nd of
    the time of the module's products. Leaves weights alone that anything else reads.

    Expects kernels with one call each, as kernel-outline-groups leaves them, and a
    module with a machine.
  }];
  let options = [Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
                        "Target whose routes are asked">];
  let dependentDialects = ["mlir::linalg::LinalgDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect"];
}

def SetMachine : Pass<"kernel-set-machine", "mlir::ModuleOp"> {
  let summary = "Give the module the machine that it is compiled for";
  let description = [{
    Writes the whole record (`lib/CostModel/Machine.h`) of a CPU family, of this
    machine with its caches as the system tells them (`native`), or of a file.
    Schedules, object code and the manifest take the machine from there, and from
    nowhere else.

      module {…}   ==>   module attributes {kernel.machine = #kernel.machine<cpu = …>} {…}

    Replaces the machine that the module has, but with `keep`. Fails for a CPU that
    is not known and for a file that is no machine record.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", /*default=*/"\"native\"",
           "CPU family whose machine record is used">,
    Option<"machineFile", "machine-file", "std::string", /*default=*/"",
           "JSON machine record, instead of the CPU family's">,
    Option<"keep", "keep", "bool", /*default=*/"false",
           "Leave alone a module that has a machine">];
  let dependentDialects = ["tessera::kernel::KernelDialect"];
}

def ChooseSchedules : Pass<"kernel-choose-schedules", "mlir::ModuleOp"> {
  let summary = "Write schedules for kernels that have none";
  let description = [{
    The target's routes (`lib/CostModel/KernelRoute.h`) propose them by the kernel's
    root, its sizes (typical values of symbols) and the module's machine
    (kernel-set-machine). The route that takes every kernel comes last in each list:
    kernel-select-schedules keeps the first that the body fits.

      kernel.func @matmul …   ==>   kernel.func @matmul … schedules =
                                      [#kernel.contraction<rows = 6, …>, #kernel.generic]

    Leaves kernels that have schedules alone, so that a person or a tuner may
    choose; expects the kernel state. Kernels that no route has a schedule for, as
    reductions on a GPU, get an empty list. Fails if the module has no machine and the
    target's routes need one.
  }];
  let options = [
    Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
           "Target whose routes are asked">,
    Option<"listsCandidates", "list-candidates", "bool", /*default=*/"false",
           "Report every schedule that a route proposes, with its estimate, as an analysis remark">];
}

def SelectSchedules : Pass<"kernel-select-schedules", "mlir::ModuleOp"> {
  let summary = "Keep of each kernel's schedules those that its body fits";
  let description = [{
    The routes of the target say whether they admit the body, without emitting it. A
    schedule that is not admitted is dropped with a missed remark that says why; the
    last one stays in any case. What stands behind the first admitted schedule without
    a condition can never be taken and goes too. Done in the kernel state, because a
    kernel that falls to the generic route may have to be split, and its parts need
    storage.

      schedules = [#kernel.rows<…>, #kernel.generic]   ==>   schedules = [#kernel.generic]
  }];
  let options = [Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
                        "Target whose routes are asked">];
}

def SplitGeneric : Pass<"kernel-split-generic", "mlir::ModuleOp"> {
  let summary = "Take kernels of the generic route apart where they need intermediates";
  let description = [{
    The generic route turns each structured operation into loops, and kernels
    allocate nothing. What lies between two loop nests becomes a value that
    storage planning places:

      kernel.func @softmax { linalg.softmax }
      ==>
      kernel.func @softmax_0 { maximum } ; … ; kernel.func @softmax_3 { quotients }

    Converts the bodies to structured operations and fuses elementwise ones
    first; kernels that are then one loop nest, or compute in one destination,
    stay whole. Leaves kernels with other schedules alone.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect", "mlir::math::MathDialect",
                           "mlir::scf::SCFDialect", "mlir::tensor::TensorDialect",
                           "tessera::graph::GraphDialect", "tessera::kernel::KernelDialect"];
}

def AppendCaches : Pass<"kernel-append-caches", "mlir::ModuleOp"> {
  let summary = "Append to an input in place where an output only extends it";
  let description = [{
    A decoder's cache is an output that begins with an input: present = concat(past,
    new). Copying the past costs more than a step computes. In one memory, whose
    rows have room to grow, only the new elements are written:

      %y = kernel.call @concat ins(%past, %new) outs(%e)
      ==>
      %p = kernel.call @concat_0 ins(%past) outs(…)      runs unless it is in place
      %n = kernel.call @concat_1 ins(%new) outs(…)       writes behind it
      %y = kernel.append %p, %n outs(%e) along 2 of input 1

    By data flow only: any kernel that concatenates an input, first, and whose result
    is an output. Expects schedules. Leaves alone, with a remark, what a kernel of
    the generic route or a reshape reads that cannot take the caller's strides, and
    an input that was extended already.
  }];
  let options = [Option<"target", "target", "std::string", /*default=*/"\"cpu\"",
                        "Target whose routes say what takes the caller's strides">];
  let dependentDialects = ["mlir::affine::AffineDialect", "mlir::arith::ArithDialect",
                           "mlir::tensor::TensorDialect", "tessera::kernel::KernelDialect"];
}

def VerifyKernelState : Pass<"verify-kernel-state", "mlir::ModuleOp"> {
  let summary = "Fail on compute outside kernels and kernels without a schedule";
  let description = [{
    The border of the kernel state: in an entry stand only `kernel.call`s, views
    of their results, weights, sizes and arithmetic on these, assertions, and
    `scf.if` and `scf.for` with the like in their blocks. Each `kernel.func` has a
    schedule. The error is at the operation.
  }];
}

#endif // TESSERA_KERNEL_PASSES
