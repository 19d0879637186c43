// Kernels for matrix products and convolutions: operands, tasks.
#include "lib/Target/CPU/Contraction/ContractionBuilder.h"
#include "lib/Target/CPU/Contraction/ContractionMatcher.h"
#include "lib/Target/CPU/Contraction/ContractionTasks.h"
#include "lib/Target/CPU/Contraction/TileBlocks.h"
#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/CPU/Elements/MemrefSource.h"
#include "lib/Target/CPU/Elements/OperandView.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

/// Sizes that tasks are cut by; the same for all tasks of a run.
struct TaskGrid {
  Value columnTiles, columnBlocks, rowBlocks, blockRows, outerCount,
      outersPerTask, outerBlocks;
};

class ContractionBuilder {
public:
  ContractionBuilder(kernel::FuncOp kernel, func::FuncOp function,
                     const Contraction &contraction,
                     kernel::ContractionAttr schedule)
      : kernel(kernel), loc(contraction.root->getLoc()),
        builder(function.getBody().front().getTerminator()),
        context(function.getArgument(0)),
        memrefs(function.getArguments().slice(1, kernel.getTensorCount())),
        c(contraction), schedule(schedule),
        elements(kernel, createMemrefSource(memrefs),
                 SmallVector<Value>(function.getArguments().drop_front(
                     1 + kernel.getTensorCount()))) {}

  LogicalResult emit();

private:
  void computeSizes();
  TaskGrid cut();
  bool rhsVariesOutside() const;
  LogicalResult emitTask(const TaskGrid &grid, Value task, TaskLoops &tiles,
                         PanelAccess &panels);
  LogicalResult emitBlocks(const TaskBlock &block, ArrayRef<Value> loops,
                           TaskLoops &tiles, PanelAccess &panels);

  kernel::FuncOp kernel;
  Location loc;
  OpBuilder builder;
  Value context;
  SmallVector<Value> memrefs;
  const Contraction &c;
  kernel::ContractionAttr schedule;
  ElementEmitter elements;
  SmallVector<Value> sizes;
};

} // namespace

void ContractionBuilder::computeSizes() {
  IndexBuilder index(builder, loc);
  for (const ContractionLoop &loop : c.loops)
    sizes.push_back(ShapedType::isDynamic(loop.size)
                        ? elements.emitSize(builder, loc, loop.origin.tensor,
                                            loop.origin.dimension)
                        : index.constant(loop.size));
}

TaskGrid ContractionBuilder::cut() {
  IndexBuilder index(builder, loc);
  Value one = index.constant(1);
  TaskGrid grid;
  grid.columnTiles = index.ceilDiv(
      sizes[c.column], schedule.getVectors() * schedule.getLanes());
  grid.columnBlocks = index.ceilDiv(grid.columnTiles, schedule.getTaskPanels());
  Value rows = sizes[c.row];
  grid.rowBlocks =
      index.max(index.ceilDiv(rows, schedule.getTaskRows()), one);
  // Blocks of equal size, in whole tiles; not above taskRows, which is a
  // multiple of a tile's rows.
  Value share = index.div(
      index.add(rows, index.add(grid.rowBlocks, -1)), grid.rowBlocks);
  grid.blockRows =
      index.mul(index.ceilDiv(share, schedule.getRows()), schedule.getRows());
  grid.outerCount = one;
  for (unsigned loop : c.outer)
    grid.outerCount = index.mul(grid.outerCount, sizes[loop]);
  grid.outersPerTask =
      c.outer.empty()
          ? one
          : index.max(index.div(index.constant(schedule.getTaskRows()),
                                index.max(rows, one)),
                      one);
  grid.outerBlocks = index.div(
      index.add(grid.outerCount, index.add(grid.outersPerTask, -1)),
      grid.outersPerTask);
  return grid;
}

bool ContractionBuilder::rhsVariesOutside() const {
  return llvm::any_of(c.outer, [&](unsigned loop) {
    return c.rhsMap.isFunctionOfDim(loop);
  });
}

LogicalResult ContractionBuilder::emitBlocks(const TaskBlock &block,
                                             ArrayRef<Value> loops,
                                             TaskLoops &tiles,
                                             PanelAccess &panels) {
  if (!panels.isCopied())
    return tiles.emit(builder, loc, loops, block);
  IndexBuilder index(builder, loc);
  Value step = index.constant(panels.copiedPanels());
  auto loop = scf::ForOp::create(builder, loc, block.firstPanel,
                                 block.lastPanel, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  TaskBlock part = block;
  part.firstPanel = loop.getInductionVar();
  part.lastPanel = index.min(index.add(part.firstPanel, step), block.lastPanel);
  if (failed(panels.copy(builder, loc, loops, part.firstPanel, part.lastPanel,
                         sizes[c.column])))
    return failure();
  return tiles.emit(builder, loc, loops, part);
}

LogicalResult ContractionBuilder::emitTask(const TaskGrid &grid, Value task,
                                           TaskLoops &tiles,
                                           PanelAccess &panels) {
  IndexBuilder index(builder, loc);
  Value zero = index.constant(0), one = index.constant(1);
  Value rowBlock = index.rem(task, grid.rowBlocks);
  Value rest = index.div(task, grid.rowBlocks);
  // What changes fastest leaves the panels where they are.
  Value columnBlock, outerBlock;
  if (rhsVariesOutside()) {
    columnBlock = index.rem(rest, grid.columnBlocks);
    outerBlock = index.div(rest, grid.columnBlocks);
  } else {
    outerBlock = index.rem(rest, grid.outerBlocks);
    columnBlock = index.div(rest, grid.outerBlocks);
  }
  TaskBlock block;
  block.firstPanel = index.mul(columnBlock, schedule.getTaskPanels());
  block.lastPanel =
      index.min(index.add(block.firstPanel, schedule.getTaskPanels()),
                grid.columnTiles);
  // Blocks that are known to be single have constant borders.
  bool single = constantOf(grid.rowBlocks) == 1;
  block.firstRow = single ? zero : index.mul(rowBlock, grid.blockRows);
  block.lastRow = single ? sizes[c.row]
                         : index.min(index.add(block.firstRow, grid.blockRows),
                                     sizes[c.row]);
  if (constantOf(grid.columnBlocks) == 1) {
    block.firstPanel = zero;
    block.lastPanel = grid.columnTiles;
  }
  if (panels.isCopied())
    panels.allocate(builder, loc);
  Value firstOuter = index.mul(outerBlock, grid.outersPerTask);
  Value lastOuter = index.min(index.add(firstOuter, grid.outersPerTask),
                              grid.outerCount);
  auto loop = scf::ForOp::create(builder, loc, firstOuter, lastOuter, one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> loops(c.loops.size(), zero);
  Value outer = loop.getInductionVar();
  for (unsigned i = c.outer.size(); i-- > 0;) {
    unsigned number = c.outer[i];
    loops[number] = i == 0 ? outer : index.rem(outer, sizes[number]);
    outer = index.div(outer, sizes[number]);
  }
  return emitBlocks(block, loops, tiles, panels);
}

LogicalResult ContractionBuilder::emit() {
  computeSizes();
  FailureOr<ResultStores> stores =
      ResultStores::create(kernel, c.result, memrefs, elements);
  if (failed(stores))
    return failure();
  OperandViews views(memrefs, elements);
  std::unique_ptr<MultiplyAccumulate> multiply = MultiplyAccumulate::create(
      schedule.getAccumulate(), schedule.getLanes(), c.lhsSignedness);
  LeftOperand left(c, elements, *multiply);
  left.prepare(builder, loc, views);
  bool isTiled = kernel::isTiled(schedule.getAccumulate());
  PanelAccess panels(c, elements, *multiply, schedule,
                     isTiled ? TileBlocks::panelBytes(c, *multiply, schedule)
                     : stores->areLong() ? kScratchBytes - kRegisterSumBytes
                                         : kScratchBytes);
  panels.prepare(builder, loc, views);
  ContractionParts parts{c,        *multiply, left,     panels,
                         elements, *stores,   schedule, sizes};
  std::unique_ptr<TaskLoops> loops;
  if (isTiled)
    loops = std::make_unique<TileBlocks>(parts);
  else
    loops = std::make_unique<TaskTiles>(parts);
  loops->prepare(builder, loc, views);

  TaskGrid grid = cut();
  IndexBuilder index(builder, loc);
  Value tasks = index.mul(index.mul(grid.rowBlocks, grid.columnBlocks),
                          grid.outerBlocks);
  auto parallel = kernel::ParallelForOp::create(builder, loc, tasks, context,
                                                nullptr);
  Block *body = &parallel.getBody().front();
  builder.setInsertionPointToStart(body);
  if (failed(emitTask(grid, body->getArgument(0), *loops, panels)))
    return failure();
  builder.setInsertionPointToEnd(body);
  kernel::EndOp::create(builder, loc);
  return success();
}

LogicalResult cpu::checkContractionKernel(kernel::FuncOp kernel,
                                          kernel::ContractionAttr schedule) {
  FailureOr<Contraction> contraction = matchContraction(kernel, schedule);
  if (failed(contraction) ||
      failed(ResultStores::check(kernel, contraction->result)))
    return failure();
  ElementCheck elements(kernel);
  for (const ContractionLoop &loop : contraction->loops)
    if (ShapedType::isDynamic(loop.size) &&
        failed(elements.checkSize(loop.origin.tensor, loop.origin.dimension)))
      return contraction->root->emitOpError(
          "has a size that is not known before it runs");
  for (Value operand :
       {contraction->lhs(), contraction->rhs(), contraction->init})
    if (operand && failed(elements.check(operand)))
      return failure();
  elements.bindAnywhere(contraction->result);
  for (Value value : kernel.getYield().getValues())
    if (failed(elements.check(value)))
      return failure();
  return success();
}

LogicalResult cpu::emitContractionKernel(kernel::FuncOp kernel,
                                         kernel::ContractionAttr schedule,
                                         func::FuncOp function) {
  if (failed(checkContractionKernel(kernel, schedule)))
    return failure();
  FailureOr<Contraction> contraction = matchContraction(kernel, schedule);
  return ContractionBuilder(kernel, function, *contraction, schedule).emit();
}
