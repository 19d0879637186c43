// RUN: tessera-opt %s --cpu-emit-kernels --canonicalize --cse --split-input-file | FileCheck %s

// Three passes over a row: the maximum; powers, which the output's row keeps, and
// their sum; products with the reciprocal, which is taken once a row.
// CHECK-LABEL: func.func private @softmax
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x48xf32>, %[[OUT:.*]]: memref<?x48xf32>,
// CHECK: kernel.parallel_for
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %[[J:.*]] = %c0 to %c48 step %c16 iter_args
// CHECK: vector.load %[[X]][%[[I]], %[[J]]]
// CHECK-NOT: math.exp
// CHECK: scf.for %[[K:.*]] = %c0 to %c48 step %c16 iter_args
// CHECK: vector.load %[[X]][%[[I]], %[[K]]]
// CHECK: %[[E:.*]] = math.exp %{{.*}} : vector<8xf32>
// CHECK: vector.store %[[E]], %[[OUT]][%[[I]], %[[K]]]
// CHECK: %[[R:.*]] = arith.divf %{{.*}}, %{{.*}} : f32
// CHECK: scf.for %[[L:.*]] = %c0 to %c48 step %c16
// CHECK-NOT: math.exp
// CHECK: vector.load %[[OUT]][%[[I]], %[[L]]]
// CHECK: arith.mulf
// CHECK: vector.store %{{.*}}, %[[OUT]][%[[I]], %[[L]]]
kernel.func @softmax(%x: tensor<?x48xf32>, %out: tensor<?x48xf32>, %n: index) -> tensor<?x48xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 48)>, affine_map<()[s0] -> (s0, 48)>]} {
  %e = tensor.empty(%n) : tensor<?x48xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<?x48xf32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  kernel.yield %y : tensor<?x48xf32>
}

// -----

// Reductions whose inputs are ready share a pass; accumulators are joined across
// lanes by halves.
// CHECK-LABEL: func.func private @sum_and_max
// CHECK: kernel.parallel_for
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %{{.*}} = %c0 to %c32 step %c16 iter_args(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-NOT: scf.for
// CHECK: vector.shuffle %{{.*}} [4, 5, 6, 7] : vector<8xf32>, vector<8xf32>
// CHECK: memref.store
// CHECK: memref.store
kernel.func @sum_and_max(%x: tensor<?x32xf32>, %sums: tensor<?xf32>, %tops: tensor<?xf32>, %n: index) -> (tensor<?xf32>, tensor<?xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 32)>, affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>]} {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %g = linalg.fill ins(%lowest : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x32xf32>) outs(%f : tensor<?xf32>) dimensions = [1]
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<?x32xf32>) outs(%g : tensor<?xf32>) dimensions = [1]
  kernel.yield %s, %m : tensor<?xf32>, tensor<?xf32>
}

// -----

// Lanes lie across the rows where the last dimension is kept.
// CHECK-LABEL: func.func private @columns
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x9x16xf32>, %[[OUT:.*]]: memref<?x16xf32>,
// CHECK: scf.for %[[J:.*]] = %c0 to %c9 step %c1 iter_args(%{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>)
// CHECK: vector.load %[[X]][%{{.*}}, %[[J]], %{{.*}}] : memref<?x9x16xf32>, vector<8xf32>
// CHECK-NOT: vector.reduction
// CHECK: vector.store %{{.*}}, %[[OUT]]
kernel.func @columns(%x: tensor<?x9x16xf32>, %out: tensor<?x16xf32>, %n: index) -> tensor<?x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 9, 16)>, affine_map<()[s0] -> (s0, 16)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x9x16xf32>) outs(%f : tensor<?x16xf32>) dimensions = [1]
  kernel.yield %s : tensor<?x16xf32>
}

// -----

// Several reduced dimensions are read as one: 49 elements are 3 strips and a tail,
// not 7 masked vectors.
// CHECK-LABEL: func.func private @by_position
// CHECK: scf.for %{{.*}} = %c0 to %c48 step %c16
// CHECK: %[[FLAT:.*]] = memref.collapse_shape
// CHECK: vector.load %[[FLAT]]
kernel.func @by_position(%x: tensor<?x7x7xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 7, 7)>, affine_map<()[s0] -> (s0)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x7x7xf32>) outs(%f : tensor<?xf32>) dimensions = [1, 2]
  kernel.yield %s : tensor<?xf32>
}

// -----

// One long row is split into at most 64 parts, each with a slot of its own.
// CHECK-LABEL: func.func private @long_row
// CHECK: %[[SLOTS:.*]] = memref.alloca() : memref<64xf64>
// CHECK: kernel.parallel_for (%[[PART:.*]], %{{.*}}) in
// CHECK: memref.store %{{.*}}, %[[SLOTS]][%[[PART]]]
// CHECK: kernel.end
// CHECK: scf.for
// CHECK: memref.load %[[SLOTS]]
kernel.func @long_row(%x: tensor<?xf32>, %out: tensor<f32>, %n: index) -> tensor<f32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> ()>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?xf32>) outs(%f : tensor<f32>) dimensions = [0]
  kernel.yield %s : tensor<f32>
}

// -----

// A loop over more than 8 vectors stays one: unrolled by LLVM, the row that two
// passes read would be kept in registers, and spill. That over fewer may unroll.
// CHECK-LABEL: func.func private @long_loop
// CHECK: scf.for %{{.*}} = %c0 to %c96 step %c16
// CHECK: } {llvm.loop_annotation =
// CHECK-LABEL: func.func private @short_loop
// CHECK: scf.for %{{.*}} = %c0 to %c64 step %c16
// CHECK-NOT: llvm.loop_annotation
kernel.func @long_loop(%x: tensor<?x96xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 96)>, affine_map<()[s0] -> (s0)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x96xf32>) outs(%f : tensor<?xf32>) dimensions = [1]
  kernel.yield %s : tensor<?xf32>
}
kernel.func @short_loop(%x: tensor<?x64xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 64)>, affine_map<()[s0] -> (s0)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x64xf32>) outs(%f : tensor<?xf32>) dimensions = [1]
  kernel.yield %s : tensor<?xf32>
}

// -----

// The first pass prefetches what a later row reads and writes, once for each line
// of two vectors, and not behind the last row.
// CHECK-LABEL: func.func private @prefetch
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x32xf32>, %[[G:.*]]: memref<32xf32>, %[[OUT:.*]]: memref<?x32xf32>, %[[N:.*]]: index)
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[NEXT:.*]] = arith.addi %[[I]], %c2
// CHECK: %[[LAST:.*]] = arith.subi %[[N]], %c1
// CHECK: %[[AHEAD:.*]] = arith.minsi %[[NEXT]], %[[LAST]]
// CHECK: scf.for %[[J:.*]] = %c0 to %c32
// CHECK: memref.prefetch %[[X]][%[[AHEAD]], %[[J]]], read, locality<3>, data
// CHECK: memref.prefetch %[[OUT]][%[[AHEAD]], %[[J]]], write, locality<3>, data
// CHECK-NOT: memref.prefetch
kernel.func @prefetch(%x: tensor<?x32xf32>, %g: tensor<32xf32>, %out: tensor<?x32xf32>, %n: index) -> tensor<?x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024, prefetchRows = 2>],
                shapes = [affine_map<()[s0] -> (s0, 32)>, affine_map<()[s0] -> (32)>, affine_map<()[s0] -> (s0, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%n) : tensor<?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x32xf32>) outs(%f : tensor<?xf32>) dimensions = [1]
  %k = tensor.expand_shape %s [[0, 1]] output_shape [%n, 1] : tensor<?xf32> into tensor<?x1xf32>
  %r = graph.broadcast_to %k sizes(%n) : tensor<?x1xf32> -> tensor<?x32xf32>
  %y = arith.subf %x, %r : tensor<?x32xf32>
  %w = graph.broadcast_to %g sizes(%n) : tensor<32xf32> -> tensor<?x32xf32>
  %z = arith.mulf %y, %w : tensor<?x32xf32>
  kernel.yield %z : tensor<?x32xf32>
}

// -----

// A size that is dynamic in the type, but known, is a value wherever a tensor of the
// type is made.
// CHECK-LABEL: func.func private @known_but_dynamic
// CHECK: math.exp
kernel.func @known_but_dynamic(%x: tensor<?x48xf32>, %out: tensor<?x?xf32>, %n: index) -> tensor<?x?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 48)>, affine_map<()[s0] -> (s0, 48)>]} {
  %c48 = arith.constant 48 : index
  %e = tensor.empty(%n, %c48) : tensor<?x?xf32>
  %c = tensor.cast %x : tensor<?x48xf32> to tensor<?x?xf32>
  %y = linalg.softmax dimension(1) ins(%c : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) -> tensor<?x?xf32>
  kernel.yield %y : tensor<?x?xf32>
}

// -----

// Long columns are summed in blocks, which join totals in f64.
// CHECK-LABEL: func.func private @long_columns
// CHECK: scf.for %{{.*}} = %c0 to %{{.*}} step %c1 iter_args(%{{.*}}) -> (vector<8xf64>)
// CHECK:   %[[BLOCK:.*]] = scf.for %{{.*}} iter_args(%{{.*}}) -> (vector<8xf32>)
// CHECK:   %[[WIDE:.*]] = arith.extf %[[BLOCK]] : vector<8xf32> to vector<8xf64>
// CHECK:   arith.addf %{{.*}}, %[[WIDE]] : vector<8xf64>
// CHECK: arith.truncf %{{.*}} : vector<8xf64> to vector<8xf32>
kernel.func @long_columns(%x: tensor<?x8xf32>, %out: tensor<8xf32>, %n: index) -> tensor<8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>],
                shapes = [affine_map<()[s0] -> (s0, 8)>, affine_map<()[s0] -> (8)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<?x8xf32>) outs(%f : tensor<8xf32>) dimensions = [0]
  kernel.yield %s : tensor<8xf32>
}

// -----

// A maximum has no blocks, and neither have short sums.
// CHECK-LABEL: func.func private @no_blocks
// CHECK-NOT: f64
kernel.func @no_blocks(%x: tensor<64x8xf32>, %sums: tensor<8xf32>, %tops: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>],
                shapes = [affine_map<() -> (64, 8)>, affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %zero = arith.constant 0.0 : f32
  %lowest = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %g = linalg.fill ins(%lowest : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = linalg.reduce { arith.addf } ins(%x : tensor<64x8xf32>) outs(%f : tensor<8xf32>) dimensions = [0]
  %m = linalg.reduce { arith.maximumf } ins(%x : tensor<64x8xf32>) outs(%g : tensor<8xf32>) dimensions = [0]
  kernel.yield %s, %m : tensor<8xf32>, tensor<8xf32>
}
