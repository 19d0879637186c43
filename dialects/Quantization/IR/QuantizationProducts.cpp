// Verifiers and result sizes of products.
#include "dialects/Quantization/IR/Verification.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

/// Q7: one bias for each index of the result's last dimension.
static LogicalResult verifyBias(Operation *op, Value bias, Value result) {
  if (!bias)
    return success();
  RankedTensorType type = tensorType(result);
  if (type.getRank() == 0)
    return op->emitOpError("Q7: expects no bias of a single sum");
  if (failed(verifyElements(op, "Q7", "a bias", bias,
                            IntegerType::get(op->getContext(), 32))))
    return failure();
  return verifyShape(op, "Q7", "a bias", bias, type.getShape().back());
}

static LogicalResult verifySums(Operation *op, Value result) {
  return verifyElements(op, "Q8", "a result", result,
                        IntegerType::get(op->getContext(), 32));
}

//===----------------------------------------------------------------------===//
// matmul
//===----------------------------------------------------------------------===//

static SmallVector<int64_t> dimsOf(MatmulOp op, unsigned index, bool isSummed) {
  AffineMap result = op.getMap(2), operand = op.getMap(index);
  SmallVector<int64_t> dims;
  for (auto [i, loop] : llvm::enumerate(operand.getResults()))
    if (result.getResultPosition(loop).has_value() != isSummed)
      dims.push_back(i);
  return dims;
}

SmallVector<int64_t> MatmulOp::getSummedDims(unsigned index) {
  return dimsOf(*this, index, /*isSummed=*/true);
}

SmallVector<int64_t> MatmulOp::getKeptDims(unsigned index) {
  return dimsOf(*this, index, /*isSummed=*/false);
}

/// Q13.
static LogicalResult verifyMaps(MatmulOp op) {
  if (op.getMaps().size() != 3)
    return op.emitOpError("Q13: expects three maps, but got ")
           << op.getMaps().size();
  unsigned loops = op.getMap(2).getNumDims();
  SmallVector<int64_t> sizes(loops, ShapedType::kDynamic);
  Value tensors[] = {op.getA(), op.getB(), op.getResult()};
  for (auto [i, tensor] : llvm::enumerate(tensors)) {
    AffineMap map = op.getMap(i);
    RankedTensorType type = tensorType(tensor);
    if (map.getNumDims() != loops || map.getNumSymbols() != 0 ||
        !map.isProjectedPermutation() || map.getNumResults() != type.getRank())
      return op.emitOpError("Q13: expects map ")
             << i << " to be a projection of " << loops << " loops to "
             << type.getRank() << " dimensions, but got " << AffineMapAttr::get(map);
    for (auto [expr, size] : llvm::zip(map.getResults(), type.getShape())) {
      int64_t &known = sizes[cast<AffineDimExpr>(expr).getPosition()];
      if (!mayAgree(known, size))
        return op.emitOpError("Q13: expects sizes of one loop to agree, but got ")
               << known << " and " << size;
      if (ShapedType::isDynamic(known))
        known = size;
    }
  }
  for (AffineExpr loop : op.getMap(2).getResults())
    if (!op.getMap(0).getResultPosition(loop) &&
        !op.getMap(1).getResultPosition(loop))
      return op.emitOpError("Q13: expects each dimension of the result to be one "
                            "of an operand");
  return success();
}

/// Q7.
static LogicalResult verifyMatmulZero(MatmulOp op, unsigned index, Value zero) {
  if (!zero || tensorType(zero).getRank() == 0)
    return success();
  SmallVector<int64_t> shape;
  RankedTensorType type = tensorType(index == 0 ? op.getA() : op.getB());
  for (int64_t dim : op.getKeptDims(index))
    shape.push_back(type.getDimSize(dim));
  return verifyShape(op, "Q7", "a zero point", zero, shape);
}

LogicalResult MatmulOp::verify() {
  if (failed(verifyByteFormat(*this, "a", getAFormat())) ||
      failed(verifyByteFormat(*this, "b", getBFormat())) ||
      failed(verifySums(*this, getResult())) ||
      failed(verifyStorage(*this, "Q1", "a", getA(), getAFormat())) ||
      failed(verifyStorage(*this, "Q1", "b", getB(), getBFormat())) ||
      failed(verifyStorage(*this, "Q1", "a zero point", getAZero(),
                           getAFormat())) ||
      failed(verifyStorage(*this, "Q1", "a zero point", getBZero(),
                           getBFormat())) ||
      failed(verifyMaps(*this)) ||
      failed(verifyMatmulZero(*this, 0, getAZero())) ||
      failed(verifyMatmulZero(*this, 1, getBZero())))
    return failure();
  return verifyBias(*this, getBias(), getResult());
}

std::pair<Value, int64_t> MatmulOp::getDimensionSource(unsigned,
                                                       int64_t dimension) {
  AffineExpr loop = getMap(2).getResult(dimension);
  if (std::optional<unsigned> position = getMap(0).getResultPosition(loop))
    return {getA(), *position};
  return {getB(), *getMap(1).getResultPosition(loop)};
}

//===----------------------------------------------------------------------===//
// conv
//===----------------------------------------------------------------------===//

/// How many windows move over `size` elements of spatial dimension `i`.
static AffineExpr windowCount(ConvOp op, int64_t i, AffineExpr size) {
  int64_t taps = tensorType(op.getFilter()).getDimSize(i);
  int64_t reach = op.getDilations()[i] * (taps - 1) + 1;
  return (size + (op.getPadLow()[i] + op.getPadHigh()[i] - reach))
             .floorDiv(op.getStrides()[i]) +
         1;
}

/// Q14.
static LogicalResult verifyWindows(ConvOp op) {
  RankedTensorType input = tensorType(op.getInput()),
                   filter = tensorType(op.getFilter()),
                   result = tensorType(op.getResult());
  int64_t rank = input.getRank();
  if (rank < 3 || filter.getRank() != rank || result.getRank() != rank)
    return op.emitOpError("Q14: expects operands and result of one rank, at "
                          "least 3, but got ")
           << rank << ", " << filter.getRank() << " and " << result.getRank();
  auto areAtLeast = [&](ArrayRef<int64_t> values, int64_t least) {
    return static_cast<int64_t>(values.size()) == rank - 2 &&
           llvm::all_of(values, [=](int64_t value) { return value >= least; });
  };
  if (!areAtLeast(op.getStrides(), 1) || !areAtLeast(op.getDilations(), 1) ||
      !areAtLeast(op.getPadLow(), 0) || !areAtLeast(op.getPadHigh(), 0) ||
      !filter.hasStaticShape())
    return op.emitOpError("Q14: expects a filter of known size, and for each of ")
           << rank - 2
           << " spatial dimensions positive strides and dilations and pads of at "
              "least 0";
  int64_t groups = op.getGroups(), channels = input.getShape().back(),
          outputs = filter.getShape().back();
  if (groups < 1 || ShapedType::isDynamic(channels) || channels % groups ||
      outputs % groups || filter.getDimSize(rank - 2) != channels / groups ||
      result.getShape().back() != outputs)
    return op.emitOpError("Q14: expects channels divisible by ")
           << groups << " groups and a filter for them, but got " << input
           << " and " << filter;
  for (int64_t i = 0; i < rank - 2; ++i) {
    int64_t size = input.getDimSize(i + 1), got = result.getDimSize(i + 1);
    if (ShapedType::isDynamic(size))
      continue;
    auto expected = dyn_cast<AffineConstantExpr>(
        windowCount(op, i, getAffineConstantExpr(size, op.getContext())));
    if (expected && !mayAgree(std::max<int64_t>(expected.getValue(), 0), got))
      return op.emitOpError("Q14: expects size ")
             << expected.getValue() << " in dimension " << i + 1 << ", but got "
             << got;
  }
  return success();
}

LogicalResult ConvOp::verify() {
  if (failed(verifyByteFormat(*this, "an input", getInputFormat())) ||
      failed(verifyByteFormat(*this, "a filter", getFilterFormat())) ||
      failed(verifySums(*this, getResult())) ||
      failed(verifyStorage(*this, "Q1", "an input", getInput(),
                           getInputFormat())) ||
      failed(verifyStorage(*this, "Q1", "a filter", getFilter(),
                           getFilterFormat())) ||
      failed(verifyStorage(*this, "Q1", "a zero point", getInputZero(),
                           getInputFormat())) ||
      failed(verifyStorage(*this, "Q1", "a zero point", getFilterZero(),
                           getFilterFormat())) ||
      failed(verifyWindows(*this)))
    return failure();
  if (getInputZero() &&
      failed(verifyShape(*this, "Q7", "the input's zero point", getInputZero(),
                         {})))
    return failure();
  if (getFilterZero() && tensorType(getFilterZero()).getRank() > 0 &&
      failed(verifyShape(*this, "Q7", "the filter's zero point",
                         getFilterZero(),
                         tensorType(getFilter()).getShape().back())))
    return failure();
  return verifyBias(*this, getBias(), getResult());
}

std::pair<Value, int64_t> ConvOp::getDimensionSource(unsigned,
                                                     int64_t dimension) {
  bool isLast = dimension + 1 == tensorType(getFilter()).getRank();
  return {isLast ? getFilter() : getInput(), dimension};
}

AffineExpr
ConvOp::getDimension(unsigned result, int64_t dimension,
                     function_ref<AffineExpr(Value, int64_t)> dimOf) {
  auto [source, from] = getDimensionSource(result, dimension);
  AffineExpr size = dimOf(source, from);
  bool isSpatial = dimension > 0 && source == getInput();
  return isSpatial ? windowCount(*this, dimension - 1, size) : size;
}

//===----------------------------------------------------------------------===//
// block_matmul
//===----------------------------------------------------------------------===//

LogicalResult BlockMatmulOp::verify() {
  Type f32 = Float32Type::get(getContext());
  if (failed(verifyByteFormat(*this, "a", getAFormat())) ||
      failed(verifyByteFormat(*this, "b", getBFormat())) ||
      failed(verifyStorage(*this, "Q1", "a", getA(), getAFormat())) ||
      failed(verifyStorage(*this, "Q1", "b", getB(), getBFormat())) ||
      failed(verifyStorage(*this, "Q1", "a zero point", getBZero(),
                           getBFormat())) ||
      failed(verifyElements(*this, "Q2", "scales of a", getAScale(), f32)) ||
      failed(verifyElements(*this, "Q2", "scales of b", getBScale(), f32)) ||
      failed(verifyElements(*this, "Q2", "a result", getResult(), f32)))
    return failure();
  int64_t block = getBlock();
  if (block < 1)
    return emitOpError("Q4: expects a positive block, but got ") << block;
  RankedTensorType a = tensorType(getA()), b = tensorType(getB());
  if (a.getRank() != 2 || b.getRank() != 2)
    return emitOpError("Q9: expects two matrices, but got ") << a << " and " << b;
  int64_t rows = a.getDimSize(0), depth = b.getDimSize(0),
          columns = b.getDimSize(1);
  if (ShapedType::isDynamic(depth))
    return emitOpError("Q9: expects a known depth, but got ") << b;
  int64_t blocks = llvm::divideCeil(depth, block);
  if (failed(verifyShape(*this, "Q9", "a", getA(), {rows, depth})) ||
      failed(verifyShape(*this, "Q9", "scales of a", getAScale(),
                         {rows, blocks})) ||
      failed(verifyShape(*this, "Q9", "scales of b", getBScale(),
                         {blocks, columns})) ||
      (getBZero() && failed(verifyShape(*this, "Q9", "a zero point", getBZero(),
                                        {blocks, columns}))))
    return failure();
  return verifyShape(*this, "Q9", "a result", getResult(), {rows, columns});
}

std::pair<Value, int64_t> BlockMatmulOp::getDimensionSource(unsigned,
                                                            int64_t dimension) {
  return {dimension == 0 ? getA() : getB(), dimension};
}
