// Quantization in the domains of OpenVINO and TensorRT.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

constexpr int32_t kFloat8 = 17, kInt4 = 22;

/// The level of x in its input range, rounded half to even, as a number in the output
/// range; outside it the ends of that (OpenVINO, FakeQuantize-1). The larger and the
/// smaller end of the input range may be exchanged.
constexpr char kFakeQuantize[] =
    "low = Min(input_low, input_high)\nhigh = Max(input_low, input_high)\n"
    "levels_int = Constant<value_int: int = @levels>()\n"
    "one_int = Constant<value_int: int = 1>()\n"
    "steps_int = Sub(levels_int, one_int)\nsteps = CastLike(steps_int, X)\n"
    "from_low = Sub(X, input_low)\nrange = Sub(input_high, input_low)\n"
    "share = Div(from_low, range)\nplace = Mul(share, steps)\nlevel = Round(place)\n"
    "part = Div(level, steps)\nout_range = Sub(output_high, output_low)\n"
    "scaled = Mul(part, out_range)\ninside = Add(scaled, output_low)\n"
    "is_above = Greater(X, high)\nis_below = LessOrEqual(X, low)\n"
    "until_high = Where(is_above, output_high, inside)\n"
    "Y = Where(is_below, output_low, until_high)\n";

const ContribOperator kOpenvino[] = {
    {"FakeQuantize",
     "X:T=real, input_low:T, input_high:T, output_low:T, output_high:T => Y:T",
     "levels:int!, auto_broadcast:string", kFakeQuantize},
};

std::string dequantizeFloat8(const ContribCall &call) {
  if (call.elementType(0) == kFloat8)
    return "y = DequantizeLinear<axis: int = @axis>(x, scale)\n";
  // Exporters without float8 write its bytes.
  return "bytes = BitCast<to = " + std::to_string(kFloat8) +
         ">(x)\ny = DequantizeLinear<axis: int = @axis>(bytes, scale)\n";
}

std::string quantizeInt4(const ContribCall &call) {
  return "y = QuantizeLinear<axis: int = @axis, block_size: int = @block_size, "
         "output_dtype = " +
         std::to_string(call.hasInput(2) ? call.elementType(2) : kInt4) +
         ">(x, scale, zero_point)\n";
}

const ContribOperator kTensorrt[] = {
    {"TRT_FP8QuantizeLinear", "x:T=real, scale:T => y:Y=float8", "axis:int=1",
     "y = QuantizeLinear<axis: int = @axis, output_dtype = 17>(x, scale)"},
    {"TRT_FP8DequantizeLinear", "x:X=float8, scale:T=real => y:T", "axis:int=1",
     nullptr, dequantizeFloat8},
    {"TRT_INT4QuantizeLinear", "x:T=real, scale:T, zero_point?:Z=packed => y:Y=packed",
     "axis:int=0, block_size:int=0", nullptr, quantizeInt4},
    {"TRT_INT4DequantizeLinear", "x:X=packed, scale:T=real, zero_point?:X => y:T",
     "axis:int=0, block_size:int=0",
     "y = DequantizeLinear<axis: int = @axis, block_size: int = @block_size>"
     "(x, scale, zero_point)"},
};

} // namespace

ArrayRef<ContribOperator> openvinoOperators() { return kOpenvino; }

ArrayRef<ContribOperator> tensorrtOperators() { return kTensorrt; }

} // namespace tessera::onnx_importer
