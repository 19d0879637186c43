// Emission of affine expressions of loop values.
#ifndef TESSERA_TARGET_CPU_INDEXEXPRESSION_H
#define TESSERA_TARGET_CPU_INDEXEXPRESSION_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// Emits folded index arithmetic. Divisions are unsigned: indices of elements are
/// not negative.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  mlir::Value constant(int64_t value) {
    return mlir::arith::ConstantIndexOp::create(builder, loc, value);
  }
  template <typename Op>
  mlir::Value make(mlir::Value a, mlir::Value b) {
    return builder.createOrFold<Op>(loc, a, b);
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::AddIOp>(a, b);
  }
  mlir::Value add(mlir::Value a, int64_t b) {
    return b == 0 ? a : add(a, constant(b));
  }
  mlir::Value sub(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::SubIOp>(a, b);
  }
  mlir::Value mul(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::MulIOp>(a, b);
  }
  mlir::Value mul(mlir::Value a, int64_t b) { return mul(a, constant(b)); }
  mlir::Value div(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::DivUIOp>(a, b);
  }
  mlir::Value div(mlir::Value a, int64_t b) { return div(a, constant(b)); }
  mlir::Value rem(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::RemUIOp>(a, b);
  }
  mlir::Value rem(mlir::Value a, int64_t b) { return rem(a, constant(b)); }
  mlir::Value ceilDiv(mlir::Value a, int64_t b) {
    return div(add(a, b - 1), b);
  }
  mlir::Value min(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::MinSIOp>(a, b);
  }
  mlir::Value max(mlir::Value a, mlir::Value b) {
    return make<mlir::arith::MaxSIOp>(a, b);
  }

  /// The value of `expr`, dimension i of which is `dims[i]`.
  mlir::Value evaluate(mlir::AffineExpr expr,
                       mlir::ArrayRef<mlir::Value> dims);

private:
  mlir::OpBuilder &builder;
  mlir::Location loc;
};

/// What `expr` grows by when dimension `dim` grows by `step`: a constant, or
/// nothing when it depends on more.
std::optional<int64_t> growth(mlir::AffineExpr expr, unsigned dim,
                              int64_t step);

/// The constant that `value` is, if it is one.
std::optional<int64_t> constantIndex(mlir::Value value);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_INDEXEXPRESSION_H
