// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-to-linalg))' | FileCheck %s

// A negative index counts from the end; none reads outside.
// CHECK-LABEL: @gather
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>, %[[I:.+]]: tensor<4x3x1xi64>
// CHECK:         linalg.generic
// CHECK:           %[[ROW:.+]] = linalg.index 0
// CHECK:           tensor.extract %[[I]][%[[ROW]], %{{.+}}, %{{.+}}]
// CHECK:           arith.minsi
// CHECK:           %[[COLUMN:.+]] = arith.maxsi
// CHECK:           tensor.extract %[[X]][%[[ROW]], %[[COLUMN]]]
func.func @gather(%x: tensor<4x8xf32>, %i: tensor<4x3x1xi64>) -> tensor<4x3xf32> {
  %y = graph.gather_points %x[%i] dimensions [0, -1] : tensor<4x8xf32>, tensor<4x3x1xi64> -> tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

// CHECK-LABEL: @gather_from_maybe_nothing
// CHECK:         scf.if
// CHECK:           arith.constant 0.0
func.func @gather_from_maybe_nothing(%x: tensor<?xf32>, %i: tensor<3x1xi64>) -> tensor<3xf32> {
  %y = graph.gather_points %x[%i] dimensions [-1] : tensor<?xf32>, tensor<3x1xi64> -> tensor<3xf32>
  return %y : tensor<3xf32>
}

// -----

// What is outside changes nothing.
// CHECK-LABEL: @scatter
// CHECK-SAME:    %[[X:.+]]: tensor<4xf32>
// CHECK:         scf.for %{{.+}} iter_args(%[[CARRIED:.+]] = %[[X]])
// CHECK:           %[[INSIDE:.+]] = arith.andi
// CHECK:           scf.if %[[INSIDE]]
// CHECK:             %[[OLD:.+]] = tensor.extract %[[CARRIED]]
// CHECK:             %[[NEW:.+]] = arith.addf %[[OLD]]
// CHECK:             tensor.insert %[[NEW]] into %[[CARRIED]]
func.func @scatter(%x: tensor<4xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>) -> tensor<4xf32> {
  %y = graph.scatter_points add %u at %i into %x dimensions [-1]
    : tensor<3xf32>, tensor<3x1xi64>, tensor<4xf32> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// An index vector is read once for the elements behind it.
// CHECK-LABEL: @scatter_rows
// CHECK:         scf.for
// CHECK:           scf.if
// CHECK:             scf.for
// CHECK-NOT:           arith.cmpi
// CHECK:               tensor.insert
func.func @scatter_rows(%x: tensor<4x8xf32>, %i: tensor<3x1xi64>, %u: tensor<3x8xf32>) -> tensor<4x8xf32> {
  %y = graph.scatter_points replace %u at %i into %x dimensions [-1, 1]
    : tensor<3x8xf32>, tensor<3x1xi64>, tensor<4x8xf32> -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

// The heap has the elements, so that the source is read once.
// CHECK-LABEL: @top_indices
// CHECK-SAME:    %[[X:.+]]: tensor<4x8xf32>
// CHECK:         scf.for
// CHECK:           tensor.extract %[[X]]
// CHECK:           scf.while
// CHECK-NOT:         tensor.extract %[[X]]
// CHECK:           scf.yield
// CHECK-NOT:     graph.
func.func @top_indices(%x: tensor<4x8xf32>) -> tensor<4x3xi64> {
  %y = graph.top_indices max %x dimension 1 : tensor<4x8xf32> -> tensor<4x3xi64>
  return %y : tensor<4x3xi64>
}

// -----

// CHECK-LABEL: @cumulative
// CHECK:         scf.for
// CHECK:           scf.for %{{.+}} iter_args(%[[SUM:.+]] = %{{.+}}, %{{.+}} = %{{.+}}) -> (f64, tensor<4x8xf32>)
// CHECK:             %[[NEXT:.+]] = arith.addf %[[SUM]]
// CHECK:             %[[RESULT:.+]] = arith.truncf %[[SUM]]
// CHECK:             tensor.insert %[[RESULT]]
// CHECK:             scf.yield %[[NEXT]]
func.func @cumulative(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %y = graph.cumulative add %x dimension 1 exclusive : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}
