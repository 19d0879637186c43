// Kernels for attention: operands, sizes, tasks.
#include "lib/Target/CPU/Attention/AttentionBuilder.h"
#include "lib/CostModel/AttentionSchedule.h"
#include "lib/Target/CPU/Attention/AttentionTask.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/CPU/Elements/MemrefSource.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

class AttentionBuilder {
public:
  AttentionBuilder(func::FuncOp function, AttentionContext &context)
      : builder(function.getBody().front().getTerminator()),
        loc(context.attention.root.getLoc()),
        runContext(function.getArgument(0)), context(context) {}

  LogicalResult emit();

private:
  LogicalResult emitTasks(Value rows, bool isShort);

  OpBuilder builder;
  Location loc;
  Value runContext;
  AttentionContext &context;
};

} // namespace

/// Tasks for rows [0, rows) of every key head of every batch.
LogicalResult AttentionBuilder::emitTasks(Value rows, bool isShort) {
  kernel::AttentionAttr schedule = context.schedule;
  IndexBuilder index(builder, loc);
  Value one = index.constant(1), blocks = one, blockRows = rows;
  if (!isShort) {
    // Blocks of equal size, in whole tiles.
    blocks = index.max(index.ceilDiv(rows, schedule.getQueryBlock()), one);
    Value share =
        index.div(index.add(rows, index.add(blocks, -1)), blocks);
    blockRows = index.mul(index.ceilDiv(share, schedule.getRows()),
                          schedule.getRows());
  }
  Value heads = index.constant(context.attention.keyHeads);
  Value tasks = index.mul(index.mul(context.batch, heads), blocks);
  auto parallel = kernel::ParallelForOp::create(builder, loc, tasks, runContext,
                                                nullptr);
  OpBuilder::InsertionGuard guard(builder);
  Block *body = &parallel.getBody().front();
  builder.setInsertionPointToEnd(body);
  auto end = kernel::EndOp::create(builder, loc);
  builder.setInsertionPoint(end);
  IndexBuilder inside(builder, loc);
  Value task = body->getArgument(0);
  Value block = inside.rem(task, blocks), head = inside.div(task, blocks);
  Value firstRow = inside.mul(block, blockRows);
  // Rounding to tiles may leave the last block without rows.
  Value count = inside.max(
      inside.min(blockRows, inside.sub(rows, firstRow)), inside.constant(0));
  if (constantOf(blocks) == 1) {
    firstRow = inside.constant(0);
    count = rows;
  }
  return AttentionTask(context, builder, loc, isShort)
      .emit(inside.div(head, heads), inside.rem(head, heads), firstRow, count);
}

LogicalResult AttentionBuilder::emit() {
  const Attention &attention = context.attention;
  IndexBuilder index(builder, loc);
  Value rows = index.mul(context.queries, attention.group);
  int64_t shortRows = context.schedule.getShortRows();
  int64_t known = attention.rows();
  if (!ShapedType::isDynamic(known))
    return emitTasks(rows, known <= shortRows);
  if (shortRows < attention.group)
    return emitTasks(rows, /*isShort=*/false);
  // Which form computes a row depends on sizes only.
  Value isShort = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle,
                                        rows, index.constant(shortRows));
  auto either = scf::IfOp::create(builder, loc, isShort,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(either.thenBlock());
  if (failed(emitTasks(rows, /*isShort=*/true)))
    return failure();
  builder.setInsertionPointToStart(either.elseBlock());
  return emitTasks(rows, /*isShort=*/false);
}

/// The size of a tensor of the body.
static Value sizeOf(OpBuilder &builder, attention::SdpaOp root, Value tensor,
                    int64_t dimension, ElementEmitter &elements) {
  int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dimension);
  if (!ShapedType::isDynamic(size))
    return IndexBuilder(builder, root.getLoc()).constant(size);
  return elements.emitSize(builder, root.getLoc(), tensor, dimension);
}

static LogicalResult checkScratch(kernel::FuncOp kernel,
                                  const Attention &attention,
                                  kernel::AttentionAttr schedule) {
  for (bool isShort : {false, true}) {
    int64_t bytes = attentionScratchBytes(
        attention.headDim, attention.valueDim, schedule, isShort);
    if (bytes > kScratchBytes)
      return kernel.emitOpError("expects a schedule whose scratch is at most ")
             << kScratchBytes << " bytes, but got " << bytes;
  }
  return success();
}

LogicalResult cpu::checkAttentionKernel(kernel::FuncOp kernel,
                                        kernel::AttentionAttr schedule) {
  FailureOr<Attention> attention = matchAttention(kernel);
  if (failed(attention) || failed(checkScratch(kernel, *attention, schedule)))
    return failure();
  attention::SdpaOp root = attention->root;
  if (failed(ResultStores::check(kernel, root.getResult())))
    return failure();
  ElementCheck elements(kernel);
  if (failed(elements.checkSize(root.getQuery(), 0)) ||
      failed(elements.checkSize(root.getQuery(), 2)) ||
      failed(elements.checkSize(root.getKey(), 2)))
    return root.emitOpError("has a size that is not known before it runs");
  if (root.getOffset() && failed(elements.checkScalar(root.getOffset())))
    return root.emitOpError("has an offset that does not follow from the "
                            "kernel's arguments");
  for (Value operand : root->getOperands())
    if (isa<RankedTensorType>(operand.getType()) &&
        failed(elements.check(operand)))
      return failure();
  elements.bindAnywhere(root.getResult());
  for (Value value : kernel.getYield().getValues())
    if (failed(elements.check(value)))
      return failure();
  return success();
}

LogicalResult cpu::emitAttentionKernel(kernel::FuncOp kernel,
                                       kernel::AttentionAttr schedule,
                                       func::FuncOp function) {
  if (failed(checkAttentionKernel(kernel, schedule)))
    return failure();
  FailureOr<Attention> attention = matchAttention(kernel);
  attention::SdpaOp root = attention->root;
  Location loc = root.getLoc();
  OpBuilder builder(function.getBody().front().getTerminator());
  SmallVector<Value> memrefs(
      function.getArguments().slice(1, kernel.getTensorCount()));
  ElementEmitter elements(kernel, createMemrefSource(memrefs),
                          SmallVector<Value>(function.getArguments().drop_front(
                              1 + kernel.getTensorCount())));
  FailureOr<ResultStores> stores =
      ResultStores::create(kernel, root.getResult(), memrefs, elements);
  if (failed(stores))
    return failure();
  AttentionContext context{*attention,
                           schedule,
                           AttentionOperand(root.getQuery(), elements),
                           AttentionOperand(root.getKey(), elements),
                           AttentionOperand(root.getValue(), elements),
                           elements,
                           *stores,
                           sizeOf(builder, root, root.getQuery(), 0, elements),
                           sizeOf(builder, root, root.getQuery(), 2, elements),
                           sizeOf(builder, root, root.getKey(), 2, elements),
                           Value()};
  OperandViews views(memrefs, elements);
  for (AttentionOperand *operand :
       {&context.query, &context.key, &context.value})
    operand->prepare(builder, loc, views);
  context.offset = root.getOffset()
                       ? elements.emitIndex(builder, loc, root.getOffset())
                       : IndexBuilder(builder, loc).constant(0);
  return AttentionBuilder(function, context).emit();
}
