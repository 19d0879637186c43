// Indices as sums; see the header.
#include "lib/Target/Elements/IndexTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

#include <numeric>

using namespace mlir;
using namespace tessera;

std::optional<int64_t> tessera::constantOf(Value value) {
  IntegerAttr attribute;
  if (value && matchPattern(value, m_Constant(&attribute)))
    return attribute.getInt();
  return std::nullopt;
}

/// The loop whose induction variable `value` is. A body that is still being built
/// has no parent yet.
static scf::ForOp loopOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return {};
  auto loop = dyn_cast_or_null<scf::ForOp>(argument.getOwner()->getParentOp());
  return loop && argument == loop.getInductionVar() ? loop : scf::ForOp();
}

bool tessera::isMultipleOf(Value value, int64_t factor) {
  if (factor == 1)
    return true;
  if (auto constant = constantOf(value))
    return *constant % factor == 0;
  if (isa<BlockArgument>(value)) {
    scf::ForOp loop = loopOf(value);
    return loop && isMultipleOf(loop.getLowerBound(), factor) &&
           isMultipleOf(loop.getStep(), factor);
  }
  Operation *op = value.getDefiningOp();
  auto both = [&] {
    return isMultipleOf(op->getOperand(0), factor) &&
           isMultipleOf(op->getOperand(1), factor);
  };
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinUIOp, arith::MinSIOp,
          arith::MaxSIOp, arith::MaxUIOp>(op))
    return both();
  if (isa<arith::MulIOp>(op))
    return isMultipleOf(op->getOperand(0), factor) ||
           isMultipleOf(op->getOperand(1), factor);
  return false;
}

bool tessera::isNonNegative(Value index) {
  if (std::optional<int64_t> constant = constantOf(index))
    return *constant >= 0;
  if (isa<BlockArgument>(index)) {
    scf::ForOp loop = loopOf(index);
    return !loop || isNonNegative(loop.getLowerBound());
  }
  Operation *op = index.getDefiningOp();
  return isa<arith::DivUIOp, arith::RemUIOp>(op) ||
         (isa<arith::AddIOp, arith::MulIOp, arith::MinUIOp, arith::MinSIOp,
              arith::MaxSIOp, arith::MaxUIOp>(op) &&
          llvm::all_of(op->getOperands(), isNonNegative));
}

/// The largest value of an index that is no sum.
static std::optional<int64_t> largestOf(Value value) {
  if (scf::ForOp loop = loopOf(value)) {
    std::optional<int64_t> bound = constantOf(loop.getUpperBound());
    return bound ? std::optional(*bound - 1) : std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  std::optional<int64_t> divisor =
      op && op->getNumOperands() == 2 ? constantOf(op->getOperand(1)) : std::nullopt;
  if (!divisor || *divisor < 1)
    return std::nullopt;
  std::optional<int64_t> dividend = termsOf(op->getOperand(0)).largest();
  if (isa<arith::RemUIOp>(op))
    return dividend ? std::min(*dividend, *divisor - 1) : *divisor - 1;
  if (isa<arith::DivUIOp>(op) && dividend)
    return *dividend / *divisor;
  return std::nullopt;
}

static void addTerms(Value index, int64_t factor, IndexTerms &sum) {
  if (std::optional<int64_t> constant = constantOf(index);
      constant && *constant >= 0) {
    sum.constant += factor * *constant;
    return;
  }
  if (auto addition = index.getDefiningOp<arith::AddIOp>()) {
    addTerms(addition.getLhs(), factor, sum);
    addTerms(addition.getRhs(), factor, sum);
    return;
  }
  if (auto product = index.getDefiningOp<arith::MulIOp>())
    if (std::optional<int64_t> constant = constantOf(product.getRhs());
        constant && *constant > 0) {
      addTerms(product.getLhs(), factor * *constant, sum);
      return;
    }
  sum.terms.push_back({index, factor});
}

IndexTerms tessera::termsOf(Value index) {
  IndexTerms sum;
  addTerms(index, 1, sum);
  return sum;
}

std::optional<std::pair<IndexTerms, IndexTerms>>
IndexTerms::splitBy(int64_t divisor) const {
  IndexTerms multiple, rest;
  for (auto [value, factor] : terms) {
    bool divides = factor % divisor == 0;
    if (!divides && !isNonNegative(value))
      return std::nullopt;
    divides |= isMultipleOf(value, divisor);
    (divides ? multiple : rest).terms.push_back({value, factor});
  }
  rest.constant = constant % divisor;
  multiple.constant = constant - rest.constant;
  return std::make_pair(multiple, rest);
}

int64_t IndexTerms::divisor() const {
  int64_t common = constant;
  for (auto [value, factor] : terms)
    common = std::gcd(common, factor);
  return common;
}

std::optional<int64_t> IndexTerms::largest() const {
  int64_t sum = constant;
  for (auto [value, factor] : terms) {
    std::optional<int64_t> most = largestOf(value);
    int64_t product;
    if (!most || llvm::MulOverflow(*most, factor, product) ||
        llvm::AddOverflow(sum, product, sum))
      return std::nullopt;
  }
  return sum;
}
