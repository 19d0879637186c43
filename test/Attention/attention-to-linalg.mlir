// RUN: tessera-opt %s --split-input-file --attention-to-linalg | FileCheck %s

// Products, the elementwise part, maximum, exponentials, sum, quotients.
// CHECK-LABEL: @plain
// CHECK-NOT:     attention.sdpa
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
// CHECK:         arith.mulf
// CHECK:         arith.maximumf
// CHECK:         math.exp
// CHECK:         arith.divf
// CHECK:         linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]
func.func @plain(%q: tensor<2x4x?x8xf32>, %k: tensor<2x4x?x8xf32>, %v: tensor<2x4x?x16xf32>)
    -> tensor<2x4x?x16xf32> {
  %o = attention.sdpa %q, %k, %v scale 0.125
    : tensor<2x4x?x8xf32>, tensor<2x4x?x8xf32>, tensor<2x4x?x16xf32> -> tensor<2x4x?x16xf32>
  return %o : tensor<2x4x?x16xf32>
}

// -----

// Keys are not repeated: query heads are split instead.
// CHECK-LABEL: @grouped
// CHECK-SAME:    %[[Q:.+]]: tensor<1x6x4x8xf32>
// CHECK:         tensor.expand_shape %[[Q]] {{.*}} into tensor<1x2x3x4x8xf32>
// CHECK:         "parallel", "parallel", "parallel", "parallel", "parallel", "reduction"
// CHECK:         tensor.collapse_shape {{.*}} into tensor<1x6x4x4xf32>
func.func @grouped(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x4x8xf32>) -> tensor<1x6x4x8xf32> {
  %o = attention.sdpa %q, %k, %k scale 0.125
    : tensor<1x6x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x6x4x8xf32>
  return %o : tensor<1x6x4x8xf32>
}

// -----

// The soft cap stands before the bias, masks behind it.
// CHECK-LABEL: @order
// CHECK:         math.tanh
// CHECK:         arith.addf {{.*}} : f32
// CHECK:         arith.cmpi sle
// CHECK:         arith.select
// CHECK:         math.log
func.func @order(%q: tensor<1x2x4x8xf16>, %b: tensor<1x1x4x4xf16>, %past: index)
    -> (tensor<1x2x4x8xf16>, tensor<1x2x4xf32>) {
  %o:2 = attention.sdpa %q, %q, %q bias %b offset %past scale 0.125 causal softcap = 20.0
    : tensor<1x2x4x8xf16>, tensor<1x2x4x8xf16>, tensor<1x2x4x8xf16> bias tensor<1x1x4x4xf16>
      -> tensor<1x2x4x8xf16>, tensor<1x2x4xf32>
  return %o#0, %o#1 : tensor<1x2x4x8xf16>, tensor<1x2x4xf32>
}
