// RUN: tessera-opt %s --kernel-choose-schedules='cpu=x86-64-v3 list-candidates' --remark-format=emitRemark --remark-policy=all --remarks-filter='schedule' 2>&1 | FileCheck %s
// RUN: not tessera-opt %s --kernel-choose-schedules='target=abacus' 2>&1 | FileCheck %s --check-prefix=TARGET

// TARGET: error: no routes of a target 'abacus'

// Every tile that the registers allow, the best first, with estimates; then what each
// other route would do, and why it may not.

// CHECK:     product by #kernel.contraction<rows = 6, vectors = 2
// CHECK-SAME:  us; flops 8192, outer 1, rows 16, columns 16, depth 16
// CHECK:     product by #kernel.contraction<
// CHECK:     product by #kernel.rows<
// CHECK-SAME:  not admitted: element emitter: 'linalg.matmul' is neither elementwise nor bound to a source
// CHECK:     product by #kernel.generic
// CHECK-SAME:  us; iterations 4352
kernel.func @product(%x: tensor<16x16xf32>, %w: tensor<16x16xf32>, %out: tensor<16x16xf32>) -> tensor<16x16xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (16, 16)>, affine_map<() -> (16, 16)>, affine_map<() -> (16, 16)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<16x16xf32>) -> tensor<16x16xf32>
  %p = linalg.matmul ins(%x, %w : tensor<16x16xf32>, tensor<16x16xf32>) outs(%f : tensor<16x16xf32>) -> tensor<16x16xf32>
  kernel.yield %p : tensor<16x16xf32>
}
