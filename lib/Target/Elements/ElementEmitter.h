// Elements of the tensors of a kernel's body, emitted as vectors where they are
// used.
//
// Given a tensor value of the body, an index for each of its dimensions and a
// number of lanes along the last one, the emitter walks from the value towards
// the kernel's arguments: elementwise operations map one to one onto vectors;
// broadcasts, transposes, reshapes, slices, joins and gathers only change the
// indices; arguments load. A root that something else computes, as the
// accumulators of a contraction, is bound to a source.
//
//   %t = linalg.transpose %a          emit(%s, [i, j], 8):
//   %b = graph.broadcast_to %bias       %0 = loads a[j .. j+7][i], one by one
//   %s = arith.addf %t, %b              %1 = vector.load bias[j]
//                                       %2 = arith.addf %0, %1 : vector<8xf32>
#ifndef TESSERA_TARGET_ELEMENTS_ELEMENTEMITTER_H
#define TESSERA_TARGET_ELEMENTS_ELEMENTEMITTER_H

#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Kernel/IR/Kernel.h"

#include <functional>

namespace tessera {

struct ElementAccess;
class ElementSource;

/// Emits elements of the tensors of one kernel's body, for any target. Errors are diagnostics at the operation that has no elementwise
/// form.
class ElementEmitter {
public:
  /// Gives tensor[indices..., last + 0 .. lanes - 1] as vector<lanes x T>, or T
  /// when lanes is 1. Null where the source cannot serve the access.
  using Source = std::function<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                           mlir::ArrayRef<mlir::Value> indices,
                                           int64_t lanes)>;

  /// `memory`: where the tensor arguments of `kernel` are. `symbols`: the values of its
  /// index arguments.
  ElementEmitter(kernel::FuncOp kernel, std::unique_ptr<ElementSource> memory,
                 mlir::ArrayRef<mlir::Value> symbols);
  ~ElementEmitter();

  /// From now on `tensor` is read from `source`. Called with single elements
  /// (lanes = 1) where the lanes of an access do not lie along its last
  /// dimension.
  void bind(mlir::Value tensor, Source source);

  /// The same with a source that is given the row-major position as its only
  /// index, and serves nothing else.
  void bindLinear(mlir::Value tensor, Source source);

  /// The same where every access is to the same `elements` (vector<lanes x T> or T),
  /// whatever its indices: where all lanes read one element, to the first.
  void bindElements(mlir::Value tensor, mlir::Value elements);

  /// From now on `tensor` is computed again.
  void unbind(mlir::Value tensor) { sources.erase(tensor); }

  /// Elements tensor[indices..., last + 0 .. lanes - 1]: vector<lanes x T>, or
  /// T when lanes is 1; `indices` has one value for each dimension. `mask`
  /// (vector<lanes x i1>, null: all) guards memory accesses; lanes where it is
  /// false hold anything.
  mlir::FailureOr<mlir::Value> emit(mlir::OpBuilder &builder,
                                    mlir::Location loc, mlir::Value tensor,
                                    mlir::ArrayRef<mlir::Value> indices,
                                    int64_t lanes, mlir::Value mask = {});

  /// The same elements of several tensors; what they share is emitted once.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emit(mlir::OpBuilder &builder, mlir::Location loc,
       mlir::ArrayRef<mlir::Value> tensors, mlir::ArrayRef<mlir::Value> indices,
       int64_t lanes, mlir::Value mask = {});

  /// Elements position .. position + lanes - 1 in row-major order. Costs index
  /// divisions unless all tensors are `isLinear`.
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitLinear(mlir::OpBuilder &builder, mlir::Location loc,
             mlir::ArrayRef<mlir::Value> tensors, mlir::Value position,
             int64_t lanes, mlir::Value mask = {});

  /// Whether the elements of `tensor` can be read by row-major position: only
  /// elementwise operations and reshapes lie between it and dense arguments.
  bool isLinear(mlir::Value tensor);

  /// The value, outside of the kernel, of an index or scalar of its body:
  /// clones the arithmetic it comes from. Null when it depends on what has no
  /// such form.
  mlir::Value emitIndex(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value valueOfTheBody);

  /// The size of dimension `dimension` of a tensor of the body. Null as above.
  mlir::Value emitSize(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value tensor, int64_t dimension);

private:
  class Walk;

  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emit(mlir::OpBuilder &builder, mlir::Location loc,
       mlir::ArrayRef<mlir::Value> tensors, const ElementAccess &access);

  kernel::FuncOp kernel;
  std::unique_ptr<ElementSource> memory;
  llvm::SmallVector<mlir::Value> symbols;
  struct Bound {
    Source source;
    bool isLinear;
    /// What any access reads; null: `source` says.
    mlir::Value elements = {};
  };
  llvm::DenseMap<mlir::Value, Bound> sources;
  graph::SizeAnalysis sizes;
};

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_ELEMENTEMITTER_H
