// MatMul, Gemm and Einsum.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
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

/// An operand and the index that each of its dimensions is.
struct Term {
  Value value;
  std::string indices;
};

bool has(StringRef indices, char index) { return indices.contains(index); }

/// Sums the dimensions whose index neither `other` nor the result has.
void sumLoneIndices(NodeContext &node, Term &term, StringRef other,
                    StringRef result) {
  SmallVector<int64_t> axes;
  std::string kept;
  for (auto [i, index] : llvm::enumerate(term.indices)) {
    if (has(other, index) || has(result, index))
      kept += index;
    else
      axes.push_back(i);
  }
  if (axes.empty())
    return;
  Type type = getElementTypeOrSelf(term.value);
  Value sum = reduce(node, Reduction::Sum, widenToF32(node, term.value), axes,
                     /*keepDims=*/false);
  term = {isa<FloatType>(type) ? castFloat(node, sum, type) : sum, kept};
}

/// The term's dimensions in the order of `result`, with size 1 for indices that
/// it does not have. All its own indices are in the result.
Value arranged(NodeContext &node, const Term &term, StringRef result) {
  SmallVector<int64_t> order, missing;
  for (auto [i, index] : llvm::enumerate(result)) {
    size_t position = term.indices.find(index);
    if (position == std::string::npos)
      missing.push_back(i);
    else
      order.push_back(position);
  }
  return insertUnitDims(node, transpose(node, term.value, order), missing);
}

/// Sums over indices that both terms have and the result lacks.
Value contractTerms(NodeContext &node, const Term &lhs, const Term &rhs,
                    StringRef result) {
  std::string indices;
  Shape space;
  for (const Term *term : {&lhs, &rhs})
    for (auto [index, size] :
         llvm::zip(term->indices, node.shapeOf(term->value)))
      if (!has(indices, index)) {
        indices += index;
        space.push_back(size);
      }
  auto dimsOf = [&](StringRef names) {
    SmallVector<int64_t> dims;
    for (char index : names)
      dims.push_back(indices.find(index));
    return dims;
  };
  return contract(node, lhs.value, dimsOf(lhs.indices), rhs.value,
                  dimsOf(rhs.indices), dimsOf(result), space);
}

/// Whether an index has two known sizes that differ.
bool sizesContradict(NodeContext &node, const Term &lhs, const Term &rhs) {
  Shape a = node.shapeOf(lhs.value), b = node.shapeOf(rhs.value);
  for (auto [i, index] : llvm::enumerate(lhs.indices)) {
    size_t j = rhs.indices.find(index);
    if (j != std::string::npos && isa<AffineConstantExpr>(a[i]) &&
        isa<AffineConstantExpr>(b[j]) && a[i] != b[j])
      return true;
  }
  return false;
}

LogicalResult einsum(NodeContext &node) {
  FailureOr<Equation> equation = parseEquation(node);
  if (failed(equation))
    return failure();
  StringRef result = equation->result;
  Term lhs{node.input(0), equation->operands[0]};
  if (node.inputCount() == 1) {
    sumLoneIndices(node, lhs, "", result);
    node.setOutput(0, arranged(node, lhs, result));
    return success();
  }
  Term rhs{node.input(1), equation->operands[1]};
  if (sizesContradict(node, lhs, rhs))
    return node.error("an index has different sizes in the operands");
  sumLoneIndices(node, lhs, rhs.indices, result);
  sumLoneIndices(node, rhs, lhs.indices, result);
  if (llvm::any_of(lhs.indices, [&](char index) {
        return has(rhs.indices, index) && !has(result, index);
      })) {
    node.setOutput(0, contractTerms(node, lhs, rhs, result));
    return success();
  }
  // No index is summed: an outer or elementwise product.
  FailureOr<Value> product = applyElementwise(
      node, {arranged(node, lhs, result), arranged(node, rhs, result)},
      [&](ArrayRef<Value> x) {
        return isa<FloatType>(getElementTypeOrSelf(x[0]))
                   ? node.create<arith::MulFOp>(x[0], x[1])
                   : node.create<arith::MulIOp>(x[0], x[1]);
      });
  if (failed(product))
    return failure();
  node.setOutput(0, *product);
  return success();
}

} // namespace

void addLinearTranslators(TranslatorTable &table) {
  table.add("MatMul", matmulNode);
  table.add("Gemm", gemm);
  table.add("Einsum", einsum);
}

} // namespace tessera::onnx_importer
