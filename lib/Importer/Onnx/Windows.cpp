// Windows over images; see the header.
#include "lib/Importer/Onnx/Windows.h"
#include "dialects/Graph/IR/WindowSizes.h"
#include "lib/Importer/Onnx/Shaping.h"

using namespace mlir;

namespace tessera::onnx_importer {

/// Pads such that the result's size is ceil(size / stride).
static void padToSame(NodeContext &node, Window &window, bool extraIsLow) {
  Shape image = node.shapeOf(node.input(0));
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    AffineExpr size = image[i + 2];
    int64_t reach = window.dilations[i] * (window.kernel[i] - 1) + 1;
    int64_t stride = window.strides[i];
    AffineExpr total = node.constantSize(reach - 1);
    if (stride != 1) // less what the last stride does not reach
      total = (size.ceilDiv(stride) - 1) * stride + reach - size;
    if (reach < stride)
      total = reach == 1 ? node.constantSize(0) : atLeastZero(node, total);
    if (std::optional<int64_t> known = constantOf(total)) {
      window.low[i] = extraIsLow ? *known - *known / 2 : *known / 2;
      window.high[i] = *known - window.low[i];
      continue;
    }
    if (window.sizedLow.empty())
      window.sizedLow = window.sizedHigh =
          Shape(window.kernel.size(), node.constantSize(0));
    AffineExpr half = total.floorDiv(2);
    window.sizedLow[i] = extraIsLow ? total - half : half;
    window.sizedHigh[i] = total - window.sizedLow[i];
  }
}

FailureOr<SmallVector<int64_t>> listOf(NodeContext &node, StringRef name,
                                       size_t length, int64_t otherwise,
                                       int64_t least) {
  SmallVector<int64_t> values = node.integers(name);
  if (values.empty())
    values.assign(length, otherwise);
  if (values.size() != length ||
      llvm::any_of(values, [&](int64_t v) { return v < least; }))
    return node.error("expects '" + name + "' to be " + Twine(length) +
                      " numbers of at least " + Twine(least));
  return values;
}

FailureOr<Window> windowOf(NodeContext &node, ArrayRef<int64_t> kernel) {
  size_t spatial = node.inputRank(0) - 2;
  Window window;
  window.kernel.assign(kernel.begin(), kernel.end());
  auto strides = listOf(node, "strides", spatial, 1, 1);
  auto dilations = listOf(node, "dilations", spatial, 1, 1);
  auto pads = listOf(node, "pads", 2 * spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  if (kernel.size() != spatial ||
      llvm::any_of(kernel, [](int64_t size) { return size < 1; }))
    return node.error("expects a kernel of " + Twine(spatial) +
                      " known sizes of at least 1");
  window.strides = *strides;
  window.dilations = *dilations;
  window.low.assign(pads->begin(), pads->begin() + spatial);
  window.high.assign(pads->begin() + spatial, pads->end());
  StringRef autoPad = node.string("auto_pad", "NOTSET");
  if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") {
    padToSame(node, window, autoPad == "SAME_LOWER");
  } else if (autoPad == "VALID") {
    window.low.assign(spatial, 0);
    window.high.assign(spatial, 0);
  } else if (autoPad != "NOTSET") {
    return node.error("auto_pad '" + autoPad + "' does not exist");
  }
  return window;
}

Value padBySizes(NodeContext &node, const Window &window, Value image,
                 Reduction reduction) {
  if (window.sizedLow.empty())
    return image;
  Value fill = neutralOf(node, reduction, getElementTypeOrSelf(image),
                         node.isUnsigned());
  Shape low(2, node.constantSize(0)), high = low;
  llvm::append_range(low, window.sizedLow);
  llvm::append_range(high, window.sizedHigh);
  return padWithConstant(node, image, low, high, fill);
}

FailureOr<Shape> windowedSizes(NodeContext &node, const Shape &input,
                               const Window &window, bool ceilMode) {
  Shape sizes;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    AffineExpr size = input[i + 2];
    graph::WindowSteps steps{window.kernel[i],    window.strides[i],
                             window.dilations[i], window.low[i],
                             window.high[i],      ceilMode};
    // With ceil_mode the last window may hang over the end.
    int64_t least = window.dilations[i] * (window.kernel[i] - 1) + 1 -
                    window.low[i] - window.high[i] +
                    (ceilMode ? 1 - window.strides[i] : 0);
    if (failed(node.requireAtMost(
            node.constantSize(least), size,
            "the window is larger than the padded dimension " + Twine(i + 2))))
      return failure();
    std::optional<int64_t> known = constantOf(size);
    sizes.push_back(
        known ? node.constantSize(graph::windowOutputSize(*known, steps))
              : graph::windowOutputSize(size, steps));
  }
  return sizes;
}

AffineExpr overhang(NodeContext &node, const Window &window, size_t dimension,
                    AffineExpr size, AffineExpr count) {
  AffineExpr end =
      (count - 1) * window.strides[dimension] +
      (window.dilations[dimension] * (window.kernel[dimension] - 1) + 1);
  return atLeastZero(node, end - size - window.low[dimension]);
}

} // namespace tessera::onnx_importer
