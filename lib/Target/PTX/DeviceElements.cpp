// Emission of a kernel body's elements by recursion from a value to what it is
// computed from.
#include "lib/Target/PTX/DeviceElements.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::ptx {

/// A dimension of a mapped source that is read at index 0 for every index.
static constexpr int64_t kBroadcast = -1;

SmallVector<Value> emitSizes(DeviceBuilder &b, kernel::FuncOp kernel,
                             int64_t tensor, ValueRange symbols) {
  SmallVector<Value> asIndex;
  for (Value symbol : symbols)
    asIndex.push_back(
        b.createOrFold<arith::IndexCastOp>(b.getIndexType(), symbol));
  SmallVector<Value> sizes;
  for (AffineExpr expression : kernel.getShape(tensor).getResults()) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expression)) {
      sizes.push_back(b.i64(constant.getValue()));
      continue;
    }
    Value size =
        affine::expandAffineExpr(b, b.getLoc(), expression, {}, asIndex);
    sizes.push_back(b.createOrFold<arith::IndexCastOp>(b.getI64Type(), size));
  }
  return sizes;
}

/// Row-major offset of `indices` in elements, i64.
static Value linearize(DeviceBuilder &b, ArrayRef<Value> sizes,
                       ValueRange indices) {
  Value offset;
  for (auto [size, index] : llvm::zip_equal(sizes, indices))
    offset = offset ? b.add(b.mul(offset, size), index) : index;
  return offset ? offset : b.i64(0);
}

static unsigned alignmentOf(VectorType type) {
  int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  return std::min<int64_t>(16, bytes & -bytes);
}

Value DeviceElements::load(const DeviceTensor &tensor, Type element,
                           ValueRange indices, int64_t lanes) {
  auto type = VectorType::get({lanes}, element);
  Value address = b.offset(tensor.pointer, linearize(b, tensor.sizes, indices),
                           element);
  return LLVM::LoadOp::create(b, type, address, alignmentOf(type));
}

void storeElements(DeviceBuilder &b, const DeviceTensor &tensor,
                   ValueRange indices, Value elements) {
  auto type = cast<VectorType>(elements.getType());
  Value address = b.offset(tensor.pointer, linearize(b, tensor.sizes, indices),
                           type.getElementType());
  LLVM::StoreOp::create(b, elements, address, alignmentOf(type));
}

void DeviceElements::bind(Value tensor, ValueRange indices, Value elements) {
  known.push_back({tensor, Indices(indices),
                   cast<VectorType>(elements.getType()).getNumElements(),
                   elements});
}

FailureOr<Value> DeviceElements::emit(Value tensor, ValueRange indices,
                                      int64_t lanes) {
  for (const Known &entry : known)
    if (entry.tensor == tensor && entry.lanes == lanes &&
        llvm::equal(entry.indices, indices))
      return entry.elements;
  FailureOr<Value> elements = emitUncached(tensor, indices, lanes);
  if (succeeded(elements))
    known.push_back({tensor, Indices(indices), lanes, *elements});
  return elements;
}

/// For graph.broadcast_to: the result dimension that gives each source index,
/// or kBroadcast. Fails where neither "1" nor "equal" is proven.
static FailureOr<SmallVector<int64_t>>
broadcastDimensions(graph::BroadcastToOp op) {
  graph::SizeAnalysis sizes(op.getContext());
  auto source = cast<RankedTensorType>(op.getSource().getType());
  int64_t lead =
      cast<RankedTensorType>(op.getResult().getType()).getRank() -
      source.getRank();
  SmallVector<int64_t> dimensions;
  for (int64_t i = 0; i < source.getRank(); ++i) {
    if (source.getDimSize(i) != 1 &&
        !sizes.areEqual(sizes.dimOf(op.getSource(), i),
                        sizes.dimOf(op.getResult(), lead + i)))
      return op.emitOpError("expects dimension ")
             << i << " of the source to be proven 1 or the result's";
    dimensions.push_back(source.getDimSize(i) == 1 ? kBroadcast : lead + i);
  }
  return dimensions;
}

FailureOr<Value> DeviceElements::emitUncached(Value tensor, ValueRange indices,
                                              int64_t lanes) {
  Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
  auto vectorType = VectorType::get({lanes}, element);
  if (auto argument = arguments.find(tensor); argument != arguments.end())
    return load(argument->second, element, indices, lanes);

  Operation *op = tensor.getDefiningOp();
  if (!op)
    return emitError(tensor.getLoc(),
                     "argument is not given to the device kernel");
  Attribute splat;
  if (matchPattern(tensor, m_Constant(&splat))) {
    if (auto elements = dyn_cast<SplatElementsAttr>(splat))
      return arith::ConstantOp::create(b, elements.resizeSplat(vectorType))
          .getResult();
    return op->emitOpError("expects a constant of one value in a kernel that "
                           "is emitted element by element");
  }
  if (auto fill = dyn_cast<linalg::FillOp>(op)) {
    Attribute value;
    if (matchPattern(fill.value(), m_Constant(&value)))
      return arith::ConstantOp::create(
                 b, DenseElementsAttr::get(vectorType, value))
          .getResult();
  }
  if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op)) {
    auto dimensions = broadcastDimensions(broadcast);
    if (failed(dimensions))
      return failure();
    return emitMapped(broadcast.getSource(), *dimensions, indices, lanes);
  }
  if (auto broadcast = dyn_cast<linalg::BroadcastOp>(op)) {
    SmallVector<int64_t> dimensions;
    for (int64_t i = 0, rank = indices.size(); i < rank; ++i)
      if (!llvm::is_contained(broadcast.getDimensions(), i))
        dimensions.push_back(i);
    return emitMapped(broadcast.getInput(), dimensions, indices, lanes);
  }
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    // Dimension i of the result is dimension permutation[i] of the source.
    SmallVector<int64_t> dimensions(indices.size());
    for (auto [i, source] : llvm::enumerate(transpose.getPermutation()))
      dimensions[source] = i;
    return emitMapped(transpose.getInput(), dimensions, indices, lanes);
  }
  if (op->hasTrait<OpTrait::Elementwise>())
    return emitElementwise(op, indices, lanes);
  return op->emitOpError("has no form on the elements of a device kernel");
}

FailureOr<Value> DeviceElements::emitElementwise(Operation *op,
                                                 ValueRange indices,
                                                 int64_t lanes) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      return op->emitOpError("expects tensor operands in a kernel body");
    FailureOr<Value> elements = emit(operand, indices, lanes);
    if (failed(elements))
      return failure();
    operands.push_back(*elements);
  }
  Type element =
      cast<RankedTensorType>(op->getResult(0).getType()).getElementType();
  OperationState state(op->getLoc(), op->getName(), operands,
                       VectorType::get({lanes}, element), op->getAttrs());
  Operation *created = b.create(state);
  return created->getResult(0);
}

FailureOr<Value> DeviceElements::emitMapped(Value source,
                                            ArrayRef<int64_t> dimensions,
                                            ValueRange indices, int64_t lanes) {
  int64_t last = int64_t(indices.size()) - 1;
  auto at = [&](ValueRange of) {
    Indices mapped;
    for (int64_t dimension : dimensions)
      mapped.push_back(dimension == kBroadcast ? b.i64(0) : of[dimension]);
    return mapped;
  };
  // The lanes stay neighbours.
  if (!dimensions.empty() && dimensions.back() == last)
    return emit(source, at(indices), lanes);

  Type element = cast<RankedTensorType>(source.getType()).getElementType();
  auto vectorType = VectorType::get({lanes}, element);
  SmallVector<Value> elements;
  bool varies = llvm::is_contained(dimensions, last);
  for (int64_t lane = 0; lane < (varies ? lanes : 1); ++lane) {
    Indices shifted(indices);
    if (lane > 0)
      shifted[last] = b.add(shifted[last], lane);
    FailureOr<Value> one = emit(source, at(shifted), 1);
    if (failed(one))
      return failure();
    elements.push_back(vector::ExtractOp::create(b, *one, 0));
  }
  if (!varies)
    return vector::BroadcastOp::create(b, vectorType, elements.front())
        .getResult();
  return vector::FromElementsOp::create(b, vectorType, elements).getResult();
}

} // namespace tessera::ptx
