// Verifier and layout of appends.
#include "dialects/Kernel/IR/Append.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera::kernel;

#define GET_OP_CLASSES
#include "dialects/Kernel/IR/AppendOps.cpp.inc"

MemRefType tessera::kernel::appendedType(RankedTensorType tensor,
                                         int64_t dimension) {
  SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
  int64_t stride = 1;
  for (int64_t i = tensor.getRank() - 1; i >= dimension; --i) {
    strides[i] = stride;
    if (tensor.isDynamicDim(i))
      break;
    stride *= tensor.getDimSize(i);
  }
  return MemRefType::get(
      tensor.getShape(), tensor.getElementType(),
      StridedLayoutAttr::get(tensor.getContext(), /*offset=*/0, strides));
}

LogicalResult AppendOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t rank = result.getRank(), dimension = getDimension();
  if (dimension < 0 || dimension >= rank)
    return emitOpError("C1: expects a dimension below ")
           << rank << ", but got " << dimension;
  auto mayBeEqual = [](int64_t a, int64_t b) {
    return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
  };
  for (Value operand : {getPast(), getAdded()}) {
    auto type = cast<RankedTensorType>(operand.getType());
    bool fits = type.getRank() == rank &&
                type.getElementType() == result.getElementType();
    for (int64_t i = 0; fits && i < rank; ++i)
      fits = i == dimension ||
             mayBeEqual(type.getDimSize(i), result.getDimSize(i));
    if (!fits)
      return emitOpError("C1: expects operands like ")
             << result << " but along dimension " << dimension << ", but got "
             << type;
  }
  return success();
}
