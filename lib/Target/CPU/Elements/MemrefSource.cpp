// The arguments of a kernel as memrefs; see the header.
#include "lib/Target/CPU/Elements/MemrefSource.h"
#include "lib/Target/CPU/Elements/OperandView.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

static FailureOr<Value> loadScattered(LaneMath &math, Value memref,
                                      const ElementAccess &access) {
  OpBuilder &builder = math.getBuilder();
  Location loc = math.getLoc();
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

static FailureOr<Value> loadFrom(LaneMath &math, Value memref,
                                 const ElementAccess &access) {
  OpBuilder &builder = math.getBuilder();
  Location loc = math.getLoc();
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
  return loadScattered(math, memref, access);
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

namespace {
class MemrefSource : public ElementSource {
public:
  explicit MemrefSource(ArrayRef<Value> memrefs) : memrefs(memrefs) {}

  bool isDense(BlockArgument argument) const override {
    return typeOf(argument).getLayout().isIdentity();
  }

  FailureOr<Value> load(LaneMath &math, BlockArgument argument,
                        const ElementAccess &access) override {
    Value memref = memrefs[argument.getArgNumber()];
    if (access.linear) {
      auto all = llvm::to_vector<2>(
          llvm::seq<int64_t>(0, typeOf(argument).getRank()));
      memref = cpu::collapseMemref(math.getBuilder(), math.getLoc(), memref,
                                   {ReassociationIndices(all)});
    }
    return loadFrom(math, memref, access);
  }

  FailureOr<Value> load(LaneMath &math, Location, DenseElementsAttr constant,
                        const ElementAccess &access) override {
    return loadFrom(
        math, globalOf(math.getBuilder(), math.getLoc(), constant), access);
  }

private:
  MemRefType typeOf(BlockArgument argument) const {
    return cast<MemRefType>(memrefs[argument.getArgNumber()].getType());
  }

  SmallVector<Value> memrefs;
};
} // namespace

std::unique_ptr<ElementSource>
cpu::createMemrefSource(ArrayRef<Value> memrefs) {
  return std::make_unique<MemrefSource>(memrefs);
}
