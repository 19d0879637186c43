// The sizes of an entry as the runtime knows them: symbols that inputs bind,
// and computed sizes.
//
// With x[n] + y[m], which broadcast, the result's size is no affine expression
// of n (s0) and m (s1). It becomes a symbol of its own, s2, that the runtime
// computes before a run and by which everything else is expressed:
//
//   #kernel.computed_size<select_equal, ()[s0, s1] -> (s0, 1, s1, s0)>
//   #kernel.value<()[s0, s1, s2] -> (s2 * 4), 0, 1>
#ifndef TESSERA_TRANSFORMS_BUFFER_ENTRYSIZES_H
#define TESSERA_TRANSFORMS_BUFFER_ENTRYSIZES_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Kernel/IR/Kernel.h"

namespace tessera {

/// The name of the node that the last operation of `loc` comes from; null if there
/// is none.
mlir::StringAttr nodeNameOf(mlir::Location loc);

class EntrySizes {
public:
  /// `sizes` analyses the entry's function, `symbols` are those of the module.
  EntrySizes(graph::SizeAnalysis &sizes, mlir::MLIRContext *context,
             llvm::ArrayRef<graph::SymbolOp> symbols);

  /// `expressions` of the analysis over the entry's symbols and computed sizes.
  /// Fails with a diagnostic at `loc` where one depends on what the model
  /// computes.
  mlir::FailureOr<mlir::AffineMap>
  overSymbols(mlir::Location loc, llvm::ArrayRef<mlir::AffineExpr> expressions);

  /// The sizes of `dims`: numbers and names of symbols.
  mlir::AffineMap declaredDims(mlir::ArrayAttr dims);

  /// The number of a named size.
  int64_t numberOf(mlir::FlatSymbolRefAttr name) { return named.lookup(name); }

  /// The number of the symbol that is element `index` of input `input`.
  int64_t elementNumber(int64_t input, int64_t index);

  /// For `kernel.entry`.
  mlir::ArrayAttr getNamed();
  /// Null if there are none.
  mlir::ArrayAttr getComputed();

private:
  int64_t count() const { return named.size() + computed.size(); }
  /// Null where they depend on what the model computes.
  mlir::AffineExpr symbolFor(unsigned position);
  mlir::AffineExpr overSymbols(mlir::AffineExpr expression);
  int64_t add(kernel::ComputedSizeKind kind,
              llvm::ArrayRef<mlir::AffineExpr> operands);

  graph::SizeAnalysis &sizes;
  mlir::MLIRContext *context;
  llvm::SmallVector<mlir::Attribute> namedSizes, computed;
  llvm::DenseMap<mlir::Attribute, int64_t> named;
  /// Numbers of computed sizes: by the analysis' symbol; by input and index.
  llvm::DenseMap<unsigned, int64_t> numbers;
  llvm::DenseMap<std::pair<int64_t, int64_t>, int64_t> elements;
  /// The node whose sizes are asked for.
  mlir::StringAttr node;
};

} // namespace tessera

#endif // TESSERA_TRANSFORMS_BUFFER_ENTRYSIZES_H
