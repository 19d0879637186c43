// Converts functions on memrefs to the LLVM dialect, but for parallel loops,
// whose bodies OutlineParallelLoops moves out afterwards.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Append.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/AMX/Transforms.h"
#include "mlir/Dialect/X86Vector/Transforms.h"
#include "mlir/Dialect/X86Vector/X86VectorDialect.h"
#include "mlir/Transforms/DialectConversion.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_CONVERTKERNELTOLLVM
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

/// kernel.symbol %ctx i  ==>  ctx->symbols[i]
struct ConvertSymbol : ConvertOpToLLVMPattern<kernel::SymbolOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(kernel::SymbolOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, cpu::emitLoad(rewriter, op.getLoc(),
                                         adaptor.getRunContext(),
                                         cpu::ContextField::symbols,
                                         op.getNumber(), getIndexType()));
    return success();
  }
};

/// kernel.is_in_place %ctx input i output j
///   ==>  ctx->inputs[i] == ctx->outputs[j]
struct ConvertIsInPlace : ConvertOpToLLVMPattern<kernel::IsInPlaceOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(kernel::IsInPlaceOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto address = [&](cpu::ContextField field, int64_t number) {
      return cpu::emitLoad(rewriter, op.getLoc(), adaptor.getRunContext(),
                           field, number, getPtrType());
    };
    rewriter.replaceOpWithNewOp<LLVM::ICmpOp>(
        op, LLVM::ICmpPredicate::eq,
        address(cpu::ContextField::inputs, op.getInput()),
        address(cpu::ContextField::outputs, op.getOutput()));
    return success();
  }
};

/// kernel.storage %ctx kind i sizes(…)  ==>  a descriptor of dense row-major
/// strides, or those of the context, around ctx->inputs[i], weights + i,
/// arena + offsets[i] …
struct ConvertStorage : ConvertOpToLLVMPattern<kernel::StorageOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(kernel::StorageOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getResult().getType());
    auto dense = MemRefType::get(type.getShape(), type.getElementType());
    if (!isConvertibleAndHasIdentityMaps(dense))
      return rewriter.notifyMatchFailure(op, "expects convertible elements");
    Value pointer = emitPointer(op, adaptor.getRunContext(), rewriter);
    SmallVector<Value> sizes, strides;
    Value count;
    getMemRefDescriptorSizes(loc, dense, adaptor.getSizes(), rewriter, sizes,
                             strides, count, /*sizeInBytes=*/false);
    if (type != dense)
      loadStrides(op, type, adaptor.getRunContext(), rewriter, strides);
    rewriter.replaceOp(op, {createMemRefDescriptor(loc, type, pointer, pointer,
                                                   sizes, strides, rewriter)});
    return success();
  }

  /// Replaces the strides that are dynamic in `type` by the caller's.
  void loadStrides(kernel::StorageOp op, MemRefType type, Value context,
                   ConversionPatternRewriter &rewriter,
                   SmallVectorImpl<Value> &strides) const {
    auto field = op.getKind() == kernel::StorageKind::Input
                     ? cpu::ContextField::inputStrides
                     : cpu::ContextField::outputStrides;
    Value given = cpu::emitLoad(rewriter, op.getLoc(), context, field,
                                op.getPosition(), getPtrType());
    for (auto [i, stride] :
         llvm::enumerate(type.getStridesAndOffset().first))
      if (ShapedType::isDynamic(stride))
        strides[i] = cpu::emitElement(rewriter, op.getLoc(), given, i,
                                      getIndexType());
  }

  Value emitPointer(kernel::StorageOp op, Value context,
                    ConversionPatternRewriter &rewriter) const {
    using cpu::ContextField;
    Location loc = op.getLoc();
    int64_t position = op.getPosition();
    switch (op.getKind()) {
    case kernel::StorageKind::Input:
      return cpu::emitLoad(rewriter, loc, context, ContextField::inputs,
                           position, getPtrType());
    case kernel::StorageKind::Output:
      return cpu::emitLoad(rewriter, loc, context, ContextField::outputs,
                           position, getPtrType());
    case kernel::StorageKind::Weights:
      return cpu::emitAddress(
          rewriter, loc,
          cpu::emitLoad(rewriter, loc, context, ContextField::weights),
          position);
    case kernel::StorageKind::Value:
      break;
    }
    Value arena = cpu::emitLoad(rewriter, loc, context, ContextField::arena);
    Value offset = cpu::emitLoad(rewriter, loc, context, ContextField::offsets,
                                 position, rewriter.getI64Type());
    return LLVM::GEPOp::create(rewriter, loc, getPtrType(),
                               rewriter.getI8Type(), arena,
                               ArrayRef<LLVM::GEPArg>{offset},
                               LLVM::GEPNoWrapFlags::inbounds);
  }
};

/// Converts the count and the types of the body's arguments; the body itself is
/// converted by the other patterns.
struct ConvertParallelFor : ConvertOpToLLVMPattern<kernel::ParallelForOp> {
  using ConvertOpToLLVMPattern::ConvertOpToLLVMPattern;

  LogicalResult
  matchAndRewrite(kernel::ParallelForOp op, OpAdaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (op.getCount().getType() != rewriter.getI64Type() &&
        !op.getCount().getType().isIndex())
      return rewriter.notifyMatchFailure(op, "expects an index or i64 count");
    if (failed(rewriter.convertRegionTypes(&op.getBody(), *getTypeConverter())))
      return rewriter.notifyMatchFailure(op, "expects convertible arguments");
    rewriter.modifyOpInPlace(
        op, [&] { op->setOperands(adaptor.getOperands()); });
    return success();
  }
};

void populatePatterns(LLVMTypeConverter &converter,
                      RewritePatternSet &patterns, SymbolTableCollection &symbols) {
  patterns.add<ConvertSymbol, ConvertStorage, ConvertIsInPlace,
               ConvertParallelFor>(converter);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  populateFuncToLLVMConversionPatterns(converter, patterns, &symbols);
  index::populateIndexToLLVMConversionPatterns(converter, patterns);
  populateMathToLLVMConversionPatterns(converter, patterns,
                                       /*approximateLog1p=*/false);
  populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns, &symbols);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  // A sum of lanes as a tree: a fixed order, and not a chain of scalars.
  populateVectorToLLVMConversionPatterns(converter, patterns,
                                         /*reassociateFPReductions=*/true,
                                         /*force32BitVectorIndices=*/false);
  populateX86VectorLegalizeForLLVMExportPatterns(converter, patterns);
  // Together with those of cf, whose blocks carry tiles.
  populateAMXLegalizeForLLVMExportPatterns(converter, patterns);
}

/// x86 has no masked access of 16-bit elements: LLVM splits it, and takes parts of
/// bf16 through f32 by library functions that no C library of ours has. As
/// integers they only move.
///
///   llvm.intr.masked.load … -> vector<8xbf16>
///     ==>  llvm.intr.masked.load … -> vector<8xi16>, llvm.bitcast
void moveMaskedAsIntegers(ModuleOp module) {
  OpBuilder builder(module.getContext());
  auto integersOf = [&](Type type) -> Type {
    auto vector = dyn_cast<VectorType>(type);
    return vector && vector.getElementType().isBF16()
               ? Type(vector.clone(builder.getI16Type()))
               : Type();
  };
  auto asIntegers = [&](OpOperand &operand) {
    if (Type type = integersOf(operand.get().getType()))
      operand.set(LLVM::BitcastOp::create(builder, operand.getOwner()->getLoc(),
                                          type, operand.get()));
  };
  module.walk([&](Operation *op) {
    if (!isa<LLVM::MaskedLoadOp, LLVM::MaskedStoreOp>(op))
      return;
    builder.setInsertionPoint(op);
    for (OpOperand &operand : op->getOpOperands())
      asIntegers(operand);
    if (op->getNumResults() == 0)
      return;
    Value result = op->getResult(0);
    Type type = integersOf(result.getType());
    if (!type)
      return;
    builder.setInsertionPointAfter(op);
    auto back = LLVM::BitcastOp::create(builder, op->getLoc(), result.getType(),
                                        result);
    result.replaceAllUsesExcept(back, back);
    result.setType(type);
  });
}

/// Upstream leaves what is known of a loop beside the property of its branch.
void annotateLoops(ModuleOp module) {
  module.walk([](LLVM::BrOp branch) {
    if (auto annotation = dyn_cast_or_null<LLVM::LoopAnnotationAttr>(
            branch->removeDiscardableAttr("llvm.loop_annotation")))
      branch.setLoopAnnotationAttr(annotation);
  });
}

struct ConvertKernelToLLVM
    : cpu::impl::ConvertKernelToLLVMBase<ConvertKernelToLLVM> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    options.allocLowering = LowerToLLVMOptions::AllocLowering::None;
    LLVMTypeConverter converter(context, options);

    LLVMConversionTarget target(*context);
    configureX86VectorLegalizeForExportTarget(target);
    configureAMXLegalizeForExportTarget(target);
    target.addLegalOp<ModuleOp, kernel::EndOp, kernel::EntryOp,
                      graph::WeightsOp, graph::SymbolOp>();
    target.addDynamicallyLegalOp<kernel::ParallelForOp>(
        [&](kernel::ParallelForOp op) {
          return converter.isLegal(op->getOperandTypes()) &&
                 converter.isLegal(&op.getBody());
        });

    SymbolTableCollection symbols;
    RewritePatternSet patterns(context);
    populatePatterns(converter, patterns, symbols);
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      return signalPassFailure();
    moveMaskedAsIntegers(module);
    annotateLoops(module);
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (!function.isExternal())
        function.setLinkage(LLVM::Linkage::Internal);
  }
};

} // namespace
