// Elementwise kernels: flat where nothing maps indices, else by rows.

// RUN: tessera-opt %s --split-input-file --ptx-emit-kernels --canonicalize --cse | FileCheck %s

// Flat: chunks of 8 elements, two of them 128 threads apart, loads before
// stores; what is left goes element by element.

// CHECK-LABEL: llvm.func @flat(
// CHECK-SAME: %[[X:[a-z0-9]+]]: !llvm.ptr<1> {llvm.align = 16 : i64, llvm.noalias, llvm.readonly}
// CHECK-SAME: %[[OUT:[a-z0-9]+]]: !llvm.ptr<1> {llvm.align = 16 : i64, llvm.noalias}
// CHECK-SAME: kernel.device_launch = {blocks_per_processor = 16 : i64, output = 1 : i64, parameters = [{pointer = 0 : i64}, {pointer = 1 : i64}, {symbol = 0 : i64}], shared_bytes = 0 : i64, threads = 128 : i64, tile_columns = 2048 : i64, tile_rows = 1 : i64}
// CHECK: scf.for
// CHECK: scf.if
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<8xf16>
// CHECK: math.absf %{{.*}} : vector<8xf16>
// CHECK: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<8xf16>
// CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 16 : i64} : vector<8xf16>
// CHECK: } else {
// CHECK: scf.for
// CHECK: llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr<1> -> vector<1xf16>
// CHECK: llvm.store %{{.*}} {alignment = 2 : i64} : vector<1xf16>
kernel.func @flat(%x: tensor<?x3xf16>, %out: tensor<?x3xf16>, %rows: index) -> tensor<?x3xf16>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 2, taskElements = 2048>],
                shapes = [affine_map<()[s0] -> (s0, 3)>, affine_map<()[s0] -> (s0, 3)>]} {
  %r = math.absf %x : tensor<?x3xf16>
  kernel.yield %r : tensor<?x3xf16>
}

// -----

// Rows: a factor for each row is loaded once and repeated over the lanes, a
// transposed operand lane by lane; a constant is a vector.

// CHECK-LABEL: llvm.func @rows(
// CHECK: %[[HALF:.*]] = arith.constant dense<5.000000e-01> : vector<2xf32>
// CHECK: %[[X:.*]] = llvm.load %{{.*}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<2xf32>
// CHECK: %[[FACTOR:.*]] = llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<1xf32>
// CHECK: %[[REPEATED:.*]] = vector.broadcast %{{.*}} : f32 to vector<2xf32>
// CHECK: arith.mulf %[[X]], %[[REPEATED]] : vector<2xf32>
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<1xf32>
// CHECK: vector.from_elements %{{.*}}, %{{.*}} : vector<2xf32>
// CHECK: arith.mulf %{{.*}}, %[[HALF]] : vector<2xf32>
// CHECK: llvm.store %{{.*}} {alignment = 8 : i64} : vector<2xf32>
kernel.func @rows(%x: tensor<?x64xf32>, %factor: tensor<?x1xf32>, %t: tensor<64x?xf32>, %out: tensor<?x64xf32>, %rows: index) -> tensor<?x64xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 2, unroll = 1, taskElements = 64>],
                shapes = [affine_map<()[s0] -> (s0, 64)>, affine_map<()[s0] -> (s0, 1)>, affine_map<()[s0] -> (64, s0)>, affine_map<()[s0] -> (s0, 64)>]} {
  %half = arith.constant dense<0.5> : tensor<64xf32>
  %empty = tensor.empty(%rows) : tensor<?x64xf32>
  %factors = graph.broadcast_to %factor sizes(%rows) : tensor<?x1xf32> -> tensor<?x64xf32>
  %scaled = arith.mulf %x, %factors : tensor<?x64xf32>
  %turned = linalg.transpose ins(%t : tensor<64x?xf32>) outs(%empty : tensor<?x64xf32>) permutation = [1, 0]
  %sum = arith.addf %scaled, %turned : tensor<?x64xf32>
  %halves = linalg.broadcast ins(%half : tensor<64xf32>) outs(%empty : tensor<?x64xf32>) dimensions = [0]
  %result = arith.mulf %sum, %halves : tensor<?x64xf32>
  kernel.yield %result : tensor<?x64xf32>
}

// -----

// A size that may be 1: read once where it is, else lane by lane, for nothing says
// that its rows are aligned as the output's.

// CHECK-LABEL: llvm.func @unproven(
// CHECK: %[[ONE:.*]] = arith.cmpi eq, %{{.*}}, %c1 : index
// CHECK: scf.if %[[ONE]] -> (vector<4xf32>) {
// CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<1xf32>
// CHECK: vector.broadcast
// CHECK: } else {
// CHECK-COUNT-4: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<1xf32>
// CHECK: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>
kernel.func @unproven(%x: tensor<?x?xf32>, %out: tensor<?x?xf32>, %n: index, %m: index) -> tensor<?x?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 1, taskElements = 128>],
                shapes = [affine_map<()[s0, s1] -> (s0, s0)>, affine_map<()[s0, s1] -> (s0, s1)>]} {
  %r = graph.broadcast_to %x sizes(%n, %m) : tensor<?x?xf32> -> tensor<?x?xf32>
  kernel.yield %r : tensor<?x?xf32>
}

// -----

// A reshape leaves the elements in their order; booleans are bytes in memory.

// CHECK-LABEL: llvm.func @reshaped(
// CHECK-COUNT-2: llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<1> -> vector<4xf32>
// CHECK: %[[LESS:.*]] = arith.cmpf olt, %{{.*}} : vector<4xf32>
// CHECK: %[[BYTES:.*]] = arith.extui %[[LESS]] : vector<4xi1> to vector<4xi8>
// CHECK: llvm.store %[[BYTES]], %{{.*}} {alignment = 4 : i64} : vector<4xi8>
kernel.func @reshaped(%x: tensor<6x8xf32>, %y: tensor<48xf32>, %out: tensor<48xi1>) -> tensor<48xi1>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 1, taskElements = 128>],
                shapes = [affine_map<() -> (6, 8)>, affine_map<() -> (48)>, affine_map<() -> (48)>]} {
  %flat = tensor.collapse_shape %x [[0, 1]] : tensor<6x8xf32> into tensor<48xf32>
  %r = arith.cmpf olt, %flat, %y : tensor<48xf32>
  kernel.yield %r : tensor<48xi1>
}

// -----

// Padding: each lane reads where it is inside, and the slice is not aligned.

// CHECK-LABEL: llvm.func @padded(
// CHECK: %[[INSIDE:.*]] = arith.cmpi ult, %{{.*}} : vector<4xindex>
// CHECK: %[[FIRST:.*]] = vector.extract %[[INSIDE]][0]
// CHECK: scf.if %[[FIRST]] -> (f32) {
// CHECK: llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<1xf32>
// CHECK: arith.select %[[INSIDE]]
kernel.func @padded(%x: tensor<3x9xf32>, %out: tensor<3x8xf32>) -> tensor<3x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 4, unroll = 1, taskElements = 128>],
                shapes = [affine_map<() -> (3, 9)>, affine_map<() -> (3, 8)>]} {
  %zero = arith.constant 0.0 : f32
  %part = tensor.extract_slice %x[0, 1] [3, 6] [1, 1] : tensor<3x9xf32> to tensor<3x6xf32>
  %r = tensor.pad %part low[0, 1] high[0, 1] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<3x6xf32> to tensor<3x8xf32>
  kernel.yield %r : tensor<3x8xf32>
}
