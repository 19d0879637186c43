// linalg.softmax as reductions and elementwise operations.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeMaterialization.h"
#include "lib/Target/CPU/Rows/RowStages.h"
#include "lib/Target/CPU/Math/VectorMath.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

/// Builds the parts of one softmax.
struct Softmax {
  Softmax(linalg::SoftmaxOp op, graph::SizeAnalysis &sizes)
      : builder(op), loc(op.getLoc()), dimension(op.getDimension()),
        space(sizesOf(op.getInput(), sizes)), rows(space) {
    rows.erase(rows.begin() + dimension);
  }

  SmallVector<OpFoldResult> sizesOf(Value tensor, graph::SizeAnalysis &sizes) {
    return graph::materializeShape(builder, loc, sizes,
                                   cast<RankedTensorType>(tensor.getType()),
                                   sizes.dimsOf(tensor));
  }

  Value filled(TypedAttr value) {
    Value scalar = arith::ConstantOp::create(builder, loc, value);
    Value empty =
        tensor::EmptyOp::create(builder, loc, rows, value.getType());
    return linalg::FillOp::create(builder, loc, scalar, empty).getResult(0);
  }

  Value reduce(Value x, TypedAttr neutral,
               function_ref<Value(OpBuilder &, Value, Value)> join) {
    return linalg::ReduceOp::create(
               builder, loc, x, filled(neutral), dimension,
               [&](OpBuilder &nested, Location at, ValueRange elements) {
                 linalg::YieldOp::create(
                     nested, at, join(nested, elements[0], elements[1]));
               })
        .getResult(0);
  }

  /// A row's value for all of its elements.
  Value repeated(Value row, RankedTensorType type) {
    int64_t kept = rows.size();
    if (kept > 0 && dimension > 0) {
      SmallVector<ReassociationIndices> groups;
      for (int64_t i = 0; i < kept; ++i)
        groups.push_back({i < dimension ? i : i + 1});
      groups[dimension - 1].push_back(dimension);
      SmallVector<OpFoldResult> ones(space);
      ones[dimension] = builder.getIndexAttr(1);
      SmallVector<int64_t> shape(type.getShape());
      shape[dimension] = 1;
      row = tensor::ExpandShapeOp::create(builder, loc, type.clone(shape), row,
                                          groups, ones);
    }
    SmallVector<Value> dynamic;
    for (OpFoldResult size : space)
      if (auto value = dyn_cast<Value>(size))
        dynamic.push_back(value);
    return graph::BroadcastToOp::create(builder, loc, type, row, dynamic);
  }

  OpBuilder builder;
  Location loc;
  int64_t dimension;
  SmallVector<OpFoldResult> space, rows;
};

} // namespace

static void expand(linalg::SoftmaxOp op, graph::SizeAnalysis &sizes) {
  Softmax parts(op, sizes);
  OpBuilder &builder = parts.builder;
  Location loc = op.getLoc();
  Value x = op.getInput();
  auto given = cast<RankedTensorType>(x.getType());
  bool isNarrow = given.getElementTypeBitWidth() < 32;
  auto type = isNarrow ? given.clone(builder.getF32Type()) : given;
  if (isNarrow)
    x = arith::ExtFOp::create(builder, loc, type, x);
  auto element = cast<FloatType>(type.getElementType());
  // One comparison instead of arith.maximumf: a NaN that it misses is in the sum.
  Value max = parts.reduce(
      x,
      builder.getFloatAttr(element,
                           APFloat::getInf(element.getFloatSemantics(), true)),
      [&](OpBuilder &nested, Value in, Value out) -> Value {
        Value above = arith::CmpFOp::create(
            nested, loc, arith::CmpFPredicate::OGT, in, out);
        return arith::SelectOp::create(nested, loc, above, in, out);
      });
  Value difference =
      arith::SubFOp::create(builder, loc, x, parts.repeated(max, type));
  auto power = math::ExpOp::create(builder, loc, difference);
  power->setAttr(kNotPositiveAttr, builder.getUnitAttr());
  Value sum = parts.reduce(power, builder.getFloatAttr(element, 0.0),
                           [&](OpBuilder &nested, Value in, Value out) -> Value {
                             return arith::AddFOp::create(nested, loc, in, out);
                           });
  Value reciprocal = arith::DivFOp::create(
      builder, loc, parts.filled(builder.getFloatAttr(element, 1.0)), sum);
  Value result = arith::MulFOp::create(builder, loc, power,
                                       parts.repeated(reciprocal, type));
  if (isNarrow)
    result = arith::TruncFOp::create(builder, loc, given, result);
  op->getResult(0).replaceAllUsesWith(result);
  op.erase();
}

void cpu::expandSoftmax(kernel::FuncOp kernel) {
  graph::SizeAnalysis sizes(kernel.getContext());
  for (linalg::SoftmaxOp op : llvm::to_vector(
           kernel.getBody().front().getOps<linalg::SoftmaxOp>()))
    expand(op, sizes);
}
