// RUN: tessera-opt %s --split-input-file --verify-diagnostics --cpu-emit-kernels

// expected-error @+1 {{'kernel.func' op expects a schedule, but got none}}
kernel.func @unscheduled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op has no contraction that the builder knows}}
kernel.func @copy(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>],
                schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

kernel.func @signs(%x: tensor<1x4x8xi8>, %w: tensor<1x8x16xi8>, %out: tensor<1x4x16xi32>) -> tensor<1x4x16xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 4, 8)>, affine_map<() -> (1, 8, 16)>, affine_map<() -> (1, 4, 16)>],
                schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 16, taskRows = 4, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>]} {
  // expected-error @+1 {{'graph.conv' op expects unsigned and signed bytes and a result of i32}}
  %y = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
    : tensor<1x4x8xi8>, tensor<1x8x16xi8> -> tensor<1x4x16xi32>
  kernel.yield %y : tensor<1x4x16xi32>
}

// -----

kernel.func @pairs_of_f32(%x: tensor<1x4x8xf32>, %w: tensor<1x8x16xf32>, %out: tensor<1x4x16xf32>) -> tensor<1x4x16xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 4, 8)>, affine_map<() -> (1, 8, 16)>, affine_map<() -> (1, 4, 16)>],
                schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 16, taskRows = 4, taskPanels = 1, prefetchRows = 0, accumulate = bf16_pairs>]} {
  // expected-error @+1 {{'graph.conv' op expects bf16 operands and an f32 result}}
  %y = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
    : tensor<1x4x8xf32>, tensor<1x8x16xf32> -> tensor<1x4x16xf32>
  kernel.yield %y : tensor<1x4x16xf32>
}

// -----

kernel.func @bytes_as_f32(%x: tensor<1x4x8xi8>, %w: tensor<1x8x16xi8>, %out: tensor<1x4x16xi32>) -> tensor<1x4x16xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 4, 8)>, affine_map<() -> (1, 8, 16)>, affine_map<() -> (1, 4, 16)>],
                schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 16, taskRows = 4, taskPanels = 1, prefetchRows = 0>]} {
  // expected-error @+1 {{'graph.conv' op expects f32, f16 or bf16 operands and an f32 result}}
  %y = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
    : tensor<1x4x8xi8>, tensor<1x8x16xi8> -> tensor<1x4x16xi32>
  kernel.yield %y : tensor<1x4x16xi32>
}

// -----

kernel.func @depthwise_bytes(%x: tensor<1x4x8xi8>, %w: tensor<2x1x8xi8>, %out: tensor<1x3x8xi32>) -> tensor<1x3x8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 4, 8)>, affine_map<() -> (2, 1, 8)>, affine_map<() -> (1, 3, 8)>],
                schedules = [#kernel.contraction<rows = 3, vectors = 1, lanes = 16, taskRows = 3, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>]} {
  // expected-error @+1 {{'graph.conv' op expects operands of which one has no columns for a step of several elements}}
  %y = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 8 unsigned
    : tensor<1x4x8xi8>, tensor<2x1x8xi8> -> tensor<1x3x8xi32>
  kernel.yield %y : tensor<1x3x8xi32>
}

// -----

kernel.func @unknown_depth(%x: tensor<4x?xbf16>, %w: tensor<?x16xbf16>, %out: tensor<4x16xf32>, %depth: index) -> tensor<4x16xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (4, s0)>, affine_map<()[s0] -> (s0, 16)>, affine_map<()[s0] -> (4, 16)>],
                schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 16, taskRows = 4, taskPanels = 1, prefetchRows = 0, accumulate = bf16_pairs>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x16xf32>) -> tensor<4x16xf32>
  // expected-error @+1 {{'linalg.matmul' op expects contracted dimensions of known size for a step of several elements}}
  %p = linalg.matmul ins(%x, %w : tensor<4x?xbf16>, tensor<?x16xbf16>) outs(%f : tensor<4x16xf32>) -> tensor<4x16xf32>
  kernel.yield %p : tensor<4x16xf32>
}

// -----

kernel.func @no_columns(%x: tensor<8xf32>, %w: tensor<8xf32>, %out: tensor<f32>) -> tensor<f32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>, affine_map<() -> ()>],
                schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 16, taskRows = 4, taskPanels = 1, prefetchRows = 0>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  // expected-error @+1 {{'linalg.dot' op expects a result with columns, but got a single sum}}
  %p = linalg.dot ins(%x, %w : tensor<8xf32>, tensor<8xf32>) outs(%f : tensor<f32>) -> tensor<f32>
  kernel.yield %p : tensor<f32>
}
