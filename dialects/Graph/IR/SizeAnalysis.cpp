// Normalised expressions of sizes; see the header.
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeTerms.h"
#include "dialects/Graph/IR/WindowSizes.h"
#include "dialects/Interfaces/DimensionSource.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera::graph;

AffineExpr SizeAnalysis::symbolFor(FlatSymbolRefAttr name, Operation *user) {
  auto [it, isNew] = namedSymbols.try_emplace(name, symbolList.size());
  if (isNew) {
    Symbol symbol{name, {}, -1, {0, {}}};
    if (auto declared =
            SymbolTable::lookupNearestSymbolFrom<SymbolOp>(user, name)) {
      symbol.bounds.least = declared.getMin();
      if (static_cast<int64_t>(declared.getMax()) != INT64_MAX)
        symbol.bounds.most = declared.getMax();
    }
    unsigned position = symbolList.size();
    symbolList.push_back(symbol);
    readAssertions(user);
    return resolve(getAffineSymbolExpr(position, context));
  }
  return resolve(getAffineSymbolExpr(it->second, context));
}

AffineExpr SizeAnalysis::opaque(Value value, int64_t dimension) {
  Symbol symbol{{}, value, dimension, {}};
  if (dimension >= 0)
    symbol.bounds.least = 0;
  else
    symbol.isData = true;
  symbol.isPlain = !symbol.isData;
  symbolList.push_back(symbol);
  return getAffineSymbolExpr(symbolList.size() - 1, context);
}

/// Quotients of quotients become one, for any whole number n:
///
///   (x floordiv 5 + n) floordiv 2   ==>   (x + 5 * n) floordiv 10
static AffineExpr mergeQuotients(AffineExpr expression) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!binary)
    return expression;
  AffineExprKind kind = expression.getKind();
  AffineExpr lhs = mergeQuotients(binary.getLHS()),
             rhs = mergeQuotients(binary.getRHS());
  auto isPositive = [](AffineExpr divisor) {
    auto constant = dyn_cast<AffineConstantExpr>(divisor);
    return constant && constant.getValue() > 0;
  };
  bool divides =
      kind == AffineExprKind::FloorDiv || kind == AffineExprKind::CeilDiv;
  if (divides && isPositive(rhs)) {
    SmallVector<AffineExpr> terms;
    appendTerms(lhs, terms);
    for (AffineExpr &term : terms) {
      auto inner = dyn_cast<AffineBinaryOpExpr>(term);
      if (!inner || term.getKind() != kind || !isPositive(inner.getRHS()))
        continue;
      AffineExpr sum = inner.getLHS();
      for (AffineExpr &other : terms)
        if (&other != &term)
          sum = sum + other * inner.getRHS();
      return mergeQuotients(
          getAffineBinaryOpExpr(kind, sum, inner.getRHS() * rhs));
    }
  }
  return getAffineBinaryOpExpr(kind, lhs, rhs);
}

/// Nodes of an expression above which it is a symbol of its own: sizes that are
/// made of one another would double with each step, and so would the time to
/// compare them.
static constexpr int64_t kLargestExpression = 128;

static int64_t countNodes(AffineExpr expression) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  return binary ? 1 + countNodes(binary.getLHS()) + countNodes(binary.getRHS())
                : 1;
}

bool SizeAnalysis::isSmall(AffineExpr expression) {
  return countNodes(expression) <= kLargestExpression;
}

AffineExpr SizeAnalysis::orWhole(AffineExpr expression) {
  return isSmall(expression) ? expression
                             : composite(Symbol::Kind::Whole, {expression});
}

AffineExpr SizeAnalysis::normalise(AffineExpr expression) {
  AffineExpr simple = simplifyAffineExpr(expression, 0, symbolList.size());
  AffineExpr merged = mergeQuotients(simple);
  return merged == simple
             ? simple
             : simplifyAffineExpr(merged, 0, symbolList.size());
}

AffineExpr SizeAnalysis::simplify(AffineExpr expression) {
  if (AffineExpr known = derived.simplified.lookup(expression))
    return known;
  AffineExpr simple = orWhole(resolve(normalise(expression)));
  derived.simplified[expression] = simple;
  return simple;
}

bool SizeAnalysis::areEqual(AffineExpr a, AffineExpr b) {
  if (a == b || simplify(a) == simplify(b))
    return true;
  auto difference = dyn_cast<AffineConstantExpr>(simplify(a - b));
  return difference && difference.getValue() == 0;
}

AffineExpr SizeAnalysis::sizeOf(Value value) {
  auto it = known.find({value, -1});
  if (it != known.end())
    return resolve(it->second);
  AffineExpr expression = simplify(computeSize(value));
  known[{value, -1}] = expression;
  return expression;
}

AffineExpr SizeAnalysis::sizeOf(OpFoldResult size) {
  if (auto value = dyn_cast<Value>(size))
    return sizeOf(value);
  return getAffineConstantExpr(
      cast<IntegerAttr>(cast<Attribute>(size)).getInt(), context);
}

AffineExpr SizeAnalysis::dimOf(Value tensor, int64_t dimension) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(dimension))
    return getAffineConstantExpr(type.getDimSize(dimension), context);
  auto it = known.find({tensor, dimension});
  if (it != known.end())
    return resolve(it->second);
  AffineExpr expression = simplify(computeDim(tensor, dimension));
  known[{tensor, dimension}] = expression;
  return expression;
}

SmallVector<AffineExpr> SizeAnalysis::dimsOf(Value tensor) {
  SmallVector<AffineExpr> dims;
  for (int64_t i = 0, e = cast<RankedTensorType>(tensor.getType()).getRank();
       i < e; ++i)
    dims.push_back(dimOf(tensor, i));
  return dims;
}

bool SizeAnalysis::haveSameSizes(Value a, Value b) {
  SmallVector<AffineExpr> dimsA = dimsOf(a), dimsB = dimsOf(b);
  if (dimsA.size() != dimsB.size())
    return false;
  for (auto [x, y] : llvm::zip(dimsA, dimsB))
    if (!areEqual(x, y))
      return false;
  return true;
}

AffineExpr SizeAnalysis::elementCountOf(Value tensor) {
  AffineExpr count = getAffineConstantExpr(1, context);
  for (AffineExpr dim : dimsOf(tensor))
    count = count * dim;
  return simplify(count);
}

//===----------------------------------------------------------------------===//
// Tensor dimensions
//===----------------------------------------------------------------------===//

AffineExpr SizeAnalysis::argumentDim(BlockArgument argument,
                                     int64_t dimension) {
  // What a loop carries keeps its sizes (RegionTensors.h), so it has those that it
  // begins with.
  if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()))
    if (OpOperand *init = loop.getTiedLoopInit(argument))
      return dimOf(init->get(), dimension);
  auto function =
      dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp());
  if (!function || !argument.getOwner()->isEntryBlock())
    return opaque(argument, dimension);
  // An argument of a kernel: `shapes` over its trailing index arguments.
  if (auto shapes = function->getAttrOfType<ArrayAttr>("shapes"))
    if (argument.getArgNumber() < shapes.size()) {
      auto map = cast<AffineMapAttr>(shapes[argument.getArgNumber()]).getValue();
      SmallVector<AffineExpr> symbols;
      for (unsigned i = 0; i < map.getNumSymbols(); ++i)
        symbols.push_back(sizeOf(function.getArgument(shapes.size() + i)));
      return map.getResult(dimension).replaceSymbols(symbols);
    }
  auto dims = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                   kDimsAttr);
  if (dims && dimension < static_cast<int64_t>(dims.size()))
    if (auto name = dyn_cast<FlatSymbolRefAttr>(dims[dimension]))
      return symbolFor(name, function);
  return opaque(argument, dimension);
}

AffineExpr SizeAnalysis::computeDim(Value tensor, int64_t dimension) {
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return argumentDim(argument, dimension);
  Operation *op = tensor.getDefiningOp();
  unsigned resultNumber = cast<OpResult>(tensor).getResultNumber();
  auto among = [&](ArrayRef<int64_t> shape, ValueRange sizes) {
    int64_t dynamic = 0;
    for (int64_t i = 0; i < dimension; ++i)
      dynamic += ShapedType::isDynamic(shape[i]);
    return sizeOf(sizes[dynamic]);
  };
  ArrayRef<int64_t> shape = cast<RankedTensorType>(tensor.getType()).getShape();
  return TypeSwitch<Operation *, AffineExpr>(op)
      .Case([&](tessera::DimensionSourceOpInterface op) {
        return op.getDimension(
            resultNumber, dimension,
            [&](Value source, int64_t from) { return dimOf(source, from); });
      })
      .Case([&](DestinationStyleOpInterface dps) {
        return dimOf(dps.getDpsInits()[resultNumber], dimension);
      })
      .Case<BroadcastToOp, ReshapeOp, IotaOp, GatherPointsOp, TopIndicesOp>(
          [&](auto sized) { return among(shape, sized.getSizes()); })
      .Case([&](GatherOp gather) {
        int64_t axis = gather.getAxis();
        int64_t added =
            cast<RankedTensorType>(gather.getIndices().getType()).getRank();
        if (dimension < axis)
          return dimOf(gather.getData(), dimension);
        if (dimension < axis + added)
          return dimOf(gather.getIndices(), dimension - axis);
        return dimOf(gather.getData(), dimension - added + 1);
      })
      .Case<ReverseOp, CumulativeOp>(
          [&](auto same) { return dimOf(same.getSource(), dimension); })
      .Case([&](ScatterPointsOp scatter) {
        return dimOf(scatter.getData(), dimension);
      })
      .Case([&](scf::ForOp loop) {
        return dimOf(loop.getInitArgs()[resultNumber], dimension);
      })
      .Case([&](scf::IfOp branch) {
        AffineExpr then = dimOf(branch.thenYield()->getOperand(resultNumber),
                                dimension);
        AffineExpr otherwise = dimOf(
            branch.elseYield()->getOperand(resultNumber), dimension);
        return areEqual(then, otherwise) ? then : opaque(tensor, dimension);
      })
      .Case([&](ArgReduceOp reduce) {
        int64_t removed = reduce.getDimension();
        return dimOf(reduce.getSource(), dimension + (dimension >= removed));
      })
      .Case([&](ConvOp conv) {
        if (dimension == 0)
          return dimOf(conv.getInput(), 0);
        int64_t i = dimension - 1;
        int64_t kernel =
            cast<RankedTensorType>(conv.getFilter().getType()).getDimSize(i);
        if (ShapedType::isDynamic(kernel))
          return opaque(tensor, dimension);
        return windowOutputSize(
            dimOf(conv.getInput(), dimension),
            {kernel, conv.getStrides()[i], conv.getDilations()[i],
             conv.getPadLow()[i], conv.getPadHigh()[i], /*ceilMode=*/false});
      })
      .Case([&](PoolOp pool) {
        int64_t i = dimension - 1;
        if (dimension == 0 || i >= static_cast<int64_t>(pool.getKernel().size()))
          return dimOf(pool.getInput(), dimension);
        return windowOutputSize(
            dimOf(pool.getInput(), dimension),
            {pool.getKernel()[i], pool.getStrides()[i], pool.getDilations()[i],
             pool.getPadLow()[i], pool.getPadHigh()[i], pool.getCeilMode()});
      })
      .Case([&](tensor::EmptyOp empty) {
        return among(shape, empty.getDynamicSizes());
      })
      .Case([&](tensor::CastOp cast) { return dimOf(cast.getSource(), dimension); })
      .Case([&](tensor::ExtractSliceOp slice) {
        llvm::SmallBitVector dropped = slice.getDroppedDims();
        int64_t kept = -1;
        for (auto [i, size] : llvm::enumerate(slice.getMixedSizes()))
          if (!dropped.test(i) && ++kept == dimension)
            return sizeOf(size);
        return opaque(tensor, dimension);
      })
      .Case([&](tensor::InsertSliceOp insert) {
        return dimOf(insert.getDest(), dimension);
      })
      .Case([&](tensor::ExpandShapeOp expand) {
        return sizeOf(expand.getMixedOutputShape()[dimension]);
      })
      .Case([&](tensor::CollapseShapeOp collapse) {
        AffineExpr product = getAffineConstantExpr(1, context);
        ReassociationIndices sources =
            collapse.getReassociationIndices()[dimension];
        for (int64_t source : sources)
          product = product * dimOf(collapse.getSrc(), source);
        return product;
      })
      .Case([&](tensor::ConcatOp concat) {
        AffineExpr size = dimOf(concat.getInputs().front(), dimension);
        if (dimension == static_cast<int64_t>(concat.getDim()))
          for (Value input : concat.getInputs().drop_front())
            size = size + dimOf(input, dimension);
        return size;
      })
      .Case([&](tensor::PadOp pad) {
        return dimOf(pad.getSource(), dimension) +
               sizeOf(pad.getMixedLowPad()[dimension]) +
               sizeOf(pad.getMixedHighPad()[dimension]);
      })
      .Default([&](Operation *op) {
        if (OpTrait::hasElementwiseMappableTraits(op))
          for (Value operand : op->getOperands())
            if (isa<RankedTensorType>(operand.getType()))
              return dimOf(operand, dimension);
        return opaque(tensor, dimension);
      });
}
