// memref.expand_shape to memref.reinterpret_cast.
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_EXPANDRESHAPES
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

/// The strides of the result's dimensions `group`: the last one has the source's
/// `stride`, any other that of the next one times the next one's size.
static void stridesOfGroup(ImplicitLocOpBuilder &builder,
                           ArrayRef<int64_t> group, ArrayRef<OpFoldResult> sizes,
                           ArrayRef<int64_t> known, OpFoldResult stride,
                           MutableArrayRef<OpFoldResult> strides) {
  for (int64_t dimension : llvm::reverse(group)) {
    // What the type knows stays known.
    strides[dimension] = ShapedType::isDynamic(known[dimension])
                             ? stride
                             : OpFoldResult(builder.getIndexAttr(known[dimension]));
    if (dimension == group.front())
      break;
    auto constant = getConstantIntValue(strides[dimension]),
         size = getConstantIntValue(sizes[dimension]);
    if (constant && size)
      stride = builder.getIndexAttr(*constant * *size);
    else
      stride = builder.createOrFold<arith::MulIOp>(
          getValueOrCreateConstantIndexOp(builder, builder.getLoc(),
                                          strides[dimension]),
          getValueOrCreateConstantIndexOp(builder, builder.getLoc(),
                                          sizes[dimension]));
  }
}

static void expandReshape(memref::ExpandShapeOp op) {
  Location loc = op.getLoc();
  ImplicitLocOpBuilder builder(loc, op);
  auto metadata = memref::ExtractStridedMetadataOp::create(builder, loc,
                                                           op.getSrc());
  SmallVector<int64_t> known;
  int64_t offset;
  (void)op.getResultType().getStridesAndOffset(known, offset);
  SmallVector<OpFoldResult> sizes = op.getMixedOutputShape(),
                            from = metadata.getConstifiedMixedStrides(),
                            strides(sizes.size());
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices()))
    stridesOfGroup(builder, group, sizes, known, from[i], strides);
  // Sizes of 1 from nothing.
  for (OpFoldResult &stride : strides)
    if (!stride)
      stride = builder.getIndexAttr(1);
  Value result = memref::ReinterpretCastOp::create(
      builder, loc, op.getResultType(), metadata.getBaseBuffer(),
      metadata.getConstifiedMixedOffset(), sizes, strides);
  op.replaceAllUsesWith(result);
  op.erase();
}

namespace {
struct ExpandReshapes : cpu::impl::ExpandReshapesBase<ExpandReshapes> {
  void runOnOperation() override {
    SmallVector<memref::ExpandShapeOp> reshapes;
    getOperation().walk(
        [&](memref::ExpandShapeOp op) { reshapes.push_back(op); });
    for (memref::ExpandShapeOp op : reshapes)
      expandReshape(op);
  }
};
} // namespace
