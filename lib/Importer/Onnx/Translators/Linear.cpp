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

/// An equation of one or two operands without an index twice in an operand.
struct Equation {
  SmallVector<std::string> operands;
  std::string result;
};

/// Replaces "..." by letters that the equation does not have: as many as the
/// operand has dimensions without an index, the same ones from the last on. In a
/// result they are those of the operand with the most.
void nameEllipsis(NodeContext &node, std::string &text) {
  std::string unused;
  for (char letter = 'z'; letter >= 'A'; --letter)
    if (llvm::isAlpha(letter) && !StringRef(text).contains(letter))
      unused += letter;
  size_t most = 0;
  std::string replaced;
  auto names = [&](size_t count) {
    count = std::min(count, unused.size());
    std::string named = unused.substr(0, count);
    std::reverse(named.begin(), named.end());
    return named;
  };
  auto [left, right] = StringRef(text).split("->");
  bool hasResult = StringRef(text).contains("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  for (auto [i, part] : llvm::enumerate(parts)) {
    auto [before, after] = part.split("...");
    bool hasEllipsis = part.contains("...");
    int64_t rank = i < node.inputCount() ? node.inputRank(i) : 0;
    int64_t count =
        hasEllipsis ? rank - int64_t(before.size() + after.size()) : 0;
    count = std::max<int64_t>(count, 0);
    most = std::max<size_t>(most, count);
    replaced += (i ? "," : "") + before.str() + names(count) + after.str();
  }
  if (!hasResult && most > 0) {
    // Without a result its dimensions lead it.
    right = "";
    std::string all = replaced, result = names(most);
    for (char index = 'A'; index <= 'z'; ++index)
      if (llvm::isAlpha(index) && llvm::count(all, index) == 1 &&
          !StringRef(result).contains(index))
        result += index;
    text = replaced + "->" + result;
    return;
  }
  auto [before, after] = right.split("...");
  std::string result =
      before.str() + (right.contains("...") ? names(most) : "") + after.str();
  text = replaced + (hasResult ? "->" + result : "");
}

FailureOr<Equation> parseEquation(NodeContext &node) {
  std::string text = node.string("equation", "").str();
  llvm::erase(text, ' ');
  nameEllipsis(node, text);
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

/// Fails with a report, or the run does, unless an index has one size in both terms.
LogicalResult requireEqualSizes(NodeContext &node, const Term &lhs,
                                const Term &rhs) {
  Shape a = node.shapeOf(lhs.value), b = node.shapeOf(rhs.value);
  for (auto [i, index] : llvm::enumerate(lhs.indices))
    if (size_t j = rhs.indices.find(index); j != std::string::npos)
      if (failed(node.requireEqual(a[i], b[j],
                                   "sizes of index '" + Twine(index) + "'")))
        return failure();
  return success();
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
  if (failed(requireEqualSizes(node, lhs, rhs)))
    return failure();
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

/// The largest matrices that Det expands into products.
constexpr int64_t kMaxDeterminant = 4;

/// The determinant of the rows from `row` on and the `columns` of matrices whose
/// `elements` are tensors, by expansion along a row.
Value determinant(NodeContext &node, ArrayRef<SmallVector<Value>> elements,
                  size_t row, ArrayRef<size_t> columns) {
  Value sum;
  for (auto [i, column] : llvm::enumerate(columns)) {
    Value term = elements[row][column];
    if (columns.size() > 1) {
      SmallVector<size_t> others(columns);
      others.erase(others.begin() + i);
      term = node.create<arith::MulFOp>(
          term, determinant(node, elements, row + 1, others));
    }
    if (!sum)
      sum = term;
    else if (i % 2)
      sum = node.create<arith::SubFOp>(sum, term);
    else
      sum = node.create<arith::AddFOp>(sum, term);
  }
  return sum;
}

LogicalResult det(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  int64_t size = rank < 2 ? 0 : node.inputType(0).getShape().back();
  if (size < 1 || size > kMaxDeterminant ||
      node.inputType(0).getDimSize(rank - 2) != size)
    return node.error("only square matrices of known sizes of up to " +
                      Twine(kMaxDeterminant) + " are supported");
  Type type = node.inputType(0).getElementType();
  Value x = widenToF32(node, node.input(0));
  SmallVector<SmallVector<Value>> elements(size);
  SmallVector<size_t> columns;
  AffineExpr one = node.constantSize(1);
  for (int64_t i = 0; i < size; ++i) {
    Value row = sliceAlong(node, x, rank - 2, node.constantSize(i), one);
    for (int64_t j = 0; j < size; ++j)
      elements[i].push_back(dropDims(
          node, sliceAlong(node, row, rank - 1, node.constantSize(j), one),
          {rank - 2, rank - 1}));
    columns.push_back(i);
  }
  node.setOutput(
      0, castFloat(node, determinant(node, elements, 0, columns), type));
  return success();
}

} // namespace

void addLinearTranslators(TranslatorTable &table) {
  table.add("MatMul", matmulNode);
  table.add("Gemm", gemm);
  table.add("Einsum", einsum);
  table.add("Det", det);
}

} // namespace tessera::onnx_importer
