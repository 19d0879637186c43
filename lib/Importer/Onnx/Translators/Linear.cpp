// MatMul, Gemm and Det.
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
  table.add("Det", det);
}

} // namespace tessera::onnx_importer
