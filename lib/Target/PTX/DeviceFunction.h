// The shell of a device kernel: parameters, launch data, shared memory.
#ifndef TESSERA_TARGET_PTX_DEVICEFUNCTION_H
#define TESSERA_TARGET_PTX_DEVICEFUNCTION_H

#include "lib/Target/PTX/DeviceElements.h"
#include "lib/Target/PTX/KernelLaunch.h"

namespace tessera::ptx {

/// Makes the llvm.func of a kernel.func in the gpu.module that a builder points
/// into, with its `kernel.device_launch` attribute, and gives its parameters by the
/// kernel.func's numbers. Parameters are, in this order: tensor maps, addresses,
/// all symbols as i64.
class DeviceFunction {
public:
  struct Options {
    int64_t threads = 0;
    /// Blocks of a multiprocessor; 0: as many as fit, for the launch at most
    /// `launchBlocks`.
    int64_t blocksPerProcessor = 0;
    int64_t launchBlocks = 1;
    int64_t sharedBytes = 0;
    int64_t output = 0;
    int64_t tileRows = 1, tileColumns = 1;
    llvm::SmallVector<TensorMap> tensorMaps;
    llvm::SmallVector<int64_t> pointers;
  };

  DeviceFunction(mlir::OpBuilder &builder, kernel::FuncOp kernel,
                 const Options &options);

  mlir::Block *body() { return block; }

  /// Emits the sizes of all tensor arguments; `b` is at the body's start.
  void bindArguments(DeviceBuilder &b);

  /// Tensor argument `number`. Its pointer is null unless it was asked for.
  const DeviceTensor &tensor(int64_t number) { return byNumber[number]; }
  /// The tensor arguments with pointers.
  const DeviceTensors &tensors() { return withPointer; }
  mlir::Value tensorMap(int64_t number) { return maps.lookup(number); }
  /// The values of the kernel.func's symbols, i64.
  mlir::ValueRange symbols();
  /// Start of the block's dynamic shared memory, 1024-byte aligned.
  mlir::Value sharedMemory(DeviceBuilder &b);

private:
  mlir::LLVM::LLVMFuncOp create(mlir::OpBuilder &builder);
  KernelLaunch describe(mlir::OpBuilder &builder);

  kernel::FuncOp kernel;
  Options options;
  mlir::Block *block;
  llvm::SmallVector<DeviceTensor> byNumber;
  DeviceTensors withPointer;
  llvm::DenseMap<int64_t, mlir::Value> maps;
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_DEVICEFUNCTION_H
