// RUN: tessera-opt %s --cpu-emit-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Where the run is large and the output begins at a line, stores go past the caches
// and a fence ends each task.
// CHECK-LABEL: func.func private @flat
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?xf32>, %[[OUT:.*]]: memref<?xf32>,
// CHECK: %[[LARGE:.*]] = arith.cmpi uge, %{{.*}}, %c4096
// CHECK: %[[ADDRESS:.*]] = memref.extract_aligned_pointer_as_index %[[OUT]]
// CHECK: %[[REST:.*]] = arith.andi %[[ADDRESS]], %c63
// CHECK: %[[BEGINS:.*]] = arith.cmpi eq, %[[REST]], %c0
// CHECK: %[[STREAMS:.*]] = arith.andi %[[LARGE]], %[[BEGINS]]
// CHECK: scf.if %[[STREAMS]]
// CHECK: vector.store %{{.*}}, %[[OUT]][%{{.*}}] {alignment = 32 : i64, nontemporal = true}
// CHECK: vector.maskedstore
// CHECK: llvm.call_intrinsic "llvm.x86.sse.sfence"() : () -> ()
// CHECK: } else {
// CHECK-NOT: nontemporal
// CHECK-NOT: sfence
kernel.func @flat(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096, streamBytes = 4096>],
                shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>]} {
  %s = arith.mulf %x, %x : tensor<?xf32>
  kernel.yield %s : tensor<?xf32>
}

// -----

// Of a row that later passes read, and the sums of rows, nothing goes past the caches.
// CHECK-LABEL: func.func private @normalize
// CHECK-SAME: %{{.*}}: !llvm.ptr, %{{.*}}: memref<?x48xf32>, %[[SQUARES:.*]]: memref<?x48xf32>, %[[OUT:.*]]: memref<?x48xf32>,
// CHECK: scf.if
// CHECK: vector.store %{{.*}}, %[[SQUARES]][%{{.*}}] :
// CHECK: vector.load %[[SQUARES]]
// CHECK: vector.store %{{.*}}, %[[OUT]][%{{.*}}] {alignment = 32 : i64, nontemporal = true}
// CHECK: sfence
kernel.func @normalize(%x: tensor<?x48xf32>, %squares: tensor<?x48xf32>, %out: tensor<?x48xf32>, %n: index) -> (tensor<?x48xf32>, tensor<?x48xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024, streamBytes = 4096>],
                shapes = [affine_map<()[s0] -> (s0, 48)>, affine_map<()[s0] -> (s0, 48)>, affine_map<()[s0] -> (s0, 48)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %z = arith.mulf %x, %x : tensor<?x48xf32>
  %s = linalg.reduce { arith.addf } ins(%z : tensor<?x48xf32>) outs(%f : tensor<?xf32>) dimensions = [1]
  %k = tensor.expand_shape %s [[0, 1]] output_shape [%n, 1] : tensor<?xf32> into tensor<?x1xf32>
  %r = graph.broadcast_to %k sizes(%n) : tensor<?x1xf32> -> tensor<?x48xf32>
  %y = arith.divf %z, %r : tensor<?x48xf32>
  kernel.yield %z, %y : tensor<?x48xf32>, tensor<?x48xf32>
}

// -----

// Rows that do not begin at lines, and tensors that are known to be small.
// CHECK-LABEL: func.func private @odd_rows
// CHECK-NOT: nontemporal
// CHECK-LABEL: func.func private @small
// CHECK-NOT: nontemporal
// CHECK-LABEL: func.func private @softmax
// CHECK-NOT: nontemporal
kernel.func @odd_rows(%x: tensor<?x40xf32>, %out: tensor<?x40xf32>, %n: index) -> tensor<?x40xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096, streamBytes = 4096>],
                shapes = [affine_map<()[s0] -> (s0, 40)>, affine_map<()[s0] -> (s0, 40)>]} {
  %s = arith.mulf %x, %x : tensor<?x40xf32>
  kernel.yield %s : tensor<?x40xf32>
}
kernel.func @small(%x: tensor<16x16xf32>, %out: tensor<16x16xf32>) -> tensor<16x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096, streamBytes = 4096>],
                shapes = [affine_map<() -> (16, 16)>, affine_map<() -> (16, 16)>]} {
  %s = arith.mulf %x, %x : tensor<16x16xf32>
  kernel.yield %s : tensor<16x16xf32>
}
// Its powers are in the output's rows between the passes.
kernel.func @softmax(%x: tensor<16x?xf32>, %out: tensor<16x?xf32>, %n: index) -> tensor<16x?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024, streamBytes = 4096>],
                shapes = [affine_map<()[s0] -> (16, s0)>, affine_map<()[s0] -> (16, s0)>]} {
  %e = tensor.empty(%n) : tensor<16x?xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<16x?xf32>) outs(%e : tensor<16x?xf32>) -> tensor<16x?xf32>
  kernel.yield %y : tensor<16x?xf32>
}
