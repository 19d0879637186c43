/// The element view: small tensors whose elements are known scalars.
///
/// Shape arithmetic of ONNX runs on small integer tensors. In graph state such
/// a tensor is an `arith.constant` or a `tensor.from_elements` of scalars; a
/// translator that finds its inputs to be so works on the scalars, and what it
/// makes is again a `tensor.from_elements`. So Reshape, Expand, Slice and the
/// like see the scalar of each size, and SizeAnalysis its expression:
///
///   Shape(x)        tensor.from_elements %n, 768 : tensor<2xi64>
///   Gather(.., 0)   tensor.from_elements %n : tensor<i64>
///   Mul(.., 12)     tensor.from_elements (arith.muli %n, 12) : tensor<i64>
#ifndef TESSERA_IMPORTER_ONNX_ELEMENTS_H
#define TESSERA_IMPORTER_ONNX_ELEMENTS_H

#include "lib/Importer/Onnx/NodeContext.h"

#include <optional>

namespace tessera::onnx_importer {

/// Tensors of at most this many elements have an element view.
inline constexpr int64_t kMaxViewedElements = 64;

/// The scalars of `tensor`, row-major, if they are known and few.
std::optional<llvm::SmallVector<mlir::Value>> elementsOf(NodeContext &node,
                                                         mlir::Value tensor);

/// Whether elementsOf would give the scalars; builds nothing.
bool hasElements(mlir::Value tensor);

/// The tensor of `shape` of the scalars.
mlir::Value fromElements(NodeContext &node, llvm::ArrayRef<mlir::Value> scalars,
                         llvm::ArrayRef<int64_t> shape, mlir::Type elementType);

/// The tensor of `shape` whose element at an index is element `source(index)`,
/// counted row-major, of `tensor`; null if the scalars are not known.
mlir::Value rearrangeElements(
    NodeContext &node, mlir::Value tensor, llvm::ArrayRef<int64_t> shape,
    llvm::function_ref<int64_t(llvm::ArrayRef<int64_t>)> source);

/// The integer of a scalar constant.
std::optional<int64_t> constantInteger(mlir::Value scalar);

/// The integers of a constant tensor of any length up to kMaxViewedElements.
std::optional<llvm::SmallVector<int64_t>> constantIntegers(mlir::Value tensor);

/// Tensors of more elements are data, not lists of sizes.
inline constexpr int64_t kMaxListElements = 1 << 16;

/// The elements of a list or scalar that is constant; the bytes of a long one are in
/// a file, which is read.
std::optional<mlir::DenseElementsAttr> constantList(mlir::Value tensor);

/// The same of a tensor of any rank.
std::optional<mlir::DenseElementsAttr> constantElements(mlir::Value tensor);

/// The constant number in a tensor of one element.
std::optional<double> constantNumber(mlir::Value tensor);

/// The expressions of the elements of an integer tensor; fails with a report
/// naming `what` if they are not known at compile time.
mlir::FailureOr<Shape> elementSizes(NodeContext &node, mlir::Value tensor,
                                    llvm::StringRef what);

/// The integers of a constant list of any length; fails with a report naming
/// `what`.
mlir::FailureOr<llvm::SmallVector<int64_t>>
requireConstantIntegers(NodeContext &node, mlir::Value tensor,
                        llvm::StringRef what);

} // namespace tessera::onnx_importer

#endif
