// Grid-stride kernels over the elements of their outputs.
#include "lib/Target/PTX/ElementwiseKernel.h"

#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/PTX/DeviceFunction.h"

using namespace mlir;

namespace tessera::ptx {

static constexpr int64_t kWarpThreads = 32;
static constexpr int64_t kMaxBlockThreads = 1024;
/// Threads that a multiprocessor holds: enough blocks to fill it.
static constexpr int64_t kProcessorThreads = 2048;

namespace {
/// Builds the body of one device function.
class ElementwiseEmitter {
public:
  ElementwiseEmitter(DeviceBuilder &b, kernel::FuncOp kernel,
                     kernel::RowsAttr schedule, int64_t threads,
                     DeviceFunction &function)
      : b(b), kernel(kernel), lanes(schedule.getLanes()),
        unroll(schedule.getUnroll()), threads(threads), function(function),
        elements(b, kernel, function.tensors(), function.symbols()) {}

  LogicalResult emit();

private:
  void emitSetup();
  SmallVector<Value> indicesOf(Value chunk);
  LogicalResult emitChunks(Value first);
  LogicalResult emitRaggedChunk(Value chunk);
  FailureOr<SmallVector<Value>> compute(ValueRange indices, int64_t count);
  void store(ValueRange indices, ValueRange elements);

  DeviceBuilder &b;
  kernel::FuncOp kernel;
  int64_t lanes, unroll, threads;
  DeviceFunction &function;
  DeviceElements elements;

  bool flat = false; // all is computed by row-major positions
  DeviceTensors tensors; // flat, or as the function has them
  SmallVector<Value> outer; // sizes of all but the last dimension
  // i64: columns, chunks of `lanes` columns in a row and in all rows; chunks
  // below `fullChunks` have all their columns and are aligned.
  Value columns, rowChunks, chunks, fullChunks;
};
} // namespace

void ElementwiseEmitter::emitSetup() {
  tensors = function.tensors();
  SmallVector<Value> sizes = function.tensor(kernel.getInputCount()).sizes;
  flat = llvm::all_of(kernel.getYield().getValues(), [&](Value value) {
    return elements.isLinear(value);
  });
  if (flat) {
    Value total = b.i64(1);
    for (Value size : sizes)
      total = b.mul(total, size);
    for (auto &entry : tensors)
      entry.second.sizes = {total};
    sizes = {total};
  }
  columns = sizes.pop_back_val();
  outer = sizes;
  rowChunks = b.ceilDiv(columns, lanes);
  chunks = rowChunks;
  for (Value size : outer)
    chunks = b.mul(chunks, size);
  fullChunks = flat ? b.div(columns, lanes)
                    : b.select(b.equal(b.rem(columns, lanes), 0), chunks,
                               b.i64(0));
}

/// Indices of a chunk's first element.
SmallVector<Value> ElementwiseEmitter::indicesOf(Value chunk) {
  if (outer.empty())
    return {b.mul(chunk, lanes)};
  SmallVector<Value> indices = {b.mul(b.rem(chunk, rowChunks), lanes)};
  Value row = b.div(chunk, rowChunks);
  for (size_t i = outer.size(); i-- > 1; row = b.div(row, outer[i]))
    indices.push_back(b.rem(row, outer[i]));
  indices.push_back(row);
  std::reverse(indices.begin(), indices.end());
  return indices;
}

FailureOr<SmallVector<Value>> ElementwiseEmitter::compute(ValueRange indices,
                                                          int64_t count) {
  ValueRange values = kernel.getYield().getValues();
  return flat ? elements.emitLinear(values, indices.front(), count)
              : elements.emit(values, indices, count);
}

void ElementwiseEmitter::store(ValueRange indices, ValueRange elements) {
  for (auto [output, value] :
       llvm::zip_equal(kernel.getOutputArguments(), elements))
    storeElements(b, tensors.find(output)->second, indices, value);
}

/// `unroll` whole chunks, `threads` apart: all loads come before the stores.
LogicalResult ElementwiseEmitter::emitChunks(Value first) {
  SmallVector<SmallVector<Value>> indices, results;
  for (int64_t i = 0; i < unroll; ++i) {
    indices.push_back(indicesOf(b.add(first, i * threads)));
    auto result = compute(indices.back(), lanes);
    if (failed(result))
      return failure();
    results.push_back(*result);
  }
  for (auto [at, elements] : llvm::zip_equal(indices, results))
    store(at, elements);
  return success();
}

LogicalResult ElementwiseEmitter::emitRaggedChunk(Value chunk) {
  LogicalResult status = success();
  SmallVector<Value> indices = indicesOf(chunk);
  Value end = b.min(b.add(indices.back(), lanes), columns);
  b.loop(indices.back(), end, b.i64(1), {},
         [&](Value column, ValueRange) -> SmallVector<Value> {
           SmallVector<Value> at = indices;
           at.back() = column;
           auto result = compute(at, 1);
           if (succeeded(result))
             store(at, *result);
           else
             status = failure();
           return {};
         });
  return status;
}

LogicalResult ElementwiseEmitter::emit() {
  emitSetup();
  LogicalResult status = success();
  int64_t blockChunks = threads * unroll;
  Value thread = b.wide(b.threadIndex());
  Value start = b.mul(b.wide(b.blockIndex()), blockChunks);
  Value stride = b.mul(b.wide(b.gridSize()), blockChunks);
  b.loop(start, chunks, stride, {},
         [&](Value block, ValueRange) -> SmallVector<Value> {
           Value first = b.add(block, thread);
           Value last = b.add(first, (unroll - 1) * threads);
           b.ifElse(
               b.less(last, fullChunks),
               [&] { status = emitChunks(first); },
               [&] {
                 for (int64_t i = 0; i < unroll && succeeded(status); ++i) {
                   Value chunk = b.add(first, i * threads);
                   b.ifThen(b.less(chunk, chunks),
                            [&] { status = emitRaggedChunk(chunk); });
                 }
               });
           return {};
         });
  return status;
}

/// Inputs that some operation of the body reads.
static SmallVector<int64_t> usedTensors(kernel::FuncOp kernel) {
  SmallVector<int64_t> used;
  for (int64_t i = 0, e = kernel.getTensorCount(); i < e; ++i)
    if (i >= kernel.getInputCount() || !kernel.getArgument(i).use_empty())
      used.push_back(i);
  return used;
}

/// Threads of a block, if they are a number that a block may have.
static int64_t threadsOf(kernel::RowsAttr schedule) {
  return schedule.getTaskElements() /
         (schedule.getLanes() * schedule.getUnroll());
}

LogicalResult checkElementwiseKernel(kernel::FuncOp kernel,
                                     kernel::RowsAttr schedule) {
  int64_t output = kernel.getInputCount();
  for (int64_t i = output + 1; i < kernel.getTensorCount(); ++i)
    if (kernel.getShape(i) != kernel.getShape(output))
      return kernel.emitOpError("expects outputs of one shape, but output ")
             << i - output << " differs from the first";
  int64_t perThread = schedule.getLanes() * schedule.getUnroll();
  int64_t threads = threadsOf(schedule);
  if (schedule.getTaskElements() % perThread || threads % kWarpThreads ||
      threads > kMaxBlockThreads)
    return kernel.emitOpError("expects taskElements of lanes * unroll times a "
                              "multiple of ")
           << kWarpThreads << " threads up to " << kMaxBlockThreads
           << ", but got " << schedule.getTaskElements() << " for "
           << perThread;
  ElementCheck elements(kernel);
  for (Value value : kernel.getYield().getValues())
    if (failed(elements.check(value)))
      return failure();
  return checkConstants(kernel);
}

LogicalResult emitElementwiseKernel(OpBuilder &builder, kernel::FuncOp kernel,
                                    kernel::RowsAttr schedule) {
  if (failed(checkElementwiseKernel(kernel, schedule)))
    return failure();
  int64_t output = kernel.getInputCount(), threads = threadsOf(schedule);
  DeviceFunction::Options options;
  options.threads = threads;
  options.launchBlocks = kProcessorThreads / threads;
  options.output = output;
  options.tileColumns = schedule.getTaskElements();
  options.pointers = usedTensors(kernel);
  DeviceFunction function(builder, kernel, options);
  DeviceBuilder b(kernel.getLoc(), function.body(), function.body()->begin());
  function.bindArguments(b);
  if (failed(
          ElementwiseEmitter(b, kernel, schedule, threads, function).emit()))
    return failure();
  LLVM::ReturnOp::create(b, ValueRange());
  return success();
}

} // namespace tessera::ptx
