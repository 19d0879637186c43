// A weight on its way through its recipe.
#include "dialects/Graph/Weights/StridedView.h"

#include "llvm/ADT/STLExtras.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;

namespace tessera::graph {

StridedView StridedView::dense(ArrayRef<int64_t> shape) {
  StridedView view;
  int64_t stride = 1;
  for (int64_t size : llvm::reverse(shape)) {
    view.dims.push_back({size, stride});
    stride *= size;
  }
  std::reverse(view.dims.begin(), view.dims.end());
  view.partCounts.assign(shape.size(), 1);
  return view;
}

SmallVector<SmallVector<StridedView::Dim, 2>> StridedView::parts() const {
  SmallVector<Parts> result;
  const Dim *next = dims.begin();
  for (unsigned count : partCounts) {
    result.push_back(Parts(next, next + count));
    next += count;
  }
  return result;
}

void StridedView::setParts(ArrayRef<Parts> parts) {
  dims.clear();
  partCounts.clear();
  bounds.clear();
  for (const Parts &own : parts) {
    dims.append(own.begin(), own.end());
    partCounts.push_back(own.size());
  }
}

static int64_t sizeOf(ArrayRef<StridedView::Dim> parts) {
  int64_t size = 1;
  for (const StridedView::Dim &part : parts)
    size *= part.size;
  return size;
}

SmallVector<int64_t> StridedView::shape() const {
  return llvm::map_to_vector(
      parts(), [](const Parts &own) { return sizeOf(own); });
}

bool StridedView::isPadded() const {
  return llvm::any_of(bounds, [&](const Bound &bound) {
    return bound.count < dims[bound.outer].size * dims[bound.inner].size;
  });
}

bool StridedView::isDense() const {
  int64_t stride = 1;
  for (const Dim &dim : llvm::reverse(dims)) {
    if (dim.size != 1 && dim.stride != stride)
      return false;
    stride *= dim.size;
  }
  return !isPadded();
}

int64_t StridedView::elementCount() const { return sizeOf(dims); }

bool StridedView::transpose(ArrayRef<int64_t> permutation) {
  SmallVector<Parts> from = parts(), to;
  SmallVector<unsigned> first(1, 0);
  for (unsigned count : partCounts)
    first.push_back(first.back() + count);
  // Where each part goes.
  SmallVector<unsigned> places(dims.size());
  unsigned place = 0;
  for (int64_t dim : permutation) {
    to.push_back(from[dim]);
    for (unsigned part = first[dim]; part < first[dim + 1]; ++part)
      places[part] = place++;
  }
  SmallVector<Bound> moved;
  for (const Bound &bound : bounds) {
    moved.push_back({places[bound.outer], places[bound.inner], bound.count});
    // What exists is cut from the outer part inwards.
    if (moved.back().outer > moved.back().inner && isPadded())
      return false;
  }
  setParts(to);
  bounds = std::move(moved);
  return true;
}

bool StridedView::reverse(ArrayRef<int64_t> dimensions) {
  if (isPadded())
    return false;
  if (elementCount() == 0)
    return true;
  SmallVector<Parts> reversed = parts();
  for (int64_t dimension : dimensions)
    for (Dim &part : reversed[dimension]) {
      offset += (part.size - 1) * part.stride;
      part.stride = -part.stride;
    }
  setParts(reversed);
  return true;
}

bool StridedView::cut(ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes,
                      ArrayRef<int64_t> strides) {
  if (isPadded())
    return false;
  SmallVector<Parts> result = parts();
  for (auto [own, first, size, stride] :
       llvm::zip(result, offsets, sizes, strides)) {
    Dim &outer = own.front();
    int64_t inner = sizeOf(ArrayRef<Dim>(own).drop_front());
    if (first == 0 && stride == 1 && size == sizeOf(own))
      continue;
    // Several parts: only whole indices of the outer one.
    if (own.size() > 1 && (stride != 1 || first % inner || size % inner))
      return false;
    offset += first / inner * outer.stride;
    outer = {size / inner, outer.stride * stride};
  }
  setParts(result);
  return true;
}

bool StridedView::reshape(ArrayRef<int64_t> shape) {
  if (isPadded())
    return false;
  if (elementCount() == 0) {
    *this = dense(shape);
    return true;
  }
  // Join neighbours whose strides fit, then share the joined ones out: both shapes
  // are walked from the right.
  SmallVector<Dim> joined;
  for (const Dim &dim : llvm::reverse(dims)) {
    if (dim.size == 1)
      continue;
    if (!joined.empty() &&
        dim.stride == joined.back().size * joined.back().stride)
      joined.back().size *= dim.size;
    else
      joined.push_back(dim);
  }
  SmallVector<Parts> result;
  auto source = joined.begin();
  Dim rest{1, 1};
  for (int64_t size : llvm::reverse(shape)) {
    Parts own;
    while (size > 1) {
      if (rest.size == 1)
        rest = *source++;
      int64_t taken = std::min(size, rest.size);
      if (size % taken != 0 || rest.size % taken != 0)
        return false;
      own.push_back({taken, rest.stride});
      rest = {rest.size / taken, rest.stride * taken};
      size /= taken;
    }
    if (own.empty())
      own.push_back({1, 1});
    std::reverse(own.begin(), own.end());
    result.push_back(own);
  }
  std::reverse(result.begin(), result.end());
  setParts(result);
  return true;
}

bool StridedView::broadcast(ArrayRef<int64_t> shape) {
  if (isPadded())
    return false;
  SmallVector<Parts> from = parts(), to;
  size_t added = shape.size() - from.size();
  for (auto [i, size] : llvm::enumerate(shape)) {
    bool isKept = i >= added && (size == 1 || sizeOf(from[i - added]) != 1);
    to.push_back(isKept ? from[i - added] : Parts{{size, 0}});
  }
  setParts(to);
  return true;
}

bool StridedView::pack(int64_t width, int64_t depthGroup) {
  if (isPadded())
    return false;
  SmallVector<Parts> result = parts();
  int64_t columns = sizeOf(result.back());
  int64_t rows = sizeOf(result[result.size() - 2]);
  // The outer parts, then `size` indices that lie together; false if they do not
  // divide the innermost of several parts.
  auto split = [](const Parts &own, int64_t size, Parts &outer, Parts &inner) {
    Dim last = own.back();
    if (own.size() > 1 && last.size % size != 0)
      return false;
    outer = Parts(own.begin(), std::prev(own.end()));
    outer.push_back({(last.size + size - 1) / size, last.stride * size});
    inner = {{size, last.stride}};
    return true;
  };
  Parts panels, lanes, groups, group;
  if (!split(result.pop_back_val(), width, panels, lanes))
    return false;
  Parts depth = result.pop_back_val();
  if (depthGroup == 1)
    groups = depth;
  else if (!split(depth, depthGroup, groups, group))
    return false;
  result.append({panels, groups, lanes});
  if (depthGroup > 1)
    result.push_back(group);
  unsigned before = 0;
  for (const Parts &own : ArrayRef(result).drop_back(depthGroup > 1 ? 4 : 3))
    before += own.size();
  setParts(result);
  // Those of several parts have no padding.
  unsigned panel = before + panels.size() - 1, lane = panel + groups.size() + 1;
  if (panels.size() == 1)
    bounds.push_back({panel, lane, columns});
  if (depthGroup > 1 && groups.size() == 1)
    bounds.push_back({panel + 1, lane + 1, rows});
  return true;
}

StridedView StridedView::slice(unsigned dim, int64_t begin,
                               int64_t size) const {
  StridedView part = *this;
  part.dims[dim].size = size;
  part.offset += begin * dims[dim].stride;
  for (Bound &bound : part.bounds) {
    if (dim == bound.outer)
      bound.count -= begin * dims[bound.inner].size;
    else if (dim == bound.inner)
      bound.count -= begin;
    bound.count = std::max<int64_t>(bound.count, 0);
  }
  return part;
}

namespace {

/// A plane of the copy: `rows` walk the dimension along which the source steps
/// are smallest, `lanes` the last dimension of the target.
struct Plane {
  int64_t rows, rowSource, rowTarget;
  int64_t lanes, laneSource;
};

/// Source and target may be unaligned: elements go by memcpy. Blocks are of a
/// size that keeps both sides in the L1 cache.
template <typename T>
void copyPlane(const Plane &plane, const char *source, char *target) {
  constexpr int64_t bytes = sizeof(T);
  if (plane.laneSource == 1) {
    for (int64_t row = 0; row < plane.rows; ++row)
      std::memcpy(target + row * plane.rowTarget * bytes,
                  source + row * plane.rowSource * bytes, plane.lanes * bytes);
    return;
  }
  constexpr int64_t block = 32;
  for (int64_t row = 0; row < plane.rows; row += block)
    for (int64_t lane = 0; lane < plane.lanes; lane += block) {
      int64_t rowEnd = std::min(row + block, plane.rows);
      int64_t laneEnd = std::min(lane + block, plane.lanes);
      for (int64_t r = row; r < rowEnd; ++r)
        for (int64_t l = lane; l < laneEnd; ++l)
          std::memcpy(
              target + (r * plane.rowTarget + l) * bytes,
              source + (r * plane.rowSource + l * plane.laneSource) * bytes,
              bytes);
    }
}

/// Copies a view without padding to a target with the given strides, the last
/// of which is 1.
template <typename T> class Copy {
public:
  Copy(ArrayRef<StridedView::Dim> dims, ArrayRef<int64_t> targetStrides)
      : dims(dims), targetStrides(targetStrides) {
    for (int64_t i = 0, e = dims.size() - 1; i < e; ++i)
      if (dims[i].size > 1 &&
          (rowDim < 0 || std::abs(dims[i].stride) < std::abs(dims[rowDim].stride)))
        rowDim = i;
    plane = {1, 0, 0, dims.back().size, dims.back().stride};
    if (rowDim >= 0) {
      plane.rows = dims[rowDim].size;
      plane.rowSource = dims[rowDim].stride;
      plane.rowTarget = targetStrides[rowDim];
    }
  }

  /// Walks dimension `dim` and those behind it.
  void run(int64_t dim, const char *source, char *target) {
    if (dim + 1 == static_cast<int64_t>(dims.size()))
      return copyPlane<T>(plane, source, target);
    if (dim == rowDim)
      return run(dim + 1, source, target);
    for (int64_t i = 0; i < dims[dim].size; ++i) {
      run(dim + 1, source, target);
      source += dims[dim].stride * static_cast<int64_t>(sizeof(T));
      target += targetStrides[dim] * static_cast<int64_t>(sizeof(T));
    }
  }

private:
  ArrayRef<StridedView::Dim> dims;
  ArrayRef<int64_t> targetStrides;
  int64_t rowDim = -1;
  Plane plane;
};

/// Neighbours that both sides walk as one, and no dimensions of size 1.
void joinDims(SmallVectorImpl<StridedView::Dim> &dims,
              SmallVectorImpl<int64_t> &targetStrides) {
  SmallVector<StridedView::Dim> joined;
  SmallVector<int64_t> strides;
  for (auto [dim, stride] : llvm::zip(dims, targetStrides)) {
    if (dim.size == 1)
      continue;
    if (!joined.empty() && joined.back().stride == dim.size * dim.stride &&
        strides.back() == dim.size * stride) {
      joined.back() = {joined.back().size * dim.size, dim.stride};
      strides.back() = stride;
      continue;
    }
    joined.push_back(dim);
    strides.push_back(stride);
  }
  if (joined.empty() || strides.back() != 1) {
    joined.push_back({1, 1});
    strides.push_back(1);
  }
  dims = std::move(joined);
  targetStrides = std::move(strides);
}

void copyDense(const StridedView &view, ArrayRef<int64_t> viewStrides,
               int64_t elementBytes, const char *source, char *target) {
  if (view.elementCount() == 0)
    return;
  source += view.offset * elementBytes;
  SmallVector<StridedView::Dim> dims = view.dims;
  SmallVector<int64_t> targetStrides(viewStrides);
  joinDims(dims, targetStrides);
  switch (elementBytes) {
  case 1:
    return Copy<uint8_t>(dims, targetStrides).run(0, source, target);
  case 2:
    return Copy<uint16_t>(dims, targetStrides).run(0, source, target);
  case 4:
    return Copy<uint32_t>(dims, targetStrides).run(0, source, target);
  default:
    assert(elementBytes == 8 && "expects 1, 2, 4 or 8 bytes an element");
    return Copy<uint64_t>(dims, targetStrides).run(0, source, target);
  }
}

/// Copies what exists by the bounds from number `bound` on: the indices of the outer
/// part that are whole, then what the next one has of the inner part.
void copyBounded(const StridedView &view, unsigned bound,
                 ArrayRef<int64_t> targetStrides, int64_t elementBytes,
                 const char *source, char *target) {
  if (bound == view.bounds.size())
    return copyDense(view, targetStrides, elementBytes, source, target);
  auto [outer, inner, count] = view.bounds[bound];
  int64_t outers = view.dims[outer].size, inners = view.dims[inner].size;
  int64_t whole = inners ? std::min(outers, count / inners) : outers;
  copyBounded(view.slice(outer, 0, whole), bound + 1, targetStrides,
              elementBytes, source, target);
  if (whole == outers || count % inners == 0)
    return;
  copyBounded(view.slice(outer, whole, 1).slice(inner, 0, count % inners),
              bound + 1, targetStrides, elementBytes, source,
              target + whole * targetStrides[outer] * elementBytes);
}

} // namespace

void copyElements(const StridedView &view, int64_t elementBytes,
                  const char *source, char *target) {
  SmallVector<int64_t> strides;
  int64_t stride = 1;
  for (const StridedView::Dim &dim : llvm::reverse(view.dims)) {
    strides.push_back(stride);
    stride *= dim.size;
  }
  std::reverse(strides.begin(), strides.end());
  if (!view.isPadded())
    return copyDense(view, strides, elementBytes, source, target);
  std::memset(target, 0, view.elementCount() * elementBytes);
  copyBounded(view, 0, strides, elementBytes, source, target);
}

/// The elements of `view`, whose parts before `dim` have size 1.
static void copyRangeFrom(const StridedView &view, unsigned dim,
                          int64_t elementBytes, const char *source,
                          int64_t begin, int64_t count, char *target) {
  if (count == 0)
    return;
  if (dim == view.dims.size())
    return copyElements(view, elementBytes, source, target);
  const int64_t inner = sizeOf(ArrayRef(view.dims).drop_front(dim + 1));
  auto copyPart = [&](int64_t from, int64_t part) {
    copyRangeFrom(view.slice(dim, begin / inner, 1), dim + 1, elementBytes,
                  source, from, part, target);
    begin += part;
    count -= part;
    target += part * elementBytes;
  };
  if (int64_t from = begin % inner)
    copyPart(from, std::min(count, inner - from));
  if (int64_t whole = count / inner) {
    copyElements(view.slice(dim, begin / inner, whole), elementBytes, source,
                 target);
    begin += whole * inner;
    count -= whole * inner;
    target += whole * inner * elementBytes;
  }
  if (count > 0)
    copyPart(0, count);
}

void copyRange(const StridedView &view, int64_t elementBytes,
               const char *source, int64_t begin, int64_t count,
               char *target) {
  copyRangeFrom(view, 0, elementBytes, source, begin, count, target);
}

} // namespace tessera::graph
