// Kernels of rows: the entry, and elementwise work and data movement.
#include "lib/Target/CPU/Rows/RowEmitter.h"
#include "lib/Target/CPU/Elements/MemrefSource.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/CPU/Rows/RowKernel.h"
#include "lib/Target/CPU/Rows/RowPasses.h"
#include "lib/Target/CPU/Rows/StreamedStores.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// RowKernel
//===----------------------------------------------------------------------===//

static SmallVector<Value> memrefArguments(kernel::FuncOp kernel,
                                          func::FuncOp function) {
  return llvm::to_vector(llvm::map_range(
      function.getArguments().slice(1, kernel.getTensorCount()),
      [](BlockArgument argument) -> Value { return argument; }));
}

static SmallVector<Value> symbolArguments(kernel::FuncOp kernel,
                                          func::FuncOp function) {
  return llvm::to_vector(llvm::map_range(
      function.getArguments().drop_front(1 + kernel.getTensorCount()),
      [](BlockArgument argument) -> Value { return argument; }));
}

RowKernel::RowKernel(kernel::FuncOp kernel, func::FuncOp function,
                     kernel::RowsAttr schedule)
    : kernel(kernel), function(function), loc(kernel.getLoc()),
      context(function.getArgument(0)),
      memrefs(memrefArguments(kernel, function)),
      elements(kernel, createMemrefSource(memrefs),
               symbolArguments(kernel, function)),
      lanes(schedule.getLanes()), unroll(schedule.getUnroll()),
      taskElements(schedule.getTaskElements()),
      streamBytes(schedule.getStreamBytes()),
      prefetchRows(schedule.getPrefetchRows()) {}

Value RowKernel::yielded(int64_t number) {
  return kernel.getYield().getValues()[number];
}

Value RowKernel::output(int64_t number) {
  return memrefs[kernel.getInputCount() + number];
}

FailureOr<SmallVector<Value>> RowKernel::sizesOf(OpBuilder &builder,
                                                 Value tensor) {
  SmallVector<Value> sizes;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t dimension = 0; dimension < rank; ++dimension) {
    Value size = elements.emitSize(builder, loc, tensor, dimension);
    if (!size) {
      emitError(tensor.getLoc(), "row emitter: expects sizes over the kernel's "
                                 "symbols, but dimension ")
          << dimension << " of " << tensor.getType() << " is none";
      return failure();
    }
    sizes.push_back(size);
  }
  return sizes;
}

/// The store, if it is a vector.store.
static vector::StoreOp emitStore(OpBuilder &builder, Location loc, Value value,
                                 Value memref, ArrayRef<Value> indices,
                                 Value mask) {
  Type stored = cast<MemRefType>(memref.getType()).getElementType();
  auto vectorType = dyn_cast<VectorType>(value.getType());
  if (getElementTypeOrSelf(value.getType()).isInteger(1) &&
      !stored.isInteger(1)) {
    Type type = vectorType ? Type(vectorType.clone(stored)) : stored;
    value = arith::ExtUIOp::create(builder, loc, type, value);
  }
  if (!vectorType)
    memref::StoreOp::create(builder, loc, value, memref, indices);
  else if (mask)
    vector::MaskedStoreOp::create(builder, loc, memref, indices, mask, value);
  else
    return vector::StoreOp::create(builder, loc, value, memref, indices);
  return {};
}

void RowKernel::store(OpBuilder &builder, Value value, Value memref,
                      ArrayRef<Value> indices, Value mask) {
  emitStore(builder, loc, value, memref, indices, mask);
}

void RowKernel::storeResult(OpBuilder &builder, Value value, Value memref,
                            ArrayRef<Value> indices, Value mask) {
  vector::StoreOp store = emitStore(builder, loc, value, memref, indices, mask);
  if (!streams || !store)
    return;
  int64_t bits = store.getVectorType().getNumElements() *
                 store.getVectorType().getElementTypeBitWidth();
  store.setNontemporal(true);
  // Without it LLVM takes the store apart.
  store.setAlignment(std::min<int64_t>(64, bits / 8));
}

LogicalResult RowKernel::emitTasks(
    OpBuilder &builder, Value count,
    function_ref<LogicalResult(OpBuilder &, Value)> body) {
  return cpu::emitTasks(builder, loc, count, context,
                        [&](OpBuilder &task, Value number) -> LogicalResult {
                          if (failed(body(task, number)))
                            return failure();
                          if (streams)
                            emitStoreFence(task, loc);
                          return success();
                        });
}

Value cpu::flatten(OpBuilder &builder, Location loc, Value memref) {
  int64_t rank = cast<MemRefType>(memref.getType()).getRank();
  if (rank == 1)
    return memref;
  SmallVector<ReassociationIndices> groups;
  if (rank > 0)
    groups.push_back(llvm::to_vector<2>(llvm::seq<int64_t>(0, rank)));
  if (rank == 0)
    return memref::ExpandShapeOp::create(builder, loc, ArrayRef<int64_t>{1},
                                         memref, groups);
  return collapseMemref(builder, loc, memref, groups);
}

//===----------------------------------------------------------------------===//
// Elementwise work
//===----------------------------------------------------------------------===//

namespace {

/// Outputs of the same sizes.
struct Elementwise {
  RowKernel &rows;
  SmallVector<Value> tensors, memrefs;

  Location loc() { return rows.loc; }
  bool isLinear();
  LogicalResult emitFlat(OpBuilder &builder, ArrayRef<Value> sizes);
  LogicalResult emitRows(OpBuilder &builder, ArrayRef<Value> sizes);
  LogicalResult emitRow(OpBuilder &builder, ArrayRef<Value> outer, Value from,
                        Value to);
};

} // namespace

bool Elementwise::isLinear() {
  return llvm::all_of(tensors,
                      [&](Value t) { return rows.elements.isLinear(t); }) &&
         llvm::all_of(memrefs, [](Value memref) {
           auto type = cast<MemRefType>(memref.getType());
           return type.getLayout().isIdentity() && type.getRank() > 0;
         });
}

/// All elements by their row-major position.
LogicalResult Elementwise::emitFlat(OpBuilder &builder, ArrayRef<Value> sizes) {
  IndexBuilder index(builder, loc());
  SmallVector<Value> flat;
  for (Value memref : memrefs)
    flat.push_back(flatten(builder, loc(), memref));
  int64_t strip = rows.lanes * rows.unroll;
  Value size = index.product(sizes);
  Value chunk =
      index.constant(llvm::divideCeil(rows.taskElements, strip) * strip);
  Value count = index.ceilDiv(size, chunk);
  return rows.emitTasks(
      builder, count, [&](OpBuilder &task, Value number) -> LogicalResult {
        IndexBuilder index(task, loc());
        Value from = index.mul(number, chunk);
        Value to = index.min(index.add(from, chunk), size);
        return Strip(rows.lanes, rows.unroll)
            .emit(task, loc(), {from, to},
                  [&](OpBuilder &inner, StripStep at) -> LogicalResult {
                    IndexBuilder index(inner, loc());
                    for (int64_t i = 0; i < at.vectors; ++i) {
                      Value position = index.add(at.index, i * rows.lanes);
                      FailureOr<SmallVector<Value>> values =
                          rows.elements.emitLinear(inner, loc(), tensors,
                                                   position, rows.lanes,
                                                   at.mask);
                      if (failed(values))
                        return failure();
                      for (auto [value, memref] : llvm::zip(*values, flat))
                        rows.storeResult(inner, value, memref, position, at.mask);
                    }
                    return success();
                  });
      });
}

LogicalResult Elementwise::emitRow(OpBuilder &builder, ArrayRef<Value> outer,
                                   Value from, Value to) {
  return Strip(rows.lanes, rows.unroll)
      .emit(builder, loc(), {from, to},
            [&](OpBuilder &inner, StripStep at) -> LogicalResult {
              IndexBuilder index(inner, loc());
              for (int64_t i = 0; i < at.vectors; ++i) {
                SmallVector<Value> indices(outer);
                indices.push_back(index.add(at.index, i * rows.lanes));
                FailureOr<SmallVector<Value>> values = rows.elements.emit(
                    inner, loc(), tensors, indices, rows.lanes, at.mask);
                if (failed(values))
                  return failure();
                for (auto [value, memref] : llvm::zip(*values, memrefs))
                  rows.storeResult(inner, value, memref, indices, at.mask);
              }
              return success();
            });
}

/// Blocks of rows (all dimensions but the last), or parts of long rows.
LogicalResult Elementwise::emitRows(OpBuilder &builder, ArrayRef<Value> sizes) {
  IndexBuilder index(builder, loc());
  Value columns = sizes.back();
  Value rowCount = index.product(sizes.drop_back());
  int64_t strip = rows.lanes * rows.unroll;
  int64_t chunkSize = llvm::divideCeil(rows.taskElements, strip) * strip;
  Value chunk = index.constant(chunkSize);
  Value one = index.constant(1);
  Value parts = index.max(index.ceilDiv(columns, chunk), one);
  Value rowsPerTask = index.max(index.div(chunk, index.max(columns, one)), one);
  Value blocks = index.ceilDiv(rowCount, rowsPerTask);
  Value count = index.mul(blocks, parts);
  return rows.emitTasks(
      builder, count, [&](OpBuilder &task, Value number) -> LogicalResult {
        IndexBuilder index(task, loc());
        SmallVector<Value> place = index.delinearize(number, {blocks, parts});
        Value first = index.mul(place[0], rowsPerTask);
        Value last = index.min(index.add(first, rowsPerTask), rowCount);
        // A known number of columns up to a chunk keeps its known bounds.
        Value from = index.mul(place[1], chunk);
        Value to = constantOf(parts) == 1
                       ? columns
                       : index.min(index.add(from, chunk), columns);
        return emitLoop(
            task, loc(), {first, last, 1}, [&](OpBuilder &inner, Value row) {
              IndexBuilder index(inner, loc());
              return emitRow(inner, index.delinearize(row, sizes.drop_back()),
                             from, to);
            });
      });
}

LogicalResult cpu::emitElementwise(RowKernel &rows, OpBuilder &builder,
                                   ArrayRef<int64_t> outputs) {
  Elementwise work{rows, {}, {}};
  for (int64_t number : outputs) {
    work.tensors.push_back(rows.yielded(number));
    work.memrefs.push_back(rows.output(number));
  }
  FailureOr<SmallVector<Value>> sizes =
      rows.sizesOf(builder, work.tensors.front());
  if (failed(sizes))
    return failure();
  if (work.isLinear())
    return work.emitFlat(builder, *sizes);
  FailureOr<bool> done = emitTransposed(rows, builder, outputs);
  if (failed(done) || *done)
    return success(succeeded(done));
  if (!sizes->empty())
    return work.emitRows(builder, *sizes);
  FailureOr<SmallVector<Value>> values =
      rows.elements.emit(builder, rows.loc, work.tensors, {}, 1);
  if (failed(values))
    return failure();
  for (auto [value, memref] : llvm::zip(*values, work.memrefs))
    rows.store(builder, value, memref, {}, {});
  return success();
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

/// The outputs, those of the same sizes together.
static SmallVector<SmallVector<int64_t>>
groupOutputs(RowKernel &rows, ArrayRef<int64_t> outputs) {
  graph::SizeAnalysis sizes(rows.kernel.getContext());
  SmallVector<SmallVector<int64_t>> groups;
  for (int64_t i : outputs) {
    auto same = llvm::find_if(groups, [&](ArrayRef<int64_t> group) {
      return sizes.haveSameSizes(rows.yielded(group.front()), rows.yielded(i));
    });
    if (same == groups.end())
      groups.push_back({i});
    else
      same->push_back(i);
  }
  return groups;
}

/// Kernels with reductions; outputs that have nothing to do with them after.
static LogicalResult emitReductions(RowKernel &rows, OpBuilder &builder,
                                    SmallVector<int64_t> &outputs) {
  FailureOr<RowStages> stages = findStages(rows.kernel);
  if (failed(stages))
    return failure();
  outputs = stages->otherOutputs;
  return stages->hasLanesAlongRows() ? emitRowReductions(rows, builder, *stages)
                               : emitColumnReductions(rows, builder, *stages);
}

static LogicalResult emitOutputs(RowKernel &rows, OpBuilder &builder) {
  auto outputs =
      llvm::to_vector(llvm::seq<int64_t>(0, rows.kernel.getOutputs()));
  if (hasReductions(rows.kernel) &&
      failed(emitReductions(rows, builder, outputs)))
    return failure();
  for (ArrayRef<int64_t> group : groupOutputs(rows, outputs))
    if (failed(emitElementwise(rows, builder, group)))
      return failure();
  return success();
}

LogicalResult cpu::emitRowKernel(kernel::FuncOp kernel,
                                 kernel::RowsAttr schedule,
                                 func::FuncOp function) {
  expandSoftmax(kernel);
  RowKernel rows(kernel, function, schedule);
  OpBuilder builder(function.getBody().front().getTerminator());
  if (findPool(kernel))
    return emitWindows(rows, builder);
  if (findCumulative(kernel))
    return emitCumulative(rows, builder);
  RowKernel streaming(kernel, function, schedule);
  streaming.streams = true;
  FailureOr<Value> isStreamed = emitIsStreamed(streaming, builder);
  if (failed(isStreamed))
    return failure();
  if (!*isStreamed)
    return emitOutputs(rows, builder);
  auto forms = scf::IfOp::create(builder, rows.loc, *isStreamed,
                                 /*withElseRegion=*/true);
  OpBuilder past = forms.getThenBodyBuilder(), into = forms.getElseBodyBuilder();
  return success(succeeded(emitOutputs(streaming, past)) &&
                 succeeded(emitOutputs(rows, into)));
}
