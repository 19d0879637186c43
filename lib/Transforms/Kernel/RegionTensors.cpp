// Tensors that enter and leave the branches and loops of an entry; see the header.
#include "lib/Transforms/Kernel/RegionTensors.h"
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/Outline.h"

#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

static bool isTensor(Value value) {
  return isa<RankedTensorType>(value.getType());
}

bool tessera::isControlFlow(Operation *op) {
  return isa<scf::IfOp, scf::ForOp>(op);
}

static void addBlocks(Block &block, SmallVectorImpl<Block *> &blocks) {
  blocks.push_back(&block);
  for (Operation &op : block)
    if (isControlFlow(&op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          addBlocks(nested, blocks);
}

SmallVector<Block *> tessera::entryBlocks(func::FuncOp entry) {
  SmallVector<Block *> blocks;
  addBlocks(entry.getBody().front(), blocks);
  return blocks;
}

void tessera::makeBranchesOfSelections(func::FuncOp entry) {
  for (Block *block : entryBlocks(entry))
    for (auto select :
         llvm::make_early_inc_range(block->getOps<arith::SelectOp>())) {
      if (!isTensor(select.getResult()) || isTensor(select.getCondition()))
        continue;
      OpBuilder builder(select);
      auto yield = [](Value value) {
        return [value](OpBuilder &builder, Location loc) {
          scf::YieldOp::create(builder, loc, value);
        };
      };
      auto branch = scf::IfOp::create(builder, select.getLoc(), select.getCondition(),
                                      yield(select.getTrueValue()),
                                      yield(select.getFalseValue()));
      select.replaceAllUsesWith(branch.getResult(0));
      select.erase();
    }
}

LogicalResult tessera::checkCarriedSizes(func::FuncOp entry) {
  graph::SizeAnalysis sizes(entry.getContext());
  for (Block *block : entryBlocks(entry)) {
    auto loop = dyn_cast<scf::ForOp>(block->getParentOp());
    if (!loop)
      continue;
    for (auto [number, pair] : llvm::enumerate(
             llvm::zip(loop.getRegionIterArgs(), loop.getYieldedValues()))) {
      auto [carried, next] = pair;
      if (isTensor(carried) && !sizes.haveSameSizes(carried, next))
        return loop.emitOpError("expects carried tensor ")
               << number << " to keep its sizes, but a trip may change those of "
               << carried.getType();
    }
  }
  return success();
}

static Value createCopy(OpBuilder &builder, Value value) {
  Location loc = value.getLoc();
  Value into = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, value),
      cast<RankedTensorType>(value.getType()).getElementType());
  return linalg::CopyOp::create(builder, loc, value, into).getResult(0);
}

/// Whether the loop may begin in the bytes of `init`: a kernel of the loop's block
/// writes them for nothing else, or nothing is there yet.
static bool isOwnInit(scf::ForOp loop, Value init, WriterFunction writerOf) {
  if (init.getDefiningOp<tensor::EmptyOp>())
    return true;
  Value written = writerOf(init);
  if (!written || written.getParentBlock() != loop->getBlock())
    return false;
  for (Value value = init; value.hasOneUse();
       value = value.getDefiningOp()->getOperand(0))
    if (value == written)
      return true;
  return false;
}

static void copyUnwrittenResults(Block &block, WriterFunction writerOf) {
  for (auto loop : block.getOps<scf::ForOp>())
    for (OpOperand &init : loop.getInitArgsMutable())
      if (isTensor(init.get()) && !isOwnInit(loop, init.get(), writerOf)) {
        OpBuilder builder(loop);
        init.set(createCopy(builder, init.get()));
      }
  Operation *end = block.getTerminator();
  OpBuilder builder(end);
  auto loop = dyn_cast<scf::ForOp>(block.getParentOp());
  llvm::SmallDenseSet<Value> taken;
  llvm::SmallDenseMap<Value, Value> carriedAlready;
  for (OpOperand &operand : end->getOpOperands()) {
    Value value = operand.get();
    if (!isTensor(value) ||
        (loop && value == loop.getRegionIterArg(operand.getOperandNumber())))
      continue;
    Value written = writerOf(value);
    bool isOwn = written && written.getParentBlock() == &block &&
                 taken.insert(written).second;
    // Of a copy in a loop, whose place in the trip matters: equal copies of one value
    // would become one kernel's call.
    Value &previous = carriedAlready[value];
    if (!isOwn)
      operand.set(createCopy(builder, loop && previous ? previous : value));
    previous = operand.get();
  }
}

void tessera::copyUnwrittenResults(func::FuncOp entry, WriterFunction writerOf) {
  for (Block *block : entryBlocks(entry))
    ::copyUnwrittenResults(*block, writerOf);
}

/// Whether all that reads the bytes of `tensor`, directly or reshaped, stands before
/// `writer`.
static bool isReadBefore(Value tensor, Operation *writer) {
  return llvm::all_of(tensor.getUsers(), [&](Operation *user) {
    if (isa<tensor::DimOp>(user))
      return true;
    if (isView(user))
      return isReadBefore(user->getResult(0), writer);
    Operation *reader = writer->getBlock()->findAncestorOpInBlock(*user);
    return reader->isBeforeInBlock(writer);
  });
}

/// %t = arith.trunci %b : tensor<i8> to tensor<i1>; tensor.extract %t[]
///   ==>  %e = tensor.extract %b[]; arith.trunci %e : i8 to i1
static void readBooleansAsBytes(Block &block) {
  for (auto extract :
       llvm::make_early_inc_range(block.getOps<tensor::ExtractOp>())) {
    auto truth = extract.getTensor().getDefiningOp<arith::TruncIOp>();
    if (!truth)
      continue;
    OpBuilder builder(extract);
    Value byte = tensor::ExtractOp::create(builder, extract.getLoc(),
                                           truth.getIn(), extract.getIndices());
    extract.replaceAllUsesWith(
        arith::TruncIOp::create(builder, extract.getLoc(), extract.getType(), byte)
            .getResult());
    extract.erase();
  }
}

/// Copies what the next trip of `loop` gets, at the end of the trip, where that would
/// be written over what is still read. Adds the kernels of the copies to `kernels`.
static LogicalResult
copyOverwrittenCarries(scf::ForOp loop, SymbolTable &symbols,
                       SmallVectorImpl<kernel::FuncOp> &kernels) {
  MutableArrayRef<OpOperand> yielded = *loop.getYieldedValuesMutable();
  for (OpOperand &operand : yielded) {
    Value carried = loop.getRegionIterArg(operand.getOperandNumber()),
          next = operand.get(), written = next;
    if (!isTensor(next) || next == carried)
      continue;
    while (isView(written.getDefiningOp()))
      written = written.getDefiningOp()->getOperand(0);
    // A loop's result is written from its initial value on, long before its end.
    Operation *writer = written.getDefiningOp();
    if (!isa<scf::ForOp>(writer) && isReadBefore(carried, writer))
      continue;
    OpBuilder builder(loop.getBody()->getTerminator());
    operand.set(createCopy(builder, next));
    Operation *copy = operand.get().getDefiningOp();
    FailureOr<kernel::FuncOp> kernel = outlineKernel(copy, "carry", symbols);
    if (failed(kernel))
      return failure();
    kernels.push_back(*kernel);
  }
  return success();
}

/// Numbers the calls whose results are what a block gives or a loop begins with.
static void keepApart(func::FuncOp entry) {
  int64_t number = 0;
  auto keep = [&](Value value) {
    while (value.getDefiningOp() && isView(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    if (auto call = value.getDefiningOp<kernel::CallOp>())
      call->setAttr(kOwnPlaceAttr, Builder(call).getI64IntegerAttr(number++));
  };
  for (Block *block : entryBlocks(entry)) {
    for (auto loop : block->getOps<scf::ForOp>())
      llvm::for_each(loop.getInitArgs(), keep);
    if (block->getParentOp() != entry.getOperation())
      llvm::for_each(block->getTerminator()->getOperands(), keep);
  }
}

FailureOr<SmallVector<kernel::FuncOp>>
tessera::finishRegions(func::FuncOp entry, SymbolTable &symbols) {
  for (Block *block : entryBlocks(entry))
    readBooleansAsBytes(*block);
  // What kernels have copies of reads nothing any more.
  eraseDeadOperations(entry);
  SmallVector<kernel::FuncOp> kernels;
  for (Block *block : entryBlocks(entry))
    if (auto loop = dyn_cast<scf::ForOp>(block->getParentOp()))
      if (failed(copyOverwrittenCarries(loop, symbols, kernels)))
        return failure();
  eraseDeadOperations(entry);
  keepApart(entry);
  return kernels;
}
