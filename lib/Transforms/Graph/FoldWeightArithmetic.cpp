// Makes what is computed from weights and constants alone weights with longer recipes.
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/WeightParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDWEIGHTARITHMETIC
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// Whether `op` only changes how its operand is read.
static bool changesIndices(Operation *op) {
  return viewStepOf(op) || isa<graph::BroadcastToOp>(op);
}

namespace {

class ArithmeticFolder {
public:
  explicit ArithmeticFolder(ModuleOp module) : symbols(module), parts(symbols) {}

  void run(func::FuncOp entry);

private:
  bool isComputed(Operation *op);
  bool isNeeded(Value value);
  bool isReducedByRows(Value value);
  void reportLeft(Operation *op);
  void replace(Operation *op);

  SymbolTable symbols;
  WeightParts parts;
  /// Weights that were made, so that equal ones are stored once.
  DenseMap<graph::PartAttr, FlatSymbolRefAttr> made;
};

} // namespace

/// Whether `op` computes other elements, from weights alone.
bool ArithmeticFolder::isComputed(Operation *op) {
  if (op->getNumResults() != 1 || changesIndices(op) || isa<graph::WeightOp>(op))
    return false;
  WeightPart part = parts.of(op->getResult(0));
  // Bytes of booleans are read as booleans: outlining has written this.
  bool isStored = isa<arith::TruncIOp>(op) && part.steps <= 2 &&
                  getElementTypeOrSelf(op->getResult(0)).isInteger(1);
  return part && part.readsWeights && !isStored;
}

/// Whether the run reads `value`, which is computed from weights, as it is or
/// through views.
bool ArithmeticFolder::isNeeded(Value value) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    if (changesIndices(user) && parts.of(user->getResult(0)))
      return isNeeded(user->getResult(0));
    return !isComputed(user);
  });
}

/// Whether the run reads `value`, computed from narrower weights, only to multiply rows
/// by it and sum the products (ReduceNarrowRows.cpp): each element is computed where it
/// is read.
bool ArithmeticFolder::isReducedByRows(Value value) {
  return parts.isNarrow(value) && llvm::all_of(value.getUsers(), [](Operation *user) {
    return isa<arith::MulFOp>(user) &&
           llvm::all_of(user->getUsers(), llvm::IsaPred<linalg::ReduceOp>);
  });
}

/// Says where a computation of weights stays in the run.
void ArithmeticFolder::reportLeft(Operation *op) {
  if (op->getNumResults() != 1 || changesIndices(op) || op->getNumOperands() == 0 ||
      isa<tensor::EmptyOp, linalg::FillOp>(op) ||
      !isa<RankedTensorType>(op->getResult(0).getType()) ||
      parts.of(op->getResult(0)))
    return;
  bool readsWeights = false;
  for (Value operand : op->getOperands()) {
    Operation *source = operand.getDefiningOp();
    if (source && isa<tensor::EmptyOp, linalg::FillOp>(source))
      continue;
    WeightPart part = parts.of(operand);
    if (!part)
      return;
    readsWeights |= part.readsWeights;
  }
  if (readsWeights)
    remark::missed(op->getLoc(),
                   remark::RemarkOpts::name("computed").category("weights"))
        << ("'" + op->getName().getStringRef() +
            "' of weights is computed in every run: it has no recipe step, or its "
            "result is too long a recipe or too large to be stored")
               .str();
}

void ArithmeticFolder::replace(Operation *op) {
  OpBuilder builder(op);
  graph::PartAttr part = parts.of(op->getResult(0)).part;
  Type type = op->getResult(0).getType();
  FlatSymbolRefAttr &name = made[part];
  if (!name) {
    OpBuilder detached(op->getContext());
    auto weights = graph::WeightsOp::create(
        detached, op->getLoc(), builder.getStringAttr("computed"),
        TypeAttr::get(type), part.getSource(),
        TypeAttr::get(part.getSourceType()), part.getRecipe());
    symbols.insert(weights, op->getParentOfType<func::FuncOp>()->getIterator());
    name = FlatSymbolRefAttr::get(weights);
  }
  Value weight = graph::WeightOp::create(builder, op->getLoc(), type, name);
  op->getResult(0).replaceAllUsesWith(weight);
}

void ArithmeticFolder::run(func::FuncOp entry) {
  SmallVector<Operation *> found;
  entry.walk([&](Operation *op) {
    // Bodies of reductions and loops over elements compute scalars.
    if (isComputed(op)) {
      if (isNeeded(op->getResult(0)) && !isReducedByRows(op->getResult(0)))
        found.push_back(op);
    } else {
      reportLeft(op);
    }
  });
  // Parts are known by value: nothing is replaced before all are found.
  for (Operation *op : found)
    replace(op);
}

namespace {
struct FoldWeightArithmetic
    : tessera::impl::FoldWeightArithmeticBase<FoldWeightArithmetic> {
  void runOnOperation() override {
    ArithmeticFolder folder(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      folder.run(entry);
  }
};
} // namespace
