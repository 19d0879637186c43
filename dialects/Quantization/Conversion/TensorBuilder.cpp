// Arithmetic and shapes; see the header.
#include "dialects/Quantization/Conversion/TensorBuilder.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeKeepingFolds.h"
#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

static RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Type quantization::withElements(Value like, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(like.getType());
  return tensor ? Type(tensor.clone(type)) : type;
}

Value TensorBuilder::foldOrKeep(Operation *op) {
  SmallVector<Value> results;
  IRRewriter rewriter(builder);
  if (failed(graph::tryFoldKeepingSizes(rewriter, sizes, op, results)) ||
      results.empty())
    return op->getResult(0);
  op->erase();
  return results.front();
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

Value TensorBuilder::filled(double value, Type type, Value like) {
  TypedAttr number;
  if (auto floats = dyn_cast<FloatType>(type))
    number = builder.getFloatAttr(floats, value);
  else
    number = IntegerAttr::get(type, APInt(type.getIntOrFloatBitWidth(),
                                          static_cast<int64_t>(value),
                                          /*isSigned=*/true,
                                          /*implicitTrunc=*/true));
  Value scalar = arith::ConstantOp::create(builder, loc, number);
  return isa<RankedTensorType>(like.getType())
             ? filledTensor(scalar, shapeOf(like))
             : scalar;
}

Value TensorBuilder::extended(Value value, bool isUnsigned) {
  Type type = withElements(value, i32());
  if (value.getType() == type)
    return value;
  return isUnsigned ? create<arith::ExtUIOp>(type, value)
                    : create<arith::ExtSIOp>(type, value);
}

Value TensorBuilder::toFloat(Value integers) {
  return create<arith::SIToFPOp>(withElements(integers, f32()), integers);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

AffineExpr TensorBuilder::constantSize(int64_t size) {
  return builder.getAffineConstantExpr(size);
}

RankedTensorType TensorBuilder::typeOf(const Shape &shape, Type elementType) {
  SmallVector<int64_t> known;
  for (AffineExpr size : shape) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    known.push_back(constant ? constant.getValue() : ShapedType::kDynamic);
  }
  return RankedTensorType::get(known, elementType);
}

SmallVector<OpFoldResult> TensorBuilder::materialize(const Shape &shape,
                                                    RankedTensorType type) {
  return graph::materializeShape(builder, loc, sizes, type, shape);
}

Value TensorBuilder::empty(const Shape &shape, Type elementType) {
  RankedTensorType type = typeOf(shape, elementType);
  return tensor::EmptyOp::create(
      builder, loc, type,
      graph::materializeDynamicSizes(builder, loc, sizes, type, shape));
}

Value TensorBuilder::filledTensor(Value scalar, const Shape &shape) {
  RankedTensorType type = typeOf(shape, scalar.getType());
  auto single = RankedTensorType::get({}, scalar.getType());
  TypedAttr constant;
  if (matchPattern(scalar, m_Constant(&constant))) {
    auto splat = [&](RankedTensorType splatType) -> Value {
      return arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(splatType, constant));
    };
    return type.hasStaticShape() ? splat(type)
                                 : broadcastTo(splat(single), shape);
  }
  return broadcastTo(
      tensor::FromElementsOp::create(builder, loc, single, scalar), shape);
}

Value TensorBuilder::broadcastTo(Value tensor, const Shape &shape) {
  Shape from = shapeOf(tensor);
  if (from.size() == shape.size() &&
      llvm::all_of_zip(from, shape, [&](AffineExpr a, AffineExpr b) {
        return sizes.areEqual(a, b);
      }))
    return tensor;
  RankedTensorType type = typeOf(shape, tensorType(tensor).getElementType());
  return create<graph::BroadcastToOp>(
      type, tensor,
      graph::materializeDynamicSizes(builder, loc, sizes, type, shape));
}

Value TensorBuilder::expand(Value tensor, const Shape &shape,
                           ArrayRef<ReassociationIndices> groups) {
  RankedTensorType type = typeOf(shape, tensorType(tensor).getElementType());
  return tensor::ExpandShapeOp::create(builder, loc, type, tensor, groups,
                                       materialize(shape, type));
}

Value TensorBuilder::collapse(Value tensor,
                             ArrayRef<ReassociationIndices> groups) {
  return tensor::CollapseShapeOp::create(builder, loc, tensor, groups);
}

Value TensorBuilder::placed(Value tensor, ArrayRef<int64_t> positions,
                           int64_t rank) {
  if (!llvm::is_sorted(positions)) {
    auto order = llvm::to_vector(llvm::seq<int64_t>(0, positions.size()));
    llvm::sort(order, [&](int64_t a, int64_t b) {
      return positions[a] < positions[b];
    });
    Shape from = shapeOf(tensor);
    Value init = empty(applyPermutation(from, order),
                       tensorType(tensor).getElementType());
    Value moved = linalg::TransposeOp::create(builder, loc, tensor, init, order)
                      ->getResult(0);
    SmallVector<int64_t> sorted(positions);
    llvm::sort(sorted);
    return placed(moved, sorted, rank);
  }
  if (positions.empty())
    return tensor;
  // What is aligned at the right needs none in front.
  rank -= positions.front();
  SmallVector<int64_t> shifted;
  for (int64_t position : positions)
    shifted.push_back(position - positions.front());
  positions = shifted;
  if (rank == static_cast<int64_t>(positions.size()))
    return tensor;
  Shape from = shapeOf(tensor), shape(rank, constantSize(1));
  SmallVector<ReassociationIndices> groups(positions.size());
  for (int64_t i = 0, next = 0; i < rank; ++i) {
    if (next < static_cast<int64_t>(positions.size()) && positions[next] == i)
      shape[i] = from[next++];
    groups[next - 1].push_back(i);
  }
  return expand(tensor, shape, groups);
}

Value TensorBuilder::head(Value tensor, int64_t axis, AffineExpr size) {
  Shape shape = shapeOf(tensor);
  if (sizes.areEqual(shape[axis], size))
    return tensor;
  shape[axis] = size;
  RankedTensorType type = typeOf(shape, tensorType(tensor).getElementType());
  SmallVector<OpFoldResult> zeros(shape.size(), builder.getIndexAttr(0)),
      ones(shape.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, type, tensor, zeros,
                                        materialize(shape, type), ones);
}

Value TensorBuilder::reduceBy(Value tensor, ArrayRef<int64_t> dims, Value start,
                             Combination combine) {
  Shape from = shapeOf(tensor), shape;
  for (auto [i, size] : llvm::enumerate(from))
    if (!llvm::is_contained(dims, static_cast<int64_t>(i)))
      shape.push_back(size);
  Value init = linalg::FillOp::create(builder, loc, start,
                                      empty(shape, start.getType()))
                   .getResult(0);
  auto body = [&](OpBuilder &b, Location at, ValueRange values) {
    linalg::YieldOp::create(b, at, combine(b, at, values[0], values[1]));
  };
  return linalg::ReduceOp::create(builder, loc, tensor, init, dims, body)
      ->getResult(0);
}
