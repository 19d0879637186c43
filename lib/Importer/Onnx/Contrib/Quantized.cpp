// Operators on bytes with scales: what the operator of the same name computes of the
// dequantized numbers, quantized.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// `value` as `result` of the type of input 0, which an omitted zero point does not
/// say.
std::string quantized(const ContribCall &call, const Twine &result,
                      const Twine &value, const Twine &scaleAndZeroPoint) {
  return (result + " = QuantizeLinear<output_dtype = " +
          Twine(call.elementType(0)) + ">(" + value + ", " +
          scaleAndZeroPoint + ")\n")
      .str();
}

constexpr char kDequantizeX[] = "x = DequantizeLinear(X, x_scale, x_zero_point)\n";

/// Y of X: `nodes` make y of x.
std::string ofOne(const ContribCall &call, const Twine &nodes) {
  return (kDequantizeX + nodes).str() +
         quantized(call, "Y", "y", "y_scale, y_zero_point");
}

std::string ofTwo(const ContribCall &call, StringRef opType) {
  return ("a = DequantizeLinear(A, A_scale, A_zero_point)\n"
          "b = DequantizeLinear(B, B_scale, B_zero_point)\n"
          "c = " +
          opType + "(a, b)\n")
             .str() +
         quantized(call, "C", "c", "C_scale, C_zero_point");
}

/// A permutation of `rank` dimensions that moves dimension `from` to `to`.
std::string moved(int rank, int from, int to) {
  std::vector<int64_t> order(rank);
  for (int i = 0; i < rank; ++i)
    order[i] = i;
  order.erase(order.begin() + from);
  order.insert(order.begin() + to, from);
  return "Transpose<perm: ints = " + literal(order) + ">";
}

/// A pool of x, whose channels may be the last dimension.
std::string pool(const ContribCall &call, const std::string &node) {
  if (!call.integer("channels_last", 0))
    return ofOne(call, "y = " + node + "(x)\n");
  int rank = call.rank(0);
  return ofOne(call, "first = " + moved(rank, rank - 1, 1) + "(x)\npooled = " +
                         node + "(first)\ny = " + moved(rank, 1, rank - 1) +
                         "(pooled)\n");
}

std::string averagePool(const ContribCall &call) {
  return pool(call, "AveragePool<kernel_shape: ints = @kernel_shape, strides: ints "
                    "= @strides, pads: ints = @pads, auto_pad: string = @auto_pad, "
                    "ceil_mode: int = @ceil_mode, count_include_pad: int = "
                    "@count_include_pad>");
}

/// Inputs: scale and zero point of the result; then of each part bytes, scale and zero
/// point.
std::string concat(const ContribCall &call) {
  std::string nodes, parts;
  for (int i = 2; call.hasInput(i); i += 3) {
    std::string name = "part" + std::to_string(i);
    nodes += name + " = DequantizeLinear(inputs" + std::to_string(i - 2) +
             ", inputs" + std::to_string(i - 1) + ", inputs" + std::to_string(i) +
             ")\n";
    parts += (parts.empty() ? "" : ", ") + name;
  }
  return nodes + "y = Concat<axis: int = @axis>(" + parts + ")\n" +
         "Y = QuantizeLinear(y, Y_scale, Y_zero_point)\n";
}

/// Up to opset 12 the dimensions from `axis` on are one.
std::string softmax(const ContribCall &call) {
  if (call.integer("opset", 13) >= 13)
    return ofOne(call, "y = Softmax<axis: int = @axis>(x)\n");
  return ofOne(call, "flat = Flatten<axis: int = @axis>(x)\n"
                     "chosen = Softmax<axis = -1>(flat)\nsizes = Shape(x)\n"
                     "y = Reshape(chosen, sizes)\n");
}

std::string reduceMean(const ContribCall &call) {
  return "x = DequantizeLinear(data, data_scale, data_zero_point)\n" +
         integerConstant("axes", call.integers("axes")) +
         "y = ReduceMean<keepdims: int = @keepdims>(x, axes)\n" +
         quantized(call, "reduced", "y", "reduced_scale, reduced_zero_point");
}

/// A max pool or convolution of bytes whose channels are the last dimension.
std::string maxPool(const ContribCall &call) {
  int rank = call.rank(0);
  return "first = " + moved(rank, rank - 1, 1) +
         "(x)\npooled = MaxPool<kernel_shape: ints = @kernel_shape, strides: ints = "
         "@strides, pads: ints = @pads, auto_pad: string = @auto_pad, ceil_mode: int "
         "= @ceil_mode, dilations: ints = @dilations>(first)\ny = " +
         moved(rank, 1, rank - 1) + "(pooled)\n";
}

std::string convolution(const ContribCall &call) {
  std::string node =
      "QLinearConv<kernel_shape: ints = @kernel_shape, strides: ints = @strides, "
      "pads: ints = @pads, auto_pad: string = @auto_pad, dilations: ints = "
      "@dilations, group: int = @group>";
  std::string others =
      ", x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B)\n";
  if (!call.integer("channels_last", 0))
    return "y = " + node + "(x" + others;
  int rank = call.rank(0);
  return "first = " + moved(rank, rank - 1, 1) + "(x)\nresult = " + node + "(first" +
         others + "y = " + moved(rank, 1, rank - 1) + "(result)\n";
}

constexpr char kOne[] = "X:T=byte, x_scale:float, x_zero_point?:T, y_scale:float, "
                        "y_zero_point?:T => Y:T";
constexpr char kTwo[] =
    "A:T=byte, A_scale:float, A_zero_point?:T, B:T, B_scale:float, B_zero_point?:T, "
    "C_scale:float, C_zero_point?:T => C:T";
constexpr char kWindow[] =
    "kernel_shape:ints!, strides:ints, pads:ints, auto_pad:string, ceil_mode:int=0, "
    "dilations:ints, count_include_pad:int=0, channels_last:int=0";

const ContribOperator kOperators[] = {
    {"QuantizeLinear", "x:T=real, y_scale:T, y_zero_point?:Q=quantized => y:Q",
     "axis:int=1",
     "y = QuantizeLinear<axis: int = @axis>(x, y_scale, y_zero_point)"},
    {"DequantizeLinear", "x:Q=quantized, x_scale:T=real, x_zero_point?:Q => y:T",
     "axis:int=1",
     "y = DequantizeLinear<axis: int = @axis>(x, x_scale, x_zero_point)"},
    {"QLinearAdd", kTwo, "", nullptr,
     [](const ContribCall &call) { return ofTwo(call, "Add"); }},
    {"QLinearMul", kTwo, "", nullptr,
     [](const ContribCall &call) { return ofTwo(call, "Mul"); }},
    {"QLinearSigmoid", kOne, "", nullptr,
     [](const ContribCall &call) { return ofOne(call, "y = Sigmoid(x)\n"); }},
    {"QLinearLeakyRelu", kOne, "alpha:float=0.01", nullptr,
     [](const ContribCall &call) {
       return ofOne(call, "y = LeakyRelu<alpha: float = @alpha>(x)\n");
     }},
    {"QLinearSoftmax", kOne, "axis:int=-1, opset:int!", nullptr, softmax},
    {"QLinearAveragePool", kOne, kWindow, nullptr, averagePool},
    {"QLinearGlobalAveragePool", kOne, "channels_last:int=0", nullptr,
     [](const ContribCall &call) { return pool(call, "GlobalAveragePool"); }},
    {"QLinearReduceMean",
     "data:T=byte, data_scale:float, data_zero_point?:T, reduced_scale:float, "
     "reduced_zero_point?:T => reduced:T",
     "axes:ints!, keepdims:int!", nullptr, reduceMean},
    {"QLinearConcat",
     "Y_scale:float, Y_zero_point:T=byte, inputs*:V=byteOrFloat => Y:T",
     "axis:int!", nullptr, concat},
    {"QLinearWhere",
     "condition:bool, X:T=byte, x_scale:float, x_zero_point:T, Y:T, y_scale:float, "
     "y_zero_point:T, z_scale:float, z_zero_point:T => Z:T",
     "",
     "x = DequantizeLinear(X, x_scale, x_zero_point)\n"
     "y = DequantizeLinear(Y, y_scale, y_zero_point)\n"
     "z = Where(condition, x, y)\n"
     "Z = QuantizeLinear(z, z_scale, z_zero_point)"},
    {"NhwcMaxPool", "x:T=byte => y:T", kWindow, nullptr, maxPool},
    {"QLinearConv",
     "x:X=byte, x_scale:float, x_zero_point:X, w:W=byte, w_scale:float, "
     "w_zero_point:W, y_scale:float, y_zero_point:Y=byte, B?:int32 => y:Y",
     "kernel_shape:ints, strides:ints, pads:ints, auto_pad:string, dilations:ints, "
     "group:int=1, channels_last:int=0",
     nullptr, convolution},
};

} // namespace

ArrayRef<ContribOperator> quantizedOperators() { return kOperators; }

} // namespace tessera::onnx_importer
