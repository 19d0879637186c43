// Gives every tensor of an entry its storage: inputs, outputs, weights, or a
// value of the arena whose bytes and life time the runtime packs.
#include "lib/Transforms/Buffer/EntrySizes.h"
#include "lib/Transforms/Buffer/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Interfaces/Movement.h"
#include "dialects/Kernel/IR/Append.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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

/// The output that an input is extended to, or the other way round.
struct Extension {
  int64_t other = -1, dimension = 0;
};

int64_t elementBytes(Type type) {
  return llvm::divideCeil(type.getIntOrFloatBitWidth(), 8);
}

/// Plans one entry function and rewrites it.
class EntryPlanner {
public:
  EntryPlanner(func::FuncOp entry, ModuleOp module,
               ArrayRef<graph::SymbolOp> symbols)
      : entry(entry), module(module), builder(entry.getContext()),
        sizes(entry.getContext()),
        entrySizes(sizes, entry.getContext(), symbols) {}

  LogicalResult run() {
    auto isTensor = llvm::IsaPred<RankedTensorType>;
    if (!llvm::all_of(entry.getArgumentTypes(), isTensor) ||
        !llvm::all_of(entry.getResultTypes(), isTensor))
      return entry.emitOpError("expects tensors to plan storage for, but got ")
             << entry.getFunctionType();
    separateOutputs();
    if (failed(findAppends()) || failed(describePorts()) ||
        failed(placeValues()))
      return failure();
    return rewrite();
  }

private:
  void separateOutputs();
  LogicalResult findAppends();
  LogicalResult describePorts();
  FailureOr<AffineMap> declaredDims(BlockArgument argument);
  LogicalResult placeValues();
  LogicalResult placeWeight(graph::WeightOp weight);
  LogicalResult rewrite();

  /// Reads elements of inputs that sizes depend on from the entry's symbols.
  void replaceInputElements();

  /// The memref of `tensor` at its place.
  FailureOr<Value> storageOf(Location loc, Value tensor);
  FailureOr<SmallVector<Value>> dynamicSizes(Location loc, Value tensor);
  /// The memref of `view`, a reshape of what has the caller's strides.
  FailureOr<Value> stridedView(Location loc, Operation *view);
  /// The part of an append's storage that one of its operands is.
  FailureOr<Value> partOf(Location loc, kernel::AppendOp append, bool isPast);
  void launch(kernel::CallOp call, ArrayRef<Value> arguments);

  /// The extension of the input or output at `place`, or null.
  const Extension *extensionAt(const Place &place) const;

  kernel::PortAttr portOf(StringRef name, Type tensor, DictionaryAttr attributes,
                          AffineMap dims, const Extension &extension,
                          StringAttr node = {});

  func::FuncOp entry;
  ModuleOp module;
  OpBuilder builder;
  graph::SizeAnalysis sizes;
  EntrySizes entrySizes;
  Value context;

  DenseMap<Value, Place> places;
  /// By the number of an input or output.
  DenseMap<int64_t, Extension> extendedInputs, extendingOutputs;
  /// The operands of appends.
  DenseMap<Value, kernel::AppendOp> parts;
  DenseMap<Attribute, uint64_t> weightOffsets;
  uint64_t weightBytes = 0;
  SmallVector<Attribute> inputs, outputs, values, weights;
};

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

kernel::PortAttr EntryPlanner::portOf(StringRef name, Type tensor,
                                      DictionaryAttr attributes, AffineMap dims,
                                      const Extension &extension,
                                      StringAttr node) {
  Type element = cast<RankedTensorType>(tensor).getElementType();
  if (attributes) {
    if (auto given = attributes.getAs<TypeAttr>(graph::kElementTypeAttr))
      element = given.getValue();
    if (auto given = attributes.getAs<StringAttr>(graph::kNameAttr))
      name = given.getValue();
  }
  return kernel::PortAttr::get(builder.getContext(), name, element, dims,
                               extension.other, node);
}

/// The sizes of an input as it names them. Two names that are taken for equal
/// stay two symbols here: each is read from its own input, for the check.
FailureOr<AffineMap> EntryPlanner::declaredDims(BlockArgument argument) {
  auto declared = entry.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                    graph::kDimsAttr);
  return declared ? entrySizes.declaredDims(declared)
                  : entrySizes.overSymbols(argument.getLoc(),
                                           sizes.dimsOf(argument));
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

LogicalResult EntryPlanner::findAppends() {
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto append : entry.getBody().front().getOps<kernel::AppendOp>()) {
    auto output = llvm::find(terminator->getOperands(), append.getResult());
    auto past = append.getPast().getDefiningOp<kernel::CallOp>();
    auto added = append.getAdded().getDefiningOp<kernel::CallOp>();
    int64_t input = append.getInput(),
            number = output - terminator->operand_begin();
    if (output == terminator->operand_end() || !past || !added ||
        input >= static_cast<int64_t>(entry.getNumArguments()) ||
        !llvm::is_contained(past.getInputs(), entry.getArgument(input)) ||
        past->getNumResults() != 1)
      return append.emitOpError("expects to be an output of the entry, and its "
                                "operands the results of kernels, the first of "
                                "one that copies input ")
             << input;
    for (Value part : {append.getPast(), append.getAdded()}) {
      if (!part.hasOneUse())
        return append.emitOpError("expects to be the only one that reads its "
                                  "operands");
      parts[part] = append;
      places[part] = {kernel::StorageKind::Output, number};
    }
    if (!extendedInputs
             .try_emplace(input, Extension{number, static_cast<int64_t>(
                                                       append.getDimension())})
             .second)
      return append.emitOpError("extends input ") << input << " a second time";
    extendingOutputs[number] = {input,
                                static_cast<int64_t>(append.getDimension())};
  }
  return success();
}

const Extension *EntryPlanner::extensionAt(const Place &place) const {
  const DenseMap<int64_t, Extension> *extensions =
      place.kind == kernel::StorageKind::Input    ? &extendedInputs
      : place.kind == kernel::StorageKind::Output ? &extendingOutputs
                                                  : nullptr;
  if (!extensions)
    return nullptr;
  auto it = extensions->find(place.position);
  return it == extensions->end() ? nullptr : &it->second;
}

LogicalResult EntryPlanner::describePorts() {
  for (BlockArgument argument : entry.getArguments()) {
    int64_t number = argument.getArgNumber();
    FailureOr<AffineMap> dims = declaredDims(argument);
    if (failed(dims))
      return failure();
    inputs.push_back(portOf("input_" + std::to_string(number),
                            argument.getType(), entry.getArgAttrDict(number),
                            *dims, extendedInputs.lookup(number)));
    places[argument] = {kernel::StorageKind::Input, number};
  }
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto [number, result] : llvm::enumerate(terminator->getOperands())) {
    FailureOr<AffineMap> dims =
        entrySizes.overSymbols(result.getLoc(), sizes.dimsOf(result));
    if (failed(dims))
      return failure();
    outputs.push_back(portOf("output_" + std::to_string(number),
                             result.getType(), entry.getResultAttrDict(number),
                             *dims, extendingOutputs.lookup(number),
                             nodeNameOf(result.getLoc())));
    // The bytes belong to the kernel result below any reshapes.
    while (Operation *op = result.getDefiningOp()) {
      Value source = viewSource(op);
      if (!source)
        break;
      result = source;
    }
    if (!isa_and_nonnull<kernel::CallOp, kernel::AppendOp>(
            result.getDefiningOp()) ||
        places.contains(result))
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
    FailureOr<AffineMap> map = entrySizes.overSymbols(value.getLoc(), bytes);
    if (failed(map))
      return failure();
    values.push_back(kernel::ValueAttr::get(builder.getContext(), *map,
                                            life.first, life.second,
                                            nodeNameOf(value.getLoc())));
  }
  for (auto [view, root] : roots)
    if (auto known = places.find(root); known != places.end()) {
      Place place = known->second; // not a reference: the map may grow
      places[view] = place;
    }
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

FailureOr<SmallVector<Value>> EntryPlanner::dynamicSizes(Location loc,
                                                         Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> dynamic;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i))
      continue;
    FailureOr<AffineMap> checked =
        entrySizes.overSymbols(loc, sizes.dimOf(tensor, i));
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
  return dynamic;
}

FailureOr<Value> EntryPlanner::stridedView(Location loc, Operation *view) {
  FailureOr<Value> source = storageOf(loc, view->getOperand(0));
  if (failed(source))
    return failure();
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view)) {
    SmallVector<ReassociationIndices> groups =
        collapse.getReassociationIndices();
    if (memref::CollapseShapeOp::isGuaranteedCollapsible(
            cast<MemRefType>(source->getType()), groups))
      return memref::CollapseShapeOp::create(builder, loc, *source, groups)
          .getResult();
  }
  auto expand = dyn_cast<tensor::ExpandShapeOp>(view);
  if (!expand)
    return view->emitError("a cache with the caller's strides is reshaped "
                           "outside of a kernel");
  FailureOr<SmallVector<Value>> dynamic =
      dynamicSizes(loc, expand.getResult());
  if (failed(dynamic))
    return failure();
  return memref::ExpandShapeOp::create(
             builder, loc, expand.getResultType().getShape(), *source,
             expand.getReassociationIndices(),
             getMixedValues(expand.getResultType().getShape(), *dynamic,
                            builder))
      .getResult();
}

FailureOr<Value> EntryPlanner::partOf(Location loc, kernel::AppendOp append,
                                      bool isPast) {
  FailureOr<Value> whole = storageOf(loc, append.getResult());
  Value part = isPast ? append.getPast() : append.getAdded();
  FailureOr<SmallVector<Value>> dynamic = dynamicSizes(loc, part);
  if (failed(whole) || failed(dynamic))
    return failure();
  auto type = cast<RankedTensorType>(part.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)),
      ones(type.getRank(), builder.getIndexAttr(1));
  if (!isPast)
    offsets[append.getDimension()] = sizes.materialize(
        builder, loc, sizes.dimOf(append.getPast(), append.getDimension()));
  return memref::SubViewOp::create(
             builder, loc, *whole, offsets,
             getMixedValues(type.getShape(), *dynamic, builder), ones)
      .getResult();
}

FailureOr<Value> EntryPlanner::storageOf(Location loc, Value tensor) {
  auto it = places.find(tensor);
  if (it == places.end())
    return emitError(loc, "expects a kernel's operand to be an input, a "
                          "weight, a kernel's result or a reshape of one");
  if (kernel::AppendOp append = parts.lookup(tensor))
    return partOf(loc, append, tensor == append.getPast());
  auto type = cast<RankedTensorType>(tensor.getType());
  MemRefType memref = MemRefType::get(type.getShape(), type.getElementType());
  if (const Extension *extension = extensionAt(it->second)) {
    Operation *op = tensor.getDefiningOp();
    if (op && viewSource(op))
      return stridedView(loc, op);
    memref = kernel::appendedType(type, extension->dimension);
  }
  FailureOr<SmallVector<Value>> dynamic = dynamicSizes(loc, tensor);
  if (failed(dynamic))
    return failure();
  return kernel::StorageOp::create(builder, loc, memref, context,
                                   it->second.kind, it->second.position,
                                   *dynamic)
      .getResult();
}

/// Launches the kernel, but a copy of the past only where it is not in place.
void EntryPlanner::launch(kernel::CallOp call, ArrayRef<Value> arguments) {
  OpBuilder::InsertionGuard guard(builder);
  kernel::AppendOp append = parts.lookup(call.getResult(0));
  if (append && call.getResult(0) == append.getPast()) {
    Value isInPlace = kernel::IsInPlaceOp::create(
        builder, call.getLoc(), builder.getI1Type(), context,
        append.getInput(), places[append.getResult()].position);
    Value isCopied = arith::XOrIOp::create(
        builder, call.getLoc(), isInPlace,
        arith::ConstantOp::create(builder, call.getLoc(),
                                  builder.getBoolAttr(true)));
    auto branch = scf::IfOp::create(builder, call.getLoc(), isCopied,
                                    /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  kernel::LaunchOp::create(builder, call.getLoc(), call.getCalleeAttr(), context,
                           arguments, call.getSizes());
}

void EntryPlanner::replaceInputElements() {
  entry.walk([&](tensor::ExtractOp extract) {
    auto argument = dyn_cast<BlockArgument>(extract.getTensor());
    std::optional<int64_t> index = 0;
    if (!extract.getIndices().empty())
      index = getConstantIntValue(extract.getIndices().front());
    if (!argument || extract.getIndices().size() > 1 || !index ||
        !extract.getType().isInteger())
      return;
    builder.setInsertionPoint(extract);
    Value symbol = kernel::SymbolOp::create(
        builder, extract.getLoc(), builder.getIndexType(), context,
        entrySizes.elementNumber(argument.getArgNumber(), *index));
    extract.replaceAllUsesWith(
        arith::IndexCastOp::create(builder, extract.getLoc(), extract.getType(),
                                   symbol)
            .getResult());
    extract.erase();
  });
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
    launch(call, arguments);
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
        entrySizes.numberOf(size.getSymbolAttr()));
    size.replaceAllUsesWith(symbol);
    size.erase();
  });
  replaceInputElements();
  for (unsigned i = 0; i < oldArguments; ++i)
    if (!body.getArgument(i).use_empty())
      return entry.emitError("reads input ") << i << " outside a kernel";
  body.eraseArguments(0, oldArguments);

  entry.setFunctionType(builder.getFunctionType({pointer}, {}));
  entry.removeArgAttrsAttr();
  entry.removeResAttrsAttr();
  builder.setInsertionPointAfter(entry);
  auto described = kernel::EntryOp::create(
      builder, entry.getLoc(),
      builder.getStringAttr(entry.getSymName() + "_entry"),
      FlatSymbolRefAttr::get(entry), /*checks=*/FlatSymbolRefAttr(),
      builder.getArrayAttr(inputs),
      builder.getArrayAttr(outputs), entrySizes.getNamed(),
      entrySizes.getComputed(), builder.getArrayAttr(values),
      builder.getArrayAttr(weights), builder.getI64IntegerAttr(weightBytes));
  if (!extendingOutputs.empty()) {
    SmallVector<int64_t> axes;
    for (int64_t number = 0, e = outputs.size(); number < e; ++number)
      axes.push_back(extendingOutputs.lookup(number).dimension);
    described->setAttr(kernel::kAppendAxesAttr,
                       builder.getDenseI64ArrayAttr(axes));
  }
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
