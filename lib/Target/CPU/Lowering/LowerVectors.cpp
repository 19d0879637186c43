// Breaks vector operations into those that LLVM has.
#include "lib/Target/CPU/Passes.h"

#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Dialect/X86Vector/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_LOWERVECTORS
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

/// vector.create_mask %n : vector<8xi1>
///   ==>  [0, 1, … 7] < broadcast(trunc(clamp(%n, 0, 8))) : vector<8xi32>
struct LowerMask : OpRewritePattern<vector::CreateMaskOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(vector::CreateMaskOp op,
                                PatternRewriter &rewriter) const override {
    VectorType type = op.getType();
    if (type.getRank() != 1 || type.isScalable())
      return rewriter.notifyMatchFailure(op, "expects one fixed dimension");
    Location loc = op.getLoc();
    int64_t lanes = type.getDimSize(0);
    Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
    Value all = arith::ConstantIndexOp::create(rewriter, loc, lanes);
    Value count = arith::MaxSIOp::create(rewriter, loc, op.getOperand(0), zero);
    count = arith::MinSIOp::create(rewriter, loc, count, all);
    count = arith::IndexCastOp::create(rewriter, loc, rewriter.getI32Type(),
                                       count);
    auto laneType = VectorType::get({lanes}, rewriter.getI32Type());
    SmallVector<int32_t> numbers =
        llvm::to_vector(llvm::seq<int32_t>(0, lanes));
    Value lane = arith::ConstantOp::create(
        rewriter, loc, DenseElementsAttr::get(laneType, ArrayRef(numbers)));
    Value limit = vector::BroadcastOp::create(rewriter, loc, laneType, count);
    rewriter.replaceOpWithNewOp<arith::CmpIOp>(op, arith::CmpIPredicate::slt,
                                               lane, limit);
    return success();
  }
};

/// Contractions, reductions and permuted transfers, before transfers lose their
/// dimensions.
void populateShapePatterns(RewritePatternSet &patterns) {
  vector::populateVectorContractLoweringPatterns(
      patterns, vector::VectorContractLowering::OuterProduct);
  vector::populateVectorOuterProductLoweringPatterns(patterns);
  vector::populateVectorMultiReductionLoweringPatterns(
      patterns, vector::VectorMultiReductionLowering::InnerParallel);
  vector::populateVectorTransferPermutationMapLoweringPatterns(patterns);
  vector::populateVectorScanLoweringPatterns(patterns);
  vector::populateVectorMaskOpLoweringPatterns(patterns);
  vector::populateVectorMaskLoweringPatternsForSideEffectingOps(patterns);
}

/// Transfers of several dimensions become unrolled ones of one dimension, these
/// loads and stores.
void populateTransferPatterns(RewritePatternSet &patterns) {
  populateVectorToSCFConversionPatterns(
      patterns, VectorTransferToSCFOptions().enableFullUnroll());
  vector::populateVectorTransferLoweringPatterns(patterns,
                                                 /*maxTransferRank=*/1);
  // A transfer that may reach beyond its memref needs a mask to become a load.
  patterns.add<LowerMask>(patterns.getContext(), /*benefit=*/2);
  vector::populateVectorMaskMaterializationPatterns(
      patterns, /*force32BitVectorIndices=*/false);
}

/// What is left becomes shuffles, inserts and extracts of single dimensions.
void populateElementPatterns(RewritePatternSet &patterns) {
  vector::populateVectorMaskOpLoweringPatterns(patterns);
  vector::populateVectorBroadcastLoweringPatterns(patterns);
  vector::populateVectorShapeCastLoweringPatterns(patterns);
  vector::populateVectorInterleaveLoweringPatterns(patterns);
  vector::populateVectorBitCastLoweringPatterns(patterns);
  vector::populateVectorShuffleLoweringPatterns(patterns);
  vector::populateVectorTransposeLoweringPatterns(
      patterns, vector::VectorTransposeLowering::Shuffle16x16);
  vector::populateVectorTransposeLoweringPatterns(
      patterns, vector::VectorTransposeLowering::EltWise);
  vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
  vector::populateVectorStepLoweringPatterns(patterns);
  vector::populateVectorGatherLoweringPatterns(patterns);
  vector::populateVectorRankReducingFMAPattern(patterns);
}

/// Transposes by instructions that LLVM does not find itself.
void populateAvx2Patterns(RewritePatternSet &patterns) {
  x86vector::avx2::populateSpecializedTransposeLoweringPatterns(
      patterns, x86vector::avx2::LoweringOptions().setTransposeOptions(
                    x86vector::avx2::TransposeLoweringOptions()
                        .lower4x8xf32()
                        .lower8x8xf32()));
}

struct LowerVectors : cpu::impl::LowerVectorsBase<LowerVectors> {
  using LowerVectorsBase::LowerVectorsBase;

  void runOnOperation() override {
    for (auto populate : {populateShapePatterns, populateTransferPatterns,
                          populateElementPatterns}) {
      RewritePatternSet patterns(&getContext());
      populate(patterns);
      if (avx2)
        populateAvx2Patterns(patterns);
      if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
        return signalPassFailure();
    }
  }
};

} // namespace
