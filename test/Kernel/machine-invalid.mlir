// What #kernel.machine must be, and where it may stand. What its fields must be is
// said by those who read them (test/tools/tessera/machine.test).

// RUN: tessera-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{C1: expects field 'lanes' once}}
module attributes {kernel.machine = #kernel.machine<lanes = 8, lanes = 16>} {}

// -----

// expected-error @+1 {{C1: expects field 'lanes' to be a string, a boolean or a number of 64 bits, but got [8]}}
module attributes {kernel.machine = #kernel.machine<lanes = [8]>} {}

// -----

// expected-error @+1 {{C1: expects field 'lanes' to be a string, a boolean or a number of 64 bits, but got 8 : i32}}
module attributes {kernel.machine = #kernel.machine<lanes = 8 : i32>} {}

// -----

// expected-error @+1 {{C1: expects field 'gigahertz' to be a string, a boolean or a number of 64 bits, but got 3.000000e+00 : f32}}
module attributes {kernel.machine = #kernel.machine<gigahertz = 3.0 : f32>} {}

// -----

// expected-error @+1 {{'builtin.module' op C2: expects 'kernel.machine' to be a #kernel.machine, but got "znver4"}}
module attributes {kernel.machine = "znver4"} {}

// -----

// expected-error @+1 {{'func.func' op C2: expects 'kernel.machine' on a module only}}
func.func private @f() attributes {kernel.machine = #kernel.machine<base = "znver4">}
