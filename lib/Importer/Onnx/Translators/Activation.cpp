// Activation functions, spelled in arith and math operations.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Short spellings for float computations of one node.
struct Floats {
  NodeContext &node;

  Value number(double value, Value like) { return node.filled(value, like); }
  Value add(Value a, Value b) { return node.create<arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return node.create<arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return node.create<arith::MulFOp>(a, b); }
  Value div(Value a, Value b) { return node.create<arith::DivFOp>(a, b); }
  Value neg(Value a) { return node.create<arith::NegFOp>(a); }
  Value exp(Value a) { return node.create<math::ExpOp>(a); }
  Value abs(Value a) { return node.create<math::AbsFOp>(a); }
  Value tanh(Value a) { return node.create<math::TanhOp>(a); }
  Value max(Value a, Value b) { return node.create<arith::MaximumFOp>(a, b); }
  Value min(Value a, Value b) { return node.create<arith::MinimumFOp>(a, b); }
  Value select(Value condition, Value a, Value b) {
    return node.create<arith::SelectOp>(condition, a, b);
  }
  Value isBelow(Value a, double limit) {
    return node.create<arith::CmpFOp>(arith::CmpFPredicate::OLT, a,
                                      number(limit, a));
  }
  /// exp(x) - 1
  Value expMinusOne(Value x) { return sub(exp(x), number(1.0, x)); }
  Value sigmoid(Value x) {
    Value one = number(1.0, x);
    return div(one, add(one, exp(neg(x))));
  }
  /// log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|)), which cannot overflow.
  Value softplus(Value x) {
    return add(max(x, number(0.0, x)),
               node.create<math::Log1pOp>(exp(neg(abs(x)))));
  }
  /// max(0, min(1, alpha x + beta))
  Value hardSigmoid(Value x, double alpha, double beta) {
    Value line = add(mul(number(alpha, x), x), number(beta, x));
    return max(number(0.0, x), min(number(1.0, x), line));
  }
};

/// Translates x alone; Body is a function of (Floats, x). What it does to f16 and
/// bf16 is rounded once.
template <typename Body> LogicalResult unary(NodeContext &node, Body body) {
  Floats f{node};
  return translateElementwise(
      node, [&](ArrayRef<Value> x) -> Value {
        return castFloat(node, body(f, widenToF32(node, x[0])),
                         getElementTypeOrSelf(x[0]));
      });
}

LogicalResult relu(NodeContext &node) {
  return translateElementwise(node, [&](ArrayRef<Value> x) {
    Value zero = node.filled(0.0, x[0]);
    return isa<FloatType>(getElementTypeOrSelf(x[0]))
               ? node.create<arith::MaximumFOp>(x[0], zero)
               : node.create<arith::MaxSIOp>(x[0], zero);
  });
}

LogicalResult leakyRelu(NodeContext &node) {
  double alpha = node.number("alpha", 0.01);
  return unary(node, [&](Floats f, Value x) {
    return f.select(f.isBelow(x, 0), f.mul(f.number(alpha, x), x), x);
  });
}

LogicalResult elu(NodeContext &node) {
  double alpha = node.number("alpha", 1.0);
  return unary(node, [&](Floats f, Value x) {
    Value low = f.mul(f.number(alpha, x), f.expMinusOne(x));
    return f.select(f.isBelow(x, 0), low, x);
  });
}

LogicalResult selu(NodeContext &node) {
  double alpha = node.number("alpha", 1.67326319217681884765625);
  double gamma = node.number("gamma", 1.05070102214813232421875);
  return unary(node, [&](Floats f, Value x) {
    Value low = f.mul(f.number(alpha * gamma, x), f.expMinusOne(x));
    return f.select(f.isBelow(x, 0), low, f.mul(f.number(gamma, x), x));
  });
}

LogicalResult celu(NodeContext &node) {
  double alpha = node.number("alpha", 1.0);
  return unary(node, [&](Floats f, Value x) {
    Value a = f.number(alpha, x);
    Value low = f.mul(a, f.expMinusOne(f.div(x, a)));
    return f.select(f.isBelow(x, 0), low, x);
  });
}

LogicalResult sigmoid(NodeContext &node) {
  return unary(node, [](Floats f, Value x) { return f.sigmoid(x); });
}

LogicalResult hardSigmoid(NodeContext &node) {
  double alpha = node.number("alpha", 0.2), beta = node.number("beta", 0.5);
  return unary(
      node, [&](Floats f, Value x) { return f.hardSigmoid(x, alpha, beta); });
}

LogicalResult hardSwish(NodeContext &node) {
  return unary(node, [](Floats f, Value x) {
    return f.mul(x, f.hardSigmoid(x, 1.0 / 6.0, 0.5));
  });
}

LogicalResult swish(NodeContext &node) {
  double alpha = node.number("alpha", 1.0);
  return unary(node, [&](Floats f, Value x) {
    return f.mul(x, f.sigmoid(f.mul(f.number(alpha, x), x)));
  });
}

LogicalResult mish(NodeContext &node) {
  return unary(
      node, [](Floats f, Value x) { return f.mul(x, f.tanh(f.softplus(x))); });
}

LogicalResult gelu(NodeContext &node) {
  StringRef approximate = node.string("approximate", "none");
  if (approximate != "none" && approximate != "tanh")
    return node.error("expects approximate 'none' or 'tanh' but got '" +
                      approximate + "'");
  return unary(node, [&](Floats f, Value x) {
    Value inner;
    if (approximate == "tanh") {
      // sqrt(2 / pi) (x + 0.044715 x^3)
      Value cube = f.mul(f.mul(x, x), x);
      Value sum = f.add(x, f.mul(f.number(0.044715, x), cube));
      inner = f.tanh(f.mul(f.number(std::sqrt(2.0 / M_PI), x), sum));
    } else {
      inner = node.create<math::ErfOp>(f.mul(f.number(M_SQRT1_2, x), x));
    }
    Value half = f.mul(f.number(0.5, x), x);
    return f.mul(half, f.add(f.number(1.0, x), inner));
  });
}

LogicalResult softplus(NodeContext &node) {
  return unary(node, [](Floats f, Value x) { return f.softplus(x); });
}

LogicalResult softsign(NodeContext &node) {
  return unary(node, [](Floats f, Value x) {
    return f.div(x, f.add(f.number(1.0, x), f.abs(x)));
  });
}

LogicalResult thresholdedRelu(NodeContext &node) {
  double alpha = node.number("alpha", 1.0);
  return translateElementwise(node, [&](ArrayRef<Value> x) -> Value {
    Value above = node.create<arith::CmpFOp>(
        arith::CmpFPredicate::OGT, x[0], node.filled(alpha, x[0]));
    return node.create<arith::SelectOp>(above, x[0], node.filled(0.0, x[0]));
  });
}

/// slope broadcasts to x, never the other way.
LogicalResult prelu(NodeContext &node) {
  auto function = [&](ArrayRef<Value> x) -> Value {
    if (isa<FloatType>(getElementTypeOrSelf(x[0]))) {
      Floats f{node};
      return f.select(f.isBelow(x[0], 0), f.mul(x[1], x[0]), x[0]);
    }
    if (node.isUnsigned())
      return x[0];
    Value below = node.create<arith::CmpIOp>(arith::CmpIPredicate::slt, x[0],
                                             node.filled(0.0, x[0]));
    return node.create<arith::SelectOp>(
        below, node.create<arith::MulIOp>(x[1], x[0]), x[0]);
  };
  FailureOr<Value> result =
      applyInShapeOfFirst(node, {node.input(0), node.input(1)}, function);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

} // namespace

void addActivationTranslators(TranslatorTable &table) {
  table.add("Relu", relu);
  table.add("LeakyRelu", leakyRelu);
  table.add("Elu", elu);
  table.add("Selu", selu);
  table.add("Celu", celu);
  table.add("Sigmoid", sigmoid);
  table.add("HardSigmoid", hardSigmoid);
  table.add("HardSwish", hardSwish);
  table.add("Swish", swish);
  table.add("Mish", mish);
  table.add("Gelu", gelu);
  table.add("Softplus", softplus);
  table.add("Softsign", softsign);
  table.add("ThresholdedRelu", thresholdedRelu);
  table.add("PRelu", prelu);
}

} // namespace tessera::onnx_importer
