// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-outline-groups --kernel-pack-weights --remark-format=emitRemark --remark-policy=all --remarks-filter='weights' --verify-diagnostics | FileCheck %s

// Gathers that take much beside small products keep a table of their own.

graph.symbol @n min 0 typical 128 max 512

// expected-remark @+1 {{'table' is stored a second time}}
graph.weights @table : tensor<4000x4xf32> from #graph.file<"m", 0, 64000> as tensor<4000x4xf32>
graph.weights @columns : tensor<4x4000xf32> from #graph.file<"m", 0, 64000> as tensor<4000x4xf32> recipe [#graph.transpose<[1, 0]>]

// CHECK-LABEL: func.func @small_product
// CHECK-DAG:     graph.weight @table :
// CHECK-DAG:     graph.weight @columns_packed
func.func @small_product(%ids: tensor<?xi64> {graph.dims = [@n]}, %x: tensor<128x4xf32>, %init: tensor<128x4000xf32>)
    -> (tensor<?x4xf32>, tensor<128x4000xf32>) {
  %t = graph.weight @table : tensor<4000x4xf32>
  %r = graph.gather %t[%ids] axis 0 : tensor<4000x4xf32>, tensor<?xi64> -> tensor<?x4xf32>
  %c = graph.weight @columns : tensor<4x4000xf32>
  %p = linalg.matmul ins(%x, %c : tensor<128x4xf32>, tensor<4x4000xf32>) outs(%init : tensor<128x4000xf32>) -> tensor<128x4000xf32>
  return %r, %p : tensor<?x4xf32>, tensor<128x4000xf32>
}
