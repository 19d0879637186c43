// Operators that ONNX Runtime's optimizer joins of others.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

#include "llvm/ADT/StringSwitch.h"

#include <optional>

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// Y = activation(y) by the names that the optimizer writes; none if it is unknown.
std::optional<std::string> activation(StringRef name, float alpha, float beta) {
  if (name.empty())
    return "Y = Identity(y)\n";
  std::string y = "Y = " + name.str();
  if (name == "Relu" || name == "Sigmoid" || name == "Tanh" || name == "Gelu")
    return y + "(y)\n";
  if (name == "LeakyRelu" || name == "Elu")
    return y + "<alpha: float = " + literal(alpha) + ">(y)\n";
  if (name == "HardSigmoid")
    return "Y = HardSigmoid<alpha: float = " + literal(alpha) +
           ", beta: float = " + literal(beta) + ">(y)\n";
  if (name == "Clip")
    return numberConstant("low", alpha) + numberConstant("high", beta) +
           "low_like = CastLike(low, y)\nhigh_like = CastLike(high, y)\n"
           "Y = Clip(y, low_like, high_like)\n";
  return std::nullopt;
}

/// The parameter of an activation where the node gives none.
float defaultAlpha(StringRef name) {
  return StringSwitch<float>(name)
      .Case("LeakyRelu", 0.01f)
      .Case("Elu", 1.0f)
      .Case("HardSigmoid", 0.2f)
      .Default(0.0f);
}

std::string conv(const ContribCall &call) {
  std::string name = call.string("activation");
  std::vector<float> parameters = call.numbers("activation_params");
  parameters.resize(2, name == "HardSigmoid" ? 0.5f : 0.0f);
  std::optional<std::string> activated =
      activation(name, parameters[0], parameters[1]);
  if (!activated)
    return "";
  std::string nodes =
      "c = Conv<kernel_shape: ints = @kernel_shape, strides: ints = @strides, pads: "
      "ints = @pads, auto_pad: string = @auto_pad, dilations: ints = @dilations, "
      "group: int = @group>(X, W, B)\n";
  nodes += call.hasInput(3) ? "y = Add(c, Z)\n" : "y = Identity(c)\n";
  return nodes + *activated;
}

std::string gemm(const ContribCall &call) {
  std::string name = call.string("activation");
  std::optional<std::string> activated =
      activation(name, call.number("activation_alpha", defaultAlpha(name)),
                 call.number("activation_beta", name == "HardSigmoid" ? 0.5f : 0.0f));
  if (!activated)
    return "";
  return "y = Gemm<alpha: float = @alpha, beta: float = @beta, transA: int = @transA, "
         "transB: int = @transB>(A, B, C)\n" +
         *activated;
}

/// Operand `name`, input `index`, as MatMul reads it: attribute "trans" exchanges the
/// last two dimensions, and "transBatch" moves the first to the last but one before.
std::string operand(const ContribCall &call, const std::string &name, int index) {
  int rank = call.rank(index);
  std::vector<int64_t> order(rank);
  for (int i = 0; i < rank; ++i)
    order[i] = i;
  if (call.integer(("transBatch" + name).c_str(), 0) && rank > 2) {
    order.erase(order.begin());
    order.insert(order.end() - 1, 0);
  }
  if (call.integer(("trans" + name).c_str(), 0) && rank > 1)
    std::swap(order[rank - 2], order[rank - 1]);
  return "operand" + name + " = Transpose<perm: ints = " + literal(order) + ">(" +
         name + ")\n";
}

std::string matMul(const ContribCall &call) {
  std::string nodes = operand(call, "A", 0) + operand(call, "B", 1);
  if (call.number("alpha", 1) == 1)
    return nodes + "Y = MatMul(operandA, operandB)\n";
  return nodes + "product = MatMul(operandA, operandB)\n" +
         numberConstant("factor", call.number("alpha", 1)) +
         "factor_like = CastLike(factor, product)\nY = Mul(product, factor_like)\n";
}

std::string fastGelu(const ContribCall &call) {
  std::string sum = call.hasInput(1) ? "x = Add(X, bias)\n" : "x = Identity(X)\n";
  return sum + "Y = Gelu<approximate = \"tanh\">(x)\n";
}

constexpr char kTransposes[] =
    "alpha:float=1, transA:int=0, transB:int=0, transBatchA:int=0, transBatchB:int=0";

const ContribOperator kOperators[] = {
    {"FusedConv", "X:T=real, W:T, B?:T, Z?:T => Y:T",
     "activation:string, activation_params:floats, kernel_shape:ints, strides:ints, "
     "pads:ints, auto_pad:string, dilations:ints, group:int=1",
     nullptr, conv},
    {"FusedGemm", "A:T=number, B:T, C?:T => Y:T",
     "alpha:float=1, beta:float=1, transA:int=0, transB:int=0, activation:string, "
     "activation_alpha:float, activation_beta:float, activation_gamma:float",
     nullptr, gemm},
    {"FusedMatMul", "A:T=real, B:T => Y:T", kTransposes, nullptr, matMul},
    {"TransposeMatMul", "A:T=real, B:T => Y:T", kTransposes, nullptr, matMul},
    {"Gelu", "X:T=real => Y:T", "", "Y = Gelu(X)"},
    {"FastGelu", "X:T=real, bias?:T => Y:T", "", nullptr, fastGelu},
    {"BiasGelu", "A:T=real, B:T => C:T", "", "x = Add(A, B)\nC = Gelu(x)"},
    {"QuickGelu", "X:T=real => Y:T", "alpha:float=1.702",
     "alpha_number = Constant<value_float: float = @alpha>()\n"
     "alpha_like = CastLike(alpha_number, X)\nscaled = Mul(X, alpha_like)\n"
     "gate = Sigmoid(scaled)\nY = Mul(X, gate)"},
};

} // namespace

ArrayRef<ContribOperator> fusedOperators() { return kOperators; }

} // namespace tessera::onnx_importer
