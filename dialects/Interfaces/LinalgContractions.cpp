// The structured operations of linalg as products.
#include "dialects/Interfaces/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

/// The start value of the sums: null when `init` is filled with zero.
static Value startValue(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  bool isZero = fill && (matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ||
                         matchPattern(fill.getInputs()[0], m_Zero()));
  return isZero ? Value() : init;
}

/// Loop `loop` as a size of one of the operands that it indexes directly.
static ContractionLoop loopOf(linalg::LinalgOp op, unsigned loop) {
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    std::optional<unsigned> at =
        map.getResultPosition(getAffineDimExpr(loop, op->getContext()));
    if (!at)
      continue;
    auto type = cast<RankedTensorType>(operand.get().getType());
    return {type.getDimSize(*at), {operand.get(), *at}};
  }
  return {};
}

/// Adds a loop of a single row, which no operand depends on: a batch must not be
/// taken for the row, which the right operand does not vary along.
///
///   (b, k, n): lhs (b, k), rhs (b, k, n)   ==>   (b, k, n, row): the same
static unsigned addRow(Contraction &c) {
  unsigned row = c.addLoop(1, {});
  for (AffineMap *map : {&c.lhsMap, &c.rhsMap, &c.resultMap})
    *map = AffineMap::get(row + 1, 0, map->getResults(), map->getContext());
  return row;
}

/// Whether the body extends the operand's elements by zeros.
static Signedness signednessOf(linalg::LinalgOp op, OpOperand *operand) {
  BlockArgument element = op.getMatchingBlockArgument(operand);
  return llvm::any_of(element.getUsers(), llvm::IsaPred<arith::ExtUIOp>)
             ? Signedness::Unsigned
             : Signedness::Signed;
}

static FailureOr<Contraction>
matchProduct(linalg::LinalgOp op,
             function_ref<InFlightDiagnostic()> emitError) {
  auto refuse = [&](const Twine &reason) -> FailureOr<Contraction> {
    if (emitError)
      emitError() << reason;
    return failure();
  };
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims) || op.getNumDpsInits() != 1 || op.getNumDpsInputs() != 2 ||
      !op.hasPureTensorSemantics())
    return refuse("expects two operands with rows, columns and a contracted "
                  "dimension");
  Contraction c;
  c.root = op;
  c.result = op->getResult(0);
  c.init = startValue(op.getDpsInits()[0]);
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    c.loops.push_back(loopOf(op, i));
  c.resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (c.resultMap.getNumResults() == 0)
    return refuse("expects a result with columns, but got a single sum");

  // The result's last dimension lies along vectors; the operand that has it is
  // read in panels.
  unsigned last = c.resultMap.getNumResults() - 1;
  unsigned column = c.resultMap.getDimPosition(last);
  bool swapped = llvm::is_contained(dims->m, column);
  if (!swapped && !llvm::is_contained(dims->n, column))
    return refuse("expects the result's last dimension to be in one operand "
                  "only");
  c.column = column;
  c.lhsUse = op.getDpsInputOperand(swapped ? 1 : 0);
  c.rhsUse = op.getDpsInputOperand(swapped ? 0 : 1);
  c.lhsMap = op.getMatchingIndexingMap(c.lhsUse);
  c.rhsMap = op.getMatchingIndexingMap(c.rhsUse);
  c.lhsSignedness = signednessOf(op, c.lhsUse);
  c.rhsSignedness = signednessOf(op, c.rhsUse);
  const auto &rows = swapped ? dims->n : dims->m;
  // The row loop is the one nearest to the columns in the result; products of
  // vectors and matrices have none.
  if (rows.empty())
    c.row = addRow(c);
  for (unsigned i = 0; i < last; ++i)
    if (llvm::is_contained(rows, c.resultMap.getDimPosition(i)))
      c.row = c.resultMap.getDimPosition(i);
  for (unsigned i = 0; i < last; ++i)
    if (c.resultMap.getDimPosition(i) != c.row)
      c.outer.push_back(c.resultMap.getDimPosition(i));
  c.reduction.assign(dims->k.begin(), dims->k.end());
  return c;
}

namespace {

template <typename Op>
struct Product
    : ContractionOpInterface::ExternalModel<Product<Op>, Op> {
  bool isProduct(Operation *op) const {
    return linalg::isaContractionOpInterface(cast<linalg::LinalgOp>(op));
  }
  FailureOr<Contraction>
  getContraction(Operation *op,
                 function_ref<InFlightDiagnostic()> emitError) const {
    return matchProduct(cast<linalg::LinalgOp>(op), emitError);
  }
};

template <typename... Ops> void attachTo(MLIRContext *context) {
  (Ops::template attachInterface<Product<Ops>>(*context), ...);
}

} // namespace

void tessera::registerLinalgContractions(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attachTo<linalg::MatmulOp, linalg::BatchMatmulOp, linalg::ContractOp,
             linalg::GenericOp, linalg::MatvecOp, linalg::VecmatOp,
             linalg::DotOp, linalg::BatchMatvecOp, linalg::BatchVecmatOp>(
        context);
  });
}
