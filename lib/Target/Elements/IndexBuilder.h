// Arithmetic of indices as code.
#ifndef TESSERA_TARGET_ELEMENTS_INDEXBUILDER_H
#define TESSERA_TARGET_ELEMENTS_INDEXBUILDER_H

#include "lib/Target/Elements/IndexTerms.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"

namespace tessera {

/// Emits folded index arithmetic where the builder points. Indices are not negative:
/// divisions are unsigned, and of a sum they divide its parts (IndexTerms.h),
///
///   (80 * i + j) / 80, j < 80  ==>  i
///
/// while minimum and maximum are signed, as the bounds of loops are.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::OpBuilder &getBuilder() { return builder; }
  mlir::Location getLoc() { return loc; }

  mlir::Value constant(int64_t value);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value min(mlir::Value a, mlir::Value b);
  mlir::Value max(mlir::Value a, mlir::Value b);
  /// The divisor is not zero.
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value rem(mlir::Value a, mlir::Value b);
  /// (a + b - 1) / b, where that does not overflow.
  mlir::Value ceilDiv(mlir::Value a, mlir::Value b);

  mlir::Value add(mlir::Value a, int64_t b) {
    return b == 0 ? a : add(a, constant(b));
  }
  mlir::Value sub(mlir::Value a, int64_t b) {
    return b == 0 ? a : sub(a, constant(b));
  }
  mlir::Value mul(mlir::Value a, int64_t b) {
    return b == 1 ? a : mul(a, constant(b));
  }
  mlir::Value min(mlir::Value a, int64_t b) { return min(a, constant(b)); }
  mlir::Value max(mlir::Value a, int64_t b) { return max(a, constant(b)); }
  mlir::Value div(mlir::Value a, int64_t b) {
    return b == 1 ? a : div(a, constant(b));
  }
  mlir::Value rem(mlir::Value a, int64_t b) { return rem(a, constant(b)); }
  mlir::Value ceilDiv(mlir::Value a, int64_t b) {
    return b == 1 ? a : ceilDiv(a, constant(b));
  }

  /// Product of all; 1 for none.
  mlir::Value product(mlir::ArrayRef<mlir::Value> factors);

  /// Row-major indices of `position` in a box of `sizes`.
  llvm::SmallVector<mlir::Value>
  delinearize(mlir::Value position, mlir::ArrayRef<mlir::Value> sizes);

  /// The value of `expr`, dimension i of which is `dims[i]`.
  mlir::Value evaluate(mlir::AffineExpr expr,
                       mlir::ArrayRef<mlir::Value> dims);

  /// What has been emitted in a region and may be used again in it.
  struct Emitted {
    llvm::DenseMap<int64_t, mlir::Value> constants;
    llvm::DenseMap<
        std::pair<const void *, std::pair<mlir::Value, mlir::Value>>,
        mlir::Value>
        operations;
  };

protected:
  /// `Op` of two indices, or of two vectors of them.
  template <typename Op>
  mlir::Value make(mlir::Value a, mlir::Value b) {
    if (!emitted)
      return builder.createOrFold<Op>(loc, a, b);
    auto key = std::make_pair(mlir::TypeID::get<Op>().getAsOpaquePointer(),
                              std::make_pair(a, b));
    if (mlir::Value known = emitted->operations.lookup(key))
      return known;
    mlir::Value result = builder.createOrFold<Op>(loc, a, b);
    if (auto folded = constantOf(result);
        folded && result.getType().isIndex())
      result = constant(*folded);
    emitted->operations[key] = result;
    return result;
  }

  mlir::OpBuilder &builder;
  mlir::Location loc;
  /// Null: everything is emitted where it is asked for.
  Emitted *emitted = nullptr;

private:
  std::optional<std::pair<IndexTerms, IndexTerms>> splitSum(mlir::Value a,
                                                            mlir::Value b);
  mlir::Value sumOf(const IndexTerms &sum, int64_t divisor = 1);
};

/// What `expr` grows by when dimension `dim` grows by `step`: a constant, or
/// nothing when it depends on more.
std::optional<int64_t> growth(mlir::AffineExpr expr, unsigned dim,
                              int64_t step);

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_INDEXBUILDER_H
