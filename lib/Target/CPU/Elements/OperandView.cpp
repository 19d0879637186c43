// Views of kernel arguments.
#include "lib/Target/CPU/Elements/OperandView.h"
#include "dialects/Interfaces/Contraction.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

int64_t cpu::staticStride(Value memref, int64_t dimension) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(cast<MemRefType>(memref.getType())
                 .getStridesAndOffset(strides, offset)))
    return ShapedType::kDynamic;
  return strides[dimension];
}

Value cpu::collapseMemref(OpBuilder &builder, Location loc, Value memref,
                         ArrayRef<ReassociationIndices> groups) {
  auto source = cast<MemRefType>(memref.getType());
  MemRefType type =
      memref::CollapseShapeOp::computeCollapsedType(source, groups);
  // 0 times an unknown size is 0 to the type inference, but not to the verifier.
  SmallVector<int64_t> shape(type.getShape());
  for (auto [size, group] : llvm::zip(shape, groups))
    if (llvm::any_of(group, [&](int64_t i) { return source.isDynamicDim(i); }))
      size = ShapedType::kDynamic;
  type = MemRefType::Builder(type).setShape(shape);
  return memref::CollapseShapeOp::create(builder, loc, type, memref, groups);
}

Value OperandViews::collapse(OpBuilder &builder, Location loc, Value memref,
                             ArrayRef<ReassociationIndices> groups) {
  if (groups.empty())
    return memref;
  if (!memref || !memref::CollapseShapeOp::isGuaranteedCollapsible(
                     cast<MemRefType>(memref.getType()), groups))
    return {};
  return collapseMemref(builder, loc, memref, groups);
}

/// The expansion of `source` like the tensor operation does, or null.
static Value expand(OpBuilder &builder, Location loc, Value source,
                    tensor::ExpandShapeOp op, ElementEmitter &elements) {
  auto type = cast<RankedTensorType>(op.getResultType());
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  if (failed(memref::ExpandShapeOp::computeExpandedType(
          cast<MemRefType>(source.getType()), type.getShape(), groups)))
    return {};
  SmallVector<OpFoldResult> sizes;
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size)) {
      sizes.push_back(builder.getIndexAttr(size));
      continue;
    }
    Value known = elements.emitSize(builder, loc, op.getResult(), i);
    if (!known)
      return {};
    sizes.push_back(known);
  }
  return memref::ExpandShapeOp::create(builder, loc, type.getShape(), source,
                                       groups, sizes);
}

/// The part of `source` that the tensor operation takes, or null.
static Value slice(OpBuilder &builder, Location loc, Value source,
                   tensor::ExtractSliceOp op, ElementEmitter &elements) {
  auto outside = [&](ArrayRef<OpFoldResult> values) {
    SmallVector<OpFoldResult> result;
    for (OpFoldResult value : values) {
      if (auto inside = dyn_cast<Value>(value)) {
        Value emitted = elements.emitIndex(builder, loc, inside);
        if (!emitted)
          return SmallVector<OpFoldResult>();
        value = getAsOpFoldResult(emitted);
      }
      result.push_back(value);
    }
    return result;
  };
  SmallVector<OpFoldResult> offsets = outside(op.getMixedOffsets());
  SmallVector<OpFoldResult> sizes = outside(op.getMixedSizes());
  SmallVector<OpFoldResult> strides = outside(op.getMixedStrides());
  if (offsets.size() != op.getMixedOffsets().size() ||
      sizes.size() != offsets.size() || strides.size() != offsets.size())
    return {};
  auto type = cast<MemRefType>(memref::SubViewOp::inferRankReducedResultType(
      cast<RankedTensorType>(op.getResultType()).getShape(),
      cast<MemRefType>(source.getType()), offsets, sizes, strides));
  return memref::SubViewOp::create(builder, loc, type, source, offsets, sizes,
                                   strides);
}

Value OperandViews::view(OpBuilder &builder, Location loc, Value tensor,
                         bool *isFlipped) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argument.getArgNumber() < memrefs.size()
               ? memrefs[argument.getArgNumber()]
               : Value();
  Operation *defining = tensor.getDefiningOp();
  if (isFlipped && isSignFlip(defining)) {
    *isFlipped = !*isFlipped;
    return view(builder, loc, defining->getOperand(0), isFlipped);
  }
  // Null where the source is none.
  auto viewed = [&](Operation *op) {
    return view(builder, loc, op->getOperand(0), isFlipped);
  };
  return TypeSwitch<Operation *, Value>(defining)
      .Case([&](tensor::ExpandShapeOp op) {
        Value source = viewed(op);
        return source ? expand(builder, loc, source, op, elements) : source;
      })
      .Case([&](tensor::CollapseShapeOp op) {
        return collapse(builder, loc, viewed(op), op.getReassociationIndices());
      })
      .Case([&](tensor::ExtractSliceOp op) {
        Value source = viewed(op);
        return source ? slice(builder, loc, source, op, elements) : source;
      })
      .Case([&](linalg::TransposeOp op) -> Value {
        Value source = viewed(op);
        AffineMap map = AffineMap::getPermutationMap(op.getPermutation(),
                                                     builder.getContext());
        return source ? memref::TransposeOp::create(builder, loc, source,
                                                    AffineMapAttr::get(map))
                            .getResult()
                      : source;
      })
      .Default([](Operation *) { return Value(); });
}
