// A matrix product in bf16 with weights [depth, columns], rounded, then in bf16 a
// residual and relu: max(x w + residual, 0). Says nothing of a target.
kernel.func @gemm_residual_relu(%x: tensor<?x?xbf16>, %w: tensor<?x?xbf16>, %residual: tensor<?x?xbf16>, %out: tensor<?x?xbf16>,
                                %rows: index, %columns: index, %depth: index) -> tensor<?x?xbf16>
    attributes {outputs = 1 : i64,
                shapes = [affine_map<()[s0, s1, s2] -> (s0, s2)>, affine_map<()[s0, s1, s2] -> (s2, s1)>,
                          affine_map<()[s0, s1, s2] -> (s0, s1)>, affine_map<()[s0, s1, s2] -> (s0, s1)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%rows, %columns) : tensor<?x?xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?xf32>) -> tensor<?x?xf32>
  %product = linalg.matmul ins(%x, %w : tensor<?x?xbf16>, tensor<?x?xbf16>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %rounded = arith.truncf %product : tensor<?x?xf32> to tensor<?x?xbf16>
  %sum = arith.addf %rounded, %residual : tensor<?x?xbf16>
  %zero_bf16 = arith.constant 0.0 : bf16
  %empty_bf16 = tensor.empty(%rows, %columns) : tensor<?x?xbf16>
  %zeros = linalg.fill ins(%zero_bf16 : bf16) outs(%empty_bf16 : tensor<?x?xbf16>) -> tensor<?x?xbf16>
  %relu = arith.maximumf %sum, %zeros : tensor<?x?xbf16>
  kernel.yield %relu : tensor<?x?xbf16>
}
