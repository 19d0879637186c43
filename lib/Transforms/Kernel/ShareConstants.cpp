// Makes one kernel of those that differ only in numbers.
#include "lib/Transforms/Kernel/IdenticalKernels.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"

namespace tessera {
#define GEN_PASS_DEF_SHARECONSTANTS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// A constant says more than an argument: fewer kernels than this stay apart.
static constexpr size_t kFewest = 4;

namespace {

/// A number that may be another one in a kernel which is alike otherwise: where a
/// slice begins along its first dimension, or the elements of a constant of floats
/// or of zero points that are all the same.
struct Number {
  Operation *op;
  TypedAttr value;
};

struct Candidate {
  FuncOp kernel;
  SmallVector<Number> numbers;
};

class Sharing {
public:
  explicit Sharing(ModuleOp module) : module(module), symbols(module) {
    module.walk([&](CallOp call) {
      calls[call.getCalleeAttr().getAttr()].push_back(call);
    });
  }

  void run();

private:
  void share(ArrayRef<Candidate *> kernels);
  void makeArgument(FuncOp kernel, const Number &number);
  Value argumentOf(FuncOp kernel, unsigned position, Type type, AffineMap shape);
  FlatSymbolRefAttr weightsOf(Location loc, DenseElementsAttr value);

  ModuleOp module;
  SymbolTable symbols;
  DenseMap<StringAttr, SmallVector<CallOp>> calls;
  DenseMap<Attribute, FlatSymbolRefAttr> weights;
};

} // namespace

/// Floats, and the integers that quantized numbers and their zero points are.
static bool mayVary(Type element) {
  return isa<FloatType>(element) || element.isInteger(8) ||
         element.isInteger(32);
}

static std::optional<Number> numberOf(Operation *op) {
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    ArrayRef<int64_t> offsets = slice.getStaticOffsets();
    if (!offsets.empty() && !ShapedType::isDynamic(offsets.front()))
      return Number{op, Builder(op).getIndexAttr(offsets.front())};
  }
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    if (auto splat = dyn_cast<SplatElementsAttr>(constant.getValue()))
      if (isa<RankedTensorType>(splat.getType()) &&
          mayVary(splat.getElementType()))
        return Number{op, splat};
  return std::nullopt;
}

static void set(Operation *op, TypedAttr value) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return constant.setValueAttr(value);
  auto slice = cast<tensor::ExtractSliceOp>(op);
  SmallVector<int64_t> offsets(slice.getStaticOffsets());
  offsets.front() = cast<IntegerAttr>(value).getInt();
  slice.setStaticOffsets(offsets);
}

/// Its numbers, which are 0 from now on.
static Candidate takeNumbers(FuncOp kernel) {
  Candidate candidate{kernel, {}};
  kernel.getBody().walk([&](Operation *op) {
    if (std::optional<Number> number = numberOf(op)) {
      candidate.numbers.push_back(*number);
      set(op, cast<TypedAttr>(Builder(op).getZeroAttr(number->value.getType())));
    }
  });
  return candidate;
}

/// A new argument; the shape is that of a tensor.
Value Sharing::argumentOf(FuncOp kernel, unsigned position, Type type,
                          AffineMap shape) {
  (void)kernel.insertArgument(position, type, {}, kernel.getLoc());
  SmallVector<Attribute> shapes(kernel.getShapes().getValue());
  if (shape)
    shapes.insert(shapes.begin() + position, AffineMapAttr::get(shape));
  unsigned symbolCount = kernel.getNumArguments() - shapes.size();
  for (Attribute &other : shapes)
    other = AffineMapAttr::get(
        AffineMap::get(0, symbolCount,
                       cast<AffineMapAttr>(other).getValue().getResults(),
                       module.getContext()));
  kernel.setShapesAttr(ArrayAttr::get(module.getContext(), shapes));
  return kernel.getArgument(position);
}

FlatSymbolRefAttr Sharing::weightsOf(Location loc, DenseElementsAttr value) {
  FlatSymbolRefAttr &name = weights[value];
  if (!name) {
    OpBuilder builder(module.getContext());
    auto type = TypeAttr::get(value.getType());
    auto made = graph::WeightsOp::create(builder, loc,
                                         builder.getStringAttr("number"), type,
                                         value, type, builder.getArrayAttr({}));
    symbols.insert(made, module.getBody()->begin());
    name = FlatSymbolRefAttr::get(made);
  }
  return name;
}

/// extract_slice %x[3, 0]  ==>  extract_slice %x[%first, 0], %first an argument
/// constant dense<0.3>     ==>  broadcast_to %number
void Sharing::makeArgument(FuncOp kernel, const Number &number) {
  OpBuilder builder(number.op);
  Location loc = number.op->getLoc();
  ArrayRef<CallOp> callers = calls[kernel.getSymNameAttr()];
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(number.op)) {
    SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
    offsets.front() = argumentOf(kernel, kernel.getNumArguments(),
                                 builder.getIndexType(), AffineMap());
    auto shared = tensor::ExtractSliceOp::create(
        builder, loc, slice.getResultType(), slice.getSource(), offsets,
        slice.getMixedSizes(), slice.getMixedStrides());
    number.op->replaceAllUsesWith(shared);
    for (CallOp call : callers) {
      builder.setInsertionPoint(call);
      Value first = arith::ConstantOp::create(builder, loc, number.value);
      call.getSizesMutable().append(first);
    }
  } else {
    auto splat = cast<SplatElementsAttr>(number.value);
    auto single = RankedTensorType::get({}, splat.getElementType());
    Value argument = argumentOf(
        kernel, kernel.getTensorCount() - kernel.getOutputs(), single,
        AffineMap::get(0, 0, builder.getContext()));
    number.op->replaceAllUsesWith(ValueRange(graph::BroadcastToOp::create(
        builder, loc, number.op->getResult(0).getType(), argument,
        ValueRange())));
    FlatSymbolRefAttr name = weightsOf(
        loc, DenseElementsAttr::get(single, splat.getSplatValue<Attribute>()));
    for (CallOp call : callers) {
      builder.setInsertionPoint(call);
      Value weight = graph::WeightOp::create(builder, loc, single, name);
      call.getInputsMutable().append(weight);
    }
  }
  number.op->erase();
}

/// Gives numbers that differ among `kernels` as arguments; the others are constants
/// again.
void Sharing::share(ArrayRef<Candidate *> kernels) {
  for (size_t i = 0, e = kernels.front()->numbers.size(); i < e; ++i) {
    bool isSame = llvm::all_of(kernels, [&](Candidate *other) {
      return other->numbers[i].value == kernels.front()->numbers[i].value;
    });
    for (Candidate *candidate : kernels) {
      const Number &number = candidate->numbers[i];
      if (isSame || kernels.size() < kFewest)
        set(number.op, number.value);
      else
        makeArgument(candidate->kernel, number);
    }
  }
}

void Sharing::run() {
  std::vector<Candidate> all;
  for (auto kernel : module.getOps<FuncOp>())
    all.push_back(takeNumbers(kernel));
  llvm::MapVector<size_t, SmallVector<SmallVector<Candidate *>>> alike;
  for (Candidate &candidate : all) {
    auto &groups = alike[hashOfKernel(candidate.kernel)];
    auto same = llvm::find_if(groups, [&](ArrayRef<Candidate *> group) {
      return areIdenticalKernels(group.front()->kernel, candidate.kernel);
    });
    if (same == groups.end())
      groups.push_back({&candidate});
    else
      same->push_back(&candidate);
  }
  for (auto &[hash, groups] : alike)
    for (ArrayRef<Candidate *> group : groups)
      share(group);
}

namespace {
struct ShareConstants : tessera::impl::ShareConstantsBase<ShareConstants> {
  void runOnOperation() override { Sharing(getOperation()).run(); }
};
} // namespace
