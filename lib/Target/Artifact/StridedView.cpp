// A weight on its way through its recipe.
#include "lib/Target/Artifact/StridedView.h"

#include "llvm/ADT/STLExtras.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;

namespace tessera::artifact {

StridedView StridedView::dense(ArrayRef<int64_t> shape) {
  StridedView view;
  int64_t stride = 1;
  for (int64_t size : llvm::reverse(shape)) {
    view.dims.push_back({size, stride});
    stride *= size;
  }
  std::reverse(view.dims.begin(), view.dims.end());
  return view;
}

SmallVector<int64_t> StridedView::shape() const {
  return llvm::map_to_vector(dims, [](Dim dim) { return dim.size; });
}

bool StridedView::isPadded() const {
  return panelDim >= 0 &&
         columns < dims[panelDim].size * dims.back().size;
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

int64_t StridedView::elementCount() const {
  int64_t count = 1;
  for (const Dim &dim : dims)
    count *= dim.size;
  return count;
}

bool StridedView::transpose(ArrayRef<int64_t> permutation) {
  if (isPadded())
    return false;
  SmallVector<Dim> permuted;
  for (int64_t from : permutation)
    permuted.push_back(dims[from]);
  dims = std::move(permuted);
  panelDim = -1;
  return true;
}

bool StridedView::reverse(ArrayRef<int64_t> dimensions) {
  if (isPadded())
    return false;
  if (elementCount() == 0)
    return true;
  for (int64_t dimension : dimensions) {
    offset += (dims[dimension].size - 1) * dims[dimension].stride;
    dims[dimension].stride = -dims[dimension].stride;
  }
  panelDim = -1;
  return true;
}

bool StridedView::cut(ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes,
                      ArrayRef<int64_t> strides) {
  if (isPadded())
    return false;
  for (auto [dim, first, size, stride] :
       llvm::zip(dims, offsets, sizes, strides)) {
    offset += first * dim.stride;
    dim = {size, dim.stride * stride};
  }
  panelDim = -1;
  return true;
}

bool StridedView::reshape(ArrayRef<int64_t> shape) {
  if (isPadded())
    return false;
  if (elementCount() == 0) {
    *this = dense(shape);
    return true;
  }
  // Join neighbours whose strides fit, then split the joined ones: both shapes
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
  SmallVector<Dim> result;
  auto source = joined.begin();
  Dim rest = source == joined.end() ? Dim{1, 1} : *source++;
  for (int64_t size : llvm::reverse(shape)) {
    if (rest.size == 1 && source != joined.end() && size != 1)
      rest = *source++;
    if (rest.size % size != 0)
      return false;
    result.push_back({size, rest.stride});
    rest.size /= size;
    rest.stride *= size;
  }
  std::reverse(result.begin(), result.end());
  dims = std::move(result);
  panelDim = -1;
  return true;
}

bool StridedView::pack(int64_t width) {
  if (isPadded())
    return false;
  Dim columnsDim = dims.pop_back_val();
  Dim panels{(columnsDim.size + width - 1) / width, columnsDim.stride * width};
  dims.insert(std::prev(dims.end()), panels);
  dims.push_back({width, columnsDim.stride});
  columns = columnsDim.size;
  panelDim = dims.size() - 3;
  return true;
}

StridedView StridedView::slice(int64_t dim, int64_t begin,
                               int64_t size) const {
  StridedView part = *this;
  part.dims[dim].size = size;
  part.offset += begin * dims[dim].stride;
  if (dim == panelDim)
    part.columns = columns - begin * dims.back().size;
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

void copyDense(const StridedView &view, ArrayRef<int64_t> targetStrides,
               int64_t elementBytes, const char *source, char *target) {
  if (view.elementCount() == 0)
    return;
  source += view.offset * elementBytes;
  switch (elementBytes) {
  case 1:
    return Copy<uint8_t>(view.dims, targetStrides).run(0, source, target);
  case 2:
    return Copy<uint16_t>(view.dims, targetStrides).run(0, source, target);
  case 4:
    return Copy<uint32_t>(view.dims, targetStrides).run(0, source, target);
  default:
    assert(elementBytes == 8 && "expects 1, 2, 4 or 8 bytes an element");
    return Copy<uint64_t>(view.dims, targetStrides).run(0, source, target);
  }
}

} // namespace

void copyElements(const StridedView &view, int64_t elementBytes,
                  const char *source, char *target) {
  if (view.dims.empty()) {
    std::memcpy(target, source + view.offset * elementBytes, elementBytes);
    return;
  }
  SmallVector<int64_t> strides;
  for (const StridedView::Dim &dim : StridedView::dense(view.shape()).dims)
    strides.push_back(dim.stride);
  if (!view.isPadded())
    return copyDense(view, strides, elementBytes, source, target);

  // The panels that are full, then the lanes that the next one has.
  std::memset(target, 0, view.elementCount() * elementBytes);
  int64_t lanes = view.dims.back().size;
  int64_t columns = std::max<int64_t>(view.columns, 0);
  int64_t full = columns / lanes;
  copyDense(view.slice(view.panelDim, 0, full), strides, elementBytes, source,
            target);
  if (columns % lanes == 0)
    return;
  StridedView last = view.slice(view.panelDim, full, 1);
  last.dims.back().size = columns % lanes;
  copyDense(last, strides, elementBytes, source,
            target + full * strides[view.panelDim] * elementBytes);
}

} // namespace tessera::artifact
