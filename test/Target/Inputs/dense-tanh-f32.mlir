// A kernel with dynamic rows, packed weights, a bias and an activation.
kernel.func @dense_tanh(%x: tensor<?x48xf32>, %w: tensor<3x48x16xf32>, %bias: tensor<40xf32>, %out: tensor<?x40xf32>, %rows: index) -> tensor<?x40xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<()[s0] -> (s0, 48)>, affine_map<()[s0] -> (3, 48, 16)>, affine_map<()[s0] -> (40)>, affine_map<()[s0] -> (s0, 40)>]} {
  %zero = arith.constant 0.0 : f32
  %unpacked = tensor.empty() : tensor<48x40xf32>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %unpacked : tensor<3x48x16xf32> -> tensor<48x40xf32>
  %empty = tensor.empty(%rows) : tensor<?x40xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x40xf32>) -> tensor<?x40xf32>
  %product = linalg.matmul ins(%x, %b : tensor<?x48xf32>, tensor<48x40xf32>) outs(%init : tensor<?x40xf32>) -> tensor<?x40xf32>
  %biases = graph.broadcast_to %bias sizes(%rows) : tensor<40xf32> -> tensor<?x40xf32>
  %sum = arith.addf %product, %biases : tensor<?x40xf32>
  %result = math.tanh %sum : tensor<?x40xf32>
  kernel.yield %result : tensor<?x40xf32>
}
func.func @main(%x: tensor<?x48xf32>, %w: tensor<3x48x16xf32>, %bias: tensor<40xf32>, %n: index) -> tensor<?x40xf32> {
  %e = tensor.empty(%n) : tensor<?x40xf32>
  %r = kernel.call @dense_tanh ins(%x, %w, %bias : tensor<?x48xf32>, tensor<3x48x16xf32>, tensor<40xf32>) outs(%e : tensor<?x40xf32>) sizes(%n) -> tensor<?x40xf32>
  return %r : tensor<?x40xf32>
}
