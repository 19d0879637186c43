// Recognition of matrix products; convolutions are in ConvolutionWindows.cpp.
#include "lib/Target/CPU/Contraction/ContractionMatcher.h"
#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

const ContractionWindow *Contraction::rowWindow() const {
  for (const ContractionWindow &window : windows)
    if (window.position == row)
      return &window;
  return nullptr;
}

const ContractionWindow *Contraction::windowOfTap(unsigned loop) const {
  for (const ContractionWindow &window : windows)
    if (window.tap == loop)
      return &window;
  return nullptr;
}

unsigned Contraction::addLoop(int64_t size, TensorDimension origin) {
  loops.push_back({size, origin});
  return loops.size() - 1;
}

/// The start value of the accumulators: null when `init` is filled with zero.
static Value startValue(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat()) ? Value()
                                                                     : init;
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

static FailureOr<Contraction> matchProduct(linalg::LinalgOp op) {
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims) || op.getNumDpsInits() != 1 || op.getNumDpsInputs() != 2)
    return op.emitOpError("expects two operands with rows, columns and a "
                          "contracted dimension");
  Contraction c;
  c.root = op;
  c.result = op->getResult(0);
  c.init = startValue(op.getDpsInits()[0]);
  for (unsigned i = 0; i < op.getNumLoops(); ++i)
    c.loops.push_back(loopOf(op, i));
  c.resultMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));

  // The result's last dimension lies along vectors; the operand that has it is
  // read in panels.
  unsigned last = c.resultMap.getNumResults() - 1;
  unsigned column = c.resultMap.getDimPosition(last);
  bool swapped = llvm::is_contained(dims->m, column);
  if (!swapped && !llvm::is_contained(dims->n, column))
    return op.emitOpError("expects the result's last dimension to be in one "
                          "operand only");
  c.column = column;
  OpOperand *lhs = op.getDpsInputOperand(swapped ? 1 : 0);
  OpOperand *rhs = op.getDpsInputOperand(swapped ? 0 : 1);
  c.lhs = lhs->get();
  c.rhs = rhs->get();
  c.lhsMap = op.getMatchingIndexingMap(lhs);
  c.rhsMap = op.getMatchingIndexingMap(rhs);
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

static bool isFloat32(Value value) {
  return getElementTypeOrSelf(value.getType()).isF32();
}

static bool isNarrowFloat(Value value) {
  Type type = getElementTypeOrSelf(value.getType());
  return type.isF32() || type.isF16() || type.isBF16();
}

FailureOr<Contraction> cpu::matchContraction(kernel::FuncOp kernel) {
  Operation *root = nullptr;
  for (Operation &op : kernel.getBody().front()) {
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (!isa<graph::ConvOp>(op) &&
        !(structured && linalg::isaContractionOpInterface(structured)))
      continue;
    if (root)
      return op.emitOpError("is a second contraction in one kernel");
    root = &op;
  }
  if (!root)
    return kernel.emitOpError("has no contraction that the builder knows");
  FailureOr<Contraction> c =
      isa<graph::ConvOp>(root) ? matchConvolution(cast<graph::ConvOp>(root))
                               : matchProduct(cast<linalg::LinalgOp>(root));
  if (failed(c))
    return failure();
  if (!isFloat32(c->result) || !isNarrowFloat(c->lhs) || !isNarrowFloat(c->rhs))
    return root->emitOpError("expects f32, f16 or bf16 operands and an f32 "
                             "result");
  return c;
}
