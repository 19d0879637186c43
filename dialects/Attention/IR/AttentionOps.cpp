// Verifier, builder and result sizes of the attention dialect's operations.
#include "dialects/Attention/IR/Attention.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace tessera::attention;

#define GET_OP_CLASSES
#include "dialects/Attention/IR/AttentionOps.cpp.inc"

void SdpaOp::build(OpBuilder &builder, OperationState &state, Type result,
                   Value query, Value key, Value value, Value bias, Value mask,
                   float scale) {
  build(builder, state, result, /*log_sum_exp=*/Type(), query, key, value, bias,
        mask, /*key_lengths=*/Value(), /*offset=*/Value(),
        builder.getF32FloatAttr(scale), /*causal=*/UnitAttr(),
        /*window=*/DenseI64ArrayAttr(), /*softcap=*/FloatAttr(),
        MaskedRowsAttr::get(builder.getContext(), MaskedRows::Nan));
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

/// Whether both sizes may be the same at run time.
static bool mayAgree(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

static LogicalResult expectSize(Operation *op, StringRef constraint,
                                StringRef what, int64_t expected,
                                int64_t actual) {
  if (mayAgree(expected, actual))
    return success();
  return op->emitOpError(constraint)
         << ": expects " << what << " to be " << expected << ", but got "
         << actual;
}

static LogicalResult verifyShapes(SdpaOp op) {
  RankedTensorType query = op.getQueryType(), key = op.getKeyType(),
                   value = op.getValueType(), result = op.getResultType();
  for (auto [name, type] : {std::pair("query", query), std::pair("key", key),
                            std::pair("value", value),
                            std::pair("result", result)}) {
    if (type.getRank() != 4)
      return op.emitOpError("C1: expects ")
             << name << " to have rank 4, but got " << type.getRank();
    if (type.getElementType() != query.getElementType())
      return op.emitOpError("C1: expects ")
             << name << " to have elements of " << query.getElementType()
             << ", but got " << type.getElementType();
  }
  ArrayRef<int64_t> q = query.getShape(), k = key.getShape(),
                    v = value.getShape(), r = result.getShape();
  if (failed(expectSize(op, "C2", "key's batch", q[0], k[0])) ||
      failed(expectSize(op, "C2", "value's batch", q[0], v[0])) ||
      failed(expectSize(op, "C2", "value's heads", k[1], v[1])) ||
      failed(expectSize(op, "C2", "value's length", k[2], v[2])) ||
      failed(expectSize(op, "C2", "key's headDim", q[3], k[3])))
    return failure();
  if (!ShapedType::isDynamic(q[1]) && !ShapedType::isDynamic(k[1]) &&
      (k[1] == 0 || q[1] % k[1] != 0))
    return op.emitOpError("C3: expects query heads to be a multiple of ")
           << k[1] << ", but got " << q[1];
  if (failed(expectSize(op, "C4", "the result's batch", q[0], r[0])) ||
      failed(expectSize(op, "C4", "the result's heads", q[1], r[1])) ||
      failed(expectSize(op, "C4", "the result's length", q[2], r[2])) ||
      failed(expectSize(op, "C4", "the result's last size", v[3], r[3])))
    return failure();
  return success();
}

/// C5 for `bias` and `mask`.
static LogicalResult verifyBroadcast(SdpaOp op, StringRef name, Value operand) {
  if (!operand)
    return success();
  auto type = cast<RankedTensorType>(operand.getType());
  if (type.getRank() != 4)
    return op.emitOpError("C5: expects ")
           << name << " to have rank 4, but got " << type.getRank();
  ArrayRef<int64_t> q = op.getQueryType().getShape();
  int64_t full[] = {q[0], q[1], q[2], op.getKeyType().getDimSize(2)};
  for (int64_t i = 0; i < 4; ++i)
    if (type.getDimSize(i) != 1 && !mayAgree(type.getDimSize(i), full[i]))
      return op.emitOpError("C5: expects dimension ")
             << i << " of " << name << " to be 1 or " << full[i] << ", but got "
             << type.getDimSize(i);
  return success();
}

static LogicalResult verifyParameters(SdpaOp op) {
  if (op.getOffset() && !op.getCausal() && !op.getWindow())
    return op.emitOpError("C7: expects an offset only with causal or window");
  if (std::optional<ArrayRef<int64_t>> window = op.getWindow())
    if (window->size() != 2 || (*window)[0] < -1 || (*window)[1] < -1)
      return op.emitOpError("C8: expects a window of two numbers of at least "
                            "-1, but got ")
             << op.getWindowAttr();
  if (!op.getScale().isFinite())
    return op.emitOpError("C9: expects a finite scale");
  if (std::optional<llvm::APFloat> softcap = op.getSoftcap())
    if (!softcap->isFinite() || softcap->isZero() || softcap->isNegative())
      return op.emitOpError("C9: expects a finite, positive softcap, but got ")
             << op.getSoftcapAttr();
  return success();
}

/// C11: one block of arguments `types` that yields a `result`.
static LogicalResult verifyRegion(SdpaOp op, StringRef name, Region &region,
                                  TypeRange types, Type result) {
  if (region.empty())
    return success();
  if (!region.hasOneBlock() || region.getArgumentTypes() != types)
    return op.emitOpError("C11: expects the ")
           << name << " region to have one block with arguments " << types;
  auto yield = dyn_cast<YieldOp>(region.front().back());
  if (!yield || yield.getValue().getType() != result)
    return op.emitOpError("C11: expects the ")
           << name << " region to yield " << result;
  return success();
}

LogicalResult SdpaOp::verify() {
  if (failed(verifyShapes(*this)) ||
      failed(verifyBroadcast(*this, "bias", getBias())) ||
      failed(verifyBroadcast(*this, "mask", getMask())))
    return failure();
  ArrayRef<int64_t> q = getQueryType().getShape();
  if (Value lengths = getKeyLengths()) {
    auto type = cast<RankedTensorType>(lengths.getType());
    if (type.getRank() != 1 || !mayAgree(type.getDimSize(0), q[0]))
      return emitOpError("C6: expects key_lengths to be one for each batch, "
                         "but got ")
             << type;
  }
  if (failed(verifyParameters(*this)))
    return failure();
  if (Value logSumExp = getLogSumExp()) {
    auto type = cast<RankedTensorType>(logSumExp.getType());
    if (type.getRank() != 3 || !mayAgree(type.getDimSize(0), q[0]) ||
        !mayAgree(type.getDimSize(1), q[1]) ||
        !mayAgree(type.getDimSize(2), q[2]))
      return emitOpError("C10: expects log_sum_exp to be [batch, queryHeads, "
                         "queryLength], but got ")
             << type;
  }
  Builder builder(getContext());
  Type index = builder.getIndexType(), f32 = builder.getF32Type();
  SmallVector<Type> indices(4, index), scored = {f32, index, index, index,
                                                 index};
  if (failed(verifyRegion(*this, "score", getScoreRegion(), scored, f32)) ||
      failed(verifyRegion(*this, "mask", getMaskRegion(), indices,
                          builder.getI1Type())))
    return failure();
  return success();
}

LogicalResult SdpaOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getQuery());
  shapes.clear();
  if (getLogSumExp())
    shapes.push_back({sizes[0], sizes[1], sizes[2]});
  sizes[3] = tensor::getMixedSize(builder, getLoc(), getValue(), 3);
  shapes.insert(shapes.begin(), sizes);
  return success();
}

std::pair<Value, int64_t> SdpaOp::getDimensionSource(unsigned result,
                                                     int64_t dimension) {
  if (result == 0 && dimension == 3)
    return {getValue(), 3};
  return {getQuery(), dimension};
}
