// Finds and maps the weight bytes of a model.
#ifndef TESSERA_RUNTIME_WEIGHTFILE_H
#define TESSERA_RUNTIME_WEIGHTFILE_H

#include "Status.h"

#include <cstdint>
#include <string>

namespace tessera::runtime {

/// A read-only mapping of weight bytes, or a view of the caller's.
class WeightFile {
public:
  WeightFile() = default;
  WeightFile(WeightFile &&other) noexcept;
  WeightFile &operator=(WeightFile &&other) noexcept;
  ~WeightFile();

  /// First weight byte, at least 64-byte aligned; null if the model has none.
  const char *data() const { return bytes; }

  /// Finds the weights that `expected` describes: those in `options` if given,
  /// else where the model says, at the end of `libraryFile` or relative to
  /// `libraryPath` ("" for a model that is linked in). Fails, naming the file, when they are missing, truncated,
  /// of another model or, where verified, damaged.
  static Result<WeightFile> open(const TesseraWeights &expected,
                                 const std::string &libraryPath,
                                 int libraryFile,
                                 const TesseraLoadOptions &options);

private:
  /// `markAtEnd`: the mark is the file's trailer, else its header. `path` is for
  /// messages.
  static Result<WeightFile> map(const TesseraWeights &expected, int file,
                                const std::string &path, bool markAtEnd,
                                bool verify);
  static Result<WeightFile> mapFile(const TesseraWeights &expected,
                                    const std::string &path, bool verify);

  const char *bytes = nullptr;
  void *mapping = nullptr;
  size_t mappedBytes = 0;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_WEIGHTFILE_H
