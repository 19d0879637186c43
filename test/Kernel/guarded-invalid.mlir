// RUN: tessera-opt %s --split-input-file --verify-diagnostics

#dimension = affine_set<(d0) : (d0 >= 0)>
// expected-error @+1 {{C1: expects a condition without dimensions, but got affine_set<(d0) : (d0 >= 0)>}}
#c1 = #kernel.guarded<#dimension, #kernel.generic>

// -----

#always = affine_set<() : (1 >= 0)>
// expected-error @+1 {{C2: expects a schedule that is not guarded, but got #kernel.guarded<}}
#c2 = #kernel.guarded<#always, #kernel.guarded<#always, #kernel.generic>>

// -----

#size = affine_set<()[s0] : (s0 >= 0)>
// expected-error @+1 {{C5: expects a condition on 0 sizes, but got affine_set<()[s0] : (s0 >= 0)>}}
kernel.func @c5_symbols(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>],
                schedules = [#kernel.guarded<#size, #kernel.generic>, #kernel.generic]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

#always = affine_set<() : (1 >= 0)>
// expected-error @+1 {{C5: expects a last schedule that is not guarded}}
kernel.func @c5_last(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>],
                schedules = [#kernel.guarded<#always, #kernel.generic>]} {
  kernel.yield %x : tensor<4xf32>
}

// -----

// expected-error @+1 {{C3: expects a condition or a unit}}
#c3 = #kernel.guarded<#kernel.generic>

// -----

// expected-error @+1 {{expects a schedule, but got 7 : i64}}
#schedule = #kernel.guarded<on matrix_tiles, 7>
