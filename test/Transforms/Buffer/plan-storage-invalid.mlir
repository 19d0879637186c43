// RUN: tessera-opt %s --split-input-file --plan-storage --verify-diagnostics

// Its storage is planned already.
// expected-error @+1 {{expects tensors to plan storage for, but got '(!llvm.ptr) -> ()'}}
func.func @main(%context: !llvm.ptr) {
  return
}

// -----

// What leaves a branch must be written there.

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @outside_yielded(%x: tensor<4xf32> {graph.dims = [4]}, %k: tensor<i64> {graph.dims = []}) -> tensor<4xf32> {
  %i = tensor.extract %k[] : tensor<i64>
  %zero = arith.constant 0 : i64
  %c = arith.cmpi eq, %i, %zero : i64
  %e = tensor.empty() : tensor<4xf32>
  %r = scf.if %c -> (tensor<4xf32>) {
    %a = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %a : tensor<4xf32>
  } else {
    // expected-error @+1 {{expects tensor 0 to be the result of a kernel of its own in this block}}
    scf.yield %x : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// A loop writes where it begins.

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @input_carried(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{expects what it begins with to be the result of a kernel of this block that nothing else reads, but got}}
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> (tensor<4xf32>) {
    %b = kernel.call @f ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// The kernel that computes what the next trip gets reads what this one got.

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @overwritten(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty() : tensor<4xf32>
  %init = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %init) -> (tensor<4xf32>) {
    // expected-error @+2 {{writes what the loop carries before all of it is read; expects a copy at the end of the trip}}
    // expected-note @+1 {{what reads it ends with this call}}
    %b = kernel.call @f ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// expected-error @+1 {{expects output 0 to be the result of a kernel of its own}}
func.func @argument_returned(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @other_reader(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %a = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  // expected-error @+1 {{reads a tensor's elements outside a kernel}}
  %rank = tensor.rank %a : tensor<4xf32>
  return %a : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
// expected-error @+1 {{reads input 0 outside a kernel}}
func.func @input_rank(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %a = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %rank = tensor.rank %x : tensor<4xf32>
  return %a : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @no_place(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{expects a kernel's operand to be an input, a weight, a kernel's result or a reshape of one}}
  %a = kernel.call @f ins(%e : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %a : tensor<4xf32>
}
