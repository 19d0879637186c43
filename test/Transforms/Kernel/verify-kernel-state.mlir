// RUN: tessera-opt %s --split-input-file --verify-kernel-state --verify-diagnostics

func.func @compute_outside(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{'math.exp' computes a tensor outside a kernel}}
  %e = math.exp %x : tensor<4xf32>
  return %e : tensor<4xf32>
}

// -----

// expected-error@+1 {{a kernel without a schedule is left}}
kernel.func @unscheduled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %r = arith.mulf %x, %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// -----

func.func @compute_in_a_branch(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %r = scf.if %c -> (tensor<4xf32>) {
    // expected-error@+1 {{'math.exp' computes a tensor outside a kernel}}
    %e = math.exp %x : tensor<4xf32>
    scf.yield %e : tensor<4xf32>
  } else {
    scf.yield %x : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

func.func @compute_in_a_loop(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x) -> (tensor<4xf32>) {
    // expected-error@+1 {{'math.exp' computes a tensor outside a kernel}}
    %e = math.exp %a : tensor<4xf32>
    scf.yield %e : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// Other operations with regions are no branches or loops of the entry.

func.func @while(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  // expected-error@+1 {{'scf.while' computes a tensor outside a kernel}}
  %r = scf.while (%a = %x) : (tensor<4xf32>) -> tensor<4xf32> {
    scf.condition(%c) %a : tensor<4xf32>
  } do {
  ^bb0(%a: tensor<4xf32>):
    scf.yield %a : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}
