// The persistent, warp-specialised matrix product kernel of sm_90a: a producer
// thread with tensor copies, consumer warpgroups with wgmma, a ring between
// them. The structure is that of CUTLASS' warp-specialised persistent kernels
// (Thakkar et al.); swizzles and matrix descriptors follow the PTX ISA,
// "Asynchronous warpgroup level matrix shared memory layout".
#include "lib/Target/PTX/WarpgroupContraction.h"

#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/PTX/DeviceFunction.h"
#include "lib/Target/PTX/FragmentEpilogue.h"
#include "lib/Target/PTX/SharedMemoryRing.h"
#include "lib/Target/PTX/WarpgroupProduct.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

static constexpr int64_t kWarpgroupThreads = 128;
static constexpr int64_t kOperandBytes = 2;

/// Registers of a thread of the producer and of a consumer. A block starts with
/// the same number for all; the producer then gives back what consumers take.
/// Together they fit the 64 Ki registers of a multiprocessor: more would hang.
struct RegisterSplit {
  int64_t producer, consumer;
};
static RegisterSplit registerSplit(int64_t consumers) {
  if (consumers == 1)
    return {0, 255}; // enough from the start
  return consumers == 2 ? RegisterSplit{40, 232} : RegisterSplit{32, 160};
}

/// Registers that a consumer needs beside its accumulators.
static constexpr int64_t kOtherRegisters = 32;

namespace {
/// Byte sizes and places that follow from a schedule. Shared memory holds the
/// ring's stages (a slice of a, then of b), the epilogue buffers and the
/// barriers; all but the last are multiples of 1024 bytes, as swizzling wants.
struct Layout {
  explicit Layout(kernel::WarpgroupContractionAttr schedule)
      : sliceA(schedule.getRows() * schedule.getDepth() * kOperandBytes),
        sliceB(schedule.getColumns() * schedule.getDepth() * kOperandBytes),
        stage(sliceA + sliceB), epilogue(schedule.getStages() * stage),
        epilogueBuffer(FragmentEpilogue::bufferBytes(schedule.getColumns())),
        barriers(epilogue + schedule.getConsumers() * epilogueBuffer),
        total(barriers +
              SharedMemoryRing::barrierBytes(schedule.getStages())) {}

  int64_t sliceA, sliceB, stage, epilogue, epilogueBuffer, barriers, total;
};

/// Position of a tile in the output, i32 elements.
struct Tile {
  Value row, column;
};

/// Builds the body of one device function.
class ContractionEmitter {
public:
  ContractionEmitter(DeviceBuilder &b, const ContractionKernel &match,
                     kernel::WarpgroupContractionAttr schedule,
                     DeviceFunction &function)
      : b(b), match(match), schedule(schedule), function(function),
        layout(schedule),
        fragments(schedule.getRows() / schedule.getSharers() /
                  kFragmentRows) {}

  LogicalResult emit();

private:
  using Cursor = SharedMemoryRing::Cursor;

  void emitSetup();
  void emitProducer();
  LogicalResult emitConsumer();
  Cursor copySlices(Tile tile, Cursor cursor);
  void copyBox(Value destination, Value map, Value column, Value row,
               Value barrier);
  Cursor multiplyTile(const WarpgroupProduct &product, Cursor cursor,
                      SmallVector<Value> &accumulators);
  Tile tileAt(Value number);
  void releaseBy(Value isLeader, Value stage);
  void awaitTurn(Value consumer);
  void passTurn(Value consumer);

  DeviceBuilder &b;
  const ContractionKernel &match;
  kernel::WarpgroupContractionAttr schedule;
  DeviceFunction &function;
  Layout layout;
  int64_t fragments; // of 64 rows, for each consumer

  // Set by emitSetup; all i32 but the ring and the pointer.
  Value shared;
  std::optional<SharedMemoryRing> ring;
  Value thread, warpgroup;
  Value rows, columns, depthSteps;
  Value rowTiles, columnTiles, tiles;
};
} // namespace

/// A dimension of a tensor argument as i32.
static Value size32(DeviceBuilder &b, const DeviceTensor &tensor, int64_t i) {
  return b.createOrFold<arith::TruncIOp>(b.getI32Type(), tensor.sizes[i]);
}

void ContractionEmitter::emitSetup() {
  shared = function.sharedMemory(b);
  ring.emplace(shared, b.offsetBytes(shared, layout.barriers),
               schedule.getStages(), layout.stage);
  const DeviceTensor &output = function.tensor(match.output);
  rows = size32(b, output, 0);
  columns = size32(b, output, 1);
  depthSteps =
      b.ceilDiv(size32(b, function.tensor(match.a), 1), schedule.getDepth());
  rowTiles = b.ceilDiv(rows, schedule.getRows());
  columnTiles = b.ceilDiv(columns, schedule.getColumns());
  tiles = b.mul(rowTiles, columnTiles);

  thread = b.threadIndex();
  // The same number in all threads of a warp, and known to be by the shuffle:
  // roles are taken by whole warpgroups.
  warpgroup = NVVM::ShflOp::create(
      b, b.getI32Type(), b.i32(-1), b.div(thread, kWarpgroupThreads), b.i32(0),
      b.i32(31), NVVM::ShflKind::idx, UnitAttr());
  b.ifThen(b.equal(thread, 0),
           [&] { ring->initialize(b, schedule.getSharers()); });
  NVVM::Barrier0Op::create(b);
}

/// The `number`-th tile: column by column inside groups of rasterRows row tiles.
Tile ContractionEmitter::tileAt(Value number) {
  Value groupRows = b.i32(schedule.getRasterRows());
  Value tilesPerGroup = b.mul(columnTiles, groupRows);
  Value firstRow = b.mul(b.div(number, tilesPerGroup), groupRows);
  Value rowsHere = b.min(b.sub(rowTiles, firstRow), groupRows);
  Value inGroup = b.rem(number, tilesPerGroup);
  Value row = b.add(firstRow, b.rem(inGroup, rowsHere));
  Value column = b.div(inGroup, rowsHere);
  return {b.mul(row, schedule.getRows()),
          b.mul(column, schedule.getColumns())};
}

void ContractionEmitter::copyBox(Value destination, Value map, Value column,
                                 Value row, Value barrier) {
  Value inCluster = LLVM::AddrSpaceCastOp::create(
      b, LLVM::LLVMPointerType::get(b.getContext(), kSharedClusterSpace),
      destination);
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      b, inCluster, map, ValueRange{column, row}, barrier, ValueRange(),
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value(),
      NVVM::TMALoadModeAttr::get(b.getContext(), NVVM::TMALoadMode::TILE),
      b.getBoolAttr(false), NVVM::CTAGroupKindAttr(), /*predicate=*/Value());
}

/// All slices of one tile, into consecutive stages. A box is one swizzled row of
/// 128 bytes wide: 64 elements along the operand's inner dimension.
ContractionEmitter::Cursor ContractionEmitter::copySlices(Tile tile,
                                                          Cursor cursor) {
  auto mapA = function.tensorMap(match.a), mapB = function.tensorMap(match.b);
  SmallVector<Value> next = b.loop(
      b.i32(0), depthSteps, b.i32(1), {cursor.stage, cursor.parity},
      [&](Value step, ValueRange carried) -> SmallVector<Value> {
        Cursor at = {carried[0], carried[1]};
        Value barrier = ring->acquire(b, at);
        Value sliceA = ring->stageAddress(b, at.stage);
        Value sliceB = b.offsetBytes(sliceA, layout.sliceA);
        Value depth = b.mul(step, schedule.getDepth());
        for (int64_t k = 0; k < schedule.getDepth(); k += kSwizzleColumns) {
          Value inner = b.add(depth, k);
          copyBox(b.offsetBytes(sliceA, k * schedule.getRows() * kOperandBytes),
                  mapA, inner, tile.row, barrier);
          Value boxB = b.offsetBytes(sliceB, k * schedule.getColumns() *
                                                 kOperandBytes);
          if (match.isDepthInner) {
            copyBox(boxB, mapB, inner, tile.column, barrier);
            continue;
          }
          for (int64_t n = 0; n < schedule.getColumns(); n += kSwizzleColumns)
            copyBox(b.offsetBytes(boxB, n * kSwizzleColumns * kOperandBytes),
                    mapB, b.add(tile.column, n), inner, barrier);
        }
        Cursor after = ring->advance(b, at);
        return {after.stage, after.parity};
      });
  return {next[0], next[1]};
}

void ContractionEmitter::emitProducer() {
  RegisterSplit split = registerSplit(schedule.getConsumers());
  if (split.producer)
    NVVM::SetMaxRegisterOp::create(b, split.producer,
                                   NVVM::SetMaxRegisterAction::decrease);
  b.ifThen(b.equal(thread, 0), [&] {
    Cursor start = ring->begin(b);
    b.loop(b.blockIndex(), tiles, b.gridSize(), {start.stage, start.parity},
           [&](Value number, ValueRange carried) -> SmallVector<Value> {
             Cursor next =
                 copySlices(tileAt(number), {carried[0], carried[1]});
             return {next.stage, next.parity};
           });
  });
}

void ContractionEmitter::releaseBy(Value isLeader, Value stage) {
  b.ifThen(isLeader, [&] { ring->release(b, stage); });
}

/// The accumulators of one tile over all slices. One group of wgmma stays in
/// flight: a stage is released when the group after it has been issued and its
/// own group has completed.
ContractionEmitter::Cursor
ContractionEmitter::multiplyTile(const WarpgroupProduct &product, Cursor cursor,
                                 SmallVector<Value> &accumulators) {
  Value isLeader = b.equal(b.bitAnd(thread, kWarpgroupThreads - 1), 0);
  auto multiply = [&](Cursor at, SmallVector<Value> &sums, bool overwrite) {
    ring->waitFull(b, at);
    product.issue(b, ring->stageOffset(b, at.stage), sums, overwrite);
  };
  // The first slice overwrites the accumulators: no zeros, hence no moves that
  // could sink below the first wgmma.
  accumulators = product.undefinedAccumulators(b);
  multiply(cursor, accumulators, /*overwrite=*/true);
  Cursor second = ring->advance(b, cursor);

  SmallVector<Value> carried = {second.stage, second.parity, cursor.stage};
  llvm::append_range(carried, accumulators);
  carried = b.loop(
      b.i32(1), depthSteps, b.i32(1), carried,
      [&](Value, ValueRange values) -> SmallVector<Value> {
        Cursor at = {values[0], values[1]};
        SmallVector<Value> sums(values.drop_front(3));
        multiply(at, sums, /*overwrite=*/false);
        NVVM::WgmmaWaitGroupSyncOp::create(b, 1);
        releaseBy(isLeader, values[2]);
        Cursor after = ring->advance(b, at);
        SmallVector<Value> next = {after.stage, after.parity, at.stage};
        llvm::append_range(next, sums);
        return next;
      });
  accumulators.assign(carried.begin() + 3, carried.end());
  product.complete(b, accumulators);
  releaseBy(isLeader, carried[2]);
  return {carried[0], carried[1]};
}

/// Named barriers: 1 to 3 are the consumers' own, for the epilogue; then one for
/// each of two consumers that take turns.
static constexpr int64_t kFirstTurnBarrier = 4;
static constexpr int64_t kTurnThreads = 2 * kWarpgroupThreads;

void ContractionEmitter::awaitTurn(Value consumer) {
  NVVM::BarrierOp::create(b, TypeRange(), b.add(consumer, kFirstTurnBarrier),
                          b.i32(kTurnThreads), NVVM::BarrierReductionAttr(),
                          Value());
}

/// Lets the other consumer go on.
void ContractionEmitter::passTurn(Value consumer) {
  Value other = b.sub(b.i32(kFirstTurnBarrier + 1), consumer);
  NVVM::BarrierArriveOp::create(b, other, b.i32(kTurnThreads));
}

LogicalResult ContractionEmitter::emitConsumer() {
  RegisterSplit split = registerSplit(schedule.getConsumers());
  if (split.producer)
    NVVM::SetMaxRegisterOp::create(b, split.consumer,
                                   NVVM::SetMaxRegisterAction::increase);
  Value consumer = b.sub(warpgroup, b.i32(1));
  Value inWarpgroup = b.bitAnd(thread, kWarpgroupThreads - 1);
  bool pingPong = schedule.getPingPong();
  Value firstRow = pingPong ? b.i32(0)
                            : b.mul(consumer, fragments * kFragmentRows);
  WarpgroupProduct product(
      b, {shared, firstRow, layout.sliceA, schedule.getRows(),
          schedule.getColumns(), schedule.getDepth(), fragments,
          match.isDepthInner, match.operandType});
  DeviceElements elements(b, match.kernel, function.tensors(),
                          function.symbols());
  FragmentEpilogue epilogue(
      match, elements, {rows, columns, function.tensorMap(match.output)},
      b.offsetBytes(b.offsetBytes(shared, layout.epilogue),
                    b.mul(consumer, layout.epilogueBuffer)),
      /*barrier=*/b.add(consumer, 1),
      {inWarpgroup, b.div(inWarpgroup, 32), b.bitAnd(thread, 31),
       b.equal(inWarpgroup, 0)});

  LogicalResult status = success();
  Cursor start = ring->begin(b);
  Value first = b.blockIndex(), stride = b.gridSize();
  if (pingPong) {
    // Consumer 1 begins one tile later and gives consumer 0 the first turn.
    start = ring->skip(b, start, b.mul(consumer, depthSteps));
    first = b.add(first, b.mul(consumer, stride));
    stride = b.mul(stride, schedule.getConsumers());
    b.ifThen(b.equal(consumer, 1), [&] { passTurn(consumer); });
  }
  b.loop(first, tiles, stride, {start.stage, start.parity},
         [&](Value number, ValueRange carried) -> SmallVector<Value> {
           Tile tile = tileAt(number);
           SmallVector<Value> accumulators;
           if (pingPong)
             awaitTurn(consumer);
           Cursor next =
               multiplyTile(product, {carried[0], carried[1]}, accumulators);
           if (pingPong) {
             passTurn(consumer);
             next = ring->skip(b, next, depthSteps);
           }
           for (auto [i, fragment] : llvm::enumerate(accumulators)) {
             Value row =
                 b.add(b.add(tile.row, firstRow), int64_t(i) * kFragmentRows);
             if (succeeded(status))
               status = epilogue.store(b, fragment, schedule.getColumns(), row,
                                       tile.column);
           }
           return {next.stage, next.parity};
         });
  epilogue.finish(b);
  return status;
}

LogicalResult ContractionEmitter::emit() {
  emitSetup();
  LogicalResult status = success();
  b.ifElse(
      b.equal(warpgroup, 0), [&] { emitProducer(); },
      [&] { status = emitConsumer(); });
  return status;
}

int64_t sharedMemoryBytes(kernel::WarpgroupContractionAttr schedule) {
  return Layout(schedule).total;
}

/// What the attribute's own verifier cannot know: the machine's limits.
static LogicalResult checkFits(kernel::FuncOp kernel,
                               kernel::WarpgroupContractionAttr schedule) {
  int64_t perConsumer = schedule.getRows() / schedule.getSharers();
  int64_t accumulators = perConsumer * schedule.getColumns() / kWarpgroupThreads;
  int64_t available =
      registerSplit(schedule.getConsumers()).consumer - kOtherRegisters;
  if (accumulators > available)
    return kernel.emitOpError("expects at most ")
           << available << " accumulators a thread for "
           << schedule.getConsumers() << " consumers, but the schedule needs "
           << accumulators;
  int64_t bytes = sharedMemoryBytes(schedule);
  if (bytes > kMaxSharedBytes)
    return kernel.emitOpError("expects at most ")
           << kMaxSharedBytes
           << " bytes of shared memory, but the schedule needs " << bytes;
  return success();
}

LogicalResult
checkWarpgroupContraction(kernel::FuncOp kernel,
                          kernel::WarpgroupContractionAttr schedule) {
  FailureOr<ContractionKernel> match = readContractionKernel(kernel);
  if (failed(match) || failed(checkFits(kernel, schedule)) ||
      failed(checkConstants(kernel)))
    return failure();
  // A fragment holds neighbours along the columns.
  constexpr int64_t kRow = 0, kColumn = 1;
  ElementCheck elements(kernel, /*laneLoop=*/kColumn);
  elements.bind(match->product, {kRow, kColumn});
  return elements.check(match->result);
}

LogicalResult
emitWarpgroupContraction(OpBuilder &builder, kernel::FuncOp kernel,
                         kernel::WarpgroupContractionAttr schedule) {
  if (failed(checkWarpgroupContraction(kernel, schedule)))
    return failure();
  ContractionKernel match = *readContractionKernel(kernel);
  DeviceFunction::Options options;
  options.threads = (schedule.getConsumers() + 1) * kWarpgroupThreads;
  options.blocksPerProcessor = 1;
  options.sharedBytes = sharedMemoryBytes(schedule);
  options.output = match.output;
  options.tileRows = schedule.getRows();
  options.tileColumns = schedule.getColumns();
  options.tensorMaps = {
      {match.a, schedule.getRows(), kSwizzleColumns},
      {match.b, match.isDepthInner ? schedule.getColumns() : kSwizzleColumns,
       kSwizzleColumns},
      {match.output, kFragmentRows, FragmentEpilogue::kBoxColumns}};
  options.pointers = match.epilogueInputs;
  DeviceFunction function(builder, kernel, options);
  DeviceBuilder b(kernel.getLoc(), function.body(), function.body()->begin());
  function.bindArguments(b);
  if (failed(ContractionEmitter(b, match, schedule, function).emit()))
    return failure();
  LLVM::ReturnOp::create(b, ValueRange());
  return success();
}

} // namespace tessera::ptx
