// Epilogues and stores of contraction kernels.
#include "lib/Target/CPU/Contraction/ResultStores.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// From the root to the outputs
//===----------------------------------------------------------------------===//

namespace {

/// Finds the index-changing operations between the root and a value.
class PathFinder {
public:
  explicit PathFinder(Value root) : root(root) {}

  /// A path, or nothing when `value` does not depend on the root.
  using Path = std::optional<SmallVector<Operation *>>;

  FailureOr<Path> find(Value value) {
    if (value == root)
      return Path(SmallVector<Operation *>());
    Operation *op = value.getDefiningOp();
    if (!op)
      return Path();
    auto known = paths.find(value);
    if (known != paths.end())
      return known->second;
    FailureOr<Path> path = compute(op);
    if (succeeded(path))
      paths[value] = *path;
    return path;
  }

private:
  FailureOr<Path> compute(Operation *op) {
    Path joined;
    for (Value operand : op->getOperands()) {
      FailureOr<Path> path = find(operand);
      if (failed(path))
        return failure();
      if (!*path)
        continue;
      if (joined && *joined != **path)
        return op->emitOpError("meets the contraction's result with itself at "
                               "other indices");
      joined = *path;
    }
    if (!joined || OpTrait::hasElementwiseMappableTraits(op) ||
        isa<tensor::CastOp>(op))
      return joined;
    if (auto structured = dyn_cast<linalg::LinalgOp>(op))
      if (structured.getNumParallelLoops() == structured.getNumLoops() &&
          llvm::all_of(structured.getIndexingMapsArray(),
                       [](AffineMap map) { return map.isIdentity(); }))
        return joined;
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp,
             linalg::TransposeOp>(op))
      return op->emitOpError("does not fit behind a contraction: expects "
                             "elementwise operations, reshapes and transposes");
    joined->push_back(op);
    return joined;
  }

  Value root;
  DenseMap<Value, Path> paths;
};

} // namespace

LogicalResult ResultStores::check(kernel::FuncOp kernel, Value root) {
  PathFinder finder(root);
  for (auto [i, value] : llvm::enumerate(kernel.getYield().getValues())) {
    FailureOr<PathFinder::Path> path = finder.find(value);
    if (failed(path))
      return failure();
    if (!*path)
      return kernel.emitOpError("has an output that does not depend on its "
                                "contraction: ")
             << i;
  }
  return success();
}

FailureOr<ResultStores> ResultStores::create(kernel::FuncOp kernel, Value root,
                                             ArrayRef<Value> memrefs,
                                             ElementEmitter &elements) {
  if (failed(check(kernel, root)))
    return failure();
  ResultStores stores(root, elements);
  PathFinder finder(root);
  for (auto [i, value] : llvm::enumerate(kernel.getYield().getValues()))
    stores.outputs.push_back({value, memrefs[kernel.getInputCount() + i],
                              **finder.find(value)});
  return stores;
}

bool ResultStores::areLong() const {
  constexpr size_t kFew = 20;
  SetVector<Operation *> following;
  getForwardSlice(root, &following);
  return following.size() > kFew;
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

ResultStores::Place ResultStores::applyStep(OpBuilder &builder, Location loc,
                                            Operation *step, const Place &place,
                                            int64_t lanes) {
  IndexBuilder index(builder, loc);
  Place result;
  if (auto transpose = dyn_cast<linalg::TransposeOp>(step)) {
    for (auto [i, from] : llvm::enumerate(transpose.getPermutation())) {
      result.indices.push_back(place.indices[from]);
      if (place.laneDimension == from)
        result.laneDimension = i;
    }
    return result;
  }
  auto sizeOf = [&](Value tensor, int64_t dim) {
    int64_t size = cast<RankedTensorType>(tensor.getType()).getDimSize(dim);
    return ShapedType::isDynamic(size)
               ? elements->emitSize(builder, loc, tensor, dim)
               : index.constant(size);
  };
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(step)) {
    auto type = expand.getResultType();
    result.indices.resize(type.getRank());
    for (auto [from, group] :
         llvm::enumerate(expand.getReassociationIndices())) {
      Value rest = place.indices[from];
      for (int64_t dim : llvm::reverse(ArrayRef(group).drop_front())) {
        Value size = sizeOf(expand.getResult(), dim);
        result.indices[dim] = index.rem(rest, size);
        rest = index.div(rest, size);
      }
      result.indices[group.front()] = rest;
      // Lanes stay together when the innermost size is a multiple of them.
      int64_t inner = type.getDimSize(group.back());
      if (place.laneDimension == static_cast<int64_t>(from) &&
          (group.size() == 1 ||
           (!ShapedType::isDynamic(inner) && inner % lanes == 0)))
        result.laneDimension = group.back();
    }
    return result;
  }
  auto collapse = cast<tensor::CollapseShapeOp>(step);
  for (auto [to, group] : llvm::enumerate(collapse.getReassociationIndices())) {
    Value position = place.indices[group.front()];
    for (int64_t dim : ArrayRef(group).drop_front())
      position = index.add(index.mul(position, sizeOf(collapse.getSrc(), dim)),
                           place.indices[dim]);
    result.indices.push_back(position);
    if (place.laneDimension == group.back())
      result.laneDimension = to;
  }
  return result;
}

ResultStores::Place ResultStores::follow(OpBuilder &builder, Location loc,
                                         const Output &output,
                                         ArrayRef<Value> indices,
                                         int64_t lanes) {
  Place place{SmallVector<Value>(indices),
              static_cast<int64_t>(indices.size()) - 1};
  for (Operation *step : output.steps)
    place = applyStep(builder, loc, step, place, lanes);
  return place;
}

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

/// `value` in the element type of `memref`: booleans are bytes in memory.
static Value asStored(OpBuilder &builder, Location loc, Value value,
                      Value memref) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (getElementTypeOrSelf(value.getType()) == element)
    return value;
  Type type = element;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    type = VectorType::get(vector.getShape(), element);
  return arith::ExtUIOp::create(builder, loc, type, value);
}

LogicalResult ResultStores::storeScalars(OpBuilder &builder, Location loc,
                                         const Output &output,
                                         ArrayRef<Value> indices,
                                         Value accumulators, Value mask) {
  int64_t lanes = cast<VectorType>(accumulators.getType()).getDimSize(0);
  LogicalResult result = success();
  for (int64_t lane = 0; lane < lanes && succeeded(result); ++lane) {
    auto storeLane = [&](OpBuilder &builder, Location loc) {
      SmallVector<Value> at(indices);
      at.back() = IndexBuilder(builder, loc).add(at.back(), lane);
      Value scalar =
          vector::ExtractOp::create(builder, loc, accumulators, lane);
      elements->bindElements(root, scalar);
      Place place = follow(builder, loc, output, at, 1);
      FailureOr<Value> value =
          elements->emit(builder, loc, output.value, place.indices, 1);
      if (failed(value)) {
        result = failure();
        return;
      }
      memref::StoreOp::create(builder, loc,
                              asStored(builder, loc, *value, output.memref),
                              output.memref, place.indices);
    };
    if (!mask) {
      storeLane(builder, loc);
      continue;
    }
    Value inside = vector::ExtractOp::create(builder, loc, mask, lane);
    scf::IfOp::create(builder, loc, inside,
                      [&](OpBuilder &builder, Location loc) {
                        storeLane(builder, loc);
                        scf::YieldOp::create(builder, loc);
                      });
  }
  return result;
}

LogicalResult ResultStores::store(OpBuilder &builder, Location loc,
                                  ArrayRef<Value> indices, Value accumulators,
                                  Value mask) {
  int64_t lanes = cast<VectorType>(accumulators.getType()).getDimSize(0);
  for (const Output &output : outputs) {
    Place place = follow(builder, loc, output, indices, lanes);
    if (place.laneDimension !=
        static_cast<int64_t>(place.indices.size()) - 1) {
      if (failed(storeScalars(builder, loc, output, indices, accumulators,
                              mask)))
        return failure();
      continue;
    }
    elements->bindElements(root, accumulators);
    FailureOr<Value> value = elements->emit(builder, loc, output.value,
                                            place.indices, lanes, mask);
    if (failed(value))
      return failure();
    Value stored = asStored(builder, loc, *value, output.memref);
    if (mask)
      vector::MaskedStoreOp::create(builder, loc, output.memref, place.indices,
                                    mask, stored);
    else
      vector::StoreOp::create(builder, loc, stored, output.memref,
                              place.indices);
  }
  return success();
}
