// The full and empty barriers of a shared-memory ring.
#include "lib/Target/PTX/SharedMemoryRing.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

/// How long a waiting thread may sleep before it tests the barrier again, in
/// nanoseconds. Only a hint to the hardware.
static constexpr int64_t kSuspendNanoseconds = 10000000;

void SharedMemoryRing::initialize(DeviceBuilder &b, int64_t consumers) const {
  Value one = b.i32(1), readers = b.i32(consumers);
  for (int64_t stage = 0; stage < stages; ++stage) {
    NVVM::MBarrierInitOp::create(b, b.offsetBytes(barriers, 8 * stage), one,
                                 Value());
    NVVM::MBarrierInitOp::create(
        b, b.offsetBytes(barriers, 8 * (stages + stage)), readers, Value());
  }
  NVVM::FenceMbarrierInitOp::create(b);
}

SharedMemoryRing::Cursor SharedMemoryRing::begin(DeviceBuilder &b) const {
  return {b.i32(0), b.i32(0)};
}

SharedMemoryRing::Cursor SharedMemoryRing::advance(DeviceBuilder &b,
                                                   Cursor cursor) const {
  Value next = b.add(cursor.stage, 1);
  Value wraps = b.equal(next, stages);
  Value flip = b.createOrFold<arith::ExtUIOp>(b.getI32Type(), wraps);
  return {b.select(wraps, b.i32(0), next), b.bitXor(cursor.parity, flip)};
}

SharedMemoryRing::Cursor SharedMemoryRing::skip(DeviceBuilder &b, Cursor cursor,
                                                Value count) const {
  Value position = b.add(cursor.stage, count);
  Value turns = b.bitAnd(b.div(position, stages), 1);
  return {b.rem(position, stages), b.bitXor(cursor.parity, turns)};
}

Value SharedMemoryRing::acquire(DeviceBuilder &b, Cursor cursor) const {
  NVVM::MBarrierTryWaitParityOp::create(b, emptyBarrier(b, cursor.stage),
                                        b.bitXor(cursor.parity, b.i32(1)),
                                        b.i32(kSuspendNanoseconds));
  Value full = fullBarrier(b, cursor.stage);
  NVVM::MBarrierArriveExpectTxOp::create(
      b, TypeRange(), full, b.i32(stageBytes), NVVM::MemScopeKind::CTA,
      /*relaxed=*/false, /*predicate=*/Value());
  return full;
}

void SharedMemoryRing::waitFull(DeviceBuilder &b, Cursor cursor) const {
  NVVM::MBarrierTryWaitParityOp::create(b, fullBarrier(b, cursor.stage),
                                        cursor.parity,
                                        b.i32(kSuspendNanoseconds));
}

void SharedMemoryRing::release(DeviceBuilder &b, Value stage) const {
  NVVM::MBarrierArriveOp::create(b, TypeRange(b.getI64Type()),
                                 emptyBarrier(b, stage), Value(),
                                 NVVM::MemScopeKind::CTA, /*relaxed=*/false);
}

Value SharedMemoryRing::stageOffset(DeviceBuilder &b, Value stage) const {
  return b.mul(stage, stageBytes);
}

Value SharedMemoryRing::stageAddress(DeviceBuilder &b, Value stage) const {
  return b.offsetBytes(tiles, stageOffset(b, stage));
}

Value SharedMemoryRing::fullBarrier(DeviceBuilder &b, Value stage) const {
  return b.offset(barriers, stage, b.getI64Type());
}

Value SharedMemoryRing::emptyBarrier(DeviceBuilder &b, Value stage) const {
  return b.offset(b.offsetBytes(barriers, 8 * stages), stage, b.getI64Type());
}

} // namespace tessera::ptx
