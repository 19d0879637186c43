// RUN: tessera-opt %s -cpu-expand-reshapes | FileCheck %s

// Two dynamic sizes in one group, which upstream's expansion does not know.
// CHECK-LABEL: func.func @dynamic
// CHECK-SAME:    %[[X:.*]]: memref<?x384xf32>, %[[A:.*]]: index, %[[B:.*]]: index
func.func @dynamic(%x: memref<?x384xf32>, %a: index, %b: index) -> memref<?x?x384xf32> {
  // CHECK: %[[BASE:.*]], %{{.*}}, %{{.*}}:2, %{{.*}}:2 = memref.extract_strided_metadata %[[X]]
  // CHECK: %[[STRIDE:.*]] = arith.muli %[[B]], %c384
  // CHECK: memref.reinterpret_cast %[[BASE]] to offset: [0], sizes: [%[[A]], %[[B]], 384], strides: [%[[STRIDE]], 384, 1]
  %y = memref.expand_shape %x [[0, 1], [2]] output_shape [%a, %b, 384] : memref<?x384xf32> into memref<?x?x384xf32>
  return %y : memref<?x?x384xf32>
}

// A row stride that is not the row length is kept.
// CHECK-LABEL: func.func @strided
func.func @strided(%x: memref<4x6xf32, strided<[8, 1], offset: 2>>) -> memref<2x2x3x2xf32, strided<[16, 8, 2, 1], offset: 2>> {
  // CHECK: reinterpret_cast %{{.*}} to offset: [2], sizes: [2, 2, 3, 2], strides: [16, 8, 2, 1]
  %y = memref.expand_shape %x [[0, 1], [2, 3]] output_shape [2, 2, 3, 2] : memref<4x6xf32, strided<[8, 1], offset: 2>> into memref<2x2x3x2xf32, strided<[16, 8, 2, 1], offset: 2>>
  return %y : memref<2x2x3x2xf32, strided<[16, 8, 2, 1], offset: 2>>
}
