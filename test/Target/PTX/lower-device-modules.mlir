// Math functions in terms of the special function unit; structure to branches.

// RUN: tessera-opt %s --pass-pipeline='builtin.module(gpu.module(ptx-lower-device-modules))' | FileCheck %s

gpu.module @device {
  // erf in f32: a polynomial near zero, 1 - 2^(...) beyond, the sign at the end.
  // CHECK-LABEL: llvm.func @erf_f32
  // CHECK: llvm.intr.fabs
  // CHECK: llvm.intr.minimum
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.f32"
  // CHECK: llvm.intr.copysign
  // CHECK: llvm.select
  llvm.func @erf_f32(%x: f32) -> f32 {
    %r = math.erf %x : f32
    llvm.return %r : f32
  }
  // Approximations are allowed: no second polynomial.
  // CHECK-LABEL: llvm.func @erf_approximate
  // CHECK: llvm.call_intrinsic "llvm.nvvm.ex2.approx.f32"
  // CHECK-NOT: llvm.select
  // CHECK: llvm.return
  llvm.func @erf_approximate(%x: f32) -> f32 {
    %r = math.erf %x fastmath<afn> : f32
    llvm.return %r : f32
  }
  // 1 + erf(x): the absolute error counts.
  // CHECK-LABEL: llvm.func @erf_plus_one
  // CHECK-NOT: llvm.select
  // CHECK: llvm.return
  llvm.func @erf_plus_one(%x: vector<2xf32>) -> vector<2xf32> {
    %one = arith.constant dense<1.0> : vector<2xf32>
    %erf = math.erf %x : vector<2xf32>
    %r = arith.addf %erf, %one : vector<2xf32>
    llvm.return %r : vector<2xf32>
  }
  // A small constant, or another use: the relative error counts.
  // CHECK-LABEL: llvm.func @erf_plus_little
  // CHECK: llvm.select
  llvm.func @erf_plus_little(%x: f32) -> f32 {
    %little = arith.constant 0.001 : f32
    %erf = math.erf %x : f32
    %r = arith.addf %erf, %little : f32
    llvm.return %r : f32
  }
  // CHECK-LABEL: llvm.func @erf_also_alone
  // CHECK: llvm.select
  llvm.func @erf_also_alone(%x: f32) -> f32 {
    %one = arith.constant 1.0 : f32
    %erf = math.erf %x : f32
    %sum = arith.addf %erf, %one : f32
    %r = arith.mulf %erf, %sum : f32
    llvm.return %r : f32
  }
  // A narrow operand is widened, lane by lane; the unit's tanh is good enough.
  // CHECK-LABEL: llvm.func @tanh_f16
  // CHECK-COUNT-2: tanh.approx.f32
  // CHECK: llvm.return
  llvm.func @tanh_f16(%x: vector<2xf16>) -> vector<2xf16> {
    %r = math.tanh %x : vector<2xf16>
    llvm.return %r : vector<2xf16>
  }
  // CHECK-LABEL: llvm.func @tanh_f32
  // CHECK-NOT: tanh.approx
  // CHECK: llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
  llvm.func @tanh_f32(%x: f32) -> f32 {
    %r = math.tanh %x : f32
    llvm.return %r : f32
  }
  // The exponent's whole and fraction apart.
  // CHECK-LABEL: llvm.func @exp_f32
  // CHECK: llvm.intr.floor
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.ex2.approx.f32"
  llvm.func @exp_f32(%x: f32) -> f32 {
    %r = math.exp %x : f32
    llvm.return %r : f32
  }
  // CHECK-LABEL: llvm.func @rsqrt_f32
  // CHECK: llvm.call_intrinsic "llvm.nvvm.rsqrt.approx.f"
  llvm.func @rsqrt_f32(%x: f32) -> f32 {
    %r = math.rsqrt %x : f32
    llvm.return %r : f32
  }
  // CHECK-LABEL: llvm.func @loop
  // CHECK-NOT: scf.for
  // CHECK: llvm.cond_br
  llvm.func @loop(%n: i32) -> i32 {
    %zero = arith.constant 0 : i32
    %one = arith.constant 1 : i32
    %r = scf.for %i = %zero to %n step %one iter_args(%sum = %zero) -> (i32) : i32 {
      %next = arith.addi %sum, %i : i32
      scf.yield %next : i32
    }
    llvm.return %r : i32
  }
}
