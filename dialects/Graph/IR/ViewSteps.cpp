// Recipe steps that only map indices: each is a change of the strided view through which
// the source is read.
#include "dialects/Graph/IR/WeightReader.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using namespace tessera::graph;

using Reason = std::string;

/// `source` with another shape.
static RankedTensorType reshaped(RankedTensorType source,
                                 ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, source.getElementType());
}

/// The type that `step`, which applies, makes of the reader's elements.
static RankedTensorType resultOf(RecipeStep step, WeightReader &reader) {
  Reason ignored;
  return *step.resultType(reader.type(), ignored);
}

bool TransposeAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> TransposeAttr::resultType(RankedTensorType source,
                                                      Reason &reason) const {
  if (getPermutation().size() == size_t(source.getRank()) &&
      isPermutationVector(getPermutation()))
    return reshaped(source,
                    applyPermutation(source.getShape(), getPermutation()));
  reason = "a transpose does not permute its source's dimensions";
  return failure();
}
llvm::Error TransposeAttr::apply(WeightReader &reader) const {
  return reader.mapIndices(resultOf(*this, reader), [&](StridedView &view) {
    return view.transpose(getPermutation());
  });
}

bool ReverseAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> ReverseAttr::resultType(RankedTensorType source,
                                                    Reason &reason) const {
  if (llvm::all_of(getDimensions(), [&](int64_t dimension) {
        return dimension >= 0 && dimension < source.getRank();
      }))
    return source;
  reason = "a reverse names a dimension that its source lacks";
  return failure();
}
llvm::Error ReverseAttr::apply(WeightReader &reader) const {
  return reader.mapIndices(reader.type(), [&](StridedView &view) {
    return view.reverse(getDimensions());
  });
}

static bool isSliceOf(ArrayRef<int64_t> shape, SliceAttr slice) {
  ArrayRef<int64_t> offsets = slice.getOffsets(), sizes = slice.getSizes(),
                    strides = slice.getStrides();
  if (offsets.size() != shape.size() || sizes.size() != shape.size() ||
      strides.size() != shape.size())
    return false;
  for (auto [source, offset, size, stride] :
       llvm::zip(shape, offsets, sizes, strides))
    if (offset < 0 || size < 0 || stride < 1 ||
        (size > 0 && (offset >= source ||
                      (size - 1) > (source - 1 - offset) / stride)))
      return false;
  return true;
}

bool SliceAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> SliceAttr::resultType(RankedTensorType source,
                                                  Reason &reason) const {
  if (isSliceOf(source.getShape(), *this))
    return reshaped(source, getSizes());
  reason = "a slice is not within its source";
  return failure();
}
llvm::Error SliceAttr::apply(WeightReader &reader) const {
  return reader.mapIndices(resultOf(*this, reader), [&](StridedView &view) {
    return view.cut(getOffsets(), getSizes(), getStrides());
  });
}

bool ReshapeAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> ReshapeAttr::resultType(RankedTensorType source,
                                                    Reason &reason) const {
  if (llvm::all_of(getShape(), [](int64_t size) { return size >= 0; }) &&
      ShapedType::getNumElements(getShape()) == source.getNumElements())
    return reshaped(source, getShape());
  reason = "a reshape changes the number of elements";
  return failure();
}
llvm::Error ReshapeAttr::apply(WeightReader &reader) const {
  return reader.reshape(resultOf(*this, reader));
}

bool BroadcastAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> BroadcastAttr::resultType(RankedTensorType source,
                                                      Reason &reason) const {
  ArrayRef<int64_t> from = source.getShape(), to = getShape();
  bool isBroadcast =
      from.size() <= to.size() &&
      llvm::all_of(to, [](int64_t size) { return size >= 0; }) &&
      llvm::all_of(llvm::zip(from, to.take_back(from.size())), [](auto sizes) {
        return std::get<0>(sizes) == 1 ||
               std::get<0>(sizes) == std::get<1>(sizes);
      });
  if (isBroadcast)
    return reshaped(source, to);
  reason = "a broadcast changes a dimension that is not 1";
  return failure();
}
llvm::Error BroadcastAttr::apply(WeightReader &reader) const {
  return reader.mapIndices(resultOf(*this, reader), [&](StridedView &view) {
    return view.broadcast(getShape());
  });
}

bool PackAttr::mapsIndices() const { return true; }
FailureOr<RankedTensorType> PackAttr::resultType(RankedTensorType source,
                                                 Reason &reason) const {
  if (source.getRank() < 2 || getWidth() <= 0 || getDepthGroup() <= 0) {
    reason = "a pack needs two dimensions, a positive width and depth group";
    return failure();
  }
  SmallVector<int64_t> shape(source.getShape().drop_back(2));
  ArrayRef<int64_t> matrix = source.getShape().take_back(2);
  shape.append({llvm::divideCeilSigned(matrix[1], getWidth()),
                llvm::divideCeilSigned(matrix[0], getDepthGroup()), getWidth()});
  if (getDepthGroup() > 1)
    shape.push_back(getDepthGroup());
  return reshaped(source, shape);
}
llvm::Error PackAttr::apply(WeightReader &reader) const {
  return reader.mapIndices(resultOf(*this, reader), [&](StridedView &view) {
    return view.pack(getWidth(), getDepthGroup());
  });
}
