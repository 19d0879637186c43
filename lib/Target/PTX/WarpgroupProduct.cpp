// Matrix descriptors and the wgmma instructions of one pipeline stage.
#include "lib/Target/PTX/WarpgroupProduct.h"

#include "lib/Target/PTX/FragmentEpilogue.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;

namespace tessera::ptx {

static constexpr int64_t kElementBytes = 2;
static constexpr int64_t kRowBytes = kSwizzleColumns * kElementBytes;
/// Depth of one wgmma instruction on 2-byte elements.
static constexpr int64_t kInstructionDepth = 16;
/// Eight rows of 128 bytes, the unit of the swizzle.
static constexpr int64_t kAtomBytes = 8 * kRowBytes;

/// The constant fields of a shared-memory matrix descriptor: byte offsets in
/// units of 16 between atoms along the leading (bits 16..29) and the stride
/// dimension (bits 32..45), and the 128-byte swizzle (bits 62..63). The address,
/// also in units of 16, is added into bits 0..13.
static int64_t descriptorFields(int64_t leadingBytes, int64_t strideBytes) {
  return int64_t(uint64_t(1) << 62 | uint64_t(strideBytes / 16) << 32 |
                 uint64_t(leadingBytes / 16) << 16);
}

WarpgroupProduct::WarpgroupProduct(DeviceBuilder &b, const Slices &slices)
    : slices(slices) {
  Value address =
      LLVM::PtrToIntOp::create(b, b.getI32Type(), slices.shared);
  Value units = b.bitAnd(b.div(address, 16), 0x3fff);
  Value unitsA = b.add(units, b.mul(slices.firstRow, kRowBytes / 16));
  Value unitsB = b.add(units, slices.sliceA / 16);
  // Depth inner: rows of 128 bytes hold 64 of the depth, atoms follow each other
  // along the rows; the leading offset has no meaning then.
  int64_t depthInner = descriptorFields(16, kAtomBytes);
  // Depth outer: an atom holds 64 columns by 8 of the depth; the next columns
  // are in the next box.
  int64_t depthOuter =
      descriptorFields(kSwizzleColumns * kRowBytes, kAtomBytes);
  auto join = [&](Value units, int64_t fields) {
    return arith::OrIOp::create(b, b.wide(units), b.i64(fields)).getResult();
  };
  descriptorA = join(unitsA, depthInner);
  descriptorB = join(unitsB, slices.isDepthInner ? depthInner : depthOuter);
}

LLVM::LLVMStructType
WarpgroupProduct::accumulatorType(DeviceBuilder &b) const {
  SmallVector<Type> elements(slices.columns / 2, b.getF32Type());
  return LLVM::LLVMStructType::getLiteral(b.getContext(), elements);
}

SmallVector<Value>
WarpgroupProduct::undefinedAccumulators(DeviceBuilder &b) const {
  SmallVector<Value> accumulators;
  for (int64_t i = 0; i < slices.fragments; ++i)
    accumulators.push_back(LLVM::UndefOp::create(b, accumulatorType(b)));
  return accumulators;
}

void WarpgroupProduct::issue(DeviceBuilder &b, Value stageOffset,
                             SmallVectorImpl<Value> &accumulators,
                             bool overwrite) const {
  MLIRContext *context = b.getContext();
  auto type = slices.operandType.isF16() ? NVVM::WGMMATypes::f16
                                         : NVVM::WGMMATypes::bf16;
  auto shape = NVVM::MMAShapeAttr::get(context, kFragmentRows, slices.columns,
                                       kInstructionDepth);
  Value stage = b.wide(b.div(stageOffset, 16));
  Value stageA = b.add(descriptorA, stage), stageB = b.add(descriptorB, stage);
  int64_t stepB = slices.isDepthInner ? kInstructionDepth * kElementBytes
                                      : kInstructionDepth * kRowBytes;

  NVVM::WgmmaFenceAlignedOp::create(b);
  for (int64_t depth = 0; depth < slices.depth; depth += kInstructionDepth) {
    int64_t box = depth / kSwizzleColumns;
    int64_t step = depth % kSwizzleColumns / kInstructionDepth;
    int64_t offsetA = box * slices.rows * kRowBytes +
                      step * kInstructionDepth * kElementBytes;
    int64_t offsetB = box * slices.columns * kRowBytes + step * stepB;
    for (auto [i, sums] : llvm::enumerate(accumulators)) {
      int64_t fragment = int64_t(i) * kFragmentRows * kRowBytes;
      sums = NVVM::WgmmaMmaAsyncOp::create(
          b, sums.getType(), sums, b.add(stageA, (offsetA + fragment) / 16),
          b.add(stageB, offsetB / 16), shape, type, type,
          NVVM::WGMMATypes::f32,
          overwrite && depth == 0 ? NVVM::WGMMAScaleOut::zero
                                  : NVVM::WGMMAScaleOut::one,
          NVVM::WGMMAScaleIn::one, NVVM::WGMMAScaleIn::one,
          NVVM::MMALayout::row,
          slices.isDepthInner ? NVVM::MMALayout::col : NVVM::MMALayout::row,
          NVVM::MMAIntOverflowAttr());
    }
  }
  NVVM::WgmmaGroupSyncAlignedOp::create(b);
}

void WarpgroupProduct::complete(DeviceBuilder &b,
                                SmallVectorImpl<Value> &accumulators) const {
  // Nothing ties wgmma's results to its wait: an optimiser may move arithmetic
  // on them above it. The wait is therefore an assembly statement that takes
  // and gives all of them.
  std::string constraints;
  for (int64_t i = 0; i < slices.columns / 2; ++i)
    constraints += "=f,";
  for (int64_t i = 0; i < slices.columns / 2; ++i)
    constraints += std::to_string(i) + ",";
  constraints.pop_back();
  for (Value &sums : accumulators) {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < slices.columns / 2; ++i)
      elements.push_back(LLVM::ExtractValueOp::create(b, sums, i));
    auto wait = LLVM::InlineAsmOp::create(
        b, sums.getType(), elements, "wgmma.wait_group.sync.aligned 0;",
        constraints, /*has_side_effects=*/true, /*is_align_stack=*/false,
        LLVM::tailcallkind::TailCallKind::None,
        LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT),
        ArrayAttr());
    sums = wait.getRes();
  }
}

} // namespace tessera::ptx
