// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --verify-diagnostics | FileCheck %s

// The product accumulates in f64, in strips of the output's rows: the loop along
// these is innermost. Factors are widened, so that products are exact.
// CHECK-LABEL: func.func private @product
// CHECK-SAME:    (%[[CTX:.+]]: !llvm.ptr, %{{.+}}: memref<?x8xf32>, %{{.+}}: memref<8x4xf32>, %[[OUT:.+]]: memref<?x4xf32>, %{{.+}}: index)
// CHECK:         kernel.parallel_for {{.*}} of %[[CTX]]
// CHECK:           memref.store %{{.+}}, %[[OUT]]
// CHECK:         kernel.parallel_for {{.*}} of %[[CTX]]
// CHECK:           %[[SUMS:.+]] = memref.alloca() : memref<64xf64>
// CHECK:           scf.for
// CHECK:             memref.load %[[OUT]]
// CHECK:             memref.store %{{.+}}, %[[SUMS]]
// CHECK:             scf.for %[[K:.+]] =
// CHECK:               scf.for %[[J:.+]] =
// CHECK-DAG:             memref.load %[[SUMS]][%[[J]]]
// CHECK-DAG:             memref.load %{{.+}}[%[[K]], %[[J]]]
// CHECK:                 arith.mulf %{{.+}}, %{{.+}} : f64
// CHECK:                 arith.addf %{{.+}}, %{{.+}} : f64
// CHECK:                 memref.store %{{.+}}, %[[SUMS]][%[[J]]]
// CHECK:             arith.truncf %{{.+}} : f64 to f32
// CHECK:             memref.store %{{.+}}, %[[OUT]]
// CHECK-NOT:     memref.copy
// CHECK-NOT:     memref.alloc
// CHECK:         return
#x = affine_map<()[s0] -> (s0, 8)>
#w = affine_map<()[s0] -> (8, 4)>
#y = affine_map<()[s0] -> (s0, 4)>
kernel.func @product(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %out: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#x, #w, #y]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %product = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  kernel.yield %product : tensor<?x4xf32>
}

// -----

// A sum along the innermost loop stays in a register, in f64, and is rounded once.
// CHECK-LABEL: func.func private @row_sum
// CHECK:         %[[FIRST:.+]] = memref.load
// CHECK:         %[[WIDE:.+]] = arith.extf %[[FIRST]] : f32 to f64
// CHECK:         %[[SUM:.+]] = scf.for {{.*}} iter_args(%{{.+}} = %[[WIDE]])
// CHECK:           scf.yield
// CHECK:         %[[ROUNDED:.+]] = arith.truncf %[[SUM]] : f64 to f32
// CHECK:         memref.store %[[ROUNDED]]
#rows = affine_map<()[s0, s1] -> (s0, s1)>
#sums = affine_map<()[s0, s1] -> (s0)>
kernel.func @row_sum(%x: tensor<?x?xf32>, %out: tensor<?xf32>, %n: index, %m: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#rows, #sums]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.reduce { arith.addf } ins(%x : tensor<?x?xf32>) outs(%init : tensor<?xf32>) dimensions = [1]
  kernel.yield %sum : tensor<?xf32>
}

// -----

// A reduction that leads: tasks share the columns, and go over strips of theirs.
// CHECK-LABEL: func.func private @column_sum
// CHECK:         kernel.parallel_for (%[[TASK:.+]], %{{.+}})
// CHECK:         kernel.parallel_for
// CHECK:           %[[BEGIN:.+]] = arith.muli
// CHECK:           scf.for %{{.+}} = %[[BEGIN]]
// CHECK:             scf.for %{{.+}} = %c0
#rows = affine_map<()[s0, s1] -> (s0, s1)>
#sums = affine_map<()[s0, s1] -> (s1)>
kernel.func @column_sum(%x: tensor<?x?xf32>, %out: tensor<?xf32>, %n: index, %m: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#rows, #sums]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%m) : tensor<?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?xf32>) -> tensor<?xf32>
  %sum = linalg.reduce { arith.addf } ins(%x : tensor<?x?xf32>) outs(%init : tensor<?xf32>) dimensions = [0]
  kernel.yield %sum : tensor<?xf32>
}

// -----

// A reshape of what is computed is a view of the output; one of an argument is
// copied.
// CHECK-LABEL: func.func private @reshapes
// CHECK-SAME:    (%{{.+}}, %[[X:.+]]: memref<?x4xf32>, %[[A:.+]]: memref<?xf32>, %[[B:.+]]: memref<?xf32>, %{{.+}}: index)
// CHECK-DAG:     memref.expand_shape %[[A]]
// CHECK-DAG:     memref.collapse_shape %[[X]]
// CHECK-NOT:     memref.alloc
#in = affine_map<()[s0] -> (s0, 4)>
#flat = affine_map<()[s0] -> (s0 * 4)>
kernel.func @reshapes(%x: tensor<?x4xf32>, %a: tensor<?xf32>, %b: tensor<?xf32>, %n: index) -> (tensor<?xf32>, tensor<?xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.generic], shapes = [#in, #flat, #flat]} {
  %e = math.exp %x : tensor<?x4xf32>
  %r = tensor.collapse_shape %e [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  %s = tensor.collapse_shape %x [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  kernel.yield %r, %s : tensor<?xf32>, tensor<?xf32>
}

// -----

// CHECK-LABEL: func.func private @small_intermediate
// CHECK:         memref.alloca() {alignment = 64 : i64} : memref<4xf32>
#x = affine_map<() -> (4, 8)>
kernel.func @small_intermediate(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#x, #x]} {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  kernel.yield %y : tensor<4x8xf32>
}

// -----

#x = affine_map<()[s0] -> (s0, 8)>
kernel.func @unknown_intermediate(%x: tensor<?x8xf32>, %out: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#x, #x]} {
  // expected-error @+1 {{the generic route needs an intermediate of 'memref<?x8xf32>', whose size is not static}}
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  kernel.yield %y : tensor<?x8xf32>
}

// -----

#x = affine_map<() -> (512, 512)>
kernel.func @large_intermediate(%x: tensor<512x512xf32>, %out: tensor<512x512xf32>) -> tensor<512x512xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#x, #x]} {
  // expected-error @+1 {{the generic route keeps at most 65536 bytes of intermediates}}
  %e = tensor.empty() : tensor<512x512xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<512x512xf32>) outs(%e : tensor<512x512xf32>) -> tensor<512x512xf32>
  kernel.yield %y : tensor<512x512xf32>
}

// -----

// What a loop goes on from is copied to where its result is wanted.

// CHECK-LABEL: func.func private @written_by_index
// CHECK-SAME:    (%{{.+}}: !llvm.ptr, %[[X:.+]]: memref<?xf32>, %[[I:.+]]: memref<3x1xi32>, %[[U:.+]]: memref<3xf32>, %[[OUT:.+]]: memref<?xf32>, %{{.+}}: index)
// CHECK-NOT:     memref.alloc
// CHECK:         kernel.parallel_for
// CHECK:           %[[OLD:.+]] = memref.load %[[X]]
// CHECK:           memref.store %[[OLD]], %[[OUT]]
// CHECK:         scf.for %[[K:[^ ]+]] =
// CHECK:           memref.load %[[I]][%[[K]]
// CHECK:           memref.store %{{.+}}, %[[OUT]]
// CHECK-NOT:     kernel.parallel_for
kernel.func @written_by_index(%x: tensor<?xf32>, %i: tensor<3x1xi32>, %u: tensor<3xf32>, %out: tensor<?xf32>, %s0: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic],
                shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (3, 1)>, affine_map<()[s0] -> (3)>, affine_map<()[s0] -> (s0)>]} {
  %y = graph.scatter_points replace %u at %i into %x dimensions [-1]
      : tensor<3xf32>, tensor<3x1xi32>, tensor<?xf32> -> tensor<?xf32>
  kernel.yield %y : tensor<?xf32>
}

// -----

// So it is where the result is reshaped.
// CHECK-LABEL: func.func private @written_by_index_and_reshaped
// CHECK-SAME:    (%{{.+}}, %[[X:.+]]: memref<?xf32>, %[[I:.+]]: memref<?x1xi64>, %[[U:.+]]: memref<?xf32>, %[[OUT:.+]]: memref<?x4xf32>,
// CHECK-NOT:     memref.alloc
// CHECK:         %[[FLAT:.+]] = memref.collapse_shape %[[OUT]]
// CHECK:         kernel.parallel
// CHECK:           %[[OLD:.+]] = memref.load %[[X]]
// CHECK:           memref.store %[[OLD]], %[[FLAT]]
// CHECK:         scf.for
// CHECK:           %[[NEW:.+]] = memref.load %[[U]]
// CHECK:           memref.store %[[NEW]], %[[FLAT]]
// CHECK-NOT:     kernel.parallel
// CHECK-NOT:     memref.alloc
#flat = affine_map<()[s0, s1] -> (s0 * 4)>
#index = affine_map<()[s0, s1] -> (s1, 1)>
#updates = affine_map<()[s0, s1] -> (s1)>
#out = affine_map<()[s0, s1] -> (s0, 4)>
kernel.func @written_by_index_and_reshaped(%x: tensor<?xf32>, %i: tensor<?x1xi64>, %u: tensor<?xf32>, %out: tensor<?x4xf32>, %n: index, %m: index) -> tensor<?x4xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#flat, #index, #updates, #out]} {
  %s = graph.scatter_points replace %u at %i into %x dimensions [-1]
    : tensor<?xf32>, tensor<?x1xi64>, tensor<?xf32> -> tensor<?xf32>
  %y = tensor.expand_shape %s [[0, 1]] output_shape [%n, 4] : tensor<?xf32> into tensor<?x4xf32>
  kernel.yield %y : tensor<?x4xf32>
}

// -----

// What is yielded itself is not overwritten.
// CHECK-LABEL: func.func private @written_by_index_into_another_output
// CHECK-SAME:    (%{{.+}}, %{{.+}}: memref<64xf32>, %{{.+}}: memref<3x1xi64>, %{{.+}}: memref<3xf32>, %[[E:.+]]: memref<64xf32>, %[[OUT:.+]]: memref<64xf32>)
// CHECK-NOT:     memref.alloc
// CHECK:         %[[OLD:.+]] = memref.load %[[E]]
// CHECK:         memref.store %[[OLD]], %[[OUT]]
// CHECK:         scf.for
// CHECK:           memref.store %{{.+}}, %[[OUT]]
// CHECK-NOT:     memref.alloc
#x = affine_map<() -> (64)>
#index = affine_map<() -> (3, 1)>
#updates = affine_map<() -> (3)>
kernel.func @written_by_index_into_another_output(%x: tensor<64xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>, %e: tensor<64xf32>, %out: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.generic], shapes = [#x, #index, #updates, #x, #x]} {
  %a = math.exp %x : tensor<64xf32>
  %s = graph.scatter_points add %u at %i into %a dimensions [-1]
    : tensor<3xf32>, tensor<3x1xi64>, tensor<64xf32> -> tensor<64xf32>
  kernel.yield %a, %s : tensor<64xf32>, tensor<64xf32>
}
