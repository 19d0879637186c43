// What a contraction kernel does with its accumulators: the operations between
// the root and the kernel's outputs, and the stores.
#ifndef TESSERA_TARGET_CPU_RESULTSTORES_H
#define TESSERA_TARGET_CPU_RESULTSTORES_H

#include "lib/Target/Elements/ElementEmitter.h"

namespace tessera::cpu {

/// Stores vectors of the root's result to every output. An output may be the
/// result after elementwise operations, reshapes and transposes: the builder maps
/// the result's indices forward through them, the element emitter reads backward
/// from the output to the accumulators.
class ResultStores {
public:
  /// Follows the outputs of `kernel` back to `root`, a tensor of its body. Fails
  /// with a diagnostic at an operation that changes indices otherwise.
  static mlir::LogicalResult check(kernel::FuncOp kernel, mlir::Value root);

  /// The stores of what check() takes.
  static mlir::FailureOr<ResultStores>
  create(kernel::FuncOp kernel, mlir::Value root,
         mlir::ArrayRef<mlir::Value> memrefs, ElementEmitter &elements);

  /// Whether there are so many operations between the root and the outputs that their
  /// code for every row of a tile would be most of a kernel's.
  bool areLong() const;

  /// Stores `accumulators`, the elements of the root's result at `indices` and
  /// the lanes - 1 that follow it along the last dimension. `mask`: lanes that
  /// exist, null for all.
  mlir::LogicalResult store(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::ArrayRef<mlir::Value> indices,
                            mlir::Value accumulators, mlir::Value mask);

private:
  struct Output {
    mlir::Value value, memref;
    /// Reshapes and transposes from the root to `value`.
    llvm::SmallVector<mlir::Operation *> steps;
  };
  /// Indices of an element after some steps, and the dimension along which the
  /// lanes lie, if they are neighbours there.
  struct Place {
    llvm::SmallVector<mlir::Value> indices;
    std::optional<int64_t> laneDimension;
  };

  ResultStores(mlir::Value root, ElementEmitter &elements)
      : root(root), elements(&elements) {}

  Place applyStep(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Operation *step, const Place &place, int64_t lanes);
  Place follow(mlir::OpBuilder &builder, mlir::Location loc,
               const Output &output, mlir::ArrayRef<mlir::Value> indices,
               int64_t lanes);
  mlir::LogicalResult storeScalars(mlir::OpBuilder &builder,
                                   mlir::Location loc, const Output &output,
                                   mlir::ArrayRef<mlir::Value> indices,
                                   mlir::Value accumulators, mlir::Value mask);

  mlir::Value root;
  ElementEmitter *elements;
  llvm::SmallVector<Output> outputs;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_RESULTSTORES_H
