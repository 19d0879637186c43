// RUN: tessera-opt %s --split-input-file --verify-diagnostics --cpu-emit-kernels

// What the tile unit's kernel refuses.

#tiles = #kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 32, taskPanels = 1, prefetchRows = 0, accumulate = bf16_tiles>
kernel.func @no_depth(%x: tensor<32x0xbf16>, %w: tensor<0x32xbf16>, %out: tensor<32x32xf32>) -> tensor<32x32xf32>
    attributes {outputs = 1 : i64, schedules = [#tiles],
                shapes = [affine_map<() -> (32, 0)>, affine_map<() -> (0, 32)>, affine_map<() -> (32, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  // expected-error @+1 {{expects contracted dimensions with elements}}
  %p = linalg.matmul ins(%x, %w : tensor<32x0xbf16>, tensor<0x32xbf16>) outs(%f : tensor<32x32xf32>) -> tensor<32x32xf32>
  kernel.yield %p : tensor<32x32xf32>
}

// -----

// Rows that are no whole steps must be copied.

#tiles = #kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 32, taskPanels = 1, prefetchRows = 0, accumulate = bf16_tiles>
kernel.func @deep_rows(%x: tensor<32x1001xbf16>, %w: tensor<1001x32xbf16>, %out: tensor<32x32xf32>) -> tensor<32x32xf32>
    attributes {outputs = 1 : i64, schedules = [#tiles],
                shapes = [affine_map<() -> (32, 1001)>, affine_map<() -> (1001, 32)>, affine_map<() -> (32, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  // expected-error @+1 {{expects rows that fit the scratch of a task, where they must be copied}}
  %p = linalg.matmul ins(%x, %w : tensor<32x1001xbf16>, tensor<1001x32xbf16>) outs(%f : tensor<32x32xf32>) -> tensor<32x32xf32>
  kernel.yield %p : tensor<32x32xf32>
}

// -----

#tiles = #kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 32, taskPanels = 1, prefetchRows = 0, accumulate = bf16_tiles>
kernel.func @deep_panels(%x: tensor<32x1024xbf16>, %w: tensor<1024x32xbf16>, %out: tensor<32x32xf32>) -> tensor<32x32xf32>
    attributes {outputs = 1 : i64, schedules = [#tiles],
                shapes = [affine_map<() -> (32, 1024)>, affine_map<() -> (1024, 32)>, affine_map<() -> (32, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<32x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<32x32xf32>) -> tensor<32x32xf32>
  // expected-error @+1 {{expects panels that are packed, or fit the scratch of a task beside the left operand}}
  %p = linalg.matmul ins(%x, %w : tensor<32x1024xbf16>, tensor<1024x32xbf16>) outs(%f : tensor<32x32xf32>) -> tensor<32x32xf32>
  kernel.yield %p : tensor<32x32xf32>
}
