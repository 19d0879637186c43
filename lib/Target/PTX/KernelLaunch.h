// What the host must know to launch a device kernel, as data beside its code.
#ifndef TESSERA_TARGET_PTX_KERNELLAUNCH_H
#define TESSERA_TARGET_PTX_KERNELLAUNCH_H

#include "mlir/IR/Builders.h"

namespace tessera::ptx {

/// Attribute of a device function: its KernelLaunch as a dictionary.
constexpr llvm::StringLiteral kLaunchAttr = "kernel.device_launch";

/// A 2-D tensor map that the host encodes (cuTensorMapEncodeTiled) over tensor
/// argument `argument` of the kernel.func: row-major, 128-byte swizzle, no
/// interleave, zeros outside. `boxRows` x `boxColumns` elements move at once.
struct TensorMap {
  int64_t argument;
  int64_t boxRows, boxColumns;
};

/// How to launch one device kernel. `parameters` are in the order of the device
/// function's. The grid has one block for each tile of the output, `tileRows` x
/// `tileColumns` elements, but at most `blocksPerProcessor` per multiprocessor:
/// blocks loop over the tiles. An output of another rank than 2 counts as one
/// row (`tileRows` is 1).
struct KernelLaunch {
  int64_t threads = 0;
  int64_t sharedBytes = 0; // dynamic
  int64_t output = 0;      // number of the argument that is tiled
  int64_t tileRows = 1, tileColumns = 1;
  int64_t blocksPerProcessor = 1;
  llvm::SmallVector<mlir::Attribute> parameters;

  /// A 128-byte tensor map, by value.
  void addTensorMap(mlir::Builder &b, const TensorMap &map);
  /// The address of tensor argument `argument`.
  void addPointer(mlir::Builder &b, int64_t argument);
  /// The value of symbol `symbol` of the kernel.func, i64.
  void addSymbol(mlir::Builder &b, int64_t symbol);

  mlir::DictionaryAttr toAttribute(mlir::Builder &b) const;
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_KERNELLAUNCH_H
