// Matrix products; see the header.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"

using namespace mlir;

namespace tessera::onnx_importer {

static Type elementTypeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getElementType();
}

static Type accumulatorType(Type type) {
  return type.isF16() || type.isBF16() ? Float32Type::get(type.getContext())
                                       : type;
}

static Value zeros(NodeContext &node, const Shape &shape, Type type) {
  return linalg::FillOp::create(node.builder, node.loc, node.scalar(0.0, type),
                                node.empty(shape, type))
      .getResult(0);
}

/// Rounds an accumulated f32 result to the type of the operands.
static Value narrowed(NodeContext &node, Value value, Type type) {
  return isa<FloatType>(type) ? castFloat(node, value, type) : value;
}

FailureOr<Value> multiplyMatrices(NodeContext &node, Value lhs, Value rhs,
                                  const QuantizedFactors *quantized) {
  Shape a = node.shapeOf(lhs), b = node.shapeOf(rhs);
  if (failed(node.requireEqual(a[1], b[0], "inner sizes")))
    return failure();
  if (quantized)
    return contract(node, {lhs, {0, 2}}, {rhs, {2, 1}}, {0, 1},
                    {a[0], b[1], a[1]}, quantized);
  Type type = elementTypeOf(lhs);
  Value start = zeros(node, {a[0], b[1]}, accumulatorType(type));
  Value product =
      linalg::MatmulOp::create(node.builder, node.loc, ValueRange{lhs, rhs},
                               ValueRange{start})
          .getResult(0);
  return narrowed(node, product, type);
}

Value contract(NodeContext &node, const ContractionOperand &lhs,
               const ContractionOperand &rhs, ArrayRef<int64_t> resultDims,
               const Shape &spaceShape, const QuantizedFactors *quantized) {
  auto mapOf = [&](ArrayRef<int64_t> dims) {
    SmallVector<AffineExpr> results;
    for (int64_t dim : dims)
      results.push_back(node.builder.getAffineDimExpr(dim));
    return AffineMap::get(spaceShape.size(), 0, results,
                          node.builder.getContext());
  };
  Shape shape;
  for (int64_t dim : resultDims)
    shape.push_back(spaceShape[dim]);
  ArrayAttr maps = node.builder.getAffineMapArrayAttr(
      {mapOf(lhs.dims), mapOf(rhs.dims), mapOf(resultDims)});
  if (quantized)
    return quantization::MatmulOp::create(
        node.builder, node.loc, node.typeOf(shape, node.builder.getI32Type()),
        lhs.value, rhs.value, quantized->lhsZero, quantized->rhsZero,
        quantized->bias, quantized->lhsFormat, quantized->rhsFormat, maps);
  Type type = elementTypeOf(lhs.value);
  Value start = zeros(node, shape, accumulatorType(type));
  Value product = linalg::ContractOp::create(node.builder, node.loc,
                                             ValueRange{lhs.value, rhs.value},
                                             ValueRange{start}, maps)
                      .getResult(0);
  return narrowed(node, product, type);
}

/// Drops batch dimensions of size 1, and gives those that are not proven to
/// equal the result's their size; the others get their number in `dims`.
static FailureOr<Value> prepareBatch(NodeContext &node, Value operand,
                                     ArrayRef<AffineExpr> batch,
                                     SmallVectorImpl<int64_t> &dims) {
  Shape shape = node.shapeOf(operand);
  int64_t rank = shape.size(), added = batch.size() + 2 - rank;
  SmallVector<int64_t> units;
  Shape wanted = shape;
  for (int64_t i = 0; i < rank - 2; ++i) {
    auto constant = dyn_cast<AffineConstantExpr>(shape[i]);
    if (constant && constant.getValue() == 1) {
      units.push_back(i);
      continue;
    }
    dims.push_back(added + i);
    wanted[i] = batch[added + i];
  }
  FailureOr<Value> wide = broadcastTo(node, operand, wanted);
  if (failed(wide))
    return failure();
  return dropDims(node, *wide, units);
}

/// Batches: iteration dimensions are the batch, row, column, depth.
static FailureOr<Value> multiplyBatches(NodeContext &node, Value lhs,
                                        Value rhs,
                                        const QuantizedFactors *quantized) {
  Shape a = node.shapeOf(lhs), b = node.shapeOf(rhs);
  ArrayRef<AffineExpr> sizesA = a, sizesB = b;
  FailureOr<Shape> batch = broadcastShapes(
      node, {Shape(sizesA.drop_back(2)), Shape(sizesB.drop_back(2))});
  if (failed(batch) ||
      failed(node.requireEqual(a.back(), b[b.size() - 2], "inner sizes")))
    return failure();
  int64_t rank = batch->size();
  SmallVector<int64_t> lhsDims, rhsDims,
      resultDims = llvm::to_vector(llvm::seq<int64_t>(0, rank + 2));
  FailureOr<Value> left = prepareBatch(node, lhs, *batch, lhsDims);
  FailureOr<Value> right = prepareBatch(node, rhs, *batch, rhsDims);
  if (failed(left) || failed(right))
    return failure();
  lhsDims.append({rank, rank + 2});
  rhsDims.append({rank + 2, rank + 1});
  // A batch dimension of 1 on both sides is in neither map.
  Shape space = *batch, result = *batch;
  result.append({a[a.size() - 2], b.back()});
  space.append({a[a.size() - 2], b.back(), a.back()});
  SmallVector<int64_t> used, renumbered(space.size(), 0);
  for (int64_t dim = 0; dim < rank + 3; ++dim)
    if (llvm::is_contained(lhsDims, dim) || llvm::is_contained(rhsDims, dim)) {
      renumbered[dim] = used.size();
      used.push_back(dim);
    }
  auto renumber = [&](SmallVector<int64_t> &dims) {
    llvm::erase_if(dims,
                   [&](int64_t dim) { return !llvm::is_contained(used, dim); });
    for (int64_t &dim : dims)
      dim = renumbered[dim];
  };
  for (auto *dims : {&lhsDims, &rhsDims, &resultDims})
    renumber(*dims);
  Shape usedSpace;
  for (int64_t dim : used)
    usedSpace.push_back(space[dim]);
  Value product = contract(node, {*left, lhsDims}, {*right, rhsDims},
                           resultDims, usedSpace, quantized);
  return reshapeTo(node, product, result);
}

FailureOr<Value> matmul(NodeContext &node, Value lhs, Value rhs,
                        const QuantizedFactors *quantized) {
  int64_t rankA = cast<RankedTensorType>(lhs.getType()).getRank();
  int64_t rankB = cast<RankedTensorType>(rhs.getType()).getRank();
  if (rankA == 0 || rankB == 0)
    return node.error("expects inputs of rank 1 or more");
  // A vector is a matrix of one row (left) or column (right).
  if (rankA == 1)
    lhs = insertUnitDims(node, lhs, 0);
  if (rankB == 1)
    rhs = insertUnitDims(node, rhs, 1);
  Shape a = node.shapeOf(lhs), b = node.shapeOf(rhs);
  FailureOr<Value> result = failure();
  if (a.size() == 2 && b.size() == 2) {
    result = multiplyMatrices(node, lhs, rhs, quantized);
  } else if (b.size() == 2) {
    // One matrix for the whole batch: all rows are those of one product.
    Shape shape(a.begin(), a.end() - 1);
    AffineExpr rows = productOf(node, shape);
    shape.push_back(b[1]);
    result = reshapeTo(node, lhs, {rows, a.back()});
    if (succeeded(result))
      result = multiplyMatrices(node, *result, rhs, quantized);
    if (succeeded(result))
      result = reshapeTo(node, *result, shape);
  } else {
    result = multiplyBatches(node, lhs, rhs, quantized);
  }
  if (failed(result))
    return failure();
  int64_t rank = cast<RankedTensorType>(result->getType()).getRank();
  SmallVector<int64_t> dropped;
  if (rankA == 1)
    dropped.push_back(rank - 2);
  if (rankB == 1)
    dropped.push_back(rank - 1);
  return dropped.empty() ? *result : dropDims(node, *result, dropped);
}

} // namespace tessera::onnx_importer
