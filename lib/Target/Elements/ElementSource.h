// Where the elements of a kernel's arguments are.
#ifndef TESSERA_TARGET_ELEMENTS_ELEMENTSOURCE_H
#define TESSERA_TARGET_ELEMENTS_ELEMENTSOURCE_H

#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace tessera {

/// The memory that an ElementEmitter reads: memrefs on a CPU, pointers on a device.
/// What is loaded is vector<lanes x T> of the type in memory, T for one lane; a
/// boolean may be a byte.
class ElementSource {
public:
  virtual ~ElementSource() = default;

  /// Whether the elements of the tensor argument `argument` lie in row-major order
  /// without gaps.
  virtual bool isDense(mlir::BlockArgument argument) const = 0;

  /// The elements of `argument`, whose rank is at least 1. `access` has an index for
  /// each dimension; where it is linear, `argument` is dense. Lanes that its mask
  /// leaves out read no memory and hold anything.
  virtual mlir::FailureOr<mlir::Value> load(LaneMath &math,
                                            mlir::BlockArgument argument,
                                            const ElementAccess &access) = 0;

  /// Of `constant`, whose elements differ; `access` has its row-major position as its
  /// only index. Fails with a diagnostic at `loc` where there are no such arrays.
  virtual mlir::FailureOr<mlir::Value> load(LaneMath &math, mlir::Location loc,
                                            mlir::DenseElementsAttr constant,
                                            const ElementAccess &access) = 0;
};

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_ELEMENTSOURCE_H
