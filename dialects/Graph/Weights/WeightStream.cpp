// Elements of a weight, read in any part and made of others as they are read.
#include "dialects/Graph/Weights/WeightStream.h"

#include "llvm/ADT/STLExtras.h"

#include <cstring>

using namespace mlir;

namespace tessera::graph {
namespace {

/// How many elements a computation takes at once: enough that a transposed source is
/// read in whole cache lines, few enough that the operands of a long recipe stay
/// below the artifact's own buffer.
constexpr int64_t blockElements = 256 << 10;

class SourceStream : public WeightStream {
public:
  SourceStream(std::shared_ptr<WeightSource> source, StridedView view,
               int64_t elementBytes)
      : source(std::move(source)), view(std::move(view)),
        elementBytes(elementBytes), isDense(this->view.isDense()) {}

  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    // Without a mapping, whose pages would stay until the end.
    if (isDense)
      return source->read((view.offset + begin) * elementBytes,
                          count * elementBytes, target);
    llvm::Expected<const char *> bytes = source->map();
    if (!bytes)
      return bytes.takeError();
    copyRange(view, elementBytes, *bytes, begin, count, target);
    return llvm::Error::success();
  }

  StreamPtr remapped(ViewStep step) const override {
    StridedView changed = view;
    if (!step(changed))
      return nullptr;
    return std::make_unique<SourceStream>(source, std::move(changed),
                                          elementBytes);
  }

  bool isPadded() const override { return view.isPadded(); }

private:
  std::shared_ptr<WeightSource> source;
  StridedView view;
  int64_t elementBytes;
  bool isDense;
};

class ComputedStream : public WeightStream {
public:
  ComputedStream(const ElementwiseWork &work, std::vector<StreamPtr> operands)
      : work(work), operands(std::move(operands)),
        buffers(this->operands.size()) {}

  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    SmallVector<const char *> sources;
    for (auto [kind, buffer] : llvm::zip(work.operands, buffers)) {
      buffer.resize(std::max<size_t>(
          buffer.size(), std::min(count, blockElements) * bytesOf(kind)));
      sources.push_back(buffer.data());
    }
    while (count > 0) {
      int64_t block = std::min(count, blockElements);
      for (auto [operand, buffer] : llvm::zip(operands, buffers))
        if (llvm::Error error = operand->read(begin, block, buffer.data()))
          return error;
      work.function({block, sources, work.operands, target, work.result,
                     work.predicate});
      begin += block;
      count -= block;
      target += block * bytesOf(work.result);
    }
    return llvm::Error::success();
  }

  StreamPtr remapped(ViewStep step) const override {
    std::vector<StreamPtr> changed;
    for (const StreamPtr &operand : operands) {
      changed.push_back(operand->remapped(step));
      // What is computed of padding need not be zero: infinity times 0, 0 / 0.
      if (!changed.back() || changed.back()->isPadded() > keepsPadding())
        return nullptr;
    }
    return std::make_unique<ComputedStream>(work, std::move(changed));
  }

  bool isPadded() const override {
    return llvm::any_of(operands, [](const StreamPtr &operand) {
      return operand->isPadded();
    });
  }

private:
  /// Whether zeros of all operands give zero.
  bool keepsPadding() const {
    char zeros[3][8] = {}, result[8] = {};
    SmallVector<const char *> sources;
    for (size_t i = 0; i < operands.size(); ++i)
      sources.push_back(zeros[i]);
    work.function(
        {1, sources, work.operands, result, work.result, work.predicate});
    return llvm::all_of(ArrayRef(result, bytesOf(work.result)),
                        [](char byte) { return byte == 0; });
  }

  ElementwiseWork work;
  std::vector<StreamPtr> operands;
  std::vector<std::vector<char>> buffers;
};

class JoinedStream : public WeightStream {
public:
  JoinedStream(std::vector<StreamPart> parts, int64_t elementBytes)
      : parts(std::move(parts)), elementBytes(elementBytes) {}

  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    int64_t first = 0;
    for (auto [number, part] : llvm::enumerate(parts)) {
      int64_t from = std::max(begin, first);
      int64_t to = std::min(begin + count, first + part.count);
      if (from < to) {
        if (!current || open != number) {
          current = nullptr;
          auto opened = part.open();
          if (!opened)
            return opened.takeError();
          current = std::move(*opened);
          open = number;
        }
        if (llvm::Error error =
                current->read(from - first, to - from,
                              target + (from - begin) * elementBytes))
          return error;
      }
      first += part.count;
    }
    return llvm::Error::success();
  }

private:
  std::vector<StreamPart> parts;
  int64_t elementBytes;
  /// The part that was read last, number `open`.
  StreamPtr current;
  size_t open = 0;
};

class FixedStream : public WeightStream {
public:
  explicit FixedStream(StreamPtr stream) : stream(std::move(stream)) {}
  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    return stream->read(begin, count, target);
  }

private:
  StreamPtr stream;
};

class UnpackedStream : public WeightStream {
public:
  UnpackedStream(StreamPtr bytes, unsigned bits)
      : bytes(std::move(bytes)), bits(bits) {}

  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    const int64_t inByte = 8 / bits;
    int64_t first = begin / inByte;
    packed.resize((begin + count + inByte - 1) / inByte - first);
    if (llvm::Error error = bytes->read(first, packed.size(), packed.data()))
      return error;
    for (int64_t i = 0; i < count; ++i) {
      int64_t at = begin + i;
      target[i] = static_cast<uint8_t>(packed[at / inByte - first]) >>
                      at % inByte * bits &
                  ((1u << bits) - 1);
    }
    return llvm::Error::success();
  }

private:
  StreamPtr bytes;
  unsigned bits;
  std::vector<char> packed;
};

class TakenStream : public WeightStream {
public:
  TakenStream(StreamPtr data, TakenEntries entries)
      : data(std::move(data)), entries(std::move(entries)) {}

  llvm::Error read(int64_t begin, int64_t count, char *target) override {
    int64_t taken = entries.indices.size(), inner = entries.inner;
    while (count > 0) {
      int64_t entry = begin / inner, within = begin % inner;
      int64_t part = std::min(count, inner - within);
      int64_t from = entry / taken * entries.size +
                     entries.indices[entry % taken];
      if (llvm::Error error = data->read(from * inner + within, part, target))
        return error;
      begin += part;
      count -= part;
      target += part * entries.elementBytes;
    }
    return llvm::Error::success();
  }

private:
  StreamPtr data;
  TakenEntries entries;
};

} // namespace

int64_t elementBytesOf(Type elementType) {
  std::optional<ElementKind> kind = elementKindOf(elementType);
  return kind ? bytesOf(*kind) : 0;
}

StreamPtr streamOf(std::shared_ptr<WeightSource> source, StridedView view,
                   int64_t elementBytes) {
  return std::make_unique<SourceStream>(std::move(source), std::move(view),
                                        elementBytes);
}

llvm::Expected<StreamPtr> streamOf(ElementsAttr elements) {
  llvm::Expected<WeightSource> source = WeightSource::ofElements(elements);
  if (!source)
    return source.takeError();
  ArrayRef<int64_t> shape = elements.getShapedType().getShape();
  StridedView view = StridedView::dense(shape);
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (dense && dense.isSplat()) {
    view = StridedView::dense({});
    view.broadcast(shape);
  }
  return streamOf(std::make_shared<WeightSource>(std::move(*source)), view,
                  elementBytesOf(elements.getShapedType().getElementType()));
}

StreamPtr computed(const ElementwiseWork &work,
                   std::vector<StreamPtr> operands) {
  return std::make_unique<ComputedStream>(work, std::move(operands));
}

StreamPtr joined(std::vector<StreamPart> parts, int64_t elementBytes) {
  return std::make_unique<JoinedStream>(std::move(parts), elementBytes);
}

StreamPtr withoutViews(StreamPtr stream) {
  return std::make_unique<FixedStream>(std::move(stream));
}

StreamPtr unpacked(StreamPtr bytes, unsigned bits) {
  return std::make_unique<UnpackedStream>(std::move(bytes), bits);
}

StreamPtr taken(StreamPtr data, TakenEntries entries) {
  return std::make_unique<TakenStream>(std::move(data), std::move(entries));
}

} // namespace tessera::graph
