// Sorting and cumulation along a dimension as loops.
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

/// The sizes of `tensor` but that of `dimension`, which is 1.
static SmallVector<Value> createRowSizes(OpBuilder &builder, Location loc,
                                         Value tensor, int64_t dimension) {
  SmallVector<Value> sizes;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t i = 0; i < rank; ++i)
    sizes.push_back(i == dimension
                        ? arith::ConstantIndexOp::create(builder, loc, 1)
                        : createSize(builder, loc, tensor, i));
  return sizes;
}

namespace {

/// The heap of one row of graph.top_indices: a row of the carried result holds
/// entries, the worst of them first, so that a better element takes its place
/// (heapsort, Williams 1964). Emits at the place of `builder`.
///
/// The entry of an element of at most 32 bits is a number that is larger for what
/// stands before: the element as an ordered integer above 32 bits of its index
/// from behind. That of another is its index, which reads the source.
class RowHeap {
public:
  RowHeap(OpBuilder &builder, Location loc, TopIndicesOp op,
          ArrayRef<Value> row)
      : b(builder), loc(loc), op(op), row(row) {}

  /// Sorts the best `count` of `size` elements into `heap`, best first.
  Value sortBest(Value heap, Value count, Value size);

private:
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, loc, x, y); }
  Value subtract(Value x, Value y) {
    return arith::SubIOp::create(b, loc, x, y);
  }
  Value isLess(Value x, Value y) {
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, y);
  }
  Value conjunction(Value x, Value y) {
    return arith::AndIOp::create(b, loc, x, y);
  }
  Value disjunction(Value x, Value y) {
    return arith::OrIOp::create(b, loc, x, y);
  }
  SmallVector<Value> at(Value position) {
    SmallVector<Value> indices(row);
    indices[op.getDimension()] = position;
    return indices;
  }
  Value load(Value heap, Value position) {
    return tensor::ExtractOp::create(b, loc, heap, at(position));
  }
  Value store(Value heap, Value position, Value entry) {
    return tensor::InsertOp::create(b, loc, entry, heap, at(position));
  }
  Value wide(int64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value));
  }
  bool hasKeys() {
    return getElementTypeOrSelf(op.getSource().getType())
               .getIntOrFloatBitWidth() <= 32;
  }
  /// The element as an integer, larger for what stands before.
  Value ordered(Value element);
  Value entryOf(Value index);
  /// The index, of i64, of an entry.
  Value indexOf(Value entry);
  /// Whether the element of entry `x` stands before that of `y`.
  Value isBetter(Value x, Value y);
  Value isBetterElement(Value x, Value y, Value &isSame);
  /// Restores the heap of positions below `end` whose entry at `start` may be
  /// better than those below it.
  Value siftDown(Value heap, Value start, Value end);
  Value loop(Value from, Value to, Value heap,
             function_ref<Value(Value index, Value heap)> body);
  /// Emits what `body` emits inside of a region.
  template <typename Body> auto inside(OpBuilder &nested, Body body) {
    OpBuilder::InsertionGuard guard(b);
    b.restoreInsertionPoint(nested.saveInsertionPoint());
    auto result = body();
    nested.restoreInsertionPoint(b.saveInsertionPoint());
    return result;
  }

  OpBuilder b;
  Location loc;
  TopIndicesOp op;
  ArrayRef<Value> row;
};

} // namespace

Value RowHeap::isBetterElement(Value x, Value y, Value &isSame) {
  bool isMax = op.getKind() == Extremum::Max;
  if (!isa<FloatType>(x.getType())) {
    using P = arith::CmpIPredicate;
    bool isUnsigned = op.getIsUnsigned() || x.getType().isInteger(1);
    P predicate = isUnsigned ? (isMax ? P::ugt : P::ult)
                             : (isMax ? P::sgt : P::slt);
    isSame = arith::CmpIOp::create(b, loc, P::eq, x, y);
    return arith::CmpIOp::create(b, loc, predicate, x, y);
  }
  using P = arith::CmpFPredicate;
  Value xIsNan = arith::CmpFOp::create(b, loc, P::UNO, x, x);
  Value yIsNan = arith::CmpFOp::create(b, loc, P::UNO, y, y);
  Value yIsNumber = arith::CmpFOp::create(b, loc, P::ORD, y, y);
  isSame = disjunction(arith::CmpFOp::create(b, loc, P::OEQ, x, y),
                       conjunction(xIsNan, yIsNan));
  Value beats =
      arith::CmpFOp::create(b, loc, isMax ? P::OGT : P::OLT, x, y);
  return disjunction(beats, conjunction(xIsNan, yIsNumber));
}

Value RowHeap::ordered(Value element) {
  bool isMax = op.getKind() == Extremum::Max;
  Type i64 = b.getI64Type();
  if (!isa<FloatType>(element.getType())) {
    bool isUnsigned = op.getIsUnsigned() || element.getType().isInteger(1);
    Value number =
        isUnsigned ? arith::SubIOp::create(
                         b, loc, arith::ExtUIOp::create(b, loc, i64, element),
                         wide(int64_t(1) << 31))
                         .getResult()
                   : arith::ExtSIOp::create(b, loc, i64, element).getResult();
    return isMax ? number : arith::XOrIOp::create(b, loc, number, wide(-1));
  }
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
  };
  if (element.getType() != f32)
    element = arith::ExtFOp::create(b, loc, f32, element);
  if (!isMax)
    element = arith::NegFOp::create(b, loc, element);
  Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(f32));
  // Both zeros are the same.
  Value bits = arith::BitcastOp::create(
      b, loc, i32, arith::AddFOp::create(b, loc, element, zero));
  // Below zero, magnitudes count from behind.
  Value sign = arith::ShRSIOp::create(b, loc, bits, constant(31));
  Value flipped = arith::XOrIOp::create(
      b, loc, bits,
      arith::AndIOp::create(b, loc, sign, constant(0x7fffffff)));
  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO,
                                      element, element);
  Value number = arith::SelectOp::create(b, loc, isNaN, constant(0x7fffffff),
                                         flipped);
  return arith::ExtSIOp::create(b, loc, i64, number);
}

Value RowHeap::entryOf(Value index) {
  Value number = arith::IndexCastOp::create(b, loc, b.getI64Type(), index);
  if (!hasKeys())
    return number;
  Value element =
      tensor::ExtractOp::create(b, loc, op.getSource(), at(index));
  Value high =
      arith::ShLIOp::create(b, loc, ordered(element), wide(32));
  return arith::OrIOp::create(
      b, loc, high, arith::SubIOp::create(b, loc, wide(0xffffffff), number));
}

Value RowHeap::indexOf(Value entry) {
  if (!hasKeys())
    return entry;
  Value low = arith::AndIOp::create(b, loc, entry, wide(0xffffffff));
  return arith::SubIOp::create(b, loc, wide(0xffffffff), low);
}

Value RowHeap::isBetter(Value x, Value y) {
  if (hasKeys())
    return isLess(y, x);
  auto element = [&](Value entry) -> Value {
    Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), entry);
    return tensor::ExtractOp::create(b, loc, op.getSource(), at(index));
  };
  Value isSame;
  Value better = isBetterElement(element(x), element(y), isSame);
  return disjunction(better, conjunction(isSame, isLess(x, y)));
}

Value RowHeap::loop(Value from, Value to, Value heap,
                    function_ref<Value(Value, Value)> body) {
  return scf::ForOp::create(
             b, loc, from, to, constant(1), heap,
             [&](OpBuilder &nested, Location, Value index, ValueRange carried) {
               Value next = inside(
                   nested, [&] { return body(index, carried.front()); });
               scf::YieldOp::create(nested, loc, next);
             })
      .getResult(0);
}

Value RowHeap::siftDown(Value heap, Value start, Value end) {
  auto firstChild = [&](Value position) {
    return add(add(position, position), constant(1));
  };
  SmallVector<Value> init = {start, firstChild(start), heap};
  SmallVector<Type> types = llvm::to_vector_of<Type>(ValueRange(init).getTypes());
  auto loopOp = scf::WhileOp::create(
      b, loc, types, init,
      [&](OpBuilder &nested, Location, ValueRange carried) {
        Value goesOn =
            inside(nested, [&] { return isLess(carried[1], end); });
        scf::ConditionOp::create(nested, loc, goesOn, carried);
      },
      [&](OpBuilder &nested, Location, ValueRange carried) {
        Value parent = carried[0], left = carried[1], heap = carried[2];
        SmallVector<Value> next = inside(nested, [&] {
          // The worse child; the left one where there is no right one.
          Value right = add(left, constant(1));
          Value hasRight = isLess(right, end);
          Value readable = arith::SelectOp::create(b, loc, hasRight, right, left);
          Value rightIsWorse = conjunction(
              hasRight, isBetter(load(heap, left), load(heap, readable)));
          Value child =
              arith::SelectOp::create(b, loc, rightIsWorse, readable, left);
          Value upper = load(heap, parent), lower = load(heap, child);
          Value swaps = isBetter(upper, lower);
          Value swapped = createCarriedIf(
              b, loc, swaps, heap, [&](OpBuilder &nested, Location) {
                return inside(nested, [&] {
                  return store(store(heap, parent, lower), child, upper);
                });
              });
          Value below = arith::SelectOp::create(b, loc, swaps,
                                                firstChild(child), end);
          return SmallVector<Value>{child, below, swapped};
        });
        scf::YieldOp::create(nested, loc, next);
      });
  return loopOp.getResult(2);
}

Value RowHeap::sortBest(Value heap, Value count, Value size) {
  Value zero = constant(0), one = constant(1);
  Value most = arith::MinSIOp::create(b, loc, count, size);
  heap = loop(zero, most, heap, [&](Value i, Value heap) {
    return store(heap, i, entryOf(i));
  });
  Value half = arith::DivUIOp::create(b, loc, most, constant(2));
  heap = loop(zero, half, heap, [&](Value i, Value heap) {
    return siftDown(heap, subtract(subtract(half, one), i), most);
  });
  Value any = isLess(zero, most);
  Value others = arith::SelectOp::create(b, loc, any, size, most);
  heap = loop(most, others, heap, [&](Value i, Value heap) {
    Value entry = entryOf(i);
    Value better = isBetter(entry, load(heap, zero));
    return createCarriedIf(b, loc, better, heap,
                           [&](OpBuilder &nested, Location) {
                             return inside(nested, [&] {
                               return siftDown(store(heap, zero, entry), zero,
                                               most);
                             });
                           });
  });
  // The worst goes to the end, over and over.
  heap = loop(one, most, heap, [&](Value i, Value heap) {
    Value end = subtract(most, i);
    Value worst = load(heap, zero), last = load(heap, end);
    heap = store(store(heap, zero, last), end, worst);
    return siftDown(heap, zero, end);
  });
  heap = loop(zero, most, heap, [&](Value i, Value heap) {
    return store(heap, i, indexOf(load(heap, i)));
  });
  // Entries without an element are 0.
  return loop(most, count, heap, [&](Value i, Value heap) {
    return store(heap, i, wide(0));
  });
}

namespace {

/// graph.top_indices  ==>  for each row a heap in the result, then sorted there
struct TopIndicesToLoops : OpRewritePattern<TopIndicesOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(TopIndicesOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    int64_t dimension = op.getDimension();
    Value count = createSize(rewriter, loc, *destination, dimension);
    Value size = createSize(rewriter, loc, op.getSource(), dimension);
    Value result = createCarriedLoops(
        rewriter, loc,
        createRowSizes(rewriter, loc, op.getSource(), dimension), *destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> row, Value heap) {
          return RowHeap(nested, loc, op, row).sortBest(heap, count, size);
        });
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// graph.cumulative  ==>  for each row a loop that carries what it has joined, floats
/// in f64
struct CumulativeToLoops : OpRewritePattern<CumulativeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CumulativeOp op,
                                PatternRewriter &rewriter) const override {
    FailureOr<Value> destination = createDestination(rewriter, op);
    if (failed(destination))
      return rewriter.notifyMatchFailure(op, "expects reifiable sizes");
    Location loc = op.getLoc();
    int64_t dimension = op.getDimension();
    Value size = createSize(rewriter, loc, op.getSource(), dimension);
    Value result = createCarriedLoops(
        rewriter, loc,
        createRowSizes(rewriter, loc, op.getSource(), dimension), *destination,
        [&](OpBuilder &nested, Location loc, ArrayRef<Value> row,
            Value carried) {
          return createRow(nested, loc, op, row, size, carried);
        });
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  static Value createRow(OpBuilder &builder, Location loc, CumulativeOp op,
                         ArrayRef<Value> row, Value size, Value carried) {
    Type type = cast<RankedTensorType>(op.getType()).getElementType();
    bool isSum = op.getCombination() == Combination::Add;
    Type wide = isa<FloatType>(type) ? builder.getF64Type() : type;
    TypedAttr neutral = isSum ? builder.getZeroAttr(wide)
                              : builder.getOneAttr(wide);
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value last = arith::SubIOp::create(builder, loc, size, one);
    Value nothing = arith::ConstantOp::create(builder, loc, neutral);
    auto body = [&](OpBuilder &nested, Location loc, Value i,
                    ValueRange state) {
      SmallVector<Value> at(row);
      at[op.getDimension()] =
          op.getReverse()
              ? arith::SubIOp::create(nested, loc, last, i).getResult()
              : i;
      Value element = tensor::ExtractOp::create(nested, loc, op.getSource(), at);
      if (type != wide)
        element = arith::ExtFOp::create(nested, loc, wide, element);
      Value joined = join(nested, loc, isSum, state[0], element);
      Value stored = op.getExclusive() ? state[0] : joined;
      if (type != wide)
        stored = arith::TruncFOp::create(nested, loc, type, stored);
      Value next =
          tensor::InsertOp::create(nested, loc, stored, state[1], at);
      scf::YieldOp::create(nested, loc, ValueRange{joined, next});
    };
    return scf::ForOp::create(builder, loc, zero, size, one,
                              ValueRange{nothing, carried}, body)
        .getResult(1);
  }

  static Value join(OpBuilder &builder, Location loc, bool isSum, Value a,
                    Value b) {
    if (isa<FloatType>(a.getType()))
      return isSum ? arith::AddFOp::create(builder, loc, a, b).getResult()
                   : arith::MulFOp::create(builder, loc, a, b).getResult();
    return isSum ? arith::AddIOp::create(builder, loc, a, b).getResult()
                 : arith::MulIOp::create(builder, loc, a, b).getResult();
  }
};

} // namespace

void graph::populateOrderToLoops(RewritePatternSet &patterns) {
  patterns.add<TopIndicesToLoops, CumulativeToLoops>(patterns.getContext());
}
