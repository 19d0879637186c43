// Axes of the tensors around an attention; see the header.
#include "lib/Transforms/Graph/RaiseAttentionAxes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace tessera;

static bool isNumber(AffineExpr size, int64_t number) {
  auto constant = dyn_cast<AffineConstantExpr>(size);
  return constant && constant.getValue() == number;
}

static bool isOne(AffineExpr size) { return isNumber(size, 1); }

AxisList AxisMap::add(AffineExpr size) {
  if (isOne(size))
    return {};
  axes.push_back({size, {}});
  return {static_cast<unsigned>(axes.size() - 1)};
}

AxisList AxisMap::resolve(ArrayRef<unsigned> list) const {
  AxisList resolved;
  for (unsigned axis : list)
    if (axes[axis].parts.empty())
      resolved.push_back(axis);
    else
      resolved.append(resolve(axes[axis].parts));
  return resolved;
}

AxisLabels AxisMap::resolveLabels(ArrayRef<AxisList> labels) const {
  AxisLabels resolved;
  for (const AxisList &list : labels)
    resolved.push_back(resolve(list));
  return resolved;
}

AxisList AxisMap::all(ArrayRef<AxisList> labels) const {
  AxisList joined;
  for (const AxisList &list : labels)
    joined.append(resolve(list));
  return joined;
}

AffineExpr AxisMap::sizeOf(ArrayRef<unsigned> list) const {
  AffineExpr size;
  for (unsigned axis : list)
    size = size ? size * axes[axis].size : axes[axis].size;
  return size;
}

//===----------------------------------------------------------------------===//
// Going back
//===----------------------------------------------------------------------===//

std::optional<AxisLabels> AxisMap::distribute(AxisList list,
                                              ArrayRef<AffineExpr> dims,
                                              bool allowSplits) {
  AxisLabels labels(dims.size());
  list = resolve(list);
  // With a size of 0 all products are equal: no axis has a place.
  if (llvm::any_of(dims, [](AffineExpr size) { return isNumber(size, 0); }))
    return std::nullopt;
  SmallVector<unsigned> open;
  for (auto [i, size] : llvm::enumerate(dims))
    if (!isOne(size))
      open.push_back(i);
  // Splits happen only when the whole fits.
  SmallVector<std::pair<unsigned, SmallVector<unsigned>>> splits;
  unsigned axis = 0, dim = 0;
  while (axis < list.size() && dim < open.size()) {
    bool lastAxis = axis + 1 == list.size(), lastDim = dim + 1 == open.size();
    AffineExpr product = axes[list[axis]].size;
    unsigned axisEnd = axis + 1;
    // What is left must agree as a whole.
    if (lastDim)
      axisEnd = list.size();
    while (!lastDim && axisEnd < list.size() &&
           !sizes.areEqual(product, dims[open[dim]]))
      product = product * axes[list[axisEnd++]].size;
    if (lastDim || sizes.areEqual(product, dims[open[dim]])) {
      labels[open[dim]].assign(list.begin() + axis, list.begin() + axisEnd);
      axis = axisEnd;
      ++dim;
      continue;
    }
    product = dims[open[dim]];
    unsigned dimEnd = lastAxis ? open.size() : dim + 1;
    while (!lastAxis && dimEnd < open.size() &&
           !sizes.areEqual(product, axes[list[axis]].size))
      product = product * dims[open[dimEnd++]];
    if (!allowSplits ||
        (!lastAxis && !sizes.areEqual(product, axes[list[axis]].size)))
      return std::nullopt;
    splits.push_back({list[axis], SmallVector<unsigned>(open.begin() + dim,
                                                        open.begin() + dimEnd)});
    ++axis;
    dim = dimEnd;
  }
  if (axis < list.size() || dim < open.size())
    return std::nullopt;
  for (auto &[split, into] : splits) {
    AxisList parts;
    for (unsigned target : into)
      parts.append(add(dims[target]));
    for (auto [part, target] : llvm::zip(parts, into))
      labels[target] = {part};
    axes[split].parts = parts;
  }
  return labels;
}

bool AxisMap::stepThroughReshape(ArrayRef<ReassociationIndices> groups,
                                 Value source, AxisLabels &labels,
                                 bool allowSplits) {
  SmallVector<AffineExpr> dims = sizes.dimsOf(source);
  AxisLabels below(dims.size());
  for (auto [label, group] : llvm::zip(labels, groups)) {
    SmallVector<AffineExpr> part;
    for (int64_t dim : group)
      part.push_back(dims[dim]);
    std::optional<AxisLabels> found = distribute(label, part, allowSplits);
    if (!found)
      return false;
    for (auto [dim, list] : llvm::zip(group, *found))
      below[dim] = list;
  }
  labels = below;
  return true;
}

bool AxisMap::stepThroughBroadcast(Value source, Value result,
                                   AxisLabels &labels, bool allowRepeats) {
  SmallVector<AffineExpr> from = sizes.dimsOf(source), to = sizes.dimsOf(result);
  size_t added = to.size() - from.size();
  AxisLabels below;
  for (auto [i, size] : llvm::enumerate(from)) {
    bool same = sizes.areEqual(size, to[added + i]);
    if (!same && (!isOne(size) || !allowRepeats))
      return false;
    below.push_back(same ? labels[added + i] : AxisList());
  }
  for (size_t i = 0; i < added; ++i)
    if (!allowRepeats && !isOne(to[i]))
      return false;
  labels = below;
  return true;
}

bool AxisMap::stepBack(Value &value, AxisLabels &labels, bool allowSplits,
                       bool allowRepeats) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    AxisLabels below(labels.size());
    for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
      below[from] = labels[to];
    labels = below;
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    if (!stepThroughReshape(collapse.getReassociationIndices(),
                            collapse.getSrc(), labels, allowSplits))
      return false;
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    AxisLabels below;
    for (const ReassociationIndices &group : expand.getReassociationIndices()) {
      AxisList joined;
      for (int64_t dim : group)
        joined.append(labels[dim]);
      below.push_back(joined);
    }
    labels = below;
  } else if (auto reshape = dyn_cast<graph::ReshapeOp>(op)) {
    std::optional<AxisLabels> below =
        distribute(all(labels), sizes.dimsOf(reshape.getSource()), allowSplits);
    if (!below)
      return false;
    labels = *below;
  } else if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op)) {
    if (!stepThroughBroadcast(broadcast.getSource(), value, labels,
                              allowRepeats))
      return false;
  } else if (!isa<tensor::CastOp>(op)) {
    return false;
  }
  value = op->getOperand(0);
  return true;
}

//===----------------------------------------------------------------------===//
// Relayout
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> staticShape(ArrayRef<AffineExpr> sizes) {
  SmallVector<int64_t> shape;
  for (AffineExpr size : sizes) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    shape.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
  }
  return shape;
}

Value tessera::createBroadcast(OpBuilder &builder, Value value,
                               ArrayRef<AffineExpr> shape,
                               graph::SizeAnalysis &sizes) {
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType()).clone(staticShape(shape));
  if (type.hasStaticShape() && type == value.getType())
    return value;
  return graph::BroadcastToOp::create(
      builder, loc, type, value,
      graph::materializeDynamicSizes(builder, loc, sizes, type, shape));
}

static Value castTo(OpBuilder &builder, Location loc, Value value,
                    ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType()).clone(shape);
  return type == value.getType()
             ? value
             : Value(tensor::CastOp::create(builder, loc, type, value));
}

Value AxisMap::expand(OpBuilder &builder, Location loc, Value value,
                      ArrayRef<ReassociationIndices> groups,
                      ArrayRef<AffineExpr> shape) {
  auto type = cast<RankedTensorType>(value.getType()).clone(staticShape(shape));
  return tensor::ExpandShapeOp::create(
      builder, loc, type, value, groups,
      graph::materializeShape(builder, loc, sizes, type, shape));
}

/// Groups of a reshape between `count` things and the same with sizes of 1 at
/// `ones` (true) of the wider side: these join what precedes them, the first ones
/// what follows.
static SmallVector<ReassociationIndices> groupsWithOnes(ArrayRef<bool> ones) {
  SmallVector<ReassociationIndices> groups;
  ReassociationIndices leading;
  for (auto [i, one] : llvm::enumerate(ones)) {
    int64_t index = i;
    if (one && groups.empty()) {
      leading.push_back(index);
    } else if (one) {
      groups.back().push_back(index);
    } else {
      groups.emplace_back(leading);
      leading.clear();
      groups.back().push_back(index);
    }
  }
  return groups;
}

/// Cuts the axes of `from` into the longest runs that are neighbours in `to` too.
static SmallVector<AxisList> runsOf(ArrayRef<AxisList> from,
                                    ArrayRef<AxisList> to) {
  auto follows = [&](unsigned a, unsigned b) {
    return llvm::any_of(to, [&](const AxisList &list) {
      auto it = llvm::find(list, a);
      return it != list.end() && std::next(it) != list.end() &&
             *std::next(it) == b;
    });
  };
  SmallVector<AxisList> runs;
  for (const AxisList &list : from)
    for (auto [i, axis] : llvm::enumerate(list))
      if (i > 0 && follows(list[i - 1], axis))
        runs.back().push_back(axis);
      else
        runs.push_back({axis});
  return runs;
}

Value AxisMap::relayout(OpBuilder &builder, Location loc, Value value,
                        ArrayRef<AxisList> fromGiven,
                        ArrayRef<AxisList> toGiven, bool repeat) {
  AxisLabels from = resolveLabels(fromGiven), to = resolveLabels(toGiven);
  AxisList present = all(from);
  AxisLabels kept;
  for (const AxisList &list : to) {
    kept.emplace_back();
    llvm::copy_if(list, std::back_inserter(kept.back()),
                  [&](unsigned a) { return llvm::is_contained(present, a); });
  }

  // Sizes of 1 go, then dimensions fall apart into runs.
  SmallVector<AffineExpr> dims;
  SmallVector<bool> ones;
  for (const AxisList &list : from) {
    ones.push_back(list.empty());
    dims.push_back(list.empty() ? getAffineConstantExpr(1, builder.getContext())
                                : sizeOf(list));
  }
  value = castTo(builder, loc, value, staticShape(dims));
  if (llvm::is_contained(ones, true))
    value = tensor::CollapseShapeOp::create(builder, loc, value,
                                            groupsWithOnes(ones));
  SmallVector<AxisList> runs = runsOf(from, kept);
  SmallVector<ReassociationIndices> groups;
  SmallVector<AffineExpr> runSizes;
  unsigned next = 0;
  for (const AxisList &list : from) {
    if (list.empty())
      continue;
    groups.emplace_back();
    for (unsigned covered = 0; covered < list.size(); ++next) {
      groups.back().push_back(next);
      runSizes.push_back(sizeOf(runs[next]));
      covered += runs[next].size();
    }
  }
  if (runs.size() > groups.size())
    value = expand(builder, loc, value, groups, runSizes);

  // The runs in their new order, and what is missing between them.
  SmallVector<int64_t> permutation;
  SmallVector<ReassociationIndices> joined(to.size());
  SmallVector<bool> missing;
  SmallVector<AffineExpr> wide, full;
  for (auto [i, list] : llvm::enumerate(to)) {
    bool partly = !kept[i].empty() || repeat;
    for (unsigned a = 0; a < list.size();) {
      unsigned axis = list[a];
      auto run = llvm::find_if(
          runs, [&](const AxisList &r) { return r.front() == axis; });
      if (run == runs.end() && !partly)
        break;
      joined[i].push_back(wide.size());
      missing.push_back(run == runs.end());
      if (run == runs.end()) {
        wide.push_back(getAffineConstantExpr(1, builder.getContext()));
        full.push_back(axes[list[a++]].size);
        continue;
      }
      permutation.push_back(run - runs.begin());
      wide.push_back(sizeOf(*run));
      full.push_back(wide.back());
      a += run->size();
    }
  }
  if (!isIdentityPermutation(permutation)) {
    SmallVector<AffineExpr> shape;
    for (int64_t run : permutation)
      shape.push_back(sizeOf(runs[run]));
    auto type =
        cast<RankedTensorType>(value.getType()).clone(staticShape(shape));
    Value empty = tensor::EmptyOp::create(
        builder, loc, type,
        graph::materializeDynamicSizes(builder, loc, sizes, type, shape));
    value = linalg::TransposeOp::create(builder, loc, value, empty, permutation)
                ->getResult(0);
  }
  if (llvm::is_contained(missing, true)) {
    value = expand(builder, loc, value, groupsWithOnes(missing), wide);
    value = createBroadcast(builder, value, full, sizes);
  }

  // Dimensions are joined, empty ones get size 1.
  SmallVector<ReassociationIndices> filled;
  llvm::copy_if(joined, std::back_inserter(filled),
                [](const auto &group) { return !group.empty(); });
  if (llvm::any_of(filled, [](const auto &g) { return g.size() > 1; }))
    value = tensor::CollapseShapeOp::create(builder, loc, value, filled);
  if (filled.size() < to.size()) {
    SmallVector<bool> inserted;
    SmallVector<AffineExpr> shape;
    SmallVector<AffineExpr> now = sizes.dimsOf(value);
    unsigned position = 0;
    for (const ReassociationIndices &group : joined) {
      inserted.push_back(group.empty());
      shape.push_back(group.empty()
                          ? getAffineConstantExpr(1, builder.getContext())
                          : now[position++]);
    }
    value = expand(builder, loc, value, groupsWithOnes(inserted), shape);
  }
  return value;
}
