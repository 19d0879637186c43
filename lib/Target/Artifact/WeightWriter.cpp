// Writes the weight bytes of an artifact: runs each weight's recipe, streaming.
#include "lib/Target/Artifact/WeightWriter.h"
#include "lib/Target/Artifact/TemporaryFile.h"

#include "dialects/Graph/IR/WeightReader.h"
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
constexpr int64_t chunkBytes = 32 << 20;
/// What is read at once on the way to a temporary file.
constexpr int64_t storeBytes = 4 << 20;

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

/// Writes all elements of one weight to a sink.
llvm::Error writeElements(graph::WeightReader &reader, ByteSink &sink,
                          std::vector<char> &buffer, StringRef outputPath) {
  const int64_t elementBytes = reader.elementBytes();
  const int64_t count = reader.type().getNumElements();
  // Whole indices of an outer dimension, so that a source which is read in another
  // order is read in large pieces.
  int64_t chunk = 1;
  for (int64_t size : llvm::reverse(reader.type().getShape()))
    if (size > 0 && chunk * size * elementBytes <= chunkBytes)
      chunk *= size;
    else
      break;
  chunk *= std::max<int64_t>(chunkBytes / (chunk * elementBytes), 1);
  for (int64_t begin = 0; begin < count; begin += chunk) {
    int64_t part = std::min(chunk, count - begin);
    if (buffer.size() < size_t(part * elementBytes))
      buffer.resize(part * elementBytes);
    if (llvm::Error error = reader.read(begin, part, buffer.data()))
      return error;
    if (std::error_code error = sink.write(buffer.data(), part * elementBytes))
      return fileError("cannot write", outputPath, error);
  }
  return llvm::Error::success();
}

/// Keeps elements in a temporary file beside `outputPath`.
llvm::Expected<graph::WeightSource> storeInFile(graph::WeightStream &stream,
                                                int64_t count,
                                                int64_t elementBytes,
                                                StringRef outputPath) {
  auto temporary = TemporaryFile::create(outputPath, ".weight");
  if (!temporary)
    return temporary.takeError();
  int file = ::open(temporary->path().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return fileError("cannot write", temporary->path(), lastError());
  llvm::scope_exit close([&] { ::close(file); });
  ByteSink sink(file);
  const int64_t chunk = storeBytes / elementBytes;
  std::vector<char> buffer(std::min(chunk, count) * elementBytes);
  for (int64_t begin = 0; begin < count; begin += chunk) {
    int64_t part = std::min(chunk, count - begin);
    if (llvm::Error error = stream.read(begin, part, buffer.data()))
      return std::move(error);
    if (std::error_code error = sink.write(buffer.data(), part * elementBytes))
      return fileError("cannot write", temporary->path(), error);
  }
  // Keeps the file open beyond its name.
  return graph::WeightSource::openFile(temporary->path(), 0, sink.size());
}

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
  return a.getPart() == b.getPart();
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
  graph::StoreElements store = [&](graph::WeightStream &stream, int64_t count,
                                   int64_t elementBytes) {
    return storeInFile(stream, count, elementBytes, outputPath);
  };
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
    // Opened here, so that one weight at a time is mapped.
    auto reader = graph::WeightReader::open(weights.getPart(), store);
    llvm::Error error = reader ? writeElements(*reader, sink, buffer, outputPath)
                               : reader.takeError();
    if (error)
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
