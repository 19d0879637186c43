// What the parts of the row emitter share: the kernel, the function it becomes
// and its schedule.
#ifndef TESSERA_TARGET_CPU_ROWKERNEL_H
#define TESSERA_TARGET_CPU_ROWKERNEL_H

#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/Elements/ElementEmitter.h"
#include "lib/Target/CPU/Rows/RowLoops.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera::cpu {

struct RowKernel {
  RowKernel(kernel::FuncOp kernel, mlir::func::FuncOp function,
            kernel::RowsAttr schedule);

  /// What the kernel yields into output `number`, and its memref.
  mlir::Value yielded(int64_t number);
  mlir::Value output(int64_t number);

  /// Sizes of a tensor of the body; fails with a diagnostic.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  sizesOf(mlir::OpBuilder &builder, mlir::Value tensor);

  /// Stores vector<lanes x T> or T at memref[indices]; booleans become bytes.
  void store(mlir::OpBuilder &builder, mlir::Value value, mlir::Value memref,
             mlir::ArrayRef<mlir::Value> indices, mlir::Value mask);

  /// The same for an element of an output that the kernel does not read again;
  /// past the caches where `streams`.
  void storeResult(mlir::OpBuilder &builder, mlir::Value value,
                   mlir::Value memref, mlir::ArrayRef<mlir::Value> indices,
                   mlir::Value mask);

  /// cpu::emitTasks; with a fence where `streams`.
  mlir::LogicalResult
  emitTasks(mlir::OpBuilder &builder, mlir::Value count,
            llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &,
                                                   mlir::Value task)>
                body);

  kernel::FuncOp kernel;
  mlir::func::FuncOp function;
  mlir::Location loc;
  mlir::Value context;
  llvm::SmallVector<mlir::Value> memrefs;
  ElementEmitter elements;
  int64_t lanes, unroll, taskElements, streamBytes, prefetchRows;
  /// Whether the form of the kernel that stores past the caches is emitted.
  bool streams = false;
};

/// A dense memref as one dimension, row-major.
mlir::Value flatten(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value memref);

/// Emits outputs that have the same sizes, elementwise.
mlir::LogicalResult emitElementwise(RowKernel &rows, mlir::OpBuilder &builder,
                                    mlir::ArrayRef<int64_t> outputs);

/// Emits outputs that read transposed operands in tiles; false if there are no
/// such operands.
mlir::FailureOr<bool> emitTransposed(RowKernel &rows, mlir::OpBuilder &builder,
                                     mlir::ArrayRef<int64_t> outputs);

/// The pooling of the kernel; null if there is none.
graph::PoolOp findPool(kernel::FuncOp kernel);

/// Emits a kernel of pooling with what precedes and follows it.
mlir::LogicalResult emitWindows(RowKernel &rows, mlir::OpBuilder &builder);

/// The cumulative sum or product of the kernel; null if there is none.
graph::CumulativeOp findCumulative(kernel::FuncOp kernel);

/// Emits a kernel that yields a cumulative sum or product.
mlir::LogicalResult emitCumulative(RowKernel &rows, mlir::OpBuilder &builder);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWKERNEL_H
