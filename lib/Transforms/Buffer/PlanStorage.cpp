// Gives every tensor of an entry its storage: inputs, outputs, weights, or a
// value of the arena whose bytes and life time the runtime packs.
#include "lib/Transforms/Buffer/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_PLANSTORAGE
#include "lib/Transforms/Buffer/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Weights begin at multiples of this many bytes, a cache line and a vector.
constexpr uint64_t kWeightAlignment = 64;

/// Where the bytes of a tensor are.
struct Place {
  kernel::StorageKind kind;
  int64_t position;
};

/// Reshapes that need no code: other views of dense row-major bytes.
Value viewSource(Operation *op) {
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
          graph::ReshapeOp>(op))
    return op->getOperand(0);
  return {};
}

int64_t elementBytes(Type type) {
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

/// Plans one entry function and rewrites it.
class EntryPlanner {
public:
  EntryPlanner(func::FuncOp entry, ModuleOp module,
               ArrayRef<graph::SymbolOp> symbols)
      : entry(entry), module(module), builder(entry.getContext()),
        sizes(entry.getContext()) {
    for (graph::SymbolOp symbol : symbols) {
      int64_t i = symbolNumbers.size();
      symbolNumbers[FlatSymbolRefAttr::get(symbol)] = i;
      namedSizes.push_back(kernel::NamedSizeAttr::get(
          entry.getContext(), symbol.getSymName(), symbol.getMin(),
          symbol.getTypical(), symbol.getMax()));
    }
  }

  LogicalResult run() {
    separateOutputs();
    if (failed(describePorts()) || failed(placeValues()))
      return failure();
    return rewrite();
  }

private:
  void separateOutputs();
  LogicalResult describePorts();
  FailureOr<AffineMap> declaredDims(BlockArgument argument);
  LogicalResult placeValues();
  LogicalResult placeWeight(graph::WeightOp weight);
  LogicalResult rewrite();

  /// `expressions` over the entry's symbols; fails where one depends on data.
  FailureOr<AffineMap> overSymbols(Location loc,
                                   ArrayRef<AffineExpr> expressions);

  /// The memref of `tensor` at its place.
  FailureOr<Value> storageOf(Location loc, Value tensor);

  kernel::PortAttr portOf(StringRef name, Type tensor, DictionaryAttr attributes,
                          AffineMap dims);

  func::FuncOp entry;
  ModuleOp module;
  OpBuilder builder;
  graph::SizeAnalysis sizes;
  Value context;

  DenseMap<Attribute, int64_t> symbolNumbers;
  DenseMap<Value, Place> places;
  DenseMap<Attribute, uint64_t> weightOffsets;
  uint64_t weightBytes = 0;
  SmallVector<Attribute> namedSizes, inputs, outputs, values, weights;
};

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

FailureOr<AffineMap>
EntryPlanner::overSymbols(Location loc, ArrayRef<AffineExpr> expressions) {
  SmallVector<AffineExpr> replacements;
  for (const graph::SizeAnalysis::Symbol &symbol : sizes.symbols())
    replacements.push_back(
        symbol.name ? builder.getAffineSymbolExpr(symbolNumbers[symbol.name])
                    : AffineExpr());
  SmallVector<AffineExpr> results;
  for (AffineExpr expression : expressions) {
    WalkResult known = expression.walk([&](AffineExpr part) {
      auto symbol = dyn_cast<AffineSymbolExpr>(part);
      return symbol && !replacements[symbol.getPosition()]
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (known.wasInterrupted())
      return emitError(loc, "a tensor's size depends on data or on sizes that "
                            "are not proven equal; give them with --shape");
    results.push_back(expression.replaceSymbols(replacements));
  }
  return AffineMap::get(0, symbolNumbers.size(), results, builder.getContext());
}

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

kernel::PortAttr EntryPlanner::portOf(StringRef name, Type tensor,
                                      DictionaryAttr attributes,
                                      AffineMap dims) {
  Type element = cast<RankedTensorType>(tensor).getElementType();
  if (attributes) {
    if (auto given = attributes.getAs<TypeAttr>(graph::kElementTypeAttr))
      element = given.getValue();
    if (auto given = attributes.getAs<StringAttr>(graph::kNameAttr))
      name = given.getValue();
  }
  return kernel::PortAttr::get(builder.getContext(), name, element, dims, -1);
}

/// The sizes of an input as it names them. Two names that are taken for equal
/// stay two symbols here: each is read from its own input, for the check.
FailureOr<AffineMap> EntryPlanner::declaredDims(BlockArgument argument) {
  auto declared = entry.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                    graph::kDimsAttr);
  if (!declared)
    return overSymbols(argument.getLoc(), sizes.dimsOf(argument));
  SmallVector<AffineExpr> dims;
  for (Attribute dim : declared) {
    if (auto number = dyn_cast<IntegerAttr>(dim))
      dims.push_back(builder.getAffineConstantExpr(number.getInt()));
    else
      dims.push_back(builder.getAffineSymbolExpr(symbolNumbers[dim]));
  }
  return AffineMap::get(0, symbolNumbers.size(), dims, builder.getContext());
}

/// Calls a kernel again for each further output that is its result: two copies of
/// one value are made by equal kernels, whose calls have become one.
///
///   %c = kernel.call @copy …; return %c, %c
///     ==>  %c = kernel.call @copy …; %d = kernel.call @copy …; return %c, %d
void EntryPlanner::separateOutputs() {
  Operation *terminator = entry.getBody().front().getTerminator();
  DenseSet<Value> taken;
  for (OpOperand &operand : terminator->getOpOperands()) {
    SmallVector<Operation *> views;
    Value result = operand.get();
    while (Operation *op = result.getDefiningOp()) {
      Value source = viewSource(op);
      if (!source)
        break;
      views.push_back(op);
      result = source;
    }
    auto call = result.getDefiningOp<kernel::CallOp>();
    if (!call || taken.insert(result).second)
      continue;
    builder.setInsertionPoint(terminator);
    Operation *again = builder.clone(*call);
    Value value = again->getResult(cast<OpResult>(result).getResultNumber());
    taken.insert(value);
    for (Operation *view : llvm::reverse(views)) {
      IRMapping mapping;
      mapping.map(view->getOperand(0), value);
      value = builder.clone(*view, mapping)->getResult(0);
    }
    operand.set(value);
  }
}

LogicalResult EntryPlanner::describePorts() {
  for (BlockArgument argument : entry.getArguments()) {
    int64_t number = argument.getArgNumber();
    FailureOr<AffineMap> dims = declaredDims(argument);
    if (failed(dims))
      return failure();
    inputs.push_back(portOf("input_" + std::to_string(number),
                            argument.getType(), entry.getArgAttrDict(number),
                            *dims));
    places[argument] = {kernel::StorageKind::Input, number};
  }
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto [number, result] : llvm::enumerate(terminator->getOperands())) {
    FailureOr<AffineMap> dims = overSymbols(result.getLoc(), sizes.dimsOf(result));
    if (failed(dims))
      return failure();
    outputs.push_back(portOf("output_" + std::to_string(number),
                             result.getType(), entry.getResultAttrDict(number),
                             *dims));
    // The bytes belong to the kernel result below any reshapes.
    while (Operation *op = result.getDefiningOp()) {
      Value source = viewSource(op);
      if (!source)
        break;
      result = source;
    }
    if (!result.getDefiningOp<kernel::CallOp>() || places.contains(result))
      return entry.emitError("expects output ")
             << number << " to be the result of a kernel of its own";
    places[result] = {kernel::StorageKind::Output,
                      static_cast<int64_t>(number)};
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Values and weights
//===----------------------------------------------------------------------===//

LogicalResult EntryPlanner::placeWeight(graph::WeightOp weight) {
  auto [it, isNew] =
      weightOffsets.try_emplace(weight.getWeightsAttr(), weightBytes);
  if (isNew) {
    auto type = cast<RankedTensorType>(weight.getType());
    weights.push_back(kernel::WeightPlaceAttr::get(
        builder.getContext(), weight.getWeightsAttr(), it->second));
    weightBytes += llvm::alignTo(
        type.getNumElements() * elementBytes(type.getElementType()),
        kWeightAlignment);
  }
  places[weight] = {kernel::StorageKind::Weights,
                    static_cast<int64_t>(it->second)};
  return success();
}

LogicalResult EntryPlanner::placeValues() {
  // Life times count kernel calls. A value's number is its rank among the
  // values, its uses are those of all its views.
  SmallVector<std::pair<Value, std::pair<int64_t, int64_t>>> found;
  DenseMap<Value, Value> roots;
  DenseMap<Value, int64_t> numbers;
  int64_t call = 0;
  for (Operation &op : entry.getBody().front()) {
    if (Value source = viewSource(&op)) {
      Value root = roots.contains(source) ? roots[source] : source;
      roots[op.getResult(0)] = root;
      continue;
    }
    if (auto weight = dyn_cast<graph::WeightOp>(op)) {
      if (failed(placeWeight(weight)))
        return failure();
      continue;
    }
    auto launch = dyn_cast<kernel::CallOp>(op);
    if (!launch)
      continue;
    for (Value input : launch.getInputs()) {
      Value root = roots.contains(input) ? roots[input] : input;
      auto it = numbers.find(root);
      if (it != numbers.end())
        found[it->second].second.second = call;
    }
    for (Value result : launch.getResults())
      if (!places.contains(result)) {
        numbers[result] = found.size();
        places[result] = {kernel::StorageKind::Value,
                          static_cast<int64_t>(found.size())};
        found.push_back({result, {call, call}});
      }
    ++call;
  }
  for (auto [value, life] : found) {
    auto type = cast<RankedTensorType>(value.getType());
    AffineExpr bytes =
        sizes.elementCountOf(value) * elementBytes(type.getElementType());
    FailureOr<AffineMap> map = overSymbols(value.getLoc(), bytes);
    if (failed(map))
      return failure();
    values.push_back(kernel::ValueAttr::get(builder.getContext(), *map,
                                            life.first, life.second));
  }
  for (auto [view, root] : roots)
    if (places.contains(root))
      places[view] = places[root];
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

FailureOr<Value> EntryPlanner::storageOf(Location loc, Value tensor) {
  auto it = places.find(tensor);
  if (it == places.end())
    return emitError(loc, "expects a kernel's operand to be an input, a "
                          "weight, a kernel's result or a reshape of one");
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> dynamic;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i))
      continue;
    FailureOr<AffineMap> checked = overSymbols(loc, sizes.dimOf(tensor, i));
    if (failed(checked))
      return failure();
    OpFoldResult size = sizes.materialize(builder, loc, sizes.dimOf(tensor, i));
    dynamic.push_back(
        isa<Value>(size)
            ? cast<Value>(size)
            : arith::ConstantOp::create(
                  builder, loc, cast<TypedAttr>(cast<Attribute>(size)))
                  .getResult());
  }
  return kernel::StorageOp::create(
             builder, loc,
             MemRefType::get(type.getShape(), type.getElementType()), context,
             it->second.kind, it->second.position, dynamic)
      .getResult();
}

LogicalResult EntryPlanner::rewrite() {
  Block &body = entry.getBody().front();
  unsigned oldArguments = body.getNumArguments();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  context = body.addArgument(pointer, entry.getLoc());

  for (Operation &op : llvm::make_early_inc_range(body)) {
    auto call = dyn_cast<kernel::CallOp>(op);
    if (!call)
      continue;
    builder.setInsertionPoint(call);
    SmallVector<Value> arguments;
    for (ValueRange tensors :
         {ValueRange(call.getInputs()), ValueRange(call.getResults())})
      for (Value tensor : tensors) {
        FailureOr<Value> memref = storageOf(call.getLoc(), tensor);
        if (failed(memref))
          return failure();
        arguments.push_back(*memref);
      }
    kernel::LaunchOp::create(builder, call.getLoc(), call.getCalleeAttr(),
                             context, arguments, call.getSizes());
  }

  // Drop the tensors, last first; index arithmetic and assertions stay.
  Operation *terminator = body.getTerminator();
  builder.setInsertionPoint(terminator);
  func::ReturnOp::create(builder, terminator->getLoc());
  terminator->erase();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body))) {
    auto isTensor = [](Type type) { return isa<TensorType>(type); };
    if (!llvm::any_of(op.getResultTypes(), isTensor))
      continue;
    for (OpResult result : op.getResults())
      for (OpOperand &use : llvm::make_early_inc_range(result.getUses())) {
        // Only sizes of a tensor can still be read.
        auto dim = dyn_cast<tensor::DimOp>(use.getOwner());
        if (!dim)
          return use.getOwner()->emitError(
              "reads a tensor's elements outside a kernel");
        builder.setInsertionPoint(dim);
        dim.replaceAllUsesWith(getValueOrCreateConstantIndexOp(
            builder, dim.getLoc(),
            sizes.materialize(builder, dim.getLoc(), sizes.sizeOf(dim))));
        dim.erase();
      }
    op.erase();
  }
  entry.walk([&](graph::SizeOp size) {
    builder.setInsertionPoint(size);
    Value symbol = kernel::SymbolOp::create(
        builder, size.getLoc(), builder.getIndexType(), context,
        symbolNumbers[size.getSymbolAttr()]);
    size.replaceAllUsesWith(symbol);
    size.erase();
  });
  for (unsigned i = 0; i < oldArguments; ++i)
    if (!body.getArgument(i).use_empty())
      return entry.emitError("reads input ") << i << " outside a kernel";
  body.eraseArguments(0, oldArguments);

  entry.setFunctionType(builder.getFunctionType({pointer}, {}));
  entry.removeArgAttrsAttr();
  entry.removeResAttrsAttr();
  builder.setInsertionPointAfter(entry);
  kernel::EntryOp::create(
      builder, entry.getLoc(),
      builder.getStringAttr(entry.getSymName() + "_entry"),
      FlatSymbolRefAttr::get(entry), builder.getArrayAttr(inputs),
      builder.getArrayAttr(outputs), builder.getArrayAttr(namedSizes),
      builder.getArrayAttr(values), builder.getArrayAttr(weights),
      builder.getI64IntegerAttr(weightBytes));
  return success();
}

struct PlanStorage : tessera::impl::PlanStorageBase<PlanStorage> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<graph::SymbolOp> symbols(module.getOps<graph::SymbolOp>());
    for (auto entry :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (failed(EntryPlanner(entry, module, symbols).run()))
        return signalPassFailure();
    for (graph::SymbolOp symbol : symbols)
      symbol.erase();
  }
};

} // namespace
