// Which tensors of an entry are the same bytes, and when these are alive.
//
// A reshape is its operand's bytes, a result of an scf.if those that both branches
// yield, and what an scf.for carries is one place: initial value, argument of the
// body, value of the next trip and result.
//
//   0  %a = call @init             %a, %b, %d and %e are one place,
//      scf.for iter_args(%b = %a)    alive from call 0 to call 3
//   1    %c = call @f(%b, %x)      %c is alive from 1 to 2, in every trip
//   2    %d = call @g(%c)          %x, of outside, is alive to the loop's end: 2
//        yield %d
//      -> %e
//   3  call @h(%e)
//
// Calls are numbered as in CallNumbers.h.
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_TENSORLIVES_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_TENSORLIVES_H

#include "dialects/Kernel/IR/CallNumbers.h"

#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace tessera {

/// The tensor below the reshapes that give `value`.
mlir::Value belowViews(mlir::Value value);

/// Numbers of the first call that writes a place and of the last that reads it.
struct Life {
  int64_t first, last;
};

class TensorLives {
public:
  /// Fails with a diagnostic where a result of a branch or loop, or what a loop begins
  /// with, has no kernel of its own that writes it, and where a loop's body writes
  /// what it carries before its last read.
  static mlir::FailureOr<TensorLives> of(mlir::func::FuncOp entry);

  /// The tensor that stands for all that have the bytes of `tensor`.
  mlir::Value placeOf(mlir::Value tensor) const;

  /// Of the place of `tensor`, which a call writes.
  Life lifeOf(mlir::Value tensor) const { return lives.at(placeOf(tensor)).life; }

  /// The results of calls in order, the first of each place only.
  llvm::ArrayRef<mlir::Value> inOrder() const { return written; }

private:
  explicit TensorLives(mlir::func::FuncOp entry) : entry(entry), numbers(entry) {}

  void join(mlir::Value place, mlir::Value tensor) {
    known[placeOf(tensor)] = placeOf(place);
  }
  mlir::LogicalResult joinBlock(mlir::Block &block);
  mlir::LogicalResult joinLoop(mlir::scf::ForOp loop);
  mlir::LogicalResult checkYielded(mlir::Operation *yield);
  mlir::LogicalResult checkInit(mlir::scf::ForOp loop, mlir::Value init);
  mlir::LogicalResult checkCarried(mlir::BlockArgument carried,
                                   mlir::Value next);
  int64_t firstWrite(mlir::Value tensor) const;
  int64_t lastRead(mlir::Value tensor, mlir::Block *scope) const;
  void computeLives();
  void extend(mlir::Value tensor, int64_t number, mlir::Block *block);
  /// Until when `scope` keeps what is read at call `number` in `block`: in a loop, to
  /// the loop's end.
  int64_t keptUntil(int64_t number, mlir::Block *block, mlir::Block *scope) const;

  mlir::func::FuncOp entry;
  kernel::CallNumbers numbers;
  /// For a tensor one that has the same bytes.
  llvm::DenseMap<mlir::Value, mlir::Value> known;
  struct PlaceLife {
    Life life;
    /// The outermost block that defines one of its tensors.
    mlir::Block *scope;
  };
  llvm::DenseMap<mlir::Value, PlaceLife> lives;
  llvm::SmallVector<mlir::Value> written;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_TENSORLIVES_H
