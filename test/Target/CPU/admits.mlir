// RUN: tessera-opt %s --kernel-select-schedules | FileCheck %s

// What the CPU's routes refuse, and why, without emitting anything.

#rows = #kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>
#attention = #kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 48, keyBlock = 64, shortRows = 4, shortKeyBlock = 64>

// CHECK-LABEL: kernel.func @root_without_elements
// CHECK-SAME:    kernel.missed = "element emitter: 'linalg.matmul' is neither elementwise nor bound to a source"
kernel.func @root_without_elements(%x: tensor<4x4xf32>, %out: tensor<4x4xf32>) -> tensor<4x4xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (4, 4)>, affine_map<() -> (4, 4)>]} {
  %r = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%out : tensor<4x4xf32>) -> tensor<4x4xf32>
  kernel.yield %r : tensor<4x4xf32>
}

// CHECK-LABEL: kernel.func @strided_insert
// CHECK-SAME:    kernel.missed = "element emitter: expects a slice of stride 1"
kernel.func @strided_insert(%x: tensor<2xf32>, %y: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (2)>, affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %r = tensor.insert_slice %x into %y[0] [2] [2] : tensor<2xf32> into tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: kernel.func @computed_padding
// CHECK-SAME:    kernel.missed = "element emitter: expects a constant padding value"
kernel.func @computed_padding(%x: tensor<2xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (2)>, affine_map<() -> (4)>]} {
  %r = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    %n = arith.index_cast %i : index to i32
    %f = arith.sitofp %n : i32 to f32
    tensor.yield %f : f32
  } : tensor<2xf32> to tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: kernel.func @other_rows
// CHECK-SAME:    kernel.missed = "'linalg.reduce' op row emitter: expects all reductions of a kernel to be along the same dimensions of the same sizes"
kernel.func @other_rows(%x: tensor<4x6xf32>, %a: tensor<4xf32>, %b: tensor<6xf32>) -> (tensor<4xf32>, tensor<6xf32>)
    attributes {outputs = 2 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (4, 6)>, affine_map<() -> (4)>, affine_map<() -> (6)>]} {
  %r = linalg.reduce { arith.addf } ins(%x : tensor<4x6xf32>) outs(%a : tensor<4xf32>) dimensions = [1]
  %s = linalg.reduce { arith.addf } ins(%x : tensor<4x6xf32>) outs(%b : tensor<6xf32>) dimensions = [0]
  kernel.yield %r, %s : tensor<4xf32>, tensor<6xf32>
}

// The sum of a row is known in that row only.

// CHECK-LABEL: kernel.func @reversed_sums
// CHECK-SAME:    kernel.missed = "element emitter: the bound value cannot be read here"
kernel.func @reversed_sums(%x: tensor<4x6xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (4, 6)>, affine_map<() -> (4)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = linalg.reduce { arith.addf } ins(%x : tensor<4x6xf32>) outs(%f : tensor<4xf32>) dimensions = [1]
  %s = graph.reverse %r [0] : tensor<4xf32>
  kernel.yield %s : tensor<4xf32>
}

// Rows of one element: what a pass has stored is a vector, and no element.

// CHECK-LABEL: kernel.func @stored_vector
// CHECK-SAME:    kernel.missed = "element emitter: the bound value cannot be read here"
kernel.func @stored_vector(%x: tensor<1x1xf32>, %out: tensor<1xf32>) -> tensor<1xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (1, 1)>, affine_map<() -> (1)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1xf32>) -> tensor<1xf32>
  %s = math.sinh %x : tensor<1x1xf32>
  %r = linalg.reduce { arith.addf } ins(%s : tensor<1x1xf32>) outs(%f : tensor<1xf32>) dimensions = [1]
  %c = tensor.collapse_shape %s [[0, 1]] : tensor<1x1xf32> into tensor<1xf32>
  %d = arith.subf %c, %r : tensor<1xf32>
  %w = tensor.expand_shape %d [[0, 1]] output_shape [1, 1] : tensor<1xf32> into tensor<1x1xf32>
  %t = linalg.reduce { arith.addf } ins(%w : tensor<1x1xf32>) outs(%f : tensor<1xf32>) dimensions = [1]
  kernel.yield %t : tensor<1xf32>
}

// By position a sum is there only where it is repeated.

// CHECK-LABEL: kernel.func @single_sum
// CHECK-SAME:    kernel.missed = "element emitter: the bound value cannot be read here"
kernel.func @single_sum(%x: tensor<1x1x1xf32>, %out: tensor<1x1x1xf32>) -> tensor<1x1x1xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (1, 1, 1)>, affine_map<() -> (1, 1, 1)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x1xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x1xf32>) -> tensor<1x1xf32>
  %r = linalg.reduce { arith.addf } ins(%x : tensor<1x1x1xf32>) outs(%f : tensor<1x1xf32>) dimensions = [1]
  %w = tensor.expand_shape %r [[0], [1, 2]] output_shape [1, 1, 1] : tensor<1x1xf32> into tensor<1x1x1xf32>
  kernel.yield %w : tensor<1x1x1xf32>
}

// The same through a transpose that a second one undoes is in the row.

// CHECK-LABEL: kernel.func @turned_twice
// CHECK-SAME:    schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]
kernel.func @turned_twice(%x: tensor<4x3x6xf32>, %out: tensor<4x3xf32>) -> tensor<4x3xf32>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (4, 3, 6)>, affine_map<() -> (4, 3)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x3xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x3xf32>) -> tensor<4x3xf32>
  %r = linalg.reduce { arith.addf } ins(%x : tensor<4x3x6xf32>) outs(%f : tensor<4x3xf32>) dimensions = [2]
  %g = tensor.empty() : tensor<3x4xf32>
  %t = linalg.transpose ins(%r : tensor<4x3xf32>) outs(%g : tensor<3x4xf32>) permutation = [1, 0]
  %u = linalg.transpose ins(%t : tensor<3x4xf32>) outs(%e : tensor<4x3xf32>) permutation = [1, 0]
  %y = math.exp %u : tensor<4x3xf32>
  kernel.yield %y : tensor<4x3xf32>
}

// CHECK-LABEL: kernel.func @averaged_integers
// CHECK-SAME:    kernel.missed = "'graph.pool' op row emitter: expects floats to average, but got 'i8'"
kernel.func @averaged_integers(%x: tensor<1x4x4x8xi8>, %out: tensor<1x2x2x8xi8>) -> tensor<1x2x2x8xi8>
    attributes {outputs = 1 : i64, schedules = [#rows, #kernel.generic],
                shapes = [affine_map<() -> (1, 4, 4, 8)>, affine_map<() -> (1, 2, 2, 8)>]} {
  %r = graph.pool average %x kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0], [0, 0] : tensor<1x4x4x8xi8> -> tensor<1x2x2x8xi8>
  kernel.yield %r : tensor<1x2x2x8xi8>
}

// CHECK-LABEL: kernel.func @long_scratch
// CHECK-SAME:    kernel.missed = "'kernel.func' op expects a schedule whose scratch is at most 65536 bytes, but got
kernel.func @long_scratch(%q: tensor<1x1x2x4096xf32>, %out: tensor<1x1x2x4096xf32>) -> tensor<1x1x2x4096xf32>
    attributes {outputs = 1 : i64, schedules = [#attention, #kernel.generic],
                shapes = [affine_map<() -> (1, 1, 2, 4096)>, affine_map<() -> (1, 1, 2, 4096)>]} {
  %o = attention.sdpa %q, %q, %q scale 0.5 : tensor<1x1x2x4096xf32>, tensor<1x1x2x4096xf32>, tensor<1x1x2x4096xf32> -> tensor<1x1x2x4096xf32>
  kernel.yield %o : tensor<1x1x2x4096xf32>
}
