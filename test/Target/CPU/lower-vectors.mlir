// RUN: tessera-opt %s -split-input-file -cpu-lower-vectors | FileCheck %s
// RUN: tessera-opt %s -split-input-file -cpu-lower-vectors=avx2=false | FileCheck %s --check-prefix=PLAIN

// A transfer that may reach beyond the memref becomes masked; the number of
// lanes is clamped before it is cut to 32 bits.
// CHECK-LABEL: func.func @tail
// CHECK:         %[[LEFT:.*]] = arith.subi
// CHECK:         %[[POSITIVE:.*]] = arith.maxsi %[[LEFT]], %c0
// CHECK:         %[[CLAMPED:.*]] = arith.minsi %[[POSITIVE]], %c8
// CHECK:         %[[LIMIT:.*]] = arith.index_cast %[[CLAMPED]] : index to i32
// CHECK:         vector.maskedload
// CHECK-NOT:     vector.transfer_read
func.func @tail(%x: memref<?xf32>, %i: index) -> vector<8xf32> {
  %zero = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%i], %zero : memref<?xf32>, vector<8xf32>
  return %v : vector<8xf32>
}

// -----

// CHECK-LABEL: func.func @rows
// CHECK-COUNT-2: vector.load {{.*}} vector<8xf32>
// CHECK-NOT:     memref.alloca
func.func @rows(%x: memref<?x?xf32>, %i: index) -> vector<2x8xf32> {
  %zero = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%i, %i], %zero {in_bounds = [true, true]} : memref<?x?xf32>, vector<2x8xf32>
  return %v : vector<2x8xf32>
}

// -----

// CHECK-LABEL: func.func @product
// CHECK-COUNT-4: vector.fma {{.*}} : vector<8xf32>
// CHECK-NOT:     vector.contract
func.func @product(%a: vector<2x2xf32>, %b: vector<2x8xf32>, %c: vector<2x8xf32>) -> vector<2x8xf32> {
  %r = vector.contract {indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>],
    iterator_types = ["parallel", "parallel", "reduction"], kind = #vector.kind<add>} %a, %b, %c : vector<2x2xf32>, vector<2x8xf32> into vector<2x8xf32>
  return %r : vector<2x8xf32>
}

// -----

// CHECK-LABEL: func.func @permuted
// CHECK-NOT:     vector.transfer_read
// CHECK:         llvm.inline_asm {{.*}}vblendps
// CHECK-NOT:     vector.transpose
// PLAIN-LABEL: func.func @permuted
// PLAIN-NOT:     llvm.inline_asm
// PLAIN-NOT:     vector.transpose
func.func @permuted(%x: memref<8x8xf32>, %i: index) -> vector<8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%i, %i], %zero {in_bounds = [true, true], permutation_map = affine_map<(d0, d1) -> (d1, d0)>} : memref<8x8xf32>, vector<8x8xf32>
  return %v : vector<8x8xf32>
}
