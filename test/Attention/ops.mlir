// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

// CHECK-LABEL: @plain
func.func @plain(%q: tensor<2x4x?x8xf32>, %k: tensor<2x4x?x8xf32>, %v: tensor<2x4x?x16xf32>)
    -> tensor<2x4x?x16xf32> {
  // CHECK: attention.sdpa %{{.+}}, %{{.+}}, %{{.+}} scale 1.250000e-01 : tensor<2x4x?x8xf32>, tensor<2x4x?x8xf32>, tensor<2x4x?x16xf32> -> tensor<2x4x?x16xf32>
  %o = attention.sdpa %q, %k, %v scale 0.125
    : tensor<2x4x?x8xf32>, tensor<2x4x?x8xf32>, tensor<2x4x?x16xf32> -> tensor<2x4x?x16xf32>
  return %o : tensor<2x4x?x16xf32>
}

// CHECK-LABEL: @everything
func.func @everything(%q: tensor<?x4x?x8xf16>, %k: tensor<?x2x?x8xf16>, %v: tensor<?x2x?x8xf16>,
                      %b: tensor<1x4x?x?xf16>, %m: tensor<?x1x1x?xi1>, %n: tensor<?xi64>,
                      %past: index) -> (tensor<?x4x?x8xf16>, tensor<?x4x?xf32>) {
  // CHECK: attention.sdpa %{{.+}} bias %{{.+}} mask %{{.+}} key_lengths %{{.+}} offset %{{.+}} scale 1.250000e-01 causal window = [16, -1] softcap = 5.000000e+01 masked_rows = zero
  // CHECK-SAME: bias tensor<1x4x?x?xf16> mask tensor<?x1x1x?xi1> key_lengths tensor<?xi64> -> tensor<?x4x?x8xf16>, tensor<?x4x?xf32>
  %o:2 = attention.sdpa %q, %k, %v bias %b mask %m key_lengths %n offset %past scale 0.125
      causal window = [16, -1] softcap = 50.0 masked_rows = zero
    : tensor<?x4x?x8xf16>, tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16> bias tensor<1x4x?x?xf16>
      mask tensor<?x1x1x?xi1> key_lengths tensor<?xi64> -> tensor<?x4x?x8xf16>, tensor<?x4x?xf32>
  return %o#0, %o#1 : tensor<?x4x?x8xf16>, tensor<?x4x?xf32>
}

// CHECK-LABEL: @regions
func.func @regions(%q: tensor<1x1x4x8xbf16>, %slope: f32) -> tensor<1x1x4x8xbf16> {
  // CHECK: score {
  // CHECK-NEXT: ^bb0(%{{.+}}: f32, %{{.+}}: index, %{{.+}}: index, %{{.+}}: index, %{{.+}}: index):
  // CHECK: attention.yield %{{.+}} : f32
  // CHECK: } visible {
  // CHECK: attention.yield %{{.+}} : i1
  %o = attention.sdpa %q, %q, %q scale 1.0 score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %r = arith.mulf %s, %slope : f32
    attention.yield %r : f32
  } visible {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = arith.cmpi ule, %j, %i : index
    attention.yield %c : i1
  } : tensor<1x1x4x8xbf16>, tensor<1x1x4x8xbf16>, tensor<1x1x4x8xbf16> -> tensor<1x1x4x8xbf16>
  return %o : tensor<1x1x4x8xbf16>
}
