// The bytes that a weight is made from, in memory only while they are used.
#include "dialects/Graph/Weights/WeightSource.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir;

namespace tessera::graph {
namespace {

std::error_code lastError() {
  return std::error_code(errno, std::generic_category());
}

llvm::Error fileError(llvm::StringRef path, std::error_code reason) {
  return llvm::createStringError("cannot read weights from '" + path +
                                 "': " + reason.message());
}

} // namespace

llvm::Expected<WeightSource> WeightSource::openFile(llvm::StringRef path,
                                                    uint64_t offset,
                                                    uint64_t bytes) {
  WeightSource source;
  source.path = path.str();
  source.file = ::open(source.path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (source.file < 0 || ::fstat(source.file, &info) != 0)
    return fileError(path, lastError());
  uint64_t size = info.st_size;
  if (offset > size || bytes > size - offset)
    return llvm::createStringError(
        "expects " + llvm::Twine(bytes) + " bytes of weights at offset " +
        llvm::Twine(offset) + " of '" + path + "', but the file has " +
        llvm::Twine(size) + " bytes");
  source.fileOffset = offset;
  source.bytes = bytes;
  return source;
}

llvm::Expected<WeightSource> WeightSource::ofElements(ElementsAttr elements) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(elements)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return llvm::createStringError("the resource has no bytes");
    WeightSource source;
    source.memory = blob->getData().data();
    source.bytes = blob->getData().size();
    return source;
  }
  auto dense = dyn_cast<DenseElementsAttr>(elements);
  if (!dense)
    return llvm::createStringError("expects a file or dense elements");
  if (!dense.getElementType().isInteger(1)) {
    // Those of the attribute, which is never freed.
    WeightSource source;
    source.memory = dense.getRawData().data();
    source.bytes = dense.getRawData().size();
    return source;
  }
  std::vector<char> booleans;
  if (dense.isSplat())
    booleans.push_back(dense.getSplatValue<bool>());
  else
    for (bool value : dense.getValues<bool>())
      booleans.push_back(value);
  return ofBytes(std::move(booleans));
}

WeightSource WeightSource::ofBytes(std::vector<char> bytes) {
  WeightSource source;
  source.owned = std::move(bytes);
  source.memory = source.owned.data();
  source.bytes = source.owned.size();
  return source;
}

WeightSource &WeightSource::operator=(WeightSource &&other) {
  std::swap(path, other.path);
  std::swap(file, other.file);
  std::swap(fileOffset, other.fileOffset);
  std::swap(bytes, other.bytes);
  std::swap(mapping, other.mapping);
  std::swap(mappedBytes, other.mappedBytes);
  std::swap(memory, other.memory);
  std::swap(owned, other.owned);
  return *this;
}

WeightSource::~WeightSource() {
  if (mapping)
    ::munmap(mapping, mappedBytes);
  if (file >= 0)
    ::close(file);
}

llvm::Error WeightSource::read(uint64_t offset, uint64_t count,
                               char *target) const {
  if (memory) {
    std::memcpy(target, memory + offset, count);
    return llvm::Error::success();
  }
  while (count > 0) {
    ssize_t got = ::pread(file, target, count, fileOffset + offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fileError(path, lastError());
    if (got == 0)
      return llvm::createStringError("'" + path +
                                     "' became shorter while it was read");
    target += got;
    offset += got;
    count -= got;
  }
  return llvm::Error::success();
}

llvm::Expected<const char *> WeightSource::map() {
  if (memory || bytes == 0)
    return memory;
  uint64_t page = ::sysconf(_SC_PAGESIZE);
  uint64_t lead = fileOffset % page;
  if (!mapping) {
    void *address = ::mmap(nullptr, bytes + lead, PROT_READ, MAP_PRIVATE, file,
                           fileOffset - lead);
    if (address == MAP_FAILED)
      return fileError(path, lastError());
    mapping = address;
    mappedBytes = bytes + lead;
  }
  return static_cast<const char *>(mapping) + lead;
}

} // namespace tessera::graph
