// The element emitter's walk without emission: operations that move elements.
#include "lib/Target/CPU/Elements/ElementCheck.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

/// Dimensions are aligned at the right; one of size 1 is read at 0.
LogicalResult ElementCheck::broadcasted(Operation *op, const Access &access) {
  Value source = op->getOperand(0), result = op->getResult(0);
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
    if (failed(checkSize(source, i)))
      return checkSizes(source);
    read[i] = kElsewhere;
  }
  return check(source, read);
}

/// Where only dimensions of size 1 come and go, indices stay.
LogicalResult ElementCheck::reshaped(Operation *op, const Access &access) {
  Value source = op->getOperand(0), result = op->getResult(0);
  Access read(rankOf(source), kElsewhere);
  auto from = cast<RankedTensorType>(source.getType());
  auto to = cast<RankedTensorType>(result.getType());
  SmallVector<ReassociationIndices> groups;
  bool isCollapse = false;
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    groups = collapse.getReassociationIndices();
    isCollapse = true;
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    groups = expand.getReassociationIndices();
  }
  RankedTensorType many = isCollapse ? from : to;
  for (auto [one, group] : llvm::enumerate(groups)) {
    SmallVector<int64_t> wide;
    for (int64_t i : group)
      if (many.getDimSize(i) != 1)
        wide.push_back(i);
    if (wide.size() > 1)
      continue;
    if (!isCollapse)
      read[one] = wide.empty() ? kZero : access[wide[0]];
    else if (!wide.empty())
      read[wide[0]] = access[one];
  }
  if (isCollapse)
    for (int64_t i = 0; i < from.getRank(); ++i)
      if (from.getDimSize(i) == 1)
        read[i] = kZero;
  if (failed(checkSizes(source)) || failed(checkSizes(result)))
    return failure();
  return check(source, read);
}

LogicalResult ElementCheck::movement(OpResult result, const Access &access) {
  auto changed = [&](ArrayRef<int64_t> dimensions) {
    Access read = access;
    for (int64_t dimension : dimensions)
      read[dimension] = kElsewhere;
    return read;
  };
  auto size = [&](Value tensor, int64_t dimension) -> LogicalResult {
    return succeeded(checkSize(tensor, dimension)) ? success()
                                                   : checkSizes(tensor);
  };
  return TypeSwitch<Operation *, LogicalResult>(result.getOwner())
      .Case([&](tensor::CastOp op) { return check(op.getSource(), access); })
      .Case([&](tensor::SplatOp op) { return scalarOperand(op.getInput()); })
      .Case<graph::ReshapeOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
          [&](auto op) { return reshaped(op, access); })
      .Case([&](tensor::FromElementsOp op) -> LogicalResult {
        for (Value element : op.getElements())
          if (failed(scalarOperand(element)))
            return failure();
        return success();
      })
      .Case([&](tensor::ExtractSliceOp op) -> LogicalResult {
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
      })
      .Case([&](tensor::InsertSliceOp op) -> LogicalResult {
        if (!llvm::all_of(op.getMixedStrides(), [](OpFoldResult step) {
              return isConstantIntValue(step, 1);
            })) {
          error(result) << "expects a slice of stride 1";
          return failure();
        }
        if (failed(indexOperands(op.getMixedOffsets())) ||
            failed(indexOperands(op.getMixedSizes())) ||
            failed(elsewhere(op.getSource())))
          return failure();
        return check(op.getDest(), access);
      })
      .Case([&](tensor::PadOp op) -> LogicalResult {
        Value padding = op.getConstantPaddingValue();
        if (!padding) {
          error(result) << "expects a constant padding value";
          return failure();
        }
        SmallVector<int64_t> moved;
        SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                                  high = op.getMixedHighPad();
        for (int64_t i = 0, e = low.size(); i < e; ++i) {
          if (isConstantIntValue(low[i], 0) && isConstantIntValue(high[i], 0))
            continue;
          if (failed(size(op.getSource(), i)))
            return failure();
          if (!isConstantIntValue(low[i], 0))
            moved.push_back(i);
        }
        if (failed(indexOperands(low)) || failed(scalarOperand(padding)))
          return failure();
        return check(op.getSource(), changed(moved));
      })
      .Case([&](tensor::ConcatOp op) -> LogicalResult {
        int64_t dimension = op.getDim();
        for (auto [i, piece] : llvm::enumerate(op.getInputs()))
          if ((i + 1 < op.getInputs().size() && failed(size(piece, dimension))) ||
              failed(check(piece, i == 0 ? access : changed(dimension))))
            return failure();
        return success();
      })
      .Case([&](graph::BroadcastToOp op) { return broadcasted(op, access); })
      .Case([&](graph::GatherOp op) -> LogicalResult {
        int64_t axis = op.getAxis(), indexRank = rankOf(op.getIndices());
        auto index = access.begin() + axis;
        Access read(access.begin(), index);
        read.push_back(kElsewhere);
        read.append(index + indexRank, access.end());
        if (failed(size(op.getData(), axis)) ||
            failed(check(op.getIndices(), Access(index, index + indexRank))))
          return failure();
        return check(op.getData(), read);
      })
      .Case([&](graph::GatherPointsOp op) -> LogicalResult {
        int64_t rank = rankOf(op.getIndices());
        Access position(access.begin(), access.begin() + rank - 1), read;
        position.push_back(kElsewhere);
        for (auto [i, dimension] : llvm::enumerate(op.getDimensions())) {
          read.push_back(dimension >= 0 ? access[dimension] : kElsewhere);
          if (dimension < 0 && failed(size(op.getData(), i)))
            return failure();
        }
        if (failed(check(op.getIndices(), position)))
          return failure();
        return check(op.getData(), read);
      })
      .Case([&](graph::ReverseOp op) -> LogicalResult {
        for (int64_t dimension : op.getDimensions())
          if (failed(size(op.getSource(), dimension)))
            return failure();
        return check(op.getSource(), changed(op.getDimensions()));
      })
      .Case([&](graph::IotaOp) { return success(); })
      .Case([&](linalg::UnPackOp op) -> LogicalResult {
        if (failed(indexOperands(op.getMixedTiles())))
          return failure();
        return elsewhere(op.getSource());
      })
      .Default([&](Operation *op) -> LogicalResult {
        error(result) << "'" << op->getName()
                      << "' is neither elementwise nor bound to a source";
        return failure();
      });
}
