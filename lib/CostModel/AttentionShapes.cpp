// The shape of a kernel's attention for the cost model.
#include "lib/CostModel/AttentionShapes.h"

#include "dialects/Attention/IR/Attention.h"
#include "lib/CostModel/TypicalSizes.h"

using namespace mlir;
using namespace tessera;

std::optional<AttentionShape> tessera::attentionShapeOf(kernel::FuncOp kernel) {
  auto roots = kernel.getBody().front().getOps<attention::SdpaOp>();
  if (roots.empty())
    return std::nullopt;
  attention::SdpaOp root = *roots.begin();
  RankedTensorType query = root.getQueryType(), key = root.getKeyType();
  int64_t valueDim = root.getValueType().getDimSize(3);
  for (int64_t size : {query.getDimSize(1), query.getDimSize(3),
                       key.getDimSize(1), valueDim})
    if (ShapedType::isDynamic(size) || size == 0)
      return std::nullopt;
  TypicalSizes sizes(kernel);
  int64_t group = query.getDimSize(1) / key.getDimSize(1);
  AttentionShape shape;
  shape.heads = sizes.of(root.getQuery(), 0) * key.getDimSize(1);
  shape.rows = sizes.of(root.getQuery(), 2) * group;
  shape.keys = sizes.of(root.getKey(), 2);
  shape.headDim = query.getDimSize(3);
  shape.valueDim = valueDim;
  shape.rowsVary = query.isDynamicDim(2);
  return shape;
}
