// How a contraction reads its left operand: elements of rows, or vectors.
#ifndef TESSERA_TARGET_CPU_LEFTOPERAND_H
#define TESSERA_TARGET_CPU_LEFTOPERAND_H

#include "lib/Target/CPU/Contraction/MultiplyAccumulate.h"
#include "lib/Target/Elements/ElementEmitter.h"

#include <map>

namespace tessera::cpu {

class OperandViews;

/// What is read: the elements of a step at a row of a tile, or, where the operand
/// varies along the columns, one vector.
struct LeftPlace {
  /// Values of all loops, at the tile's first row and column.
  llvm::ArrayRef<mlir::Value> loops;
  int64_t row, vector;
  /// Lanes of a vector that exist; null: all.
  mlir::Value mask;
  /// Elements of the step below the depth.
  int64_t count;
};

class LeftOperand {
public:
  LeftOperand(const Contraction &contraction, ElementEmitter &elements,
              const MultiplyAccumulate &multiply)
      : c(contraction), elements(elements), multiply(multiply) {}

  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views);

  /// The elements at `place` in the form that steps take. Null after a
  /// diagnostic.
  mlir::Value load(mlir::OpBuilder &builder, mlir::Location loc,
                   const LeftPlace &place);

  /// Forgets what has been loaded: another block begins or ends.
  void forget() { loaded.clear(); }

private:
  mlir::Value loadVector(mlir::OpBuilder &builder, mlir::Location loc,
                         llvm::SmallVector<mlir::Value> at, mlir::Value mask);
  mlir::Value loadElement(mlir::OpBuilder &builder, mlir::Location loc,
                          llvm::SmallVector<mlir::Value> at);
  mlir::Value loadGroup(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::SmallVector<mlir::Value> at, int64_t count);

  const Contraction &c;
  ElementEmitter &elements;
  const MultiplyAccumulate &multiply;
  mlir::Value memref;
  /// The memref holds bytes whose sign bits are the opposite of the operand's.
  bool isFlipped = false;
  /// Vectors by their constant distance from the tile's first element. Windows
  /// overlap: neighbouring rows of a depthwise convolution share them.
  std::map<llvm::SmallVector<int64_t>, mlir::Value> loaded;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_LEFTOPERAND_H
