// Elements of a kernel body's tensors as vectors in registers.
#ifndef TESSERA_TARGET_PTX_DEVICEELEMENTS_H
#define TESSERA_TARGET_PTX_DEVICEELEMENTS_H

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

/// Emits elements of tensors of a kernel body by recursion through the body,
/// as vectors of adjacent elements of one row. For the body
///
///     %w = graph.broadcast_to %bias     at indices [i, j], 2 lanes:
///     %t = arith.addf %root, %w           addf(bound(%root), bias[j .. j+1])
///
/// elementwise operations map one to one, broadcasts and transposes map
/// indices, arguments load, and tensors that the caller has in registers are
/// bound. Lives for one group of elements.
class DeviceElements {
public:
  DeviceElements(DeviceBuilder &b, const DeviceTensors &arguments)
      : b(b), arguments(arguments) {}

  /// `elements` holds `tensor` at `indices` (i64) and the lanes after it.
  void bind(mlir::Value tensor, mlir::ValueRange indices, mlir::Value elements);

  /// The elements of `tensor` at `indices` and the next `lanes - 1` in the last
  /// dimension, as vector<lanes x element type>. The caller keeps them inside
  /// the tensor and aligned to `lanes` elements. Fails with a diagnostic at the
  /// operation that has no such form.
  mlir::FailureOr<mlir::Value> emit(mlir::Value tensor,
                                    mlir::ValueRange indices, int64_t lanes);

private:
  using Indices = llvm::SmallVector<mlir::Value>;

  mlir::FailureOr<mlir::Value> emitUncached(mlir::Value tensor,
                                            mlir::ValueRange indices,
                                            int64_t lanes);
  mlir::FailureOr<mlir::Value> emitElementwise(mlir::Operation *op,
                                               mlir::ValueRange indices,
                                               int64_t lanes);
  mlir::FailureOr<mlir::Value> emitMapped(mlir::Value source,
                                          llvm::ArrayRef<int64_t> dimensions,
                                          mlir::ValueRange indices,
                                          int64_t lanes);
  mlir::Value load(const DeviceTensor &tensor, mlir::Type element,
                   mlir::ValueRange indices, int64_t lanes);

  struct Known {
    mlir::Value tensor;
    Indices indices;
    int64_t lanes;
    mlir::Value elements;
  };

  DeviceBuilder &b;
  const DeviceTensors &arguments;
  llvm::SmallVector<Known> known;
};

/// Stores `elements` at `indices` of a tensor and after.
void storeElements(DeviceBuilder &b, const DeviceTensor &tensor,
                   mlir::ValueRange indices, mlir::Value elements);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_DEVICEELEMENTS_H
