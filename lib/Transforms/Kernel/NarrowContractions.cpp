// Products of f32 tensors with operands of 16 bits.
#include "lib/Transforms/Kernel/Passes.h"

#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/ModuleMachine.h"
#include "lib/CostModel/Precision.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {
#define GEN_PASS_DEF_NARROWCONTRACTIONS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// Fewer contracted elements are not worth two conversions.
static constexpr int64_t kFewestElements = 32;

/// Whether `product` sums many products of f32 numbers of rows and columns.
static bool mayNarrow(const Contraction &product) {
  if (!product.lhsType().isF32() || !product.rhsType().isF32() ||
      !product.sumType().isF32() || product.lhsIsVector)
    return false;
  int64_t depth = 1;
  for (unsigned loop : product.reduction) {
    int64_t size = product.loops[loop].size;
    depth *= ShapedType::isDynamic(size) ? kFewestElements : size;
  }
  return depth >= kFewestElements;
}

/// Gives `operand` of a contraction another value with other floats. The body of a
/// structured operation widens them.
static void setOperand(OpOperand &operand, Value value) {
  operand.set(value);
  auto structured = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!structured)
    return;
  BlockArgument element = structured.getMatchingBlockArgument(&operand);
  Type wide = element.getType();
  element.setType(getElementTypeOrSelf(value.getType()));
  OpBuilder builder = OpBuilder::atBlockBegin(element.getOwner());
  auto widened =
      arith::ExtFOp::create(builder, element.getLoc(), wide, element);
  element.replaceAllUsesExcept(widened, widened);
}

/// The opposite: `wide` is what `operand` was before.
static void resetOperand(OpOperand &operand, Value wide) {
  operand.set(wide);
  auto structured = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!structured)
    return;
  BlockArgument element = structured.getMatchingBlockArgument(&operand);
  auto widened = cast<arith::ExtFOp>(*element.user_begin());
  element.setType(widened.getType());
  widened.replaceAllUsesWith(Value(element));
  widened.erase();
}

namespace {

class Narrowing {
public:
  Narrowing(Precision precision, FloatType type, const Machine &machine)
      : precision(precision), type(type), machine(machine) {}

  /// matmul(%a, %b)  ==>  matmul(truncf %a, truncf %b), where that gains.
  void narrow(Operation *op) {
    FailureOr<Contraction> product = contractionOf(op);
    if (failed(product) || !mayNarrow(*product))
      return;
    OpOperand &lhs = *product->lhsUse, &rhs = *product->rhsUse;
    Value wideLhs = lhs.get(), wideRhs = rhs.get();
    setOperand(lhs, narrowed(wideLhs));
    setOperand(rhs, narrowed(wideRhs));
    if (precision != Precision::Fast || isFaster(op))
      return;
    resetOperand(lhs, wideLhs);
    resetOperand(rhs, wideRhs);
  }

  /// Erases conversions that nothing reads.
  void clear() {
    for (auto &[wide, conversion] : known)
      if (conversion.use_empty())
        conversion.getDefiningOp()->erase();
  }

private:
  bool isFaster(Operation *op) const {
    FailureOr<Contraction> product = contractionOf(op);
    return succeeded(product) &&
           chooseMultiplyAccumulate(*product, machine)
                   .value_or(kernel::MultiplyAccumulate::F32) !=
               kernel::MultiplyAccumulate::F32;
  }

  Value narrowed(Value wide) {
    Value &conversion = known[wide];
    if (!conversion) {
      OpBuilder builder(wide.getContext());
      builder.setInsertionPointAfterValue(wide);
      auto tensor = cast<RankedTensorType>(wide.getType());
      conversion = arith::TruncFOp::create(builder, wide.getLoc(),
                                           tensor.clone(type), wide);
    }
    return conversion;
  }

  Precision precision;
  FloatType type;
  const Machine &machine;
  llvm::MapVector<Value, Value> known;
};

struct NarrowContractions
    : tessera::impl::NarrowContractionsBase<NarrowContractions> {
  using NarrowContractionsBase::NarrowContractionsBase;

  void runOnOperation() override {
    std::optional<Precision> wanted = precisionNamed(precision);
    if (!wanted) {
      getOperation().emitError("expects a precision of " + precisionNames() +
                               ", but got '" + precision + "'");
      return signalPassFailure();
    }
    if (!isNarrow(*wanted))
      return;
    FailureOr<Machine> machine = machineOf(getOperation());
    if (failed(machine))
      return signalPassFailure();
    Builder builder(&getContext());
    FloatType type = *wanted == Precision::F16
                         ? FloatType(builder.getF16Type())
                         : FloatType(builder.getBF16Type());
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      Narrowing narrowing(*wanted, type, *machine);
      function.walk([&](Operation *op) { narrowing.narrow(op); });
      narrowing.clear();
    }
  }
};

} // namespace
