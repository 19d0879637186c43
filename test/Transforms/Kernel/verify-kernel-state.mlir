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
