// Recipe steps that take entries of a weight, or join its elements.
#include "dialects/Graph/IR/WeightReader.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace tessera::graph;

/// More indices than this, 8 bytes each, are not held in memory.
static constexpr int64_t mostIndices = 16 << 20;

FailureOr<RankedTensorType> TakeAttr::resultType(RankedTensorType source,
                                                 std::string &reason) const {
  FailureOr<RankedTensorType> indices = typeOf(getIndices(), reason);
  if (failed(indices))
    return failure();
  Type element = indices->getElementType();
  if (getAxis() < 0 || getAxis() >= source.getRank() ||
      source.getDimSize(getAxis()) == 0 ||
      !(element.isInteger(32) || element.isInteger(64)) ||
      indices->getNumElements() > mostIndices) {
    reason = "a take needs a dimension with entries and at most 16 Mi indices, i32 or "
             "i64";
    return failure();
  }
  SmallVector<int64_t> shape(source.getShape().take_front(getAxis()));
  llvm::append_range(shape, indices->getShape());
  llvm::append_range(shape, source.getShape().drop_front(getAxis() + 1));
  return source.clone(shape);
}

llvm::Error TakeAttr::apply(WeightReader &reader) const {
  auto elements = elementsOf(getIndices(), mostIndices * 8);
  if (!elements)
    return elements.takeError();
  RankedTensorType type = reader.type();
  int64_t size = type.getDimSize(getAxis()), inner = 1;
  for (int64_t behind : type.getShape().drop_front(getAxis() + 1))
    inner *= behind;
  TakenEntries entries{size, inner, reader.elementBytes(), {}};
  for (const APInt &index : elements->getValues<APInt>()) {
    int64_t at = index.getSExtValue();
    at += at < 0 ? size : 0;
    entries.indices.push_back(std::clamp<int64_t>(at, 0, size - 1));
  }
  std::string ignored;
  reader.replace(*resultType(type, ignored), [&](StreamPtr data) {
    return taken(std::move(data), std::move(entries));
  });
  return llvm::Error::success();
}

namespace {

/// Joins elements in f64 or i64.
struct Accumulation {
  enum Kind { Sum, Product, Least, Greatest } kind;

  static std::optional<Accumulation> named(StringRef operation, Type element) {
    bool isFloat = isa<FloatType>(element);
    auto is = [&](StringRef floats, StringRef integers) {
      return operation == (isFloat ? floats : integers);
    };
    if (is("arith.addf", "arith.addi"))
      return Accumulation{Sum};
    if (is("arith.mulf", "arith.muli"))
      return Accumulation{Product};
    if (is("arith.minimumf", "arith.minsi"))
      return Accumulation{Least};
    if (is("arith.maximumf", "arith.maxsi"))
      return Accumulation{Greatest};
    return std::nullopt;
  }

  template <typename T> T start() const {
    switch (kind) {
    case Sum:
      return 0;
    case Product:
      return 1;
    case Least:
      return std::numeric_limits<T>::has_infinity
                 ? std::numeric_limits<T>::infinity()
                 : std::numeric_limits<T>::max();
    case Greatest:
      return std::numeric_limits<T>::has_infinity
                 ? -std::numeric_limits<T>::infinity()
                 : std::numeric_limits<T>::lowest();
    }
    return 0;
  }

  template <typename T> T join(T a, T b) const {
    using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;
    switch (kind) {
    case Sum:
      return Wrapping(a) + Wrapping(b);
    case Product:
      return Wrapping(a) * Wrapping(b);
    case Least:
      return a != a || a < b ? a : b;
    case Greatest:
      return a != a || a > b ? a : b;
    }
    return a;
  }
};

/// The results of `step` as elements of the reader's type, computed block by block.
template <typename T>
llvm::Expected<std::vector<T>> reduce(WeightReader &reader, Accumulation how,
                                      const StridedView &places,
                                      int64_t results) {
  constexpr int64_t block = 64 << 10;
  constexpr ElementKind wideKind =
      std::is_integral_v<T> ? ElementKind::I64 : ElementKind::F64;
  const int64_t count = reader.type().getNumElements();
  ElementKind kind = *elementKindOf(reader.type().getElementType());
  ElementFunction widen =
      ElementOperation::named(std::is_integral_v<T> ? "arith.extsi"
                                                    : "arith.extf")
          ->function;
  std::vector<T> joined(results, how.start<T>()), wide(block);
  std::vector<char> elements(block * reader.elementBytes());
  // The result that each element goes to: the view gives their numbers.
  std::vector<int64_t> numbers(results), to(block);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (int64_t begin = 0; begin < count; begin += block) {
    int64_t part = std::min(block, count - begin);
    if (llvm::Error error = reader.read(begin, part, elements.data()))
      return std::move(error);
    const char *operand = elements.data();
    widen({part, operand, kind, reinterpret_cast<char *>(wide.data()), wideKind,
           0});
    copyRange(places, 8, reinterpret_cast<const char *>(numbers.data()), begin,
              part, reinterpret_cast<char *>(to.data()));
    for (int64_t i = 0; i < part; ++i)
      joined[to[i]] = how.join(joined[to[i]], wide[i]);
  }
  return joined;
}

/// The view of the results in the shape of `type`, repeated along `dimensions`.
StridedView resultPlaces(RankedTensorType type, RankedTensorType result,
                         ArrayRef<int64_t> dimensions) {
  SmallVector<int64_t> kept(type.getShape());
  for (int64_t dimension : dimensions)
    kept[dimension] = 1;
  StridedView places = StridedView::dense(result.getShape());
  places.reshape(kept);
  places.broadcast(type.getShape());
  return places;
}

} // namespace

FailureOr<RankedTensorType> ReduceAttr::resultType(RankedTensorType source,
                                                   std::string &reason) const {
  SmallVector<int64_t> shape;
  int64_t last = -1;
  for (int64_t dimension : getDimensions()) {
    if (dimension <= last || dimension >= source.getRank()) {
      reason = "a reduction needs increasing dimensions of its source";
      return failure();
    }
    last = dimension;
  }
  for (auto [dimension, size] : llvm::enumerate(source.getShape()))
    if (!llvm::is_contained(getDimensions(), int64_t(dimension)))
      shape.push_back(size);
  if (source.getElementTypeBitWidth() > 1 &&
      Accumulation::named(getOperation(), source.getElementType()))
    return source.clone(shape);
  reason = "no reduction of such elements joins by '" + getOperation().str() +
           "'";
  return failure();
}

llvm::Error ReduceAttr::apply(WeightReader &reader) const {
  std::string ignored;
  RankedTensorType type = reader.type(), result = *resultType(type, ignored);
  Accumulation how = *Accumulation::named(getOperation(), type.getElementType());
  StridedView places = resultPlaces(type, result, getDimensions());
  const int64_t count = result.getNumElements();
  ElementKind kind = *elementKindOf(type.getElementType());
  std::vector<char> bytes(count * reader.elementBytes());
  auto narrow = [&](auto joined, ElementKind wide, StringRef cast) {
    ElementOperation::named(cast)->function(
        {count, reinterpret_cast<const char *>(joined.data()), wide,
         bytes.data(), kind, 0});
  };
  if (isa<FloatType>(type.getElementType())) {
    auto joined = reduce<double>(reader, how, places, count);
    if (!joined)
      return joined.takeError();
    narrow(*joined, ElementKind::F64, "arith.truncf");
  } else {
    auto joined = reduce<int64_t>(reader, how, places, count);
    if (!joined)
      return joined.takeError();
    narrow(*joined, ElementKind::I64, "arith.trunci");
  }
  reader.replace(result, [&](StreamPtr) {
    return streamOf(
        std::make_shared<WeightSource>(WeightSource::ofBytes(std::move(bytes))),
        StridedView::dense(result.getShape()), reader.elementBytes());
  });
  return llvm::Error::success();
}
