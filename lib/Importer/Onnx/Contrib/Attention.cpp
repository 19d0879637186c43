// Attention as ONNX Runtime's optimizer joins it, by ONNX's operator Attention.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// Inputs that masks come from; below 0: the operator has none.
struct MaskInputs {
  int mask, bias;
  const char *maskName, *biasName;
};

/// Nodes that make "attended_mask" [batch, heads, queries, keys], or 1 for a size, of
/// the mask and the bias, numbers like those of `like`. Masks are numbers of keys per
/// batch, or 0 where a key is not seen, to which mask_filter_value is added. None where
/// the mask has another form.
std::optional<std::string> maskNodes(const ContribCall &call, MaskInputs inputs,
                                     const std::string &like,
                                     const std::string &keyCount) {
  bool hasMask = inputs.mask >= 0 && call.hasInput(inputs.mask);
  bool hasBias = inputs.bias >= 0 && call.hasInput(inputs.bias);
  if (!hasMask)
    return hasBias ? "attended_mask = Identity(" + std::string(inputs.biasName) + ")\n"
                   : std::string();
  int rank = call.rank(inputs.mask);
  std::string mask = inputs.maskName, nodes;
  if (rank == 1) {
    nodes = keyCount + integerConstant("mask_from", int64_t(0)) +
            integerConstant("mask_by", int64_t(1)) +
            integerConstant("mask_axes", ArrayRef<int64_t>{1, 2, 3}) +
            "key_places = Range(mask_from, key_count, mask_by)\n"
            "key_numbers = CastLike(key_places, " + mask + ")\n"
            "key_limits = Unsqueeze(" + mask + ", mask_axes)\n"
            "is_seen = Less(key_numbers, key_limits)\n";
  } else if (rank == 2 || rank == 3) {
    std::vector<int64_t> axes{1};
    if (rank == 2)
      axes.push_back(2);
    nodes = integerConstant("mask_axes", axes) +
            "wide_mask = Unsqueeze(" + mask + ", mask_axes)\n"
            "is_seen = Cast<to = 9>(wide_mask)\n";
  } else {
    return std::nullopt;
  }
  nodes += numberConstant("seen_value", 0) +
           numberConstant("unseen_value", call.number("mask_filter_value", -10000)) +
           "mask_numbers = Where(is_seen, seen_value, unseen_value)\n"
           "mask_values = CastLike(mask_numbers, " + like + ")\n";
  return nodes + (hasBias ? "attended_mask = Add(mask_values, " +
                                std::string(inputs.biasName) + ")\n"
                          : "attended_mask = Identity(mask_values)\n");
}

/// The attributes of ONNX's Attention for as many key as query heads; a scale of 0
/// stands for the default.
std::string attentionAttributes(const ContribCall &call) {
  std::string text = "q_num_heads: int = @num_heads, kv_num_heads: int = @num_heads, "
                     "is_causal: int = @unidirectional";
  if (call.number("scale", 0) != 0)
    text += ", scale: float = @scale";
  return text;
}

/// Query, key and value side by side in "projected", a past in one tensor of which
/// input `past` is both halves: output and present.
std::string attendToProjected(const ContribCall &call, MaskInputs masks, int past) {
  std::vector<int64_t> sizes = call.integers("qkv_hidden_sizes");
  std::string nodes = sizes.empty()
                          ? "q, k, v = Split<axis = -1, num_outputs = 3>(projected)\n"
                          : integerConstant("parts", sizes) +
                                "q, k, v = Split<axis = -1>(projected, parts)\n";
  bool hasPast = call.hasInput(past);
  std::string count = "query_sizes = Shape(q)\n" +
                      integerConstant("second", int64_t(1)) +
                      "query_count = Gather<axis = 0>(query_sizes, second)\n";
  if (hasPast) {
    nodes += integerConstant("first_half", int64_t(0)) +
             integerConstant("second_half", int64_t(1)) +
             "past_key = Gather<axis = 0>(past, first_half)\n"
             "past_value = Gather<axis = 0>(past, second_half)\n";
    count += "past_sizes = Shape(past_key)\n" + integerConstant("third", int64_t(2)) +
             "past_count = Gather<axis = 0>(past_sizes, third)\n"
             "key_count = Add(past_count, query_count)\n";
  } else {
    count += "key_count = Identity(query_count)\n";
  }
  std::optional<std::string> mask = maskNodes(call, masks, "q", count);
  if (!mask)
    return "";
  nodes += *mask + "output" + (call.hasOutput(1) ? ", new_key, new_value" : "") +
           " = Attention<" + attentionAttributes(call) + ">(q, k, v, " +
           (mask->empty() ? "" : "attended_mask") +
           (hasPast ? ", past_key, past_value" : "") + ")\n";
  if (call.hasOutput(1))
    nodes += integerConstant("front", ArrayRef<int64_t>{0}) +
             "key_half = Unsqueeze(new_key, front)\n"
             "value_half = Unsqueeze(new_value, front)\n"
             "present = Concat<axis = 0>(key_half, value_half)\n";
  return nodes;
}

bool usesRotation(const ContribCall &call) {
  return call.integer("do_rotary", 0) || call.integer("past_present_share_buffer", 0);
}

std::string attention(const ContribCall &call) {
  if (usesRotation(call) || call.hasInput(6))
    return "";
  std::string body =
      attendToProjected(call, {3, 5, "mask_index", "attention_bias"}, 4);
  if (body.empty())
    return "";
  return std::string("product = MatMul(input, weights)\n") +
         (call.hasInput(2) ? "projected = Add(product, bias)\n"
                           : "projected = Identity(product)\n") +
         body;
}

/// The projection of bytes: sums in i32, then one factor.
std::string quantizedAttention(const ContribCall &call) {
  if (usesRotation(call))
    return "";
  std::string body = attendToProjected(call, {5, -1, "mask_index", ""}, 8);
  if (body.empty())
    return "";
  return "sums = MatMulInteger(input, weight, input_zero_point, weight_zero_point)\n"
         "factor = Mul(input_scale, weight_scale)\nnumbers = CastLike(sums, factor)\n"
         "product = Mul(numbers, factor)\nprojected = Add(product, bias)\n" +
         body;
}

/// `name`, [batch, length, heads * dim], with its part of the bias.
std::string biased(const ContribCall &call, const std::string &name, bool hasBias) {
  if (!hasBias)
    return name + "_input = Identity(" + name + ")\n";
  return name + "_input = Add(" + name + ", " + name + "_bias)\n";
}

/// Query, key and value apart. Keys and values of another source may come as [batch,
/// heads, length, dim]; packed ones, and results of the product, are not read.
std::string multiHead(const ContribCall &call) {
  if (!call.hasInput(1) || !call.hasInput(2) || call.rank(0) != 3 ||
      call.hasInput(8) || call.hasInput(9) || call.hasOutput(3))
    return "";
  bool hasBias = call.hasInput(3), areApart = call.rank(1) == 4;
  if (call.rank(1) != call.rank(2) || (!areApart && call.rank(1) != 3))
    return "";
  std::string nodes;
  if (hasBias) {
    std::vector<int64_t> widths;
    for (int i : {0, 0, 2}) {
      std::optional<int64_t> width = call.size(i, 2);
      if (!width || areApart)
        return "";
      widths.push_back(*width);
    }
    nodes = integerConstant("bias_parts", widths) +
            "query_bias, key_bias, value_bias = Split<axis = 0>(bias, bias_parts)\n";
  }
  nodes += biased(call, "query", hasBias) + biased(call, "key", hasBias) +
           biased(call, "value", hasBias);
  std::string query = "query_input";
  if (areApart) {
    int64_t heads = call.integer("num_heads", 1);
    nodes += integerConstant("head_sizes", ArrayRef<int64_t>{0, 0, heads, -1}) +
             "query_heads = Reshape(query_input, head_sizes)\n"
             "query_apart = Transpose<perm = [0, 2, 1, 3]>(query_heads)\n";
    query = "query_apart";
  }
  bool hasPast = call.hasInput(6);
  std::string count = "key_sizes = Shape(key_input)\n" +
                      integerConstant("key_axis", int64_t(areApart ? 2 : 1)) +
                      "new_count = Gather<axis = 0>(key_sizes, key_axis)\n";
  count += hasPast ? "past_sizes = Shape(past_key)\n" +
                         integerConstant("past_axis", int64_t(2)) +
                         "past_count = Gather<axis = 0>(past_sizes, past_axis)\n"
                         "key_count = Add(past_count, new_count)\n"
                   : "key_count = Identity(new_count)\n";
  std::optional<std::string> mask = maskNodes(
      call, {4, 5, "key_padding_mask", "attention_bias"}, "query_input", count);
  if (!mask)
    return "";
  std::string result = areApart ? "output_apart" : "output";
  nodes += *mask + result + (call.hasOutput(1) ? ", present_key, present_value" : "") +
           " = Attention<" + attentionAttributes(call) + ">(" + query +
           ", key_input, value_input, " + (mask->empty() ? "" : "attended_mask") +
           (hasPast ? ", past_key, past_value" : "") + ")\n";
  if (areApart)
    nodes += integerConstant("joined_sizes", ArrayRef<int64_t>{0, 0, -1}) +
             "output_order = Transpose<perm = [0, 2, 1, 3]>(output_apart)\n"
             "output = Reshape(output_order, joined_sizes)\n";
  return nodes;
}

constexpr char kAttributes[] =
    "num_heads:int!, unidirectional:int=0, mask_filter_value:float=-10000, "
    "scale:float, do_rotary:int=0, past_present_share_buffer:int=0, qkv_hidden_sizes:ints, "
    "rotary_embedding_dim:int=0";

const ContribOperator kOperators[] = {
    {"Attention",
     "input:T=real, weights:T, bias?:T, mask_index?:int32, past?:T, attention_bias?:T, "
     "past_sequence_length?:int32 => output:T, present?:T",
     kAttributes, nullptr, attention},
    {"QAttention",
     "input:A=byte, weight:W=byte, bias:T=real, input_scale:T, weight_scale:T, "
     "mask_index?:int32, input_zero_point?:A, weight_zero_point?:W, past?:T => "
     "output:T, present?:T",
     kAttributes, nullptr, quantizedAttention},
    {"MultiHeadAttention",
     "query:T=real, key?:T, value?:T, bias?:T, key_padding_mask?:int32, "
     "attention_bias?:T, past_key?:T, past_value?:T, past_sequence_length?:int32, "
     "cache_indirection?:int32 => output:T, present_key?:T, present_value?:T, qk?:T",
     kAttributes, nullptr, multiHead},
};

} // namespace

ArrayRef<ContribOperator> attentionOperators() { return kOperators; }

} // namespace tessera::onnx_importer
