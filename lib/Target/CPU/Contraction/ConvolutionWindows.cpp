// Positions and taps of windows that lie inside the input.
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"

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
