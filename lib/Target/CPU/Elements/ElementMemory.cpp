// The element emitter: loads of arguments and constants.
#include "lib/Target/CPU/Elements/ElementWalk.h"
#include "lib/Target/CPU/Elements/OperandView.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

FailureOr<Value> ElementEmitter::Walk::load(BlockArgument argument,
                                            const ElementAccess &given) {
  Value memref = emitter.memrefs[argument.getArgNumber()];
  auto type = cast<MemRefType>(memref.getType());
  ElementAccess access = given;
  if (access.linear && type.getRank() != 1) {
    if (type.getLayout().isIdentity() && type.getRank() > 1) {
      ReassociationIndices all =
          llvm::to_vector<2>(llvm::seq<int64_t>(0, type.getRank()));
      memref = collapseMemref(builder, loc, memref, {all});
    } else {
      FailureOr<ElementAccess> multi = delinearize(argument, access);
      if (failed(multi))
        return failure();
      access = *multi;
    }
  }
  access.linear = false;
  FailureOr<Value> value = loadFrom(memref, access);
  if (failed(value))
    return failure();
  return fromMemory(*value, getElementTypeOrSelf(argument.getType()));
}

/// Booleans are bytes in memory.
Value ElementEmitter::Walk::fromMemory(Value value, Type elementType) {
  if (!elementType.isInteger(1) ||
      getElementTypeOrSelf(value.getType()).isInteger(1))
    return value;
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(value.getType()));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value,
                               zero);
}

FailureOr<Value> ElementEmitter::Walk::loadFrom(Value memref,
                                                const ElementAccess &access) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<Value> first;
  for (LaneIndex index : access.indices)
    first.push_back(index.base);
  if (access.lanes == 1)
    return Value(memref::LoadOp::create(builder, loc, memref, first));
  auto vectorType = VectorType::get({access.lanes}, type.getElementType());
  bool outerUniform =
      llvm::all_of(ArrayRef(access.indices).drop_back(),
                   [](LaneIndex index) { return index.isUniform(); });
  LaneIndex last = access.indices.back();
  if (outerUniform && last.isContiguous()) {
    if (!access.mask)
      return Value(
          vector::LoadOp::create(builder, loc, vectorType, memref, first));
    Value zero = arith::ConstantOp::create(builder, loc,
                                           builder.getZeroAttr(vectorType));
    return Value(vector::MaskedLoadOp::create(builder, loc, vectorType, memref,
                                              first, access.mask, zero));
  }
  if (outerUniform && last.step == -1 && !access.mask) {
    first.back() = math.laneOf(last, access.lanes - 1);
    Value loaded =
        vector::LoadOp::create(builder, loc, vectorType, memref, first);
    SmallVector<int64_t> order;
    for (int64_t lane = access.lanes - 1; lane >= 0; --lane)
      order.push_back(lane);
    return Value(
        vector::ShuffleOp::create(builder, loc, loaded, loaded, order));
  }
  return loadScattered(memref, access);
}

FailureOr<Value>
ElementEmitter::Walk::loadScattered(Value memref, const ElementAccess &access) {
  auto type = cast<MemRefType>(memref.getType());
  auto vectorType = VectorType::get({access.lanes}, type.getElementType());
  if (!access.mask) {
    SmallVector<Value> elements;
    for (int64_t lane = 0; lane < access.lanes; ++lane) {
      SmallVector<Value> indices;
      for (LaneIndex index : access.indices)
        indices.push_back(math.laneOf(index, lane));
      elements.push_back(memref::LoadOp::create(builder, loc, memref, indices));
    }
    return Value(
        vector::FromElementsOp::create(builder, loc, vectorType, elements));
  }
  // Uniform dimensions go into the base, the others into the offsets.
  auto metadata =
      memref::ExtractStridedMetadataOp::create(builder, loc, memref);
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return failure();
  SmallVector<Value> first;
  LaneIndex offsets = math.uniform(0);
  for (auto [dimension, index] : llvm::enumerate(access.indices)) {
    if (index.isUniform()) {
      first.push_back(index.base);
      continue;
    }
    first.push_back(math.constant(0));
    Value stride = ShapedType::isDynamic(strides[dimension])
                       ? metadata.getStrides()[dimension]
                       : math.constant(strides[dimension]);
    offsets =
        math.add(offsets, math.mul(index, stride, access.lanes), access.lanes);
  }
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(vectorType));
  return Value(vector::GatherOp::create(builder, loc, vectorType, memref, first,
                                        math.vectorOf(offsets, access.lanes),
                                        access.mask, zero));
}

/// A read-only array of the module with the elements in row-major order; the
/// same elements share one.
static Value globalOf(OpBuilder &builder, Location loc,
                      DenseElementsAttr elements) {
  Type elementType = elements.getElementType();
  auto flat = RankedTensorType::get({elements.getNumElements()}, elementType);
  DenseElementsAttr data = elements.reshape(flat);
  if (elementType.isInteger(1)) {
    SmallVector<int8_t> bytes;
    for (bool value : elements.getValues<bool>())
      bytes.push_back(value);
    data = DenseElementsAttr::get(flat.clone(builder.getI8Type()),
                                  ArrayRef<int8_t>(bytes));
  }
  auto type = MemRefType::get(flat.getShape(), data.getElementType());
  auto module =
      builder.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  int64_t number = 0;
  for (auto global : module.getOps<memref::GlobalOp>()) {
    if (global.getInitialValueAttr() == data)
      return memref::GetGlobalOp::create(builder, loc, type,
                                         global.getSymName());
    ++number;
  }
  std::string name;
  do
    name = "constant_" + std::to_string(number++);
  while (SymbolTable::lookupSymbolIn(module, name));
  OpBuilder atModule = OpBuilder::atBlockBegin(module.getBody());
  memref::GlobalOp::create(atModule, loc, name,
                           atModule.getStringAttr("private"), type, data,
                           /*constant=*/true, IntegerAttr());
  return memref::GetGlobalOp::create(builder, loc, type, name);
}

FailureOr<Value> ElementEmitter::Walk::constant(arith::ConstantOp op,
                                                const ElementAccess &access) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements) {
    error(op) << "expects a constant of known elements";
    return failure();
  }
  auto type = cast<RankedTensorType>(op.getType());
  if (elements.isSplat()) {
    auto single = cast<TypedAttr>(elements.getSplatValue<Attribute>());
    if (access.lanes == 1)
      return Value(arith::ConstantOp::create(builder, loc, single));
    auto vectorType = VectorType::get({access.lanes}, type.getElementType());
    return Value(arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(vectorType, Attribute(single))));
  }
  FailureOr<ElementAccess> position = linearize(op, access);
  if (failed(position))
    return failure();
  LaneIndex index = position->indices.front();
  std::optional<int64_t> first = constantOf(index.base);
  if (first && index.step) {
    SmallVector<Attribute> values;
    auto all = elements.getValues<Attribute>();
    for (int64_t lane = 0; lane < access.lanes; ++lane)
      values.push_back(all[std::clamp<int64_t>(*first + lane * *index.step, 0,
                                               elements.getNumElements() - 1)]);
    if (access.lanes == 1)
      return Value(
          arith::ConstantOp::create(builder, loc, cast<TypedAttr>(values[0])));
    return Value(arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(
            VectorType::get({access.lanes}, type.getElementType()), values)));
  }
  position->linear = false;
  FailureOr<Value> value =
      loadFrom(globalOf(builder, loc, elements), *position);
  if (failed(value))
    return failure();
  return fromMemory(*value, type.getElementType());
}
