// What appends to caches expect: they are outputs that nothing else writes, and memory
// with strides of the caller is not reshaped.

// RUN: tessera-opt %s --split-input-file --plan-storage --verify-diagnostics

#p = affine_map<() -> (2)>
#a = affine_map<() -> (1)>
#y = affine_map<() -> (3)>
kernel.func @past(%x: tensor<2xf32>, %out: tensor<2xf32>) -> tensor<2xf32>
    attributes {outputs = 1 : i64, shapes = [#p, #p], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<2xf32>
}
kernel.func @added(%x: tensor<1xf32>, %out: tensor<1xf32>) -> tensor<1xf32>
    attributes {outputs = 1 : i64, shapes = [#a, #a], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<1xf32>
}
kernel.func @whole(%x: tensor<3xf32>, %out: tensor<3xf32>) -> tensor<3xf32>
    attributes {outputs = 1 : i64, shapes = [#y, #y], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<3xf32>
  kernel.yield %r : tensor<3xf32>
}
func.func @no_output(%x: tensor<2xf32> {graph.dims = [2]}, %n: tensor<1xf32> {graph.dims = [1]}) -> tensor<3xf32> {
  %e2 = tensor.empty() : tensor<2xf32>
  %e1 = tensor.empty() : tensor<1xf32>
  %e3 = tensor.empty() : tensor<3xf32>
  %p = kernel.call @past ins(%x : tensor<2xf32>) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %a = kernel.call @added ins(%n : tensor<1xf32>) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  // expected-error @+1 {{expects to be an output of the entry, and its operands the results of kernels, the first of one that copies input 0}}
  %y = kernel.append %p, %a outs(%e3 : tensor<3xf32>) along 0 of input 0 : tensor<2xf32>, tensor<1xf32> -> tensor<3xf32>
  %z = kernel.call @whole ins(%y : tensor<3xf32>) outs(%e3 : tensor<3xf32>) -> tensor<3xf32>
  return %z : tensor<3xf32>
}

// -----

#p = affine_map<() -> (2)>
#a = affine_map<() -> (1)>
kernel.func @past(%x: tensor<2xf32>, %out: tensor<2xf32>) -> tensor<2xf32>
    attributes {outputs = 1 : i64, shapes = [#p, #p], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<2xf32>
}
kernel.func @added(%x: tensor<1xf32>, %out: tensor<1xf32>) -> tensor<1xf32>
    attributes {outputs = 1 : i64, shapes = [#a, #a], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<1xf32>
}
func.func @read_twice(%x: tensor<2xf32> {graph.dims = [2]}, %n: tensor<1xf32> {graph.dims = [1]}) -> (tensor<3xf32>, tensor<2xf32>) {
  %e2 = tensor.empty() : tensor<2xf32>
  %e1 = tensor.empty() : tensor<1xf32>
  %e3 = tensor.empty() : tensor<3xf32>
  %p = kernel.call @past ins(%x : tensor<2xf32>) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %a = kernel.call @added ins(%n : tensor<1xf32>) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  // expected-error @+1 {{expects to be the only one that reads its operands}}
  %y = kernel.append %p, %a outs(%e3 : tensor<3xf32>) along 0 of input 0 : tensor<2xf32>, tensor<1xf32> -> tensor<3xf32>
  %z = kernel.call @past ins(%p : tensor<2xf32>) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  return %y, %z : tensor<3xf32>, tensor<2xf32>
}

// -----

#p = affine_map<() -> (2)>
#a = affine_map<() -> (1)>
kernel.func @past(%x: tensor<2xf32>, %out: tensor<2xf32>) -> tensor<2xf32>
    attributes {outputs = 1 : i64, shapes = [#p, #p], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<2xf32>
}
kernel.func @added(%x: tensor<1xf32>, %out: tensor<1xf32>) -> tensor<1xf32>
    attributes {outputs = 1 : i64, shapes = [#a, #a], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<1xf32>
}
func.func @extended_twice(%x: tensor<2xf32> {graph.dims = [2]}, %n: tensor<1xf32> {graph.dims = [1]}) -> (tensor<3xf32>, tensor<3xf32>) {
  %e2 = tensor.empty() : tensor<2xf32>
  %e1 = tensor.empty() : tensor<1xf32>
  %e3 = tensor.empty() : tensor<3xf32>
  %p = kernel.call @past ins(%x : tensor<2xf32>) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %a = kernel.call @added ins(%n : tensor<1xf32>) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  %y = kernel.append %p, %a outs(%e3 : tensor<3xf32>) along 0 of input 0 : tensor<2xf32>, tensor<1xf32> -> tensor<3xf32>
  %q = kernel.call @past ins(%x : tensor<2xf32>) outs(%e2 : tensor<2xf32>) -> tensor<2xf32>
  %b = kernel.call @added ins(%n : tensor<1xf32>) outs(%e1 : tensor<1xf32>) -> tensor<1xf32>
  // expected-error @+1 {{extends input 0 a second time}}
  %z = kernel.append %q, %b outs(%e3 : tensor<3xf32>) along 0 of input 0 : tensor<2xf32>, tensor<1xf32> -> tensor<3xf32>
  return %y, %z : tensor<3xf32>, tensor<3xf32>
}

// -----

#p = affine_map<() -> (2, 5, 4)>
#a = affine_map<() -> (2, 1, 4)>
#flat = affine_map<() -> (12, 4)>
kernel.func @past(%x: tensor<2x5x4xf32>, %out: tensor<2x5x4xf32>) -> tensor<2x5x4xf32>
    attributes {outputs = 1 : i64, shapes = [#p, #p], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<2x5x4xf32>
}
kernel.func @added(%x: tensor<2x1x4xf32>, %out: tensor<2x1x4xf32>) -> tensor<2x1x4xf32>
    attributes {outputs = 1 : i64, shapes = [#a, #a], schedules = [#kernel.generic]} {
  kernel.yield %x : tensor<2x1x4xf32>
}
kernel.func @flat(%x: tensor<12x4xf32>, %out: tensor<12x4xf32>) -> tensor<12x4xf32>
    attributes {outputs = 1 : i64, shapes = [#flat, #flat], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<12x4xf32>
  kernel.yield %r : tensor<12x4xf32>
}
func.func @reshaped(%x: tensor<2x5x4xf32> {graph.dims = [2, 5, 4]}, %n: tensor<2x1x4xf32> {graph.dims = [2, 1, 4]}) -> (tensor<2x6x4xf32>, tensor<12x4xf32>) {
  %e5 = tensor.empty() : tensor<2x5x4xf32>
  %e1 = tensor.empty() : tensor<2x1x4xf32>
  %e6 = tensor.empty() : tensor<2x6x4xf32>
  %e12 = tensor.empty() : tensor<12x4xf32>
  %p = kernel.call @past ins(%x : tensor<2x5x4xf32>) outs(%e5 : tensor<2x5x4xf32>) -> tensor<2x5x4xf32>
  %a = kernel.call @added ins(%n : tensor<2x1x4xf32>) outs(%e1 : tensor<2x1x4xf32>) -> tensor<2x1x4xf32>
  %y = kernel.append %p, %a outs(%e6 : tensor<2x6x4xf32>) along 1 of input 0 : tensor<2x5x4xf32>, tensor<2x1x4xf32> -> tensor<2x6x4xf32>
  // expected-error @+1 {{a cache with the caller's strides is reshaped outside of a kernel}}
  %f = tensor.collapse_shape %y [[0, 1], [2]] : tensor<2x6x4xf32> into tensor<12x4xf32>
  %z = kernel.call @flat ins(%f : tensor<12x4xf32>) outs(%e12 : tensor<12x4xf32>) -> tensor<12x4xf32>
  return %y, %z : tensor<2x6x4xf32>, tensor<12x4xf32>
}
