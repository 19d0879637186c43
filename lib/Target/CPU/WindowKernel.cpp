// Pooling: windows that slide over the spatial dimensions, lanes along the
// channels.
//
// Window loops run over the positions inside the input only, so that no padded
// copy is made:
//
//   y[b, o, c] = max over k of x[b, 2 o + k - 1, c]
//     ==>  for each (b, o) of the task:
//            first, end = the k with 0 <= 2 o + k - 1 < size
//            for c in steps of 4 vectors:
//              a0..a3 = -inf
//              for k = first .. end:
//                ai = max(ai, x[b, 2 o + k - 1, c + i * lanes ..])
//              y[b, o, c ..] = epilogue(a0..a3)
#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/CPU/LaneIndex.h"
#include "lib/Target/CPU/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

/// The window of one output position: for each spatial dimension the range of
/// kernel positions inside the input, and where position 0 lies in the padded
/// input.
struct Window {
  SmallVector<Value> first, end, origin;
  /// Number of elements that an average divides by.
  Value count;
};

struct WindowKernel {
  RowKernel &rows;
  graph::PoolOp pool;
  SmallVector<int64_t> outputs;
  SmallVector<Value> sizes, inputSizes;

  Location loc() { return rows.loc; }
  int64_t spatial() { return pool.getKernel().size(); }
  bool isMax() { return pool.getKind() == graph::PoolKind::Max; }
  Type element() { return getElementTypeOrSelf(pool.getType()); }
  /// Sums of narrow floats are f32.
  Type accumulator() {
    bool isNarrow = isa<FloatType>(element()) && !isMax() &&
                    element().getIntOrFloatBitWidth() < 32;
    return isNarrow ? Float32Type::get(pool.getContext()) : element();
  }
  Type withLanes(Type type) {
    return rows.lanes == 1 ? type : VectorType::get({rows.lanes}, type);
  }

  LogicalResult emit(OpBuilder &builder);
  LogicalResult emitPosition(OpBuilder &builder, ArrayRef<Value> position);
  Window windowAt(OpBuilder &builder, ArrayRef<Value> position);
  Value start(OpBuilder &builder);
  Value combine(OpBuilder &builder, Value a, Value x);
  FailureOr<SmallVector<Value>>
  emitWindow(OpBuilder &builder, const Window &window,
             ArrayRef<Value> position, StripStep at,
             SmallVector<Value> kernelIndices, ValueRange state);
  LogicalResult emitOutputs(OpBuilder &builder, ArrayRef<Value> indices,
                            Value value, Value mask);
};

} // namespace

Window WindowKernel::windowAt(OpBuilder &builder, ArrayRef<Value> position) {
  auto constant = [&](int64_t value) {
    return indexConstant(builder, loc(), value);
  };
  bool withPadding =
      pool.getKind() == graph::PoolKind::AverageWithPadding;
  Window window;
  window.count = constant(1);
  for (int64_t i = 0; i < spatial(); ++i) {
    int64_t low = pool.getPadLow()[i], high = pool.getPadHigh()[i];
    Value kernel = constant(pool.getKernel()[i]);
    Value dilation = constant(pool.getDilations()[i]);
    Value origin = indexMul(builder, loc(), position[i + 1],
                            constant(pool.getStrides()[i]));
    window.origin.push_back(origin);
    // The number of kernel positions before `bound` of the padded input.
    auto before = [&](Value bound) {
      Value distance = indexSub(
          builder, loc(), indexMax(builder, loc(), bound, origin), origin);
      return indexMin(builder, loc(), kernel,
                      indexCeilDiv(builder, loc(), distance, dilation));
    };
    Value size = inputSizes[i + 1];
    bool isInside = low == 0 && high == 0 && !pool.getCeilMode();
    window.first.push_back(low == 0 ? constant(0) : before(constant(low)));
    window.end.push_back(
        isInside ? kernel
                 : before(indexAdd(builder, loc(), size, constant(low))));
    Value counted =
        withPadding
            ? (pool.getCeilMode()
                   ? before(indexAdd(builder, loc(), size, constant(low + high)))
                   : kernel)
            : indexSub(builder, loc(), window.end.back(), window.first.back());
    window.count = indexMul(builder, loc(), window.count, counted);
  }
  return window;
}

Value WindowKernel::start(OpBuilder &builder) {
  Type type = accumulator();
  TypedAttr value = builder.getZeroAttr(type);
  if (auto floating = dyn_cast<FloatType>(type); floating && isMax())
    value = builder.getFloatAttr(
        type, APFloat::getInf(floating.getFloatSemantics(), true));
  else if (isMax())
    value = builder.getIntegerAttr(
        type, APInt::getSignedMinValue(type.getIntOrFloatBitWidth()));
  if (rows.lanes > 1)
    value = DenseElementsAttr::get(cast<VectorType>(withLanes(type)),
                                   Attribute(value));
  return arith::ConstantOp::create(builder, loc(), value);
}

Value WindowKernel::combine(OpBuilder &builder, Value a, Value x) {
  if (!isMax()) {
    if (accumulator() != element())
      x = arith::ExtFOp::create(builder, loc(), a.getType(), x);
    return arith::AddFOp::create(builder, loc(), a, x);
  }
  if (isa<FloatType>(element()))
    return arith::MaximumFOp::create(builder, loc(), a, x);
  return arith::MaxSIOp::create(builder, loc(), a, x);
}

FailureOr<SmallVector<Value>>
WindowKernel::emitWindow(OpBuilder &builder, const Window &window,
                         ArrayRef<Value> position, StripStep at,
                         SmallVector<Value> kernelIndices, ValueRange state) {
  int64_t depth = kernelIndices.size();
  if (depth < spatial())
    return emitLoop(builder, loc(), window.first[depth], window.end[depth], 1,
                    state,
                    [&](OpBuilder &inner, Value index, ValueRange values) {
                      SmallVector<Value> next(kernelIndices);
                      next.push_back(index);
                      return emitWindow(inner, window, position, at, next,
                                        values);
                    });
  SmallVector<Value> place = {position.front()};
  for (int64_t i = 0; i < spatial(); ++i) {
    Value offset = indexMul(
        builder, loc(), kernelIndices[i],
        indexConstant(builder, loc(), pool.getDilations()[i]));
    Value padded = indexAdd(builder, loc(), window.origin[i], offset);
    place.push_back(
        indexSub(builder, loc(), padded,
                 indexConstant(builder, loc(), pool.getPadLow()[i])));
  }
  place.push_back({});
  SmallVector<Value> next;
  for (auto [i, value] : llvm::enumerate(state)) {
    place.back() =
        indexAdd(builder, loc(), at.index,
                 indexConstant(builder, loc(), i * rows.lanes));
    FailureOr<Value> x = rows.elements.emit(builder, loc(), pool.getInput(),
                                            place, rows.lanes, at.mask);
    if (failed(x))
      return failure();
    next.push_back(combine(builder, value, *x));
  }
  return next;
}

LogicalResult WindowKernel::emitOutputs(OpBuilder &builder,
                                        ArrayRef<Value> indices, Value value,
                                        Value mask) {
  SmallVector<Value> expected(indices);
  int64_t own = rows.lanes;
  rows.elements.bind(pool.getResult(), [=](OpBuilder &, Location,
                                           ArrayRef<Value> given,
                                           int64_t lanes) {
    return lanes == own && areSameIndices(given, expected) ? value : Value();
  });
  SmallVector<Value> tensors;
  for (int64_t output : outputs)
    tensors.push_back(rows.yielded(output));
  FailureOr<SmallVector<Value>> values = rows.elements.emit(
      builder, loc(), tensors, indices, rows.lanes, mask);
  if (failed(values))
    return failure();
  for (auto [output, stored] : llvm::zip(outputs, *values))
    rows.store(builder, stored, rows.output(output), indices, mask);
  return success();
}

LogicalResult WindowKernel::emitPosition(OpBuilder &builder,
                                         ArrayRef<Value> position) {
  Window window = windowAt(builder, position);
  Value divisor;
  if (!isMax()) {
    Value count = arith::IndexCastOp::create(builder, loc(),
                                             builder.getI64Type(), window.count);
    divisor =
        arith::SIToFPOp::create(builder, loc(), accumulator(), count);
    if (rows.lanes > 1)
      divisor = vector::BroadcastOp::create(builder, loc(),
                                            withLanes(accumulator()), divisor);
  }
  auto step = [&](OpBuilder &inner, StripStep at) -> LogicalResult {
    SmallVector<Value> state(at.vectors, start(inner));
    FailureOr<SmallVector<Value>> end =
        emitWindow(inner, window, position, at, {}, state);
    if (failed(end))
      return failure();
    for (auto [i, value] : llvm::enumerate(*end)) {
      if (divisor)
        value = arith::DivFOp::create(inner, loc(), value, divisor);
      if (accumulator() != element())
        value = arith::TruncFOp::create(inner, loc(), withLanes(element()),
                                        value);
      SmallVector<Value> indices(position);
      indices.push_back(indexAdd(inner, loc(), at.index,
                                 indexConstant(inner, loc(), i * rows.lanes)));
      if (failed(emitOutputs(inner, indices, value, at.mask)))
        return failure();
    }
    return success();
  };
  return Strip(rows.lanes, rows.unroll)
      .emit(builder, loc(), indexConstant(builder, loc(), 0), sizes.back(),
            step);
}

LogicalResult WindowKernel::emit(OpBuilder &builder) {
  ArrayRef<Value> outer = ArrayRef(sizes).drop_back();
  Value one = indexConstant(builder, loc(), 1);
  int64_t window = 1;
  for (int64_t size : pool.getKernel())
    window *= size;
  Value work = indexMax(
      builder, loc(),
      indexMul(builder, loc(), sizes.back(),
               indexConstant(builder, loc(), window)),
      one);
  Value perTask = indexMax(
      builder, loc(),
      indexDiv(builder, loc(),
               indexConstant(builder, loc(), rows.taskElements), work),
      one);
  Value total = indexProduct(builder, loc(), outer);
  return emitTasks(
      builder, loc(), indexCeilDiv(builder, loc(), total, perTask),
      rows.context, [&](OpBuilder &task, Value number) {
        Value from = indexMul(task, loc(), number, perTask);
        Value to = indexMin(task, loc(), indexAdd(task, loc(), from, perTask),
                            total);
        return emitLoop(task, loc(), from, to, 1,
                        [&](OpBuilder &inner, Value row) {
                          return emitPosition(
                              inner,
                              cpu::delinearize(inner, loc(), row, outer));
                        });
      });
}

graph::PoolOp cpu::findPool(kernel::FuncOp kernel) {
  auto pools = kernel.getBody().front().getOps<graph::PoolOp>();
  return pools.empty() ? graph::PoolOp() : *pools.begin();
}

LogicalResult cpu::emitWindows(RowKernel &rows, OpBuilder &builder) {
  graph::PoolOp pool = findPool(rows.kernel);
  WindowKernel work{rows, pool, {}, {}, {}};
  graph::SizeAnalysis analysis(rows.kernel.getContext());
  for (int64_t i = 0, e = rows.kernel.getOutputs(); i < e; ++i) {
    if (!analysis.haveSameSizes(rows.yielded(i), pool.getResult()))
      return rows.kernel.emitOpError("row emitter: expects output ")
             << i << " to have the sizes of the pooled tensor";
    work.outputs.push_back(i);
  }
  if (!work.isMax() && !isa<FloatType>(work.element()))
    return pool.emitOpError("row emitter: expects floats to average, but got ")
           << work.element();
  FailureOr<SmallVector<Value>> sizes =
      rows.sizesOf(builder, pool.getResult());
  FailureOr<SmallVector<Value>> inputSizes =
      rows.sizesOf(builder, pool.getInput());
  if (failed(sizes) || failed(inputSizes))
    return failure();
  work.sizes = *sizes;
  work.inputSizes = *inputSizes;
  return work.emit(builder);
}
