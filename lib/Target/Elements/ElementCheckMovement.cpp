// The element emitter's walk without emission: operations that move elements.
#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/Elements/ElementForms.h"

using namespace mlir;
using namespace tessera;

using Access = ElementCheck::Access;

/// `access` read elsewhere along `dimensions`.
static Access movedAlong(const Access &access, ArrayRef<int64_t> dimensions) {
  Access read = access;
  for (int64_t dimension : dimensions)
    read[dimension] = ElementCheck::kElsewhere;
  return read;
}

LogicalResult ElementCheck::splatted(tensor::SplatOp op, const Access &) {
  return scalarOperand(op.getInput());
}

//===----------------------------------------------------------------------===//
// Other shapes
//===----------------------------------------------------------------------===//

LogicalResult ElementCheck::otherShape(Value source, Value result,
                                       const Access &read) {
  if (failed(checkSizes(source)) || failed(checkSizes(result)))
    return failure();
  return check(source, read);
}

LogicalResult ElementCheck::reshaped(graph::ReshapeOp op, const Access &) {
  return otherShape(op.getSource(), op.getResult(),
                    Access(rankOf(op.getSource()), kElsewhere));
}

/// The dimensions of `group` whose size in `type` is not 1: where it is one at most,
/// its index stays that of the group.
static SmallVector<int64_t> wideOf(const ReassociationIndices &group,
                                   RankedTensorType type) {
  SmallVector<int64_t> wide;
  for (int64_t i : group)
    if (type.getDimSize(i) != 1)
      wide.push_back(i);
  return wide;
}

LogicalResult ElementCheck::collapsed(tensor::CollapseShapeOp op,
                                      const Access &access) {
  Access read(rankOf(op.getSrc()), kElsewhere);
  for (int64_t i = 0, e = read.size(); i < e; ++i)
    if (op.getSrcType().getDimSize(i) == 1)
      read[i] = kZero;
  for (auto [one, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<int64_t> wide = wideOf(group, op.getSrcType());
    if (wide.size() == 1)
      read[wide[0]] = access[one];
  }
  return otherShape(op.getSrc(), op.getResult(), read);
}

LogicalResult ElementCheck::expanded(tensor::ExpandShapeOp op,
                                     const Access &access) {
  Access read(rankOf(op.getSrc()), kElsewhere);
  for (auto [one, group] : llvm::enumerate(op.getReassociationIndices())) {
    SmallVector<int64_t> wide = wideOf(group, op.getResultType());
    if (wide.size() <= 1)
      read[one] = wide.empty() ? kZero : access[wide[0]];
  }
  return otherShape(op.getSrc(), op.getResult(), read);
}

/// Dimensions are aligned at the right; one of size 1 is read at 0.
LogicalResult ElementCheck::broadcasted(graph::BroadcastToOp op,
                                        const Access &access) {
  Value source = op.getSource(), result = op.getResult();
  auto type = cast<RankedTensorType>(source.getType());
  int64_t added = access.size() - type.getRank();
  Access read(access.begin() + added, access.end());
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (type.getDimSize(i) == 1) {
      read[i] = kZero;
      continue;
    }
    if (!type.isDynamicDim(i) ||
        analysis.areEqual(analysis.dimOf(source, i),
                          analysis.dimOf(result, i + added)))
      continue;
    // Which of the two it is shows at run time.
    if (failed(sizeOperand(source, i)))
      return failure();
    read[i] = kElsewhere;
  }
  return check(source, read);
}

LogicalResult ElementCheck::listed(tensor::FromElementsOp op, const Access &) {
  for (Value element : op.getElements())
    if (failed(scalarOperand(element)))
      return failure();
  return success();
}

//===----------------------------------------------------------------------===//
// Parts and joins
//===----------------------------------------------------------------------===//

LogicalResult ElementCheck::sliced(tensor::ExtractSliceOp op,
                                   const Access &access) {
  if (failed(indexOperands(op.getMixedOffsets())) ||
      failed(indexOperands(op.getMixedStrides())))
    return failure();
  Access read;
  int64_t kept = 0;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (int64_t i = 0, e = op.getSourceType().getRank(); i < e; ++i) {
    bool stays = isConstantIntValue(op.getMixedOffsets()[i], 0) &&
                 isConstantIntValue(op.getMixedStrides()[i], 1);
    int64_t index = dropped.test(i) ? kZero : access[kept++];
    read.push_back(stays ? index : kElsewhere);
  }
  return check(op.getSource(), read);
}

LogicalResult ElementCheck::inserted(tensor::InsertSliceOp op,
                                     const Access &access) {
  if (failed(ElementForms::checkSteps(op)) ||
      failed(indexOperands(op.getMixedOffsets())) ||
      failed(indexOperands(op.getMixedSizes())) ||
      failed(elsewhere(op.getSource())))
    return failure();
  return check(op.getDest(), access);
}

LogicalResult ElementCheck::padded(tensor::PadOp op, const Access &access) {
  FailureOr<Value> padding = ElementForms::paddingOf(op);
  if (failed(padding))
    return failure();
  SmallVector<int64_t> moved;
  SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                            high = op.getMixedHighPad();
  for (int64_t i = 0, e = low.size(); i < e; ++i) {
    if (isConstantIntValue(low[i], 0) && isConstantIntValue(high[i], 0))
      continue;
    if (failed(sizeOperand(op.getSource(), i)))
      return failure();
    if (!isConstantIntValue(low[i], 0))
      moved.push_back(i);
  }
  if (failed(indexOperands(low)) || failed(scalarOperand(*padding)))
    return failure();
  return check(op.getSource(), movedAlong(access, moved));
}

LogicalResult ElementCheck::joined(tensor::ConcatOp op, const Access &access) {
  int64_t dimension = op.getDim();
  for (auto [i, piece] : llvm::enumerate(op.getInputs())) {
    bool isLast = i + 1 == op.getInputs().size();
    if ((!isLast && failed(sizeOperand(piece, dimension))) ||
        failed(check(piece, i == 0 ? access : movedAlong(access, dimension))))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Index maps and gathers
//===----------------------------------------------------------------------===//

LogicalResult ElementCheck::gathered(graph::GatherOp op, const Access &access) {
  int64_t axis = op.getAxis(), indexRank = rankOf(op.getIndices());
  auto index = access.begin() + axis;
  Access read(access.begin(), index);
  read.push_back(kElsewhere);
  read.append(index + indexRank, access.end());
  if (failed(sizeOperand(op.getData(), axis)) ||
      failed(check(op.getIndices(), Access(index, index + indexRank))))
    return failure();
  return check(op.getData(), read);
}

LogicalResult ElementCheck::gatheredPoints(graph::GatherPointsOp op,
                                           const Access &access) {
  int64_t rank = rankOf(op.getIndices());
  Access position(access.begin(), access.begin() + rank - 1), read;
  position.push_back(kElsewhere);
  for (auto [i, dimension] : llvm::enumerate(op.getDimensions())) {
    read.push_back(dimension >= 0 ? access[dimension] : kElsewhere);
    if (dimension < 0 && failed(sizeOperand(op.getData(), i)))
      return failure();
  }
  if (failed(check(op.getIndices(), position)))
    return failure();
  return check(op.getData(), read);
}

LogicalResult ElementCheck::reversed(graph::ReverseOp op,
                                     const Access &access) {
  for (int64_t dimension : op.getDimensions())
    if (failed(sizeOperand(op.getSource(), dimension)))
      return failure();
  return check(op.getSource(), movedAlong(access, op.getDimensions()));
}

LogicalResult ElementCheck::iota(graph::IotaOp, const Access &) {
  return success();
}

LogicalResult ElementCheck::unpacked(linalg::UnPackOp op, const Access &) {
  if (failed(indexOperands(op.getMixedTiles())))
    return failure();
  return elsewhere(op.getSource());
}
