// RUN: tessera-opt %s --split-input-file --verify-diagnostics

func.func @gather_points_c1_count(%x: tensor<4x8xf32>, %i: tensor<4x3x1xi64>) {
  // expected-error @+1 {{C1: expects 2 dimensions, but got 1}}
  %r = graph.gather_points %x[%i] dimensions [-1] : tensor<4x8xf32>, tensor<4x3x1xi64> -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_points_c1_value(%x: tensor<4x8xf32>, %i: tensor<4x3x1xi64>) {
  // expected-error @+1 {{C1: expects -1 or a dimension below 2, but got 2}}
  %r = graph.gather_points %x[%i] dimensions [2, -1] : tensor<4x8xf32>, tensor<4x3x1xi64> -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_points_c2(%x: tensor<4x8xf32>, %i: tensor<4x3x2xi64>) {
  // expected-error @+1 {{C2: expects indices of last size 1, but got 'tensor<4x3x2xi64>'}}
  %r = graph.gather_points %x[%i] dimensions [0, -1] : tensor<4x8xf32>, tensor<4x3x2xi64> -> tensor<4x3xf32>
  return
}

// -----

func.func @gather_points_c3(%x: tensor<4xf32>, %i: tensor<4x3x1xi64>) {
  // expected-error @+1 {{C3: expects indices of rank at most 2, but got 3}}
  %r = graph.gather_points %x[%i] dimensions [-1] : tensor<4xf32>, tensor<4x3x1xi64> -> tensor<4xf32>
  return
}

// -----

func.func @gather_points_c4(%x: tensor<4xf32>, %i: tensor<3x1xi64>) {
  // expected-error @+1 {{C4: expects one element type, but got 'f32' and 'f64'}}
  %r = graph.gather_points %x[%i] dimensions [-1] : tensor<4xf32>, tensor<3x1xi64> -> tensor<3xf64>
  return
}

// -----

func.func @gather_points_c5(%x: tensor<4xf32>, %i: tensor<?x1xi64>) {
  // expected-error @+1 {{C5: expects 1 sizes, but got 0}}
  %r = graph.gather_points %x[%i] dimensions [-1] : tensor<4xf32>, tensor<?x1xi64> -> tensor<?xf32>
  return
}

// -----

func.func @scatter_points_c4(%x: tensor<4xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf64>) {
  // expected-error @+1 {{C4: expects one element type, but got 'f32' and 'f64'}}
  %r = graph.scatter_points add %u at %i into %x dimensions [-1]
    : tensor<3xf64>, tensor<3x1xi64>, tensor<4xf32> -> tensor<4xf32>
  return
}

// -----

func.func @scatter_points_c5(%x: tensor<4xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>) {
  // expected-error @+1 {{C5: expects a result of 'tensor<4xf32>', but got 'tensor<5xf32>'}}
  %r = graph.scatter_points add %u at %i into %x dimensions [-1]
    : tensor<3xf32>, tensor<3x1xi64>, tensor<4xf32> -> tensor<5xf32>
  return
}

// -----

func.func @top_indices_c1(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{C1: expects a dimension below 2, but got 2}}
  %r = graph.top_indices max %x dimension 2 : tensor<4x8xf32> -> tensor<4x3xi64>
  return
}

// -----

func.func @top_indices_c2(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{C2: expects the sizes of 'tensor<4x8xf32>' but along dimension 1, but got 'tensor<5x3xi64>'}}
  %r = graph.top_indices max %x dimension 1 : tensor<4x8xf32> -> tensor<5x3xi64>
  return
}

// -----

func.func @top_indices_c3(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{C3: expects 1 sizes, but got 0}}
  %r = graph.top_indices max %x dimension 1 : tensor<4x8xf32> -> tensor<4x?xi64>
  return
}

// -----

func.func @cumulative_c1(%x: tensor<4xf32>) {
  // expected-error @+1 {{C1: expects a dimension below 1, but got 1}}
  %r = graph.cumulative add %x dimension 1 : tensor<4xf32>
  return
}

// -----

func.func @cumulative_c2(%x: tensor<4xf32>) {
  // expected-error @+1 {{C2: expects add or multiply, but got max}}
  %r = graph.cumulative max %x dimension 0 : tensor<4xf32>
  return
}
