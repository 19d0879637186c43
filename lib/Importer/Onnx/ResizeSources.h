/// Where the elements of a resized axis come from: for each its places in the
/// source and their weights.
#ifndef TESSERA_IMPORTER_ONNX_RESIZESOURCES_H
#define TESSERA_IMPORTER_ONNX_RESIZESOURCES_H

#include "lib/Importer/Onnx/NodeContext.h"

#include <optional>

namespace tessera::onnx_importer {

/// How one axis is resized.
struct AxisScale {
  int64_t axis;
  mlir::AffineExpr from, to;
  std::optional<double> scale; // as given; else `factor`
  /// The scale as an f32 scalar, if it is computed of sizes; else to / from.
  mlir::Value factor;
};

enum class Interpolation { Nearest, Linear, Cubic };
enum class Nearest { Floor, Ceil, RoundPreferFloor, RoundPreferCeil };

struct Method {
  Interpolation kind = Interpolation::Nearest;
  llvm::StringRef coordinates;
  Nearest nearest = Nearest::RoundPreferFloor;
  /// The slope parameter of cubic convolution (Keys 1981), -0.75 or -0.5.
  double cubicCoefficient = -0.75;
  /// Positions and weights are computed in f64 for elements of f64, else in f32,
  /// whether sizes are known or not.
  mlir::FloatType type;
};

/// Vectors with one element for each of the result. Nearest has one of indices;
/// linear two, and the second's weights; cubic four, and as many weights.
struct Sources {
  llvm::SmallVector<mlir::Value> indices, weights;
};

/// The position in the source that element `x` of the result is at. `Float` is
/// float or double.
template <typename Float>
Float sourcePosition(Float from, Float to, Float scale,
                     llvm::StringRef coordinates, Float x);

template <typename Float> Float nearestPosition(Nearest nearest, Float position);

/// Constants where both sizes are known, else computed at run time by the same
/// arithmetic.
Sources sourcesOf(NodeContext &node, const AxisScale &scale,
                  const Method &method);

} // namespace tessera::onnx_importer

#endif
