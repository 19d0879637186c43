// Normalizations that ONNX Runtime's optimizer joins with the sums in front of them.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// Outputs: the norm, its mean and deviation (which only training reads: they are not
/// made), the sum.
std::string skip(const ContribCall &call, int bias, const std::string &norm) {
  if (call.hasOutput(1) || call.hasOutput(2))
    return "";
  std::string nodes = "both = Add(input, skip)\n";
  nodes += call.hasInput(bias) ? "sum = Add(both, bias)\n" : "sum = Identity(both)\n";
  nodes += "output = " + norm + "\n";
  if (call.hasOutput(3))
    nodes += "input_skip_bias_sum = Identity(sum)\n";
  return nodes;
}

std::string skipLayer(const ContribCall &call) {
  return skip(call, 4,
              "LayerNormalization<axis = -1, epsilon: float = @epsilon>"
              "(sum, gamma, beta)");
}

std::string skipRms(const ContribCall &call) {
  return skip(
      call, 3, "RMSNormalization<axis = -1, epsilon: float = @epsilon>(sum, gamma)");
}

/// Which inputs of an embedding are there.
struct Embedding {
  bool hasSegments, hasMask, hasPositions;
};

/// The sum of rows of words, positions and segments, and its norm; where `mask` is not
/// there all lengths are 0.
std::string embed(const Embedding &embedding, const Twine &output,
                  const Twine &maskIndex) {
  std::string nodes = "words = Gather<axis = 0>(word, input_ids)\n"
                      "sizes = Shape(input_ids)\n" +
                      integerConstant("one", ArrayRef<int64_t>{1});
  if (embedding.hasPositions)
    nodes += "positions = Gather<axis = 0>(position, position_ids)\n";
  else
    nodes += integerConstant("from", int64_t(0)) + integerConstant("by", int64_t(1)) +
             "length = Gather<axis = 0>(sizes, by)\nplaces = Range(from, length, by)\n"
             "positions = Gather<axis = 0>(position, places)\n";
  nodes += "placed = Add(words, positions)\n";
  nodes += embedding.hasSegments
               ? "segments = Gather<axis = 0>(segment, segment_ids)\n"
                 "sum = Add(placed, segments)\n"
               : "sum = Identity(placed)\n";
  nodes += (output + " = LayerNormalization<axis = -1, epsilon: float = @epsilon>"
                     "(sum, scale, shift)\n")
               .str();
  if (embedding.hasMask)
    return nodes +
           (maskIndex + " = ReduceSum<keepdims = 0>(mask, one)\n").str();
  return nodes + (integerConstant("zero", ArrayRef<int64_t>{0}) +
                  "first = Slice(sizes, zero, one)\nzeros = Expand(zero, first)\n" +
                  maskIndex + " = CastLike(zeros, input_ids)\n")
                     .str();
}

std::string embedLayer(const ContribCall &call) {
  std::string nodes = "word = Identity(word_embedding)\n"
                      "position = Identity(position_embedding)\n"
                      "scale = Identity(gamma)\nshift = Identity(beta)\n";
  bool hasSegments = call.hasInput(1);
  if (hasSegments)
    nodes += "segment = Identity(segment_embedding)\n";
  nodes += embed({hasSegments, call.hasInput(7), call.hasInput(8)}, "output",
                 "mask_index");
  if (call.hasOutput(2))
    nodes += "embedding_sum = Identity(sum)\n";
  return nodes;
}

std::string quantizedEmbedLayer(const ContribCall &call) {
  auto dequantized = [](const Twine &result, const Twine &from, const Twine &name) {
    return (result + " = DequantizeLinear(" + from + ", " + name + "_scale, " + name +
            "_zero_point)\n")
        .str();
  };
  std::string nodes =
      dequantized("word", "word_embedding_quant", "word_embedding") +
      dequantized("position", "position_embedding_quant", "position_embedding") +
      dequantized("scale", "gamma_quant", "gamma") +
      dequantized("shift", "beta_quant", "beta");
  bool hasSegments = call.hasInput(1);
  if (hasSegments)
    nodes += dequantized("segment", "segment_embedding", "segment_embedding");
  return nodes + embed({hasSegments, call.hasInput(7), false}, "layernorm_out",
                       "mask_index_out");
}

const ContribOperator kOperators[] = {
    {"SkipLayerNormalization",
     "input:T=real, skip:T, gamma:T, beta?:T, bias?:T => output:T, mean?:float, "
     "inv_std_var?:float, input_skip_bias_sum?:T",
     "epsilon:float=1e-12", nullptr, skipLayer},
    {"SkipSimplifiedLayerNormalization",
     "input:T=real, skip:T, gamma:T, bias?:T => output:T, mean?:float, "
     "inv_std_var?:float, input_skip_bias_sum?:T",
     "epsilon:float=1e-12", nullptr, skipRms},
    {"EmbedLayerNormalization",
     "input_ids:int32, segment_ids?:int32, word_embedding:T=real, "
     "position_embedding:T, segment_embedding?:T, gamma:T, beta:T, mask?:int32, position_ids?:int32 => "
     "output:T, mask_index?:int32, embedding_sum?:T",
     "epsilon:float=1e-12, mask_index_type:int=0", nullptr, embedLayer},
    {"QEmbedLayerNormalization",
     "input_ids:int32, segment_ids?:int32, word_embedding_quant:Q=byte, "
     "position_embedding_quant:Q, segment_embedding?:Q, gamma_quant:Q, beta_quant:Q, "
     "mask?:int32, word_embedding_scale:float, position_embedding_scale:float, "
     "segment_embedding_scale?:float, gamma_scale:float, beta_scale:float, "
     "word_embedding_zero_point:Q, position_embedding_zero_point:Q, "
     "segment_embedding_zero_point?:Q, gamma_zero_point:Q, beta_zero_point:Q => "
     "layernorm_out:float, mask_index_out:int32",
     "epsilon:float=1e-12", nullptr, quantizedEmbedLayer},
};

} // namespace

ArrayRef<ContribOperator> normalizationOperators() { return kOperators; }

} // namespace tessera::onnx_importer
