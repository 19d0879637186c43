// The multiply-accumulates of x86.
#include "lib/Target/CPU/Contraction/MultiplyAccumulate.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

Value cpu::widen(OpBuilder &builder, Location loc, Value value) {
  Type type = value.getType();
  Type f32 = builder.getF32Type();
  if (getElementTypeOrSelf(type) == f32)
    return value;
  Type wide = f32;
  if (auto vector = dyn_cast<VectorType>(type))
    wide = VectorType::get(vector.getShape(), f32);
  return arith::ExtFOp::create(builder, loc, wide, value);
}

LogicalResult
MultiplyAccumulate::accumulateTile(OpBuilder &builder, Location loc,
                                   const TileStep &operands,
                                   MutableArrayRef<Value> sums) const {
  SmallVector<Value> columns;
  for (int64_t vector = 0; vector < operands.vectors; ++vector) {
    columns.push_back(operands.right(vector));
    if (!columns.back())
      return failure();
  }
  for (int64_t row : operands.rows) {
    Value element;
    for (int64_t vector = 0; vector < operands.vectors; ++vector) {
      if (vector == 0 || operands.leftVaries)
        element = operands.left(row, vector);
      if (!element)
        return failure();
      Value &sum = sums[row * operands.vectors + vector];
      sum = step(builder, loc, element, columns[vector], sum);
    }
  }
  return success();
}

namespace {

/// One product a step, rounded once with its sum.
struct Float32 : MultiplyAccumulate {
  explicit Float32(int64_t lanes)
      : MultiplyAccumulate(lanes, kernel::MultiplyAccumulate::F32) {}

  std::string refusal(const Contraction &c) const override {
    auto isFloat = [](Type type) {
      return type.isF32() || type.isF16() || type.isBF16();
    };
    if (c.sumType().isF32() && isFloat(c.lhsType()) && isFloat(c.rhsType()))
      return {};
    return "expects f32, f16 or bf16 operands and an f32 result";
  }
  VectorType sums(MLIRContext *context) const override {
    return VectorType::get(lanes(), Float32Type::get(context));
  }
  Type panelElement(MLIRContext *context) const override {
    return Float32Type::get(context);
  }
  Value left(OpBuilder &builder, Location loc, Value elements) const override {
    Value value = widen(builder, loc, elements);
    if (isa<VectorType>(value.getType()))
      return value;
    return vector::BroadcastOp::create(builder, loc, sums(loc.getContext()),
                                       value);
  }
  Value right(OpBuilder &builder, Location loc, Value elements) const override {
    return widen(builder, loc, elements);
  }
  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return vector::FMAOp::create(builder, loc, left, right, sum);
  }
  Value finish(OpBuilder &builder, Location loc, Value total,
               Value sum) const override {
    return arith::AddFOp::create(builder, loc, total, sum);
  }
};

/// Products of bytes as those of floats, for columns that no instruction takes in
/// groups (depthwise convolutions) and machines that have none: a block of 512
/// products stays below 2^24 and is exact in f32, then i32 wraps.
struct BytesInFloat32 : MultiplyAccumulate {
  BytesInFloat32(int64_t lanes, Signedness lhs)
      : MultiplyAccumulate(lanes, kernel::MultiplyAccumulate::BytesInF32),
        lhs(lhs) {}

  std::string refusal(const Contraction &c) const override {
    if (c.sumType().isInteger(32) && c.lhsType().isInteger(8) &&
        c.rhsType().isInteger(8) && c.rhsSignedness == Signedness::Signed)
      return {};
    return "expects bytes, the right ones signed, and a result of i32";
  }
  VectorType sums(MLIRContext *context) const override {
    return VectorType::get(lanes(), Float32Type::get(context));
  }
  VectorType totals(MLIRContext *context) const override {
    return VectorType::get(lanes(), IntegerType::get(context, 32));
  }
  Type panelElement(MLIRContext *context) const override {
    return Float32Type::get(context);
  }
  Value left(OpBuilder &builder, Location loc, Value elements) const override {
    Value value = toFloat(builder, loc, elements, lhs);
    if (isa<VectorType>(value.getType()))
      return value;
    return vector::BroadcastOp::create(builder, loc, sums(loc.getContext()),
                                       value);
  }
  Value right(OpBuilder &builder, Location loc, Value elements) const override {
    return toFloat(builder, loc, elements, Signedness::Signed);
  }
  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return vector::FMAOp::create(builder, loc, left, right, sum);
  }
  Value finish(OpBuilder &builder, Location loc, Value total,
               Value sum) const override {
    Value whole = arith::FPToSIOp::create(builder, loc,
                                          totals(loc.getContext()), sum);
    return arith::AddIOp::create(builder, loc, total, whole);
  }

private:
  /// Bytes, or what a panel holds already, as f32.
  static Value toFloat(OpBuilder &builder, Location loc, Value bytes,
                       Signedness signedness) {
    Type type = bytes.getType(), f32 = builder.getF32Type();
    if (getElementTypeOrSelf(type) == f32)
      return bytes;
    if (auto vector = dyn_cast<VectorType>(type))
      f32 = VectorType::get(vector.getShape(), f32);
    return signedness == Signedness::Signed
               ? arith::SIToFPOp::create(builder, loc, f32, bytes).getResult()
               : arith::UIToFPOp::create(builder, loc, f32, bytes);
  }

  Signedness lhs;
};

/// Several narrow products a step, in groups of 32 bits.
struct Grouped : MultiplyAccumulate {
  using MultiplyAccumulate::MultiplyAccumulate;

  Value left(OpBuilder &builder, Location loc, Value elements) const override {
    // One number of 32 bits: LLVM broadcasts it from memory.
    Type i32 = builder.getI32Type();
    Value group = vector::ExtractOp::create(
        builder, loc,
        vector::BitCastOp::create(builder, loc, VectorType::get(1, i32),
                                  elements),
        ArrayRef<int64_t>{0});
    Value all = vector::BroadcastOp::create(
        builder, loc, VectorType::get(lanes(), i32), group);
    auto element = cast<VectorType>(elements.getType()).getElementType();
    return vector::BitCastOp::create(
        builder, loc, VectorType::get(lanes() * stepLength(), element), all);
  }
  Value right(OpBuilder &builder, Location loc, Value elements) const override {
    return elements;
  }

protected:
  Value call(OpBuilder &builder, Location loc, StringRef name,
             ArrayRef<Value> operands) const {
    std::string full =
        ("llvm.x86." + name + (lanes() == 16 ? ".512" : ".256")).str();
    return LLVM::CallIntrinsicOp::create(builder, loc, operands[0].getType(),
                                         builder.getStringAttr(full), operands)
        .getResult(0);
  }
};

std::string refusalOfBytes(const Contraction &c) {
  if (!c.sumType().isInteger(32) || !c.lhsType().isInteger(8) ||
      !c.rhsType().isInteger(8) || c.lhsSignedness != Signedness::Unsigned ||
      c.rhsSignedness != Signedness::Signed)
    return "expects unsigned and signed bytes and a result of i32";
  return {};
}

std::string refusalOfBfloat16(const Contraction &c) {
  if (!c.sumType().isF32() || !c.lhsType().isBF16() || !c.rhsType().isBF16())
    return "expects bf16 operands and an f32 result";
  return {};
}

/// Unsigned by signed bytes, summed in i32, which is exact whatever the order.
template <typename Form> struct OfBytes : Form {
  using Form::Form;

  std::string refusal(const Contraction &c) const override {
    return refusalOfBytes(c);
  }
  VectorType sums(MLIRContext *context) const override {
    return VectorType::get(this->lanes(), IntegerType::get(context, 32));
  }
  Type panelElement(MLIRContext *context) const override {
    return IntegerType::get(context, 8);
  }
  bool sumsInBlocks() const override { return false; }
  Value finish(OpBuilder &builder, Location loc, Value total,
               Value sum) const override {
    return arith::AddIOp::create(builder, loc, total, sum);
  }
};

/// bf16 by bf16, summed in f32.
template <typename Form> struct OfBfloat16 : Form {
  using Form::Form;

  std::string refusal(const Contraction &c) const override {
    return refusalOfBfloat16(c);
  }
  VectorType sums(MLIRContext *context) const override {
    return VectorType::get(this->lanes(), Float32Type::get(context));
  }
  Type panelElement(MLIRContext *context) const override {
    return IntegerType::get(context, 16);
  }
  Value finish(OpBuilder &builder, Location loc, Value total,
               Value sum) const override {
    return arith::AddFOp::create(builder, loc, total, sum);
  }
};

/// vpdpbusd: four products of an unsigned and a signed byte, added to an i32 that
/// wraps. Exact, whatever the order.
struct ByteQuads : OfBytes<Grouped> {
  explicit ByteQuads(int64_t lanes)
      : OfBytes(lanes, kernel::MultiplyAccumulate::U8S8Quads) {}

  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return call(builder, loc, "avx512.vpdpbusd", {sum, left, right});
  }
};

/// vdpbf16ps: two products, which are exact in f32. Denormal operands and sums are
/// taken for zero (docs/numerics.md).
struct Bfloat16Pairs : OfBfloat16<Grouped> {
  explicit Bfloat16Pairs(int64_t lanes)
      : OfBfloat16(lanes, kernel::MultiplyAccumulate::Bf16Pairs) {}

  Value right(OpBuilder &builder, Location loc, Value elements) const override {
    return vector::BitCastOp::create(
        builder, loc,
        VectorType::get(lanes() * stepLength(), builder.getBF16Type()),
        elements);
  }
  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return call(builder, loc, "avx512bf16.dpbf16ps", {sum, left, right});
  }
};

/// Tiles as they are: they have no vectors to be made of.
struct Tiled : MultiplyAccumulate {
  using MultiplyAccumulate::MultiplyAccumulate;

  bool sumsInBlocks() const override { return false; }
  Value left(OpBuilder &, Location, Value tile) const override { return tile; }
  Value right(OpBuilder &, Location, Value groups) const override {
    return groups;
  }
};

/// tdpbf16ps: 16 x 16 sums of 16 pairs, as of vdpbf16ps, one pair after the other.
struct Bfloat16Tiles : OfBfloat16<Tiled> {
  explicit Bfloat16Tiles(int64_t lanes)
      : OfBfloat16(lanes, kernel::MultiplyAccumulate::Bf16Tiles) {}

  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return amx::TileMulFOp::create(builder, loc, sum.getType(), left, right,
                                   sum);
  }
};

/// tdpbusd: 16 x 16 sums of 16 quads, as of vpdpbusd.
struct ByteTiles : OfBytes<Tiled> {
  explicit ByteTiles(int64_t lanes)
      : OfBytes(lanes, kernel::MultiplyAccumulate::U8S8Tiles) {}

  Value step(OpBuilder &builder, Location loc, Value left, Value right,
             Value sum) const override {
    return amx::TileMulIOp::create(builder, loc, sum.getType(), left, right,
                                   sum, /*isZextLhs=*/true,
                                   /*isZextRhs=*/false);
  }
};

} // namespace

std::unique_ptr<MultiplyAccumulate>
MultiplyAccumulate::create(kernel::MultiplyAccumulate kind, int64_t lanes,
                           Signedness lhs) {
  switch (kind) {
  case kernel::MultiplyAccumulate::F32:
    return std::make_unique<Float32>(lanes);
  case kernel::MultiplyAccumulate::Bf16Pairs:
    return std::make_unique<Bfloat16Pairs>(lanes);
  case kernel::MultiplyAccumulate::U8S8Quads:
    return std::make_unique<ByteQuads>(lanes);
  case kernel::MultiplyAccumulate::BytesInF32:
    return std::make_unique<BytesInFloat32>(lanes, lhs);
  case kernel::MultiplyAccumulate::Bf16Tiles:
    return std::make_unique<Bfloat16Tiles>(lanes);
  case kernel::MultiplyAccumulate::U8S8Tiles:
    return std::make_unique<ByteTiles>(lanes);
  }
  llvm_unreachable("all multiply-accumulates have an implementation");
}
