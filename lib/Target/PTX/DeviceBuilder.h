// A builder of device code: 32- and 64-bit integers, special registers, shared
// memory addresses and structured control flow in a few letters each.
#ifndef TESSERA_TARGET_PTX_DEVICEBUILDER_H
#define TESSERA_TARGET_PTX_DEVICEBUILDER_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tessera::ptx {

/// Address spaces of PTX pointers.
enum AddressSpace : unsigned {
  kGenericSpace = 0,
  kGlobalSpace = 1,
  kSharedSpace = 3,
  kSharedClusterSpace = 7
};

/// An ImplicitLocOpBuilder for code inside a kernel. Integers are i32 or i64,
/// never index, so that no address is wider than its writer meant; the constant
/// operand of an overload takes the type of the other one.
class DeviceBuilder : public mlir::ImplicitLocOpBuilder {
public:
  using ImplicitLocOpBuilder::ImplicitLocOpBuilder;

  mlir::Value i32(int64_t value);
  mlir::Value i64(int64_t value);
  mlir::Value f32(double value);

  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, int64_t b);
  /// Unsigned quotient and remainder.
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, int64_t b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, int64_t b);
  /// ceil(a / b), for a + b - 1 that does not overflow.
  mlir::Value ceilDiv(mlir::Value a, int64_t b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value bitAnd(mlir::Value a, int64_t b);
  mlir::Value bitXor(mlir::Value a, mlir::Value b);
  mlir::Value equal(mlir::Value a, int64_t b);
  /// Unsigned a < b.
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  /// Zero-extends an i32; an i64 stays as it is.
  mlir::Value wide(mlir::Value value);

  /// threadIdx.x, blockIdx.x, blockDim.x and gridDim.x, i32.
  mlir::Value threadIndex();
  mlir::Value blockIndex();
  mlir::Value blockSize();
  mlir::Value gridSize();

  /// `pointer` moved by `index` (a value or a number) elements of `element`.
  mlir::Value offset(mlir::Value pointer, mlir::Value index,
                     mlir::Type element);
  mlir::Value offsetBytes(mlir::Value pointer, mlir::Value bytes);
  mlir::Value offsetBytes(mlir::Value pointer, int64_t bytes);

  using Body = llvm::function_ref<void()>;
  void ifThen(mlir::Value condition, Body body);
  void ifElse(mlir::Value condition, Body thenBody, Body elseBody);

  using LoopBody = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::Value induction, mlir::ValueRange carried)>;
  /// for (i = from; i < to; i += step) with loop-carried values, all signed
  /// integers of one type; gives the carried values after the last iteration.
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to,
                                      mlir::Value step,
                                      mlir::ValueRange carried, LoopBody body);

private:
  mlir::Value constantLike(mlir::Value like, int64_t value);
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_DEVICEBUILDER_H
