// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

// CHECK-LABEL: @points
func.func @points(%x: tensor<?x8xf32>, %i: tensor<?x3x1xi64>, %n: index,
                  %u: tensor<?x3xf32>) {
  // CHECK: graph.gather_points %{{.+}}[%{{.+}}] dimensions [0, -1] sizes(%{{.+}}) : tensor<?x8xf32>, tensor<?x3x1xi64> -> tensor<?x3xf32>
  %g = graph.gather_points %x[%i] dimensions [0, -1] sizes(%n)
    : tensor<?x8xf32>, tensor<?x3x1xi64> -> tensor<?x3xf32>
  // CHECK: graph.scatter_points max %{{.+}} at %{{.+}} into %{{.+}} dimensions [0, -1] unsigned : tensor<?x3xf32>, tensor<?x3x1xi64>, tensor<?x8xf32> -> tensor<?x8xf32>
  %s = graph.scatter_points max %u at %i into %x dimensions [0, -1] unsigned
    : tensor<?x3xf32>, tensor<?x3x1xi64>, tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// CHECK-LABEL: @order
func.func @order(%x: tensor<?x8xf32>, %n: index) {
  // CHECK: graph.top_indices min %{{.+}} dimension 1 unsigned sizes(%{{.+}}) : tensor<?x8xf32> -> tensor<?x3xi64>
  %t = graph.top_indices min %x dimension 1 unsigned sizes(%n) : tensor<?x8xf32> -> tensor<?x3xi64>
  // CHECK: graph.cumulative add %{{.+}} dimension 1 exclusive reverse : tensor<?x8xf32>
  %c = graph.cumulative add %x dimension 1 exclusive reverse : tensor<?x8xf32>
  return
}
