// Blocks of elements that are transposed in registers; see the header.
#include "lib/Target/CPU/Elements/LaneTranspose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

std::pair<SmallVector<int64_t>, SmallVector<int64_t>>
cpu::exchangeOfDistance(int64_t lanes, int64_t distance) {
  SmallVector<int64_t> low, high;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    bool second = lane & distance;
    low.push_back(second ? lanes + lane - distance : lane);
    high.push_back(second ? lanes + lane : lane + distance);
  }
  return {low, high};
}

/// shuffle of `a` and `b` by `source`(result lane).
static Value shuffle(OpBuilder &builder, Location loc, Value a, Value b,
                     function_ref<int64_t(int64_t)> source) {
  int64_t lanes = cast<VectorType>(a.getType()).getDimSize(0);
  return vector::ShuffleOp::create(
      builder, loc, a, b,
      llvm::map_to_vector(llvm::seq<int64_t>(lanes), source));
}

static void transposeWords(OpBuilder &builder, Location loc,
                           MutableArrayRef<Value> rows) {
  int64_t lanes = rows.size();
  // Of each 4 lanes, the low or high ones of a and b in turn, `width` at a time.
  auto unpack = [&](Value a, Value b, int64_t width, bool high) {
    return shuffle(builder, loc, a, b, [&](int64_t lane) {
      int64_t inBlock = lane % 4, pair = inBlock / width;
      int64_t from =
          lane - inBlock + high * 2 + pair / 2 * width + inBlock % width;
      return from + (pair % 2) * lanes;
    });
  };
  for (int64_t i = 0; i < lanes; i += 4) {
    Value a = rows[i], b = rows[i + 1], c = rows[i + 2], d = rows[i + 3];
    Value abLow = unpack(a, b, 1, false), abHigh = unpack(a, b, 1, true);
    Value cdLow = unpack(c, d, 1, false), cdHigh = unpack(c, d, 1, true);
    rows[i] = unpack(abLow, cdLow, 2, false);
    rows[i + 1] = unpack(abLow, cdLow, 2, true);
    rows[i + 2] = unpack(abHigh, cdHigh, 2, false);
    rows[i + 3] = unpack(abHigh, cdHigh, 2, true);
  }
  // In the round of distance d, rows i and i + d swap their off-diagonal d x d
  // blocks.
  for (int64_t distance = 4; distance < lanes; distance *= 2) {
    auto [low, high] = cpu::exchangeOfDistance(lanes, distance);
    for (int64_t i = 0; i < lanes; ++i) {
      if (i & distance)
        continue;
      Value a = rows[i], b = rows[i + distance];
      rows[i] = vector::ShuffleOp::create(builder, loc, a, b, low);
      rows[i + distance] = vector::ShuffleOp::create(builder, loc, a, b, high);
    }
  }
}

void cpu::transposeLanes(OpBuilder &builder, Location loc,
                         MutableArrayRef<Value> rows) {
  int64_t lanes = rows.size();
  Type element = getElementTypeOrSelf(rows[0].getType());
  if (element.getIntOrFloatBitWidth() == 32 && lanes % 4 == 0)
    return transposeWords(builder, loc, rows);
  // Stages of interleaving halves.
  for (int64_t stage = 1; stage < lanes; stage *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < lanes / 2; ++i)
      for (int64_t half : {int64_t(0), lanes / 2})
        next.push_back(shuffle(builder, loc, rows[i], rows[i + lanes / 2],
                               [&](int64_t lane) {
                                 return half + lane / 2 + lane % 2 * lanes;
                               }));
    llvm::copy(next, rows.begin());
  }
}
