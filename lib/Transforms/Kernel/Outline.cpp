// Moves operations of an entry into a kernel; see the header.
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/KernelSizes.h"
#include "lib/Transforms/Kernel/RegionTensors.h"
#include "dialects/Graph/IR/SizeMaterialization.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// Type of a value of `type` in storage: booleans are bytes.
static RankedTensorType storageType(RankedTensorType type) {
  return type.getElementType().isInteger(1)
             ? type.clone(IntegerType::get(type.getContext(), 8))
             : type;
}

static bool isScalar(Type type) { return type.isIntOrIndexOrFloat(); }

bool tessera::isClonedIntoKernels(Operation *op) {
  if (isa<tensor::EmptyOp, arith::ConstantOp, tensor::ExtractOp>(op))
    return true;
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return fill.getDpsInitOperand(0)->get().getDefiningOp<tensor::EmptyOp>() !=
           nullptr;
  if (auto trunc = dyn_cast<arith::TruncIOp>(op))
    if (auto type = dyn_cast<RankedTensorType>(trunc.getType()))
      return type.getElementType().isInteger(1) &&
             getElementTypeOrSelf(trunc.getIn()).isInteger(8) &&
             (isa<BlockArgument>(trunc.getIn()) ||
              isa_and_nonnull<CallOp, graph::WeightOp, scf::IfOp, scf::ForOp>(
                  trunc.getIn().getDefiningOp()));
  return isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) &&
         op->getNumRegions() == 0 && isPure(op) &&
         llvm::all_of(op->getOperandTypes(), isScalar) &&
         llvm::all_of(op->getResultTypes(), isScalar);
}

bool tessera::isKernelWork(Operation *op) {
  return !isClonedIntoKernels(op) && !isa<CallOp, graph::WeightOp>(op) &&
         llvm::any_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>);
}

namespace {

/// What crosses the border of the operations to be moved.
class Border {
public:
  Border(ArrayRef<Operation *> ops, function_ref<bool(Operation *)> isCloned)
      : ops(ops.begin(), ops.end()), isCloned(isCloned),
        sizes(ops.front()->getContext()) {}

  /// Finds inputs, clones, outputs and symbols.
  LogicalResult compute();

  FuncOp createKernel(StringRef name, SymbolTable &symbols);
  CallOp createCall(OpBuilder &builder, FuncOp kernel);
  /// Moves the operations into the kernel, behind its clones and constants.
  void fillKernel(FuncOp kernel);

  ArrayRef<Value> getOutputs() const { return outputs; }
  /// What moves: without what is cloned.
  const SetVector<Operation *> &getOperations() const { return ops; }

private:
  LogicalResult visit(Value value, Operation *user);
  LogicalResult visitUses(Operation *user);
  LogicalResult addSize(AffineExpr size, Location loc);
  /// An operation that moves and on whose result `size` depends, or null.
  Operation *producerInside(AffineExpr size);
  AffineMap shapeOf(Value tensor);
  Location fusedLoc();

  SetVector<Operation *> ops;
  function_ref<bool(Operation *)> isCloned;
  graph::SizeAnalysis sizes;
  /// Tensors from above, in order of first use.
  SetVector<Value> inputs;
  /// Producers to be cloned, each after its own operands.
  SetVector<Operation *> clones;
  /// Index values from above.
  SetVector<Value> indices;
  SmallVector<Value> outputs;
  /// The sizes that the kernel is made of.
  SetVector<AffineExpr> used;
  std::optional<KernelSizes> arguments;
};

} // namespace

LogicalResult Border::visit(Value value, Operation *user) {
  Operation *producer = value.getDefiningOp();
  if (inputs.contains(value) || indices.contains(value) ||
      (producer && (ops.contains(producer) || clones.contains(producer))))
    return success();
  bool isConstant = producer && producer->hasTrait<OpTrait::ConstantLike>();
  if (value.getType().isIndex() && !isConstant) {
    indices.insert(value);
    return success();
  }
  if (producer && isCloned(producer)) {
    if (failed(visitUses(producer)))
      return failure();
    clones.insert(producer);
    return success();
  }
  if (!isa<RankedTensorType>(value.getType()))
    return user->emitOpError("uses a ")
           << value.getType() << " that cannot be computed inside a kernel";
  inputs.insert(value);
  return success();
}

LogicalResult Border::visitUses(Operation *user) {
  SetVector<Value> used(user->operand_begin(), user->operand_end());
  getUsedValuesDefinedAbove(user->getRegions(), used);
  for (Value value : used)
    if (failed(visit(value, user)))
      return failure();
  return success();
}

LogicalResult Border::addSize(AffineExpr size, Location loc) {
  used.insert(size);
  if (Operation *op = producerInside(size))
    return emitError(loc, "the size of a result of '")
           << op->getName()
           << "' cannot be expressed in sizes known before it runs";
  return success();
}

Operation *Border::producerInside(AffineExpr size) {
  llvm::SmallDenseSet<unsigned> seen;
  SmallVector<AffineExpr> pending{size};
  Operation *found = nullptr;
  while (!pending.empty() && !found)
    pending.pop_back_val().walk([&](AffineExpr part) {
      auto used = dyn_cast<AffineSymbolExpr>(part);
      if (!used || !seen.insert(used.getPosition()).second)
        return;
      const graph::SizeAnalysis::Symbol &symbol =
          sizes.symbols()[used.getPosition()];
      Operation *op = symbol.value ? symbol.value.getDefiningOp() : nullptr;
      if (op && ops.contains(op))
        found = op;
      llvm::append_range(pending, symbol.operands);
    });
  return found;
}

LogicalResult Border::compute() {
  // A cheap operation is cloned where it is needed; as part of the group it
  // would become an output if others use it as well.
  ops.remove_if(isCloned);
  for (Operation *op : ops)
    if (failed(visitUses(op)))
      return failure();
  auto isInside = [&](Operation *user) {
    return ops.contains(ops.front()->getBlock()->findAncestorOpInBlock(*user));
  };
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      if (llvm::all_of(result.getUsers(), isInside))
        continue;
      if (!isa<RankedTensorType>(result.getType()))
        return op->emitOpError("gives a ")
               << result.getType()
               << ", which cannot leave a kernel; expects a ranked tensor";
      outputs.push_back(result);
    }
  if (outputs.empty())
    return ops.front()->emitOpError(
        "expects a kernel's operations to have a result used outside");
  SmallVector<std::pair<AffineExpr, Location>> found;
  for (ArrayRef<Value> tensors : {inputs.getArrayRef(), ArrayRef(outputs)})
    for (Value tensor : tensors)
      for (AffineExpr size : sizes.dimsOf(tensor))
        found.push_back({size, tensor.getLoc()});
  for (Value index : indices)
    found.push_back({sizes.sizeOf(index), index.getLoc()});
  // What the first ones are may have been learned with the last.
  for (auto [size, loc] : found)
    if (failed(addSize(sizes.resolve(size), loc)))
      return failure();
  arguments.emplace(used.getArrayRef());
  return success();
}

Location Border::fusedLoc() {
  SmallVector<Location> locations;
  for (Operation *op : ops)
    locations.push_back(op->getLoc());
  return FusedLoc::get(ops.front()->getContext(), locations);
}

AffineMap Border::shapeOf(Value tensor) {
  SmallVector<AffineExpr> dims;
  for (AffineExpr size : sizes.dimsOf(tensor))
    dims.push_back(arguments->expressionOf(size));
  return AffineMap::get(0, arguments->get().size(), dims, tensor.getContext());
}

FuncOp Border::createKernel(StringRef name, SymbolTable &table) {
  SmallVector<Type> inputTypes, outputTypes;
  SmallVector<Attribute> shapes;
  for (Value input : inputs) {
    inputTypes.push_back(storageType(cast<RankedTensorType>(input.getType())));
    shapes.push_back(AffineMapAttr::get(shapeOf(input)));
  }
  for (Value output : outputs) {
    outputTypes.push_back(
        storageType(cast<RankedTensorType>(output.getType())));
    shapes.push_back(AffineMapAttr::get(shapeOf(output)));
  }
  auto entry = ops.front()->getParentOfType<func::FuncOp>();
  OpBuilder builder(entry);
  auto kernel =
      FuncOp::create(builder, fusedLoc(), name, inputTypes, outputTypes,
                     builder.getArrayAttr(shapes),
                     arguments->get().size());
  kernel->remove();
  table.insert(kernel, Block::iterator(entry));
  return kernel;
}

void Border::fillKernel(FuncOp kernel) {
  OpBuilder builder = OpBuilder::atBlockBegin(&kernel.getBody().front());
  IRMapping mapping;
  for (auto [input, argument] : llvm::zip(inputs, kernel.getInputArguments())) {
    Value value = argument;
    if (value.getType() != input.getType())
      value = arith::TruncIOp::create(builder, input.getLoc(), input.getType(),
                                      value);
    mapping.map(input, value);
  }
  for (Value index : indices)
    mapping.map(index, graph::materializeSize(
                           builder, index.getLoc(),
                           arguments->expressionOf(sizes.sizeOf(index)),
                           kernel.getSymbolArguments()));
  for (Operation *op : clones)
    builder.clone(*op, mapping);
  for (Operation *op : ops) {
    op->moveBefore(builder.getBlock(), builder.getBlock()->end());
    op->walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands())
        operand.set(mapping.lookupOrDefault(operand.get()));
    });
  }
  builder.setInsertionPointToEnd(builder.getBlock());
  SmallVector<Value> yielded;
  for (auto [output, argument] :
       llvm::zip(outputs, kernel.getOutputArguments()))
    yielded.push_back(output.getType() == argument.getType()
                          ? output
                          : arith::ExtUIOp::create(builder, output.getLoc(),
                                                   argument.getType(), output));
  YieldOp::create(builder, kernel.getLoc(), yielded);
  // A clone may read what one of the operations computes.
  sortTopologically(builder.getBlock());
}

CallOp Border::createCall(OpBuilder &builder, FuncOp kernel) {
  Location loc = kernel.getLoc();
  SmallVector<Value> passed, destinations, symbolValues;
  for (auto [input, type] : llvm::zip(inputs, kernel.getArgumentTypes())) {
    auto trunc = input.getDefiningOp<arith::TruncIOp>();
    if (input.getType() == type)
      passed.push_back(input);
    else if (trunc && trunc.getIn().getType() == type)
      passed.push_back(trunc.getIn());
    else
      passed.push_back(arith::ExtUIOp::create(builder, loc, type, input));
  }
  for (AffineExpr size : arguments->get())
    symbolValues.push_back(getValueOrCreateConstantIndexOp(
        builder, loc, sizes.materialize(builder, loc, size)));
  for (auto [output, type] : llvm::zip(outputs, kernel.getResultTypes())) {
    SmallVector<Value> dynamicSizes;
    for (auto [i, size] : llvm::enumerate(sizes.dimsOf(output)))
      if (cast<RankedTensorType>(type).isDynamicDim(i))
        dynamicSizes.push_back(graph::materializeSize(
            builder, loc, arguments->expressionOf(size), symbolValues));
    destinations.push_back(
        tensor::EmptyOp::create(builder, loc, type, dynamicSizes));
  }
  return CallOp::create(builder, loc, kernel.getResultTypes(),
                        kernel.getSymName(), passed, destinations,
                        symbolValues);
}

FailureOr<FuncOp>
tessera::outlineKernel(ArrayRef<Operation *> ops, StringRef name,
                       SymbolTable &symbols,
                       function_ref<bool(Operation *)> isCloned) {
  Border border(ops, isCloned);
  if (failed(border.compute()))
    return failure();
  Block *block = ops.front()->getBlock();
  // Behind all inputs. Sorting the block for an earlier kernel may have changed the
  // order of the operations.
  OpBuilder builder(
      *llvm::max_element(ops, [](Operation *a, Operation *b) {
        return a->isBeforeInBlock(b);
      }));
  FuncOp kernel = border.createKernel(name, symbols);
  CallOp call = border.createCall(builder, kernel);

  bool isSorted = true;
  for (auto [from, result] :
       llvm::zip(border.getOutputs(), call.getResults())) {
    Value output = from;
    Value replacement = result;
    if (output.getType() != result.getType())
      replacement = arith::TruncIOp::create(builder, output.getLoc(),
                                            output.getType(), result);
    output.replaceUsesWithIf(replacement, [&](OpOperand &use) {
      Operation *user = block->findAncestorOpInBlock(*use.getOwner());
      // An original that stays for its other users reads the kernel's result.
      if (border.getOperations().contains(user))
        return false;
      isSorted &= call->isBeforeInBlock(user);
      return true;
    });
  }
  border.fillKernel(kernel);
  if (!isSorted && !sortTopologically(block))
    return call.emitOpError("depends on itself: an operation between those of "
                            "the kernel uses its result and feeds it");
  return kernel;
}

void tessera::eraseDeadOperations(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isControlFlow(&op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          eraseDeadOperations(nested);
    if (isOpTriviallyDead(&op))
      op.erase();
  }
}

void tessera::eraseDeadOperations(func::FuncOp entry) {
  eraseDeadOperations(entry.getBody().front());
}
