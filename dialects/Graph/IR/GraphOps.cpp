// Verifiers, folds and result sizes of the graph dialect's size, weight, shape
// and data movement operations.
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

/// `min 3`: a plain integer instead of `3 : i64`.
static ParseResult parseInteger(OpAsmParser &parser, IntegerAttr &attribute) {
  int64_t value;
  if (parser.parseInteger(value))
    return failure();
  attribute = parser.getBuilder().getI64IntegerAttr(value);
  return success();
}

static void printInteger(OpAsmPrinter &printer, Operation *,
                         IntegerAttr attribute) {
  printer << attribute.getInt();
}

#define GET_OP_CLASSES
#include "dialects/Graph/IR/GraphOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Sizes and weights
//===----------------------------------------------------------------------===//

LogicalResult SymbolOp::verify() {
  int64_t min = getMin(), typical = getTypical(), max = getMax();
  if (min < 0 || min > typical || typical > max)
    return emitOpError("C1: expects 0 <= min <= typical <= max, but got ")
           << min << ", " << typical << ", " << max;
  return success();
}

LogicalResult SizeOp::verifySymbolUses(SymbolTableCollection &tables) {
  if (!tables.lookupNearestSymbolFrom<SymbolOp>(*this, getSymbolAttr()))
    return emitOpError("C1: expects a graph.symbol, but got ")
           << getSymbolAttr();
  return success();
}

static bool isSliceOf(ArrayRef<int64_t> shape, SliceAttr slice) {
  ArrayRef<int64_t> offsets = slice.getOffsets(), sizes = slice.getSizes(),
                    strides = slice.getStrides();
  if (offsets.size() != shape.size() || sizes.size() != shape.size() ||
      strides.size() != shape.size())
    return false;
  for (auto [source, offset, size, stride] :
       llvm::zip(shape, offsets, sizes, strides))
    if (offset < 0 || size < 0 || stride < 1 ||
        (size > 0 && (offset >= source ||
                      (size - 1) > (source - 1 - offset) / stride)))
      return false;
  return true;
}

FailureOr<RankedTensorType> graph::applyRecipe(RankedTensorType source,
                                               ArrayAttr recipe,
                                               std::string &reason) {
  SmallVector<int64_t> shape(source.getShape());
  for (Attribute step : recipe) {
    if (auto transpose = dyn_cast<TransposeAttr>(step)) {
      ArrayRef<int64_t> permutation = transpose.getPermutation();
      if (permutation.size() != shape.size() ||
          !isPermutationVector(permutation)) {
        reason = "a transpose does not permute its source's dimensions";
        return failure();
      }
      shape = applyPermutation(shape, permutation);
    } else if (auto reverse = dyn_cast<ReverseAttr>(step)) {
      if (llvm::any_of(reverse.getDimensions(), [&](int64_t dimension) {
            return dimension < 0 ||
                   dimension >= static_cast<int64_t>(shape.size());
          })) {
        reason = "a reverse names a dimension that its source lacks";
        return failure();
      }
    } else if (auto slice = dyn_cast<SliceAttr>(step)) {
      if (!isSliceOf(shape, slice)) {
        reason = "a slice is not within its source";
        return failure();
      }
      shape.assign(slice.getSizes().begin(), slice.getSizes().end());
    } else if (auto reshape = dyn_cast<ReshapeAttr>(step)) {
      if (llvm::any_of(reshape.getShape(), [](int64_t d) { return d < 0; }) ||
          ShapedType::getNumElements(reshape.getShape()) !=
              ShapedType::getNumElements(shape)) {
        reason = "a reshape changes the number of elements";
        return failure();
      }
      shape.assign(reshape.getShape().begin(), reshape.getShape().end());
    } else if (auto pack = dyn_cast<PackAttr>(step)) {
      if (shape.size() < 2 || pack.getWidth() <= 0) {
        reason = "a pack needs two dimensions and a positive width";
        return failure();
      }
      int64_t rows = shape[shape.size() - 2], columns = shape.back();
      shape.pop_back_n(2);
      shape.append({llvm::divideCeilSigned(columns, pack.getWidth()), rows,
                    pack.getWidth()});
    } else if (auto scale = dyn_cast<ScaleAttr>(step)) {
      int64_t axis = scale.getAxis();
      ShapedType type = scale.getValues().getType();
      if (!source.getElementType().isF32() || !type.getElementType().isF32() ||
          axis < 0 || axis >= static_cast<int64_t>(shape.size()) ||
          type.getShape() != ArrayRef(shape[axis])) {
        reason = "a scale needs f32 elements and a value for each index of its "
                 "dimension";
        return failure();
      }
    } else {
      reason = "it has an unknown step";
      return failure();
    }
  }
  return RankedTensorType::get(shape, source.getElementType());
}

/// Whether `source` has the elements of `sourceType`; `type` is what `recipe`
/// makes of them.
static LogicalResult verifySteps(WeightsOp op, Attribute source,
                                 RankedTensorType sourceType, ArrayAttr recipe,
                                 RankedTensorType &type);

/// Whether the parts make `type`.
static LogicalResult verifyParts(WeightsOp op, ConcatAttr concat,
                                 RankedTensorType type) {
  int64_t size = 0;
  for (PartAttr part : concat.getParts()) {
    RankedTensorType made;
    if (failed(verifySteps(op, part.getSource(), part.getSourceType(),
                           part.getRecipe(), made)))
      return failure();
    if (made.getRank() == 0 || made.getRank() != type.getRank() ||
        made.getElementType() != type.getElementType() ||
        made.getShape().drop_front() != type.getShape().drop_front())
      return op.emitOpError("C2: expects parts of ")
             << type << ", but got " << made;
    size += made.getDimSize(0);
  }
  if (type.getRank() == 0 || size != type.getDimSize(0))
    return op.emitOpError("C2: expects parts of ")
           << type << ", but they have " << size << " together";
  return success();
}

static LogicalResult verifySteps(WeightsOp op, Attribute source,
                                 RankedTensorType sourceType, ArrayAttr recipe,
                                 RankedTensorType &type) {
  if (auto file = dyn_cast<FileAttr>(source)) {
    uint64_t bits = sourceType.getElementTypeBitWidth();
    uint64_t bytes =
        sourceType.getNumElements() * (bits == 1 ? 8 : bits) / 8;
    if (bytes != file.getBytes())
      return op.emitOpError("C2: expects ")
             << bytes << " bytes for " << sourceType << ", but got "
             << file.getBytes();
  } else if (auto elements = dyn_cast<ElementsAttr>(source)) {
    if (elements.getType() != sourceType)
      return op.emitOpError("C2: expects elements of ")
             << sourceType << ", but got " << elements.getType();
  } else if (auto concat = dyn_cast<ConcatAttr>(source)) {
    if (!recipe.empty())
      return op.emitOpError("C1: expects no recipe behind parts");
    if (failed(verifyParts(op, concat, sourceType)))
      return failure();
  } else {
    return op.emitOpError("C1: expects a file or elements as source");
  }
  std::string reason;
  FailureOr<RankedTensorType> made = applyRecipe(sourceType, recipe, reason);
  if (failed(made))
    return op.emitOpError("C3: the recipe does not apply: ") << reason;
  type = *made;
  return success();
}

LogicalResult WeightsOp::verify() {
  RankedTensorType made;
  if (failed(verifySteps(*this, getSource(),
                         cast<RankedTensorType>(getSourceType()), getRecipe(),
                         made)))
    return failure();
  if (made != getType())
    return emitOpError("C3: the recipe gives ")
           << made << ", but the type is " << getType();
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &tables) {
  auto weights =
      tables.lookupNearestSymbolFrom<WeightsOp>(*this, getWeightsAttr());
  if (!weights)
    return emitOpError("C1: expects a graph.weights, but got ")
           << getWeightsAttr();
  if (weights.getType() != getResult().getType())
    return emitOpError("C1: expects the type of its weights, ")
           << weights.getType() << ", but got " << getResult().getType();
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes and data movement
//===----------------------------------------------------------------------===//

/// Sizes of `result` where its dynamic ones are the operands `sizes`.
static ReifiedRankedShapedTypeDims reifySizes(Builder &builder, Value result,
                                              ValueRange sizes) {
  auto type = cast<RankedTensorType>(result.getType());
  return {getMixedValues(type.getShape(), sizes, builder)};
}

static LogicalResult verifySizeCount(Operation *op, RankedTensorType result,
                                     ValueRange sizes) {
  if (static_cast<size_t>(result.getNumDynamicDims()) != sizes.size())
    return op->emitOpError("C1: expects ")
           << result.getNumDynamicDims() << " sizes, but got " << sizes.size();
  return success();
}

LogicalResult BroadcastToOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects one element type, but got ")
           << source.getElementType() << " and " << result.getElementType();
  int64_t added = result.getRank() - source.getRank();
  if (added < 0)
    return emitOpError("C2: expects a result of rank at least ")
           << source.getRank() << ", but got " << result.getRank();
  for (int64_t i = 0; i < source.getRank(); ++i) {
    int64_t from = source.getDimSize(i), to = result.getDimSize(i + added);
    if (!ShapedType::isDynamic(from) && from != 1 &&
        !ShapedType::isDynamic(to) && from != to)
      return emitOpError("C3: expects source dimension ")
             << i << " to be 1 or " << to << ", but got " << from;
  }
  return success();
}

OpFoldResult BroadcastToOp::fold(FoldAdaptor adaptor) {
  if (getSource().getType() == getResult().getType() &&
      cast<RankedTensorType>(getResult().getType()).hasStaticShape())
    return getSource();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getSource()))
    if (cast<RankedTensorType>(getResult().getType()).hasStaticShape())
      return splat.resizeSplat(cast<ShapedType>(getResult().getType()));
  return {};
}

LogicalResult BroadcastToOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult ReshapeOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects one element type, but got ")
           << source.getElementType() << " and " << result.getElementType();
  if (source.hasStaticShape() && result.hasStaticShape() &&
      source.getNumElements() != result.getNumElements())
    return emitOpError("C2: expects ")
           << source.getNumElements() << " elements, but got "
           << result.getNumElements();
  return success();
}

LogicalResult
ReshapeOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult IotaOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= result.getRank())
    return emitOpError("C2: expects a dimension below ")
           << result.getRank() << ", but got " << dimension;
  return success();
}

LogicalResult IotaOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult GatherOp::verify() {
  auto data = cast<RankedTensorType>(getData().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= data.getRank())
    return emitOpError("C1: expects an axis below ")
           << data.getRank() << ", but got " << axis;
  int64_t rank = data.getRank() - 1 + indices.getRank();
  if (result.getRank() != rank)
    return emitOpError("C2: expects a result of rank ")
           << rank << ", but got " << result.getRank();
  if (data.getElementType() != result.getElementType())
    return emitOpError("C3: expects one element type, but got ")
           << data.getElementType() << " and " << result.getElementType();
  return success();
}

LogicalResult
GatherOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> data =
      tensor::getMixedSizes(builder, getLoc(), getData());
  SmallVector<OpFoldResult> sizes(data.begin(), data.begin() + getAxis());
  sizes.append(tensor::getMixedSizes(builder, getLoc(), getIndices()));
  sizes.append(data.begin() + getAxis() + 1, data.end());
  shapes = {sizes};
  return success();
}

LogicalResult ReverseOp::verify() {
  int64_t rank = cast<RankedTensorType>(getSource().getType()).getRank();
  int64_t last = -1;
  for (int64_t dimension : getDimensions()) {
    if (dimension <= last || dimension >= rank)
      return emitOpError("C1: expects increasing dimensions below ")
             << rank << ", but got " << dimension;
    last = dimension;
  }
  return success();
}

LogicalResult
ReverseOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes = {tensor::getMixedSizes(builder, getLoc(), getSource())};
  return success();
}

LogicalResult ArgReduceOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= source.getRank())
    return emitOpError("C1: expects a dimension below ")
           << source.getRank() << ", but got " << dimension;
  if (result.getRank() != source.getRank() - 1)
    return emitOpError("C2: expects a result of rank ")
           << source.getRank() - 1 << ", but got " << result.getRank();
  return success();
}

LogicalResult
ArgReduceOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getSource());
  sizes.erase(sizes.begin() + getDimension());
  shapes = {sizes};
  return success();
}
