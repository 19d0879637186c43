// The bytes that a weight is made from, in memory only while they are used.
#include "lib/Target/Artifact/WeightSource.h"
#include "lib/Target/Artifact/TemporaryFile.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir;

namespace tessera::artifact {
namespace {

std::error_code lastError() {
  return std::error_code(errno, std::generic_category());
}

/// The bytes of an elements attribute; booleans are one byte each.
llvm::Expected<std::vector<char>> elementBytes(DenseElementsAttr attribute) {
  std::vector<char> result;
  Type element = attribute.getElementType();
  if (element.isInteger(1)) {
    for (bool value : attribute.getValues<bool>())
      result.push_back(value);
    return result;
  }
  ArrayRef<char> raw = attribute.getRawData();
  int64_t copies = attribute.isSplat() ? attribute.getNumElements() : 1;
  result.reserve(raw.size() * copies);
  for (int64_t i = 0; i < copies; ++i)
    result.insert(result.end(), raw.begin(), raw.end());
  return result;
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
    return fileError("cannot read weights from", path, lastError());
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

llvm::Expected<WeightSource> WeightSource::open(Attribute attribute) {
  if (auto file = dyn_cast<graph::FileAttr>(attribute))
    return openFile(file.getPath(), file.getOffset(), file.getBytes());
  WeightSource source;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return llvm::createStringError("the resource has no bytes");
    source.memory = blob->getData().data();
    source.bytes = blob->getData().size();
    return source;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attribute);
  if (!dense)
    return llvm::createStringError("expects a file or dense elements");
  auto bytes = elementBytes(dense);
  if (!bytes)
    return bytes.takeError();
  source.owned = std::move(*bytes);
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
      return fileError("cannot read weights from", path, lastError());
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
      return fileError("cannot map weights from", path, lastError());
    mapping = address;
    mappedBytes = bytes + lead;
  }
  return static_cast<const char *>(mapping) + lead;
}

} // namespace tessera::artifact
