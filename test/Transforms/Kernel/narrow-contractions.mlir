// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 --kernel-narrow-contractions=precision=fast | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-narrow-contractions=precision=bf16 | FileCheck %s --check-prefixes=CHECK,FAST
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-narrow-contractions=precision=f16 | FileCheck %s --check-prefix=HALF
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-narrow-contractions=precision=fast | FileCheck %s --check-prefix=NONE
// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 --kernel-narrow-contractions=precision=high | FileCheck %s --check-prefix=NONE
// RUN: not tessera-opt %s --kernel-narrow-contractions=precision=exact 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: not tessera-opt %s --kernel-narrow-contractions=precision=bf16 2>&1 | FileCheck %s --check-prefix=MACHINE

// WRONG: expects a precision of strict, highest, high, medium, fast, bf16, f16, but got 'exact'
// MACHINE: expects a machine, but the module has no attribute 'kernel.machine'

// A machine without fast pairs keeps f32, and so do the precisions of f32.
// NONE-NOT: arith.truncf

// CHECK-LABEL: func.func @two_products_of_one_operand
// FAST:          %[[X:.*]] = arith.truncf %arg0 : tensor<4x64xf32> to tensor<4x64xbf16>
// FAST-NOT:      arith.truncf %arg0
// FAST:          linalg.matmul ins(%[[X]], %{{.*}} : tensor<4x64xbf16>, tensor<64x48xbf16>) outs(%{{.*}} : tensor<4x48xf32>)
// FAST:          linalg.matmul ins(%[[X]], %{{.*}} : tensor<4x64xbf16>, tensor<64x48xbf16>)
// HALF-LABEL:  func.func @two_products_of_one_operand
// HALF:          linalg.matmul ins(%{{.*}}, %{{.*}} : tensor<4x64xf16>, tensor<64x48xf16>)
func.func @two_products_of_one_operand(%x: tensor<4x64xf32>, %v: tensor<64x48xf32>, %w: tensor<64x48xf32>)
    -> (tensor<4x48xf32>, tensor<4x48xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x48xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x48xf32>) -> tensor<4x48xf32>
  %a = linalg.matmul ins(%x, %v : tensor<4x64xf32>, tensor<64x48xf32>) outs(%f : tensor<4x48xf32>) -> tensor<4x48xf32>
  %b = linalg.matmul ins(%x, %w : tensor<4x64xf32>, tensor<64x48xf32>) outs(%f : tensor<4x48xf32>) -> tensor<4x48xf32>
  return %a, %b : tensor<4x48xf32>, tensor<4x48xf32>
}

// CHECK-LABEL: func.func @convolution
// FAST:          graph.conv {{.*}} : tensor<1x8x8x16xbf16>, tensor<3x3x16x32xbf16> -> tensor<1x6x6x32xf32>
func.func @convolution(%x: tensor<1x8x8x16xf32>, %w: tensor<3x3x16x32xf32>) -> tensor<1x6x6x32xf32> {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1
    : tensor<1x8x8x16xf32>, tensor<3x3x16x32xf32> -> tensor<1x6x6x32xf32>
  return %y : tensor<1x6x6x32xf32>
}

// Each channel by itself, and few elements a sum: two conversions are not worth it.
// CHECK-LABEL: func.func @depthwise
// CHECK-NOT:     arith.truncf
// CHECK-LABEL: func.func @shallow
// CHECK-NOT:     arith.truncf
func.func @depthwise(%x: tensor<1x8x8x16xf32>, %w: tensor<3x3x1x16xf32>) -> tensor<1x6x6x16xf32> {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 16
    : tensor<1x8x8x16xf32>, tensor<3x3x1x16xf32> -> tensor<1x6x6x16xf32>
  return %y : tensor<1x6x6x16xf32>
}
func.func @shallow(%x: tensor<4x8xf32>, %w: tensor<8x48xf32>, %f: tensor<4x48xf32>) -> tensor<4x48xf32> {
  %a = linalg.matmul ins(%x, %w : tensor<4x8xf32>, tensor<8x48xf32>) outs(%f : tensor<4x48xf32>) -> tensor<4x48xf32>
  return %a : tensor<4x48xf32>
}
