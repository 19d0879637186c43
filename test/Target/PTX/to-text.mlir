// A gpu.module becomes a gpu.binary with PTX text and launch data.

// RUN: tessera-opt %s --ptx-to-text | FileCheck %s
// RUN: tessera-opt %s --ptx-to-text | tessera-translate --gpu-binary-to-ptx | FileCheck %s --check-prefix=PTX
// RUN: tessera-opt %s --ptx-to-text | tessera-translate --gpu-binary-to-launches | FileCheck %s --check-prefix=JSON
// RUN: tessera-opt %s --ptx-to-text="chip=sm_80 features=+ptx80" | tessera-translate --gpu-binary-to-ptx \
// RUN:   | FileCheck %s --check-prefix=SM80
// RUN: not tessera-opt %s --ptx-to-text="chip=sm_1" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not tessera-translate %s --gpu-binary-to-ptx 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not tessera-translate %s --gpu-binary-to-launches 2>&1 | FileCheck %s --check-prefix=NONE

// CHECK-NOT: gpu.module
// CHECK: gpu.binary @device [#gpu.object<#nvvm.target<{{.*}}chip = "sm_90a", features = "+ptx88">, properties = {store = {threads = 32 : i64}}, assembly = "
// CHIP: error: unknown GPU architecture sm_1
// NONE: error: expects a gpu.binary with PTX text

// PTX: .version 8.8
// PTX: .target sm_90a
// PTX: .visible .entry store(
// PTX: .maxntid 32
// PTX: st.global.b32
// SM80: .version 8.0
// SM80: .target sm_80
// JSON: "store": {
// JSON-NEXT: "threads": 32

gpu.module @device {
  llvm.func @store(%p: !llvm.ptr<1>) attributes {kernel.device_launch = {threads = 32 : i64}, nvvm.kernel, nvvm.maxntid = array<i32: 32>} {
    %one = llvm.mlir.constant(1 : i32) : i32
    llvm.store %one, %p : i32, !llvm.ptr<1>
    llvm.return
  }
}
