// What the attention builder refuses, so that the kernel takes the generic route.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics --cpu-emit-kernels

// expected-error @+1 {{'kernel.func' op has no attention}}
kernel.func @none(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xf32>, %v: tensor<1x2x4x8xf32>, %out: tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>]} {
  kernel.yield %q : tensor<1x2x4x8xf32>
}

// -----

kernel.func @second(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xf32>, %v: tensor<1x2x4x8xf32>, %out: tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>]} {
  %a = attention.sdpa %q, %k, %v scale 0.5 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  // expected-error @+1 {{'attention.sdpa' op is a second attention in one kernel}}
  %b = attention.sdpa %q, %k, %v scale 0.5 : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  %c = arith.addf %a, %b : tensor<1x2x4x8xf32>
  kernel.yield %c : tensor<1x2x4x8xf32>
}

// -----

kernel.func @region(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xf32>, %v: tensor<1x2x4x8xf32>, %out: tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>, affine_map<() -> (1, 2, 4, 8)>]} {
  // expected-error @+1 {{'attention.sdpa' op has a score or mask region, which the attention builder does not emit}}
  %a = attention.sdpa %q, %k, %v scale 0.5 score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    attention.yield %s : f32
  } : tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32> -> tensor<1x2x4x8xf32>
  kernel.yield %a : tensor<1x2x4x8xf32>
}

// -----

kernel.func @heads(%q: tensor<1x?x4x8xf32>, %k: tensor<1x?x4x8xf32>, %v: tensor<1x?x4x8xf32>, %out: tensor<1x?x4x8xf32>, %n: index) -> tensor<1x?x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<()[n] -> (1, n, 4, 8)>, affine_map<()[n] -> (1, n, 4, 8)>, affine_map<()[n] -> (1, n, 4, 8)>, affine_map<()[n] -> (1, n, 4, 8)>]} {
  // expected-error @+1 {{'attention.sdpa' op expects heads and head sizes that are known and not zero}}
  %a = attention.sdpa %q, %k, %v scale 0.5 : tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32>, tensor<1x?x4x8xf32> -> tensor<1x?x4x8xf32>
  kernel.yield %a : tensor<1x?x4x8xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op expects a schedule whose scratch is at most 65536 bytes, but got 135968}}
kernel.func @scratch(%q: tensor<1x2x4x512xf32>, %k: tensor<1x2x4x512xf32>, %v: tensor<1x2x4x512xf32>, %out: tensor<1x2x4x512xf32>) -> tensor<1x2x4x512xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<() -> (1, 2, 4, 512)>, affine_map<() -> (1, 2, 4, 512)>, affine_map<() -> (1, 2, 4, 512)>, affine_map<() -> (1, 2, 4, 512)>]} {
  %a = attention.sdpa %q, %k, %v scale 0.5 : tensor<1x2x4x512xf32>, tensor<1x2x4x512xf32>, tensor<1x2x4x512xf32> -> tensor<1x2x4x512xf32>
  kernel.yield %a : tensor<1x2x4x512xf32>
}
