// The driver is built on the expected MLIR and knows our dialects beside
// upstream's.

// RUN: tessera-opt --version | FileCheck %s --check-prefix=VERSION
// RUN: tessera-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS
// RUN: not tessera-opt %s 2>&1 | FileCheck %s

// VERSION: LLVM version 22.

// DIALECTS: Available Dialects:
// DIALECTS-SAME: graph,
// DIALECTS-SAME: kernel,
// DIALECTS-SAME: linalg,

// CHECK: dialects.mlir:[[#@LINE+1]]:{{.*}}error: operation being parsed with an unregistered dialect
"nowhere.op"() : () -> ()
