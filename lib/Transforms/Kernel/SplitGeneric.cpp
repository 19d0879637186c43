// Takes kernels of the generic route apart where they need intermediates.
#include "dialects/Graph/Conversion/StructuredOps.h"
#include "dialects/Interfaces/Movement.h"
#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/Passes.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "llvm/ADT/SetVector.h"

namespace tessera {
#define GEN_PASS_DEF_SPLITGENERIC
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// What a part gets its own copy of: also views, which only map indices.
static bool isClonedIntoParts(Operation *op) {
  return isClonedIntoKernels(op) || isPartOfSource(op);
}

/// Whether only `kernel.yield` sees the reshape `op`, directly or reshaped
/// again.
static bool isYieldedReshape(Operation *op) {
  if (!isView(op) || !op->hasOneUse())
    return false;
  Operation *user = *op->user_begin();
  return isa<YieldOp>(user) || isYieldedReshape(user);
}

/// Whether the only user of `value` goes on in the same destination.
static bool isContinuedInPlace(Value value) {
  if (!value.hasOneUse())
    return false;
  OpOperand &use = *value.use_begin();
  if (auto dps = dyn_cast<DestinationStyleOpInterface>(use.getOwner()))
    return dps.isDpsInit(&use);
  return isYieldedReshape(use.getOwner());
}

/// collapse_shape(extract_slice(x))  ==>  collapse_shape(copy(extract_slice(x)))
///
/// Elements of a slice lie apart: memory cannot be seen as one that merges them.
static void copyCollapsedSlices(FuncOp kernel) {
  auto isOfSlice = [](Value value) {
    Operation *op = value.getDefiningOp();
    for (; isPartOfSource(op); op = op->getOperand(0).getDefiningOp())
      if (isa<tensor::ExtractSliceOp>(op))
        return true;
    return false;
  };
  for (auto op : kernel.getBody().front().getOps<tensor::CollapseShapeOp>()) {
    if (!isOfSlice(op.getSrc()))
      continue;
    OpBuilder builder(op);
    Location loc = op.getLoc();
    Value empty = tensor::EmptyOp::create(
        builder, loc, tensor::getMixedSizes(builder, loc, op.getSrc()),
        op.getSrcType().getElementType());
    op.getSrcMutable().assign(
        linalg::CopyOp::create(builder, loc, op.getSrc(), empty).getResult(0));
  }
}

/// Copies what the kernel yields where none of its parts would write it.
static void copyYieldedViews(FuncOp kernel) {
  OpBuilder builder(kernel.getYield());
  for (OpOperand &operand : kernel.getYield()->getOpOperands()) {
    Value value = operand.get();
    while (value.getDefiningOp() && isYieldedReshape(value.getDefiningOp()))
      value = value.getDefiningOp()->getOperand(0);
    Operation *producer = value.getDefiningOp();
    bool isWritten = producer && isKernelWork(producer) &&
                     !isClonedIntoParts(producer) && value.hasOneUse();
    if (isWritten ||
        (producer && !isClonedIntoParts(producer) && value == operand.get()))
      continue;
    Location loc = value.getLoc();
    auto type = cast<RankedTensorType>(operand.get().getType());
    Value empty = tensor::EmptyOp::create(
        builder, loc, tensor::getMixedSizes(builder, loc, operand.get()),
        type.getElementType());
    operand.set(linalg::CopyOp::create(builder, loc, operand.get(), empty)
                    .getResult(0));
  }
}

/// The operations of `kernel` in groups that need no intermediate: chains that
/// compute in one destination.
static SmallVector<SmallVector<Operation *>> formParts(FuncOp kernel) {
  SmallVector<SmallVector<Operation *>> parts;
  llvm::SmallDenseSet<Operation *> placed;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (isClonedIntoParts(&op) || !isKernelWork(&op) || placed.contains(&op))
      continue;
    SmallVector<Operation *> part;
    for (Operation *next = &op;; next = *next->user_begin()) {
      part.push_back(next);
      placed.insert(next);
      if (next->getNumResults() != 1 || !isContinuedInPlace(next->getResult(0)))
        break;
    }
    parts.push_back(part);
  }
  return parts;
}

/// Replaces `call` by the body of its kernel; `mapping` then gives the copies.
static void inlineCall(CallOp call, FuncOp kernel, IRMapping &mapping) {
  OpBuilder builder(call);
  for (auto [argument, operand] :
       llvm::zip(kernel.getArguments(), call.getOperands()))
    mapping.map(argument, operand);
  for (Operation &op : kernel.getBody().front().without_terminator())
    builder.clone(op, mapping);
  for (auto [result, yielded] :
       llvm::zip(call.getResults(), kernel.getYield().getValues()))
    result.replaceAllUsesWith(mapping.lookup(yielded));
  call.erase();
}

/// The call that computes `value` or what it is a view of, or null.
static CallOp callBehind(Value value) {
  while (value.getDefiningOp() && isView(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  return value.getDefiningOp<CallOp>();
}

/// Gives the calls that compute what `readers` read a place of their own each, as the
/// call had that was taken apart.
static void keepPlaceApart(Attribute place, ArrayRef<OpOperand *> readers) {
  llvm::SmallSetVector<CallOp, 2> writers;
  for (OpOperand *reader : readers)
    if (CallOp writer = callBehind(reader->get()))
      writers.insert(writer);
  for (auto [number, writer] : llvm::enumerate(writers)) {
    Builder builder(writer->getContext());
    writer->setAttr(kOwnPlaceAttr,
                    number == 0 ? place
                                : Attribute(builder.getArrayAttr(
                                      {place, builder.getI64IntegerAttr(number)})));
  }
}

static LogicalResult splitCall(CallOp call, FuncOp kernel,
                               ArrayRef<SmallVector<Operation *>> parts,
                               SymbolTable &symbols) {
  Attribute place = call->getAttr(kOwnPlaceAttr);
  SmallVector<OpOperand *> readers = llvm::map_to_vector(
      call->getUses(), [](OpOperand &use) { return &use; });
  IRMapping mapping;
  inlineCall(call, kernel, mapping);
  for (ArrayRef<Operation *> part : parts) {
    SmallVector<Operation *> ops;
    for (Operation *op : part)
      ops.push_back(mapping.lookup(op));
    FailureOr<FuncOp> made =
        outlineKernel(ops, kernel.getSymName(), symbols, isClonedIntoParts);
    if (failed(made))
      return failure();
    (*made).setSchedulesAttr(kernel.getSchedulesAttr());
    if (Attribute reason = kernel->getAttr(kMissedAttr))
      (*made)->setAttr(kMissedAttr, reason);
  }
  if (place)
    keepPlaceApart(place, readers);
  return success();
}

namespace {
struct SplitGeneric : tessera::impl::SplitGenericBase<SplitGeneric> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    llvm::DenseMap<StringAttr, SmallVector<CallOp>> calls;
    getOperation().walk([&](CallOp call) {
      calls[call.getCalleeAttr().getAttr()].push_back(call);
    });
    SmallVector<FuncOp> kernels(getOperation().getOps<FuncOp>());
    for (FuncOp kernel : kernels) {
      if (!isa_and_nonnull<GenericAttr>(kernel.getSchedule()))
        continue;
      if (failed(graph::convertToStructuredOps(kernel)))
        return signalPassFailure();
      copyCollapsedSlices(kernel);
      if (formParts(kernel).size() < 2)
        continue;
      copyYieldedViews(kernel);
      SmallVector<SmallVector<Operation *>> parts = formParts(kernel);
      for (CallOp call : calls[kernel.getSymNameAttr()])
        if (failed(splitCall(call, kernel, parts, symbols)))
          return signalPassFailure();
      symbols.erase(kernel);
    }
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (!entry.isExternal())
        eraseDeadOperations(entry);
  }
};
} // namespace
