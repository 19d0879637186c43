kernel.func @double(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = arith.addf %x, %x : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}
func.func @main(%x: tensor<4xf32> {graph.name = "x", graph.dims = [4]}) -> (tensor<4xf32> {graph.name = "y"}) {
  %e = tensor.empty() : tensor<4xf32>
  %y = kernel.call @double ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
