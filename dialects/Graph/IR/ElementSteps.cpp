// Recipe steps that compute elements of elements.
#include "dialects/Graph/IR/WeightReader.h"

using namespace mlir;
using namespace tessera::graph;

FailureOr<RankedTensorType> ScaleAttr::resultType(RankedTensorType source,
                                                  std::string &reason) const {
  ShapedType values = getValues().getType();
  if (source.getElementType().isF32() && values.getElementType().isF32() &&
      getAxis() >= 0 && getAxis() < source.getRank() &&
      values.getShape() == source.getShape().slice(getAxis(), 1))
    return source;
  reason = "a scale needs f32 elements and a value for each index of its "
           "dimension";
  return failure();
}

llvm::Error ScaleAttr::apply(WeightReader &reader) const {
  RankedTensorType type = reader.type();
  llvm::Expected<StreamPtr> values = streamOf(getValues());
  if (!values)
    return values.takeError();
  SmallVector<int64_t> apart(type.getRank(), 1);
  apart[getAxis()] = type.getDimSize(getAxis());
  std::vector<StreamPtr> factors;
  factors.push_back((*values)->remapped([&](StridedView &view) {
    return view.reshape(apart) && view.broadcast(type.getShape());
  }));
  reader.compute(type,
                 {ElementOperation::named("arith.mulf")->function,
                  {ElementKind::F32, ElementKind::F32},
                  ElementKind::F32},
                 std::move(factors), 0);
  return llvm::Error::success();
}

FailureOr<RankedTensorType>
ElementwiseAttr::resultType(RankedTensorType source,
                            std::string &reason) const {
  const ElementOperation *operation = ElementOperation::named(getOperation());
  if (!operation) {
    reason = "no step does '" + getOperation().str() + "'";
    return failure();
  }
  if (getPosition() < 0 || getPosition() > int64_t(getOperands().size())) {
    reason = "an elementwise step has no operand number " +
             std::to_string(getPosition());
    return failure();
  }
  SmallVector<Type> types;
  for (PartAttr operand : getOperands()) {
    FailureOr<RankedTensorType> type = typeOf(operand, reason);
    if (failed(type))
      return failure();
    if (type->getShape() != source.getShape()) {
      reason = "an operand of '" + getOperation().str() +
               "' has not the source's shape";
      return failure();
    }
    types.push_back(type->getElementType());
  }
  types.insert(types.begin() + getPosition(), source.getElementType());
  if (operation->admits(types, getElementType()))
    return source.clone(getElementType());
  reason = "'" + getOperation().str() + "' does not take or give such elements";
  return failure();
}

llvm::Error ElementwiseAttr::apply(WeightReader &reader) const {
  std::vector<StreamPtr> others;
  ElementwiseWork work{ElementOperation::named(getOperation())->function,
                       {},
                       *elementKindOf(getElementType()),
                       getPredicate()};
  for (PartAttr operand : getOperands()) {
    llvm::Expected<StreamPtr> opened = reader.openOperand(operand);
    if (!opened)
      return opened.takeError();
    others.push_back(std::move(*opened));
    std::string ignored;
    work.operands.push_back(
        *elementKindOf(typeOf(operand, ignored)->getElementType()));
  }
  work.operands.insert(work.operands.begin() + getPosition(),
                       *elementKindOf(reader.type().getElementType()));
  reader.compute(reader.type().clone(getElementType()), work,
                 std::move(others), getPosition());
  return llvm::Error::success();
}

FailureOr<RankedTensorType>
UnpackBitsAttr::resultType(RankedTensorType source,
                           std::string &reason) const {
  bool isWhole = (getBits() == 2 || getBits() == 4) && source.getRank() == 1 &&
                 source.getElementType().isInteger(8) &&
                 llvm::all_of(getShape(), [](int64_t size) { return size >= 0; }) &&
                 llvm::divideCeilSigned(
                     ShapedType::getNumElements(getShape()) * getBits(), 8) ==
                     source.getNumElements();
  if (isWhole)
    return source.clone(getShape());
  reason = "bits are unpacked by 2 or 4 from a vector of as many bytes as they "
           "fill";
  return failure();
}

llvm::Error UnpackBitsAttr::apply(WeightReader &reader) const {
  reader.replace(reader.type().clone(getShape()), [&](StreamPtr bytes) {
    return unpacked(std::move(bytes), getBits());
  });
  return llvm::Error::success();
}
