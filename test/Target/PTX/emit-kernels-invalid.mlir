// What a kernel and its schedule must be for the device builders.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics --ptx-emit-kernels

// expected-error @+1 {{expects at most 232448 bytes of shared memory, but the schedule needs 278608}}
kernel.func @too_many_stages(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 256, depth = 64, stages = 5, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

// expected-error @+1 {{expects at most 200 accumulators a thread for 2 consumers, but the schedule needs 256}}
kernel.func @too_many_accumulators(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 256, columns = 256, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

// expected-error @+1 {{expects a contraction for its schedule}}
kernel.func @no_contraction(%x: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  kernel.yield %x : tensor<64x64xf16>
}

// -----

kernel.func @f32_operands(%x: tensor<64x64xf32>, %w: tensor<64x64xf32>, %out: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{expects f16 or bf16 operands of one type and an f32 result, but got 'f32', 'f32' and 'f32'}}
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf32>, tensor<64x64xf32>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  kernel.yield %product : tensor<64x64xf32>
}

// -----

// expected-error @+1 {{expects an output of f16 or bf16 for its schedule, but got 'f32'}}
kernel.func @f32_output(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  kernel.yield %product : tensor<64x64xf32>
}

// -----

kernel.func @computed_operand(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %negated = arith.negf %x : tensor<64x64xf16>
  // expected-error @+1 {{expects its operands to be inputs of the kernel}}
  %product = linalg.matmul ins(%negated, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

kernel.func @transposed_left(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{expects a left operand of rows by the contracted dimension}}
  %product = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

kernel.func @batched(%x: tensor<2x64x64xf16>, %w: tensor<2x64x64xf16>, %out: tensor<2x64x64xf16>) -> tensor<2x64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (2, 64, 64)>, affine_map<() -> (2, 64, 64)>, affine_map<() -> (2, 64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2x64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
  // expected-error @+1 {{expects one row, one column and one contracted dimension}}
  %product = linalg.batch_matmul ins(%x, %w : tensor<2x64x64xf16>, tensor<2x64x64xf16>) outs(%init : tensor<2x64x64xf32>) -> tensor<2x64x64xf32>
  %result = arith.truncf %product : tensor<2x64x64xf32> to tensor<2x64x64xf16>
  kernel.yield %result : tensor<2x64x64xf16>
}

// -----

kernel.func @initial_value(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%one : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{expects an accumulator that is filled with zero}}
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %product : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

kernel.func @two_contractions(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-note @+1 {{the other one is here}}
  %first = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{expects one contraction in a kernel}}
  %second = linalg.matmul ins(%w, %x : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %sum = arith.addf %first, %second : tensor<64x64xf32>
  %result = arith.truncf %sum : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

kernel.func @reduction_in_epilogue(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{element emitter: 'linalg.softmax' is neither elementwise nor bound to a source}}
  %softmax = linalg.softmax dimension(1) ins(%product : tensor<64x64xf32>) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  %result = arith.truncf %softmax : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

// The product is needed at another element than the one that is computed.
kernel.func @transposed_product(%x: tensor<64x64xf16>, %w: tensor<64x64xf16>, %out: tensor<64x64xf16>) -> tensor<64x64xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x64xf32>) -> tensor<64x64xf32>
  // expected-error @+1 {{element emitter: the bound value cannot be read here}}
  %product = linalg.matmul ins(%x, %w : tensor<64x64xf16>, tensor<64x64xf16>) outs(%init : tensor<64x64xf32>) -> tensor<64x64xf32>
  %turned = linalg.transpose ins(%product : tensor<64x64xf32>) outs(%empty : tensor<64x64xf32>) permutation = [1, 0]
  %result = arith.truncf %turned : tensor<64x64xf32> to tensor<64x64xf16>
  kernel.yield %result : tensor<64x64xf16>
}

// -----

// expected-error @+1 {{expects taskElements of lanes * unroll times a multiple of 32 threads up to 1024, but got 1000 for 8}}
kernel.func @threads(%x: tensor<64xf32>, %out: tensor<64xf32>) -> tensor<64xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 2, taskElements = 1000>],
                shapes = [affine_map<() -> (64)>, affine_map<() -> (64)>]} {
  kernel.yield %x : tensor<64xf32>
}

// -----

// expected-error @+1 {{expects outputs of one shape, but output 1 differs from the first}}
kernel.func @output_shapes(%x: tensor<64xf32>, %y: tensor<32xf32>, %out: tensor<64xf32>, %out2: tensor<32xf32>) -> (tensor<64xf32>, tensor<32xf32>)
    attributes {outputs = 2 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 2, taskElements = 256>],
                shapes = [affine_map<() -> (64)>, affine_map<() -> (32)>, affine_map<() -> (64)>, affine_map<() -> (32)>]} {
  kernel.yield %x, %y : tensor<64xf32>, tensor<32xf32>
}

// -----

kernel.func @varied_constant(%x: tensor<2xf32>, %out: tensor<2xf32>) -> tensor<2xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 2, taskElements = 256>],
                shapes = [affine_map<() -> (2)>, affine_map<() -> (2)>]} {
  // expected-error @+1 {{expects a constant of one value in a kernel that is emitted element by element}}
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %r = arith.addf %x, %c : tensor<2xf32>
  kernel.yield %r : tensor<2xf32>
}
