// Elements of a kernel body's tensors as vectors in registers.
#ifndef TESSERA_TARGET_PTX_DEVICEELEMENTS_H
#define TESSERA_TARGET_PTX_DEVICEELEMENTS_H

#include "lib/Target/Elements/ElementEmitter.h"
#include "lib/Target/PTX/DeviceBuilder.h"

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::ptx {

/// A tensor argument of a kernel on the device: dense row-major elements in
/// global memory, aligned to 16 bytes, and its sizes as i64 values.
struct DeviceTensor {
  mlir::Value pointer;
  llvm::SmallVector<mlir::Value> sizes;
};

/// The tensor arguments that a body reads, by their block argument.
using DeviceTensors = llvm::DenseMap<mlir::Value, DeviceTensor>;

/// The i64 sizes of tensor argument `tensor` of `kernel`: its map in `shapes`
/// over `symbols`, the i64 values of the kernel's symbol arguments.
llvm::SmallVector<mlir::Value> emitSizes(DeviceBuilder &b,
                                         kernel::FuncOp kernel, int64_t tensor,
                                         mlir::ValueRange symbols);

class DeviceSource;

/// The element emitter over global memory: indices are i64, elements always
/// vectors. What is aligned as the emission itself is loaded by one access, what
/// a slice or a transpose has moved lane by lane.
class DeviceElements {
public:
  /// `symbols`: the i64 values of the kernel's symbol arguments. What is emitted
  /// later is below the place that `b` points to now.
  DeviceElements(DeviceBuilder &b, kernel::FuncOp kernel,
                 const DeviceTensors &arguments, mlir::ValueRange symbols);

  /// From now on `elements` holds `tensor` at `indices` (i64) and the lanes
  /// after it, and no others are known.
  void bind(mlir::Value tensor, mlir::ValueRange indices, mlir::Value elements);

  /// The elements of `tensors`, which have the sizes of the first output, at
  /// `indices` and the next `lanes - 1` in the last dimension, as
  /// vector<lanes x element type>. The caller keeps them inside the tensors and
  /// aligned to `lanes` elements. Fails with a diagnostic at the operation that
  /// has no such form.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emit(mlir::ValueRange tensors, mlir::ValueRange indices, int64_t lanes);

  /// The same from a row-major position on; all are `isLinear`.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitLinear(mlir::ValueRange tensors, mlir::Value position, int64_t lanes);

  /// Whether row-major positions are enough to compute `tensor`.
  bool isLinear(mlir::Value tensor) { return elements.isLinear(tensor); }

private:
  DeviceElements(DeviceBuilder &b, kernel::FuncOp kernel,
                 std::unique_ptr<DeviceSource> memory,
                 mlir::ArrayRef<mlir::Value> symbols);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  asVectors(mlir::FailureOr<llvm::SmallVector<mlir::Value>> emitted);

  DeviceBuilder &b;
  DeviceSource *memory;
  ElementEmitter elements;
};

/// Fails with a diagnostic at a constant of the body that is an array: a device
/// kernel has no memory for it.
mlir::LogicalResult checkConstants(kernel::FuncOp kernel);

/// Stores `elements` at `indices` of a tensor and after; booleans become bytes.
void storeElements(DeviceBuilder &b, const DeviceTensor &tensor,
                   mlir::ValueRange indices, mlir::Value elements);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_DEVICEELEMENTS_H
