// What the target's routes propose, and what they admit.

// RUN: tessera-opt %s --kernel-choose-schedules=target=ptx | FileCheck %s
// RUN: tessera-opt %s --kernel-choose-schedules="target=ptx list-candidates" --remark-format=emitRemark --remark-policy=all --remarks-filter='schedule' 2>&1 | FileCheck %s --check-prefix=LIST
// RUN: tessera-opt %s --kernel-choose-schedules=target=ptx --kernel-select-schedules=target=ptx | FileCheck %s
// RUN: tessera-opt %s --kernel-choose-schedules=target=ptx --ptx-emit-kernels | FileCheck %s --check-prefix=EMIT

// EMIT: gpu.module @device
// EMIT-DAG: llvm.func @contraction
// EMIT-DAG: llvm.func @elementwise_f32
// EMIT-DAG: llvm.func @elementwise_mixed
// EMIT-NOT: llvm.func @reduction

// Tiles of the whole device's time, the default first; one whose accumulators no
// thread holds would not be admitted.
// CHECK-LABEL: kernel.func @contraction
// CHECK-SAME: schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 256, depth = 64, stages = 4, consumers = 2, rasterRows = 8>]
// LIST: contraction by #kernel.warpgroup_contraction<rows = 128, columns = 256{{.*}} us; bytes 24576, flops 524288, rows 64, columns 64, depth 64
// LIST: contraction by #kernel.warpgroup_contraction<rows = 128, columns = 192
// LIST: elementwise_f32 by #kernel.rows<{{.*}} us; bytes 512
kernel.func @contraction(%a: tensor<64x64xf16>, %b: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%a, %b : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// Lanes fill 16 bytes of the narrowest type.
// CHECK-LABEL: kernel.func @elementwise_f32
// CHECK-SAME: schedules = [#kernel.rows<lanes = 4, unroll = 2, taskElements = 2048>]
kernel.func @elementwise_f32(%a: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (64)>, affine_map<() -> (64)>]} {
  %r = math.tanh %a : tensor<64xf32>
  kernel.yield %r : tensor<64xf32>
}

// CHECK-LABEL: kernel.func @elementwise_mixed
// CHECK-SAME: schedules = [#kernel.rows<lanes = 16, unroll = 2, taskElements = 8192>]
kernel.func @elementwise_mixed(%a: tensor<64xf32>, %out: tensor<64xi8>) -> tensor<64xi8>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (64)>, affine_map<() -> (64)>]} {
  %r = arith.fptosi %a : tensor<64xf32> to tensor<64xi8>
  kernel.yield %r : tensor<64xi8>
}

// A reduction has no device builder yet: left alone.
// CHECK-LABEL: kernel.func @reduction
// CHECK-SAME: schedules = []
kernel.func @reduction(%a: tensor<4x64xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4, 64)>, affine_map<() -> (4)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %r = linalg.reduce {arith.addf} ins(%a : tensor<4x64xf32>) outs(%init : tensor<4xf32>) dimensions = [1]
  kernel.yield %r : tensor<4xf32>
}
