// Gathers and scatters by index vectors.
#include "dialects/Graph/Conversion/CarriedLoops.h"
#include "dialects/Graph/Conversion/ElementLoops.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

static Value createConstant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

/// The dimensions of the places of index vectors.
static int64_t leadOf(Value indices) {
  return cast<RankedTensorType>(indices.getType()).getRank() - 1;
}

namespace {
/// An index vector. Negative components are counted from the end; `isInside` is
/// whether all then are indices of data.
struct IndexVector {
  SmallVector<Value> components;
  Value isInside;
};
} // namespace

/// The index vector of gather_points or scatter_points at `lead`.
static IndexVector createIndexVector(OpBuilder &builder, Location loc,
                                     Value data, Value indices,
                                     ArrayRef<int64_t> dimensions,
                                     ArrayRef<Value> lead) {
  Value zero = createConstant(builder, loc, 0);
  SmallVector<Value> components;
  Value isInside = arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  for (auto [i, dimension] : llvm::enumerate(dimensions)) {
    if (dimension >= 0)
      continue;
    SmallVector<Value> read(lead);
    read.push_back(createConstant(builder, loc, components.size()));
    Value index = arith::IndexCastOp::create(
        builder, loc, builder.getIndexType(),
        tensor::ExtractOp::create(builder, loc, indices, read));
    Value size = createSize(builder, loc, data, i);
    Value isNegative = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::slt, index, zero);
    index = arith::SelectOp::create(
        builder, loc, isNegative,
        arith::AddIOp::create(builder, loc, index, size), index);
    // Unsigned: what is negative is larger than any size.
    Value isBelow = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::ult, index, size);
    isInside = arith::AndIOp::create(builder, loc, isInside, isBelow);
    components.push_back(index);
  }
  return {std::move(components), isInside};
}

/// The index in data that `p` stands for.
static SmallVector<Value> pointAt(ArrayRef<int64_t> dimensions,
                                  ArrayRef<Value> components,
                                  ArrayRef<Value> p) {
  SmallVector<Value> point;
  for (int64_t dimension : dimensions) {
    point.push_back(dimension >= 0 ? p[dimension] : components.front());
    if (dimension < 0)
      components = components.drop_front();
  }
  return point;
}

namespace {

/// graph.gather_points  ==>  linalg.generic { tensor.extract %data[...] }
/// A component that is outside is clamped; of an empty dimension zero is read.
struct GatherPointsToLinalg : OpRewritePattern<GatherPointsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GatherPointsOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Value result = createElementLoop(
        rewriter, op.getLoc(), *destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> p) -> Value {
          IndexVector vector = createIndexVector(
              nested, loc, op.getData(), op.getIndices(), op.getDimensions(),
              p.take_front(leadOf(op.getIndices())));
          SmallVector<Value> point =
              pointAt(op.getDimensions(), vector.components, p);
          return createRead(nested, loc, op, point);
        });
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value createRead(OpBuilder &builder, Location loc, GatherPointsOp op,
                          SmallVector<Value> &point) {
    auto data = cast<RankedTensorType>(op.getData().getType());
    Value zero = createConstant(builder, loc, 0), isEmpty;
    for (auto [i, dimension] : llvm::enumerate(op.getDimensions())) {
      if (dimension >= 0)
        continue;
      Value size = createSize(builder, loc, op.getData(), i);
      Value last = arith::SubIOp::create(builder, loc, size,
                                         createConstant(builder, loc, 1));
      point[i] = arith::MinSIOp::create(builder, loc, point[i], last);
      point[i] = arith::MaxSIOp::create(builder, loc, point[i], zero);
      if (!data.isDynamicDim(i) && data.getDimSize(i) > 0)
        continue;
      Value none = arith::CmpIOp::create(builder, loc,
                                         arith::CmpIPredicate::eq, size, zero);
      isEmpty = isEmpty ? arith::OrIOp::create(builder, loc, isEmpty, none)
                              .getResult()
                        : none;
    }
    auto extract = [&](OpBuilder &nested, Location loc) -> Value {
      return tensor::ExtractOp::create(nested, loc, op.getData(), point);
    };
    if (!isEmpty)
      return extract(builder, loc);
    return scf::IfOp::create(
               builder, loc, isEmpty,
               [&](OpBuilder &nested, Location loc) {
                 Value nothing = arith::ConstantOp::create(
                     nested, loc, nested.getZeroAttr(data.getElementType()));
                 scf::YieldOp::create(nested, loc, nothing);
               },
               [&](OpBuilder &nested, Location loc) {
                 scf::YieldOp::create(nested, loc, extract(nested, loc));
               })
        .getResult(0);
  }
};

/// graph.scatter_points  ==>  a nest of scf.for over the updates, which inserts
/// into what it carries, at first data. In order, because indices may repeat. An
/// index vector is read once for all the elements behind it.
struct ScatterPointsToLoops : OpRewritePattern<ScatterPointsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScatterPointsOp op,
                                PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<Value> sizes;
    int64_t rank = cast<RankedTensorType>(op.getUpdates().getType()).getRank();
    for (int64_t i = 0; i < rank; ++i)
      sizes.push_back(createSize(rewriter, loc, op.getUpdates(), i));
    int64_t leading = leadOf(op.getIndices());
    Value result = createCarriedLoops(
        rewriter, loc, ArrayRef(sizes).take_front(leading), op.getData(),
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> lead,
            Value carried) -> Value {
          IndexVector vector =
              createIndexVector(nested, loc, carried, op.getIndices(),
                                op.getDimensions(), lead);
          return createCarriedIf(
              nested, loc, vector.isInside, carried,
              [&](OpBuilder &inner, Location loc) -> Value {
                return createCarriedLoops(
                    inner, loc, ArrayRef(sizes).drop_front(leading), carried,
                    [&](OpBuilder &innermost, Location loc,
                        ArrayRef<Value> rest, Value carried) {
                      SmallVector<Value> p(lead);
                      llvm::append_range(p, rest);
                      return createUpdate(
                          innermost, loc, op, p, carried,
                          pointAt(op.getDimensions(), vector.components, p));
                    });
              });
        });
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value createUpdate(OpBuilder &builder, Location loc,
                            ScatterPointsOp op, ArrayRef<Value> p,
                            Value carried, ArrayRef<Value> point) {
    Value update = tensor::ExtractOp::create(builder, loc, op.getUpdates(), p);
    if (op.getCombination() != Combination::Replace) {
      Value old = tensor::ExtractOp::create(builder, loc, carried, point);
      update = createCombined(builder, loc, op, old, update);
    }
    return tensor::InsertOp::create(builder, loc, update, carried, point);
  }

  static Value createCombined(OpBuilder &builder, Location loc,
                              ScatterPointsOp op, Value a, Value b) {
    bool isFloat = isa<FloatType>(a.getType()),
         isUnsigned = op.getIsUnsigned() || a.getType().isInteger(1);
    switch (op.getCombination()) {
    case Combination::Replace:
      return b;
    case Combination::Add:
      return isFloat ? arith::AddFOp::create(builder, loc, a, b).getResult()
                     : arith::AddIOp::create(builder, loc, a, b).getResult();
    case Combination::Multiply:
      return isFloat ? arith::MulFOp::create(builder, loc, a, b).getResult()
                     : arith::MulIOp::create(builder, loc, a, b).getResult();
    case Combination::Min:
      if (isFloat)
        return arith::MinimumFOp::create(builder, loc, a, b);
      return isUnsigned
                 ? arith::MinUIOp::create(builder, loc, a, b).getResult()
                 : arith::MinSIOp::create(builder, loc, a, b).getResult();
    case Combination::Max:
      if (isFloat)
        return arith::MaximumFOp::create(builder, loc, a, b);
      return isUnsigned
                 ? arith::MaxUIOp::create(builder, loc, a, b).getResult()
                 : arith::MaxSIOp::create(builder, loc, a, b).getResult();
    }
    llvm_unreachable("covered switch");
  }
};

} // namespace

void graph::populatePointsToLinalg(RewritePatternSet &patterns) {
  patterns.add<GatherPointsToLinalg, ScatterPointsToLoops>(
      patterns.getContext());
}
