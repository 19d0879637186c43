// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

// CHECK: kernel.machine = #kernel.machine<base = "znver4", bf16MacsPerCycle = 5.000000e-01, l2Bytes = 2097152, prefetchPanels = true>
module attributes {kernel.machine = #kernel.machine<base = "znver4", l2Bytes = 2097152, bf16MacsPerCycle = 0.5, prefetchPanels = true>} {}
