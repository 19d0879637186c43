// Multiplies one row by weights that are computed from narrower ones where it sums.
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/WeightParts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace tessera {
#define GEN_PASS_DEF_REDUCENARROWROWS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

static bool startsAtZero(linalg::MatmulOp product) {
  auto fill = product.getOutputs()[0].getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// The weights [columns, depth] that only `product`, of one row, reads, as [depth,
/// columns]; null if these are others.
static Value narrowRowsOf(linalg::MatmulOp product, WeightParts &parts) {
  auto lhs = cast<RankedTensorType>(product.getInputs()[0].getType());
  auto turned = product.getInputs()[1].getDefiningOp<linalg::TransposeOp>();
  bool isOneRow = lhs.hasStaticShape() && lhs.getDimSize(0) == 1;
  if (!isOneRow || !lhs.getElementType().isF32() || !turned ||
      !turned->hasOneUse() || product.hasUserDefinedMaps() ||
      !startsAtZero(product))
    return {};
  Value rows = turned.getInput();
  Operation *op = rows.getDefiningOp();
  bool isComputed = op && OpTrait::hasElementwiseMappableTraits(op);
  return isComputed && rows.hasOneUse() && parts.isNarrow(rows) ? rows : Value();
}

static void replaceByReduction(linalg::MatmulOp product, Value rows) {
  OpBuilder builder(product);
  Location loc = product.getLoc();
  auto type = cast<RankedTensorType>(rows.getType());
  Value repeated = graph::BroadcastToOp::create(
      builder, loc, type, product.getInputs()[0], ValueRange());
  Value products = arith::MulFOp::create(builder, loc, repeated, rows);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  Value empty = tensor::EmptyOp::create(builder, loc, {type.getDimSize(0)},
                                        type.getElementType());
  Value start = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  auto sum = linalg::ReduceOp::create(
      builder, loc, products, start, ArrayRef<int64_t>{1},
      [](OpBuilder &inside, Location at, ValueRange elements) {
        linalg::YieldOp::create(
            inside, at,
            ValueRange(arith::AddFOp::create(inside, at, elements[0], elements[1])));
      });
  Value row = tensor::ExpandShapeOp::create(
      builder, loc, product.getResult(0).getType(), sum.getResult(0),
      ArrayRef<ReassociationIndices>{{0, 1}});
  Operation *turned = product.getInputs()[1].getDefiningOp();
  product.getResult(0).replaceAllUsesWith(row);
  product.erase();
  turned->erase(); // else it would be another reader
}

namespace {
struct ReduceNarrowRows : tessera::impl::ReduceNarrowRowsBase<ReduceNarrowRows> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    WeightParts parts(symbols);
    SmallVector<std::pair<linalg::MatmulOp, Value>> found;
    // Parts are known by value: nothing is replaced before all are found.
    getOperation().walk([&](linalg::MatmulOp product) {
      if (Value rows = narrowRowsOf(product, parts))
        found.emplace_back(product, rows);
    });
    for (auto [product, rows] : found)
      replaceByReduction(product, rows);
  }
};
} // namespace
