// RUN: tessera-opt %s --split-input-file --verify-diagnostics --cpu-emit-kernels

// expected-error @+1 {{'kernel.func' op expects a schedule, but got none}}
kernel.func @unscheduled(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{'kernel.func' op has no contraction that the builder knows}}
kernel.func @copy(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>],
                schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, depth = 0, prefetchRows = 0>]} {
  kernel.yield %x : tensor<4xf32>
}
