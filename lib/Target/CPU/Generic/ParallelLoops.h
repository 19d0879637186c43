// Structured operations on memrefs as parallel loop nests.
#ifndef TESSERA_TARGET_CPU_PARALLELLOOPS_H
#define TESSERA_TARGET_CPU_PARALLELLOOPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tessera::cpu {

/// Replaces `op`, on memrefs, by scf loops under a `kernel.parallel_for` of
/// `context`:
///
///   linalg.generic, loops (p, q, r) of sizes P, Q, R, r a reduction
///   ==>
///   kernel.parallel_for (%task, %worker) in (ceil(P * Q / rows)) {
///     scf.for %row = %task * rows to min(.. + rows, P * Q)       p, q = row /
///     Q, row % Q
///       %sum = scf.for %r = 0 to R iter_args(out[p, q])
///
/// The loops are kept in their order but for one that reads and writes memory
/// in sequence, which becomes the innermost. Tasks share the leading parallel
/// loops, or the first parallel one where a reduction leads; each covers about
/// 16K elements, so that their number depends on sizes only. An element is
/// reduced by one task, in the order of the loops.
///
/// Sums of floats are f64 and rounded once, at the end: this route is what others
/// are compared with. Where the innermost loop is parallel, strips of it are summed
/// on the stack.
void emitParallelLoops(mlir::linalg::LinalgOp op, mlir::Value context);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_PARALLELLOOPS_H
