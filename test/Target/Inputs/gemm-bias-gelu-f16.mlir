// A dense layer in f16 with f32 accumulation: gelu(x w^T + bias), all sizes
// dynamic. Says nothing of a target: every target lowers this text.
kernel.func @gemm_bias_gelu(%x: tensor<?x?xf16>, %w: tensor<?x?xf16>, %bias: tensor<?xf16>, %out: tensor<?x?xf16>,
                            %rows: index, %columns: index, %depth: index) -> tensor<?x?xf16>
    attributes {outputs = 1 : i64,
                shapes = [affine_map<()[s0, s1, s2] -> (s0, s2)>, affine_map<()[s0, s1, s2] -> (s1, s2)>,
                          affine_map<()[s0, s1, s2] -> (s1)>, affine_map<()[s0, s1, s2] -> (s0, s1)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %product = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x?xf16>, tensor<?x?xf16>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %bias_f32 = arith.extf %bias : tensor<?xf16> to tensor<?xf32>
  %biases = graph.broadcast_to %bias_f32 sizes(%rows, %columns) : tensor<?xf32> -> tensor<?x?xf32>
  %sum = arith.addf %product, %biases : tensor<?x?xf32>
  // gelu(t) = t / 2 (1 + erf(t / sqrt(2)))
  %half_scalar = arith.constant 0.5 : f32
  %one_scalar = arith.constant 1.0 : f32
  %root_scalar = arith.constant 0.70710678118654752 : f32
  %half = linalg.fill ins(%half_scalar : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %one = linalg.fill ins(%one_scalar : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %root = linalg.fill ins(%root_scalar : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %scaled = arith.mulf %sum, %root : tensor<?x?xf32>
  %erf = math.erf %scaled : tensor<?x?xf32>
  %shifted = arith.addf %erf, %one : tensor<?x?xf32>
  %halved = arith.mulf %sum, %half : tensor<?x?xf32>
  %gelu = arith.mulf %halved, %shifted : tensor<?x?xf32>
  %result = arith.truncf %gelu : tensor<?x?xf32> to tensor<?x?xf16>
  kernel.yield %result : tensor<?x?xf16>
}
