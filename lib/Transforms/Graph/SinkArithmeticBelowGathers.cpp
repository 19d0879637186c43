// Gathers rows of what a table is computed from, and computes with these.
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/WeightParts.h"

#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace tessera {
#define GEN_PASS_DEF_SINKARITHMETICBELOWGATHERS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Builds the rows of tables that one gather takes, along their first dimension.
class RowBuilder {
public:
  explicit RowBuilder(graph::GatherOp gather)
      : builder(gather), gather(gather), sizes(gather.getContext()) {}

  /// Whether `rowsOf` knows a way; builds nothing.
  static bool canTake(Value table);

  /// The gathered rows of `table`, of any row shape.
  Value rowsOf(Value table);

private:
  RankedTensorType rowsType(Value table);
  SmallVector<Value> rowSizes(Value table);
  Value repeated(Value source, Value table);

  OpBuilder builder;
  graph::GatherOp gather;
  graph::SizeAnalysis sizes;
};

} // namespace

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Whether a reshape leaves each row, an index of the first dimension, alone.
static bool isReshapeOfRows(Operation *op) {
  if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, graph::ReshapeOp>(op))
    return false;
  RankedTensorType from = typeOf(op->getOperand(0)), to = typeOf(op->getResult(0));
  return from.getRank() > 0 && from.getDimSize(0) == to.getDimSize(0);
}

static bool isElementwise(Operation *op) {
  return OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1 &&
         op->getNumOperands() > 0 &&
         llvm::all_of(op->getOperandTypes(), llvm::IsaPred<RankedTensorType>);
}

bool RowBuilder::canTake(Value table) {
  Operation *op = table.getDefiningOp();
  if (!op || typeOf(table).getRank() == 0)
    return false;
  if (isa<graph::WeightOp>(op) || matchPattern(op, m_Constant()))
    return true;
  if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op)) {
    RankedTensorType source = typeOf(broadcast.getSource());
    return source.getRank() < typeOf(table).getRank() ||
           source.getDimSize(0) == 1 || canTake(broadcast.getSource());
  }
  if (isReshapeOfRows(op))
    return canTake(op->getOperand(0));
  return isElementwise(op) && llvm::all_of(op->getOperands(), canTake);
}

/// [indices..., row...]
RankedTensorType RowBuilder::rowsType(Value table) {
  SmallVector<int64_t> shape(typeOf(gather.getIndices()).getShape());
  llvm::append_range(shape, typeOf(table).getShape().drop_front());
  return typeOf(table).clone(shape);
}

/// The sizes that are not known of the type of the rows.
SmallVector<Value> RowBuilder::rowSizes(Value table) {
  SmallVector<AffineExpr> dims = sizes.dimsOf(gather.getIndices());
  for (int64_t size : typeOf(table).getShape().drop_front())
    dims.push_back(builder.getAffineConstantExpr(size));
  return graph::materializeDynamicSizes(builder, gather.getLoc(), sizes,
                                        rowsType(table), dims);
}

/// `source`, which has no index of rows, in the shape of the rows of `table`.
Value RowBuilder::repeated(Value source, Value table) {
  Location loc = gather.getLoc();
  RankedTensorType type = typeOf(source);
  if (type.getRank() == typeOf(table).getRank()) {
    // The 1 in the rows' place goes away.
    RankedTensorType row = type.clone(type.getShape().drop_front());
    source = graph::ReshapeOp::create(builder, loc, row, source, ValueRange());
  }
  return graph::BroadcastToOp::create(builder, loc, rowsType(table), source,
                                      rowSizes(table));
}

Value RowBuilder::rowsOf(Value table) {
  Operation *op = table.getDefiningOp();
  Location loc = op->getLoc();
  RankedTensorType rows = rowsType(table);
  SplatElementsAttr splat;
  if (matchPattern(op, m_Constant(&splat))) {
    auto one = DenseElementsAttr::get(
        typeOf(table).clone(typeOf(table).getShape().drop_front()),
        splat.getSplatValue<Attribute>());
    return repeated(arith::ConstantOp::create(builder, loc, one), table);
  }
  if (isa<graph::WeightOp, arith::ConstantOp>(op))
    return graph::GatherOp::create(builder, gather.getLoc(), rows, table,
                                   gather.getIndices(), gather.getAxis());
  if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op)) {
    Value source = broadcast.getSource();
    bool isOfRows = typeOf(source).getRank() == typeOf(table).getRank() &&
                    typeOf(source).getDimSize(0) != 1;
    if (!isOfRows)
      return repeated(source, table);
    return graph::BroadcastToOp::create(builder, loc, rows, rowsOf(source),
                                        rowSizes(table));
  }
  if (isReshapeOfRows(op))
    return graph::ReshapeOp::create(builder, loc, rows,
                                    rowsOf(op->getOperand(0)), rowSizes(table));
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(rowsOf(operand));
  return mlir::clone(builder, op, rows, operands)->getResult(0);
}

/// Whether nothing but gathers of rows at unknown indices reads `table`.
static bool isOnlyGathered(Value table) {
  return llvm::all_of(table.getUses(), [](OpOperand &use) {
    auto gather = dyn_cast<graph::GatherOp>(use.getOwner());
    return gather && use.getOperandNumber() == 0 && gather.getAxis() == 0;
  });
}

namespace {
struct SinkArithmeticBelowGathers
    : tessera::impl::SinkArithmeticBelowGathersBase<SinkArithmeticBelowGathers> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    WeightParts parts(symbols);
    SmallVector<graph::GatherOp> gathers;
    getOperation().walk([&](graph::GatherOp gather) {
      Value table = gather.getData();
      Operation *op = table.getDefiningOp();
      if (gather.getAxis() != 0 || !op || !isElementwise(op) ||
          parts.of(gather.getIndices()) || !isOnlyGathered(table) ||
          !RowBuilder::canTake(table))
        return;
      WeightPart part = parts.of(table);
      RankedTensorType type = typeOf(table);
      int64_t bytes = type.getNumElements() *
                      llvm::divideCeil(type.getElementTypeBitWidth(), 8);
      if (part && part.readsWeights && part.storedBytes < bytes)
        gathers.push_back(gather);
    });
    for (graph::GatherOp gather : gathers) {
      gather.replaceAllUsesWith(RowBuilder(gather).rowsOf(gather.getData()));
      gather.erase();
    }
  }
};
} // namespace
