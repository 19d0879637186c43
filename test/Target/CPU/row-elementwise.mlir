// RUN: tessera-opt %s --cpu-emit-kernels --canonicalize --cse --split-input-file | FileCheck %s

// A broadcast along the rows: rows in blocks of about taskElements, known columns
// without a tail.
// CHECK-LABEL: func.func private @bias_relu
// CHECK-SAME: %[[CTX:.*]]: !llvm.ptr, %[[X:.*]]: memref<?x40xf32>, %[[B:.*]]: memref<40xf32>, %[[OUT:.*]]: memref<?x40xf32>, %[[N:.*]]: index)
// CHECK: kernel.parallel_for (%[[TASK:.*]], %{{.*}}) in (%{{.*}}) of %[[CTX]]
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %[[J:.*]] = %c0 to %c32 step %c16
// CHECK: %[[XV:.*]] = vector.load %[[X]][%[[I]], %[[J]]] : memref<?x40xf32>, vector<8xf32>
// CHECK: %[[BV:.*]] = vector.load %[[B]][%[[J]]] : memref<40xf32>, vector<8xf32>
// CHECK: %[[S:.*]] = arith.addf %[[XV]], %[[BV]]
// CHECK: %[[M:.*]] = arith.maximumf %[[S]], %{{.*}} : vector<8xf32>
// CHECK: vector.store %[[M]], %[[OUT]][%[[I]], %[[J]]]
// CHECK-NOT: maskedload
kernel.func @bias_relu(%x: tensor<?x40xf32>, %b: tensor<40xf32>, %out: tensor<?x40xf32>, %n: index) -> tensor<?x40xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 40)>, affine_map<()[s0] -> (40)>, affine_map<()[s0] -> (s0, 40)>]} {
  %bb = graph.broadcast_to %b sizes(%n) : tensor<40xf32> -> tensor<?x40xf32>
  %s = arith.addf %x, %bb : tensor<?x40xf32>
  %zero = arith.constant dense<0.0> : tensor<1x1xf32>
  %zeros = graph.broadcast_to %zero sizes(%n) : tensor<1x1xf32> -> tensor<?x40xf32>
  %r = arith.maximumf %s, %zeros : tensor<?x40xf32>
  kernel.yield %r : tensor<?x40xf32>
}

// -----

// Only elementwise work and reshapes: one flat loop with a masked tail.
// CHECK-LABEL: func.func private @flat
// CHECK: %[[N:.*]] = arith.muli
// CHECK: kernel.parallel_for
// CHECK: scf.for
// CHECK: memref.collapse_shape
// CHECK: vector.load %{{.*}}[%{{.*}}] : memref<?xf32>, vector<8xf32>
// CHECK: vector.store
// CHECK: vector.create_mask
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
kernel.func @flat(%x: tensor<?x?xf32>, %out: tensor<?xf32>, %n: index, %m: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>],
                shapes = [affine_map<()[s0, s1] -> (s0, s1)>, affine_map<()[s0, s1] -> (s0 * s1)>]} {
  %s = arith.mulf %x, %x : tensor<?x?xf32>
  %r = tensor.collapse_shape %s [[0, 1]] : tensor<?x?xf32> into tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}

// -----

// A single task needs no loop over tasks; a tile is read along the operand's rows
// and turned in registers.
// CHECK-LABEL: func.func private @transpose
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<8x16xf32>, %[[OUT:.*]]: memref<16x8xf32>)
// CHECK-NOT: kernel.parallel_for
// CHECK: scf.for %[[D:.*]] = %c0 to %c16 step %c8
// CHECK-NOT: memref.load
// CHECK: %[[A:.*]] = vector.load %[[X]][%c0, %[[D]]] : memref<8x16xf32>, vector<8xf32>
// CHECK: %[[B:.*]] = vector.load %[[X]][%c1, %[[D]]] : memref<8x16xf32>, vector<8xf32>
// CHECK: vector.shuffle %[[A]], %[[B]] [0, 8, 1, 9, 4, 12, 5, 13]
// CHECK-COUNT-8: vector.store %{{.*}}, %[[OUT]]
kernel.func @transpose(%x: tensor<8x16xf32>, %out: tensor<16x8xf32>) -> tensor<16x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>],
                shapes = [affine_map<() -> (8, 16)>, affine_map<() -> (16, 8)>]} {
  %e = tensor.empty() : tensor<16x8xf32>
  %r = linalg.transpose ins(%x : tensor<8x16xf32>) outs(%e : tensor<16x8xf32>) permutation = [1, 0]
  kernel.yield %r : tensor<16x8xf32>
}

// -----

// Booleans are bytes in memory and bits in registers.
// CHECK-LABEL: func.func private @less
// CHECK: %[[C:.*]] = arith.cmpf olt, %{{.*}} : vector<8xf32>
// CHECK: %[[BYTES:.*]] = arith.extui %[[C]] : vector<8xi1> to vector<8xi8>
// CHECK: vector.store %[[BYTES]]
kernel.func @less(%x: tensor<64xf32>, %y: tensor<64xf32>, %out: tensor<64xi8>) -> tensor<64xi8>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>],
                shapes = [affine_map<() -> (64)>, affine_map<() -> (64)>, affine_map<() -> (64)>]} {
  %c = arith.cmpf olt, %x, %y : tensor<64xf32>
  %r = arith.extui %c : tensor<64xi1> to tensor<64xi8>
  kernel.yield %r : tensor<64xi8>
}

// -----

// A join of pieces along the rows is a branch, along the columns a select of masked
// loads.
// CHECK-LABEL: func.func private @joins
// CHECK: scf.if
// CHECK: vector.load
// CHECK: else
// CHECK: vector.load
kernel.func @joins(%x: tensor<3x16xf32>, %y: tensor<5x16xf32>, %out: tensor<8x16xf32>) -> tensor<8x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>],
                shapes = [affine_map<() -> (3, 16)>, affine_map<() -> (5, 16)>, affine_map<() -> (8, 16)>]} {
  %r = tensor.concat dim(0) %x, %y : (tensor<3x16xf32>, tensor<5x16xf32>) -> tensor<8x16xf32>
  kernel.yield %r : tensor<8x16xf32>
}

// -----

// An image in patches of 2x2, as MobileViT has it: of the way through transposes and
// reshapes it remains that channels are side by side.
// CHECK-LABEL: func.func private @unfold
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x16x16x80xf32>, %[[Y:.*]]: memref<?x80xf32>
// CHECK: scf.for %[[R:.*]] =
// CHECK: scf.for %[[C:.*]] = %c0 to %c80 step %c8
// CHECK-NOT: vector<8xindex>
// CHECK: vector.load %[[X]][%{{.*}}, %{{.*}}, %{{.*}}, %[[C]]] : memref<?x16x16x80xf32>, vector<8xf32>
kernel.func @unfold(%x: tensor<?x16x16x80xf32>, %y: tensor<?x80xf32>, %out: tensor<?x80xf32>, %n: index) -> tensor<?x80xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 16, 16, 80)>, affine_map<()[s0] -> (s0 * 256, 80)>, affine_map<()[s0] -> (s0 * 256, 80)>]} {
  %c640 = arith.constant 640 : index
  %rows = arith.muli %n, %c640 : index
  %e0 = tensor.empty(%n) : tensor<?x80x16x16xf32>
  %first = linalg.transpose ins(%x : tensor<?x16x16x80xf32>) outs(%e0 : tensor<?x80x16x16xf32>) permutation = [0, 3, 1, 2]
  %lines = tensor.collapse_shape %first [[0, 1, 2], [3]] : tensor<?x80x16x16xf32> into tensor<?x16xf32>
  %pairs = tensor.expand_shape %lines [[0, 1], [2, 3]] output_shape [%rows, 2, 8, 2] : tensor<?x16xf32> into tensor<?x2x8x2xf32>
  %e1 = tensor.empty(%rows) : tensor<?x8x2x2xf32>
  %patches = linalg.transpose ins(%pairs : tensor<?x2x8x2xf32>) outs(%e1 : tensor<?x8x2x2xf32>) permutation = [0, 2, 1, 3]
  %flat = tensor.collapse_shape %patches [[0, 1], [2, 3]] : tensor<?x8x2x2xf32> into tensor<?x4xf32>
  %tokens = tensor.expand_shape %flat [[0, 1, 2], [3]] output_shape [%n, 80, 64, 4] : tensor<?x4xf32> into tensor<?x80x64x4xf32>
  %e2 = tensor.empty(%n) : tensor<?x4x64x80xf32>
  %last = linalg.transpose ins(%tokens : tensor<?x80x64x4xf32>) outs(%e2 : tensor<?x4x64x80xf32>) permutation = [0, 3, 2, 1]
  %unfolded = tensor.collapse_shape %last [[0, 1, 2], [3]] : tensor<?x4x64x80xf32> into tensor<?x80xf32>
  %r = arith.addf %unfolded, %y : tensor<?x80xf32>
  kernel.yield %r : tensor<?x80xf32>
}
