// Runs an entry of a model on the caller's tensors.
#ifndef TESSERA_RUNTIME_SESSION_H
#define TESSERA_RUNTIME_SESSION_H

#include "BlockPool.h"
#include "Model.h"
#include "StoragePlan.h"
#include "ThreadPool.h"

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace tessera::runtime {

/// Everything about a run that depends on the symbols' sizes only, computed
/// ones included.
struct ShapePlan {
  std::vector<int64_t> symbols;
  StoragePlan storage;
  /// The largest value of the arena, null without one.
  const Value *largest = nullptr;
  /// [outputs], then [taps]: sizes of each.
  std::vector<std::vector<int64_t>> outputShapes;
  /// [outputs], then [taps]: bytes of each.
  std::vector<int64_t> outputBytes;
  /// [inputs], [outputs]: dense strides of each, in elements.
  std::vector<std::vector<int64_t>> inputStrides, outputStrides;
};

/// A session is thread-safe: runs may overlap, each has its own arena.
class Session {
public:
  /// Fails if the model has no such entry or the options contradict themselves.
  static Result<std::unique_ptr<Session>>
  create(std::shared_ptr<const Model> model,
         const TesseraSessionOptions &options);

  const Entry &entry() const { return runEntry; }
  int64_t threads() const { return maxWorkers; }

  /// See tessera_session_run.
  Status run(const TesseraInputBinding *inputs, int64_t inputCount,
             TesseraOutputBinding *outputs, int64_t outputCount);

  /// The sizes of output `output` of a run with these inputs. Fails as the run
  /// would for its inputs.
  Result<std::vector<int64_t>> outputShape(const TesseraInputBinding *inputs,
                                           int64_t inputCount,
                                           int64_t output) const;

  /// The plan for these sizes, from the cache or new. Fails when a size
  /// overflows, is negative or an output is too large.
  Result<std::shared_ptr<const ShapePlan>>
  planFor(std::vector<int64_t> symbols) const;

private:
  Session(std::shared_ptr<const Model> model, const Entry &entry)
      : model(std::move(model)), runEntry(entry) {}

  Result<std::shared_ptr<const ShapePlan>>
  planForInputs(const std::vector<const TesseraTensor *> &inputs) const;
  Result<ShapePlan> makePlan(std::vector<int64_t> symbols) const;
  Status runPrepared(const ShapePlan &plan,
                     const std::vector<const TesseraTensor *> &inputs,
                     const std::vector<TesseraOutputBinding *> &wanted);

  std::shared_ptr<const Model> model;
  const Entry &runEntry;
  std::shared_ptr<ThreadPool> threadPool; // null with the host's threads
  TesseraParallelFor parallelFor = nullptr;
  void *parallelForPool = nullptr;
  int64_t maxWorkers = 1;
  TesseraCallObserver afterCall = nullptr;
  void *observer = nullptr;
  std::shared_ptr<BlockPool> blocks = std::make_shared<BlockPool>();
  /// Plans of the shapes used last, the latest first.
  mutable std::mutex planMutex;
  mutable std::list<std::shared_ptr<const ShapePlan>> plans;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_SESSION_H
