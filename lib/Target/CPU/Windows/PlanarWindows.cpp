// Windows that overlap in planes: lanes along the columns; see SeparableWindows.h.
#include "lib/Target/CPU/Windows/SeparableWindows.h"

#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

void WindowKernel::preparePlanar() {
  int64_t columns = spatial() - 1;
  auto isDense = [](Value memref) {
    return cast<MemRefType>(memref.getType()).getLayout().isIdentity();
  };
  if (rows.lanes == 1 || constantOf(sizes.back()) != 1 ||
      pool.getDilations()[columns] != 1 ||
      pool.getKernel()[columns] > kMostPlanarColumns ||
      pool.getStrides()[columns] > kMostPlanarStride ||
      !rows.elements.isLinear(pool.getInput()))
    return;
  // What follows is asked with the window's result as something that is there.
  rows.elements.bindLinear(pool.getResult(),
                           [](OpBuilder &, Location, ArrayRef<Value>, int64_t) {
                             return Value();
                           });
  isPlanar = llvm::all_of(outputs, [&](int64_t output) {
    return isDense(rows.output(output)) &&
           rows.elements.isLinear(rows.yielded(output));
  });
  rows.elements.unbind(pool.getResult());
}

Value SeparableWindows::loadPlanar(OpBuilder &builder, Value row, Value from) {
  int64_t lanes = work.rows.lanes, stride = columns.stride;
  SmallVector<Value> indices = scratchIndices(builder, row, from, {});
  Value all = vector::LoadOp::create(
      builder, loc(), VectorType::get({lanes * stride}, work.accumulator()),
      scratch, indices);
  if (stride == 1)
    return all;
  return vector::ShuffleOp::create(
      builder, loc(), all, all,
      llvm::map_to_vector(llvm::seq<int64_t>(lanes),
                          [&](int64_t lane) { return lane * stride; }));
}

Value SeparableWindows::columnDivisors(OpBuilder &builder, Value column) {
  IndexBuilder math(builder, loc());
  graph::PoolOp pool = work.pool;
  int64_t dimension = columnDimension(), lanes = work.rows.lanes;
  Type i32 = builder.getI32Type();
  auto type = VectorType::get({lanes}, i32);
  auto splat = [&](Value index) -> Value {
    return vector::BroadcastOp::create(
        builder, loc(), type,
        arith::IndexCastOp::create(builder, loc(), i32, index));
  };
  SmallVector<int32_t> steps =
      llvm::map_to_vector(llvm::seq<int64_t>(lanes), [&](int64_t lane) {
        return static_cast<int32_t>(lane * columns.stride);
      });
  bool withPadding = pool.getKind() == graph::PoolKind::AverageWithPadding;
  int64_t low = pool.getPadLow()[dimension];
  // The windows' first positions and ends in the padded input.
  Value first = arith::AddIOp::create(
      builder, loc(), splat(math.mul(column, columns.stride)),
      arith::ConstantOp::create(
          builder, loc(),
          DenseElementsAttr::get(type, ArrayRef<int32_t>(steps))));
  Value end = arith::AddIOp::create(builder, loc(), first,
                                    splat(math.constant(columns.size)));
  int64_t behind = withPadding ? pool.getPadHigh()[dimension] : 0;
  if (work.isClipped(dimension) && (!withPadding || pool.getCeilMode()))
    end = arith::MinSIOp::create(
        builder, loc(), end,
        splat(math.add(work.inputSizes[1 + dimension], low + behind)));
  if (!withPadding)
    first = arith::MaxSIOp::create(builder, loc(), first,
                                   splat(math.constant(low)));
  return arith::SIToFPOp::create(
      builder, loc(), work.withLanes(work.accumulator()),
      arith::SubIOp::create(builder, loc(), end, first));
}

LogicalResult SeparableWindows::emitPlanarRow(OpBuilder &builder,
                                              const Block &block, Value row) {
  IndexBuilder index(builder, loc());
  SmallVector<Value> position(block.position);
  if (rowDimension() >= 0)
    position[1 + rowDimension()] = index.add(position[1 + rowDimension()], row);
  Value others = work.divisorOf(builder, work.windowAt(builder, position),
                                columnDimension());
  Value zero = index.constant(0);
  return Strip(work.rows.lanes, 1)
      .emit(builder, loc(), {zero, block.columnCount},
            [&](OpBuilder &inner, StripStep place) -> LogicalResult {
              IndexBuilder index(inner, loc());
              Value first = index.mul(place.index, columns.stride);
              Value result;
              for (int64_t i = 0; i < columns.size; ++i) {
                Value x = loadPlanar(inner, row, index.add(first, i));
                result = result ? combine(inner, x, result, false) : x;
              }
              SmallVector<Value> indices(position);
              indices.back() = index.add(indices.back(), place.index);
              Value divisor;
              if (others)
                divisor = arith::MulFOp::create(
                    inner, loc(), others,
                    columnDivisors(inner, indices.back()));
              indices.push_back(zero);
              return work.finish(inner, indices, result, divisor, place.mask);
            });
}
