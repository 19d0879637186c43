// The generic route; see the header.
#include "lib/Target/CPU/Generic/GenericKernel.h"
#include "dialects/Graph/Conversion/StructuredOps.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeMaterialization.h"
#include "dialects/Interfaces/Movement.h"
#include "lib/Target/CPU/Generic/ParallelLoops.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace tessera;

void cpu::registerGenericKernelInterfaces(DialectRegistry &registry) {
  registry.insert<bufferization::BufferizationDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerBufferizableOpInterfaceExternalModels(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
}

/// The inverse of the reshape `view`, of `tensor`, which has the type of its
/// result. Null when it is not a reshape.
static Value createInverse(OpBuilder &builder, Operation *view, Value tensor,
                           graph::SizeAnalysis &sizes) {
  Location loc = view->getLoc();
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view))
    return tensor::CollapseShapeOp::create(builder, loc, expand.getSrcType(),
                                           tensor,
                                           expand.getReassociationIndices());
  if (auto cast = dyn_cast<tensor::CastOp>(view))
    return tensor::CastOp::create(builder, loc, cast.getSource().getType(),
                                  tensor);
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(view);
  if (!collapse)
    return {};
  SmallVector<OpFoldResult> shape =
      graph::materializeShape(builder, loc, sizes, collapse.getSrcType(),
                              sizes.dimsOf(collapse.getSrc()));
  return tensor::ExpandShapeOp::create(
      builder, loc, collapse.getSrcType(), tensor,
      collapse.getReassociationIndices(), shape);
}

/// Makes what computes `value` write into `output`: follows destinations, what
/// loops begin with, and reshapes up to where the chain begins, and lets it begin
/// with `output`, reshaped the other way. That holds a copy of what was there,
/// unless it was a tensor.empty. Returns false where nothing in such a chain
/// computes, or where it begins with one of `outputs`.
static bool computeInto(Value value, Value output, ValueRange outputs,
                        graph::SizeAnalysis &sizes) {
  SmallVector<Operation *> reshapes;
  OpOperand *use = nullptr;
  bool computes = false;
  while (Operation *op = value.getDefiningOp()) {
    // Others need what the next one in the chain would overwrite.
    if (use && !isPartOfSource(use->getOwner()) && !value.hasOneUse())
      break;
    if (auto dps = dyn_cast<DestinationStyleOpInterface>(op)) {
      use = dps.getTiedOpOperand(cast<OpResult>(value));
      computes = true;
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      use = &loop.getInitsMutable()[cast<OpResult>(value).getResultNumber()];
      computes = true;
    } else if (isView(op)) {
      reshapes.push_back(op);
      use = &op->getOpOperand(0);
    } else {
      break;
    }
    value = use->get();
  }
  if (!computes || llvm::is_contained(outputs, value))
    return false;
  OpBuilder builder(output.getContext());
  builder.setInsertionPointAfterValue(output);
  for (Operation *op : reshapes)
    output = createInverse(builder, op, output, sizes);
  if (!value.getDefiningOp<tensor::EmptyOp>()) {
    builder.setInsertionPoint(use->getOwner());
    output = linalg::CopyOp::create(builder, use->getOwner()->getLoc(), value,
                                    output)
                 .getResult(0);
  }
  use->set(output);
  return true;
}

/// Makes `kernel` yield what was computed into its output arguments.
static void computeIntoOutputs(kernel::FuncOp kernel) {
  graph::SizeAnalysis sizes(kernel.getContext());
  kernel::YieldOp yield = kernel.getYield();
  ValueRange outputs = kernel.getOutputArguments();
  OpBuilder builder(yield);
  for (auto [operand, output] : llvm::zip(yield->getOpOperands(), outputs))
    if (!computeInto(operand.get(), output, outputs, sizes))
      operand.set(
          linalg::CopyOp::create(builder, yield.getLoc(), operand.get(), output)
              .getResult(0));
}

/// Copies the body of `kernel` into `function`, on tensors that stand for its
/// memrefs, and stores what it yields.
static void inlineBody(kernel::FuncOp kernel, func::FuncOp function) {
  OpBuilder builder(function.getBody().front().getTerminator());
  Location loc = kernel.getLoc();
  IRMapping mapping;
  int64_t tensors = kernel.getTensorCount(), inputs = kernel.getInputCount();
  for (int64_t i = 0, e = kernel.getNumArguments(); i < e; ++i) {
    BlockArgument argument = kernel.getArgument(i);
    Value value = function.getArgument(i + 1);
    if (i < tensors)
      value = bufferization::ToTensorOp::create(
          builder, loc, argument.getType(), value, /*restrict=*/true,
          /*writable=*/i >= inputs);
    mapping.map(argument, value);
  }
  for (Operation &op : kernel.getBody().front().without_terminator())
    builder.clone(op, mapping);
  for (auto [i, yielded] : llvm::enumerate(kernel.getYield().getValues()))
    bufferization::MaterializeInDestinationOp::create(
        builder, loc, TypeRange(), mapping.lookup(yielded),
        function.getArgument(inputs + i + 1),
        /*restrict=*/true, /*writable=*/true);
}

static LogicalResult bufferize(func::FuncOp function) {
  bufferization::OneShotBufferizationOptions options;
  options.allowUnknownOps = true;
  options.setFunctionBoundaryTypeConversion(
      bufferization::LayoutMapOption::InferLayoutMap);
  bufferization::BufferizationState state;
  return bufferization::runOneShotBufferize(function, options, state);
}

static LogicalResult simplify(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  RewritePatternSet patterns(context);
  const llvm::StringSet<> dialects = {"affine", "arith",  "bufferization",
                                      "linalg", "memref", "scf"};
  for (const auto &name : dialects.keys())
    if (Dialect *dialect = context->getLoadedDialect(name))
      dialect->getCanonicalizationPatterns(patterns);
  // Not getRegisteredOperationsByDialect, which finds none.
  for (RegisteredOperationName op : context->getRegisteredOperations())
    if (dialects.contains(op.getDialectNamespace()))
      op.getCanonicalizationPatterns(patterns, context);
  return applyPatternsGreedily(function, std::move(patterns));
}

/// memref.copy  ==>  linalg.generic, which becomes a parallel loop as well.
/// What was computed in its destination is copied to itself.
static void convertCopies(func::FuncOp function) {
  function.walk([](memref::CopyOp copy) {
    if (copy.getSource() == copy.getTarget()) {
      copy.erase();
      return;
    }
    OpBuilder builder(copy);
    int64_t rank = cast<MemRefType>(copy.getTarget().getType()).getRank();
    SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(rank));
    SmallVector<utils::IteratorType> iterators(rank,
                                               utils::IteratorType::parallel);
    linalg::GenericOp::create(
        builder, copy.getLoc(), copy.getSource(), copy.getTarget(), maps,
        iterators, [](OpBuilder &nested, Location loc, ValueRange elements) {
          linalg::YieldOp::create(nested, loc, elements.front());
        });
    copy.erase();
  });
}

/// memref.alloc of a small static size  ==>  memref.alloca
static LogicalResult placeOnStack(func::FuncOp function) {
  DataLayout layout = DataLayout::closest(function);
  int64_t bytes = 0;
  WalkResult result = function.walk([&](memref::AllocOp alloc) {
    MemRefType type = alloc.getType();
    if (!type.hasStaticShape()) {
      alloc.emitError("the generic route needs an intermediate of ")
          << type << ", whose size is not static";
      return WalkResult::interrupt();
    }
    bytes += type.getNumElements() *
             layout.getTypeSize(type.getElementType()).getFixedValue();
    if (bytes > cpu::kStackBytes) {
      alloc.emitError("the generic route keeps at most ")
          << cpu::kStackBytes << " bytes of intermediates, but needs " << bytes;
      return WalkResult::interrupt();
    }
    OpBuilder builder(alloc);
    auto alloca = memref::AllocaOp::create(builder, alloc.getLoc(), type,
                                           builder.getI64IntegerAttr(64));
    alloc.replaceAllUsesWith(alloca.getResult());
    alloc.erase();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// memref.expand_shape that splits a size in two or more unknown ones  ==>
/// memref.reinterpret_cast; MLIR's lowering of these crashes on them.
static void expandByStrides(func::FuncOp function) {
  SmallVector<memref::ExpandShapeOp> expansions;
  function.walk([&](memref::ExpandShapeOp op) {
    for (const ReassociationIndices &group : op.getReassociationIndices())
      if (llvm::count_if(group, [&](int64_t dimension) {
            return op.getResultType().isDynamicDim(dimension);
          }) > 1) {
        expansions.push_back(op);
        return;
      }
  });
  for (memref::ExpandShapeOp op : expansions) {
    OpBuilder builder(op);
    Location loc = op.getLoc();
    MemRefType type = op.getResultType();
    auto source =
        memref::ExtractStridedMetadataOp::create(builder, loc, op.getSrc());
    SmallVector<OpFoldResult> sizes = op.getMixedOutputShape();
    auto [known, offset] = type.getStridesAndOffset();
    SmallVector<OpFoldResult> strides(type.getRank());
    for (auto [group, stride] :
         llvm::zip(op.getReassociationIndices(),
                   source.getConstifiedMixedStrides())) {
      OpFoldResult running = stride;
      for (int64_t dimension : llvm::reverse(group)) {
        strides[dimension] = ShapedType::isDynamic(known[dimension])
                                 ? running
                                 : builder.getIndexAttr(known[dimension]);
        AffineExpr a, b;
        bindSymbols(builder.getContext(), a, b);
        running = affine::makeComposedFoldedAffineApply(
            builder, loc, a * b, {running, sizes[dimension]});
      }
    }
    auto cast = memref::ReinterpretCastOp::create(
        builder, loc, type, source.getBaseBuffer(),
        source.getConstifiedMixedOffset(), sizes, strides);
    op.replaceAllUsesWith(cast.getResult());
    op.erase();
  }
}

LogicalResult cpu::emitGenericKernel(kernel::FuncOp kernel,
                                     func::FuncOp function) {
  if (failed(graph::convertToStructuredOps(kernel)))
    return failure();
  computeIntoOutputs(kernel);
  inlineBody(kernel, function);
  if (failed(bufferize(function)) || failed(simplify(function)))
    return kernel.emitOpError("cannot be put on memory by the generic route");
  convertCopies(function);
  expandByStrides(function);
  SmallVector<linalg::LinalgOp> nests;
  function.walk([&](linalg::LinalgOp op) { nests.push_back(op); });
  for (linalg::LinalgOp op : nests)
    emitParallelLoops(op, function.getArgument(0));
  RewritePatternSet patterns(function.getContext());
  populateAffineToStdConversionPatterns(patterns);
  // What has no function in libm.
  math::populateExpansionPatterns(patterns, {"rsqrt", "clampf"});
  if (failed(applyPatternsGreedily(function, std::move(patterns))) ||
      failed(simplify(function)))
    return failure();
  return placeOnStack(function);
}
