// Broadcasting, transposing and slicing; Reshaping.cpp has reshapes.
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/Elements.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace tessera::onnx_importer {

std::optional<int64_t> constantOf(AffineExpr size) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return constant.getValue();
  return std::nullopt;
}

/// The declared symbols that `size` is the sum of; none if it is no such sum.
static SmallVector<std::pair<AffineExpr, graph::SymbolOp>>
namedTermsOf(NodeContext &node, AffineExpr size) {
  if (auto sum = dyn_cast<AffineBinaryOpExpr>(size);
      sum && size.getKind() == AffineExprKind::Add) {
    auto left = namedTermsOf(node, sum.getLHS()),
         right = namedTermsOf(node, sum.getRHS());
    if (left.empty() || right.empty())
      return {};
    left.append(right);
    return left;
  }
  auto symbol = dyn_cast<AffineSymbolExpr>(size);
  FlatSymbolRefAttr name =
      symbol ? node.sizes.symbols()[symbol.getPosition()].name
             : FlatSymbolRefAttr();
  auto declared =
      name ? SymbolTable::lookupNearestSymbolFrom<graph::SymbolOp>(
                 node.builder.getInsertionBlock()->getParentOp(), name)
           : graph::SymbolOp();
  if (!declared)
    return {};
  return {{size, declared}};
}

/// Whether `limited` is min(size, limit) for a named size, or a sum of them, and a
/// constant limit of 2 or more. They broadcast only where both are equal, which is
/// where the size is within the limit: this becomes part of the model's declared
/// ranges.
///
///   position = Slice(table of 512 rows, 0, seq)       min(seq, 512)
///   Add(embedding of seq rows, position)              seq is at most 512
static bool isSizeLimitedTo(NodeContext &node, AffineExpr size,
                            AffineExpr limited) {
  auto minimum = node.sizes.asMinimum(limited);
  if (!minimum)
    return false;
  auto [other, limit] = *minimum;
  if (isa<AffineConstantExpr>(other))
    std::swap(other, limit);
  std::optional<int64_t> most = constantOf(limit);
  if (!most || *most < 2 || !node.sizes.areEqual(size, other))
    return false;
  auto terms = namedTermsOf(node, size);
  if (terms.empty() || llvm::any_of(terms, [&](auto &term) {
        return static_cast<int64_t>(term.second.getMin()) > *most;
      }))
    return false;
  for (auto [term, declared] : terms) {
    int64_t max = std::min<int64_t>(declared.getMax(), *most);
    declared.setMax(max);
    declared.setTypical(std::min<int64_t>(declared.getTypical(), max));
    node.sizes.assumeAtMost(term, *most);
  }
  return terms.size() == 1 ||
         succeeded(node.requireEqual(size, limited, "sizes that broadcast"));
}

/// Whether `limited` is max(size, 0), as a slice that ends before the end has: no
/// size is negative, so both are equal in every run.
///
///   Slice(x of n rows, 0, -1)                         max(n - 1, 0)
///   Add(y of n - 1 rows, slice)                       n is at least 1
static bool isSizeOrZero(NodeContext &node, AffineExpr size,
                         AffineExpr limited) {
  using Symbol = graph::SizeAnalysis::Symbol;
  auto symbol = dyn_cast<AffineSymbolExpr>(limited);
  if (!symbol)
    return false;
  // A copy: the list may grow below.
  Symbol maximum = node.sizes.symbols()[symbol.getPosition()];
  if (maximum.kind != Symbol::Kind::Max)
    return false;
  for (unsigned i : {0u, 1u})
    if (constantOf(maximum.operands[1 - i]) == 0 &&
        node.sizes.areEqual(maximum.operands[i], size))
      return succeeded(
          node.requireEqual(size, limited, "sizes that broadcast"));
  return false;
}

/// The sizes that `size`, made by broadcasting, is the common one of; else
/// itself.
static void appendBroadcastParts(NodeContext &node, AffineExpr size,
                                 SmallVectorImpl<AffineExpr> &parts) {
  auto common = node.sizes.asBroadcast(size);
  if (!common) {
    parts.push_back(size);
    return;
  }
  appendBroadcastParts(node, common->first, parts);
  appendBroadcastParts(node, common->second, parts);
}

/// Whether `whole` was made by broadcasting the parts of `size` and maybe
/// others: both together broadcast to it.
static bool contains(NodeContext &node, AffineExpr whole, AffineExpr size) {
  SmallVector<AffineExpr> parts, wanted;
  appendBroadcastParts(node, whole, parts);
  appendBroadcastParts(node, size, wanted);
  return llvm::all_of(wanted, [&](AffineExpr part) {
    return llvm::any_of(parts, [&](AffineExpr known) {
      return node.sizes.areEqual(part, known);
    });
  });
}

/// The size that `a` and `b` broadcast to; null if they contradict.
static AffineExpr broadcastSize(NodeContext &node, AffineExpr a, AffineExpr b) {
  std::optional<int64_t> constantA = constantOf(a), constantB = constantOf(b);
  if (node.sizes.areEqual(a, b) || constantB == 1)
    return a;
  if (constantA == 1)
    return b;
  if (constantA && constantB)
    return {};
  // The other one must be 1 or the same.
  if (constantA)
    return a;
  if (constantB)
    return b;
  if (isSizeLimitedTo(node, a, b) || isSizeOrZero(node, a, b))
    return a;
  if (isSizeLimitedTo(node, b, a) || isSizeOrZero(node, b, a))
    return b;
  // A size that cannot be 1 is the result's.
  if (node.sizes.boundsOf(a).least.value_or(0) > 1)
    return a;
  if (node.sizes.boundsOf(b).least.value_or(0) > 1)
    return b;
  if (contains(node, a, b))
    return a;
  if (contains(node, b, a))
    return b;
  Value valueA = node.materializeIndex(a), valueB = node.materializeIndex(b);
  Value isOne = node.create<arith::CmpIOp>(
      arith::CmpIPredicate::eq, valueA,
      node.scalarInteger(1, node.builder.getIndexType()));
  return node.sizes.sizeOf(node.create<arith::SelectOp>(isOne, valueB, valueA));
}

FailureOr<Shape> broadcastShapes(NodeContext &node, ArrayRef<Shape> shapes) {
  Shape result;
  for (const Shape &shape : shapes) {
    if (shape.size() > result.size())
      result.insert(result.begin(), shape.size() - result.size(),
                    node.constantSize(1));
    size_t added = result.size() - shape.size();
    // From the last one on: what keys are limited to limits queries too.
    for (size_t i = shape.size(); i-- > 0;) {
      AffineExpr &target = result[added + i];
      target = node.sizes.resolve(target);
      AffineExpr size = node.sizes.resolve(shape[i]);
      AffineExpr common = broadcastSize(node, target, size);
      if (!common)
        return node.error("sizes " + Twine(*constantOf(target)) + " and " +
                          Twine(*constantOf(size)) +
                          " of inputs do not broadcast");
      target = common;
    }
  }
  return result;
}

/// Checks at run time that a dimension of size `from` broadcasts to `to`.
static void assertBroadcasts(NodeContext &node, AffineExpr from,
                             AffineExpr to) {
  if (constantOf(from) == 1 || node.sizes.areEqual(from, to))
    return;
  Value source = node.materializeIndex(from);
  Value fits = node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, source,
                                          node.materializeIndex(to));
  if (!constantOf(from)) {
    Value isOne = node.create<arith::CmpIOp>(
        arith::CmpIPredicate::eq, source,
        node.scalarInteger(1, node.builder.getIndexType()));
    fits = node.create<arith::OrIOp>(fits, isOne);
  }
  node.requireAtRunTime(fits, "sizes of its inputs do not broadcast");
}

LogicalResult requireBroadcasts(NodeContext &node, const Shape &from,
                                const Shape &to) {
  if (from.size() > to.size())
    return node.error("a tensor of rank " + Twine(from.size()) +
                      " does not broadcast to rank " + Twine(to.size()));
  size_t added = to.size() - from.size();
  for (auto [i, size] : llvm::enumerate(from)) {
    AffineExpr target = to[added + i];
    if (node.sizes.boundsOf(size).least.value_or(0) > 1 &&
        failed(node.requireEqual(size, target, "sizes that broadcast")))
      return failure();
    std::optional<int64_t> fromConstant = constantOf(size),
                           constant = constantOf(target);
    if (fromConstant && fromConstant != 1 && constant &&
        constant != fromConstant)
      return node.error("size " + Twine(*fromConstant) +
                        " does not broadcast to " + Twine(*constant));
  }
  for (auto [i, size] : llvm::enumerate(from))
    assertBroadcasts(node, size, to[added + i]);
  return success();
}

FailureOr<Value> broadcastTo(NodeContext &node, Value tensor,
                             const Shape &shape) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Shape from = node.shapeOf(tensor);
  if (failed(requireBroadcasts(node, from, shape)))
    return failure();
  bool same =
      from.size() == shape.size() &&
      llvm::all_of(llvm::zip_equal(from, shape), [&](auto sizes) {
        return node.sizes.areEqual(std::get<0>(sizes), std::get<1>(sizes));
      });
  RankedTensorType resultType = node.typeOf(shape, type.getElementType());
  if (!same)
    return node.create<graph::BroadcastToOp>(resultType, tensor,
                                             node.dynamicSizes(shape));
  if (type != resultType)
    return Value(
        tensor::CastOp::create(node.builder, node.loc, resultType, tensor));
  return tensor;
}

LogicalResult requireSameSizes(NodeContext &node, unsigned a, unsigned b,
                               int64_t except) {
  Shape first = node.shapeOf(node.input(a)),
        second = node.shapeOf(node.input(b));
  if (first.size() != second.size())
    return node.error("expects inputs " + Twine(a) + " and " + Twine(b) +
                      " of one rank, but got " + Twine(first.size()) + " and " +
                      Twine(second.size()));
  for (int64_t i = 0, e = first.size(); i < e; ++i)
    if (i != except &&
        failed(node.requireEqual(first[i], second[i],
                                 "sizes of inputs " + Twine(a) + " and " +
                                     Twine(b) + " along dimension " + Twine(i))))
      return failure();
  return success();
}

LogicalResult requireShape(NodeContext &node, Value tensor, const Shape &shape,
                           const Twine &what) {
  Shape given = node.shapeOf(tensor);
  if (given.size() != shape.size())
    return node.error("expects " + what + " to have rank " +
                      Twine(shape.size()) + " but got " + Twine(given.size()));
  for (auto [i, size] : llvm::enumerate(shape))
    if (failed(node.requireEqual(given[i], size,
                                 "the size of " + what + " along dimension " +
                                     Twine(i) +
                                     " and what the other inputs say")))
      return failure();
  return success();
}

LogicalResult broadcastTogether(NodeContext &node,
                                SmallVectorImpl<Value> &tensors) {
  SmallVector<Shape> shapes;
  for (Value tensor : tensors)
    shapes.push_back(node.shapeOf(tensor));
  FailureOr<Shape> common = broadcastShapes(node, shapes);
  if (failed(common))
    return failure();
  for (Value &tensor : tensors) {
    FailureOr<Value> broadcast = broadcastTo(node, tensor, *common);
    if (failed(broadcast))
      return failure();
    tensor = *broadcast;
  }
  return success();
}

Value transpose(NodeContext &node, Value tensor,
                ArrayRef<int64_t> permutation) {
  if (isIdentityPermutation(permutation))
    return tensor;
  Shape shape =
      applyPermutation(ArrayRef<AffineExpr>(node.shapeOf(tensor)), permutation);
  Value destination = node.empty(
      shape, cast<RankedTensorType>(tensor.getType()).getElementType());
  return linalg::TransposeOp::create(node.builder, node.loc, tensor,
                                     destination, permutation)
      ->getResult(0);
}

Value sliceAlong(NodeContext &node, Value tensor, int64_t axis,
                 AffineExpr offset, AffineExpr size) {
  AffineExpr all = node.shapeOf(tensor)[axis];
  if (!node.sizes.areEqual(size, all) &&
      (failed(node.requireSizes({size}, "a part of dimension " + Twine(axis))) ||
       failed(node.requireAtMost(offset + size, all,
                                 "dimension " + Twine(axis) +
                                     " is read behind its last element"))))
    return tensor; // the node has its error
  return sliceWithin(node, tensor, axis, offset, size);
}

Value sliceWithin(NodeContext &node, Value tensor, int64_t axis,
                  AffineExpr offset, AffineExpr size, int64_t step) {
  auto type = cast<RankedTensorType>(tensor.getType());
  Shape shape = node.shapeOf(tensor);
  if (node.sizes.areEqual(size, shape[axis]) && step == 1)
    return tensor;
  std::optional<int64_t> first = constantOf(offset), count = constantOf(size);
  if (first && count && hasElements(tensor)) {
    SmallVector<int64_t> strides = computeStrides(type.getShape()),
                         taken(type.getShape());
    taken[axis] = *count;
    return rearrangeElements(node, tensor, taken, [&](ArrayRef<int64_t> index) {
      SmallVector<int64_t> from(index);
      from[axis] = *first + from[axis] * step;
      return linearize(from, strides);
    });
  }
  shape[axis] = size;
  // A slice of nothing may begin at the end, which extract_slice refuses.
  if (llvm::any_of(shape, [](AffineExpr s) { return constantOf(s) == 0; }))
    return node.empty(shape, type.getElementType());
  SmallVector<OpFoldResult> offsets(shape.size(), node.builder.getIndexAttr(0)),
      strides(shape.size(), node.builder.getIndexAttr(1));
  offsets[axis] = node.materialize(offset);
  strides[axis] = node.builder.getIndexAttr(step);
  return tensor::ExtractSliceOp::create(
      node.builder, node.loc, node.typeOf(shape, type.getElementType()), tensor,
      offsets, node.materialize(shape), strides);
}

Value padWithConstant(NodeContext &node, Value tensor, const Shape &low,
                      const Shape &high, Value fill) {
  Shape shape = node.shapeOf(tensor);
  for (auto [size, before, after] : llvm::zip(shape, low, high))
    size = size + before + after;
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return tensor::PadOp::create(
      node.builder, node.loc, node.typeOf(shape, elementType), tensor,
      node.materialize(low), node.materialize(high), fill, /*nofold=*/false);
}

Value iota(NodeContext &node, const Shape &shape, Type elementType,
           int64_t dimension) {
  return graph::IotaOp::create(node.builder, node.loc,
                               node.typeOf(shape, elementType), dimension,
                               node.dynamicSizes(shape));
}

AffineExpr atLeastZero(NodeContext &node, AffineExpr size) {
  return node.sizes.sizeOf(node.create<arith::MaxSIOp>(
      node.materializeIndex(size),
      node.scalarInteger(0, node.builder.getIndexType())));
}

AffineExpr productOf(NodeContext &node, ArrayRef<AffineExpr> sizes) {
  AffineExpr product = node.constantSize(1);
  for (AffineExpr size : sizes)
    product = product * size;
  return product;
}

} // namespace tessera::onnx_importer
