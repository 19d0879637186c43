// The epilogue of a warpgroup contraction on accumulator fragments.
#include "lib/Target/PTX/FragmentEpilogue.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

/// Bytes of one row of a box in swizzled shared memory, and of a whole box.
static constexpr int64_t kBoxRowBytes = 128;
static constexpr int64_t kBoxBytes = kFragmentRows * kBoxRowBytes;
static constexpr int64_t kWarpgroupThreads = 128;

void FragmentEpilogue::synchronize(DeviceBuilder &b) const {
  NVVM::BarrierOp::create(b, TypeRange(), barrier, b.i32(kWarpgroupThreads),
                          NVVM::BarrierReductionAttr(), Value());
}

LogicalResult FragmentEpilogue::store(DeviceBuilder &b, Value accumulators,
                                      int64_t tileColumns, Value row,
                                      Value column) const {
  int64_t slab = slabColumns(tileColumns);
  for (int64_t first = 0; first < tileColumns; first += slab) {
    // The copies of the slab before must have read the buffer.
    b.ifThen(thread.isLeader, [&] {
      NVVM::CpAsyncBulkWaitGroupOp::create(b, b.getI32IntegerAttr(0),
                                           b.getUnitAttr());
    });
    synchronize(b);
    if (failed(fillBuffer(b, accumulators, first, slab, row, column)))
      return failure();
    // The copy engine must see what stmatrix wrote.
    NVVM::FenceProxyOp::create(
        b,
        NVVM::ProxyKindAttr::get(b.getContext(),
                                 NVVM::ProxyKind::async_shared),
        NVVM::SharedSpaceAttr::get(b.getContext(),
                                   NVVM::SharedSpace::shared_cta));
    synchronize(b);
    b.ifThen(thread.isLeader, [&] {
      for (int64_t box = 0; box < slab / kBoxColumns; ++box)
        NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
            b, output.map, b.offsetBytes(buffer, box * kBoxBytes),
            ValueRange{b.add(column, first + box * kBoxColumns), row}, Value(),
            NVVM::TMAStoreModeAttr::get(b.getContext(),
                                        NVVM::TMAStoreMode::TILE),
            Value());
      NVVM::CpAsyncBulkCommitGroupOp::create(b);
    });
  }
  return success();
}

void FragmentEpilogue::finish(DeviceBuilder &b) const {
  b.ifThen(thread.isLeader, [&] {
    NVVM::CpAsyncBulkWaitGroupOp::create(b, b.getI32IntegerAttr(0), UnitAttr());
  });
}

/// The fused body on two neighbouring elements, as the 32 bits that stmatrix
/// takes.
FailureOr<Value> FragmentEpilogue::emitPair(DeviceBuilder &b, Value low,
                                            Value high, Value row,
                                            Value column) const {
  // Elements outside the output are computed, from clamped indices so that
  // nothing outside an input is read, and clipped by the tensor copy.
  Value lastRow = b.sub(output.rows, b.i32(1)),
        lastPair = b.sub(output.columns, b.i32(2));
  SmallVector<Value> indices = {b.wide(b.min(row, lastRow)),
                                b.wide(b.min(column, lastPair))};
  auto pair = VectorType::get({2}, b.getF32Type());
  elements.bind(
      match.product, indices,
      vector::FromElementsOp::create(b, pair, ValueRange{low, high}));
  auto result = elements.emit(match.result, indices, 2);
  if (failed(result))
    return failure();
  return LLVM::BitcastOp::create(b, b.getI32Type(), result->front())
      .getResult();
}

/// Writes columns firstColumn .. firstColumn + slab of the fragment into the
/// buffer: boxes of 64 columns, rows of 128 bytes whose 16-byte chunks are
/// permuted as the tensor map's swizzle says (chunk c of row r is at c ^ r % 8).
LogicalResult FragmentEpilogue::fillBuffer(DeviceBuilder &b, Value accumulators,
                                           int64_t firstColumn, int64_t slab,
                                           Value row, Value column) const {
  // stmatrix.x4 stores four 8x8 matrices; lane l gives the address of row
  // l % 8 of matrix l / 8. Matrices 0 and 1 are one above the other, 2 and 3
  // the next 8 columns.
  Value rowInMatrix = b.bitAnd(thread.lane, 7);
  Value matrix = b.div(thread.lane, 8);
  Value addressRow =
      b.add(b.add(b.mul(thread.warp, 16), b.mul(b.bitAnd(matrix, 1), 8)),
            rowInMatrix);
  Value rowBytes = b.mul(addressRow, kBoxRowBytes);
  Value chunkInPair = b.div(matrix, 2);
  // Where this thread's elements of the first column group are.
  Value fragmentRow =
      b.add(row, b.add(b.mul(thread.warp, 16), b.div(thread.lane, 4)));
  Value fragmentColumn =
      b.add(column, b.mul(b.bitAnd(thread.lane, 3), 2));

  for (int64_t offset = 0; offset < slab; offset += 16) {
    SmallVector<Value> matrices;
    for (int64_t half = 0; half < 16; half += 8)
      for (int64_t below = 0; below < 2; ++below) {
        int64_t at = firstColumn + offset + half;
        int64_t first = at / 8 * 4 + below * 2;
        Value low = LLVM::ExtractValueOp::create(b, accumulators, first);
        Value high = LLVM::ExtractValueOp::create(b, accumulators, first + 1);
        FailureOr<Value> pair =
            emitPair(b, low, high, b.add(fragmentRow, 8 * below),
                     b.add(fragmentColumn, at));
        if (failed(pair))
          return failure();
        matrices.push_back(*pair);
      }
    Value chunk = b.bitXor(b.add(chunkInPair, offset / 8 % 8), rowInMatrix);
    Value address = b.add(b.add(rowBytes, b.mul(chunk, 16)),
                          offset / kBoxColumns * kBoxBytes);
    NVVM::StMatrixOp::create(
        b, b.offsetBytes(buffer, address), matrices,
        NVVM::MMALayoutAttr::get(b.getContext(), NVVM::MMALayout::row),
        NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
        NVVM::LdStMatrixEltTypeAttr::get(b.getContext(),
                                         NVVM::LdStMatrixEltType::B16));
  }
  return success();
}

} // namespace tessera::ptx
