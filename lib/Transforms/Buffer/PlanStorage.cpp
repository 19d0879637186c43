// Gives every tensor of an entry its storage: inputs, outputs, weights, or a
// value of the arena whose bytes and life time the runtime packs.
//
// What an input or output is says EntryPorts.h, which tensors are the same bytes, and
// when, TensorLives.h; here each gets a place, calls become launches on memrefs
// (TensorStorage.h), and the tensors go (RemoveTensors.h).
#include "lib/Transforms/Buffer/Passes.h"
#include "lib/Transforms/Buffer/RemoveTensors.h"
#include "lib/Transforms/Buffer/SeparateResults.h"
#include "lib/Transforms/Buffer/TensorStorage.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tessera {
#define GEN_PASS_DEF_PLANSTORAGE
#include "lib/Transforms/Buffer/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Weights begin at multiples of this many bytes, a cache line and a vector.
constexpr uint64_t kWeightAlignment = 64;

int64_t bytesOf(Type tensor) {
  return llvm::divideCeil(cast<RankedTensorType>(tensor).getElementTypeBitWidth(),
                          8);
}

/// Plans one entry function and rewrites it.
class EntryPlanner {
public:
  EntryPlanner(func::FuncOp entry, graph::SizeAnalysis &sizes,
               EntrySizes &entrySizes, const EntryPorts &ports,
               const TensorLives &lives)
      : entry(entry), builder(entry.getContext()), sizes(sizes),
        entrySizes(entrySizes), ports(ports), lives(lives),
        storage(sizes, entrySizes, ports, lives) {}

  LogicalResult run() {
    return success(succeeded(placePorts()) && succeeded(placeValues()) &&
                   succeeded(rewrite()));
  }

private:
  LogicalResult placePorts();
  LogicalResult placeValues();
  void placeWeight(graph::WeightOp weight);

  LogicalResult rewrite();
  LogicalResult launch(kernel::CallOp call);
  /// Reads sizes, and elements that conditions and bounds are made of, without
  /// tensors.
  LogicalResult replaceReads();
  FailureOr<Value> readElement(tensor::ExtractOp extract);
  void replaceSymbols();
  void describeEntry();

  func::FuncOp entry;
  OpBuilder builder;
  graph::SizeAnalysis &sizes;
  EntrySizes &entrySizes;
  const EntryPorts &ports;
  const TensorLives &lives;
  TensorStorage storage;
  Value context;

  DenseMap<Attribute, uint64_t> weightOffsets;
  uint64_t weightBytes = 0;
  SmallVector<Attribute> values, weights;
};

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

LogicalResult EntryPlanner::placePorts() {
  for (BlockArgument argument : entry.getArguments())
    storage.setPlace(argument,
                     {kernel::StorageKind::Input, argument.getArgNumber()});
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto [number, result] : llvm::enumerate(terminator->getOperands())) {
    // The bytes belong to the kernel result below any reshapes.
    Place place{kernel::StorageKind::Output, static_cast<int64_t>(number)};
    if (!isa_and_nonnull<kernel::CallOp, kernel::AppendOp, scf::IfOp, scf::ForOp>(
            belowViews(result).getDefiningOp()) ||
        !storage.setPlace(result, place))
      return entry.emitError("expects output ")
             << number << " to be the result of a kernel of its own";
    if (auto append = result.getDefiningOp<kernel::AppendOp>())
      for (Value part : {append.getPast(), append.getAdded()})
        storage.setPlace(part, place);
  }
  return success();
}

void EntryPlanner::placeWeight(graph::WeightOp weight) {
  auto [it, isNew] =
      weightOffsets.try_emplace(weight.getWeightsAttr(), weightBytes);
  if (isNew) {
    auto type = cast<RankedTensorType>(weight.getType());
    weights.push_back(kernel::WeightPlaceAttr::get(
        builder.getContext(), weight.getWeightsAttr(), it->second));
    weightBytes +=
        llvm::alignTo(type.getNumElements() * bytesOf(type), kWeightAlignment);
  }
  storage.setPlace(weight, {kernel::StorageKind::Weights,
                            static_cast<int64_t>(it->second)});
}

LogicalResult EntryPlanner::placeValues() {
  entry.walk([&](graph::WeightOp weight) { placeWeight(weight); });
  for (Value value : lives.inOrder()) {
    if (!storage.setPlace(value, {kernel::StorageKind::Value,
                                  static_cast<int64_t>(values.size())}))
      continue;
    FailureOr<AffineMap> bytes = entrySizes.overSymbols(
        value.getLoc(), sizes.elementCountOf(value) * bytesOf(value.getType()));
    if (failed(bytes))
      return failure();
    Life life = lives.lifeOf(value);
    values.push_back(kernel::ValueAttr::get(builder.getContext(), *bytes,
                                            life.first, life.last,
                                            nodeNameOf(value.getLoc())));
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// Launches the kernel, but a copy of the past only where it is not in place.
LogicalResult EntryPlanner::launch(kernel::CallOp call) {
  builder.setInsertionPoint(call);
  Location loc = call.getLoc();
  SmallVector<Value> arguments;
  for (ValueRange tensors :
       {ValueRange(call.getInputs()), ValueRange(call.getResults())})
    for (Value tensor : tensors) {
      FailureOr<Value> memref = storage.create(builder, loc, context, tensor);
      if (failed(memref))
        return failure();
      arguments.push_back(*memref);
    }
  kernel::AppendOp append = ports.appendOf(call.getResult(0));
  if (append && call.getResult(0) == append.getPast()) {
    Value isInPlace = kernel::IsInPlaceOp::create(
        builder, loc, builder.getI1Type(), context, append.getInput(),
        storage.placeOf(append.getResult())->position);
    Value isCopied = arith::XOrIOp::create(
        builder, loc, isInPlace,
        arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true)));
    auto branch =
        scf::IfOp::create(builder, loc, isCopied, /*withElseRegion=*/false);
    builder.setInsertionPointToStart(branch.thenBlock());
  }
  kernel::LaunchOp::create(builder, loc, call.getCalleeAttr(), context, arguments,
                           call.getSizes());
  return success();
}

/// A size that the caller gives as an element of a list is a symbol of the entry; any
/// other element is read where it is stored.
FailureOr<Value> EntryPlanner::readElement(tensor::ExtractOp extract) {
  Location loc = extract.getLoc();
  auto argument = dyn_cast<BlockArgument>(extract.getTensor());
  std::optional<int64_t> index = 0;
  if (!extract.getIndices().empty())
    index = getConstantIntValue(extract.getIndices().front());
  if (argument && argument.getOwner() == &entry.getBody().front() &&
      extract.getIndices().size() <= 1 && index &&
      (extract.getType().isInteger(32) || extract.getType().isInteger(64))) {
    Value symbol = kernel::SymbolOp::create(
        builder, loc, builder.getIndexType(), context,
        entrySizes.elementNumber(argument.getArgNumber(), *index));
    return arith::IndexCastOp::create(builder, loc, extract.getType(), symbol)
        .getResult();
  }
  FailureOr<Value> memref =
      storage.create(builder, loc, context, extract.getTensor());
  if (failed(memref))
    return failure();
  return memref::LoadOp::create(builder, loc, *memref, extract.getIndices())
      .getResult();
}

LogicalResult EntryPlanner::replaceReads() {
  SmallVector<Operation *> reads;
  entry.walk([&](Operation *op) {
    if (isa<tensor::DimOp, tensor::ExtractOp>(op))
      reads.push_back(op);
  });
  for (Operation *op : reads) {
    builder.setInsertionPoint(op);
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      FailureOr<Value> element = readElement(extract);
      if (failed(element))
        return failure();
      op->getResult(0).replaceAllUsesWith(*element);
    } else {
      op->getResult(0).replaceAllUsesWith(getValueOrCreateConstantIndexOp(
          builder, op->getLoc(),
          sizes.materialize(builder, op->getLoc(), sizes.sizeOf(op->getResult(0)))));
    }
  }
  // Not before: the analysis knows sizes by their values.
  for (Operation *op : llvm::reverse(reads))
    op->erase();
  return success();
}

void EntryPlanner::replaceSymbols() {
  entry.walk([&](graph::SizeOp size) {
    builder.setInsertionPoint(size);
    Value symbol = kernel::SymbolOp::create(
        builder, size.getLoc(), builder.getIndexType(), context,
        entrySizes.numberOf(size.getSymbolAttr()));
    size.replaceAllUsesWith(symbol);
    size.erase();
  });
}

LogicalResult EntryPlanner::rewrite() {
  Block &body = entry.getBody().front();
  unsigned oldArguments = body.getNumArguments();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  context = body.addArgument(pointer, entry.getLoc());

  SmallVector<kernel::CallOp> calls;
  entry.walk([&](kernel::CallOp call) { calls.push_back(call); });
  for (kernel::CallOp call : calls)
    if (failed(launch(call)))
      return failure();
  if (failed(replaceReads()) || failed(removeTensors(entry)))
    return failure();
  replaceSymbols();
  for (unsigned i = 0; i < oldArguments; ++i)
    if (!body.getArgument(i).use_empty())
      return entry.emitError("reads input ") << i << " outside a kernel";
  body.eraseArguments(0, oldArguments);

  entry.setFunctionType(builder.getFunctionType({pointer}, {}));
  entry.removeArgAttrsAttr();
  entry.removeResAttrsAttr();
  describeEntry();
  return success();
}

void EntryPlanner::describeEntry() {
  builder.setInsertionPointAfter(entry);
  auto described = kernel::EntryOp::create(
      builder, entry.getLoc(),
      builder.getStringAttr(entry.getSymName() + "_entry"),
      FlatSymbolRefAttr::get(entry), /*checks=*/FlatSymbolRefAttr(),
      builder.getArrayAttr(ports.getInputs()),
      builder.getArrayAttr(ports.getOutputs()), entrySizes.getNamed(),
      entrySizes.getComputed(), builder.getArrayAttr(values),
      builder.getArrayAttr(weights), builder.getI64IntegerAttr(weightBytes));
  if (SmallVector<int64_t> axes = ports.appendAxes(); !axes.empty())
    described->setAttr(kernel::kAppendAxesAttr,
                       builder.getDenseI64ArrayAttr(axes));
}

LogicalResult planEntry(func::FuncOp entry, ArrayRef<graph::SymbolOp> symbols) {
  auto isTensor = llvm::IsaPred<RankedTensorType>;
  if (!llvm::all_of(entry.getArgumentTypes(), isTensor) ||
      !llvm::all_of(entry.getResultTypes(), isTensor))
    return entry.emitOpError("expects tensors to plan storage for, but got ")
           << entry.getFunctionType();
  separateResults(entry);
  graph::SizeAnalysis sizes(entry.getContext());
  EntrySizes entrySizes(sizes, entry.getContext(), symbols);
  FailureOr<TensorLives> lives = TensorLives::of(entry);
  if (failed(lives))
    return failure();
  FailureOr<EntryPorts> ports = EntryPorts::of(entry, sizes, entrySizes);
  if (failed(ports))
    return failure();
  return EntryPlanner(entry, sizes, entrySizes, *ports, *lives).run();
}

struct PlanStorage : tessera::impl::PlanStorageBase<PlanStorage> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<graph::SymbolOp> symbols(module.getOps<graph::SymbolOp>());
    for (auto entry :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (failed(planEntry(entry, symbols)))
        return signalPassFailure();
    for (graph::SymbolOp symbol : symbols)
      symbol.erase();
  }
};

} // namespace
