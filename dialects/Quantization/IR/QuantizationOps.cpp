// Verifiers and result sizes of operations on elements.
#include "dialects/Quantization/IR/Verification.h"

#include "mlir/IR/Builders.h"

#define GET_OP_CLASSES
#include "dialects/Quantization/IR/QuantizationOps.cpp.inc"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

LogicalResult quantization::verifyElements(Operation *op, StringRef constraint,
                                           StringRef name, Value value,
                                           Type type) {
  Type got = tensorType(value).getElementType();
  if (got == type)
    return success();
  return op->emitOpError(constraint)
         << ": expects " << name << " of " << type << ", but got " << got;
}

LogicalResult quantization::verifyStorage(Operation *op, StringRef constraint,
                                          StringRef name, Value value,
                                          Format format) {
  if (!value)
    return success();
  return verifyElements(op, constraint, name, value,
                        storageOf(format, op->getContext()));
}

LogicalResult quantization::verifyShape(Operation *op, StringRef constraint,
                                        StringRef name, Value value,
                                        ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> got = tensorType(value).getShape();
  if (got.size() == shape.size() &&
      llvm::all_of_zip(got, shape, mayAgree))
    return success();
  auto expected = RankedTensorType::get(
      shape, tensorType(value).getElementType());
  return op->emitOpError(constraint)
         << ": expects " << name << " of " << expected << ", but got "
         << value.getType();
}

LogicalResult quantization::verifyByteFormat(Operation *op, StringRef name,
                                             Format format) {
  if (isByteInteger(format))
    return success();
  return op->emitOpError("Q8: expects ")
         << name << " of integers of at most 8 bits, but got "
         << stringifyFormat(format);
}

static int64_t blocksOf(int64_t size, int64_t block) {
  return ShapedType::isDynamic(size) ? size : llvm::divideCeil(size, block);
}

//===----------------------------------------------------------------------===//
// quantize and dequantize
//===----------------------------------------------------------------------===//

/// Q2 to Q4: the scale, and the zero point, which may be null, of `numbers`.
template <typename Op>
static LogicalResult verifyParameters(Op op, Value numbers) {
  if (failed(verifyElements(op, "Q2", "a scale",
                            op.getScale(),
                            Float32Type::get(op.getContext()))))
    return failure();
  RankedTensorType type = tensorType(numbers), scale = tensorType(op.getScale());
  if (op.getZero() &&
      failed(verifyShape(op, "Q2", "a zero point", op.getZero(),
                         scale.getShape())))
    return failure();
  std::optional<uint64_t> axis = op.getAxis(), block = op.getBlock();
  if (block && static_cast<int64_t>(*block) < 1)
    return op.emitOpError("Q4: expects a positive block, but got ")
           << static_cast<int64_t>(*block);
  if ((block || scale.getRank() > 0) &&
      (!axis || *axis >= static_cast<uint64_t>(type.getRank())))
    return op.emitOpError("Q4: expects an axis below ")
           << type.getRank() << " of what has several scales";
  if (scale.getRank() == 0)
    return block ? op.emitOpError("Q3: expects scales for blocks, but got one")
                 : success();
  if (!block && scale.getRank() == 1)
    return verifyShape(op, "Q3", "scales", op.getScale(),
                       type.getDimSize(*axis));
  SmallVector<int64_t> blocks(type.getShape());
  blocks[*axis] = block ? blocksOf(blocks[*axis], *block)
                        : ShapedType::kDynamic; // of groups: any number
  return verifyShape(op, "Q3", "scales", op.getScale(), blocks);
}

LogicalResult QuantizeOp::verify() {
  if (bitsOf(getFormat()) > 16)
    return emitOpError("Q1: expects a format of at most 16 bits, but got ")
           << stringifyFormat(getFormat());
  if (failed(verifyStorage(*this, "Q1", "a result", getResult(), getFormat())) ||
      failed(verifyParameters(*this, getSource())) ||
      failed(verifyStorage(*this, "Q5", "a zero point", getZero(), getFormat())))
    return failure();
  if (!getBlock() && tensorType(getScale()).getRank() > 1)
    return emitOpError("Q4: expects a block with scales of blocks");
  Type type = tensorType(getSource()).getElementType();
  if (!type.isF32() && !type.isInteger(32))
    return emitOpError("Q6: expects a source of f32 or i32, but got ") << type;
  return verifyShape(*this, "Q6", "a result", getResult(),
                     tensorType(getSource()).getShape());
}

/// Q12, and that only groups let scales of the source's rank do without blocks.
static LogicalResult verifyGroups(DequantizeOp op) {
  int64_t scaleRank = tensorType(op.getScale()).getRank();
  RankedTensorType type = tensorType(op.getSource());
  if (!op.getGroups())
    return scaleRank > 1 && !op.getBlock()
               ? op.emitOpError("Q4: expects a block with scales of blocks")
               : success();
  if (!op.getAxis() || op.getBlock() || scaleRank != type.getRank())
    return op.emitOpError("Q12: expects an axis, no block, and scales of the "
                          "source's rank with groups");
  Type index = tensorType(op.getGroups()).getElementType();
  if (!index.isInteger(32) && !index.isInteger(64))
    return op.emitOpError("Q12: expects groups of i32 or i64, but got ") << index;
  return verifyShape(op, "Q12", "groups", op.getGroups(),
                     type.getDimSize(*op.getAxis()));
}

LogicalResult DequantizeOp::verify() {
  if (failed(verifyStorage(*this, "Q1", "a source", getSource(), getFormat())) ||
      failed(verifyGroups(*this)) ||
      failed(verifyParameters(*this, getSource())))
    return failure();
  if (getZero() && !tensorType(getZero()).getElementType().isF32() &&
      failed(verifyStorage(*this, "Q5", "a zero point", getZero(), getFormat())))
    return failure();
  if (failed(verifyElements(*this, "Q6", "a result", getResult(),
                            Float32Type::get(getContext()))))
    return failure();
  return verifyShape(*this, "Q6", "a result", getResult(),
                     tensorType(getSource()).getShape());
}

//===----------------------------------------------------------------------===//
// range and lookup
//===----------------------------------------------------------------------===//

LogicalResult RangeOp::verify() {
  Type f32 = Float32Type::get(getContext());
  if (failed(verifyStorage(*this, "Q1", "a zero point", getZero(),
                           getFormat())) ||
      failed(verifyElements(*this, "Q2", "a source", getSource(), f32)) ||
      failed(verifyElements(*this, "Q2", "a scale", getScale(), f32)))
    return failure();
  std::optional<uint64_t> block = getBlock();
  if (block.has_value() != (getPart() == Part::Block) ||
      (block && static_cast<int64_t>(*block) < 1))
    return emitOpError("Q4: expects a positive block per block, and only there");
  if (failed(verifyByteFormat(*this, "a format", getFormat())))
    return failure();
  SmallVector<int64_t> shape;
  if (getPart() != Part::Tensor) {
    shape.assign(tensorType(getSource()).getShape().begin(),
                 tensorType(getSource()).getShape().end());
    if (shape.empty())
      return emitOpError("Q11: expects a source with rows, but got ")
             << getSource().getType();
    shape.back() = block ? blocksOf(shape.back(), *block) : 1;
  }
  if (failed(verifyShape(*this, "Q11", "a scale", getScale(), shape)))
    return failure();
  return verifyShape(*this, "Q11", "a zero point", getZero(), shape);
}

LogicalResult LookupOp::verify() {
  if (failed(verifyElements(*this, "Q1", "a source", getSource(),
                            IntegerType::get(getContext(), 8))) ||
      failed(verifyShape(*this, "Q10", "a table", getTable(), 256)) ||
      failed(verifyElements(*this, "Q10", "a table", getTable(),
                            tensorType(getResult()).getElementType())))
    return failure();
  return verifyShape(*this, "Q10", "a result", getResult(),
                     tensorType(getSource()).getShape());
}

//===----------------------------------------------------------------------===//
// Result sizes
//===----------------------------------------------------------------------===//

std::pair<Value, int64_t> QuantizeOp::getDimensionSource(unsigned,
                                                         int64_t dimension) {
  return {getSource(), dimension};
}

std::pair<Value, int64_t> DequantizeOp::getDimensionSource(unsigned,
                                                           int64_t dimension) {
  return {getSource(), dimension};
}

std::pair<Value, int64_t> LookupOp::getDimensionSource(unsigned,
                                                       int64_t dimension) {
  return {getSource(), dimension};
}

std::pair<Value, int64_t> RangeOp::getDimensionSource(unsigned,
                                                      int64_t dimension) {
  return {getSource(), dimension};
}

AffineExpr
RangeOp::getDimension(unsigned, int64_t dimension,
                      function_ref<AffineExpr(Value, int64_t)> dimOf) {
  AffineExpr size = dimOf(getSource(), dimension);
  bool isLast = dimension + 1 == tensorType(getSource()).getRank();
  if (!isLast)
    return size;
  return getBlock() ? size.ceilDiv(*getBlock())
                    : getAffineConstantExpr(1, getContext());
}
