// RUN: tessera-opt %s --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// The window's loops go over the positions inside the input; lanes lie along the
// channels, and what follows is applied in registers.
// CHECK-LABEL: func.func private @pool
// CHECK-SAME: %{{.*}}: !llvm.ptr, %[[X:.*]]: memref<?x9x32xf32>, %[[OUT:.*]]: memref<?x5x32xf32>,
// CHECK: kernel.parallel_for
// CHECK: scf.for %[[C:.*]] = %c0 to %c32 step %c16
// CHECK: scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c1 iter_args(%{{.*}}, %{{.*}}) -> (vector<8xf32>, vector<8xf32>)
// CHECK: vector.load %[[X]][%{{.*}}, %{{.*}}, %[[C]]] : memref<?x9x32xf32>, vector<8xf32>
// CHECK: arith.maximumf
// CHECK: %[[Y:.*]] = arith.negf
// CHECK: vector.store %[[Y]], %[[OUT]]
kernel.func @pool(%x: tensor<?x9x32xf32>, %out: tensor<?x5x32xf32>, %n: index) -> tensor<?x5x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 4096>],
                shapes = [affine_map<()[s0] -> (s0, 9, 32)>, affine_map<()[s0] -> (s0, 5, 32)>]} {
  %p = graph.pool max %x kernel [3] strides [2] dilations [1] pads [1], [1] : tensor<?x9x32xf32> -> tensor<?x5x32xf32>
  %y = arith.negf %p : tensor<?x5x32xf32>
  kernel.yield %y : tensor<?x5x32xf32>
}
