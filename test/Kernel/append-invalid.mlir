// RUN: tessera-opt %s --split-input-file --verify-diagnostics

func.func @c1_dimension(%a: tensor<2x4xf32>, %e: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{C1: expects a dimension below 2, but got 2}}
  %y = kernel.append %a, %a outs(%e : tensor<4x4xf32>) along 2 of input 0 : tensor<2x4xf32>, tensor<2x4xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

func.func @c1_sizes(%a: tensor<2x4xf32>, %b: tensor<2x5xf32>, %e: tensor<4x4xf32>) -> tensor<4x4xf32> {
  // expected-error @+1 {{C1: expects operands like 'tensor<4x4xf32>' but along dimension 0, but got 'tensor<2x5xf32>'}}
  %y = kernel.append %a, %b outs(%e : tensor<4x4xf32>) along 0 of input 0 : tensor<2x4xf32>, tensor<2x5xf32> -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
