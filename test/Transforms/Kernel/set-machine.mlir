// The machine is set once; what asks for one takes it from the module.

// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 | FileCheck %s --check-prefix=FAMILY
// RUN: echo '{"base": "znver4", "l2Bytes": 2097152, "storeCycles": 1}' > %t.json
// RUN: tessera-opt %s --kernel-set-machine=machine-file=%t.json | FileCheck %s --check-prefix=FILE
// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 --kernel-set-machine="cpu=x86-64-v3 keep" | FileCheck %s --check-prefix=FAMILY
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-set-machine=cpu=znver4 | FileCheck %s --check-prefix=FAMILY
// RUN: tessera-opt %s --kernel-set-machine=keep | FileCheck %s --check-prefix=NATIVE
// RUN: not tessera-opt %s --kernel-set-machine=cpu=pentium 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: echo '{"l2Bites": 1}' > %t.wrong.json
// RUN: not tessera-opt %s --kernel-set-machine=machine-file=%t.wrong.json 2>&1 | FileCheck %s --check-prefix=WRONG
// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 | tessera-opt | FileCheck %s --check-prefix=FAMILY

// FAMILY: module attributes {kernel.machine = #kernel.machine<
// FAMILY-SAME: cpu = "znver4"
// FAMILY-SAME: l2Bytes = 1048576
// FAMILY-SAME: storeCycles = 2.300000e+00
// FAMILY-SAME: tuneCpu = "emeraldrapids"

// FILE: #kernel.machine<
// FILE-SAME: l2Bytes = 2097152
// FILE-SAME: storeCycles = 1.000000e+00

// NATIVE: #kernel.machine<
// NATIVE-SAME: l2Bytes =

// UNKNOWN: unknown CPU 'pentium'; known are native, x86-64-v3

// WRONG: machine record '{{.*}}': unknown field 'l2Bites'
module {}
