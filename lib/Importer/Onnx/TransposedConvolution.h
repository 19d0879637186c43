/// Transposed convolutions as convolutions.
#ifndef TESSERA_IMPORTER_ONNX_TRANSPOSEDCONVOLUTION_H
#define TESSERA_IMPORTER_ONNX_TRANSPOSEDCONVOLUTION_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// Of each spatial axis: sizes of the kernel, the pads `low` and `high` that are
/// cut off the result, and `extra` elements at its end.
struct TransposedWindow {
  llvm::SmallVector<int64_t> kernel, strides, dilations, low, high, extra;
};

/// The transposed convolution of `image` [batch, spatial..., channels] with the
/// node's input 1 [channels, outputs / groups, kernel...], as [batch, spatial...,
/// outputs]; of f16 and bf16 as f32. Fails with a report if the result would have
/// a size below 0.
mlir::FailureOr<mlir::Value> transposedConvolution(NodeContext &node,
                                                   mlir::Value image,
                                                   TransposedWindow window,
                                                   int64_t groups);

} // namespace tessera::onnx_importer

#endif
