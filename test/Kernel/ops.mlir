// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

#n = affine_map<()[s0] -> (s0)>

// CHECK-LABEL: kernel.func @exp
// CHECK-SAME:    -> tensor<?xf32> attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>, #kernel.generic]
kernel.func @exp(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [#n, #n],
                schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>, #kernel.generic]} {
  %y = math.exp %x : tensor<?xf32>
  // CHECK: kernel.yield %{{.+}} : tensor<?xf32>
  kernel.yield %y : tensor<?xf32>
}

// CHECK-LABEL: @kernel_state
func.func @kernel_state(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %e = tensor.empty(%n) : tensor<?xf32>
  // CHECK: kernel.call @exp ins(%{{.+}} : tensor<?xf32>) outs(%{{.+}} : tensor<?xf32>) sizes(%{{.+}}) -> tensor<?xf32>
  %y = kernel.call @exp ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// CHECK-LABEL: @buffer_state
func.func @buffer_state(%ctx: !llvm.ptr) {
  // CHECK: kernel.symbol %{{.+}} 0
  %n = kernel.symbol %ctx 0
  // CHECK: kernel.storage %{{.+}} input 0 sizes(%{{.+}}) : memref<?xf32>
  %x = kernel.storage %ctx input 0 sizes(%n) : memref<?xf32>
  // CHECK: kernel.storage %{{.+}} value 1 sizes(%{{.+}}) : memref<?xf32>
  %y = kernel.storage %ctx value 1 sizes(%n) : memref<?xf32>
  // CHECK: kernel.launch @exp of %{{.+}}(%{{.+}}, %{{.+}}) sizes(%{{.+}}) : memref<?xf32>, memref<?xf32>
  kernel.launch @exp of %ctx (%x, %y) sizes(%n) : memref<?xf32>, memref<?xf32>
  // CHECK: kernel.parallel_for (%{{.+}}, %{{.+}}) in (%{{.+}}) of %{{.+}} {
  kernel.parallel_for (%task, %worker) in (%n) of %ctx {
    // CHECK: kernel.end
    kernel.end
  }
  %count = arith.index_cast %n : index to i64
  // CHECK: kernel.parallel_for {{.*}} : i64 {
  kernel.parallel_for (%task, %worker) in (%count) of %ctx : i64 {
    kernel.end
  }
  return
}

// CHECK: kernel.entry @entry runs @buffer_state inputs [#kernel.port<"x", f32, ()[s0] -> (s0) node "made">]
// CHECK-SAME: outputs [#kernel.port<"y", f32, ()[s0] -> (s0), alias 0 node "added">]
// CHECK-SAME: symbols [#kernel.named_size<"n", 0, 8, 64>] values [#kernel.value<()[s0] -> (s0 * 4), 0, 1>]
kernel.entry @entry runs @buffer_state inputs [#kernel.port<"x", f32, ()[s0] -> (s0) node "made">]
  outputs [#kernel.port<"y", f32, ()[s0] -> (s0), alias 0 node "added">]
  symbols [#kernel.named_size<"n", 0, 8, 64>]
  values [#kernel.value<()[s0] -> (s0 * 4), 0, 1>] weights [] bytes 0
