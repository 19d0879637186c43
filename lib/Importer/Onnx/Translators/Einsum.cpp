// Einsum: diagonals, sums of indices that one operand has, and products of two
// operands at a time.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

struct Equation {
  SmallVector<std::string> operands;
  std::string result;
  /// The indices that "..." stands for: sizes of 1 broadcast along them.
  std::string ellipsis;
};

/// Replaces "..." by letters that the equation does not have: as many as the
/// operand has dimensions without an index, the same ones from the last on. In a
/// result they are those of the operand with the most, which are returned.
std::string nameEllipsis(NodeContext &node, std::string &text) {
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
    return names(most);
  }
  auto [before, after] = right.split("...");
  std::string result =
      before.str() + (right.contains("...") ? names(most) : "") + after.str();
  text = replaced + (hasResult ? "->" + result : "");
  return names(most);
}

FailureOr<Equation> parseEquation(NodeContext &node) {
  std::string text = node.string("equation", "").str();
  llvm::erase(text, ' ');
  Equation equation;
  equation.ellipsis = nameEllipsis(node, text);
  auto [left, right] = StringRef(text).split("->");
  SmallVector<StringRef> parts;
  left.split(parts, ',');
  for (StringRef part : parts)
    equation.operands.push_back(part.str());
  equation.result = right.str();
  std::string all = llvm::join(equation.operands, "");
  if (!StringRef(text).contains("->")) {
    // Indices that occur once, in alphabetical order.
    for (char index = 'A'; index <= 'z'; ++index)
      if (llvm::count(all, index) == 1)
        equation.result += index;
  }
  if (equation.operands.size() != node.inputCount())
    return node.error("expects an equation of " + Twine(node.inputCount()) +
                      " operands but got " + Twine(equation.operands.size()));
  for (auto [i, operand] : llvm::enumerate(equation.operands)) {
    if (!llvm::all_of(operand, llvm::isAlpha))
      return node.error("'" + operand + "' has an index that is no letter");
    if (static_cast<int64_t>(operand.size()) != node.inputRank(i))
      return node.error("'" + operand +
                        "' does not have one index for each of "
                        "the " +
                        Twine(node.inputRank(i)) + " dimensions");
  }
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

/// The elements of `term` at which all dimensions of its index number `first` agree;
/// this dimension then leads.
void takeDiagonal(NodeContext &node, Term &term, size_t first) {
  char index = term.indices[first];
  Shape from = node.shapeOf(term.value), shape{from[first]};
  SmallVector<int64_t> dimensions;
  std::string indices(1, index);
  for (auto [i, other] : llvm::enumerate(term.indices)) {
    if (other == index) {
      dimensions.push_back(0);
      continue;
    }
    dimensions.push_back(shape.size());
    shape.push_back(from[i]);
    indices += other;
  }
  // The first of them is read at index vectors, which are numbers of elements.
  dimensions[first] = -1;
  Value numbers = graph::IotaOp::create(
      node.builder, node.loc,
      node.typeOf({shape.front()}, node.builder.getI64Type()),
      /*dimension=*/0, node.dynamicSizes({shape.front()}));
  term.value = graph::GatherPointsOp::create(
      node.builder, node.loc,
      node.typeOf(shape, getElementTypeOrSelf(term.value)), term.value,
      insertUnitDims(node, numbers, 1), dimensions, node.dynamicSizes(shape));
  term.indices = indices;
}

/// The size of index `index` where `a` and `b` are sizes of it.
FailureOr<AffineExpr> commonSize(NodeContext &node, const Equation &equation,
                                 char index, AffineExpr a, AffineExpr b) {
  if (constantOf(a) == 1)
    return b;
  if (has(equation.ellipsis, index)) {
    FailureOr<Shape> common = broadcastShapes(node, {{a}, {b}});
    return failed(common) ? FailureOr<AffineExpr>() : common->front();
  }
  if (constantOf(b) != 1 &&
      failed(node.requireEqual(a, b, "sizes of index '" +
                                         StringRef(&index, 1) + "'")))
    return failure();
  return a;
}

/// Makes the sizes of each index equal: dimensions of size 1 where another operand
/// has more are dropped, or broadcast if that is found at run time only; an operand
/// with an index twice becomes its diagonal.
LogicalResult agreeOnSizes(NodeContext &node, const Equation &equation,
                           MutableArrayRef<Term> terms) {
  llvm::SmallDenseMap<char, AffineExpr> sizes;
  for (const Term &term : terms)
    for (auto [index, size] :
         llvm::zip(term.indices, node.shapeOf(term.value))) {
      AffineExpr &known = sizes[index];
      FailureOr<AffineExpr> common =
          known ? commonSize(node, equation, index, known, size) : size;
      if (failed(common))
        return failure();
      known = *common;
    }
  for (Term &term : terms) {
    SmallVector<int64_t> units;
    std::string kept;
    Shape shape = node.shapeOf(term.value), wanted = shape;
    for (auto [i, index] : llvm::enumerate(term.indices)) {
      bool isUnit =
          constantOf(shape[i]) == 1 && constantOf(sizes[index]) != 1;
      if (isUnit)
        units.push_back(i);
      else
        kept += index;
      if (!isUnit && has(equation.ellipsis, index))
        wanted[i] = node.sizes.resolve(sizes[index]);
    }
    FailureOr<Value> wide = broadcastTo(node, term.value, wanted);
    if (failed(wide))
      return failure();
    term = {dropDims(node, *wide, units), kept};
    for (size_t i = 0; i < term.indices.size(); ++i)
      if (llvm::count(term.indices, term.indices[i]) > 1) {
        takeDiagonal(node, term, i);
        i = 0; // the dimensions moved; the first one occurs once
      }
  }
  return success();
}

/// Sums the dimensions whose index is not among `used`.
void sumUnused(NodeContext &node, Term &term, StringRef used) {
  SmallVector<int64_t> axes;
  std::string kept;
  for (auto [i, index] : llvm::enumerate(term.indices)) {
    if (has(used, index))
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
  SmallVector<int64_t> lhsDims = dimsOf(lhs.indices),
                       rhsDims = dimsOf(rhs.indices);
  return contract(node, {lhs.value, lhsDims}, {rhs.value, rhsDims},
                  dimsOf(result), space);
}

/// As contractTerms. A vector on the left is a matrix of one row, which is what there
/// are kernels for.
Value contractRows(NodeContext &node, Term lhs, const Term &rhs,
                   StringRef result) {
  bool hasRow = llvm::any_of(
      lhs.indices, [&](char index) { return !has(rhs.indices, index); });
  if (hasRow || result.empty())
    return contractTerms(node, lhs, rhs, result);
  auto withRow = [](StringRef indices) {
    return (indices.drop_back() + "." + indices.take_back()).str();
  };
  int64_t row = lhs.indices.size() - 1;
  lhs = {insertUnitDims(node, lhs.value, row), withRow(lhs.indices)};
  Value product = contractTerms(node, lhs, rhs, withRow(result));
  return dropDims(node, product, static_cast<int64_t>(result.size()) - 1);
}

/// The product of both terms, summed over the indices that `result` lacks.
FailureOr<Value> multiplyTerms(NodeContext &node, Term lhs, Term rhs,
                               StringRef result) {
  sumUnused(node, lhs, rhs.indices + result.str());
  sumUnused(node, rhs, lhs.indices + result.str());
  if (llvm::any_of(lhs.indices, [&](char index) {
        return has(rhs.indices, index) && !has(result, index);
      }))
    return contractRows(node, lhs, rhs, result);
  // No index is summed: an outer or elementwise product.
  return applyElementwise(
      node, {arranged(node, lhs, result), arranged(node, rhs, result)},
      [&](ArrayRef<Value> x) {
        return isa<FloatType>(getElementTypeOrSelf(x[0]))
                   ? node.create<arith::MulFOp>(x[0], x[1])
                   : node.create<arith::MulIOp>(x[0], x[1]);
      });
}

/// Takes the first term out that has an index of `indices`; the first one of all if
/// none has.
Term takePartner(SmallVectorImpl<Term> &terms, StringRef indices) {
  auto shares = [&](const Term &term) {
    return llvm::any_of(term.indices,
                        [&](char index) { return has(indices, index); });
  };
  auto found = llvm::find_if(terms, shares);
  if (found == terms.end())
    found = terms.begin();
  Term partner = *found;
  terms.erase(found);
  return partner;
}

LogicalResult einsum(NodeContext &node) {
  FailureOr<Equation> equation = parseEquation(node);
  if (failed(equation))
    return failure();
  SmallVector<Term> terms;
  for (auto [i, indices] : llvm::enumerate(equation->operands))
    terms.push_back({node.input(i), indices});
  if (failed(agreeOnSizes(node, *equation, terms)))
    return failure();
  Term product = terms.front();
  terms.erase(terms.begin());
  while (!terms.empty()) {
    Term partner = takePartner(terms, product.indices);
    // What a later product or the result needs.
    std::string needed = equation->result, kept;
    for (const Term &term : terms)
      needed += term.indices;
    for (char index : product.indices + partner.indices)
      if (has(needed, index) && !has(kept, index))
        kept += index;
    if (terms.empty())
      kept = equation->result;
    FailureOr<Value> value = multiplyTerms(node, product, partner, kept);
    if (failed(value))
      return failure();
    product = {*value, kept};
  }
  sumUnused(node, product, equation->result);
  node.setOutput(0, arranged(node, product, equation->result));
  return success();
}

} // namespace

void addEinsumTranslators(TranslatorTable &table) {
  table.add("Einsum", einsum);
}

} // namespace tessera::onnx_importer
