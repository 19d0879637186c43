// RUN: tessera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{expects 4 operands of 'select_less', but got 2}}
module attributes {size = #kernel.computed_size<select_less, ()[s0] -> (s0, 1)>} {}

// -----

// expected-error @+1 {{expects 3 operands of 'float_mul', but got 2}}
module attributes {size = #kernel.computed_size<float_mul, ()[s0] -> (s0, 32)>} {}

// -----

// expected-error @+1 {{expects 1 operands of 'to_integer', but got 2}}
module attributes {size = #kernel.computed_size<to_integer, ()[s0] -> (s0, 32)>} {}

// -----

// expected-error @+1 {{expects a width of 32 or 64 bits, but got affine_map<()[s0] -> (s0, 16)>}}
module attributes {size = #kernel.computed_size<to_float, ()[s0] -> (s0, 16)>} {}

// -----

// expected-error @+1 {{expects 2 operands of 'min', but got 3}}
module attributes {size = #kernel.computed_size<min, ()[s0] -> (s0, 1, 2)>} {}

// -----

// expected-error @+1 {{expects the number of an input, but got affine_map<()[s0] -> (s0, 1)>}}
module attributes {size = #kernel.computed_size<element, ()[s0] -> (s0, 1)>} {}
