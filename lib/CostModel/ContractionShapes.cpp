// The shape of a kernel's contraction for the cost model.
#include "lib/CostModel/ContractionShapes.h"

#include "lib/CostModel/TypicalSizes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

static int64_t bytesOf(Type element) {
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Columns of the packed panels that `rhs` is unpacked from, in groups of `group`
/// elements, or 0.
static int64_t panelWidthOf(Value rhs, int64_t group) {
  if (auto expand = rhs.getDefiningOp<tensor::ExpandShapeOp>())
    rhs = expand.getSrc();
  auto unpack = rhs.getDefiningOp<linalg::UnPackOp>();
  if (!unpack || ShapedType::isDynamicShape(unpack.getStaticInnerTiles()))
    return 0;
  ArrayRef<int64_t> tiles = unpack.getStaticInnerTiles();
  bool fits = group == 1 ? tiles.size() == 1
                         : tiles.size() == 2 && tiles[1] == group;
  return fits ? tiles[0] : 0;
}

/// What an index grows by from one row to the next; 0 where it is no constant.
static int64_t growthOf(AffineExpr index, unsigned row) {
  AffineExpr dim = getAffineDimExpr(row, index.getContext());
  auto growth = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(index.replace(dim, dim + 1) - index, row + 64, 0));
  return growth ? growth.getValue() : 0;
}

/// Bytes from a row's element of the left operand to the next row's.
static int64_t rowStrideOf(const Contraction &c, TypicalSizes &sizes) {
  auto type = cast<RankedTensorType>(c.lhs().getType());
  int64_t stride = bytesOf(c.lhsType()), rowStride = 0;
  int64_t dimension = type.getRank();
  for (unsigned i = c.lhsMap.getNumResults(); i-- > 0;) {
    rowStride += growthOf(c.lhsMap.getResult(i), c.row) * stride;
    int64_t joined = c.lhsGroups.empty() ? 1 : c.lhsGroups[i].size();
    for (; joined > 0; --joined)
      stride *= sizes.of(c.lhs(), --dimension);
  }
  return rowStride;
}

std::optional<Contraction> tessera::contractionIn(kernel::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front())
    if (FailureOr<Contraction> product = contractionOf(&op);
        succeeded(product))
      return *product;
  return std::nullopt;
}

ContractionShape tessera::shapeOf(const Contraction &product,
                                  kernel::FuncOp kernel,
                                  kernel::MultiplyAccumulate accumulate) {
  TypicalSizes sizes(kernel);
  auto sizeOf = [&](unsigned number) {
    const ContractionLoop &loop = product.loops[number];
    return ShapedType::isDynamic(loop.size)
               ? sizes.of(loop.origin.tensor, loop.origin.dimension)
               : loop.size;
  };
  ContractionShape shape;
  for (unsigned loop : product.outer)
    shape.outer *= sizeOf(loop);
  for (unsigned loop : product.reduction)
    shape.depth *= sizeOf(loop);
  shape.rows = sizeOf(product.row);
  shape.columns = sizeOf(product.column);
  shape.rowsVary = ShapedType::isDynamic(product.loops[product.row].size);
  shape.rowStrideBytes = rowStrideOf(product, sizes);
  shape.isWindowed = product.rowWindow() != nullptr;
  shape.isDepthwise = product.lhsIsVector;
  shape.accumulate = accumulate;
  shape.panelWidth =
      panelWidthOf(product.rhs(), kernel::groupLengthOf(accumulate));
  shape.rhsElementBytes = bytesOf(product.rhsType());
  return shape;
}
