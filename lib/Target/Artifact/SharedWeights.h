// One weight section for a model that is compiled for several CPUs.
#ifndef TESSERA_TARGET_ARTIFACT_SHAREDWEIGHTS_H
#define TESSERA_TARGET_ARTIFACT_SHAREDWEIGHTS_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace tessera::artifact {

/// Gives the weights that the `kernel.entry`s of several modules in buffer
/// state place new places in one section: weights of equal source, recipe and
/// type have one place, others one each, so that a weight is stored once for
/// each layout.
///
///   x86-64-v3   @w recipe [pack<16>] at 0, @t at 4096
///   x86-64-v4   @w recipe [pack<32>] at 0, @t at 4096
///   ==>         @w at 0, @t at 4096 and @w at 8192, @t at 4096
///
/// The modules belong to one context, and come from copies of one import: equal
/// attributes are the same. Fails with a diagnostic at an entry that places
/// what is no `graph.weights`.
mlir::LogicalResult shareWeights(mlir::ArrayRef<mlir::ModuleOp> modules);

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_SHAREDWEIGHTS_H
