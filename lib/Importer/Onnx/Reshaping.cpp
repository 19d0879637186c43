// Turns reshapes into collapse and expand where size expressions prove them.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Dimensions [fromBegin, fromEnd) of the source hold the elements of
/// dimensions [toBegin, toEnd) of the result.
struct Group {
  int64_t fromBegin, fromEnd, toBegin, toEnd;
};

/// Splits both shapes into the finest groups of proven equal products, each
/// with at least one dimension on both sides. None if not all dimensions are in
/// one, or a shape has no dimensions.
///
///   (s0, 12, 4) and (s0, 48) have  (s0 | s0)  (12, 4 | 48)
SmallVector<Group> findGroups(NodeContext &node, ArrayRef<AffineExpr> from,
                              ArrayRef<AffineExpr> to) {
  int64_t fromRank = from.size(), toRank = to.size();
  auto haveEqualProducts = [&](const Group &group) {
    auto areEqual = [&](ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
      return node.sizes.areEqual(productOf(node, a), productOf(node, b));
    };
    // The whole may have more unknown sizes than can be compared. A group that has
    // several is no collapse, as no size expression could say what it gives.
    ArrayRef<AffineExpr> own =
        from.slice(group.fromBegin, group.fromEnd - group.fromBegin);
    int64_t unknown = own.size() - llvm::count_if(own, llvm::IsaPred<AffineConstantExpr>);
    return (unknown <= 1 &&
            areEqual(own, to.slice(group.toBegin,
                                   group.toEnd - group.toBegin))) ||
           areEqual(from.take_front(group.fromEnd), to.take_front(group.toEnd));
  };
  auto next = [&](int64_t i, int64_t j) -> std::optional<Group> {
    for (int64_t fromEnd = i + 1; fromEnd <= fromRank; ++fromEnd)
      for (int64_t toEnd = j + 1; toEnd <= toRank; ++toEnd)
        if (Group group{i, fromEnd, j, toEnd}; haveEqualProducts(group))
          return group;
    return std::nullopt;
  };
  SmallVector<Group> groups;
  int64_t i = 0, j = 0;
  while (std::optional<Group> group = next(i, j)) {
    groups.push_back(*group);
    i = group->fromEnd;
    j = group->toEnd;
  }
  // Sizes of 1 that are left belong to the last group.
  if (groups.empty() ||
      !haveEqualProducts({groups.back().fromBegin, fromRank,
                          groups.back().toBegin, toRank}))
    return {};
  groups.back().fromEnd = fromRank;
  groups.back().toEnd = toRank;
  return groups;
}

bool hasZero(ArrayRef<AffineExpr> shape) {
  return llvm::any_of(shape, [](AffineExpr size) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    return constant && constant.getValue() == 0;
  });
}

Value collapse(NodeContext &node, Value tensor, ArrayRef<Group> groups) {
  SmallVector<ReassociationIndices> reassociation;
  for (const Group &group : groups)
    reassociation.emplace_back(
        llvm::to_vector(llvm::seq<int64_t>(group.fromBegin, group.fromEnd)));
  return tensor::CollapseShapeOp::create(node.builder, node.loc, tensor,
                                         reassociation);
}

Value expand(NodeContext &node, Value tensor, ArrayRef<Group> groups,
             const Shape &shape) {
  SmallVector<ReassociationIndices> reassociation;
  for (const Group &group : groups)
    reassociation.emplace_back(
        llvm::to_vector(llvm::seq<int64_t>(group.toBegin, group.toEnd)));
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return tensor::ExpandShapeOp::create(node.builder, node.loc,
                                       node.typeOf(shape, elementType), tensor,
                                       reassociation, node.materialize(shape));
}

/// Whether collapsed and expanded types agree on what is static: a group of
/// several dimensions on one side is static exactly if the other side is.
bool agreeOnStatic(ArrayRef<Group> groups, ArrayRef<int64_t> from,
                   ArrayRef<int64_t> to) {
  return llvm::all_of(groups, [&](const Group &group) {
    return ShapedType::isStaticShape(
               from.slice(group.fromBegin, group.fromEnd - group.fromBegin)) ==
           ShapedType::isStaticShape(
               to.slice(group.toBegin, group.toEnd - group.toBegin));
  });
}

} // namespace

FailureOr<Value> reshapeTo(NodeContext &node, Value tensor,
                           const Shape &shape) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Shape from = node.shapeOf(tensor);
  RankedTensorType resultType = node.typeOf(shape, type.getElementType());
  if (type.hasStaticShape() && resultType.hasStaticShape() &&
      type.getNumElements() != resultType.getNumElements())
    return node.error("a tensor of " + Twine(type.getNumElements()) +
                      " elements cannot be reshaped to " +
                      Twine(resultType.getNumElements()) + " elements");
  if (type == resultType && llvm::equal(from, shape, [&](auto a, auto b) {
        return node.sizes.areEqual(a, b);
      }))
    return tensor;
  DenseElementsAttr constant;
  if (resultType.hasStaticShape() &&
      matchPattern(tensor, m_Constant(&constant)))
    return Value(arith::ConstantOp::create(node.builder, node.loc,
                                           constant.reshape(resultType)));

  if (resultType.hasStaticShape())
    if (auto scalars = elementsOf(node, tensor))
      return fromElements(node, *scalars, resultType.getShape(),
                          type.getElementType());

  if (!hasZero(from) && !hasZero(shape)) {
    SmallVector<Group> groups = findGroups(node, from, shape);
    bool single = (from.empty() || shape.empty()) && type.hasStaticShape() &&
                  resultType.hasStaticShape();
    if (single && from.empty())
      return expand(node, tensor, {}, shape);
    if (single)
      return collapse(node, tensor, {});
    if (!groups.empty() &&
        agreeOnStatic(groups, type.getShape(), resultType.getShape())) {
      if (groups.size() < from.size())
        tensor = collapse(node, tensor, groups);
      if (groups.size() < shape.size())
        tensor = expand(node, tensor, groups, shape);
      return tensor;
    }
  }
  if (failed(node.requireEqual(productOf(node, from), productOf(node, shape),
                               "the numbers of elements of input and result")))
    return failure();
  return Value(graph::ReshapeOp::create(node.builder, node.loc, resultType,
                                        tensor, node.dynamicSizes(shape)));
}

Value insertUnitDims(NodeContext &node, Value tensor, ArrayRef<int64_t> axes) {
  Shape shape = node.shapeOf(tensor);
  for (int64_t axis : axes)
    shape.insert(shape.begin() + axis, node.constantSize(1));
  return *reshapeTo(node, tensor, shape);
}

Value dropDims(NodeContext &node, Value tensor, ArrayRef<int64_t> axes) {
  Shape shape = node.shapeOf(tensor), kept;
  for (auto [i, size] : llvm::enumerate(shape))
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      kept.push_back(size);
  return *reshapeTo(node, tensor, kept);
}

} // namespace tessera::onnx_importer
