// RUN: tessera-opt %s --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// A vector times a matrix for each batch: no batch is taken for the row, which the
// right operand does not vary along.
// CHECK-LABEL: func.func private @vectors
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<5x7xf32>, %[[W:.*]]: memref<5x7x8xf32>, %[[OUT:.*]]: memref<5x8xf32>
// CHECK: scf.for %[[B:.*]] =
// CHECK: scf.for %[[K:.*]] = %c0 to %c7
// CHECK-DAG: vector.load %[[W]][%[[B]], %[[K]],
// CHECK-DAG: memref.load %[[X]][%[[B]], %[[K]]]
// CHECK: vector.store %{{.*}}, %[[OUT]][%[[B]],
kernel.func @vectors(%x: tensor<5x7xf32>, %w: tensor<5x7x8xf32>, %out: tensor<5x8xf32>) -> tensor<5x8xf32>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.contraction<rows = 1, vectors = 1, lanes = 8, taskRows = 8, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (5, 7)>, affine_map<() -> (5, 7, 8)>, affine_map<() -> (5, 8)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x8xf32>) -> tensor<5x8xf32>
  %r = linalg.contract indexing_maps = [affine_map<(b, n, k) -> (b, k)>, affine_map<(b, n, k) -> (b, k, n)>, affine_map<(b, n, k) -> (b, n)>]
      ins(%x, %w : tensor<5x7xf32>, tensor<5x7x8xf32>) outs(%f : tensor<5x8xf32>) -> tensor<5x8xf32>
  kernel.yield %r : tensor<5x8xf32>
}
