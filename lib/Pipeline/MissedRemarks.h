// What passes say that they could not do with a quantized model.
#ifndef TESSERA_LIB_PIPELINE_MISSEDREMARKS_H
#define TESSERA_LIB_PIPELINE_MISSEDREMARKS_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/JSON.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tessera {

/// Missed remarks of the category `quantization`, in the order in which they were made.
class MissedRemarks {
public:
  /// Collects those of `context` from now on, which has no other listener.
  void listen(mlir::MLIRContext &context);

  /// Each an object: "node" (the names of the model's nodes, or empty) and "reason".
  llvm::json::Array describe() const;

private:
  /// Passes may run in several threads.
  struct Collected {
    std::mutex mutex;
    std::vector<std::pair<std::string, std::string>> remarks;
  };
  class Streamer;

  std::shared_ptr<Collected> collected = std::make_shared<Collected>();
};

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_MISSEDREMARKS_H
