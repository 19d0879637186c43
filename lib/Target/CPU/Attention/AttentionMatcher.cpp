// Recognition of attention.
#include "lib/Target/CPU/Attention/AttentionMatcher.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static LogicalResult checkParts(attention::SdpaOp root) {
  if (root.hasScoreRegion() || root.hasMaskRegion())
    return root.emitOpError("has a score or mask region, which the attention "
                            "builder does not emit");
  if (root.getLogSumExp() && !root.getLogSumExp().use_empty())
    return root.emitOpError("has a second result, which the attention builder "
                            "does not emit");
  RankedTensorType query = root.getQueryType(), key = root.getKeyType();
  for (int64_t size : {query.getDimSize(1), query.getDimSize(3),
                       key.getDimSize(1), root.getValueType().getDimSize(3)})
    if (ShapedType::isDynamic(size) || size == 0)
      return root.emitOpError("expects heads and head sizes that are known and "
                              "not zero");
  return success();
}

FailureOr<Attention> cpu::matchAttention(kernel::FuncOp kernel) {
  Attention a;
  for (auto op : kernel.getBody().front().getOps<attention::SdpaOp>()) {
    if (a.root)
      return op.emitOpError("is a second attention in one kernel");
    a.root = op;
  }
  if (!a.root)
    return kernel.emitOpError("has no attention");
  if (failed(checkParts(a.root)))
    return failure();
  RankedTensorType query = a.root.getQueryType(), key = a.root.getKeyType();
  a.batch = query.getDimSize(0);
  a.keyHeads = key.getDimSize(1);
  a.group = query.getDimSize(1) / a.keyHeads;
  a.queries = query.getDimSize(2);
  a.keys = key.getDimSize(2);
  a.headDim = query.getDimSize(3);
  a.valueDim = a.root.getValueType().getDimSize(3);
  if (std::optional<ArrayRef<int64_t>> window = a.root.getWindow()) {
    if ((*window)[0] >= 0)
      a.left = (*window)[0];
    if ((*window)[1] >= 0)
      a.right = (*window)[1];
  }
  if (a.root.getCausal())
    a.right = 0;
  return a;
}
