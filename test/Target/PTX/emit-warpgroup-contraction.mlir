// A kernel.func with a matrix product becomes one warp-specialised function.

// RUN: tessera-opt %s --split-input-file --ptx-emit-kernels --canonicalize --cse | FileCheck %s

// Roles, ring and epilogue of a kernel with weights [columns, depth].

// The kernel.func stays.
// CHECK-LABEL: kernel.func @dense
// CHECK: gpu.module @device
// CHECK: llvm.mlir.global external @shared_memory() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
// CHECK-LABEL: llvm.func @dense(
// CHECK-SAME: %[[MAP_A:[a-z0-9]+]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}
// CHECK-SAME: %[[MAP_B:[a-z0-9]+]]: !llvm.ptr {{{[^}]*}}nvvm.grid_constant}
// CHECK-SAME: %[[MAP_OUT:[a-z0-9]+]]: !llvm.ptr {{{[^}]*}}nvvm.grid_constant}
// CHECK-SAME: %[[BIAS:[a-z0-9]+]]: !llvm.ptr<1> {llvm.align = 16 : i64, llvm.noalias, llvm.readonly}
// CHECK-SAME: %{{[a-z0-9]+}}: i64)
// CHECK-SAME: kernel.device_launch = {blocks_per_processor = 1 : i64, output = 3 : i64,
// CHECK-SAME: parameters = [{box_columns = 64 : i64, box_rows = 128 : i64, tensor_map = 0 : i64}, {box_columns = 64 : i64, box_rows = 128 : i64, tensor_map = 1 : i64}, {box_columns = 64 : i64, box_rows = 64 : i64, tensor_map = 3 : i64}, {pointer = 2 : i64}, {symbol = 0 : i64}]
// Two stages of 32 KiB, two buffers of 16 KiB, 32 bytes of barriers.
// CHECK-SAME: shared_bytes = 98336 : i64, threads = 384 : i64, tile_columns = 128 : i64, tile_rows = 128 : i64
// CHECK-SAME: nvvm.kernel, nvvm.maxntid = array<i32: 384>, nvvm.minctasm = 1 : i32
// One arrival fills a stage, one of each consumer empties it.
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : i32
// CHECK-DAG: %[[STAGE_BYTES:.*]] = arith.constant 32768 : i32
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[ONE]]
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[TWO]]
// CHECK: nvvm.fence.mbarrier.init
// CHECK: nvvm.barrier0
// The producer.
// CHECK: nvvm.setmaxregister decrease 40
// CHECK: scf.for
// CHECK: scf.for
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.mbarrier.arrive.expect_tx %[[FULL:.*]], %[[STAGE_BYTES]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[MAP_A]], %[[FULL]]
// CHECK: nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[MAP_B]], %[[FULL]]
// The consumers: the first slice overwrites, the others accumulate.
// CHECK: nvvm.setmaxregister increase 232
// CHECK: scf.for
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK: nvvm.wgmma.fence.aligned
// CHECK-NEXT: nvvm.wgmma.mma_async {{.*}}<m = 64, n = 128, k = 16>, D[<f32>, <zero>], A[<f16>, <one>, <row>], B[<f16>, <one>, <col>]
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK: scf.for
// CHECK: nvvm.mbarrier.try_wait.parity
// CHECK-COUNT-4: nvvm.wgmma.mma_async {{.*}}D[<f32>, <one>]
// CHECK: nvvm.wgmma.commit.group.sync.aligned
// CHECK-NEXT: nvvm.wgmma.wait.group.sync.aligned 1
// CHECK: nvvm.mbarrier.arrive
// CHECK: llvm.inline_asm has_side_effects {{.*}}"wgmma.wait_group.sync.aligned 0;"
// CHECK: nvvm.mbarrier.arrive
// The epilogue: the body on two neighbours, from the bias as it is in memory.
// CHECK: nvvm.cp.async.bulk.wait_group 0 {read}
// CHECK: nvvm.barrier id = %{{.*}} number_of_threads =
// CHECK: %[[PAIR:.*]] = vector.from_elements %{{.*}}, %{{.*}} : vector<2xf32>
// CHECK: %[[LOADED:.*]] = llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xf16>
// CHECK: %[[WIDE:.*]] = arith.extf %[[LOADED]] : vector<2xf16> to vector<2xf32>
// CHECK: %[[SUM:.*]] = arith.addf %[[PAIR]], %[[WIDE]] : vector<2xf32>
// CHECK: %[[TANH:.*]] = math.tanh %[[SUM]] : vector<2xf32>
// CHECK: %[[NARROW:.*]] = arith.truncf %[[TANH]] : vector<2xf32> to vector<2xf16>
// CHECK: llvm.bitcast %[[NARROW]] : vector<2xf16> to i32
// CHECK: nvvm.stmatrix
// CHECK: nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// CHECK-NEXT: nvvm.barrier
// CHECK: nvvm.cp.async.bulk.tensor.global.shared.cta %[[MAP_OUT]]
// CHECK: nvvm.cp.async.bulk.commit.group
// CHECK: nvvm.cp.async.bulk.wait_group 0
// CHECK-NOT: {read}
// CHECK: llvm.return
kernel.func @dense(%x: tensor<?x512xf16>, %w: tensor<1024x512xf16>, %bias: tensor<1024xf16>, %out: tensor<?x1024xf16>, %rows: index) -> tensor<?x1024xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 128, columns = 128, depth = 64, stages = 2, consumers = 2, rasterRows = 8>],
                shapes = [affine_map<()[s0] -> (s0, 512)>, affine_map<()[s0] -> (1024, 512)>, affine_map<()[s0] -> (1024)>, affine_map<()[s0] -> (s0, 1024)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%rows) : tensor<?x1024xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %product = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<?x512xf16>, tensor<1024x512xf16>) outs(%init : tensor<?x1024xf32>) -> tensor<?x1024xf32>
  %wide = arith.extf %bias : tensor<1024xf16> to tensor<1024xf32>
  %biases = graph.broadcast_to %wide sizes(%rows) : tensor<1024xf32> -> tensor<?x1024xf32>
  %sum = arith.addf %product, %biases : tensor<?x1024xf32>
  %tanh = math.tanh %sum : tensor<?x1024xf32>
  %result = arith.truncf %tanh : tensor<?x1024xf32> to tensor<?x1024xf16>
  kernel.yield %result : tensor<?x1024xf16>
}

// -----

// Weights [depth, columns] come in boxes of 64 columns and are read transposed;
// a stage twice as deep takes two boxes of the left operand. One consumer has
// all registers from the start.

// CHECK-LABEL: llvm.func @plain(
// CHECK-SAME: box_rows = 64 : i64, tensor_map = 0 : i64}, {box_columns = 64 : i64, box_rows = 64 : i64, tensor_map = 1 : i64}
// CHECK-NOT: nvvm.setmaxregister
// CHECK: nvvm.mbarrier.arrive.expect_tx
// CHECK-COUNT-6: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK-NOT: nvvm.cp.async.bulk.tensor.shared.cluster.global
// CHECK: B[<bf16>, <one>, <row>]
kernel.func @plain(%x: tensor<64x256xbf16>, %w: tensor<256x128xbf16>, %out: tensor<64x128xbf16>) -> tensor<64x128xbf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 64, columns = 128, depth = 128, stages = 2, consumers = 1, rasterRows = 1>],
                shapes = [affine_map<() -> (64, 256)>, affine_map<() -> (256, 128)>, affine_map<() -> (64, 128)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<64x128xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<64x128xf32>) -> tensor<64x128xf32>
  %product = linalg.matmul ins(%x, %w : tensor<64x256xbf16>, tensor<256x128xbf16>) outs(%init : tensor<64x128xf32>) -> tensor<64x128xf32>
  %result = arith.truncf %product : tensor<64x128xf32> to tensor<64x128xbf16>
  kernel.yield %result : tensor<64x128xbf16>
}

// -----

// Ping-pong: consumers take whole tiles in turn, so one arrival empties a stage;
// the second begins a tile later and gives the first the first turn.

// CHECK-LABEL: llvm.func @turns(
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[THREADS:.*]] = arith.constant 256 : i32
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[ONE]]
// CHECK: nvvm.mbarrier.init %{{.*}}, %[[ONE]]
// CHECK: nvvm.setmaxregister increase 232
// CHECK: nvvm.barrier.arrive id = %{{.*}} number_of_threads = %[[THREADS]]
// CHECK: scf.for
// CHECK: nvvm.barrier id = %[[OWN:.*]] number_of_threads = %[[THREADS]]
// CHECK: nvvm.wgmma.mma_async
// CHECK: scf.for
// CHECK: nvvm.barrier.arrive id = %[[OTHER:.*]] number_of_threads = %[[THREADS]]
// CHECK: nvvm.stmatrix
kernel.func @turns(%x: tensor<512x256xf16>, %w: tensor<256x512xf16>, %out: tensor<512x512xf16>) -> tensor<512x512xf16>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.warpgroup_contraction<rows = 64, columns = 128, depth = 64, stages = 4, consumers = 2, rasterRows = 4, pingPong = true>],
                shapes = [affine_map<() -> (512, 256)>, affine_map<() -> (256, 512)>, affine_map<() -> (512, 512)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<512x512xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<512x512xf32>) -> tensor<512x512xf32>
  %product = linalg.matmul ins(%x, %w : tensor<512x256xf16>, tensor<256x512xf16>) outs(%init : tensor<512x512xf32>) -> tensor<512x512xf32>
  %result = arith.truncf %product : tensor<512x512xf32> to tensor<512x512xf16>
  kernel.yield %result : tensor<512x512xf16>
}

// -----

// Another target's schedule: nothing is built.

// CHECK-LABEL: kernel.func @other
// CHECK-NOT: gpu.module
kernel.func @other(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  kernel.yield %x : tensor<4xf32>
}
