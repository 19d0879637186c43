// A ring of shared-memory stages that tensor copies fill and warpgroups empty.
#ifndef TESSERA_TARGET_PTX_SHAREDMEMORYRING_H
#define TESSERA_TARGET_PTX_SHAREDMEMORYRING_H

#include "lib/Target/PTX/DeviceBuilder.h"

namespace tessera::ptx {

/// `stages` buffers of `stageBytes` each in shared memory, with two mbarriers
/// per stage:
///
/// - *full*: one arrival, by the producer thread that announces how many bytes
///   its tensor copies will write; completes when they have landed.
/// - *empty*: one arrival per consumer warpgroup that has read the stage.
///
/// A barrier completes one phase per turn of the ring, so a waiter needs only
/// the parity of the turn. Both sides walk the ring by a cursor (stage, parity);
/// the parity flips where the stage wraps around:
///
///     stage   0 1 2 3 0 1 2 3 0 ...      producer waits empty for parity ^ 1,
///     parity  0 0 0 0 1 1 1 1 0 ...      consumer waits full for parity
///
/// A fresh barrier counts as having completed its phase of parity 1; hence the
/// producer's first turn does not block.
class SharedMemoryRing {
public:
  /// Position of one side in the ring; both values are i32.
  struct Cursor {
    mlir::Value stage, parity;
  };

  /// `tiles` and `barriers` are shared-memory pointers: `stages * stageBytes`
  /// bytes, and `barrierBytes(stages)` bytes, 8-byte aligned.
  SharedMemoryRing(mlir::Value tiles, mlir::Value barriers, int64_t stages,
                   int64_t stageBytes)
      : tiles(tiles), barriers(barriers), stages(stages),
        stageBytes(stageBytes) {}

  static int64_t barrierBytes(int64_t stages) { return stages * 16; }

  /// Initialises the barriers for `consumers` warpgroups. One thread runs this;
  /// a barrier of the block must follow before any other use.
  void initialize(DeviceBuilder &b, int64_t consumers) const;

  Cursor begin(DeviceBuilder &b) const;
  Cursor advance(DeviceBuilder &b, Cursor cursor) const;
  /// `count` (i32) stages further, which somebody else reads.
  Cursor skip(DeviceBuilder &b, Cursor cursor, mlir::Value count) const;

  /// The producer thread waits until the stage is empty and announces
  /// `stageBytes` of tensor copies; gives the barrier they complete on.
  mlir::Value acquire(DeviceBuilder &b, Cursor cursor) const;

  /// A consumer waits until the stage's bytes have landed.
  void waitFull(DeviceBuilder &b, Cursor cursor) const;

  /// One thread of a consumer warpgroup declares the stage read.
  void release(DeviceBuilder &b, mlir::Value stage) const;

  /// Byte offset of a stage from the first, i32.
  mlir::Value stageOffset(DeviceBuilder &b, mlir::Value stage) const;
  mlir::Value stageAddress(DeviceBuilder &b, mlir::Value stage) const;

private:
  mlir::Value fullBarrier(DeviceBuilder &b, mlir::Value stage) const;
  mlir::Value emptyBarrier(DeviceBuilder &b, mlir::Value stage) const;

  mlir::Value tiles, barriers;
  int64_t stages, stageBytes;
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_SHAREDMEMORYRING_H
