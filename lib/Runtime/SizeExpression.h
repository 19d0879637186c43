// A checked view of a size program of the ABI (TesseraSize), and its
// evaluation.
#ifndef TESSERA_RUNTIME_SIZEEXPRESSION_H
#define TESSERA_RUNTIME_SIZEEXPRESSION_H

#include "Status.h"

#include <functional>
#include <optional>
#include <string>

namespace tessera::runtime {

/// A size as a program in postfix order over int64, e.g. `seq * 768 + 64` is
/// SYMBOL 0, CONSTANT 768, MUL, CONSTANT 64, ADD. The steps belong to the
/// model.
class SizeExpression {
public:
  /// Checks that every step is known, every symbol is below `symbolCount` and
  /// the stack discipline leaves exactly one value.
  static Result<SizeExpression> read(const TesseraSize &size,
                                     int64_t symbolCount);

  /// Evaluates over the symbols' sizes. `workers` is TesseraContext.maxWorkers.
  /// Fails on overflow of int64 and on a divisor that is not positive.
  /// FLOORDIV rounds towards minus infinity, CEILDIV towards plus infinity, MOD
  /// is never negative.
  Result<int64_t> evaluate(const int64_t *symbols, int64_t workers) const;

  /// The value, if the program is one constant.
  std::optional<int64_t> constant() const;
  /// The index of the symbol, if the program is one symbol.
  std::optional<int64_t> symbol() const;

  /// Infix text with the given names: "past + seq", "ceildiv(n, 4)",
  /// "select(n == 1, m, n)".
  std::string text(const std::function<std::string(int64_t)> &symbolName) const;

private:
  explicit SizeExpression(const TesseraSize &size)
      : steps(size.steps), stepCount(size.stepCount) {}

  const TesseraSizeStep *steps;
  int64_t stepCount;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_SIZEEXPRESSION_H
