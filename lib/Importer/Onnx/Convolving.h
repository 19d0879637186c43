/// Convolution, shared by Conv and its quantized forms.
#ifndef TESSERA_IMPORTER_ONNX_CONVOLVING_H
#define TESSERA_IMPORTER_ONNX_CONVOLVING_H

#include "lib/Importer/Onnx/Contraction.h"

namespace tessera::onnx_importer {

/// [batch, channels, spatial...] to [batch, spatial..., channels], and back.
llvm::SmallVector<int64_t> toChannelsLast(int64_t rank);
llvm::SmallVector<int64_t> toChannelsFirst(int64_t rank);

/// `image` [batch, channels, spatial...], of input 0's shape, convolved with
/// `weights` [outputs, channels / groups, spatial...] by the node's attributes
/// of a window: channels-last, f32 if both are narrower floats, i32 if they are
/// `quantized`. Fails with a report.
mlir::FailureOr<mlir::Value>
convolve(NodeContext &node, mlir::Value image, mlir::Value weights,
         const QuantizedFactors *quantized = nullptr);

/// Adds `bias` [channels] to a channels-last tensor of its type.
mlir::FailureOr<mlir::Value> addBias(NodeContext &node, mlir::Value tensor,
                                     mlir::Value bias);

} // namespace tessera::onnx_importer

#endif
