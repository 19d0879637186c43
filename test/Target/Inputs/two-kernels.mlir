// Functions as cpu-emit-kernels leaves them, with an entry: y = exp(x + w), by
// two kernels with a value of the arena between them.
func.func private @add(%ctx: !llvm.ptr, %x: memref<?x16xf32>, %w: memref<16xf32>, %out: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c8 = arith.constant 8 : index
  %c16 = arith.constant 16 : index
  %zero = arith.constant 0.0 : f32
  kernel.parallel_for (%task, %worker) in (%n) of %ctx {
    scf.for %j = %c0 to %c16 step %c8 {
      %a = vector.load %x[%task, %j] : memref<?x16xf32>, vector<8xf32>
      %b = vector.transfer_read %w[%j], %zero : memref<16xf32>, vector<8xf32>
      %c = arith.addf %a, %b : vector<8xf32>
      vector.store %c, %out[%task, %j] : memref<?x16xf32>, vector<8xf32>
    }
    kernel.end
  }
  return
}
func.func private @exp(%ctx: !llvm.ptr, %x: memref<?x16xf32>, %out: memref<?x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  kernel.parallel_for (%task, %worker) in (%c1) of %ctx {
    %scratch = memref.alloca() : memref<16xf32>
    scf.for %i = %c0 to %n step %c1 {
      scf.for %j = %c0 to %c16 step %c1 {
        %a = memref.load %x[%i, %j] : memref<?x16xf32>
        %b = math.exp %a : f32
        memref.store %b, %scratch[%j] : memref<16xf32>
      }
      scf.for %j = %c0 to %c16 step %c1 {
        %a = memref.load %scratch[%j] : memref<16xf32>
        memref.store %a, %out[%i, %j] : memref<?x16xf32>
      }
    }
    kernel.end
  }
  return
}
func.func @main(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %c3 = arith.constant 3 : index
  %ok = arith.cmpi ne, %n, %c3 : index
  graph.assert %ok, "seq is 3"
  %x = kernel.storage %ctx input 0 sizes(%n) : memref<?x16xf32>
  %w = kernel.storage %ctx weights 64 : memref<16xf32>
  %t = kernel.storage %ctx value 0 sizes(%n) : memref<?x16xf32>
  %y = kernel.storage %ctx output 0 sizes(%n) : memref<?x16xf32>
  call @add(%ctx, %x, %w, %t, %n) : (!llvm.ptr, memref<?x16xf32>, memref<16xf32>, memref<?x16xf32>, index) -> ()
  call @exp(%ctx, %t, %y, %n) : (!llvm.ptr, memref<?x16xf32>, memref<?x16xf32>, index) -> ()
  return
}
graph.weights @w : tensor<16xf32> from dense<[0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875]> : tensor<16xf32> as tensor<16xf32>
kernel.entry @main_entry runs @main inputs [#kernel.port<"x", f32, ()[s0] -> (s0, 16)>]
  outputs [#kernel.port<"y", f32, ()[s0] -> (s0, 16)>] symbols [#kernel.named_size<"seq", 0, 128, 1024>]
  values [#kernel.value<()[s0] -> (s0 * 64), 0, 1>] weights [#kernel.weight_place<@w, 64>] bytes 128
