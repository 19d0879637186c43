// Turns powers with known small exponents into products and roots.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeMaterialization.h"
#include "lib/Transforms/Graph/ConstantNumber.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Builders.h"

#include <limits>
#include <optional>

namespace tessera {
#define GEN_PASS_DEF_SIMPLIFYPOWERS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Builds what stands for one power.
struct Power {
  Power(math::PowFOp op)
      : builder(op), loc(op.getLoc()), base(op.getLhs()), type(base.getType()) {}

  Value product(Value a, Value b) {
    return arith::MulFOp::create(builder, loc, a, b);
  }

  /// `number` in the sizes of the base, which may be a scalar.
  Value filled(double number) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor)
      return arith::ConstantOp::create(builder, loc,
                                       builder.getFloatAttr(type, number));
    auto scalar = DenseElementsAttr::get(
        tensor.clone(ArrayRef<int64_t>()),
        builder.getFloatAttr(tensor.getElementType(), number));
    graph::SizeAnalysis sizes(builder.getContext());
    return graph::BroadcastToOp::create(
        builder, loc, type, arith::ConstantOp::create(builder, loc, scalar),
        graph::materializeDynamicSizes(builder, loc, sizes, tensor,
                                       sizes.dimsOf(base)));
  }

  /// C's pow gives 0 and infinity where the root of -0 and -infinity is -0 and
  /// NaN.
  Value root() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Value isInfinite = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OEQ, base, filled(-kInfinity));
    Value radicand = arith::SelectOp::create(builder, loc, isInfinite,
                                             filled(kInfinity), base);
    Value root = math::SqrtOp::create(builder, loc, radicand);
    return math::AbsFOp::create(builder, loc, root);
  }

  /// Null if no short form is as exact.
  Value build(double exponent) {
    if (exponent == 1)
      return base;
    if (exponent == 2)
      return product(base, base);
    if (exponent == -1)
      return arith::DivFOp::create(builder, loc, filled(1.0), base);
    if (exponent == 0.5)
      return root();
    // Rounded twice, which narrow types show.
    if (getElementTypeOrSelf(type).getIntOrFloatBitWidth() < 32)
      return {};
    if (exponent == 3)
      return product(product(base, base), base);
    if (exponent == 4) {
      Value square = product(base, base);
      return product(square, square);
    }
    return {};
  }

  OpBuilder builder;
  Location loc;
  Value base;
  Type type;
};

struct SimplifyPowers : tessera::impl::SimplifyPowersBase<SimplifyPowers> {
  void runOnOperation() override {
    SmallVector<math::PowFOp> powers;
    getOperation().walk([&](math::PowFOp op) { powers.push_back(op); });
    for (math::PowFOp op : powers) {
      std::optional<double> exponent = constantNumber(op.getRhs());
      if (!exponent)
        continue;
      if (Value result = Power(op).build(*exponent)) {
        op.replaceAllUsesWith(result);
        op.erase();
      }
    }
  }
};

} // namespace
