/// Windows that move over the spatial dimensions of an image: those of convolutions
/// and pools.
#ifndef TESSERA_IMPORTER_ONNX_WINDOWS_H
#define TESSERA_IMPORTER_ONNX_WINDOWS_H

#include "lib/Importer/Onnx/NodeContext.h"
#include "lib/Importer/Onnx/Reducing.h"

namespace tessera::onnx_importer {

/// Attributes of a window over the spatial dimensions.
struct Window {
  llvm::SmallVector<int64_t> kernel, strides, dilations, low, high;
  /// Pads that depend on sizes unknown at compile time, or empty; they go around
  /// the image before the window does, whose own pads they are not part of.
  Shape sizedLow, sizedHigh;
};

/// Attribute `name`, a list of `length` numbers of at least `least`; all of them are
/// `otherwise` where it is missing. Fails with a report.
mlir::FailureOr<llvm::SmallVector<int64_t>>
listOf(NodeContext &node, llvm::StringRef name, size_t length,
       int64_t otherwise, int64_t least);

/// The window of `kernel` that the node's attributes say, over input 0. Fails with a
/// report.
mlir::FailureOr<Window> windowOf(NodeContext &node,
                                 llvm::ArrayRef<int64_t> kernel);

/// `image` [batch, channels, spatial...] with the window's pads of unknown size
/// around it, which `reduction` over the window ignores.
mlir::Value padBySizes(NodeContext &node, const Window &window,
                       mlir::Value image,
                       Reduction reduction = Reduction::Sum);

/// Spatial sizes after the window: floor((size + pads - reach) / stride) + 1,
/// or as ONNX pooling rounds up with `ceilMode`. `input`: [batch, channels,
/// spatial...], with the pads of unknown size. Fails with a report.
mlir::FailureOr<Shape> windowedSizes(NodeContext &node, const Shape &input,
                                     const Window &window, bool ceilMode);

/// How many elements windows of which there are `count` reach beyond the end of a
/// spatial dimension of `size`, counted from 0 as the first window: pads at the end,
/// or less where the last window ends before. At least 0.
mlir::AffineExpr overhang(NodeContext &node, const Window &window, size_t dimension,
                          mlir::AffineExpr size, mlir::AffineExpr count);

} // namespace tessera::onnx_importer

#endif
