// Turns the concatenation of an input with new elements, an output, into an append
// that leaves the input's elements where they are.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Append.h"
#include "lib/CostModel/KernelRoute.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_APPENDCACHES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

namespace {

/// A call whose result begins with an input of the entry.
struct Append {
  CallOp call;
  FuncOp kernel;
  tensor::ConcatOp concat;
  /// Of the entry, and the kernel's argument that it is.
  BlockArgument input, argument;
};

class CacheAppender {
public:
  CacheAppender(func::FuncOp entry, SymbolTable &symbols, StringRef target)
      : entry(entry), symbols(symbols), target(target) {}

  void run();

private:
  std::optional<Append> match(unsigned result, Value output);
  bool haveSameType(BlockArgument input, unsigned result);
  bool readsStrides(Value value, MemRefType type, std::string &reason);
  FuncOp createPart(Append &append, bool isPast,
                    SmallVectorImpl<int64_t> &inputs);
  Value callPart(OpBuilder &builder, Append &append, bool isPast);
  void rewrite(Append &append);

  func::FuncOp entry;
  SymbolTable &symbols;
  StringRef target;
  llvm::SmallDenseSet<Value> extended;
};

} // namespace

/// Whether the code of `kernel` reads and writes at strides of the caller.
static bool takesStrides(FuncOp kernel, StringRef target) {
  return !kernel.getSchedules().empty() &&
         llvm::all_of(kernel.getSchedules(), [&](Attribute schedule) {
           const KernelRoute *route =
               routeFor(target, cast<ScheduleAttrInterface>(schedule));
           return route && route->readsStrides();
         });
}

/// The call's kernel if it does nothing but concatenate, else null.
static tensor::ConcatOp concatOf(FuncOp kernel, StringRef target) {
  if (kernel.getOutputs() != 1 || !kernel.getOutputArguments()[0].use_empty() ||
      !takesStrides(kernel, target))
    return {};
  return kernel.getYield().getValues()[0].getDefiningOp<tensor::ConcatOp>();
}

/// Whether the caller sees the same element type: of u16 and i16, which are both
/// i16 here, one cannot extend the other.
bool CacheAppender::haveSameType(BlockArgument input, unsigned result) {
  return entry.getArgAttr(input.getArgNumber(), graph::kElementTypeAttr) ==
         entry.getResultAttr(result, graph::kElementTypeAttr);
}

std::optional<Append> CacheAppender::match(unsigned result, Value output) {
  Append append;
  append.call = output.getDefiningOp<CallOp>();
  if (!append.call)
    return std::nullopt;
  append.kernel = symbols.lookup<FuncOp>(append.call.getCallee());
  append.concat = concatOf(append.kernel, target);
  if (!append.concat || append.concat.getInputs().size() < 2)
    return std::nullopt;
  // Nothing is kept or added: a part of nothing begins nowhere.
  if (llvm::any_of(append.concat.getInputs(), [](Value part) {
        auto type = cast<RankedTensorType>(part.getType());
        return llvm::is_contained(type.getShape(), 0);
      }))
    return std::nullopt;
  append.argument =
      dyn_cast<BlockArgument>(append.concat.getInputs().front());
  if (!append.argument || static_cast<int64_t>(append.argument.getArgNumber()) >=
                              append.kernel.getInputCount())
    return std::nullopt;
  append.input = dyn_cast<BlockArgument>(
      append.call.getInputs()[append.argument.getArgNumber()]);
  if (!append.input || !haveSameType(append.input, result) ||
      !extended.insert(append.input).second)
    return std::nullopt;
  std::string reason;
  for (Value value : {output, Value(append.input)})
    if (reason.empty() &&
        !readsStrides(value,
                      appendedType(cast<RankedTensorType>(value.getType()),
                                   append.concat.getDim()),
                      reason)) {
      remark::missed(append.concat.getLoc(),
                     remark::RemarkOpts::name("append").category("cache"))
          << reason;
      return std::nullopt;
    }
  return append;
}

/// Whether all users of `value` can read it, or a reshape of it, in memory of
/// `type`, which has dynamic strides.
bool CacheAppender::readsStrides(Value value, MemRefType type,
                                 std::string &reason) {
  auto isView = [&](Operation *user, FailureOr<MemRefType> viewed) {
    return succeeded(viewed) &&
           readsStrides(user->getResult(0), *viewed, reason);
  };
  unsigned returns = 0;
  for (Operation *user : value.getUsers()) {
    bool reads = false;
    if (auto call = dyn_cast<CallOp>(user)) {
      reads = takesStrides(symbols.lookup<FuncOp>(call.getCallee()), target);
    } else if (isa<func::ReturnOp>(user)) {
      reads = value.getDefiningOp<CallOp>() && ++returns == 1;
    } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(user)) {
      reads = isView(user, memref::ExpandShapeOp::computeExpandedType(
                               type, expand.getResultType().getShape(),
                               expand.getReassociationIndices()));
    } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(user)) {
      SmallVector<ReassociationIndices> groups =
          collapse.getReassociationIndices();
      reads = memref::CollapseShapeOp::isGuaranteedCollapsible(type, groups) &&
              isView(user, memref::CollapseShapeOp::computeCollapsedType(
                               type, groups));
    } else {
      reads = isa<tensor::DimOp>(user);
    }
    if (reads)
      continue;
    if (reason.empty())
      reason = ("'" + user->getName().getStringRef() +
                "' cannot read a cache with strides of the caller")
                   .str();
    return false;
  }
  return true;
}

/// The kernel of one part: the copy of the past, or what is added. `inputs`: the
/// numbers of the inputs that it keeps.
FuncOp CacheAppender::createPart(Append &append, bool isPast,
                                 SmallVectorImpl<int64_t> &inputs) {
  FuncOp whole = append.kernel;
  auto part = cast<FuncOp>(whole->clone());
  symbols.insert(part, Block::iterator(whole));
  YieldOp yield = part.getYield();
  auto concat = yield.getValues()[0].getDefiningOp<tensor::ConcatOp>();
  Value value = concat.getInputs().front();
  if (!isPast) {
    OpBuilder builder(concat);
    ValueRange added = concat.getInputs().drop_front();
    value = added.size() == 1
                ? added.front()
                : tensor::ConcatOp::create(builder, concat.getLoc(),
                                           concat.getDim(), added);
  }
  yield->setOperand(0, value);
  Block &body = part.getBody().front();
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      op.erase();

  int64_t dimension = append.concat.getDim();
  AffineMap past = whole.getShape(append.argument.getArgNumber()), shape = past;
  if (!isPast) {
    AffineMap both = whole.getShape(whole.getInputCount());
    SmallVector<AffineExpr> sizes(both.getResults());
    sizes[dimension] =
        simplifyAffineExpr(sizes[dimension] - past.getResult(dimension), 0,
                           both.getNumSymbols());
    shape = AffineMap::get(0, both.getNumSymbols(), sizes, part.getContext());
  }
  SmallVector<Attribute> shapes;
  body.getArgument(whole.getInputCount()).setType(value.getType());
  for (int64_t i = 0; i < whole.getInputCount(); ++i) {
    BlockArgument argument = body.getArgument(inputs.size());
    if (argument.use_empty()) {
      body.eraseArgument(inputs.size());
      continue;
    }
    inputs.push_back(i);
    shapes.push_back(whole.getShapes()[i]);
  }
  shapes.push_back(AffineMapAttr::get(shape));
  Builder builder(part.getContext());
  part.setShapesAttr(builder.getArrayAttr(shapes));
  part.setFunctionType(builder.getFunctionType(body.getArgumentTypes(),
                                               value.getType()));
  return part;
}

/// The result of the part's kernel.
Value CacheAppender::callPart(OpBuilder &builder, Append &append,
                              bool isPast) {
  SmallVector<int64_t> kept;
  FuncOp part = createPart(append, isPast, kept);
  CallOp call = append.call;
  Location loc = call.getLoc();
  SmallVector<Value> inputs, sizes;
  for (int64_t number : kept)
    inputs.push_back(call.getInputs()[number]);
  auto type = cast<RankedTensorType>(part.getOutputArguments()[0].getType());
  AffineMap shape = part.getShape(part.getInputCount());
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(affine::expandAffineExpr(builder, loc, shape.getResult(i),
                                               {}, call.getSizes()));
  Value into = tensor::EmptyOp::create(builder, loc, type, sizes);
  return CallOp::create(builder, loc, type, part.getSymName(), inputs, into,
                        call.getSizes())
      .getResult(0);
}

/// %y = kernel.call @concat ins(%past, %new) outs(%e)
///   ==>
/// %p = kernel.call @concat_past ins(%past) …
/// %n = kernel.call @concat_new ins(%new) …
/// %y = kernel.append %p, %n outs(%e) along … of input …
void CacheAppender::rewrite(Append &append) {
  CallOp call = append.call;
  OpBuilder builder(call);
  Value past = callPart(builder, append, /*isPast=*/true);
  Value added = callPart(builder, append, /*isPast=*/false);
  auto whole = AppendOp::create(
      builder, call.getLoc(), call.getResultTypes()[0], past, added,
      call.getOutputs()[0], append.concat.getDim(), append.input.getArgNumber());
  remark::passed(append.concat.getLoc(),
                 remark::RemarkOpts::name("append").category("cache"))
      << "appends to an input in place";
  call.getResult(0).replaceAllUsesWith(whole.getResult());
  call.erase();
  FuncOp kernel = append.kernel;
  if (SymbolTable::symbolKnownUseEmpty(kernel, kernel->getParentOp()))
    symbols.erase(kernel);
}

void CacheAppender::run() {
  Operation *end = entry.getBody().front().getTerminator();
  for (auto [result, output] : llvm::enumerate(end->getOperands()))
    if (std::optional<Append> append = match(result, output))
      rewrite(*append);
}

namespace {
struct AppendCaches : tessera::impl::AppendCachesBase<AppendCaches> {
  using AppendCachesBase::AppendCachesBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (!entry.isExternal())
        CacheAppender(entry, symbols, target.getValue()).run();
  }
};
} // namespace
