// Makes one kernel of those that differ only in which rows they slice.
#include "lib/Transforms/Kernel/IdenticalKernels.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/MapVector.h"

namespace tessera {
#define GEN_PASS_DEF_SHARESLICES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// A constant says more than an argument: fewer kernels than this stay apart.
static constexpr size_t kFewest = 4;

namespace {

/// A kernel and where its slices begin along their first dimension.
struct Sliced {
  FuncOp kernel;
  SmallVector<tensor::ExtractSliceOp> slices;
  SmallVector<int64_t> first;
};

} // namespace

static void setFirst(tensor::ExtractSliceOp slice, int64_t first) {
  SmallVector<int64_t> offsets(slice.getStaticOffsets());
  offsets.front() = first;
  slice.setStaticOffsets(offsets);
}

/// The slices of known beginning; they begin at 0 until `restore`.
static Sliced takeOffsets(FuncOp kernel) {
  Sliced sliced{kernel, {}, {}};
  kernel.getBody().walk([&](tensor::ExtractSliceOp slice) {
    if (slice.getStaticOffsets().empty() ||
        ShapedType::isDynamic(slice.getStaticOffsets().front()))
      return;
    sliced.slices.push_back(slice);
    sliced.first.push_back(slice.getStaticOffsets().front());
    setFirst(slice, 0);
  });
  return sliced;
}

/// extract_slice %x[3, 0]  ==>  extract_slice %x[%first, 0], %first a new argument
static void makeArgument(FuncOp kernel, tensor::ExtractSliceOp slice) {
  OpBuilder builder(slice);
  unsigned number = kernel.getNumArguments();
  (void)kernel.insertArgument(number, builder.getIndexType(), {},
                              kernel.getLoc());
  SmallVector<Attribute> shapes;
  for (auto shape : kernel.getShapes().getAsRange<AffineMapAttr>()) {
    AffineMap map = shape.getValue();
    shapes.push_back(AffineMapAttr::get(
        AffineMap::get(0, map.getNumSymbols() + 1, map.getResults(),
                       builder.getContext())));
  }
  kernel.setShapesAttr(builder.getArrayAttr(shapes));
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets();
  offsets.front() = kernel.getArgument(number);
  auto shared = tensor::ExtractSliceOp::create(
      builder, slice.getLoc(), slice.getResultType(), slice.getSource(),
      offsets, slice.getMixedSizes(), slice.getMixedStrides());
  slice.replaceAllUsesWith(shared.getResult());
  slice.erase();
}

/// Gives the slices that begin elsewhere in some of `kernels` their beginning as
/// an argument, the others their own again.
static void share(ArrayRef<Sliced *> kernels,
                  const DenseMap<StringAttr, SmallVector<CallOp>> &calls) {
  for (size_t i = 0, e = kernels.front()->slices.size(); i < e; ++i) {
    bool isSame = llvm::all_of(kernels, [&](Sliced *other) {
      return other->first[i] == kernels.front()->first[i];
    });
    for (Sliced *sliced : kernels) {
      if (isSame || kernels.size() < kFewest) {
        setFirst(sliced->slices[i], sliced->first[i]);
        continue;
      }
      makeArgument(sliced->kernel, sliced->slices[i]);
      for (CallOp call : calls.lookup(sliced->kernel.getSymNameAttr())) {
        OpBuilder builder(call);
        call.getSizesMutable().append(
            arith::ConstantIndexOp::create(builder, call.getLoc(),
                                           sliced->first[i])
                .getResult());
      }
    }
  }
}

namespace {
struct ShareSlices : tessera::impl::ShareSlicesBase<ShareSlices> {
  void runOnOperation() override {
    DenseMap<StringAttr, SmallVector<CallOp>> calls;
    getOperation().walk([&](CallOp call) {
      calls[call.getCalleeAttr().getAttr()].push_back(call);
    });
    SmallVector<Sliced> all;
    for (auto kernel : getOperation().getOps<FuncOp>())
      all.push_back(takeOffsets(kernel));
    llvm::MapVector<size_t, SmallVector<SmallVector<Sliced *>>> alike;
    for (Sliced &sliced : all) {
      auto &groups = alike[hashOfKernel(sliced.kernel)];
      auto same = llvm::find_if(groups, [&](ArrayRef<Sliced *> group) {
        return areIdenticalKernels(group.front()->kernel, sliced.kernel);
      });
      if (same == groups.end())
        groups.push_back({&sliced});
      else
        same->push_back(&sliced);
    }
    for (auto &[hash, groups] : alike)
      for (ArrayRef<Sliced *> group : groups)
        share(group, calls);
  }
};
} // namespace
