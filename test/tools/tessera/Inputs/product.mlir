module MACHINE {
  func.func @main(%x: tensor<2048x1024xf32> {graph.name = "x"}, %w: tensor<1024x4096xf32> {graph.name = "w"})
      -> (tensor<2048x4096xf32> {graph.name = "y"}) {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<2048x4096xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2048x4096xf32>) -> tensor<2048x4096xf32>
    %y = linalg.matmul ins(%x, %w : tensor<2048x1024xf32>, tensor<1024x4096xf32>)
                       outs(%f : tensor<2048x4096xf32>) -> tensor<2048x4096xf32>
    return %y : tensor<2048x4096xf32>
  }
}
