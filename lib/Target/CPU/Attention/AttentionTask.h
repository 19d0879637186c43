// One task of attention: some rows of one key head against all keys they see.
//
// A row is a query of one of the query heads that read the key head. For each
// block of keys the task computes scores into a scratch, turns them into
// exponentials of their distance from the row's running maximum, and adds their
// products with the values to the results, which are rescaled first by what the
// maximum has grown (online softmax: Milakov & Gimelshein 2018; tiling: Dao et
// al. 2022):
//
//   scores [rows, keyBlock] = queries [rows, headDim] x keys^T
//   maximum' = max(maximum, rowmax(scores))
//   shrink   = 2^(maximum - maximum')
//   scores   = 2^(scores - maximum')
//   sum      = sum * shrink + rowsum(scores)
//   results [rows, valueDim] = results * shrink + scores x values
//
// and at the end the results are divided by the sums and stored through the
// kernel's epilogue. All in f32. Queries are copied first, multiplied by the
// scale and log2(e).
#ifndef TESSERA_TARGET_CPU_ATTENTIONTASK_H
#define TESSERA_TARGET_CPU_ATTENTIONTASK_H

#include "lib/Target/CPU/Attention/AttentionMatcher.h"
#include "lib/Target/CPU/Contraction/MultiplyAccumulate.h"
#include "lib/Target/Elements/ElementEmitter.h"
#include "lib/Target/CPU/Contraction/ResultStores.h"

namespace tessera::cpu {

class OperandViews;

/// A query, key or value tensor [batch, head, position, element], read as vectors
/// of f32 along its elements.
class AttentionOperand {
public:
  AttentionOperand(mlir::Value tensor, ElementEmitter &elements)
      : tensor(tensor), elements(elements) {}

  /// Emits a view of the kernel's argument, if the tensor is one.
  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views);
  /// Whether vectors are loaded from memory as they are, without conversion.
  bool isInPlace() const;
  /// Elements [batch, head, position, element + 0 .. lanes - 1].
  mlir::FailureOr<mlir::Value> load(mlir::OpBuilder &builder,
                                    mlir::Location loc,
                                    mlir::ArrayRef<mlir::Value> indices,
                                    int64_t lanes, mlir::Value mask) const;

private:
  mlir::Value tensor;
  ElementEmitter &elements;
  mlir::Value memref;
};

/// Values that all tasks use.
struct AttentionContext {
  Attention attention;
  kernel::AttentionAttr schedule;
  AttentionOperand query, key, value;
  ElementEmitter &elements;
  ResultStores &stores;
  /// Sizes, and the position of query 0 among the keys.
  mlir::Value batch, queries, keys, offset;
};

/// Emits the body of one task.
class AttentionTask {
public:
  /// `isShort`: the form for few rows, which reads keys and values in place.
  AttentionTask(AttentionContext &context, mlir::OpBuilder builder,
                mlir::Location loc, bool isShort);

  /// Emits rows [firstRow, firstRow + rows) of a key head.
  mlir::LogicalResult emit(mlir::Value batch, mlir::Value keyHead,
                           mlir::Value firstRow, mlir::Value rows);

private:
  using Vectors = llvm::SmallVector<mlir::Value>;
  using Loop = llvm::function_ref<mlir::LogicalResult(mlir::Value)>;

  // AttentionTask.cpp
  void allocate();
  mlir::LogicalResult copyQueries();
  void clear();
  std::pair<mlir::Value, mlir::Value> seenKeys();
  mlir::LogicalResult keyBlock(mlir::Value first, mlir::Value end);
  mlir::LogicalResult storeResults();
  /// Number `row` of the task's rows: its head and query.
  struct Row {
    mlir::Value head, query;
  };
  Row place(mlir::Value row);

  // AttentionTiles.cpp
  mlir::LogicalResult tileScores();
  mlir::LogicalResult copyKeyPanel(mlir::Value panel, bool isWhole);
  mlir::LogicalResult scoreTile(int64_t rows, mlir::Value row,
                                mlir::Value column);
  mlir::LogicalResult tileValues();
  mlir::LogicalResult copyValuePanel(mlir::Value column, int64_t vectors);
  mlir::LogicalResult valueTile(int64_t rows, mlir::Value row,
                                int64_t vectors, mlir::Value column,
                                bool fromPanel);
  /// A tile's operands at element `k` of the contracted dimension.
  struct Products {
    int64_t rows, vectors;
    mlir::Value depth;
    llvm::function_ref<mlir::Value(int64_t row, mlir::Value k)> left;
    llvm::function_ref<mlir::FailureOr<mlir::Value>(int64_t vector,
                                                    mlir::Value k)>
        right;
  };
  mlir::FailureOr<Vectors> products(const Products &of, Vectors sums);
  /// The first of the block's keys that no row of a tile sees, in the block.
  mlir::Value seenByTile(int64_t rows, mlir::Value row);

  // AttentionDots.cpp
  mlir::LogicalResult dotScores();
  mlir::LogicalResult dots(mlir::Value firstKey, bool isWhole);
  mlir::LogicalResult shortValues();

  // AttentionSoftmax.cpp
  mlir::LogicalResult softmaxRow(mlir::Value row);
  mlir::FailureOr<mlir::Value> rowMaximum(mlir::Value row, const Row &place,
                                          mlir::Value end);
  mlir::FailureOr<mlir::Value> rowExponentials(mlir::Value row,
                                               mlir::Value maximum,
                                               mlir::Value end);
  mlir::FailureOr<mlir::Value> score(mlir::Value product, const Row &place,
                                     mlir::Value column, mlir::Value mask);
  mlir::Value exponential(mlir::Value distance);
  mlir::Value seenEnd(const Row &place);
  mlir::FailureOr<mlir::Value> elementAt(mlir::Value tensor, const Row &place,
                                         mlir::Value key, mlir::Value mask);

  // Small parts.
  mlir::LogicalResult forEach(mlir::Value first, mlir::Value last, int64_t step,
                              Loop body);
  /// Covers `count` elements by vectors; the mask of a last partial one.
  mlir::LogicalResult
  forEachVector(int64_t count,
                llvm::function_ref<mlir::LogicalResult(mlir::Value column,
                                                       mlir::Value mask)>
                    body);
  mlir::Value lanesBelow(int64_t count);
  mlir::Value floatConstant(float value, int64_t lanes);
  mlir::Value loadScalar(mlir::Value memref, mlir::ValueRange indices);
  mlir::Value loadScratch(mlir::Value memref, mlir::ValueRange indices);
  mlir::Value reduceLanes(
      mlir::Value vector,
      llvm::function_ref<mlir::Value(mlir::Value, mlir::Value)> combine);
  mlir::Value larger(mlir::Value a, mlir::Value b);
  int64_t tileColumns() const {
    return context.schedule.getVectors() * lanes;
  }
  bool isNatural() { return static_cast<bool>(attention.root.getBias()); }

  AttentionContext &context;
  Attention &attention;
  mlir::OpBuilder builder;
  mlir::Location loc;
  int64_t lanes;
  bool isShort;
  std::unique_ptr<MultiplyAccumulate> multiply;

  // The task.
  mlir::Value batch, keyHead, firstRow, rows;
  /// Keys behind the last one that any row sees.
  mlir::Value keyEnd;
  /// The first key of a block and the number of its keys.
  mlir::Value blockKey, blockKeys;

  // Scratch.
  mlir::Value queryRows, scores, results, panel, maxima, sums, shrinks;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ATTENTIONTASK_H
