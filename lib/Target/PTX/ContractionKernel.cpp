// Recognition of the contraction at the root of a kernel body.
#include "lib/Target/PTX/ContractionKernel.h"
#include "dialects/Interfaces/Contraction.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::ptx {

/// The only contraction of the kernel.
static FailureOr<linalg::LinalgOp> findContraction(kernel::FuncOp kernel) {
  linalg::LinalgOp root;
  for (Operation &op : kernel.getBody().front()) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (!linalgOp || !isContraction(linalgOp))
      continue;
    if (root)
      return op.emitOpError("expects one contraction in a kernel")
                 .attachNote(root->getLoc())
             << "the other one is here",
             failure();
    root = linalgOp;
  }
  if (!root)
    return kernel.emitOpError("expects a contraction for its schedule");
  return root;
}

/// The number of the tensor argument that `value` is, or failure.
static FailureOr<int64_t> inputNumber(kernel::FuncOp kernel, Value value,
                                      Operation *user) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || int64_t(argument.getArgNumber()) >= kernel.getInputCount())
    return user->emitOpError("expects its operands to be inputs of the kernel: "
                             "tensor copies feed them to the matrix unit");
  return argument.getArgNumber();
}

/// Reads the dimension order off the indexing maps.
static LogicalResult readLayout(linalg::LinalgOp op, ContractionKernel &out) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto rank2 = [](AffineMap map) { return map.getNumResults() == 2; };
  if (op.getNumLoops() != 3 || !llvm::all_of(maps, rank2))
    return op.emitOpError("expects one row, one column and one contracted "
                          "dimension");
  auto dim = [](AffineMap map, unsigned i) { return map.getDimPosition(i); };
  unsigned row = dim(maps[2], 0), column = dim(maps[2], 1);
  unsigned depth = 3 - row - column;
  if (dim(maps[0], 0) != row || dim(maps[0], 1) != depth)
    return op.emitOpError("expects a left operand of rows by the contracted "
                          "dimension");
  out.isDepthInner = dim(maps[1], 0) == column && dim(maps[1], 1) == depth;
  if (!out.isDepthInner &&
      !(dim(maps[1], 0) == depth && dim(maps[1], 1) == column))
    return op.emitOpError("expects a right operand of the contracted dimension "
                          "and columns");
  return success();
}

static bool startsAtZero(linalg::LinalgOp op) {
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.value(), m_AnyZeroFloat());
}

/// The inputs that `result` depends on when `product` is taken as given.
static SmallVector<int64_t> epilogueInputs(kernel::FuncOp kernel, Value result,
                                           Value product) {
  llvm::SetVector<Value> values;
  values.insert(result);
  llvm::BitVector used(kernel.getInputCount());
  for (size_t i = 0; i < values.size(); ++i) {
    Value value = values[i];
    if (value == product)
      continue;
    if (Operation *op = value.getDefiningOp())
      values.insert(op->operand_begin(), op->operand_end());
    else if (unsigned number = cast<BlockArgument>(value).getArgNumber();
             int64_t(number) < kernel.getInputCount())
      used.set(number);
  }
  return SmallVector<int64_t>(used.set_bits_begin(), used.set_bits_end());
}

FailureOr<ContractionKernel> readContractionKernel(kernel::FuncOp kernel) {
  FailureOr<linalg::LinalgOp> root = findContraction(kernel);
  if (failed(root))
    return failure();
  linalg::LinalgOp op = *root;
  ContractionKernel match;
  match.kernel = kernel;
  match.product = op->getResult(0);
  if (kernel.getOutputs() != 1)
    return kernel.emitOpError("expects one output for its schedule, but got ")
           << kernel.getOutputs();
  match.output = kernel.getInputCount();
  match.result = kernel.getYield().getValues().front();

  FailureOr<int64_t> a = inputNumber(kernel, op.getDpsInputs()[0], op);
  FailureOr<int64_t> b = inputNumber(kernel, op.getDpsInputs()[1], op);
  if (failed(a) || failed(b) || failed(readLayout(op, match)))
    return failure();
  match.a = *a;
  match.b = *b;

  auto elementOf = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType();
  };
  match.operandType = elementOf(op.getDpsInputs()[0]);
  Type right = elementOf(op.getDpsInputs()[1]);
  if (match.operandType != right ||
      !(match.operandType.isF16() || match.operandType.isBF16()) ||
      !elementOf(match.product).isF32())
    return op.emitOpError("expects f16 or bf16 operands of one type and an f32 "
                          "result, but got ")
           << match.operandType << ", " << right << " and "
           << elementOf(match.product);
  if (!startsAtZero(op))
    return op.emitOpError("expects an accumulator that is filled with zero");
  Type output = elementOf(match.result);
  if (!output.isF16() && !output.isBF16())
    return kernel.emitOpError("expects an output of f16 or bf16 for its "
                              "schedule, but got ")
           << output;
  match.epilogueInputs = epilogueInputs(kernel, match.result, match.product);
  return match;
}

} // namespace tessera::ptx
