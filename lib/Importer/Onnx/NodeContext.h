/// What a translator sees of the node it translates.
///
/// A translator is a function that reads inputs and attributes, builds graph
/// state IR, and sets outputs:
///
///   LogicalResult translateReciprocal(NodeContext &node) {
///     Value x = node.input(0);
///     node.setOutput(0, node.create<arith::DivFOp>(node.filled(1.0, x), x));
///     return success();
///   }
///
/// Before it is called the node has been checked against its operator's schema:
/// required inputs and attributes are there, attributes have their declared
/// type, inputs have allowed element types. Ranks, axes and values are the
/// translator's to check; `return node.error("...")` reports and fails.
#ifndef TESSERA_IMPORTER_ONNX_NODECONTEXT_H
#define TESSERA_IMPORTER_ONNX_NODECONTEXT_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "onnx/onnx_pb.h"
#include "llvm/ADT/StringRef.h"

#include <functional>
#include <string>

namespace tessera::onnx_importer {

/// The sizes of a tensor, as expressions of the model's SizeAnalysis.
using Shape = llvm::SmallVector<mlir::AffineExpr>;

/// A tensor and its ONNX element type (TensorProto.DataType), which tells
/// signed from unsigned integers. No value: the tensor is omitted, or the node
/// that makes it failed.
struct OnnxValue {
  mlir::Value value;
  int32_t elementType = 0;
};

/// The MLIR type of an ONNX element type; null for strings, complex numbers and
/// unknown types. Types narrower than f16 and i8 are bytes: see NarrowTypes.h.
mlir::Type elementTypeToMlir(mlir::MLIRContext *context, int32_t elementType);

/// The type that an input or output has to its users where elementTypeToMlir
/// loses it: unsigned integers and types that are bytes here; else null.
mlir::Type portElementType(mlir::MLIRContext *context, int32_t elementType);

/// Whether the elements are unsigned integers.
bool isUnsignedType(int32_t elementType);

class NodeContext {
public:
  /// Makes constants of tensors in attributes; fails with a report.
  using ConstantMaker = std::function<mlir::FailureOr<mlir::Value>(
      const onnx::TensorProto &, NodeContext &)>;

  NodeContext(const onnx::NodeProto &proto, int64_t version,
              mlir::OpBuilder &builder, mlir::Location loc,
              graph::SizeAnalysis &sizes, const ConstantMaker &makeConstant)
      : builder(builder), loc(loc), sizes(sizes), proto(proto),
        opsetVersion(version), makeConstant(makeConstant) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;
  graph::SizeAnalysis &sizes;

  // The node.
  llvm::StringRef opType() const { return proto.op_type(); }
  /// Version of the opset that the model uses for the node's domain.
  int64_t version() const { return opsetVersion; }
  /// Records why the node cannot be translated, and what would work. Fails.
  mlir::LogicalResult error(const llvm::Twine &reason);
  llvm::StringRef errorText() const { return reason; }
  /// The node of the model that this one is or is a part of, as errors of a run
  /// name it.
  std::string subject() const;
  /// Leaves the node to the function body that the standard gives its operator,
  /// after checks at most. Fails.
  mlir::LogicalResult useBody() {
    wantsBody = true;
    return mlir::failure();
  }
  bool usesBody() const { return wantsBody; }

  // Inputs.
  unsigned inputCount() const { return inputs.size(); }
  /// The tensor of input `index`; null if it is omitted.
  mlir::Value input(unsigned index) const;
  int32_t inputElementType(unsigned index) const;
  bool isUnsigned(unsigned index = 0) const;
  mlir::RankedTensorType inputType(unsigned index) const;
  int64_t inputRank(unsigned index) const;

  // Attributes, with the value that stands for a missing one.
  bool hasAttribute(llvm::StringRef name) const { return find(name); }
  int64_t integer(llvm::StringRef name, int64_t otherwise) const;
  double number(llvm::StringRef name, double otherwise) const;
  llvm::StringRef string(llvm::StringRef name, llvm::StringRef otherwise) const;
  llvm::SmallVector<int64_t> integers(llvm::StringRef name) const;
  llvm::SmallVector<float> numbers(llvm::StringRef name) const;
  /// The constant in a tensor attribute, and its element type.
  mlir::FailureOr<OnnxValue> tensor(llvm::StringRef name);

  /// `axis` counted from the front, of `rank` dimensions; fails with a report
  /// if it is outside.
  mlir::FailureOr<int64_t> normalizeAxis(int64_t axis, int64_t rank);

  // Outputs.
  unsigned outputCount() const { return proto.output_size(); }
  bool hasOutput(unsigned index) const;
  /// Sets output `index`. The element type is the schema's, or `elementType`
  /// where the schema cannot know it.
  void setOutput(unsigned index, mlir::Value value, int32_t elementType = 0);

  // Building.
  /// Builds an operation of one result, folded if it can be.
  template <typename Op, typename... Args> mlir::Value create(Args &&...args) {
    return foldOrKeep(Op::create(builder, loc, std::forward<Args>(args)...));
  }
  Shape shapeOf(mlir::Value tensor) { return sizes.dimsOf(tensor); }
  mlir::AffineExpr constantSize(int64_t size);
  /// The run fails with `failure`, said of the node of the model, unless
  /// `condition`, an i1 scalar, holds.
  void requireAtRunTime(mlir::Value condition, const llvm::Twine &failure);
  /// Makes sure that `a` and `b`, which `what` describes, are equal: fails with a
  /// report if they are known to differ; where they are not proven equal a
  /// `graph.assert` checks them at run time, and from here on they are taken for
  /// equal.
  mlir::LogicalResult requireEqual(mlir::AffineExpr a, mlir::AffineExpr b,
                                   const llvm::Twine &what);
  /// Makes sure that `size` is at most `limit`; else the node fails, or the run,
  /// with `failure`. Checked at run time where it is not known.
  mlir::LogicalResult requireAtMost(mlir::AffineExpr size,
                                    mlir::AffineExpr limit,
                                    const llvm::Twine &failure);
  /// So that `size` is a multiple of `divisor` > 0.
  mlir::LogicalResult requireMultiple(mlir::AffineExpr size, int64_t divisor,
                                      const llvm::Twine &failure);
  /// So that no size of `shape`, which `what` describes, is negative.
  mlir::LogicalResult requireSizes(const Shape &shape, const llvm::Twine &what);
  /// So that `size`, of an axis that is read by index, is not 0 unless `reads`,
  /// the number of indices, is. See docs/numerics.md.
  mlir::LogicalResult requireElements(mlir::AffineExpr size,
                                      mlir::AffineExpr reads,
                                      const llvm::Twine &axis);
  /// The type of a tensor of `shape`, static where an expression is constant. A
  /// size that cannot be is an error of the node, even if the translator goes
  /// on.
  mlir::RankedTensorType typeOf(const Shape &shape, mlir::Type elementType);
  /// `size` as an attribute or an index value.
  mlir::OpFoldResult materialize(mlir::AffineExpr size);
  mlir::Value materializeIndex(mlir::AffineExpr size);
  llvm::SmallVector<mlir::OpFoldResult> materialize(const Shape &shape);
  /// The values of the sizes that are not constant, in order.
  llvm::SmallVector<mlir::Value> dynamicSizes(const Shape &shape);
  mlir::Value empty(const Shape &shape, mlir::Type elementType);

  /// A scalar constant of an integer or float type.
  mlir::Value scalar(double value, mlir::Type type);
  mlir::Value scalarInteger(int64_t value, mlir::Type type);
  /// `value` in the type and shape of `like`, a scalar or tensor.
  mlir::Value filled(double value, mlir::Value like);
  mlir::Value filled(mlir::Value scalar, const Shape &shape);

  // For the importer.
  /// The node is a part of the function that a node of the model calls, whose
  /// subject this is; empty if it is none.
  void setCaller(std::string subject) { caller = std::move(subject); }
  void setInputs(llvm::SmallVector<OnnxValue> values) {
    inputs = std::move(values);
  }
  void setOutputTypes(llvm::SmallVector<int32_t> types);
  llvm::ArrayRef<OnnxValue> getOutputs() const { return outputs; }
  const onnx::NodeProto &node() const { return proto; }

private:
  /// The result of `op`, or what it folds to in its place.
  mlir::Value foldOrKeep(mlir::Operation *op);
  const onnx::AttributeProto *find(llvm::StringRef name) const;

  const onnx::NodeProto &proto;
  int64_t opsetVersion;
  const ConstantMaker &makeConstant;
  llvm::SmallVector<OnnxValue> inputs, outputs;
  std::string reason, caller;
  bool wantsBody = false;
};

} // namespace tessera::onnx_importer

#endif
