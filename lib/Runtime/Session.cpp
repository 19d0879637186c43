#include "Session.h"
#include "Bindings.h"
#include "OwnedTensor.h"
#include "TensorLayout.h"

#include <algorithm>
#include <cstring>
#include <list>

namespace tessera::runtime {
namespace {

/// Shapes whose plans are kept. A plan of a large net takes about as long as
/// running a small one.
constexpr size_t cachedPlans = 16;

/// Where tensors without elements point: code may form addresses from it but
/// never reads there.
alignas(storageAlignment) char noElements[storageAlignment];

/// Memory and pointers of one run, in the form that the context wants.
struct RunBuffers {
  explicit RunBuffers(const std::shared_ptr<BlockPool> &pool) : pool(pool) {}

  /// Where blocks come from.
  const std::shared_ptr<BlockPool> &pool;
  std::vector<void *> inputs, outputs, taps;
  std::vector<const int64_t *> inputStrides, outputStrides;
  /// What some of them point to: strides of the caller.
  std::list<std::vector<int64_t>> givenStrides;
  /// Copies of inputs, outputs that nobody wants, and the arena.
  std::vector<Block> blocks;
  /// [outputs + taps]: new tensors for the caller; null where not wanted or
  /// given by the caller.
  std::vector<OwnedTensor> results;
};

Status outOfMemory(const std::string &what, int64_t bytes) {
  return failure(TESSERA_OUT_OF_MEMORY, "no memory for the ", bytes,
                 " bytes of ", what);
}

/// Points to the inputs, copies those that generated code cannot read in place.
Status prepareInputs(const Entry &entry, const ShapePlan &plan,
                     const std::vector<const TesseraTensor *> &tensors,
                     RunBuffers &buffers) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TesseraTensor &tensor = *tensors[i];
    buffers.inputStrides.push_back(plan.inputStrides[i].data());
    AddressRange range = addressRange(tensor);
    if (range.begin == range.end) {
      buffers.inputs.push_back(noElements);
      continue;
    }
    if (isDense(tensor) && isAligned(tensor)) {
      buffers.inputs.push_back(firstElement(tensor));
      continue;
    }
    if (const Port &port = entry.inputs[i]; port.alias >= 0 && isAligned(tensor))
      if (auto strides = growableStrides(tensor, port.axis)) {
        buffers.givenStrides.push_back(std::move(*strides));
        buffers.inputStrides.back() = buffers.givenStrides.back().data();
        buffers.inputs.push_back(firstElement(tensor));
        continue;
      }
    std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.rank);
    Result<int64_t> bytes = denseBytes(tensor.type, shape);
    if (!bytes.ok())
      return bytes.takeStatus();
    Block copy = buffers.pool->take(*bytes);
    if (!copy.data())
      return outOfMemory(std::string("a dense copy of input '") +
                             entry.inputs[i].name + "'",
                         *bytes);
    copyToDense(tensor, copy.data());
    buffers.inputs.push_back(copy.data());
    buffers.blocks.push_back(std::move(copy));
  }
  return Status();
}

/// Whether `output`, which extends the input `past`, may be written in its place:
/// elements of equal indices have equal addresses.
bool isInPlace(const TesseraTensor &past, const TesseraTensor &output,
               int32_t axis) {
  auto before = growableStrides(past, axis),
       after = growableStrides(output, axis);
  if (!before || !after || !isAligned(past) ||
      firstElement(past) != firstElement(output))
    return false;
  for (int32_t i = 0; i < output.rank; ++i)
    if (past.shape[i] > 1 && (*before)[i] != (*after)[i])
      return false;
  return true;
}

/// Fails if the caller's output overlaps an input other than one that it extends in
/// place.
Status checkOverlap(const Entry &entry, size_t output,
                    const TesseraTensor &tensor,
                    const std::vector<const TesseraTensor *> &inputs) {
  AddressRange written = addressRange(tensor);
  for (size_t i = 0; i < inputs.size(); ++i) {
    AddressRange read = addressRange(*inputs[i]);
    if (!(written.begin < read.end && read.begin < written.end))
      continue;
    const Port &port = entry.outputs[output];
    bool extends = port.alias == int64_t(i);
    if (extends && isInPlace(*inputs[i], tensor, port.axis))
      continue;
    return failure(TESSERA_INVALID_INPUT, "the memory of output '", port.name,
                   "' overlaps input '", entry.inputs[i].name, "'",
                   extends ? ", but does not begin with its elements in their "
                             "place: expects the same address and strides"
                           : "");
  }
  return Status();
}

/// The memory that output or tap `index` is written to.
Result<void *> prepareOutput(const Entry &entry, const ShapePlan &plan,
                             size_t index, TesseraOutputBinding *wanted,
                             const std::vector<const TesseraTensor *> &inputs,
                             RunBuffers &buffers) {
  const size_t outputCount = entry.outputs.size();
  const bool isTap = index >= outputCount;
  const Port &port =
      isTap ? entry.taps[index - outputCount] : entry.outputs[index];
  const std::vector<int64_t> &shape = plan.outputShapes[index];
  const int64_t bytes = plan.outputBytes[index];
  if (!isTap)
    buffers.outputStrides.push_back(plan.outputStrides[index].data());
  if (!wanted) {
    if (isTap)
      return static_cast<void *>(nullptr);
    Block unused = buffers.pool->take(bytes);
    if (!unused.data())
      return outOfMemory(outputText(port), bytes);
    buffers.blocks.push_back(std::move(unused));
    return static_cast<void *>(buffers.blocks.back().data());
  }
  if (wanted->tensor) {
    const TesseraTensor &tensor = wanted->tensor->tensor;
    Status bad = checkOutput(entry, port, tensor, shape);
    if (bad.ok() && !isTap)
      bad = checkOverlap(entry, index, tensor, inputs);
    if (!bad.ok())
      return bad;
    if (!isTap && port.alias >= 0) {
      buffers.givenStrides.push_back(*growableStrides(tensor, port.axis));
      buffers.outputStrides.back() = buffers.givenStrides.back().data();
    }
    return static_cast<void *>(bytes ? firstElement(tensor) : noElements);
  }
  Block block = buffers.pool->take(bytes);
  if (!block.data())
    return outOfMemory(outputText(port), bytes);
  void *memory = block.data();
  buffers.results[index] =
      OwnedTensor::create(port.type, shape, std::move(block));
  return memory;
}

} // namespace

Result<std::unique_ptr<Session>>
Session::create(std::shared_ptr<const Model> model,
                const TesseraSessionOptions &options) {
  const Entry *chosen = &model->entries().front();
  if (options.entry) {
    std::vector<std::string> names;
    chosen = nullptr;
    for (const Entry &entry : model->entries()) {
      names.push_back(entry.name);
      if (names.back() == options.entry)
        chosen = &entry;
    }
    if (!chosen) {
      const std::string *nearest = nearestName(options.entry, names);
      return failure(TESSERA_INVALID_ARGUMENT, "the model has no entry '",
                     options.entry, "'; ",
                     nearest ? "did you mean" : "its first is", " '",
                     nearest ? *nearest : names.front(), "'?");
    }
  }
  std::unique_ptr<Session> session(new Session(std::move(model), *chosen));
  session->afterCall = options.afterCall;
  session->observer = options.observer;
  if (options.parallelFor) {
    if (options.maxWorkers < 1)
      return failure(TESSERA_INVALID_ARGUMENT,
                     "expects maxWorkers of at least 1 with a parallelFor of "
                     "the host but got ",
                     options.maxWorkers);
    session->parallelFor = options.parallelFor;
    session->parallelForPool = options.pool;
    session->maxWorkers = options.maxWorkers;
    return session;
  }
  constexpr int32_t mostThreads = 4096;
  if (options.threads < 0 || options.threads > mostThreads)
    return failure(TESSERA_INVALID_ARGUMENT, "expects threads from 0 to ",
                   mostThreads, " but got ", options.threads);
  session->threadPool = ThreadPool::shared(options.threads);
  session->parallelFor = ThreadPool::parallelFor;
  session->parallelForPool = session->threadPool.get();
  session->maxWorkers = session->threadPool->workers();
  return session;
}

Result<ShapePlan> Session::makePlan(std::vector<int64_t> symbols) const {
  // Before all else: the programs of sizes below take for granted that they hold.
  if (Status bad = runEntry.checkSizes(symbols); !bad.ok())
    return bad;
  ShapePlan plan;
  std::vector<StorageRequest> requests;
  int64_t mostBytes = 0;
  for (const Value &value : runEntry.values) {
    Result<int64_t> bytes = value.bytes.evaluate(symbols.data(), maxWorkers);
    if (!bytes.ok())
      return bytes.takeStatus().within(value.text);
    if (*bytes < 0)
      return failure(TESSERA_INVALID_INPUT, value.text, " would have ", *bytes,
                     " bytes at these sizes");
    if (requests.empty() || *bytes > mostBytes) {
      mostBytes = *bytes;
      plan.largest = &value;
    }
    requests.push_back({*bytes, value.firstUse, value.lastUse});
  }
  Result<StoragePlan> storage = planStorage(requests);
  if (!storage.ok())
    return storage.takeStatus().within(plan.largest->text);
  plan.storage = std::move(*storage);

  auto shapeOf = [&](const Port &port, const std::string &where)
      -> Result<std::vector<int64_t>> {
    std::vector<int64_t> shape;
    for (const SizeExpression &dim : port.dims) {
      Result<int64_t> size = dim.evaluate(symbols.data(), maxWorkers);
      if (!size.ok())
        return size.takeStatus().within(where);
      if (*size < 0)
        return failure(TESSERA_INVALID_INPUT, where, " would have size ", *size,
                       " in dimension ", shape.size());
      shape.push_back(*size);
    }
    return shape;
  };
  for (const std::vector<Port> *ports : {&runEntry.outputs, &runEntry.taps})
    for (const Port &port : *ports) {
      const std::string where = outputText(port);
      Result<std::vector<int64_t>> shape = shapeOf(port, where);
      if (!shape.ok())
        return shape.takeStatus();
      Result<int64_t> bytes = denseBytes(port.type, *shape);
      if (!bytes.ok())
        return bytes.takeStatus().within(where);
      plan.outputShapes.push_back(std::move(*shape));
      plan.outputBytes.push_back(*bytes);
    }
  for (size_t i = 0; i < runEntry.outputs.size(); ++i)
    plan.outputStrides.push_back(denseStrides(plan.outputShapes[i]));
  for (const Port &port : runEntry.inputs) {
    const std::string where = std::string("input '") + port.name + "'";
    Result<std::vector<int64_t>> shape = shapeOf(port, where);
    if (!shape.ok())
      return shape.takeStatus();
    // An input that exists is not too large, unless it claims strides of 0.
    if (Result<int64_t> bytes = denseBytes(port.type, *shape); !bytes.ok())
      return bytes.takeStatus().within(where);
    plan.inputStrides.push_back(denseStrides(*shape));
  }
  plan.symbols = std::move(symbols);
  return plan;
}

Result<std::shared_ptr<const ShapePlan>>
Session::planFor(std::vector<int64_t> symbols) const {
  {
    std::lock_guard<std::mutex> lock(planMutex);
    for (auto it = plans.begin(); it != plans.end(); ++it)
      if ((*it)->symbols == symbols) {
        plans.splice(plans.begin(), plans, it);
        return plans.front();
      }
  }
  Result<ShapePlan> plan = makePlan(std::move(symbols));
  if (!plan.ok())
    return plan.takeStatus();
  auto shared = std::make_shared<const ShapePlan>(std::move(*plan));
  std::lock_guard<std::mutex> lock(planMutex);
  plans.push_front(shared);
  if (plans.size() > cachedPlans)
    plans.pop_back();
  return std::shared_ptr<const ShapePlan>(shared);
}

Result<std::shared_ptr<const ShapePlan>> Session::planForInputs(
    const std::vector<const TesseraTensor *> &inputs) const {
  auto symbols = bindSymbols(runEntry, inputs);
  if (!symbols.ok())
    return symbols.takeStatus();
  return planFor(std::move(*symbols));
}

Status Session::runPrepared(const ShapePlan &plan,
                            const std::vector<const TesseraTensor *> &inputs,
                            const std::vector<TesseraOutputBinding *> &wanted) {
  RunBuffers buffers(blocks);
  buffers.results.resize(wanted.size());
  if (Status bad = prepareInputs(runEntry, plan, inputs, buffers);
      !bad.ok())
    return bad;
  for (size_t i = 0; i < wanted.size(); ++i) {
    Result<void *> memory =
        prepareOutput(runEntry, plan, i, wanted[i], inputs, buffers);
    if (!memory.ok())
      return memory.takeStatus();
    (i < runEntry.outputs.size() ? buffers.outputs : buffers.taps)
        .push_back(*memory);
  }
  Block arena = blocks->take(plan.storage.bytes);
  if (!arena.data())
    return outOfMemory("intermediate values, of which " + plan.largest->text +
                           " is the largest",
                       plan.storage.bytes);

  TesseraContext context{};
  context.size = sizeof context;
  context.symbols = plan.symbols.data();
  context.inputs = buffers.inputs.data();
  context.outputs = buffers.outputs.data();
  context.weights = model->weights();
  context.arena = arena.data();
  context.offsets = plan.storage.offsets.data();
  context.parallelFor = parallelFor;
  context.pool = parallelForPool;
  context.maxWorkers = maxWorkers;
  context.inputStrides = buffers.inputStrides.data();
  context.taps = buffers.taps.data();
  context.world = 1;
  context.afterCall = afterCall;
  context.observer = observer;
  if (afterCall)
    afterCall(observer, -1);
  context.outputStrides = buffers.outputStrides.data();
  context.units = model->units();
  int32_t failed;
  if (threadPool) {
    ThreadPool::Caller caller(*threadPool);
    failed = runEntry.run(&context);
  } else {
    failed = runEntry.run(&context);
  }
  if (failed)
    return failure(TESSERA_RUN_FAILED, runEntry.name, ": ",
                   context.errorMessage ? context.errorMessage
                                        : "a check failed");
  for (size_t i = 0; i < wanted.size(); ++i)
    if (buffers.results[i])
      wanted[i]->tensor = buffers.results[i].release();
  return Status();
}

Status Session::run(const TesseraInputBinding *inputs, int64_t inputCount,
                    TesseraOutputBinding *outputs, int64_t outputCount) {
  auto tensors = matchInputs(runEntry, inputs, inputCount);
  if (!tensors.ok())
    return tensors.takeStatus();
  auto wanted = matchOutputs(runEntry, outputs, outputCount);
  if (!wanted.ok())
    return wanted.takeStatus();
  auto plan = planForInputs(*tensors);
  if (!plan.ok())
    return plan.takeStatus();
  return runPrepared(**plan, *tensors, *wanted);
}

Result<std::vector<int64_t>>
Session::outputShape(const TesseraInputBinding *inputs, int64_t inputCount,
                     int64_t output) const {
  auto tensors = matchInputs(runEntry, inputs, inputCount);
  if (!tensors.ok())
    return tensors.takeStatus();
  auto plan = planForInputs(*tensors);
  if (!plan.ok())
    return plan.takeStatus();
  return (*plan)->outputShapes[output];
}

} // namespace tessera::runtime
