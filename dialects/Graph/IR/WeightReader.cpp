// A weight on its way through its recipe.
#include "dialects/Graph/IR/WeightReader.h"

using namespace mlir;

namespace tessera::graph {

/// How many elements are read at once into memory or a file.
static constexpr int64_t storedElements = 1 << 20;

llvm::Expected<WeightSource> storeInMemory(WeightStream &stream, int64_t count,
                                           int64_t elementBytes) {
  std::vector<char> bytes(count * elementBytes);
  for (int64_t begin = 0; begin < count; begin += storedElements)
    if (llvm::Error error =
            stream.read(begin, std::min(storedElements, count - begin),
                        bytes.data() + begin * elementBytes))
      return std::move(error);
  return WeightSource::ofBytes(std::move(bytes));
}

static llvm::Expected<StreamPtr> openFile(FileAttr file, RankedTensorType type,
                                          int64_t elementBytes) {
  auto source = WeightSource::openFile(file.getPath(), file.getOffset(),
                                       file.getBytes());
  if (!source)
    return source.takeError();
  return streamOf(std::make_shared<WeightSource>(std::move(*source)),
                  StridedView::dense(type.getShape()), elementBytes);
}

StreamPtr WeightReader::openParts(ConcatAttr concat, int64_t elementBytes,
                                  const StoreElements &store) {
  std::vector<StreamPart> parts;
  for (PartAttr part : concat.getParts()) {
    std::string reason;
    FailureOr<RankedTensorType> type = typeOf(part, reason);
    assert(succeeded(type) && "expects a valid part");
    auto open = [part, &store]() -> llvm::Expected<StreamPtr> {
      auto reader = WeightReader::open(part, store);
      if (!reader)
        return reader.takeError();
      return std::move(reader->stream);
    };
    parts.push_back({open, type->getNumElements()});
  }
  return joined(std::move(parts), elementBytes);
}

llvm::Expected<WeightReader> WeightReader::open(PartAttr part,
                                                const StoreElements &store) {
  RankedTensorType type = part.getSourceType();
  const int64_t elementBytes = elementBytesOf(type.getElementType());
  if (elementBytes == 0)
    return llvm::createStringError(
        "expects elements of 1, 8, 16, 32 or 64 bits, but got " +
        llvm::Twine(type.getElementTypeBitWidth()));
  llvm::Expected<StreamPtr> source = StreamPtr();
  if (auto file = dyn_cast<FileAttr>(part.getSource()))
    source = openFile(file, type, elementBytes);
  else if (auto concat = dyn_cast<ConcatAttr>(part.getSource()))
    source = openParts(concat, elementBytes, store);
  else
    source = streamOf(cast<ElementsAttr>(part.getSource()));
  if (!source)
    return source.takeError();
  WeightReader reader(std::move(*source), type, store);
  for (auto step : part.getRecipe().getAsRange<RecipeStep>())
    if (llvm::Error error = step.apply(reader))
      return std::move(error);
  return reader;
}

llvm::Expected<StreamPtr> WeightReader::openOperand(PartAttr part) const {
  auto reader = open(part, *store);
  if (!reader)
    return reader.takeError();
  return std::move(reader->stream);
}

llvm::Error WeightReader::mapIndices(RankedTensorType type, ViewStep step) {
  StreamPtr mapped = stream->remapped(step);
  if (!mapped) {
    auto stored =
        (*store)(*stream, elementsType.getNumElements(), elementBytes());
    if (!stored)
      return stored.takeError();
    stream = streamOf(std::make_shared<WeightSource>(std::move(*stored)),
                      StridedView::dense(elementsType.getShape()),
                      elementBytes());
    mapped = stream->remapped(step);
    assert(mapped && "a dense view takes any step");
  }
  stream = std::move(mapped);
  elementsType = type;
  return llvm::Error::success();
}

llvm::Error WeightReader::reshape(RankedTensorType type) {
  StreamPtr mapped = stream->remapped([&](StridedView &view) {
    return view.reshape(type.getShape());
  });
  // Row-major order stays, so that only a step behind it would need a view.
  stream = mapped ? std::move(mapped) : withoutViews(std::move(stream));
  elementsType = type;
  return llvm::Error::success();
}

void WeightReader::compute(RankedTensorType type, const ElementwiseWork &work,
                           std::vector<StreamPtr> others, unsigned position) {
  others.insert(others.begin() + position, std::move(stream));
  stream = computed(work, std::move(others));
  elementsType = type;
}

void WeightReader::replace(RankedTensorType type,
                           llvm::function_ref<StreamPtr(StreamPtr)> make) {
  stream = make(std::move(stream));
  elementsType = type;
}

llvm::Expected<DenseElementsAttr> elementsOf(PartAttr part, int64_t mostBytes) {
  StoreElements store = storeInMemory;
  auto reader = WeightReader::open(part, store);
  if (!reader)
    return reader.takeError();
  RankedTensorType type = reader->type();
  const int64_t count = type.getNumElements();
  if (count * reader->elementBytes() > mostBytes)
    return llvm::createStringError("expects at most " + llvm::Twine(mostBytes) +
                                   " bytes");
  if (count == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  std::vector<char> bytes(count * reader->elementBytes());
  if (llvm::Error error = reader->read(0, count, bytes.data()))
    return std::move(error);
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> booleans(bytes.begin(), bytes.end());
    return DenseElementsAttr::get(type, booleans);
  }
  ArrayRef<char> raw(bytes);
  // Of elements that are all the same, one is enough.
  ArrayRef<char> one = raw.take_front(reader->elementBytes());
  bool isSplat = raw.drop_front(one.size()) == raw.drop_back(one.size());
  return DenseElementsAttr::getFromRawBuffer(type, isSplat ? one : raw);
}

} // namespace tessera::graph
