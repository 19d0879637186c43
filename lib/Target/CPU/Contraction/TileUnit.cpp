// The instructions of the tile unit; see the header.
#include "lib/Target/CPU/Contraction/TileUnit.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static int64_t bytesOf(Type element) {
  return element.getIntOrFloatBitWidth() / 8;
}

Value cpu::strideBytes(OpBuilder &builder, Location loc, Value memref,
                       int64_t dimension) {
  IndexBuilder index(builder, loc);
  int64_t known = staticStride(memref, dimension);
  Value stride =
      ShapedType::isDynamic(known)
          ? memref::ExtractStridedMetadataOp::create(builder, loc, memref)
                .getStrides()[dimension]
          : index.constant(known);
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return index.mul(stride, bytesOf(element));
}

Value cpu::addressOf(OpBuilder &builder, Location loc, Value memref,
                     ArrayRef<Value> indices) {
  IndexBuilder index(builder, loc);
  auto type = cast<MemRefType>(memref.getType());
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, memref);
  SmallVector<int64_t> strides;
  int64_t offset = ShapedType::kDynamic;
  (void)type.getStridesAndOffset(strides, offset);
  Value first =
      ShapedType::isDynamic(offset)
          ? memref::ExtractStridedMetadataOp::create(builder, loc, memref)
                .getOffset()
          : index.constant(offset);
  address = index.add(address, index.mul(first, bytesOf(type.getElementType())));
  for (auto [dimension, position] : llvm::enumerate(indices))
    address = index.add(
        address,
        index.mul(position, strideBytes(builder, loc, memref, dimension)));
  return address;
}

/// tileloadd, or tileloaddt1, for which the dialect has no operation.
Value cpu::loadTile(OpBuilder &builder, Location loc, const TileAddress &from,
                    Type element, bool isStreamed) {
  auto toInteger = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                      value);
  };
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, loc,
                                    builder.getI16IntegerAttr(value));
  };
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Value address = LLVM::IntToPtrOp::create(builder, loc, pointer,
                                           toInteger(from.address));
  StringRef name = isStreamed ? "llvm.x86.tileloaddt164.internal"
                              : "llvm.x86.tileloadd64.internal";
  auto load = LLVM::CallIntrinsicOp::create(
      builder, loc, LLVM::LLVMX86AMXType::get(builder.getContext()),
      builder.getStringAttr(name),
      ValueRange{constant(kTileRows), constant(kTileRowBytes), address,
                 toInteger(from.rowBytes)});
  auto type = amx::TileType::get({kTileRows, kTileRowBytes / bytesOf(element)},
                                 element);
  return UnrealizedConversionCastOp::create(builder, loc, type,
                                            load.getResults())
      .getResult(0);
}

Value cpu::zeroTile(OpBuilder &builder, Location loc, Type element) {
  return amx::TileZeroOp::create(
      builder, loc, amx::TileType::get({kTileRows, kTileRows}, element));
}
