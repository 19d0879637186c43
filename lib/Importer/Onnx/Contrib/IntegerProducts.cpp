// Products of bytes with scales, static and dynamic: sums in i32, then one factor.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// `value` with its last two dimensions exchanged if attribute `name` says so.
std::string transposed(const ContribCall &call, const char *attribute,
                       const std::string &value, const std::string &result) {
  if (!call.integer(attribute, 0))
    return result + " = Identity(" + value + ")\n";
  return result + " = Transpose<perm = [1, 0]>(" + value + ")\n";
}

/// Y = f32(A * B + C) * (a_scale * b_scale * alpha), quantized if there is a y_scale.
std::string gemm(const ContribCall &call) {
  std::string nodes = transposed(call, "transA", "A", "a") +
                      transposed(call, "transB", "B", "b") +
                      "sums = MatMulInteger(a, b, a_zero_point, b_zero_point)\n";
  nodes += call.hasInput(6) ? "shifted = Add(sums, C)\n" : "shifted = Identity(sums)\n";
  nodes += "numbers = Cast<to = 1>(shifted)\n" +
           numberConstant("alpha_number", call.number("alpha", 1)) +
           "scaled = Mul(a_scale, alpha_number)\nfactor = Mul(scaled, b_scale)\n";
  if (!call.hasInput(7))
    return nodes + "Y = Mul(numbers, factor)\n";
  return nodes + "step = Div(factor, y_scale)\ny = Mul(numbers, step)\n" +
         numberConstant("one", 1) + "Y = QuantizeLinear<output_dtype = " +
         std::to_string(call.elementType(call.hasInput(8) ? 8 : 0)) +
         ">(y, one, y_zero_point)\n";
}

/// y = product * factor + bias, which is the last parameter.
std::string scaledAndShifted(const ContribCall &call, int bias) {
  std::string nodes = "numbers = CastLike(sums, factor)\n";
  if (!call.hasInput(bias))
    return nodes + "Y = Mul(numbers, factor)\n";
  return nodes + "product = Mul(numbers, factor)\nY = Add(product, bias)\n";
}

std::string dynamicMatMul(const ContribCall &call) {
  return "a, a_scale, a_zero_point = DynamicQuantizeLinear(A)\n"
         "sums = MatMulInteger(a, B, a_zero_point, b_zero_point)\n"
         "factor = Mul(a_scale, b_scale)\n" +
         scaledAndShifted(call, 4);
}

std::string matMulToFloat(const ContribCall &call) {
  return "sums = MatMulInteger(A, B, a_zero_point, b_zero_point)\n"
         "factor = Mul(a_scale, b_scale)\n" +
         scaledAndShifted(call, 6);
}

/// The weights [directions, inputs, 4 * hidden] of parameter `name`, of which each
/// direction or each column has a scale and zero point, as floats in the order of LSTM.
std::string recurrentWeights(const ContribCall &call, const std::string &name,
                             int scaleIndex) {
  std::string axes = name + "_axes", low = name + "_floats";
  std::vector<int64_t> inserted{1};
  if (call.rank(scaleIndex) == 1)
    inserted.push_back(2);
  return integerConstant(axes, inserted) + name + "_s = Unsqueeze(" + name +
         "_scale, " + axes + ")\n" + name + "_zu = Unsqueeze(" + name +
         "_zero_point, " + axes + ")\n" + name + "_z = Cast<to = 1>(" + name +
         "_zu)\n" + low + " = Cast<to = 1>(" + name + ")\n" + name +
         "_centred = Sub(" + low + ", " + name + "_z)\n" + name + "_scaled = Mul(" +
         name + "_centred, " + name + "_s)\n" + name +
         "_order = Transpose<perm = [0, 2, 1]>(" + name + "_scaled)\n";
}

/// With its weights as floats: nearer to the float model than with steps that are
/// quantized one by one.
std::string lstm(const ContribCall &call) {
  return recurrentWeights(call, "W", 8) + recurrentWeights(call, "R", 10) +
         "Y, Y_h, Y_c = LSTM<activation_alpha: floats = @activation_alpha, "
         "activation_beta: floats = @activation_beta, activations: strings = "
         "@activations, clip: float = @clip, direction: string = @direction, "
         "hidden_size: int = @hidden_size, input_forget: int = @input_forget>"
         "(X, W_order, R_order, B, sequence_lens, initial_h, initial_c, P)\n";
}

const ContribOperator kOperators[] = {
    {"QGemm",
     "A:A=byte, a_scale:float, a_zero_point:A, B:B=byte, b_scale:float, "
     "b_zero_point:B, C?:int32, y_scale?:float, y_zero_point?:Z=byte => Y:Y=byteOrFloat",
     "alpha:float=1, transA:int=0, transB:int=0", nullptr, gemm},
    {"DynamicQuantizeMatMul",
     "A:float, B:B=byte, b_scale:float, b_zero_point?:B, bias?:float => Y:float", "",
     nullptr, dynamicMatMul},
    {"MatMulIntegerToFloat",
     "A:A=byte, B:B=byte, a_scale:T=real, b_scale:T, a_zero_point?:A, b_zero_point?:B, "
     "bias?:T => Y:T",
     "", nullptr, matMulToFloat},
    {"DynamicQuantizeLSTM",
     "X:float, W:W=byte, R:W, B?:float, sequence_lens?:int32, initial_h?:float, "
     "initial_c?:float, P?:float, W_scale:float, W_zero_point:W, R_scale:float, "
     "R_zero_point:W => Y?:float, Y_h?:float, Y_c?:float",
     "activation_alpha:floats, activation_beta:floats, activations:strings, "
     "clip:float, direction:string, hidden_size:int, input_forget:int",
     nullptr, lstm},
};

} // namespace

ArrayRef<ContribOperator> integerProductOperators() { return kOperators; }

} // namespace tessera::onnx_importer
