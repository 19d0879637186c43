// From accumulators to the output: fused body, stmatrix, tensor copies.
#ifndef TESSERA_TARGET_PTX_FRAGMENTEPILOGUE_H
#define TESSERA_TARGET_PTX_FRAGMENTEPILOGUE_H

#include "lib/Target/PTX/ContractionKernel.h"
#include "lib/Target/PTX/DeviceElements.h"

namespace tessera::ptx {

/// Rows that one wgmma instruction computes, and a warpgroup stores at once.
constexpr int64_t kFragmentRows = 64;

/// Writes a warpgroup's accumulators to the output, `kFragmentRows` rows by
/// `slabColumns` columns at a time, through a buffer in shared memory.
///
/// An m64nN accumulator fragment lies like this over the 128 threads: thread t
/// of warp w holds, for each group of 8 columns, two neighbours in row
/// 16 w + t / 4 and two in the row 8 below, at columns 2 (t mod 4) of the group.
/// The fused body is thus emitted on vectors of two elements.
class FragmentEpilogue {
public:
  /// Columns that the buffer holds for a tile of `columns` columns.
  static int64_t slabColumns(int64_t columns) {
    return columns % 128 == 0 ? 128 : 64;
  }
  /// Bytes of the buffer of one warpgroup, for outputs of 2 bytes.
  static int64_t bufferBytes(int64_t columns) {
    return kFragmentRows * slabColumns(columns) * 2;
  }
  /// Columns that one tensor copy stores: a swizzled row of 128 bytes.
  static constexpr int64_t kBoxColumns = 64;

  struct Thread {
    mlir::Value inWarpgroup; // 0 .. 127
    mlir::Value warp, lane;  // 0 .. 3, 0 .. 31
    mlir::Value isLeader;    // i1: issues the tensor copies
  };

  struct Output {
    mlir::Value rows, columns; // i32 sizes
    mlir::Value map;           // its tensor map
  };

  /// `buffer` is the warpgroup's shared memory, 1024-byte aligned, `barrier` an
  /// i32 barrier number of its own.
  FragmentEpilogue(const ContractionKernel &match,
                   DeviceElements &elements, const Output &output,
                   mlir::Value buffer, mlir::Value barrier,
                   const Thread &thread)
      : match(match), elements(elements), output(output), buffer(buffer),
        barrier(barrier), thread(thread) {}

  /// Stores one fragment: `accumulators`, a struct of tileColumns / 2 f32, whose
  /// first row and column in the output are `row` and `column` (i32).
  mlir::LogicalResult store(DeviceBuilder &b, mlir::Value accumulators,
                            int64_t tileColumns, mlir::Value row,
                            mlir::Value column) const;

  /// Waits until all stores of this warpgroup have left shared memory.
  void finish(DeviceBuilder &b) const;

private:
  mlir::FailureOr<mlir::Value> emitPair(DeviceBuilder &b, mlir::Value low,
                                        mlir::Value high, mlir::Value row,
                                        mlir::Value column) const;
  mlir::LogicalResult fillBuffer(DeviceBuilder &b, mlir::Value accumulators,
                                 int64_t firstColumn, int64_t slab,
                                 mlir::Value row, mlir::Value column) const;
  void synchronize(DeviceBuilder &b) const;

  const ContractionKernel &match;
  DeviceElements &elements;
  Output output;
  mlir::Value buffer, barrier;
  Thread thread;
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_FRAGMENTEPILOGUE_H
