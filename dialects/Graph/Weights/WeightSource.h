// The bytes that a weight is made from, in memory only while they are used.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSOURCE_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSOURCE_H

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace tessera::graph {

/// Row-major elements, whole bytes each. Closes and unmaps at its end, so the
/// pages of a file leave the process together with it.
class WeightSource {
public:
  /// Dense elements, or those of a resource. Booleans are a byte each; of a splat
  /// there is one element.
  static llvm::Expected<WeightSource> ofElements(mlir::ElementsAttr elements);

  static WeightSource ofBytes(std::vector<char> bytes);

  /// A part of the file `path`. Fails, naming the file, if it cannot be read or is too
  /// short.
  static llvm::Expected<WeightSource> openFile(llvm::StringRef path,
                                               uint64_t offset, uint64_t bytes);

  WeightSource(WeightSource &&other) { *this = std::move(other); }
  WeightSource &operator=(WeightSource &&other);
  ~WeightSource();

  uint64_t size() const { return bytes; }

  /// Reads `count` bytes from `offset` on into `target` without mapping them.
  llvm::Error read(uint64_t offset, uint64_t count, char *target) const;

  /// All bytes, mapped. Fails if they cannot be.
  llvm::Expected<const char *> map();

private:
  WeightSource() = default;

  std::string path; // empty: in memory
  int file = -1;
  uint64_t fileOffset = 0, bytes = 0;
  void *mapping = nullptr;
  uint64_t mappedBytes = 0;
  /// In memory: those of the attribute, or `owned`.
  const char *memory = nullptr;
  std::vector<char> owned;
};

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSOURCE_H
