// Normalised expressions of sizes: which tensors' dimensions are equal, and
// what a size is in terms of the model's named sizes.
//
// A size is an affine (or semi-affine: products and quotients of symbols)
// expression over symbols. Symbol i stands for `symbols()[i]`: a named size of
// the module, an index argument of a kernel, or an index value or tensor
// dimension that the analysis cannot look through. Two sizes are equal when the
// difference of their expressions simplifies to zero:
//
//   %n = graph.size @seq                      s0
//   %m = arith.muli %n, %c2                   s0 * 2
//   tensor.empty(%m) : tensor<?x4xf32>        (s0 * 2, 4)
//   tensor.collapse_shape of it               (s0 * 8)
//
// A minimum, maximum, selection or quotient that is not affine is a symbol too,
// found again by its operands' expressions; the ranges of the named sizes
// decide what they can (SizeComposites.cpp): with seq in [0, 512], min(seq, 512) is
// seq. Integers narrower than 64 bits wrap, and quotients of what may be negative
// are cut towards zero (SizeArithmetic.cpp). So is arithmetic by way of floats, as
// exporters scale sizes (SizeFloats.cpp): the symbol of a float stands for the bits
// of its value as f64. So is an element of an argument that is a list of integers: a size that
// the caller gives as a number. Where the list is too short it is 0.
//
// Nothing is stored outside the IR; build the analysis where it is needed.
// Sizes that a `graph.assert` of the same function compares are taken for
// equal.
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace mlir {
class OpBuilder;
} // namespace mlir

#pragma GCC visibility push(default) // as in Graph.h

namespace tessera::graph {

/// Bounds of a size, inclusive; an absent one is not known.
struct SizeBounds {
  std::optional<int64_t> least, most;
};

class SizeAnalysis {
public:
  explicit SizeAnalysis(mlir::MLIRContext *context) : context(context) {}

  /// What a symbol of the expressions stands for.
  struct Symbol {
    /// The `graph.symbol`, or null.
    mlir::FlatSymbolRefAttr name;
    /// Where there is no name: an index (or integer) value, or a tensor with
    /// `dimension`.
    mlir::Value value;
    int64_t dimension = -1;
    SizeBounds bounds;
    /// Of a composite: its operands. SelectEqual: operands[0] == operands[1] ?
    /// operands[2] : operands[3]; SelectLess likewise. Element: `value` is the
    /// function's argument number operands[0], operands[1] the index. Whole:
    /// operands[0], which is too large to be part of other expressions.
    /// ToFloat: operands[0] as a float. Operations on floats: their operands. All
    /// of these have the width, 32 or 64, that the result is rounded to as the last
    /// operand. FloatLess: operands[0] < operands[1], 0 or 1. ToInteger: the whole
    /// part of operands[0].
    enum class Kind {
      Given,
      Min,
      Max,
      Quotient,
      SelectEqual,
      SelectLess,
      Element,
      Whole,
      ToFloat,
      FloatAdd,
      FloatSub,
      FloatMul,
      FloatDiv,
      FloatFloor,
      FloatCeil,
      FloatRound,
      FloatSqrt,
      FloatLess,
      ToInteger
    };
    Kind kind = Kind::Given;
    llvm::SmallVector<mlir::AffineExpr, 0> operands = {};
    /// Whether it is made of a value that only a run can tell, and that is no
    /// input; of sizes of tensors only, by small factors.
    bool isData = false, isPlain = true;
  };

  /// Expression of an index, integer (a boolean is 0 or 1) or float value.
  mlir::AffineExpr sizeOf(mlir::Value value);

  /// Expression of dimension `dimension` of a ranked tensor.
  mlir::AffineExpr dimOf(mlir::Value tensor, int64_t dimension);

  /// Expressions of all dimensions of a ranked tensor.
  llvm::SmallVector<mlir::AffineExpr> dimsOf(mlir::Value tensor);

  /// Expression of an attribute or value.
  mlir::AffineExpr sizeOf(mlir::OpFoldResult size);

  /// Whether two expressions are proven equal.
  bool areEqual(mlir::AffineExpr a, mlir::AffineExpr b);

  /// Whether both tensors are proven to have the same sizes.
  bool haveSameSizes(mlir::Value a, mlir::Value b);

  /// Expression of the number of elements.
  mlir::AffineExpr elementCountOf(mlir::Value tensor);

  /// Bounds of `size` by the ranges of the named sizes in it: interval
  /// arithmetic, without regard to a symbol that occurs twice. With seq in
  /// [1, 512]:  2 * seq + 3  is in [5, 1027].
  SizeBounds boundsOf(mlir::AffineExpr size);

  /// Whether `a` <= `b` is known, by the bounds of their difference.
  bool isAtMost(mlir::AffineExpr a, mlir::AffineExpr b);

  /// Takes `a` and `b` for equal from now on, because every run in which they
  /// differ ends with an error. Returns false if no symbol of theirs can be
  /// expressed by the others; what is proven then stays as it was.
  bool assumeEqual(mlir::AffineExpr a, mlir::AffineExpr b);

  /// Takes the named size `size` for at most `most` from now on.
  void assumeAtMost(mlir::AffineExpr size, int64_t most);

  /// `expression` after what has been assumed since it was made.
  mlir::AffineExpr resolve(mlir::AffineExpr expression);

  /// The smaller or larger of two sizes; null if that is not known.
  mlir::AffineExpr knownExtremum(Symbol::Kind kind, mlir::AffineExpr a,
                                 mlir::AffineExpr b);

  /// Whether `size` is made of a value that only a run can tell, and that is no input.
  bool dependsOnData(mlir::AffineExpr size);

  /// Whether `size` as an integer of `bits` bits is taken for itself although it is
  /// not proven to fit: sizes of tensors in 32 bits.
  bool isAssumedToFit(mlir::AffineExpr size, unsigned bits);

  /// The smaller one of which `size` is, if it is the minimum of two sizes.
  std::optional<std::pair<mlir::AffineExpr, mlir::AffineExpr>>
  asMinimum(mlir::AffineExpr size);

  /// The sizes `a` and `b` that `size` is the common one of, if it is a == 1 ?
  /// b : a, as broadcasting makes it.
  std::optional<std::pair<mlir::AffineExpr, mlir::AffineExpr>>
  asBroadcast(mlir::AffineExpr size);

  /// Emits the value of `expression`: a constant, `graph.size`, `tensor.dim` and
  /// `arith` operations on them. The symbols' values must dominate the builder's
  /// insertion point.
  mlir::OpFoldResult materialize(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::AffineExpr expression);

  llvm::ArrayRef<Symbol> symbols() const { return symbolList; }

private:
  mlir::AffineExpr symbolFor(mlir::FlatSymbolRefAttr name,
                             mlir::Operation *user);
  mlir::AffineExpr composite(Symbol::Kind kind,
                             llvm::ArrayRef<mlir::AffineExpr> operands,
                             mlir::Value value = {});
  mlir::AffineExpr evaluate(Symbol::Kind kind,
                            llvm::ArrayRef<mlir::AffineExpr> operands);
  mlir::AffineExpr evaluateSelect(Symbol::Kind kind,
                                  llvm::ArrayRef<mlir::AffineExpr> operands);
  mlir::AffineExpr quotient(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr evaluateFloat(Symbol::Kind kind,
                                 llvm::ArrayRef<mlir::AffineExpr> operands);
  mlir::AffineExpr wrapped(mlir::AffineExpr size, unsigned bits,
                           bool isUnsigned);
  bool isPlainSize(mlir::AffineExpr size);
  mlir::AffineExpr unsignedOf(mlir::Value value);
  mlir::AffineExpr truncatedQuotient(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr computeInteger(mlir::Operation *op);
  mlir::AffineExpr computeUnsigned(mlir::Operation *op);
  mlir::AffineExpr computeBits(mlir::Operation *op);
  mlir::AffineExpr computeBoolean(mlir::Operation *op);
  mlir::AffineExpr computeFloat(mlir::Operation *op);
  mlir::AffineExpr computeCompare(mlir::Value condition, mlir::AffineExpr then,
                                  mlir::AffineExpr otherwise);
  bool isNotNegativeFloat(mlir::AffineExpr number);
  mlir::Value materializeFloat(mlir::OpBuilder &builder, mlir::Location loc,
                               mlir::AffineExpr number, unsigned bits);
  mlir::Value materializeFloatOperation(mlir::OpBuilder &builder,
                                        mlir::Location loc,
                                        const Symbol &symbol);
  mlir::AffineExpr computeElement(mlir::Value value);
  mlir::AffineExpr substitute(mlir::AffineExpr expression, unsigned symbol,
                              mlir::AffineExpr replacement);
  mlir::AffineExpr
  substitute(mlir::AffineExpr expression, unsigned symbol,
             llvm::DenseMap<mlir::AffineExpr, mlir::AffineExpr> &substitutes);
  void reevaluateComposites();
  void readAssertions(mlir::Operation *user);
  bool contains(mlir::AffineExpr expression, unsigned position);
  bool assumeMultiple(mlir::AffineExpr difference);
  /// Whether `size` is known to be a multiple of `divisor`.
  bool isMultipleOf(mlir::AffineExpr size, mlir::AffineExpr divisor);
  mlir::AffineExpr
  productOfExact(llvm::SmallVector<mlir::AffineExpr> factors);
  mlir::AffineExpr cancelExactQuotients(mlir::AffineExpr expression);
  SizeBounds computeBounds(mlir::AffineExpr size);
  SizeBounds computeSymbolBounds(unsigned position);
  SizeBounds boundsByRests(mlir::AffineExpr sum);
  bool computeIsAtMost(mlir::AffineExpr a, mlir::AffineExpr b);
  /// `built`: the values of the symbols that were built before.
  mlir::OpFoldResult
  materialize(mlir::OpBuilder &builder, mlir::Location loc,
              mlir::AffineExpr expression,
              llvm::SmallVectorImpl<mlir::Value> &built);
  mlir::OpFoldResult
  materializeSymbol(mlir::OpBuilder &builder, mlir::Location loc,
                    unsigned position,
                    llvm::SmallVectorImpl<mlir::Value> &built);
  mlir::AffineExpr opaque(mlir::Value value, int64_t dimension = -1);
  mlir::AffineExpr computeSize(mlir::Value value);
  mlir::AffineExpr computeDim(mlir::Value tensor, int64_t dimension);
  mlir::AffineExpr argumentDim(mlir::BlockArgument argument, int64_t dimension);
  mlir::AffineExpr simplify(mlir::AffineExpr expression);
  /// The normal form of `expression`, without regard to assumptions.
  mlir::AffineExpr normalise(mlir::AffineExpr expression);
  /// `expression`, or a symbol for it where it is too large to be part of others.
  mlir::AffineExpr orWhole(mlir::AffineExpr expression);
  static bool isSmall(mlir::AffineExpr expression);

  mlir::MLIRContext *context;
  bool hasReadAssertions = false;
  llvm::SmallVector<Symbol> symbolList;
  llvm::DenseMap<mlir::Attribute, unsigned> namedSymbols;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::AffineExpr> known;
  /// What symbols are in terms of others, by assumption.
  llvm::DenseMap<unsigned, mlir::AffineExpr> replaced;
  /// Sizes that are multiples of others, by assumption.
  llvm::SmallVector<std::pair<mlir::AffineExpr, mlir::AffineExpr>> multiples;
  /// What was asked for since the last assumption. Sizes are made of one another:
  /// without it, time would double with each step.
  struct Derived {
    llvm::DenseMap<mlir::AffineExpr, mlir::AffineExpr> simplified, resolved;
    llvm::DenseMap<mlir::AffineExpr, SizeBounds> bounds;
    llvm::DenseMap<std::pair<mlir::AffineExpr, mlir::AffineExpr>, bool> order;
  } derived;
};

/// Whether a symbol of this kind comes of arithmetic on floats.
inline bool isFloatOperation(SizeAnalysis::Symbol::Kind kind) {
  return kind >= SizeAnalysis::Symbol::Kind::ToFloat;
}

} // namespace tessera::graph

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H
