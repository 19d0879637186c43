// The spellings of the arith, scf, LLVM and NVVM dialects behind DeviceBuilder.
#include "lib/Target/PTX/DeviceBuilder.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

Value DeviceBuilder::i32(int64_t value) {
  return arith::ConstantOp::create(*this, getI32IntegerAttr(value));
}
Value DeviceBuilder::i64(int64_t value) {
  return arith::ConstantOp::create(*this, getI64IntegerAttr(value));
}
Value DeviceBuilder::f32(double value) {
  return arith::ConstantOp::create(*this, getF32FloatAttr(value));
}
Value DeviceBuilder::constantLike(Value like, int64_t value) {
  return arith::ConstantOp::create(*this,
                                   getIntegerAttr(like.getType(), value));
}

Value DeviceBuilder::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(a, b);
}
Value DeviceBuilder::add(Value a, int64_t b) {
  return b == 0 ? a : add(a, constantLike(a, b));
}
Value DeviceBuilder::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}
Value DeviceBuilder::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(a, b);
}
Value DeviceBuilder::mul(Value a, int64_t b) {
  return b == 1 ? a : mul(a, constantLike(a, b));
}
Value DeviceBuilder::div(Value a, Value b) {
  return createOrFold<arith::DivUIOp>(a, b);
}
Value DeviceBuilder::div(Value a, int64_t b) {
  return div(a, constantLike(a, b));
}
Value DeviceBuilder::rem(Value a, Value b) {
  return createOrFold<arith::RemUIOp>(a, b);
}
Value DeviceBuilder::rem(Value a, int64_t b) {
  return rem(a, constantLike(a, b));
}
Value DeviceBuilder::ceilDiv(Value a, int64_t b) {
  return div(add(a, b - 1), b);
}
Value DeviceBuilder::min(Value a, Value b) {
  return createOrFold<arith::MinUIOp>(a, b);
}
Value DeviceBuilder::bitAnd(Value a, int64_t b) {
  return createOrFold<arith::AndIOp>(a, constantLike(a, b));
}
Value DeviceBuilder::bitXor(Value a, Value b) {
  return createOrFold<arith::XOrIOp>(a, b);
}
Value DeviceBuilder::equal(Value a, int64_t b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::eq, a,
                                     constantLike(a, b));
}
Value DeviceBuilder::less(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(arith::CmpIPredicate::ult, a, b);
}
Value DeviceBuilder::select(Value condition, Value a, Value b) {
  return createOrFold<arith::SelectOp>(condition, a, b);
}
Value DeviceBuilder::wide(Value value) {
  if (value.getType().isInteger(64))
    return value;
  return createOrFold<arith::ExtUIOp>(getI64Type(), value);
}

Value DeviceBuilder::threadIndex() {
  return NVVM::ThreadIdXOp::create(*this, getI32Type());
}
Value DeviceBuilder::blockIndex() {
  return NVVM::BlockIdXOp::create(*this, getI32Type());
}
Value DeviceBuilder::blockSize() {
  return NVVM::BlockDimXOp::create(*this, getI32Type());
}
Value DeviceBuilder::gridSize() {
  return NVVM::GridDimXOp::create(*this, getI32Type());
}

Value DeviceBuilder::offset(Value pointer, Value index, Type element) {
  return LLVM::GEPOp::create(*this, pointer.getType(), element, pointer,
                             ArrayRef<LLVM::GEPArg>{index});
}
Value DeviceBuilder::offsetBytes(Value pointer, Value bytes) {
  return offset(pointer, bytes, getI8Type());
}
Value DeviceBuilder::offsetBytes(Value pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return LLVM::GEPOp::create(*this, pointer.getType(), getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{int32_t(bytes)});
}

void DeviceBuilder::ifThen(Value condition, Body body) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  body();
}

void DeviceBuilder::ifElse(Value condition, Body thenBody, Body elseBody) {
  auto op = scf::IfOp::create(*this, condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.thenBlock());
  thenBody();
  setInsertionPointToStart(op.elseBlock());
  elseBody();
}

SmallVector<Value> DeviceBuilder::loop(Value from, Value to, Value step,
                                       ValueRange carried, LoopBody body) {
  auto op = scf::ForOp::create(*this, from, to, step, carried);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  SmallVector<Value> next =
      body(op.getInductionVar(), ValueRange(op.getRegionIterArgs()));
  if (!carried.empty())
    scf::YieldOp::create(*this, next);
  return SmallVector<Value>(op.getResults());
}

} // namespace tessera::ptx
