// What the routes do not admit, said without emitting it.

// RUN: tessera-opt %s --kernel-choose-schedules="target=ptx list-candidates" --remark-format=emitRemark --remark-policy=all --remarks-filter='schedule' 2>&1 | FileCheck %s

// An output of f32 has no store.
// CHECK: wide_output by #kernel.warpgroup_contraction<{{.*}}; not admitted: 'kernel.func' op expects an output of f16 or bf16 for its schedule, but got 'f32'
kernel.func @wide_output(%a: tensor<64x64xf16>, %b: tensor<64x64xf16>, %out: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {outputs = 1 : i64, 
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%a, %b : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  kernel.yield %product : tensor<64x64xf32>
}

// An array has no memory.
// CHECK: array by #kernel.rows<{{.*}}; not admitted: expects a constant of one value in a kernel that is emitted element by element
kernel.func @array(%a: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %c = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %r = arith.addf %a, %c : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
