// Weights of a few bits with a scale for each block of them. The translators of the
// same names check sizes first (Translators/PackedWeights.cpp).
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

constexpr int32_t kUint8 = 2;

/// B [columns, blocks, bytes of a block] as levels [columns, blocks * block].
std::string levels(int64_t bits, int64_t columns, int64_t depth) {
  std::string nodes =
      integerConstant("level_sizes", ArrayRef<int64_t>{columns, depth});
  if (bits == 8)
    return nodes + "levels = Reshape(B, level_sizes)\n";
  return nodes + "unpacked = tessera.UnpackBits<bits = " + std::to_string(bits) +
         ">(B)\nlevels = Reshape(unpacked, level_sizes)\n";
}

/// Zero points [columns, bytes of packed ones] as levels [columns, blocks].
std::string packedZeroPoints(int64_t bits, int64_t columns, int64_t blocks) {
  int64_t bytes = (blocks * bits + 7) / 8;
  std::string nodes =
      integerConstant("zero_sizes", ArrayRef<int64_t>{columns, bytes}) +
      "zero_rows = Reshape(zero_points, zero_sizes)\n";
  if (bits == 8)
    return nodes + "zeros = Identity(zero_rows)\n";
  return nodes + "padded_zeros = tessera.UnpackBits<bits = " + std::to_string(bits) +
         ">(zero_rows)\nzero_bytes = Cast<to = 2>(padded_zeros)\n" +
         integerConstant("begin", ArrayRef<int64_t>{0}) +
         integerConstant("end", ArrayRef<int64_t>{blocks}) +
         integerConstant("last", ArrayRef<int64_t>{1}) +
         "used_zeros = Slice(zero_bytes, begin, end, last)\n"
         "zeros = CastLike(used_zeros, levels)\n";
}

/// The zero point of all levels where none are given.
std::string middle(int64_t bits, int64_t columns, int64_t blocks) {
  return integerConstant("middle", ArrayRef<int64_t>{int64_t(1) << (bits - 1)}) +
         integerConstant("middle_sizes", ArrayRef<int64_t>{columns, blocks}) +
         "middles = Expand(middle, middle_sizes)\nzeros = CastLike(middles, levels)\n";
}

/// Y = A * (levels - zeros) * scales + bias, all blocks widened; zero points that are
/// floats, and groups that g_idx gives, are arithmetic of their own.
std::string matMul(const ContribCall &call) {
  int64_t bits = call.integer("bits", 4), columns = call.integer("N", 0),
          depth = call.integer("K", 0), block = call.integer("block_size", 0);
  int64_t blocks = (depth + block - 1) / block;
  bool hasFloatZeros = call.hasInput(3) && call.elementType(3) != kUint8;
  bool hasGroups = call.hasInput(4);
  std::string nodes =
      levels(bits, columns, blocks * block) +
      integerConstant("scale_sizes", ArrayRef<int64_t>{columns, blocks}) +
      "scale_rows = Reshape(scales, scale_sizes)\n" +
      integerConstant("first_column", ArrayRef<int64_t>{0}) +
      integerConstant("end_column", ArrayRef<int64_t>{depth}) +
      integerConstant("columns_axis", ArrayRef<int64_t>{1});
  if (hasFloatZeros)
    nodes += "zeros = Reshape(zero_points, scale_sizes)\n";
  else if (call.hasInput(3))
    nodes += packedZeroPoints(bits, columns, blocks);
  else
    nodes += middle(bits, columns, blocks);
  if (hasGroups) {
    // A scale and a zero point for each level.
    nodes += "groups = Slice(g_idx, first_column, end_column)\n"
             "scale_of = Gather<axis = 1>(scale_rows, groups)\n"
             "zero_numbers = CastLike(zeros, scales)\n"
             "zero_of = Gather<axis = 1>(zero_numbers, groups)\n"
             "all_numbers = CastLike(levels, scales)\n"
             "numbers = Slice(all_numbers, first_column, end_column, columns_axis)\n"
             "centred = Sub(numbers, zero_of)\n"
             "weights = Mul(centred, scale_of)\n";
  } else if (hasFloatZeros) {
    nodes += integerConstant("block_sizes", ArrayRef<int64_t>{columns, blocks, block}) +
             integerConstant("inner_axis", ArrayRef<int64_t>{2}) +
             "all_numbers = CastLike(levels, scales)\n"
             "block_numbers = Reshape(all_numbers, block_sizes)\n"
             "block_zeros = Unsqueeze(zeros, inner_axis)\n"
             "block_scales = Unsqueeze(scale_rows, inner_axis)\n"
             "centred = Sub(block_numbers, block_zeros)\n"
             "scaled = Mul(centred, block_scales)\n"
             "all_weights = Reshape(scaled, level_sizes)\n"
             "weights = Slice(all_weights, first_column, end_column, columns_axis)\n";
  } else {
    nodes += "all_weights = DequantizeLinear<axis = 1, block_size = " +
             std::to_string(block) +
             ">(levels, scale_rows, zeros)\n"
             "weights = Slice(all_weights, first_column, end_column, columns_axis)\n";
  }
  nodes += "turned = Transpose<perm = [1, 0]>(weights)\n";
  if (!call.hasInput(5))
    return nodes + "Y = MatMul(A, turned)\n";
  return nodes + "product = MatMul(A, turned)\nY = Add(product, bias)\n";
}

/// Rows of a table of levels. Levels of uint8 have their middle as zero point where
/// none are given; those of fewer bits than 8 are packed along the last dimension.
std::string gather(const ContribCall &call) {
  int64_t bits = call.integer("bits", 4);
  bool areBytes = call.elementType(0) == kUint8;
  std::string nodes;
  if (areBytes && bits < 8) {
    std::string unpack = " = tessera.UnpackBits<bits = " + std::to_string(bits) + ">(";
    nodes = "levels" + unpack + "data)\n";
    if (call.hasInput(3)) {
      nodes += "padded_zeros" + unpack + "zero_points)\nscale_sizes = Shape(scales)\n" +
               integerConstant("minus_one", ArrayRef<int64_t>{-1}) +
               "end = Gather<axis = 0>(scale_sizes, minus_one)\n" +
               integerConstant("begin", ArrayRef<int64_t>{0}) +
               "zero_bytes = Cast<to = 2>(padded_zeros)\n"
               "used_zeros = Slice(zero_bytes, begin, end, minus_one)\n"
               "zeros = CastLike(used_zeros, levels)\n";
    }
  } else {
    nodes = "levels = Identity(data)\n";
    if (call.hasInput(3))
      nodes += "zeros = Identity(zero_points)\n";
  }
  std::string zeros = ", zeros";
  if (!call.hasInput(3) && areBytes)
    nodes += integerConstant("middle", int64_t(1) << (bits - 1)) +
             "scale_sizes = Shape(scales)\nmiddles = Expand(middle, scale_sizes)\n"
             "zeros = CastLike(middles, levels)\n";
  else if (!call.hasInput(3))
    zeros = "";
  return nodes + "table = DequantizeLinear<axis: int = @quantize_axis, block_size: int "
                 "= @block_size>(levels, scales" + zeros +
         ")\noutput = Gather<axis: int = @gather_axis>(table, indices)\n";
}

const ContribOperator kOperators[] = {
    {"MatMulNBits",
     "A:T=real, B:uint8, scales:T, zero_points?:Z=realOrByte, g_idx?:int32, "
     "bias?:T => Y:T",
     "K:int!, N:int!, bits:int=4, block_size:int!, accuracy_level:int=0, "
     "weight_prepacked:int=0",
     nullptr, matMul},
    {"GatherBlockQuantized",
     "data:D=packed, indices:I=index, scales:T=real, zero_points?:D => output:T",
     "gather_axis:int=0, quantize_axis:int=1, block_size:int=128, bits:int=4", nullptr,
     gather},
};

} // namespace

ArrayRef<ContribOperator> packedWeightOperators() { return kOperators; }

} // namespace tessera::onnx_importer
