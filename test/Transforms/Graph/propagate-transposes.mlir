// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(graph-propagate-transposes))' | FileCheck %s

// Two convolutions whose layouts are transposes apart: bias and activation move
// to channels last, and the transposes cancel.

// CHECK-LABEL: func.func @between_convolutions
// CHECK:         %[[C:.*]] = graph.conv
// CHECK-NOT:     linalg.transpose
// CHECK:         %[[S:.*]] = arith.addf %[[C]], %{{.*}} : tensor<1x6x6x8xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         graph.conv %[[S]]
func.func @between_convolutions(%x: tensor<1x8x8x4xf32>, %f: tensor<3x3x4x8xf32>, %g: tensor<3x3x8x8xf32>, %b: tensor<1x8x1x1xf32>) -> tensor<1x4x4x8xf32> {
  %c = graph.conv %x, %f strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<1x8x8x4xf32>, tensor<3x3x4x8xf32> -> tensor<1x6x6x8xf32>
  %e = tensor.empty() : tensor<1x8x6x6xf32>
  %t = linalg.transpose ins(%c : tensor<1x6x6x8xf32>) outs(%e : tensor<1x8x6x6xf32>) permutation = [0, 3, 1, 2]
  %bias = graph.broadcast_to %b : tensor<1x8x1x1xf32> -> tensor<1x8x6x6xf32>
  %s = arith.addf %t, %bias : tensor<1x8x6x6xf32>
  %e2 = tensor.empty() : tensor<1x6x6x8xf32>
  %u = linalg.transpose ins(%s : tensor<1x8x6x6xf32>) outs(%e2 : tensor<1x6x6x8xf32>) permutation = [0, 2, 3, 1]
  %d = graph.conv %u, %g strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<1x6x6x8xf32>, tensor<3x3x8x8xf32> -> tensor<1x4x4x8xf32>
  return %d : tensor<1x4x4x8xf32>
}

// Only a dimension of 1 moves: the bytes stay where they are.

// CHECK-LABEL: func.func @moves_ones
// CHECK-NOT:     linalg.transpose
// CHECK:         tensor.collapse_shape
// CHECK:         tensor.expand_shape
func.func @moves_ones(%x: tensor<?x1x4xf32>, %n: index) -> tensor<?x4x1xf32> {
  %e = tensor.empty(%n) : tensor<?x4x1xf32>
  %t = linalg.transpose ins(%x : tensor<?x1x4xf32>) outs(%e : tensor<?x4x1xf32>) permutation = [0, 2, 1]
  return %t : tensor<?x4x1xf32>
}

// A reduction over what is the first dimension of the source.

// CHECK-LABEL: func.func @reduction
// CHECK-NOT:     linalg.transpose
// CHECK:         linalg.reduce {{.*}}ins(%{{.*}} : tensor<4x6xf32>) {{.*}} dimensions = [0]
func.func @reduction(%x: tensor<4x6xf32>) -> tensor<6xf32> {
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %i = tensor.empty() : tensor<6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%i : tensor<6xf32>) -> tensor<6xf32>
  %r = linalg.reduce { arith.addf } ins(%t : tensor<6x4xf32>) outs(%f : tensor<6xf32>) dimensions = [1]
  return %r : tensor<6xf32>
}

// An image made twice as wide, and then as wide as another where it is not known to
// be: both are channels last, and stay so.

// CHECK-LABEL: func.func @wider
// CHECK-NOT:     linalg.transpose
// CHECK:         graph.broadcast_to %{{.*}} sizes({{.*}}) : tensor<1x?x?x1x8xf32> -> tensor<1x?x?x2x8xf32>
// CHECK-NOT:     linalg.transpose
// CHECK:         %[[W:.*]] = graph.broadcast_to %{{.*}} sizes({{.*}}) : tensor<1x?x?x8xf32> -> tensor<1x?x?x8xf32>
// CHECK:         %[[S:.*]] = arith.addf %{{.*}}, %[[W]] : tensor<1x?x?x8xf32>
// CHECK:         linalg.transpose ins(%[[S]]
func.func @wider(%x: tensor<1x?x?x8xf32>, %y: tensor<1x?x?x8xf32>, %h: index, %w: index, %w2: index, %h3: index, %w3: index) -> tensor<1x8x?x?xf32> {
  %a = math.absf %x : tensor<1x?x?x8xf32>
  %e = tensor.empty(%h, %w) : tensor<1x8x?x?xf32>
  %t = linalg.transpose ins(%a : tensor<1x?x?x8xf32>) outs(%e : tensor<1x8x?x?xf32>) permutation = [0, 3, 1, 2]
  %expanded = tensor.expand_shape %t [[0], [1], [2], [3, 4]] output_shape [1, 8, %h, %w, 1] : tensor<1x8x?x?xf32> into tensor<1x8x?x?x1xf32>
  %twice = graph.broadcast_to %expanded sizes(%h, %w) : tensor<1x8x?x?x1xf32> -> tensor<1x8x?x?x2xf32>
  %wide = tensor.collapse_shape %twice [[0], [1], [2], [3, 4]] : tensor<1x8x?x?x2xf32> into tensor<1x8x?x?xf32>
  %same = graph.broadcast_to %wide sizes(%h3, %w3) : tensor<1x8x?x?xf32> -> tensor<1x8x?x?xf32>
  %b = math.exp %y : tensor<1x?x?x8xf32>
  %e3 = tensor.empty(%h3, %w3) : tensor<1x8x?x?xf32>
  %u = linalg.transpose ins(%b : tensor<1x?x?x8xf32>) outs(%e3 : tensor<1x8x?x?xf32>) permutation = [0, 3, 1, 2]
  %s = arith.addf %u, %same : tensor<1x8x?x?xf32>
  return %s : tensor<1x8x?x?xf32>
}

// CHECK-LABEL: func.func @gathered
// CHECK:         %[[G:.*]] = graph.gather %{{.*}}[%{{.*}}] axis 1 : tensor<1x4x6x8xf32>, tensor<9xi64> -> tensor<1x9x6x8xf32>
// CHECK:         linalg.transpose ins(%[[G]] : tensor<1x9x6x8xf32>)
func.func @gathered(%x: tensor<1x4x6x8xf32>, %i: tensor<9xi64>) -> tensor<1x8x9x6xf32> {
  %a = math.absf %x : tensor<1x4x6x8xf32>
  %e = tensor.empty() : tensor<1x8x4x6xf32>
  %t = linalg.transpose ins(%a : tensor<1x4x6x8xf32>) outs(%e : tensor<1x8x4x6xf32>) permutation = [0, 3, 1, 2]
  %g = graph.gather %t[%i] axis 2 : tensor<1x8x4x6xf32>, tensor<9xi64> -> tensor<1x8x9x6xf32>
  return %g : tensor<1x8x9x6xf32>
}

// The other operand is computed in this layout: a transpose either way.

// CHECK-LABEL: func.func @not_free
// CHECK:         linalg.transpose
// CHECK:         arith.addf %{{.*}} : tensor<6x4xf32>
// CHECK-NOT:     linalg.transpose
func.func @not_free(%x: tensor<4x6xf32>, %y: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %a = math.exp %x : tensor<4x6xf32>
  %b = math.exp %y : tensor<6x4xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.transpose ins(%a : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
  %s = arith.addf %t, %b : tensor<6x4xf32>
  return %s : tensor<6x4xf32>
}

// Below a join, a slice, padding and reshapes that keep or merge neighbours.

// CHECK-LABEL: func.func @movement
// CHECK-NOT:     linalg.transpose
// CHECK:         tensor.concat dim(3) {{.*}} -> tensor<1x2x3x8xf32>
// CHECK:         tensor.extract_slice {{.*}}[0, 0, 0, 2] [1, 2, 3, 6]
// CHECK:         tensor.pad {{.*}} low[0, 1, 0, 0]
// CHECK:         tensor.expand_shape {{.*}} {{\[}}[0], [1], [2], [3, 4]] {{.*}} into tensor<1x3x3x2x3xf32>
// CHECK:         tensor.collapse_shape {{.*}} {{\[}}[0], [1, 2], [3], [4]]
// CHECK:         linalg.transpose {{.*}} permutation = [0, 2, 3, 1]
// CHECK-NOT:     linalg.transpose
func.func @movement(%x: tensor<1x2x3x4xf32>) -> tensor<1x2x3x9xf32> {
  %c = math.exp %x : tensor<1x2x3x4xf32>
  %e = tensor.empty() : tensor<1x4x2x3xf32>
  %t = linalg.transpose ins(%c : tensor<1x2x3x4xf32>) outs(%e : tensor<1x4x2x3xf32>) permutation = [0, 3, 1, 2]
  %j = tensor.concat dim(1) %t, %t : (tensor<1x4x2x3xf32>, tensor<1x4x2x3xf32>) -> tensor<1x8x2x3xf32>
  %s = tensor.extract_slice %j[0, 2, 0, 0] [1, 6, 2, 3] [1, 1, 1, 1] : tensor<1x8x2x3xf32> to tensor<1x6x2x3xf32>
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %s low[0, 0, 1, 0] high[0, 0, 0, 0] {
  ^bb0(%a: index, %b: index, %h: index, %w: index):
    tensor.yield %zero : f32
  } : tensor<1x6x2x3xf32> to tensor<1x6x3x3xf32>
  %g = tensor.expand_shape %p [[0], [1, 2], [3], [4]] output_shape [1, 2, 3, 3, 3] : tensor<1x6x3x3xf32> into tensor<1x2x3x3x3xf32>
  %r = tensor.collapse_shape %g [[0], [1], [2], [3, 4]] : tensor<1x2x3x3x3xf32> into tensor<1x2x3x9xf32>
  return %r : tensor<1x2x3x9xf32>
}

// Rows and channels that merge are not neighbours channels-last.

// CHECK-LABEL: func.func @merges_apart
// CHECK:         linalg.transpose
// CHECK:         tensor.collapse_shape
func.func @merges_apart(%x: tensor<1x2x3x4xf32>) -> tensor<1x24xf32> {
  %c = math.exp %x : tensor<1x2x3x4xf32>
  %e = tensor.empty() : tensor<1x4x2x3xf32>
  %t = linalg.transpose ins(%c : tensor<1x2x3x4xf32>) outs(%e : tensor<1x4x2x3xf32>) permutation = [0, 3, 1, 2]
  %r = tensor.collapse_shape %t [[0], [1, 2, 3]] : tensor<1x4x2x3xf32> into tensor<1x24xf32>
  return %r : tensor<1x24xf32>
}
