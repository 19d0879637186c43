// What becomes part of an attention's kernel besides the attention itself.
//
//   %s = arith.select %seen, %zero, %low       computed in the kernel: no queries
//   %b = graph.broadcast_to %s                 x keys value is stored
//   %q1 = linalg.transpose %q                  cloned: it only maps indices
//   %o = attention.sdpa %q1, %k1, %v1 bias %b  the root
//   %t = linalg.transpose %o                   the layout of the kernel's output
//   %m = tensor.collapse_shape %t              stays outside: a view
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_ATTENTIONGROUPS_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_ATTENTIONGROUPS_H

#include "dialects/Attention/IR/Attention.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "llvm/ADT/SetVector.h"

namespace tessera {

/// Whether `op` is a transpose that is the only user of an attention's result:
/// the layout in which the kernel writes it.
bool isAttentionLayout(mlir::Operation *op);

/// The elementwise operations, gathers and reshapes, in the order of the block,
/// that compute bias and mask of `op` and belong into its kernel: those with queries
/// x keys elements, if what they read has no more bytes than they would store. What
/// lacks one of these sizes, as a mask of keys, is computed once outside. With
/// `exclusive` only those that nothing else uses.
llvm::SetVector<mlir::Operation *>
scorePrologueOf(attention::SdpaOp op, graph::SizeAnalysis &sizes,
                bool exclusive);

/// Gives each attention of `block` its own copy of its score prologue, so that
/// layers that share a mask each compute it from its small inputs.
void cloneScorePrologues(mlir::Block &block);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_ATTENTIONGROUPS_H
