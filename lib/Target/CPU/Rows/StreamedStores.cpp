// Stores past the caches; see the header.
#include "lib/Target/CPU/Rows/StreamedStores.h"
#include "lib/Target/CPU/Rows/RowStages.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static constexpr int64_t kLineBytes = 64;

static int64_t bytesOf(Type element) {
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Whether passes keep intermediates in the rows of outputs, which are then in the
/// caches anyway.
static FailureOr<bool> borrowsOutputs(RowKernel &rows) {
  if (!hasReductions(rows.kernel))
    return false;
  FailureOr<RowStages> stages = findStages(rows.kernel);
  if (failed(stages))
    return failure();
  return llvm::any_of(stages->passes, [&](const RowPass &pass) {
    return llvm::any_of(pass.stored, [&](const StoredRow &stored) {
      return stored.output >= 0 && rows.yielded(stored.output) != stored.value;
    });
  });
}

/// Whether every vector of an output can begin at a multiple of its own size.
static bool mayBeAligned(RowKernel &rows) {
  if (!llvm::isPowerOf2_64(rows.lanes))
    return false;
  for (int64_t i = 0, e = rows.kernel.getOutputs(); i < e; ++i) {
    auto type = cast<MemRefType>(rows.output(i).getType());
    if (!type.getLayout().isIdentity())
      return false;
    if (type.getRank() < 2 || type.isDynamicDim(type.getRank() - 1))
      continue;
    int64_t columns = type.getShape().back();
    if (columns != 1 && columns * bytesOf(type.getElementType()) % kLineBytes)
      return false;
  }
  return true;
}

static Value isMultipleOfLine(OpBuilder &builder, Location loc, Value bytes) {
  IndexBuilder index(builder, loc);
  Value rest = builder.createOrFold<arith::AndIOp>(
      loc, bytes, index.constant(kLineBytes - 1));
  return builder.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq,
                                             rest, index.constant(0));
}

/// Bytes of the tensors of the highest rank: others are read again and again.
static Value emitBytes(RowKernel &rows, OpBuilder &builder) {
  Location loc = rows.loc;
  IndexBuilder index(builder, loc);
  int64_t highest = 0;
  for (Value memref : rows.memrefs)
    highest = std::max(highest, cast<MemRefType>(memref.getType()).getRank());
  Value total = index.constant(0);
  for (Value memref : rows.memrefs) {
    auto type = cast<MemRefType>(memref.getType());
    if (type.getRank() != highest)
      continue;
    Value bytes = index.constant(bytesOf(type.getElementType()));
    for (int64_t i = 0; i < highest; ++i)
      bytes =
          index.mul(bytes, builder.createOrFold<memref::DimOp>(loc, memref, i));
    total = index.add(total, bytes);
  }
  return total;
}

FailureOr<Value> cpu::emitIsStreamed(RowKernel &rows, OpBuilder &builder) {
  Location loc = rows.loc;
  IndexBuilder index(builder, loc);
  bool isTransposed =
      !rows.kernel.getBody().front().getOps<linalg::TransposeOp>().empty();
  if (rows.streamBytes == 0 || isTransposed || !mayBeAligned(rows))
    return Value();
  FailureOr<bool> borrows = borrowsOutputs(rows);
  if (failed(borrows))
    return failure();
  if (*borrows)
    return Value();
  Value bytes = emitBytes(rows, builder);
  if (std::optional<int64_t> known = constantOf(bytes);
      known && *known < rows.streamBytes)
    return Value();
  Value streams = builder.createOrFold<arith::CmpIOp>(
      loc, arith::CmpIPredicate::uge, bytes, index.constant(rows.streamBytes));
  auto require = [&](Value condition) {
    streams = builder.createOrFold<arith::AndIOp>(loc, streams, condition);
  };
  for (int64_t i = 0, e = rows.kernel.getOutputs(); i < e; ++i) {
    Value output = rows.output(i);
    auto type = cast<MemRefType>(output.getType());
    require(isMultipleOfLine(
        builder, loc,
        memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, output)));
    int64_t last = type.getRank() - 1;
    if (last < 1 || !type.isDynamicDim(last))
      continue;
    Value columns = builder.createOrFold<memref::DimOp>(loc, output, last);
    require(isMultipleOfLine(
        builder, loc, index.mul(columns, bytesOf(type.getElementType()))));
  }
  return streams;
}

void cpu::emitStoreFence(OpBuilder &builder, Location loc) {
  LLVM::CallIntrinsicOp::create(builder, loc,
                                builder.getStringAttr("llvm.x86.sse.sfence"),
                                ValueRange());
}
