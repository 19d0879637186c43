// The operands of a float product as quantized numbers; see the header.
#include "lib/Transforms/Graph/Quantization/ProductOperands.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"
#include "dialects/Quantization/Conversion/Lowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

static std::optional<ProductShape> convolutionShape(graph::ConvOp op) {
  ProductShape product{{op.getInput(), op.getFilter()}, op.getResult(), {}};
  int64_t rank = typeOf(op.getInput()).getRank();
  for (SmallVector<int64_t> &dims : product.resultDims)
    dims.assign(rank, -1);
  product.resultDims[0][0] = 0;
  product.resultDims[1][rank - 1] = rank - 1;
  return product;
}

static bool startsFromZero(Value init) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

std::optional<ProductShape> quantization::floatProduct(Operation *op) {
  if (op->getNumResults() != 1 ||
      !getElementTypeOrSelf(op->getResult(0)).isF32())
    return std::nullopt;
  if (auto conv = dyn_cast<graph::ConvOp>(op))
    return convolutionShape(conv);
  auto product = dyn_cast<linalg::LinalgOp>(op);
  if (!product || !linalg::isaContractionOpInterface(product) ||
      product.getNumDpsInputs() != 2 || !product.hasPureTensorSemantics() ||
      !startsFromZero(product.getDpsInits()[0]))
    return std::nullopt;
  ProductShape shape{{}, op->getResult(0), {}};
  AffineMap result = product.getMatchingIndexingMap(product.getDpsInitOperand(0));
  for (unsigned i = 0; i < 2; ++i) {
    OpOperand *operand = product.getDpsInputOperand(i);
    AffineMap map = product.getMatchingIndexingMap(operand);
    shape.operands[i] = operand->get();
    if (!map.isProjectedPermutation())
      return std::nullopt;
    for (AffineExpr loop : map.getResults()) {
      std::optional<unsigned> position = result.getResultPosition(loop);
      shape.resultDims[i].push_back(position ? int64_t(*position) : -1);
    }
  }
  return shape;
}

FailureOr<QuantizedOperand>
quantization::quantizedOperand(const ProductShape &product, unsigned index,
                               std::string &reason) {
  auto refuse = [&](const Twine &text) {
    reason = ((index == 0 ? "its left operand " : "its right operand ") + text).str();
    return failure();
  };
  Value value = product.operands[index];
  // Rounded to what the model computes in: i32 needs no rounding.
  if (auto narrow = value.getDefiningOp<arith::TruncFOp>())
    value = narrow.getIn();
  auto from = value.getDefiningOp<DequantizeOp>();
  if (!from)
    return refuse("is not dequantized");
  if (!isByteInteger(from.getFormat()))
    return refuse("has the format " + stringifyFormat(from.getFormat()) +
                  ", no integers of at most 8 bits");
  if (from.getBlock() || from.getGroups())
    return refuse("has scales of blocks");
  Value zero = from.getZero();
  if (zero && isa<FloatType>(getElementTypeOrSelf(zero)))
    return refuse("has a zero point that is a float");
  QuantizedOperand operand{from, {}};
  if (typeOf(from.getScale()).getRank() == 0)
    return operand;
  ArrayRef<int64_t> dims = product.resultDims[index];
  operand.scaleDim = dims[*from.getAxis()];
  if (*operand.scaleDim < 0)
    return refuse("has scales along a dimension that is summed over");
  if (isZero(zero))
    return operand;
  bool isOnlyKept = llvm::count_if(dims, [](int64_t d) { return d >= 0; }) == 1;
  if (!isOnlyKept)
    return refuse("has zero points along one of several dimensions");
  return operand;
}

bool quantization::sumsFit(const ProductShape &product,
                           ArrayRef<QuantizedOperand> operands) {
  RankedTensorType type = typeOf(product.operands[1]);
  double depth = 1;
  for (auto [size, dim] : llvm::zip(type.getShape(), product.resultDims[1]))
    if (dim < 0 && !ShapedType::isDynamic(size))
      depth *= size;
  for (const QuantizedOperand &operand : operands) {
    DequantizeOp from = operand.from;
    Format format = from.getFormat();
    depth *= isZero(from.getZero())
                 ? std::max(largestOf(format), -leastOf(format))
                 : largestOf(format) - leastOf(format);
  }
  return depth < 2147483648.0;
}

/// The operation of `isEnd` that `value` reaches through elementwise arithmetic and
/// movement alone, or null.
static Operation *reached(Value value,
                          llvm::function_ref<bool(Operation *)> isEnd) {
  SmallVector<Value> open{value};
  llvm::SmallPtrSet<Operation *, 16> seen;
  // Between scores and values of an attention there is little.
  constexpr size_t kMostOperations = 32;
  while (!open.empty() && seen.size() < kMostOperations)
    for (Operation *user : open.pop_back_val().getUsers()) {
      if (isEnd(user))
        return user;
      bool isPassed = OpTrait::hasElementwiseMappableTraits(user) || isIndexMap(user);
      if (isPassed && user->getNumResults() == 1 && seen.insert(user).second)
        open.push_back(user->getResult(0));
    }
  return nullptr;
}

bool quantization::areScoresOfFloatAttention(Value scores) {
  Operation *softmax = reached(scores, llvm::IsaPred<linalg::SoftmaxOp>);
  return softmax && reached(softmax->getResult(0), [](Operation *user) {
    auto product = dyn_cast<linalg::LinalgOp>(user);
    return product && linalg::isaContractionOpInterface(product);
  });
}
