// Writes the weight bytes of an artifact: runs each weight's recipe, streaming.
#include "lib/Target/Artifact/WeightWriter.h"
#include "lib/Target/Artifact/StridedView.h"
#include "lib/Target/Artifact/TemporaryFile.h"
#include "lib/Target/Artifact/WeightSource.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/ELFObjectFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace mlir;

namespace tessera::artifact {
namespace {

constexpr uint64_t pageBytes = 4096;
constexpr uint64_t chunkBytes = 32 << 20;

std::error_code lastError() {
  return std::error_code(errno, std::generic_category());
}

/// Bytes on their way to a file, counted and hashed.
class ByteSink {
public:
  explicit ByteSink(int file) : file(file) { XXH64_reset(&state, 0); }

  /// Fails with the system's reason.
  std::error_code write(const char *data, uint64_t count) {
    XXH64_update(&state, data, count);
    bytes += count;
    return put(data, count);
  }

  /// Writes zeros up to `position` bytes after the start.
  std::error_code padTo(uint64_t position) {
    static const char zeros[pageBytes] = {};
    while (bytes < position)
      if (std::error_code error =
              write(zeros, std::min(position - bytes, pageBytes)))
        return error;
    return {};
  }

  uint64_t size() const { return bytes; }
  uint64_t hash() const { return XXH64_digest(&state); }

private:
  std::error_code put(const char *data, uint64_t count) {
    while (file >= 0 && count > 0) {
      ssize_t written = ::write(file, data, count);
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return lastError();
      data += written;
      count -= written;
    }
    return {};
  }

  int file;
  uint64_t bytes = 0;
  XXH64_state_t state;
};

/// Factors of a weight's elements: the same steps lead from `values` to them as
/// from the source to the weight.
struct WeightScale {
  std::vector<float> values;
  StridedView view;

  /// Factors along dimension `axis` of a weight of `shape`.
  static WeightScale along(graph::ScaleAttr step, ArrayRef<int64_t> shape) {
    WeightScale scale;
    llvm::append_range(scale.values, step.getValues().getValues<float>());
    for (auto [i, size] : llvm::enumerate(shape))
      scale.view.dims.push_back(
          {size, static_cast<int64_t>(i) == step.getAxis() ? 1 : 0});
    return scale;
  }
};

/// Part of a weight with the factors that its elements are multiplied by.
struct WeightPart {
  StridedView view;
  SmallVector<StridedView> scales;

  WeightPart slice(int64_t dim, int64_t begin, int64_t size) const {
    WeightPart part{view.slice(dim, begin, size), {}};
    for (const StridedView &scale : scales)
      part.scales.push_back(scale.slice(dim, begin, size));
    return part;
  }
};

/// Runs the recipe of one weight, or of a part of it.
class RecipeRun {
public:
  RecipeRun(graph::PartAttr weight, ByteSink &sink, StringRef outputPath,
            std::vector<char> &buffer)
      : weight(weight), sink(&sink), outputPath(outputPath), buffer(buffer) {}

  llvm::Error run() {
    if (auto concat = dyn_cast<graph::ConcatAttr>(weight.getSource()))
      return writeParts(concat);
    RankedTensorType type = weight.getSourceType();
    Type element = type.getElementType();
    unsigned bits = element.isInteger(1) ? 8 : element.getIntOrFloatBitWidth();
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64)
      return llvm::createStringError(
          "expects elements of 1, 8, 16, 32 or 64 bits, but got " +
          llvm::Twine(bits));
    elementBytes = bits / 8;

    auto opened = WeightSource::open(weight.getSource());
    if (!opened)
      return opened.takeError();
    WeightSource source = std::move(*opened);
    if (source.size() !=
        static_cast<uint64_t>(type.getNumElements()) * elementBytes)
      return llvm::createStringError(
          "expects " + llvm::Twine(type.getNumElements() * elementBytes) +
          " bytes, but the source has " + llvm::Twine(source.size()));
    view = StridedView::dense(type.getShape());
    for (Attribute step : weight.getRecipe()) {
      if (apply(step))
        continue;
      if (llvm::Error error = materialize(source))
        return error;
      bool applied = apply(step);
      (void)applied;
      assert(applied && "a dense view takes any step");
    }
    return emit(source);
  }

private:
  llvm::Error writeParts(graph::ConcatAttr concat) {
    for (graph::PartAttr part : concat.getParts())
      if (auto error = RecipeRun(part, *sink, outputPath, buffer).run())
        return error;
    return llvm::Error::success();
  }

  /// False if the view has to be materialized first.
  bool apply(Attribute step) {
    if (auto scale = dyn_cast<graph::ScaleAttr>(step)) {
      // Lanes beyond the last column have no factor.
      if (view.isPadded())
        return false;
      scales.push_back(WeightScale::along(scale, view.shape()));
      return true;
    }
    StridedView stepped = view;
    if (!applyTo(stepped, step))
      return false;
    SmallVector<StridedView> steppedScales;
    for (const WeightScale &scale : scales) {
      steppedScales.push_back(scale.view);
      if (!applyTo(steppedScales.back(), step))
        return false;
    }
    view = stepped;
    for (auto [scale, steppedScale] : llvm::zip(scales, steppedScales))
      scale.view = steppedScale;
    return true;
  }

  static bool applyTo(StridedView &view, Attribute step) {
    if (auto transpose = dyn_cast<graph::TransposeAttr>(step))
      return view.transpose(transpose.getPermutation());
    if (auto reverse = dyn_cast<graph::ReverseAttr>(step))
      return view.reverse(reverse.getDimensions());
    if (auto slice = dyn_cast<graph::SliceAttr>(step))
      return view.cut(slice.getOffsets(), slice.getSizes(), slice.getStrides());
    if (auto reshape = dyn_cast<graph::ReshapeAttr>(step))
      return view.reshape(reshape.getShape());
    return view.pack(cast<graph::PackAttr>(step).getWidth());
  }

  /// Writes the view to a temporary file, which becomes the source.
  llvm::Error materialize(WeightSource &source) {
    auto temporary = TemporaryFile::create(outputPath, ".weight");
    if (!temporary)
      return temporary.takeError();
    int file = ::open(temporary->path().c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0)
      return fileError("cannot write", temporary->path(), lastError());
    llvm::scope_exit close([&] { ::close(file); });
    ByteSink intermediate(file);
    ByteSink *final = std::exchange(sink, &intermediate);
    llvm::Error error = emit(source);
    sink = final;
    if (error)
      return error;
    auto written =
        WeightSource::openFile(temporary->path(), 0, intermediate.size());
    if (!written)
      return written.takeError();
    source = std::move(*written); // keeps the file open beyond its name
    view = StridedView::dense(view.shape());
    scales.clear();
    return llvm::Error::success();
  }

  llvm::Error emit(WeightSource &source) {
    if (view.isDense() && scales.empty())
      return emitDense(source);
    llvm::Expected<const char *> bytes = source.map();
    if (!bytes)
      return bytes.takeError();
    WeightPart whole{view, {}};
    for (const WeightScale &scale : scales)
      whole.scales.push_back(scale.view);
    return emitPart(whole, 0, *bytes);
  }

  llvm::Error emitDense(WeightSource &source) {
    uint64_t begin = view.offset * elementBytes;
    uint64_t end = begin + view.elementCount() * elementBytes;
    for (uint64_t offset = begin; offset < end; offset += chunkBytes) {
      uint64_t count = std::min(end - offset, chunkBytes);
      reserve(count);
      if (llvm::Error error = source.read(offset, count, buffer.data()))
        return error;
      if (llvm::Error error = flush(count))
        return error;
    }
    return llvm::Error::success();
  }

  /// Writes `part`, whose dimensions before `dim` have size 1, in chunks.
  llvm::Error emitPart(const WeightPart &part, int64_t dim,
                       const char *source) {
    int64_t size = part.view.dims[dim].size;
    if (size == 0)
      return llvm::Error::success();
    uint64_t indexBytes = part.view.elementCount() / size * elementBytes;
    if (indexBytes == 0)
      return llvm::Error::success();
    // Chunks of the dimension, or of the next one within each of its indices.
    int64_t count = indexBytes > chunkBytes ? 1 : chunkBytes / indexBytes;
    bool descend = indexBytes > chunkBytes;
    for (int64_t begin = 0; begin < size; begin += count) {
      count = std::min(count, size - begin);
      WeightPart slice = part.slice(dim, begin, count);
      if (descend) {
        if (llvm::Error error = emitPart(slice, dim + 1, source))
          return error;
        continue;
      }
      uint64_t bytes = count * indexBytes;
      reserve(bytes);
      copyElements(slice.view, elementBytes, source, buffer.data());
      multiply(slice);
      if (llvm::Error error = flush(bytes))
        return error;
    }
    return llvm::Error::success();
  }

  /// Multiplies the elements of `part`, which are in the buffer, by its
  /// factors.
  void multiply(const WeightPart &part) {
    for (auto [scale, factorsView] : llvm::zip(scales, part.scales)) {
      std::vector<float> factors(factorsView.elementCount());
      copyElements(factorsView, sizeof(float),
                   reinterpret_cast<const char *>(scale.values.data()),
                   reinterpret_cast<char *>(factors.data()));
      char *element = buffer.data();
      for (float factor : factors) {
        float value;
        std::memcpy(&value, element, sizeof value);
        value *= factor;
        std::memcpy(element, &value, sizeof value);
        element += sizeof value;
      }
    }
  }

  void reserve(uint64_t bytes) {
    if (buffer.size() < bytes)
      buffer.resize(bytes);
  }

  llvm::Error flush(uint64_t bytes) {
    if (std::error_code error = sink->write(buffer.data(), bytes))
      return fileError("cannot write", outputPath, error);
    return llvm::Error::success();
  }

  graph::PartAttr weight;
  ByteSink *sink;
  StringRef outputPath;
  std::vector<char> &buffer;
  int64_t elementBytes = 0;
  StridedView view;
  SmallVector<WeightScale> scales;
};

/// The weights that entries place, in the order of their offsets.
LogicalResult
collectPlaces(ModuleOp module,
              SmallVectorImpl<std::pair<uint64_t, graph::WeightsOp>> &placed) {
  SymbolTable symbols(module);
  llvm::MapVector<Attribute, uint64_t> offsets;
  for (auto entry : module.getOps<kernel::EntryOp>())
    for (auto place :
         entry.getWeights().getAsRange<kernel::WeightPlaceAttr>()) {
      auto [known, isNew] =
          offsets.insert({place.getWeights(), place.getOffset()});
      if (!isNew && known->second != place.getOffset())
        return entry.emitOpError("places ")
               << place.getWeights() << " at offset " << place.getOffset()
               << ", another entry at " << known->second;
      if (!isNew)
        continue;
      auto weights =
          symbols.lookup<graph::WeightsOp>(place.getWeights().getValue());
      if (!weights)
        return entry.emitOpError("places ")
               << place.getWeights() << ", which is no graph.weights";
      placed.push_back({place.getOffset(), weights});
    }
  return success();
}

/// Whether both have the same bytes, as weights that share a place.
bool haveSameBytes(graph::WeightsOp a, graph::WeightsOp b) {
  return a.getSource() == b.getSource() && a.getRecipe() == b.getRecipe() &&
         a.getType() == b.getType() && a.getSourceType() == b.getSourceType();
}

/// The weights of all modules by their place, each once.
FailureOr<SmallVector<std::pair<uint64_t, graph::WeightsOp>>>
placedWeights(ArrayRef<ModuleOp> modules) {
  SmallVector<std::pair<uint64_t, graph::WeightsOp>> placed;
  for (ModuleOp module : modules)
    if (failed(collectPlaces(module, placed)))
      return failure();
  SmallVector<std::pair<uint64_t, graph::WeightsOp>> once;
  DenseMap<uint64_t, SmallVector<graph::WeightsOp, 1>> known;
  for (const auto &place : placed) {
    SmallVector<graph::WeightsOp, 1> &there = known[place.first];
    if (llvm::any_of(there, [&](graph::WeightsOp other) {
          return haveSameBytes(other, place.second);
        }))
      continue;
    there.push_back(place.second);
    once.push_back(place);
  }
  // Weights without elements first: others may begin where they lie.
  llvm::sort(once, [](const auto &a, const auto &b) {
    auto elements = [](graph::WeightsOp weights) {
      return cast<RankedTensorType>(weights.getType()).getNumElements();
    };
    return std::make_pair(a.first, elements(a.second)) <
           std::make_pair(b.first, elements(b.second));
  });
  return once;
}

LogicalResult reportFile(ModuleOp module, StringRef verb, StringRef path) {
  return emitError(module.getLoc(),
                   llvm::toString(fileError(verb, path, lastError())));
}

TesseraWeightsMark markOf(uint64_t offset, WeightDigest digest) {
  TesseraWeightsMark mark;
  std::memcpy(mark.magic, TESSERA_WEIGHTS_MAGIC, sizeof mark.magic);
  mark.offset = offset;
  mark.bytes = digest.bytes;
  mark.hash = digest.hash;
  return mark;
}

/// Position in the file of the hash in the library's table.
llvm::Expected<uint64_t> findHash(StringRef libraryPath) {
  auto file = llvm::object::ObjectFile::createObjectFile(libraryPath);
  if (!file)
    return file.takeError();
  auto *elf = dyn_cast<llvm::object::ELF64LEObjectFile>(file->getBinary());
  if (!elf)
    return llvm::createStringError("expects a 64-bit ELF library");
  for (llvm::object::ELFSymbolRef symbol : elf->getDynamicSymbolIterators()) {
    auto name = symbol.getName();
    if (!name) {
      llvm::consumeError(name.takeError());
      continue;
    }
    if (*name != TESSERA_MODULE_SYMBOL)
      continue;
    auto address = symbol.getAddress();
    if (!address)
      return address.takeError();
    auto bytes = elf->getELFFile().toMappedAddr(
        *address + offsetof(TesseraModule, weights) +
        offsetof(TesseraWeights, hash));
    if (!bytes)
      return bytes.takeError();
    return *bytes - elf->getELFFile().base();
  }
  return llvm::createStringError("expects the symbol " TESSERA_MODULE_SYMBOL);
}

bool writeAt(int file, const void *data, size_t bytes, uint64_t offset) {
  return ::pwrite(file, data, bytes, offset) == static_cast<ssize_t>(bytes);
}

} // namespace

uint64_t weightBytesOf(ArrayRef<ModuleOp> modules) {
  uint64_t bytes = 0;
  for (ModuleOp module : modules)
    for (auto entry : module.getOps<kernel::EntryOp>())
      bytes = std::max<uint64_t>(bytes, entry.getWeightBytes());
  return bytes;
}

FailureOr<WeightDigest> writeWeights(ArrayRef<ModuleOp> modules, int file,
                                     StringRef outputPath) {
  ModuleOp module = modules.front(); // for messages
  auto placed = placedWeights(modules);
  if (failed(placed))
    return failure();
  ByteSink sink(file);
  std::vector<char> buffer;
  auto pad = [&](uint64_t position) -> LogicalResult {
    if (std::error_code error = sink.padTo(position))
      return emitError(
          module.getLoc(),
          llvm::toString(fileError("cannot write", outputPath, error)));
    return success();
  };
  for (auto [offset, weights] : *placed) {
    if (offset < sink.size())
      return weights.emitOpError("overlaps the weights before it at offset ")
             << offset;
    if (failed(pad(offset)))
      return failure();
    auto whole = graph::PartAttr::get(
        weights.getContext(), weights.getSource(),
        cast<RankedTensorType>(weights.getSourceType()), weights.getRecipe());
    if (llvm::Error error = RecipeRun(whole, sink, outputPath, buffer).run())
      return emitError(weights.getLoc(), llvm::toString(std::move(error)));
  }
  uint64_t bytes = weightBytesOf(modules);
  if (sink.size() > bytes)
    return emitError(module.getLoc(), "expects at most ")
           << bytes << " bytes of weights, but got " << sink.size();
  if (failed(pad(bytes)))
    return failure();
  return WeightDigest{sink.size(), sink.hash()};
}

LogicalResult appendWeights(ArrayRef<ModuleOp> modules, StringRef libraryPath,
                            StringRef outputPath) {
  ModuleOp module = modules.front(); // for messages
  auto hashPosition = findHash(libraryPath);
  if (!hashPosition)
    return emitError(module.getLoc(), "cannot read the linked library: ")
           << llvm::toString(hashPosition.takeError());
  int file = ::open(libraryPath.str().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return reportFile(module, "cannot write", outputPath);
  llvm::scope_exit close([&] { ::close(file); });
  off_t end = ::lseek(file, 0, SEEK_END);
  uint64_t offset = llvm::alignTo(end, pageBytes);
  if (end < 0 || ::ftruncate(file, offset) != 0 ||
      ::lseek(file, offset, SEEK_SET) < 0)
    return reportFile(module, "cannot write", outputPath);
  FailureOr<WeightDigest> digest = writeWeights(modules, file, outputPath);
  if (failed(digest))
    return failure();
  TesseraWeightsMark mark = markOf(offset, *digest);
  if (!writeAt(file, &mark, sizeof mark, offset + digest->bytes) ||
      !writeAt(file, &digest->hash, sizeof digest->hash, *hashPosition))
    return reportFile(module, "cannot write", outputPath);
  return success();
}

FailureOr<WeightDigest> writeWeightFile(ArrayRef<ModuleOp> modules,
                                        StringRef path, StringRef outputPath) {
  ModuleOp module = modules.front(); // for messages
  int file = ::open(path.str().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return LogicalResult(reportFile(module, "cannot write", outputPath));
  llvm::scope_exit close([&] { ::close(file); });
  if (::lseek(file, pageBytes, SEEK_SET) < 0)
    return LogicalResult(reportFile(module, "cannot write", outputPath));
  FailureOr<WeightDigest> digest = writeWeights(modules, file, outputPath);
  if (failed(digest))
    return failure();
  TesseraWeightsMark mark = markOf(pageBytes, *digest);
  if (!writeAt(file, &mark, sizeof mark, 0))
    return LogicalResult(reportFile(module, "cannot write", outputPath));
  return digest;
}

} // namespace tessera::artifact
