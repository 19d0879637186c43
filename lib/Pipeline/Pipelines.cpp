// The named pipelines between the IR states.
#include "lib/Pipeline/Pipelines.h"

#include "dialects/Attention/Conversion/Passes.h"
#include "dialects/Attention/IR/Attention.h"
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "dialects/Quantization/Conversion/Passes.h"
#include "dialects/Quantization/IR/Quantization.h"
#include "lib/CostModel/Precision.h"
#include "lib/Target/CPU/Generic/GenericKernel.h"
#include "lib/Target/CPU/Passes.h"
#include "lib/Target/CPU/Pipelines.h"
#include "lib/Target/CPU/Routes.h"
#include "lib/Target/PTX/Passes.h"
#include "lib/Target/PTX/Routes.h"
#include "lib/Transforms/Buffer/Passes.h"
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace tessera;

/// Finds the integer products of a quantized model and leaves the dialect, before any
/// fold: nothing behind knows it.
static void addQuantizationPasses(OpPassManager &passes,
                                  const PipelineOptions &options) {
  if (options.optimizationLevel > 0) {
    passes.addPass(quantization::createFoldParameters());
    passes.addNestedPass<func::FuncOp>(quantization::createRaiseArithmetic());
    passes.addNestedPass<func::FuncOp>(quantization::createMoveThrough());
    passes.addNestedPass<func::FuncOp>(quantization::createCancel());
    passes.addPass(quantization::createRaiseContractions());
    // Of the products that were raised.
    passes.addNestedPass<func::FuncOp>(quantization::createFoldScales());
    passes.addNestedPass<func::FuncOp>(quantization::createChooseSigns());
  }
  passes.addPass(quantization::createQuantizationToArith());
}

void tessera::buildGraphPipeline(OpPassManager &passes,
                                 const PipelineOptions &options) {
  addQuantizationPasses(passes, options);
  passes.addNestedPass<func::FuncOp>(createLegalizeBooleans());
  if (options.optimizationLevel > 0) {
    passes.addPass(createFoldConstants());
    passes.addPass(createCanonicalize());
    passes.addPass(createCSEPass());
    // Before everything that looks for weights: computed ones are weights, too.
    passes.addPass(createSinkArithmeticBelowGathers());
    passes.addPass(createReduceNarrowRows());
    passes.addPass(createFoldWeightArithmetic());
    passes.addPass(createCanonicalize());
    passes.addPass(createCSEPass());
    passes.addNestedPass<func::FuncOp>(createSimplifyPowers());
    // Before anything moves scales, transposes and reshapes of its parts.
    passes.addNestedPass<func::FuncOp>(createRaiseAttention());
    passes.addPass(createCanonicalize());
    passes.addPass(createCSEPass());
    passes.addNestedPass<func::FuncOp>(createPropagateTransposes());
    passes.addNestedPass<func::FuncOp>(createSinkReshapes());
    // Reshapes that moved may have uncovered transposes of transposes.
    passes.addNestedPass<func::FuncOp>(createPropagateTransposes());
    passes.addNestedPass<func::FuncOp>(createFoldPadsIntoConvolutions());
    passes.addPass(createCanonicalize());
    passes.addPass(createCSEPass());
    // Small filters are weights from here on: they are transposed too.
    passes.addPass(createOutlineConstants());
    passes.addPass(createFoldWeightViews());
    passes.addPass(createFoldScalesIntoWeights());
    // After everything that may fold into a weight's recipe or move what reads a product
    // or its bias.
    passes.addPass(createMergeContractions());
    passes.addPass(createCSEPass());
  }
  passes.addPass(createOutlineConstants());
  passes.addPass(createSymbolDCEPass());
}

void tessera::buildKernelPipeline(OpPassManager &passes,
                                  const PipelineOptions &options) {
  if (options.optimizationLevel == 0) {
    passes.addPass(createOnePerOp());
  } else {
    if (isNarrow(precisionNamed(options.precision).value_or(Precision::Highest))) {
      passes.addPass(createNarrowContractions({options.precision}));
      // Weights are converted once, when the artifact is written.
      passes.addPass(createFoldWeightArithmetic());
      passes.addPass(createCanonicalize());
      passes.addPass(createCSEPass());
      passes.addPass(createSymbolDCEPass());
    }
    // Before groups, which the conversions join.
    passes.addNestedPass<func::FuncOp>(createStoreOperands());
    passes.addPass(createOutlineGroups());
    // Here, because each kernel has one call and a product is what its builder sees.
    passes.addPass(createPackWeights());
    passes.addPass(createCanonicalize());
    passes.addPass(createCSEPass());
    passes.addPass(createShareConstants());
    passes.addPass(createMergeIdentical());
    passes.addPass(createChooseSchedules());
    // Here, because what falls to the generic route may need intermediates.
    passes.addPass(createSelectSchedules());
  }
  passes.addPass(createSplitGeneric());
  // Here, because kernels of the generic route read dense memory only.
  if (options.optimizationLevel > 0)
    passes.addPass(createAppendCaches());
  passes.addPass(createCSEPass());
  passes.addPass(createMergeIdentical());
  passes.addPass(createVerifyKernelState());
}

void tessera::buildBufferPipeline(OpPassManager &passes,
                                  const PipelineOptions &options) {
  // What begins here is a file that a person wrote.
  passes.addPass(createVerifyKernelState());
  passes.addPass(createPlanStorage());
  passes.addPass(createSeparateChecks());
  passes.addPass(createCSEPass());
  passes.addPass(createVerifyBufferState());
}

void tessera::buildCpuPipeline(OpPassManager &passes,
                               const PipelineOptions &options) {
  passes.addPass(cpu::createEmitKernels());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
}

//===----------------------------------------------------------------------===//
// Registration
//===----------------------------------------------------------------------===//

namespace {
struct NamedPipelineOptions : PassPipelineOptions<NamedPipelineOptions> {
  Option<int> optimizationLevel{*this, "opt-level",
                                llvm::cl::desc("0 is the oracle, 1 to 3 fuse"),
                                llvm::cl::init(3)};
  Option<std::string> precision{
      *this, "precision", llvm::cl::desc("What products are computed with"),
      llvm::cl::init("highest")};
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("CPU family of the machine record, "
                                         "instead of the module's machine"),
                          llvm::cl::init("")};
};
} // namespace

static void registerPipeline(
    StringRef name, StringRef description,
    void (*build)(OpPassManager &, const PipelineOptions &)) {
  PassPipelineRegistration<NamedPipelineOptions>(
      name, description,
      [build](OpPassManager &passes, const NamedPipelineOptions &given) {
        PipelineOptions options;
        options.optimizationLevel = given.optimizationLevel;
        options.precision = given.precision;
        SetMachineOptions machine;
        machine.keep = given.cpu.empty();
        machine.cpu = given.cpu.empty() ? "x86-64-v3" : given.cpu.getValue();
        // Only schedules need one that nobody gave.
        if (!given.cpu.empty() || build == buildKernelPipeline)
          passes.addPass(createSetMachine(machine));
        build(passes, options);
      });
}

void tessera::registerPipelines() {
  registerPipeline("tessera-graph", "Imported graph to the end of graph state",
                   buildGraphPipeline);
  registerPipeline("tessera-kernel", "Graph state to kernel state",
                   buildKernelPipeline);
  registerPipeline("tessera-buffer", "Kernel state to buffer state",
                   buildBufferPipeline);
  registerPipeline("tessera-cpu", "Buffer state to loops for the CPU",
                   buildCpuPipeline);
  ptx::registerPtxPipeline();
  cpu::registerPipelines();
}

void tessera::registerPasses() {
  attention::registerAttentionConversionPasses();
  quantization::registerQuantizationConversionPasses();
  graph::registerGraphConversionPasses();
  registerGraphTransformsPasses();
  quantization::registerQuantizationTransformsPasses();
  registerKernelTransformsPasses();
  registerBufferTransformsPasses();
  cpu::registerTargetCPUPasses();
  ptx::registerTargetPTXPasses();
}

void tessera::registerDialects(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, arith::ArithDialect, func::FuncDialect,
                  linalg::LinalgDialect, LLVM::LLVMDialect, math::MathDialect,
                  memref::MemRefDialect, scf::SCFDialect, tensor::TensorDialect,
                  vector::VectorDialect, attention::AttentionDialect,
                  graph::GraphDialect, kernel::KernelDialect,
                  quantization::QuantizationDialect>();
  registerLinalgContractions(registry);
  registerMovements(registry);
  cpu::registerGenericKernelInterfaces(registry);
  cpu::registerRoutes(registry);
  ptx::registerRoutes(registry);
}
