// What the verifier of kernel.entry refuses.

// RUN: tessera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{'kernel.entry' op C1: expects maps over 1 symbols, but got affine_map<()[s0, s1] -> (s1)>}}
kernel.entry @c1_symbols_of_an_input runs @main
  inputs [#kernel.port<"x", f32, ()[s0, s1] -> (s1)>] outputs []
  symbols [#kernel.named_size<"n", 0, 8, 64>] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects maps over 0 symbols, but got affine_map<(d0) -> (d0)>}}
kernel.entry @c1_dimension_of_an_output runs @main
  inputs [] outputs [#kernel.port<"y", f32, (d0) -> (d0)>]
  symbols [] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects maps over 0 symbols, but got affine_map<()[s0] -> (s0 * 4)>}}
kernel.entry @c1_symbols_of_a_value runs @main inputs [] outputs []
  symbols [] values [#kernel.value<()[s0] -> (s0 * 4), 0, 1>] weights [] bytes 0

// -----

// A computed size is a symbol to those behind it only.
// expected-error @+1 {{'kernel.entry' op C1: expects maps over 1 symbols, but got affine_map<()[s0, s1] -> (s0, s1)>}}
kernel.entry @c1_symbols_of_a_computed_size runs @main inputs [] outputs []
  symbols [#kernel.named_size<"n", 0, 8, 64>]
  computed [#kernel.computed_size<min, ()[s0, s1] -> (s0, s1)>] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects computed sizes, but got 1 : i64}}
kernel.entry @c1_computed runs @main inputs [] outputs []
  symbols [] computed [1] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C2: expects elements of one of 1 inputs, but got #kernel.computed_size<element, ()[s0] -> (1, s0)>}}
kernel.entry @c2_element_of_no_input runs @main
  inputs [#kernel.port<"x", i64, () -> (2)>] outputs []
  symbols [#kernel.named_size<"n", 0, 8, 64>]
  computed [#kernel.computed_size<element, ()[s0] -> (1, s0)>] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects ports, but got "x"}}
kernel.entry @c1_input runs @main inputs ["x"] outputs [] symbols [] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects ports, but got "y"}}
kernel.entry @c1_output runs @main inputs [] outputs ["y"] symbols [] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects named sizes, but got "n"}}
kernel.entry @c1_symbol runs @main inputs [] outputs [] symbols ["n"] values [] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects values, but got "v"}}
kernel.entry @c1_value runs @main inputs [] outputs [] symbols [] values ["v"] weights [] bytes 0

// -----

// expected-error @+1 {{'kernel.entry' op C1: expects weight places, but got "w"}}
kernel.entry @c1_weight runs @main inputs [] outputs [] symbols [] values [] weights ["w"] bytes 0
