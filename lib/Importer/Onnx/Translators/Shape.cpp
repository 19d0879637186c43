// Operators that read or change the shape and leave the elements alone.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// A size as an i64 scalar.
Value sizeScalar(NodeContext &node, AffineExpr size) {
  Type i64 = node.builder.getI64Type();
  if (std::optional<int64_t> constant = constantOf(size))
    return node.scalarInteger(*constant, i64);
  return node.create<arith::IndexCastOp>(i64, node.materializeIndex(size));
}

LogicalResult shape(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  auto clamped = [&](int64_t axis) {
    return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  int64_t start = clamped(node.integer("start", 0));
  int64_t end = clamped(node.integer("end", rank));
  SmallVector<Value> sizes;
  Shape all = node.shapeOf(node.input(0));
  for (int64_t axis = start; axis < end; ++axis)
    sizes.push_back(sizeScalar(node, all[axis]));
  node.setOutput(0,
                 fromElements(node, sizes, {static_cast<int64_t>(sizes.size())},
                              node.builder.getI64Type()));
  return success();
}

LogicalResult size(NodeContext &node) {
  AffineExpr count = node.sizes.elementCountOf(node.input(0));
  node.setOutput(0, fromElements(node, sizeScalar(node, count), {},
                                 node.builder.getI64Type()));
  return success();
}

/// The size that -1 stands for: the elements of `from` over those of the other
/// sizes of `to`. Sizes in both cancel, which needs no division.
FailureOr<AffineExpr> inferredSize(NodeContext &node, Shape from, Shape to) {
  int64_t fromConstant = 1, toConstant = 1;
  Shape rest; // of `to`
  for (AffineExpr size : to) {
    auto equal = llvm::find_if(
        from, [&](AffineExpr f) { return node.sizes.areEqual(f, size); });
    if (equal != from.end())
      from.erase(equal);
    else if (std::optional<int64_t> constant = constantOf(size))
      toConstant *= *constant;
    else
      rest.push_back(size);
  }
  Shape product;
  for (AffineExpr size : from) {
    if (std::optional<int64_t> constant = constantOf(size))
      fromConstant *= *constant;
    else
      product.push_back(size);
  }
  if (toConstant == 0)
    return node.error("a size of -1 cannot be found beside one of 0");
  if (rest.empty() && product.empty() && fromConstant % toConstant)
    return node.error("the elements cannot be divided by the sizes given");
  AffineExpr total = productOf(node, product) * fromConstant,
             divisor = productOf(node, rest) * toConstant;
  AffineExpr quotient =
      rest.empty() ? total.floorDiv(toConstant)
                   : node.sizes.sizeOf(node.create<arith::DivUIOp>(
                         node.materializeIndex(total),
                         node.materializeIndex(divisor)));
  if (failed(node.requireEqual(total, quotient * divisor,
                               "the numbers of elements of input and result")))
    return failure();
  return node.sizes.resolve(quotient);
}

bool mayBeZero(NodeContext &node, AffineExpr size) {
  return node.sizes.boundsOf(size).least.value_or(0) <= 0;
}

/// A computed size that turns out to be 0 stands for the input's, as a constant
/// does. Sizes that depended on that could not be reasoned about; it is an error
/// instead, where the shape would be another: beside another size that is 0 or one
/// that is `inferred`, or where the input has no such size.
void requireNoCopiedSizes(NodeContext &node, const Shape &from,
                          const Shape &target,
                          std::optional<size_t> inferred) {
  Value zero = node.scalarInteger(0, node.builder.getIndexType());
  auto compare = [&](arith::CmpIPredicate predicate, AffineExpr size) -> Value {
    return node.create<arith::CmpIOp>(predicate, node.materializeIndex(size),
                                      zero);
  };
  for (size_t i = 0; i < target.size(); ++i) {
    AffineExpr size = target[i];
    if (i == inferred || constantOf(size) || !mayBeZero(node, size))
      continue;
    if (i >= from.size()) {
      node.requireAtRunTime(compare(arith::CmpIPredicate::ne, size),
                            "size " + Twine(i) +
                                " is 0, which copies one that the input does not "
                                "have");
      continue;
    }
    AffineExpr copied = from[i];
    if (constantOf(copied) == 0 || node.sizes.areEqual(size, copied))
      continue;
    Shape others;
    for (auto [j, other] : llvm::enumerate(target))
      if (i != j && j != inferred && mayBeZero(node, other))
        others.push_back(other);
    if (!inferred && others.empty())
      continue;
    Value fits = compare(arith::CmpIPredicate::ne, size);
    if (mayBeZero(node, copied))
      fits = node.create<arith::OrIOp>(
          fits, compare(arith::CmpIPredicate::eq, copied));
    if (!inferred)
      fits = node.create<arith::OrIOp>(
          fits, compare(arith::CmpIPredicate::ne, productOf(node, others)));
    node.requireAtRunTime(fits, "size " + Twine(i) +
                                    " is 0, which copies the input's");
  }
}

LogicalResult reshape(NodeContext &node) {
  FailureOr<Shape> target = elementSizes(node, node.input(1), "the new shape");
  if (failed(target))
    return failure();
  bool allowZero = node.integer("allowzero", 0) != 0;
  Shape from = node.shapeOf(node.input(0)), known;
  std::optional<size_t> inferred;
  for (auto [i, size] : llvm::enumerate(*target)) {
    std::optional<int64_t> constant = constantOf(size);
    if (constant == 0 && !allowZero) {
      if (i >= from.size())
        return node.error("size 0 copies dimension " + Twine(i) +
                          ", which the input does not have");
      size = from[i];
    }
    if (constant == -1) {
      if (inferred)
        return node.error("more than one size is -1");
      inferred = i;
    } else {
      known.push_back(size);
    }
  }
  if (failed(node.requireSizes(known, "the new shape")))
    return failure();
  if (!allowZero)
    requireNoCopiedSizes(node, from, *target, inferred);
  if (inferred) {
    FailureOr<AffineExpr> size = inferredSize(node, from, known);
    if (failed(size))
      return failure();
    (*target)[*inferred] = *size;
  }
  FailureOr<Value> result = reshapeTo(node, node.input(0), *target);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// Rows: the dimensions before `axis`; columns: the others.
LogicalResult flatten(NodeContext &node) {
  int64_t rank = node.inputRank(0), axis = node.integer("axis", 1);
  if (axis < -rank || axis > rank)
    return node.error("expects an axis between " + Twine(-rank) + " and " +
                      Twine(rank) + " but got " + Twine(axis));
  axis = axis < 0 ? axis + rank : axis;
  Shape from = node.shapeOf(node.input(0));
  ArrayRef<AffineExpr> sizes = from;
  FailureOr<Value> result =
      reshapeTo(node, node.input(0),
                {productOf(node, sizes.take_front(axis)),
                 productOf(node, sizes.drop_front(axis))});
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// Axes are an attribute before opset 13, input 1 from then on. Increasing,
/// counted from the front of `rank` dimensions.
FailureOr<SmallVector<int64_t>> axesOf(NodeContext &node, int64_t rank) {
  SmallVector<int64_t> axes = node.integers("axes");
  if (Value input = node.version() >= 13 ? node.input(1) : Value()) {
    FailureOr<SmallVector<int64_t>> given =
        requireConstantIntegers(node, input, "the list of axes");
    if (failed(given))
      return failure();
    axes = *given;
  }
  for (int64_t &axis : axes) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
    if (failed(normal))
      return failure();
    axis = *normal;
  }
  llvm::sort(axes);
  if (llvm::adjacent_find(axes) != axes.end())
    return node.error("an axis is given twice");
  return axes;
}

LogicalResult squeeze(NodeContext &node) {
  Shape from = node.shapeOf(node.input(0));
  FailureOr<SmallVector<int64_t>> axes = axesOf(node, from.size());
  if (failed(axes))
    return failure();
  bool hasAxes =
      node.version() >= 13 ? bool(node.input(1)) : node.hasAttribute("axes");
  for (auto [axis, size] : llvm::enumerate(from)) {
    std::optional<int64_t> constant = constantOf(size);
    if (!hasAxes && !constant)
      return node.error("whether dimension " + Twine(axis) +
                        " is 1 is not known; give axes or pin the size");
    if (!hasAxes && constant == 1)
      axes->push_back(axis);
    if (llvm::is_contained(*axes, static_cast<int64_t>(axis)) && constant &&
        constant != 1)
      return node.error("dimension " + Twine(axis) + " is " + Twine(*constant) +
                        ", not 1");
  }
  for (int64_t axis : *axes)
    if (failed(node.requireEqual(from[axis], node.constantSize(1),
                                 "the size of dimension " + Twine(axis) +
                                     " and 1")))
      return failure();
  node.setOutput(0, dropDims(node, node.input(0), *axes));
  return success();
}

LogicalResult unsqueeze(NodeContext &node) {
  int64_t added = node.integers("axes").size();
  if (node.version() >= 13)
    added = node.inputType(1).hasStaticShape()
                ? node.inputType(1).getNumElements()
                : 0;
  FailureOr<SmallVector<int64_t>> axes =
      axesOf(node, node.inputRank(0) + added);
  if (failed(axes))
    return failure();
  node.setOutput(0, insertUnitDims(node, node.input(0), *axes));
  return success();
}

/// Broadcasting in both directions: the result may be larger than `shape`.
LogicalResult expand(NodeContext &node) {
  FailureOr<Shape> target = elementSizes(node, node.input(1), "the new shape");
  if (failed(target))
    return failure();
  FailureOr<Shape> common =
      broadcastShapes(node, {node.shapeOf(node.input(0)), *target});
  if (failed(common) || failed(node.requireSizes(*target, "the new shape")) ||
      failed(requireBroadcasts(node, *target, *common)))
    return failure();
  FailureOr<Value> result = broadcastTo(node, node.input(0), *common);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

} // namespace

void addShapeTranslators(TranslatorTable &table) {
  table.add("Shape", shape);
  table.add("Size", size);
  table.add("Reshape", reshape);
  table.add("Flatten", flatten);
  table.add("Squeeze", squeeze);
  table.add("Unsqueeze", unsqueeze);
  table.add("Expand", expand);
}

} // namespace tessera::onnx_importer
