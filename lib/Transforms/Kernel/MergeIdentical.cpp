// Keeps one of the kernels that are equal but for their names.
#include "lib/Transforms/Kernel/IdenticalKernels.h"
#include "lib/Transforms/Kernel/Passes.h"
#include "dialects/Kernel/IR/MissedRoute.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {
#define GEN_PASS_DEF_MERGEIDENTICAL
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// All attributes but the name, and the reason of the route.
static DictionaryAttr attributesOf(FuncOp kernel) {
  NamedAttrList attributes(kernel->getAttrDictionary());
  attributes.erase(kernel.getSymNameAttrName());
  attributes.erase(kMissedAttr);
  return attributes.getDictionary(kernel.getContext());
}

llvm::hash_code tessera::hashOfKernel(FuncOp kernel) {
  llvm::hash_code hash = hash_value(attributesOf(kernel));
  kernel.getBody().walk([&](Operation *op) {
    hash =
        llvm::hash_combine(hash, OperationEquivalence::computeHash(
                                     op, OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::ignoreHashValue,
                                     OperationEquivalence::IgnoreLocations));
  });
  return hash;
}

bool tessera::areIdenticalKernels(FuncOp a, FuncOp b) {
  return attributesOf(a) == attributesOf(b) &&
         OperationEquivalence::isRegionEquivalentTo(
             &a.getBody(), &b.getBody(), OperationEquivalence::IgnoreLocations);
}

namespace {
struct MergeIdentical : tessera::impl::MergeIdenticalBase<MergeIdentical> {
  void runOnOperation() override {
    llvm::MapVector<size_t, SmallVector<FuncOp>> distinct;
    llvm::DenseMap<StringAttr, FlatSymbolRefAttr> merged;
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<FuncOp>())) {
      SmallVector<FuncOp> &candidates = distinct[hashOfKernel(kernel)];
      auto same = llvm::find_if(candidates, [&](FuncOp other) {
        return areIdenticalKernels(kernel, other);
      });
      if (same == candidates.end()) {
        candidates.push_back(kernel);
        continue;
      }
      merged[kernel.getSymNameAttr()] = FlatSymbolRefAttr::get(*same);
      kernel.erase();
    }
    getOperation().walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op).Case<CallOp, LaunchOp>([&](auto user) {
        if (auto kept = merged.lookup(user.getCalleeAttr().getAttr()))
          user.setCalleeAttr(kept);
      });
    });
  }
};
} // namespace
