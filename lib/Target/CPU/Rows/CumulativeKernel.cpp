// Sums and products of all elements up to each one: rows in any order, along a row
// one after the other. Lanes lie across the rows where these are not the last
// dimension. Floats are carried in f64, so that the error does not grow along the row.
//
//   y[b, i] = sum over j <= i of x[b, j]  ==>  for each b of the task:
//                                                a = 0
//                                                for i:
//                                                  a += x[b, i]
//                                                  y[b, i] = a
#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/CPU/Rows/RowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

struct CumulativeKernel {
  RowKernel &rows;
  graph::CumulativeOp op;
  SmallVector<Value> sizes;
  int64_t lanes;

  CumulativeKernel(RowKernel &rows, graph::CumulativeOp op,
                   ArrayRef<Value> sizes)
      : rows(rows), op(op), sizes(sizes),
        lanes(isAlongLast() ? 1 : rows.lanes) {}

  Location loc() { return rows.loc; }
  int64_t dimension() { return op.getDimension(); }
  bool isAlongLast() {
    return dimension() + 1 == op.getSource().getType().getRank();
  }
  /// The dimensions that are neither gone along nor lie along lanes.
  SmallVector<int64_t> outer();

  LogicalResult emit(OpBuilder &builder);
  /// All elements along the dimension, from the vector at `indices` on.
  LogicalResult emitRow(OpBuilder &builder, SmallVector<Value> indices,
                        Value mask);
  /// The type of what is carried.
  Type carried() {
    Type type = getElementTypeOrSelf(op.getType());
    return isa<FloatType>(type) ? Float64Type::get(op.getContext()) : type;
  }
  Value neutral(OpBuilder &builder);
  Value convert(OpBuilder &builder, Value value, Type type);
  Value join(OpBuilder &builder, Value a, Value x);
};

} // namespace

SmallVector<int64_t> CumulativeKernel::outer() {
  SmallVector<int64_t> dimensions;
  int64_t end = isAlongLast() ? sizes.size() : sizes.size() - 1;
  for (int64_t i = 0; i < end; ++i)
    if (i != dimension())
      dimensions.push_back(i);
  return dimensions;
}

/// `value` as a float of another width, or as it is.
Value CumulativeKernel::convert(OpBuilder &builder, Value value, Type element) {
  Type from = getElementTypeOrSelf(value.getType());
  Type type = lanes > 1 ? Type(VectorType::get({lanes}, element)) : element;
  if (from == element)
    return value;
  if (from.getIntOrFloatBitWidth() < element.getIntOrFloatBitWidth())
    return arith::ExtFOp::create(builder, loc(), type, value);
  return arith::TruncFOp::create(builder, loc(), type, value);
}

Value CumulativeKernel::neutral(OpBuilder &builder) {
  Type type = carried();
  TypedAttr value = op.getCombination() == graph::Combination::Add
                        ? builder.getZeroAttr(type)
                        : builder.getOneAttr(type);
  if (lanes > 1)
    value = DenseElementsAttr::get(VectorType::get({lanes}, type),
                                   Attribute(value));
  return arith::ConstantOp::create(builder, loc(), value);
}

Value CumulativeKernel::join(OpBuilder &builder, Value a, Value x) {
  bool isSum = op.getCombination() == graph::Combination::Add;
  if (isa<FloatType>(getElementTypeOrSelf(a.getType())))
    return isSum ? arith::AddFOp::create(builder, loc(), a, x).getResult()
                 : arith::MulFOp::create(builder, loc(), a, x).getResult();
  return isSum ? arith::AddIOp::create(builder, loc(), a, x).getResult()
               : arith::MulIOp::create(builder, loc(), a, x).getResult();
}

LogicalResult CumulativeKernel::emitRow(OpBuilder &builder,
                                        SmallVector<Value> indices,
                                        Value mask) {
  IndexBuilder index(builder, loc());
  Value size = sizes[dimension()];
  Value last = index.sub(size, 1);
  using State = SmallVector<Value>;
  return success(succeeded(emitLoop(
      builder, loc(), {index.constant(0), size, 1}, neutral(builder),
      [&](OpBuilder &inner, Value i, ValueRange state) -> FailureOr<State> {
        IndexBuilder index(inner, loc());
        indices[dimension()] = op.getReverse() ? index.sub(last, i) : i;
        FailureOr<Value> x = rows.elements.emit(inner, loc(), op.getSource(),
                                                indices, lanes, mask);
        if (failed(x))
          return failure();
        Value joined =
            join(inner, state.front(), convert(inner, *x, carried()));
        Value stored = op.getExclusive() ? state.front() : joined;
        rows.store(inner,
                   convert(inner, stored, getElementTypeOrSelf(op.getType())),
                   rows.output(0), indices, mask);
        return State{joined};
      })));
}

LogicalResult CumulativeKernel::emit(OpBuilder &builder) {
  IndexBuilder math(builder, loc());
  Value one = math.constant(1);
  SmallVector<Value> outerSizes;
  for (int64_t i : outer())
    outerSizes.push_back(sizes[i]);
  Value count = math.product(outerSizes);
  Value work = sizes[dimension()];
  if (!isAlongLast())
    work = math.mul(work, sizes.back());
  Value perTask = math.max(
      math.div(math.constant(rows.taskElements), math.max(work, one)), one);
  auto emitAt = [&](OpBuilder &inner, Value number) -> LogicalResult {
    IndexBuilder math(inner, loc());
    SmallVector<Value> indices(sizes.size());
    for (auto [i, index] :
         llvm::zip(outer(), math.delinearize(number, outerSizes)))
      indices[i] = index;
    if (isAlongLast())
      return emitRow(inner, indices, {});
    return Strip(lanes, /*unroll=*/1)
        .emit(inner, loc(), {math.constant(0), sizes.back()},
              [&](OpBuilder &strip, StripStep at) {
                indices.back() = at.index;
                return emitRow(strip, indices, at.mask);
              });
  };
  return emitTasks(builder, loc(), math.ceilDiv(count, perTask), rows.context,
                   [&](OpBuilder &task, Value number) {
                     IndexBuilder index(task, loc());
                     Value from = index.mul(number, perTask);
                     Value to = index.min(index.add(from, perTask), count);
                     return emitLoop(task, loc(), {from, to, 1}, emitAt);
                   });
}

graph::CumulativeOp cpu::findCumulative(kernel::FuncOp kernel) {
  auto found = kernel.getBody().front().getOps<graph::CumulativeOp>();
  return found.empty() ? graph::CumulativeOp() : *found.begin();
}

LogicalResult cpu::emitCumulative(RowKernel &rows, OpBuilder &builder) {
  graph::CumulativeOp op = findCumulative(rows.kernel);
  if (rows.kernel.getOutputs() != 1 || rows.yielded(0) != op.getResult())
    return op.emitOpError("row emitter: expects to be all that its kernel yields");
  FailureOr<SmallVector<Value>> sizes = rows.sizesOf(builder, op.getResult());
  if (failed(sizes))
    return failure();
  return CumulativeKernel(rows, op, *sizes).emit(builder);
}
