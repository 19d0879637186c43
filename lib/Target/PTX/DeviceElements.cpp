// Elements of a kernel body in global memory, for the element emitter.
#include "lib/Target/PTX/DeviceElements.h"

#include "lib/Target/Elements/ElementSource.h"
#include "mlir/Dialect/Affine/Utils.h"

using namespace mlir;

namespace tessera::ptx {

static SmallVector<Value> asIndices(DeviceBuilder &b, ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) {
    return b.createOrFold<arith::IndexCastOp>(b.getIndexType(), value);
  });
}

SmallVector<Value> emitSizes(DeviceBuilder &b, kernel::FuncOp kernel,
                             int64_t tensor, ValueRange symbols) {
  SmallVector<Value> values = asIndices(b, symbols);
  SmallVector<Value> sizes;
  for (AffineExpr expression : kernel.getShape(tensor).getResults()) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expression)) {
      sizes.push_back(b.i64(constant.getValue()));
      continue;
    }
    Value size =
        affine::expandAffineExpr(b, b.getLoc(), expression, {}, values);
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

static InFlightDiagnostic refuseArray(Location loc) {
  return emitError(loc, "expects a constant of one value in a kernel that is "
                        "emitted element by element");
}

LogicalResult checkConstants(kernel::FuncOp kernel) {
  for (auto op : kernel.getBody().getOps<arith::ConstantOp>())
    if (isa<ElementsAttr>(op.getValue()) &&
        !isa<SplatElementsAttr>(op.getValue()))
      return refuseArray(op.getLoc());
  return success();
}

static unsigned alignmentOf(VectorType type) {
  int64_t bytes = type.getNumElements() * type.getElementTypeBitWidth() / 8;
  return std::min<int64_t>(16, bytes & -bytes);
}

void storeElements(DeviceBuilder &b, const DeviceTensor &tensor,
                   ValueRange indices, Value elements) {
  auto type = cast<VectorType>(elements.getType());
  if (type.getElementType().isInteger(1)) {
    type = type.clone(b.getI8Type());
    elements = arith::ExtUIOp::create(b, type, elements);
  }
  Value address = b.offset(tensor.pointer, linearize(b, tensor.sizes, indices),
                           type.getElementType());
  LLVM::StoreOp::create(b, elements, address, alignmentOf(type));
}

//===----------------------------------------------------------------------===//
// DeviceSource
//===----------------------------------------------------------------------===//

/// Arguments in global memory.
class DeviceSource : public ElementSource {
public:
  DeviceSource(kernel::FuncOp kernel, const DeviceTensors &arguments)
      : kernel(kernel), arguments(arguments) {}

  bool isDense(BlockArgument) const override { return true; }

  FailureOr<Value> load(LaneMath &math, BlockArgument argument,
                        const ElementAccess &access) override;

  FailureOr<Value> load(LaneMath &, Location loc, DenseElementsAttr,
                        const ElementAccess &) override {
    return refuseArray(loc);
  }

  /// The last index, or the position, that the emission began with: a multiple
  /// of its lanes.
  Value aligned;

private:
  bool isAligned(BlockArgument argument, const ElementAccess &access);

  kernel::FuncOp kernel;
  const DeviceTensors &arguments;
};

/// Rows of one length begin alike in the output and in `argument`.
bool DeviceSource::isAligned(BlockArgument argument,
                             const ElementAccess &access) {
  auto outer = ArrayRef(access.indices).drop_back();
  LaneIndex last = access.indices.back();
  if (access.mask || last.base != aligned || !last.isContiguous() ||
      !llvm::all_of(outer, [](LaneIndex i) { return i.isUniform(); }))
    return false;
  return outer.empty() ||
         kernel.getShape(argument.getArgNumber()).getResults().back() ==
             kernel.getShape(kernel.getInputCount()).getResults().back();
}

FailureOr<Value> DeviceSource::load(LaneMath &math, BlockArgument argument,
                                    const ElementAccess &access) {
  auto found = arguments.find(argument);
  if (found == arguments.end())
    return emitError(argument.getLoc(),
                     "argument is not given to the device kernel");
  const DeviceTensor &tensor = found->second;
  Type element = getElementTypeOrSelf(argument.getType());
  DeviceBuilder b(math.getLoc(), math.getBuilder());
  if (element.isInteger(1))
    element = b.getI8Type();
  auto indicesOf = [&](int64_t lane) {
    return llvm::map_to_vector(access.indices, [&](LaneIndex index) {
      return b.createOrFold<arith::IndexCastOp>(b.getI64Type(),
                                                math.laneOf(index, lane));
    });
  };
  auto loadAt = [&](DeviceBuilder &b, ArrayRef<Value> indices, int64_t lanes) {
    Value offset = access.linear ? indices.front()
                                 : linearize(b, tensor.sizes, indices);
    auto type = VectorType::get({lanes}, element);
    return LLVM::LoadOp::create(b, type,
                                b.offset(tensor.pointer, offset, element),
                                alignmentOf(type))
        .getResult();
  };
  auto loadOne = [&](DeviceBuilder &b, ArrayRef<Value> indices) -> Value {
    return vector::ExtractOp::create(b, loadAt(b, indices, 1), 0);
  };
  if (access.lanes == 1)
    return loadOne(b, indicesOf(0));
  if (isAligned(argument, access))
    return loadAt(b, indicesOf(0), access.lanes);
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < access.lanes; ++lane) {
    SmallVector<Value> indices(indicesOf(lane));
    if (!access.mask) {
      elements.push_back(loadOne(b, indices));
      continue;
    }
    Value inside = vector::ExtractOp::create(b, access.mask, lane);
    auto branch =
        scf::IfOp::create(b, element, inside, /*withElseRegion=*/true);
    DeviceBuilder then(b.getLoc(), branch.getThenBodyBuilder());
    scf::YieldOp::create(then, loadOne(then, indices));
    DeviceBuilder otherwise(b.getLoc(), branch.getElseBodyBuilder());
    scf::YieldOp::create(
        otherwise,
        arith::ConstantOp::create(otherwise, otherwise.getZeroAttr(element))
            .getResult());
    elements.push_back(branch.getResult(0));
  }
  return vector::FromElementsOp::create(
             b, VectorType::get({access.lanes}, element), elements)
      .getResult();
}

//===----------------------------------------------------------------------===//
// DeviceElements
//===----------------------------------------------------------------------===//

DeviceElements::DeviceElements(DeviceBuilder &b, kernel::FuncOp kernel,
                               const DeviceTensors &arguments,
                               ValueRange symbols)
    : DeviceElements(b, kernel,
                     std::make_unique<DeviceSource>(kernel, arguments),
                     asIndices(b, symbols)) {}

DeviceElements::DeviceElements(DeviceBuilder &b, kernel::FuncOp kernel,
                               std::unique_ptr<DeviceSource> memory,
                               ArrayRef<Value> symbols)
    : b(b), memory(memory.get()), elements(kernel, std::move(memory), symbols) {
}

void DeviceElements::bind(Value tensor, ValueRange indices, Value bound) {
  auto source = [bound, expected = SmallVector<Value>(indices)](
                    OpBuilder &, Location, ArrayRef<Value> given,
                    int64_t lanes) {
    // Each emission casts the indices that it is given anew.
    SmallVector<Value> uncast = llvm::map_to_vector(given, [](Value index) {
      auto cast = index.getDefiningOp<arith::IndexCastOp>();
      return cast ? cast.getIn() : index;
    });
    return lanes == cast<VectorType>(bound.getType()).getNumElements() &&
                   areSameIndices(uncast, expected)
               ? bound
               : Value();
  };
  elements.bind(tensor, source);
}

/// One lane is a scalar to the element emitter.
FailureOr<SmallVector<Value>>
DeviceElements::asVectors(FailureOr<SmallVector<Value>> emitted) {
  if (failed(emitted))
    return failure();
  return llvm::map_to_vector(*emitted, [&](Value value) -> Value {
    if (isa<VectorType>(value.getType()))
      return value;
    return vector::BroadcastOp::create(
        b, VectorType::get({1}, value.getType()), value);
  });
}

FailureOr<SmallVector<Value>> DeviceElements::emit(ValueRange tensors,
                                                   ValueRange indices,
                                                   int64_t lanes) {
  SmallVector<Value> at = asIndices(b, indices);
  memory->aligned = at.empty() ? Value() : at.back();
  return asVectors(elements.emit(b, b.getLoc(), SmallVector<Value>(tensors), at,
                                 lanes));
}

FailureOr<SmallVector<Value>> DeviceElements::emitLinear(ValueRange tensors,
                                                         Value position,
                                                         int64_t lanes) {
  memory->aligned = asIndices(b, position).front();
  return asVectors(elements.emitLinear(b, b.getLoc(),
                                       SmallVector<Value>(tensors),
                                       memory->aligned, lanes));
}

} // namespace tessera::ptx
