#include "WeightFile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tessera::runtime {
namespace {

constexpr uint64_t pageBytes = 4096;
constexpr uintptr_t dataAlignment = 64;

/// Closes the file at the end of the scope.
struct File {
  explicit File(const std::string &path)
      : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor >= 0)
      ::close(descriptor);
  }
  File(const File &) = delete;
  const int descriptor;
};

std::string quoted(const std::string &path) { return "'" + path + "'"; }

Status checkHash(const TesseraWeights &expected, const char *bytes,
                 const std::string &where) {
  if (XXH64(bytes, expected.bytes, 0) == expected.hash)
    return Status();
  return failure(TESSERA_INVALID_WEIGHTS, where,
                 " is damaged: the hash of the weights is not the model's");
}

/// Checks that the mark lies as the ABI says and is the model's.
Status checkMark(const TesseraWeightsMark &mark, const TesseraWeights &expected,
                 uint64_t fileBytes, bool markAtEnd, const std::string &where) {
  if (std::memcmp(mark.magic, TESSERA_WEIGHTS_MAGIC, sizeof mark.magic) != 0)
    return failure(TESSERA_INVALID_WEIGHTS, where, " has no weights at its ",
                   markAtEnd ? "end; was it truncated or stripped?"
                             : "beginning; it is no weight file");
  uint64_t room = fileBytes - (markAtEnd ? sizeof mark : 0);
  if (mark.offset % pageBytes != 0 || mark.offset > room ||
      mark.bytes > room - mark.offset)
    return failure(TESSERA_INVALID_WEIGHTS, where, " is truncated: expects ",
                   mark.bytes, " bytes of weights at ", mark.offset,
                   " but the file has ", fileBytes, " bytes");
  if (mark.bytes != expected.bytes || mark.hash != expected.hash)
    return failure(TESSERA_INVALID_WEIGHTS, where,
                   " has the weights of another model: expects ",
                   expected.bytes, " bytes with hash ", std::hex, expected.hash,
                   " but got ", std::dec, mark.bytes, " with hash ", std::hex,
                   mark.hash);
  return Status();
}

} // namespace

WeightFile::WeightFile(WeightFile &&other) noexcept {
  *this = std::move(other);
}

WeightFile &WeightFile::operator=(WeightFile &&other) noexcept {
  std::swap(bytes, other.bytes);
  std::swap(mapping, other.mapping);
  std::swap(mappedBytes, other.mappedBytes);
  return *this;
}

WeightFile::~WeightFile() {
  if (mapping)
    munmap(mapping, mappedBytes);
}

Result<WeightFile> WeightFile::mapFile(const TesseraWeights &expected,
                                       const std::string &path, bool verify) {
  File file(path);
  if (file.descriptor < 0)
    return failure(TESSERA_INVALID_WEIGHTS, "cannot open weights ",
                   quoted(path), ": ", strerror(errno));
  return map(expected, file.descriptor, path, /*markAtEnd=*/false, verify);
}

Result<WeightFile> WeightFile::map(const TesseraWeights &expected, int file,
                                   const std::string &path, bool markAtEnd,
                                   bool verify) {
  const std::string where = quoted(path);
  struct stat info;
  if (fstat(file, &info) != 0)
    return failure(TESSERA_INVALID_WEIGHTS, "cannot read weights ", where, ": ",
                   strerror(errno));
  const uint64_t fileBytes = info.st_size;
  TesseraWeightsMark mark;
  if (fileBytes < sizeof mark ||
      pread(file, &mark, sizeof mark,
            markAtEnd ? fileBytes - sizeof mark : 0) != sizeof mark)
    return failure(TESSERA_INVALID_WEIGHTS, where,
                   " is too short to hold weights");
  if (Status bad = checkMark(mark, expected, fileBytes, markAtEnd, where);
      !bad.ok())
    return bad;

  WeightFile weights;
  void *mapping = mmap(nullptr, mark.bytes, PROT_READ, MAP_PRIVATE,
                       file, mark.offset);
  if (mapping == MAP_FAILED)
    return failure(TESSERA_SYSTEM_ERROR, "cannot map the weights of ", where,
                   ": ", strerror(errno));
  weights.mapping = mapping;
  weights.mappedBytes = mark.bytes;
  weights.bytes = static_cast<const char *>(mapping);
  if (verify) {
    if (Status bad = checkHash(expected, weights.bytes, where); !bad.ok())
      return bad;
  }
  return weights;
}

Result<WeightFile> WeightFile::open(const TesseraWeights &expected,
                                    const std::string &libraryPath,
                                    int libraryFile,
                                    const TesseraLoadOptions &options) {
  WeightFile weights;
  if (expected.bytes == 0)
    return weights;
  const bool verifyAll = options.verify == TESSERA_VERIFY_FULL;
  const bool verifyFile = options.verify != TESSERA_VERIFY_MARK;

  if (options.weightsData) {
    if (options.weightsBytes != expected.bytes)
      return failure(TESSERA_INVALID_WEIGHTS, "expects ", expected.bytes,
                     " bytes of weights but got ", options.weightsBytes);
    if (reinterpret_cast<uintptr_t>(options.weightsData) % dataAlignment)
      return failure(TESSERA_INVALID_WEIGHTS,
                     "expects weights at a multiple of ", dataAlignment,
                     " bytes");
    weights.bytes = static_cast<const char *>(options.weightsData);
    if (verifyAll) {
      if (Status bad = checkHash(expected, weights.bytes, "the given memory");
          !bad.ok())
        return bad;
    }
    return weights;
  }
  if (options.weightsPath)
    return mapFile(expected, options.weightsPath, verifyFile);
  if (!libraryPath.empty()) {
    if (expected.place == TESSERA_WEIGHTS_APPENDED)
      return map(expected, libraryFile, libraryPath, true, verifyAll);
    if (expected.place == TESSERA_WEIGHTS_FILE)
      return mapFile(expected, libraryPath + ".weights", verifyFile);
  }
  return failure(TESSERA_INVALID_WEIGHTS, "the model comes without its ",
                 expected.bytes,
                 " bytes of weights; give them when loading it");
}

} // namespace tessera::runtime
