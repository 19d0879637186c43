// The shape of a kernel's contraction for the cost model.
#include "lib/CostModel/ContractionShapes.h"

#include "dialects/Graph/IR/Graph.h"
#include "lib/CostModel/TypicalSizes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

static int64_t elementBytes(Value tensor) {
  return llvm::divideCeil(
      getElementTypeOrSelf(tensor.getType()).getIntOrFloatBitWidth(), 8);
}

/// Columns of the packed panels that `rhs` is unpacked from, or 0.
static int64_t panelWidthOf(Value rhs) {
  if (auto expand = rhs.getDefiningOp<tensor::ExpandShapeOp>())
    rhs = expand.getSrc();
  auto unpack = rhs.getDefiningOp<linalg::UnPackOp>();
  if (!unpack || unpack.getStaticInnerTiles().size() != 1 ||
      ShapedType::isDynamic(unpack.getStaticInnerTiles()[0]))
    return 0;
  return unpack.getStaticInnerTiles()[0];
}

static std::optional<ContractionShape> shapeOfProduct(linalg::LinalgOp op,
                                                      TypicalSizes &sizes) {
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims))
    return std::nullopt;
  ContractionShape shape;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  // A sum over everything has no columns.
  if (result.getNumResults() == 0)
    return std::nullopt;
  unsigned last = result.getNumResults() - 1;
  bool swapped = llvm::is_contained(dims->m, result.getDimPosition(last));
  const auto &rowDims = swapped ? dims->n : dims->m;
  OpOperand *lhs = op.getDpsInputOperand(swapped ? 1 : 0);
  OpOperand *rhs = op.getDpsInputOperand(swapped ? 0 : 1);
  // A vector times a matrix has no rows.
  unsigned row = rowDims.empty() ? op.getNumLoops() : rowDims.front();
  for (unsigned i = 0; i < last; ++i)
    if (llvm::is_contained(rowDims, result.getDimPosition(i)))
      row = result.getDimPosition(i);
  for (unsigned i = 0; i <= last; ++i) {
    int64_t size = sizes.of(op->getResult(0), i);
    bool isRow = result.getDimPosition(i) == row;
    shape.rowsVary |=
        isRow && op.getShape(op.getDpsInitOperand(0))[i] == ShapedType::kDynamic;
    (i == last ? shape.columns : isRow ? shape.rows : shape.outer) *= size;
  }
  AffineMap left = op.getMatchingIndexingMap(lhs);
  int64_t stride = elementBytes(lhs->get());
  for (unsigned i = left.getNumResults(); i-- > 0;) {
    unsigned dim = left.getDimPosition(i);
    if (dim == row)
      shape.rowStrideBytes = stride;
    int64_t size = sizes.of(lhs->get(), i);
    stride *= size;
    if (llvm::is_contained(dims->k, dim))
      shape.depth *= size;
  }
  shape.panelWidth = panelWidthOf(rhs->get());
  shape.rhsElementBytes = elementBytes(rhs->get());
  return shape;
}

static ContractionShape shapeOfConvolution(graph::ConvOp conv,
                                           TypicalSizes &sizes) {
  ContractionShape shape;
  Value input = conv.getInput(), filter = conv.getFilter();
  auto outputType = cast<RankedTensorType>(conv.getResult().getType());
  auto filterType = cast<RankedTensorType>(filter.getType());
  int64_t spatial = outputType.getRank() - 2;
  int64_t channels = filterType.getDimSize(spatial);
  shape.columns = filterType.getShape().back() / conv.getGroups();
  shape.isDepthwise = channels == 1 && shape.columns == 1;
  shape.outer = sizes.of(input, 0) * conv.getGroups();
  if (shape.isDepthwise) {
    shape.columns = conv.getGroups();
    shape.outer = sizes.of(input, 0);
  }
  // The row dimension is the longest, from the inside; without windows all
  // positions of an image are rows.
  bool pointwise = llvm::all_of(filterType.getShape().take_front(spatial),
                                [](int64_t k) { return k == 1; }) &&
                   llvm::all_of(conv.getStrides(),
                                [](int64_t s) { return s == 1; });
  constexpr int64_t kEnoughRows = 12;
  int64_t row = spatial - 1;
  for (int64_t i = spatial - 1; i >= 0; --i)
    if (sizes.of(conv.getResult(), row + 1) < kEnoughRows &&
        sizes.of(conv.getResult(), i + 1) > sizes.of(conv.getResult(), row + 1))
      row = i;
  int64_t stride = elementBytes(input) * sizes.of(input, spatial + 1);
  for (int64_t i = spatial - 1; i >= 0; --i) {
    int64_t positions = sizes.of(conv.getResult(), i + 1);
    (pointwise || i == row ? shape.rows : shape.outer) *= positions;
    shape.depth *= std::max<int64_t>(filterType.getDimSize(i), 1);
    if (i == row)
      shape.rowStrideBytes = stride * conv.getStrides()[i];
    stride *= sizes.of(input, i + 1);
  }
  shape.depth *= channels;
  shape.isWindowed = conv.getPadLow()[row] > 0 || conv.getPadHigh()[row] > 0;
  shape.rowsVary = outputType.isDynamicDim(row + 1);
  shape.panelWidth = panelWidthOf(filter);
  shape.rhsElementBytes = elementBytes(filter);
  return shape;
}

std::optional<ContractionShape>
tessera::contractionShapeOf(kernel::FuncOp kernel) {
  TypicalSizes sizes(kernel);
  for (Operation &op : kernel.getBody().front()) {
    if (auto conv = dyn_cast<graph::ConvOp>(op))
      return shapeOfConvolution(conv, sizes);
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (structured && linalg::isaContractionOpInterface(structured))
      return shapeOfProduct(structured, sizes);
  }
  return std::nullopt;
}
