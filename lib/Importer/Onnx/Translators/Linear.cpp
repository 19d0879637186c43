// MatMul, Gemm and Einsum.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

LogicalResult matmulNode(NodeContext &node) {
  FailureOr<Value> result = matmul(node, node.input(0), node.input(1));
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// `factor` times `tensor`, which is itself for a factor of 1.
Value scaled(NodeContext &node, Value tensor, double factor) {
  if (factor == 1.0)
    return tensor;
  Value wide = node.filled(factor, tensor);
  return isa<FloatType>(getElementTypeOrSelf(tensor))
             ? node.create<arith::MulFOp>(tensor, wide)
             : node.create<arith::MulIOp>(tensor, wide);
}

/// alpha * op(A) * op(B) + beta * C
LogicalResult gemm(NodeContext &node) {
  Value a = node.input(0), b = node.input(1), c = node.input(2);
  if (node.inputRank(0) != 2 || node.inputRank(1) != 2)
    return node.error("expects A and B to be matrices");
  double alpha = node.number("alpha", 1.0), beta = node.number("beta", 1.0);
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(a));
  if (!isFloat && (alpha != std::floor(alpha) || beta != std::floor(beta)))
    return node.error("expects integer alpha and beta for integer matrices");
  if (node.integer("transA", 0))
    a = transpose(node, a, {1, 0});
  if (node.integer("transB", 0))
    b = transpose(node, b, {1, 0});
  FailureOr<Value> product = multiplyMatrices(node, a, b);
  if (failed(product))
    return failure();
  Value result = scaled(node, *product, alpha);
  if (c && beta != 0.0) {
    FailureOr<Value> wide =
        broadcastTo(node, scaled(node, c, beta), node.shapeOf(result));
    if (failed(wide))
      return failure();
    result = isFloat ? node.create<arith::AddFOp>(result, *wide)
                     : node.create<arith::AddIOp>(result, *wide);
  }
  node.setOutput(0, result);
  return success();
}

/// An equation of one or two operands without "..." and without an index twice
/// in an operand.
struct Equation {
  SmallVector<std::string> operands;
  std::string result;
};

FailureOr<Equation> parseEquation(NodeContext &node) {
  std::string text = node.string("equation", "").str();
  llvm::erase(text, ' ');
  if (StringRef(text).contains("..."))
    return node.error("'...' in the equation is not supported; write indices");
  Equation equation;
  auto [left, right] = StringRef(text).split("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  for (StringRef part : parts)
    equation.operands.push_back(part.str());
  equation.result = right.str();
  if (!StringRef(text).contains("->")) {
    // Indices that occur once, in alphabetical order.
    std::string all = llvm::join(equation.operands, "");
    for (char index = 'A'; index <= 'z'; ++index)
      if (llvm::count(all, index) == 1)
        equation.result += index;
  }
  if (equation.operands.size() != node.inputCount() ||
      equation.operands.size() > 2)
    return node.error("expects an equation of one or two operands");
  for (auto [i, operand] : llvm::enumerate(equation.operands)) {
    if (static_cast<int64_t>(operand.size()) != node.inputRank(i))
      return node.error("'" + operand +
                        "' does not have one index for each of "
                        "the " +
                        Twine(node.inputRank(i)) + " dimensions");
    for (char index : operand)
      if (!llvm::isAlpha(index) || llvm::count(operand, index) > 1)
        return node.error("'" + operand +
                          "' has an index twice, which is not supported");
  }
  std::string all = llvm::join(equation.operands, "");
  for (char index : equation.result)
    if (llvm::count(equation.result, index) > 1 ||
        !llvm::is_contained(all, index))
      return node.error("the result '" + equation.result +
                        "' has an index twice or one of no operand");
  return equation;
}

/// Operands as a contraction: every index is a dimension of the iteration
/// space. Indices of one operand alone that the result lacks are summed first
/// by the same contraction with a scalar 1.
LogicalResult einsum(NodeContext &node) {
  FailureOr<Equation> equation = parseEquation(node);
  if (failed(equation))
    return failure();
  Value lhs = node.input(0), rhs = node.input(1);
  if (!rhs) {
    rhs = node.filled(node.scalar(1.0, getElementTypeOrSelf(lhs)), Shape());
    equation->operands.push_back("");
  }
  std::string indices;
  Shape space;
  Value values[] = {lhs, rhs};
  for (auto [operand, value] : llvm::zip(equation->operands, values))
    for (auto [index, size] : llvm::zip(operand, node.shapeOf(value))) {
      size_t position = indices.find(index);
      if (position == std::string::npos) {
        indices += index;
        space.push_back(size);
      } else if (isa<AffineConstantExpr>(size) &&
                 isa<AffineConstantExpr>(space[position]) &&
                 size != space[position]) {
        return node.error("sizes of index '" + Twine(index) + "' differ");
      }
    }
  auto dimsOf = [&](StringRef names) {
    SmallVector<int64_t> dims;
    for (char index : names)
      dims.push_back(indices.find(index));
    return dims;
  };
  node.setOutput(0, contract(node, lhs, dimsOf(equation->operands[0]), rhs,
                             dimsOf(equation->operands[1]),
                             dimsOf(equation->result), space));
  return success();
}

} // namespace

void addLinearTranslators(TranslatorTable &table) {
  table.add("MatMul", matmulNode);
  table.add("Gemm", gemm);
  table.add("Einsum", einsum);
}

} // namespace tessera::onnx_importer
