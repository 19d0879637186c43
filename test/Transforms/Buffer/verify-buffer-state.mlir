// RUN: tessera-opt %s --split-input-file --verify-buffer-state --verify-diagnostics

// Branches and loops hold launches; the bodies of kernels may be anything.

kernel.func @k(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
func.func @right(%ctx: !llvm.ptr, %c: i1) {
  %x = kernel.storage %ctx input 0 : memref<4xf32>
  %y = kernel.storage %ctx output 0 : memref<4xf32>
  scf.if %c {
    kernel.launch @k of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  }
  return
}

// -----

func.func @allocation() {
  // expected-error @+1 {{an allocation or copy that no pass planned is left in the buffer state}}
  %m = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func @copy(%ctx: !llvm.ptr, %c: i1) {
  %x = kernel.storage %ctx input 0 : memref<4xf32>
  %y = kernel.storage %ctx output 0 : memref<4xf32>
  scf.if %c {
    // expected-error @+1 {{an allocation or copy that no pass planned is left in the buffer state}}
    memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  }
  return
}

// -----

func.func @result() {
  // expected-error @+1 {{a tensor is left in the buffer state}}
  %t = tensor.empty() : tensor<4xf32>
  return
}

// -----

func.func @operand(%t: tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @+1 {{a tensor is left in the buffer state}}
  %d = tensor.dim %t, %c0 : tensor<4xf32>
  return
}

// -----

func.func @carried(%ctx: !llvm.ptr, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    // expected-error @+1 {{a tensor is left in the buffer state}}
    %t = tensor.empty() : tensor<4xf32>
  }
  return
}
