// Positions and taps of windows that lie inside the input.
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

InnerPositions cpu::innerPositions(const ContractionWindow &window,
                                   int64_t positions) {
  int64_t first = llvm::divideCeil(window.padLow, window.stride);
  int64_t room = window.input.size - 1 + window.padLow -
                 (window.kernel - 1) * window.dilation;
  int64_t last = room < 0 ? 0 : room / window.stride + 1;
  first = std::min(first, positions);
  return {first, std::clamp(last, first, positions)};
}

InnerPositions cpu::innerTaps(const ContractionWindow &window,
                              int64_t position) {
  int64_t start = position * window.stride - window.padLow;
  int64_t first =
      start >= 0 ? 0 : llvm::divideCeil(-start, window.dilation);
  int64_t last =
      llvm::divideCeilSigned(window.input.size - start, window.dilation);
  first = std::min(first, window.kernel);
  return {first, std::clamp(last, first, window.kernel)};
}

Value cpu::windowInput(OpBuilder &builder, Location loc,
                       const ContractionWindow &window,
                       ElementEmitter &elements) {
  return ShapedType::isDynamic(window.input.size)
             ? elements.emitSize(builder, loc, window.input.origin.tensor,
                                 window.input.origin.dimension)
             : IndexBuilder(builder, loc).constant(window.input.size);
}

std::pair<Value, Value> cpu::innerPositions(OpBuilder &builder, Location loc,
                                       const ContractionWindow &window,
                                       Value input, Value positions) {
  IndexBuilder index(builder, loc);
  Value first = index.min(
      index.constant(llvm::divideCeil(window.padLow, window.stride)),
      positions);
  Value room = index.add(
      input, window.padLow - 1 - (window.kernel - 1) * window.dilation);
  Value last =
      index.div(index.max(index.add(room, window.stride), index.constant(0)),
                window.stride);
  return {first, index.min(index.max(last, first), positions)};
}
