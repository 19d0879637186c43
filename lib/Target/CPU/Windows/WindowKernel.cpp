// Pooling, each window on its own; see SeparableWindows.cpp for those that overlap.
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
#include "lib/Target/CPU/Windows/WindowKernel.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

Type WindowKernel::accumulator() {
  bool isNarrow = isa<FloatType>(element()) &&
                  element().getIntOrFloatBitWidth() < 32;
  return isNarrow ? Float32Type::get(pool.getContext()) : element();
}

Type WindowKernel::withLanes(Type type) {
  return rows.lanes == 1 ? type : VectorType::get({rows.lanes}, type);
}

Window WindowKernel::windowAt(OpBuilder &builder, ArrayRef<Value> position) {
  IndexBuilder index(builder, loc());
  bool withPadding =
      pool.getKind() == graph::PoolKind::AverageWithPadding;
  Window window;
  for (int64_t i = 0; i < spatial(); ++i) {
    int64_t low = pool.getPadLow()[i], high = pool.getPadHigh()[i];
    Value kernel = index.constant(pool.getKernel()[i]);
    Value dilation = index.constant(pool.getDilations()[i]);
    Value origin = index.mul(position[i + 1], pool.getStrides()[i]);
    window.origin.push_back(origin);
    // The number of kernel positions before `bound` of the padded input.
    auto before = [&](Value bound) {
      Value distance = index.sub(index.max(bound, origin), origin);
      return index.min(kernel, index.ceilDiv(distance, dilation));
    };
    Value size = inputSizes[i + 1];
    window.first.push_back(low == 0 ? index.constant(0)
                                    : before(index.constant(low)));
    window.end.push_back(isClipped(i) ? before(index.add(size, low)) : kernel);
    window.counted.push_back(
        withPadding ? (pool.getCeilMode() ? before(index.add(size, low + high))
                                          : kernel)
                    : index.sub(window.end.back(), window.first.back()));
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
  if (!isMax())
    return arith::AddFOp::create(builder, loc(), a, x);
  if (isa<FloatType>(element()))
    return arith::MaximumFOp::create(builder, loc(), a, x);
  return arith::MaxSIOp::create(builder, loc(), a, x);
}

FailureOr<Value> WindowKernel::load(OpBuilder &builder, ArrayRef<Value> indices,
                                    Value mask) {
  FailureOr<Value> x;
  if (isPlanar) {
    Value position = positionOf(builder, indices, inputSizes);
    FailureOr<SmallVector<Value>> values = rows.elements.emitLinear(
        builder, loc(), pool.getInput(), position, rows.lanes, mask);
    if (failed(values))
      return failure();
    x = values->front();
  } else {
    x = rows.elements.emit(builder, loc(), pool.getInput(), indices, rows.lanes,
                           mask);
  }
  if (failed(x) || accumulator() == element())
    return x;
  return Value(arith::ExtFOp::create(builder, loc(), withLanes(accumulator()),
                                     *x));
}

namespace {
/// A window at `position` of the output; `kernelIndices` are those of the loops
/// around.
struct PlacedWindow {
  const Window &window;
  ArrayRef<Value> position;
  SmallVector<Value> kernelIndices;
};
} // namespace

/// Reduces the window into `state`, one accumulator for each vector of the
/// step.
static FailureOr<SmallVector<Value>>
emitWindow(WindowKernel &work, OpBuilder &builder, const PlacedWindow &placed,
           StripStep at, ValueRange state) {
  Location loc = work.loc();
  IndexBuilder math(builder, loc);
  const Window &window = placed.window;
  int64_t depth = placed.kernelIndices.size();
  if (depth < work.spatial())
    return emitLoop(builder, loc, {window.first[depth], window.end[depth], 1},
                    state,
                    [&](OpBuilder &inner, Value index, ValueRange values) {
                      PlacedWindow next = placed;
                      next.kernelIndices.push_back(index);
                      return emitWindow(work, inner, next, at, values);
                    });
  SmallVector<Value> place = {placed.position.front()};
  for (int64_t i = 0; i < work.spatial(); ++i) {
    Value offset =
        math.mul(placed.kernelIndices[i], work.pool.getDilations()[i]);
    Value padded = math.add(window.origin[i], offset);
    place.push_back(math.sub(padded, work.pool.getPadLow()[i]));
  }
  place.push_back({});
  SmallVector<Value> next;
  for (auto [i, value] : llvm::enumerate(state)) {
    place.back() = math.add(at.index, i * work.rows.lanes);
    FailureOr<Value> x = work.load(builder, place, at.mask);
    if (failed(x))
      return failure();
    next.push_back(work.combine(builder, value, *x));
  }
  return next;
}

Value WindowKernel::positionOf(OpBuilder &builder, ArrayRef<Value> indices,
                               ArrayRef<Value> sizes) {
  IndexBuilder math(builder, loc());
  Value position = indices.front();
  for (auto [index, size] : llvm::zip(indices.drop_front(), sizes.drop_front()))
    position = math.add(math.mul(position, size), index);
  return position;
}

Value WindowKernel::divisorOf(OpBuilder &builder, const Window &window,
                              int64_t dimensions) {
  IndexBuilder index(builder, loc());
  if (isMax())
    return {};
  Value count = arith::IndexCastOp::create(
      builder, loc(), builder.getI64Type(),
      index.product(ArrayRef(window.counted).take_front(dimensions)));
  Value divisor =
      arith::SIToFPOp::create(builder, loc(), accumulator(), count);
  if (rows.lanes == 1)
    return divisor;
  return vector::BroadcastOp::create(builder, loc(), withLanes(accumulator()),
                                     divisor);
}

LogicalResult WindowKernel::finish(OpBuilder &builder, ArrayRef<Value> indices,
                                   Value value, Value divisor, Value mask) {
  if (divisor)
    value = arith::DivFOp::create(builder, loc(), value, divisor);
  if (accumulator() != element())
    value = arith::TruncFOp::create(builder, loc(), withLanes(element()), value);
  SmallVector<Value> expected(indices);
  if (isPlanar)
    expected = {positionOf(builder, indices, sizes)};
  int64_t own = rows.lanes;
  auto source = [=](OpBuilder &, Location, ArrayRef<Value> given,
                    int64_t lanes) {
    return lanes == own && areSameIndices(given, expected) ? value : Value();
  };
  SmallVector<Value> tensors;
  for (int64_t output : outputs)
    tensors.push_back(rows.yielded(output));
  FailureOr<SmallVector<Value>> values;
  if (isPlanar) {
    rows.elements.bindLinear(pool.getResult(), source);
    values = rows.elements.emitLinear(builder, loc(), tensors, expected.front(),
                                      rows.lanes, mask);
  } else {
    rows.elements.bind(pool.getResult(), source);
    values = rows.elements.emit(builder, loc(), tensors, indices, rows.lanes,
                                mask);
  }
  if (failed(values))
    return failure();
  for (auto [output, stored] : llvm::zip(outputs, *values)) {
    Value memref = rows.output(output);
    rows.store(builder, stored,
               isPlanar ? flatten(builder, loc(), memref) : memref, expected,
               mask);
  }
  return success();
}

LogicalResult WindowKernel::emitPosition(OpBuilder &builder,
                                         ArrayRef<Value> position, Value from,
                                         Value to) {
  Window window = windowAt(builder, position);
  Value divisor = divisorOf(builder, window, spatial());
  auto step = [&](OpBuilder &inner, StripStep at) -> LogicalResult {
    IndexBuilder index(inner, loc());
    SmallVector<Value> state(at.vectors, start(inner));
    FailureOr<SmallVector<Value>> end =
        emitWindow(*this, inner, {window, position, {}}, at, state);
    if (failed(end))
      return failure();
    for (auto [i, value] : llvm::enumerate(*end)) {
      SmallVector<Value> indices(position);
      indices.push_back(index.add(at.index, i * rows.lanes));
      if (failed(finish(inner, indices, value, divisor, at.mask)))
        return failure();
    }
    return success();
  };
  return Strip(rows.lanes, rows.unroll).emit(builder, loc(), {from, to}, step);
}

LogicalResult WindowKernel::emitPositions(OpBuilder &builder) {
  IndexBuilder index(builder, loc());
  ArrayRef<Value> outer = ArrayRef(sizes).drop_back();
  Value zero = index.constant(0);
  Value one = index.constant(1);
  int64_t window = llvm::product_of(pool.getKernel());
  Value work = index.max(index.mul(sizes.back(), window), one);
  Value perTask =
      index.max(index.div(index.constant(rows.taskElements), work), one);
  Value total = index.product(outer);
  return emitTasks(builder, loc(), index.ceilDiv(total, perTask), rows.context,
                   [&](OpBuilder &task, Value number) {
                     IndexBuilder index(task, loc());
                     Value from = index.mul(number, perTask);
                     Value to = index.min(index.add(from, perTask), total);
                     return emitLoop(task, loc(), {from, to, 1},
                                     [&](OpBuilder &inner, Value row) {
                                       IndexBuilder index(inner, loc());
                                       return emitPosition(
                                           inner, index.delinearize(row, outer),
                                           zero, sizes.back());
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
  work.preparePlanar();
  return isSeparable(work) ? emitSeparable(work, builder)
                           : work.emitPositions(builder);
}
