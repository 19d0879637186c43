// Access to a node, and the few constructions that every translator needs.
#include "lib/Importer/Onnx/NodeContext.h"

#include "dialects/Graph/IR/SizeKeepingFolds.h"
#include "lib/Importer/Onnx/ModelReader.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {

/// Above this a size is taken for a mistake; sums and products of such sizes
/// that matter fit 64 bits.
static constexpr int64_t kLargestSize = int64_t(1) << 40;

Type elementTypeToMlir(MLIRContext *context, int32_t elementType) {
  switch (elementType) {
  case TensorProto::FLOAT:
    return Float32Type::get(context);
  case TensorProto::DOUBLE:
    return Float64Type::get(context);
  case TensorProto::FLOAT16:
    return Float16Type::get(context);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case TensorProto::BOOL:
    return IntegerType::get(context, 1);
  case TensorProto::INT2:
  case TensorProto::UINT2:
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::FLOAT4E2M1:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
  case TensorProto::INT8:
  case TensorProto::UINT8:
    return IntegerType::get(context, 8);
  case TensorProto::INT16:
  case TensorProto::UINT16:
    return IntegerType::get(context, 16);
  case TensorProto::INT32:
  case TensorProto::UINT32:
    return IntegerType::get(context, 32);
  case TensorProto::INT64:
  case TensorProto::UINT64:
    return IntegerType::get(context, 64);
  default:
    return {};
  }
}

Type portElementType(MLIRContext *context, int32_t elementType) {
  auto integer = [&](unsigned bits, bool isSigned) {
    return IntegerType::get(context, bits,
                            isSigned ? IntegerType::Signless
                                     : IntegerType::Unsigned);
  };
  switch (elementType) {
  case TensorProto::INT2:
    return integer(2, true);
  case TensorProto::INT4:
    return integer(4, true);
  case TensorProto::UINT2:
    return integer(2, false);
  case TensorProto::UINT4:
    return integer(4, false);
  case TensorProto::UINT8:
    return integer(8, false);
  case TensorProto::UINT16:
    return integer(16, false);
  case TensorProto::UINT32:
    return integer(32, false);
  case TensorProto::UINT64:
    return integer(64, false);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

bool isUnsignedType(int32_t elementType) {
  switch (elementType) {
  case TensorProto::BOOL:
  case TensorProto::UINT2:
  case TensorProto::UINT4:
  case TensorProto::UINT8:
  case TensorProto::UINT16:
  case TensorProto::UINT32:
  case TensorProto::UINT64:
    return true;
  default:
    return false;
  }
}

LogicalResult NodeContext::error(const Twine &why) {
  if (reason.empty())
    reason = why.str();
  return failure();
}

Value NodeContext::input(unsigned index) const {
  return index < inputs.size() ? inputs[index].value : Value();
}

int32_t NodeContext::inputElementType(unsigned index) const {
  return index < inputs.size() ? inputs[index].elementType : 0;
}

bool NodeContext::isUnsigned(unsigned index) const {
  return isUnsignedType(inputElementType(index));
}

RankedTensorType NodeContext::inputType(unsigned index) const {
  return cast<RankedTensorType>(input(index).getType());
}

int64_t NodeContext::inputRank(unsigned index) const {
  return inputType(index).getRank();
}

const onnx::AttributeProto *NodeContext::find(StringRef name) const {
  for (const onnx::AttributeProto &attribute : proto.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
}

int64_t NodeContext::integer(StringRef name, int64_t otherwise) const {
  const onnx::AttributeProto *attribute = find(name);
  return attribute ? attribute->i() : otherwise;
}

double NodeContext::number(StringRef name, double otherwise) const {
  const onnx::AttributeProto *attribute = find(name);
  // Attributes are f32, and so is what stands for a missing one.
  return attribute ? attribute->f() : static_cast<float>(otherwise);
}

StringRef NodeContext::string(StringRef name, StringRef otherwise) const {
  const onnx::AttributeProto *attribute = find(name);
  return attribute ? StringRef(attribute->s()) : otherwise;
}

SmallVector<int64_t> NodeContext::integers(StringRef name) const {
  const onnx::AttributeProto *attribute = find(name);
  if (!attribute)
    return {};
  return SmallVector<int64_t>(attribute->ints().begin(),
                              attribute->ints().end());
}

SmallVector<float> NodeContext::numbers(StringRef name) const {
  const onnx::AttributeProto *attribute = find(name);
  if (!attribute)
    return {};
  return SmallVector<float>(attribute->floats().begin(),
                            attribute->floats().end());
}

FailureOr<OnnxValue> NodeContext::tensor(StringRef name) {
  const onnx::AttributeProto *attribute = find(name);
  if (!attribute)
    return error("attribute '" + name + "' is missing");
  FailureOr<Value> constant = makeConstant(attribute->t(), *this);
  if (failed(constant))
    return failure();
  return OnnxValue{*constant, attribute->t().data_type()};
}

FailureOr<int64_t> NodeContext::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return error("expects an axis between " + Twine(-rank) + " and " +
                 Twine(rank - 1) + " but got " + Twine(axis));
  return axis < 0 ? axis + rank : axis;
}

bool NodeContext::hasOutput(unsigned index) const {
  return index < outputCount() && !proto.output(index).empty();
}

void NodeContext::setOutputTypes(SmallVector<int32_t> types) {
  outputs.resize(outputCount());
  for (auto [output, type] : llvm::zip(outputs, types))
    output.elementType = type;
}

void NodeContext::setOutput(unsigned index, Value value, int32_t elementType) {
  if (index >= outputs.size())
    return;
  outputs[index].value = value;
  if (elementType)
    outputs[index].elementType = elementType;
}

Value NodeContext::foldOrKeep(Operation *op) {
  SmallVector<Value> results;
  IRRewriter rewriter(builder);
  if (failed(graph::tryFoldKeepingSizes(rewriter, sizes, op, results)) ||
      results.empty())
    return op->getResult(0);
  op->erase();
  return results.front();
}

std::string NodeContext::subject() const {
  return caller.empty() ? subjectOf(proto) : caller;
}

void NodeContext::requireAtRunTime(Value condition, const Twine &failure) {
  std::string where = subject();
  if (!caller.empty())
    where += ": in its function body: " + proto.op_type();
  graph::AssertOp::create(builder, loc, condition,
                          builder.getStringAttr(where + ": " + failure));
}

LogicalResult NodeContext::requireEqual(AffineExpr a, AffineExpr b,
                                        const Twine &what) {
  if (sizes.areEqual(a, b))
    return success();
  auto x = dyn_cast<AffineConstantExpr>(a), y = dyn_cast<AffineConstantExpr>(b);
  if (x && y)
    return error(what + " " + Twine(x.getValue()) + " and " +
                 Twine(y.getValue()) + " differ");
  Value equal = create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                      materializeIndex(a), materializeIndex(b));
  requireAtRunTime(equal, what + " differ");
  sizes.assumeEqual(a, b);
  return success();
}

LogicalResult NodeContext::requireAtMost(AffineExpr size, AffineExpr limit,
                                         const Twine &failure) {
  if (sizes.isAtMost(size, limit))
    return success();
  if (sizes.isAtMost(limit + 1, size))
    return error(failure);
  requireAtRunTime(create<arith::CmpIOp>(arith::CmpIPredicate::sle,
                                         materializeIndex(size),
                                         materializeIndex(limit)),
                   failure);
  return success();
}

LogicalResult NodeContext::requireMultiple(AffineExpr size, int64_t divisor,
                                           const Twine &failure) {
  AffineExpr rest = sizes.resolve(size) % divisor;
  if (auto known = dyn_cast<AffineConstantExpr>(rest))
    return known.getValue() == 0 ? success() : error(failure);
  Value zero = scalarInteger(0, builder.getIndexType());
  requireAtRunTime(create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                         materializeIndex(rest), zero),
                   failure);
  return success();
}

LogicalResult NodeContext::requireSizes(const Shape &shape, const Twine &what) {
  for (AffineExpr size : shape) {
    auto known = dyn_cast<AffineConstantExpr>(size);
    if (known && known.getValue() < 0)
      return error(what + " has a size of " + Twine(known.getValue()));
    if (failed(requireAtMost(constantSize(0), size,
                             what + " has a negative size")))
      return failure();
  }
  return success();
}

LogicalResult NodeContext::requireElements(AffineExpr size, AffineExpr reads,
                                           const Twine &axis) {
  AffineExpr one = constantSize(1);
  if (sizes.isAtMost(one, size) || sizes.areEqual(reads, constantSize(0)))
    return success();
  std::string failure = (axis + " has no elements to read").str();
  if (sizes.isAtMost(one, reads))
    return requireAtMost(one, size, failure);
  // Not both that there is nothing to read and that something is read.
  AffineExpr elements = sizes.sizeOf(create<arith::MinSIOp>(
      materializeIndex(reads), materializeIndex(one)));
  return requireAtMost(elements, size, failure);
}

AffineExpr NodeContext::constantSize(int64_t size) {
  return getAffineConstantExpr(size, builder.getContext());
}

RankedTensorType NodeContext::typeOf(const Shape &shape, Type elementType) {
  SmallVector<int64_t> dims;
  for (AffineExpr size : shape) {
    auto constant = dyn_cast<AffineConstantExpr>(size);
    int64_t dim = constant ? constant.getValue() : ShapedType::kDynamic;
    if (constant && (dim < 0 || dim > kLargestSize)) {
      (void)error("a result would have a size of " + Twine(dim));
      dim = 0;
    }
    if (!constant && sizes.dependsOnData(size))
      (void)error("a size of its result depends on the model's data; it must be "
                  "computed from shapes and constants");
    dims.push_back(dim);
  }
  return RankedTensorType::get(dims, elementType);
}

OpFoldResult NodeContext::materialize(AffineExpr size) {
  return sizes.materialize(builder, loc, size);
}

Value NodeContext::materializeIndex(AffineExpr size) {
  return getValueOrCreateConstantIndexOp(builder, loc, materialize(size));
}

// A size that was found to be a number since its expression was made is a value
// all the same: typeOf takes it for dynamic, too.
SmallVector<OpFoldResult> NodeContext::materialize(const Shape &shape) {
  SmallVector<OpFoldResult> values;
  for (AffineExpr size : shape)
    values.push_back(isa<AffineConstantExpr>(size)
                         ? materialize(size)
                         : OpFoldResult(materializeIndex(size)));
  return values;
}

SmallVector<Value> NodeContext::dynamicSizes(const Shape &shape) {
  SmallVector<Value> values;
  for (AffineExpr size : shape)
    if (!isa<AffineConstantExpr>(size))
      values.push_back(materializeIndex(size));
  return values;
}

Value NodeContext::empty(const Shape &shape, Type elementType) {
  return tensor::EmptyOp::create(builder, loc, typeOf(shape, elementType),
                                 dynamicSizes(shape));
}

Value NodeContext::scalar(double value, Type type) {
  if (auto floatType = dyn_cast<FloatType>(type))
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(floatType, value));
  return scalarInteger(static_cast<int64_t>(value), type);
}

Value NodeContext::scalarInteger(int64_t value, Type type) {
  return arith::ConstantOp::create(
      builder, loc,
      IntegerAttr::get(type,
                       APInt(type.isIndex() ? 64 : type.getIntOrFloatBitWidth(),
                             value, /*isSigned=*/true,
                             /*implicitTrunc=*/true)));
}

Value NodeContext::filled(double value, Value like) {
  auto type = dyn_cast<RankedTensorType>(like.getType());
  if (!type)
    return scalar(value, like.getType());
  return filled(scalar(value, type.getElementType()), shapeOf(like));
}

Value NodeContext::filled(Value scalar, const Shape &shape) {
  RankedTensorType type = typeOf(shape, scalar.getType());
  TypedAttr constant;
  if (matchPattern(scalar, m_Constant(&constant))) {
    auto splat = [&](RankedTensorType splatType) -> Value {
      return arith::ConstantOp::create(
          builder, loc, DenseElementsAttr::get(splatType, constant));
    };
    if (type.hasStaticShape())
      return splat(type);
    return graph::BroadcastToOp::create(
        builder, loc, type, splat(RankedTensorType::get({}, scalar.getType())),
        dynamicSizes(shape));
  }
  Value single = tensor::FromElementsOp::create(
      builder, loc, RankedTensorType::get({}, scalar.getType()), scalar);
  if (type.getRank() == 0)
    return single;
  return graph::BroadcastToOp::create(builder, loc, type, single,
                                      dynamicSizes(shape));
}

} // namespace tessera::onnx_importer
