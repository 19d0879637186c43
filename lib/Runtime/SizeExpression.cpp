#include "SizeExpression.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>
#include <vector>

namespace tessera::runtime {
namespace {

/// Deepest stack that a size program may need; the left-associated programs
/// that the compiler writes need very little.
constexpr int64_t maxDepth = 64;

bool pushesValue(int64_t op) {
  return op == TESSERA_SIZE_CONSTANT || op == TESSERA_SIZE_SYMBOL ||
         op == TESSERA_SIZE_WORKERS;
}

bool isBinary(int64_t op) {
  return op >= TESSERA_SIZE_ADD && op <= TESSERA_SIZE_MAX;
}

bool isSelection(int64_t op) {
  return op == TESSERA_SIZE_SELECT_EQUAL || op == TESSERA_SIZE_SELECT_LESS;
}

bool isOfFloats(int64_t op) {
  return op >= TESSERA_SIZE_TO_FLOAT && op <= TESSERA_SIZE_TO_INTEGER;
}

bool isKnown(int64_t op) {
  return pushesValue(op) || isBinary(op) || isSelection(op) || isOfFloats(op);
}

/// Values that a step takes from the stack; it leaves one.
int64_t operandCount(int64_t op) {
  bool isUnary = op == TESSERA_SIZE_TO_FLOAT || op == TESSERA_SIZE_TO_INTEGER ||
                 (op >= TESSERA_SIZE_FLOAT_FLOOR && op <= TESSERA_SIZE_FLOAT_SQRT);
  return pushesValue(op) ? 0 : isUnary ? 1 : isSelection(op) ? 4 : 2;
}

double floatOf(int64_t bits) {
  double value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

/// The bits of `value`, rounded to `width` bits. Of f32 operands the f64 result,
/// rounded again, is the f32 result: f64 has more than twice as many digits
/// (Figueroa, "When is double rounding innocuous?", 1995).
int64_t bitsOf(double value, int64_t width) {
  if (width == 32)
    value = static_cast<float>(value);
  int64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// Applies a step on floats to one or two `given` values.
Result<int64_t> applyFloat(const TesseraSizeStep &step, const int64_t *given) {
  int64_t width = step.operand;
  if (step.op == TESSERA_SIZE_TO_FLOAT)
    return width == 32 ? bitsOf(static_cast<float>(given[0]), width)
                       : bitsOf(static_cast<double>(given[0]), width);
  double a = floatOf(given[0]);
  double b = operandCount(step.op) == 2 ? floatOf(given[1]) : 0;
  switch (step.op) {
  case TESSERA_SIZE_FLOAT_ADD:
    return bitsOf(a + b, width);
  case TESSERA_SIZE_FLOAT_SUB:
    return bitsOf(a - b, width);
  case TESSERA_SIZE_FLOAT_MUL:
    return bitsOf(a * b, width);
  case TESSERA_SIZE_FLOAT_DIV:
    return bitsOf(a / b, width);
  case TESSERA_SIZE_FLOAT_FLOOR:
    return bitsOf(std::floor(a), width);
  case TESSERA_SIZE_FLOAT_CEIL:
    return bitsOf(std::ceil(a), width);
  case TESSERA_SIZE_FLOAT_ROUND:
    return bitsOf(std::nearbyint(a), width);
  case TESSERA_SIZE_FLOAT_SQRT:
    return bitsOf(std::sqrt(a), width);
  case TESSERA_SIZE_FLOAT_LESS:
    return int64_t(a < b);
  default: {
    constexpr double beyond = 9223372036854775808.0; // 2^63
    if (!(a >= -beyond && a < beyond))
      return failure(TESSERA_INVALID_INPUT, "size does not fit 64 bits: ", a);
    return static_cast<int64_t>(a);
  }
  }
}

int64_t floorMod(int64_t a, int64_t b) { return ((a % b) + b) % b; }

int64_t floorDiv(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Applies a binary step; an error on overflow or on a divisor below one.
Result<int64_t> apply(int64_t op, int64_t a, int64_t b) {
  int64_t result;
  switch (op) {
  case TESSERA_SIZE_ADD:
    if (__builtin_add_overflow(a, b, &result))
      break;
    return result;
  case TESSERA_SIZE_MUL:
    if (__builtin_mul_overflow(a, b, &result))
      break;
    return result;
  case TESSERA_SIZE_MIN:
    return std::min(a, b);
  case TESSERA_SIZE_MAX:
    return std::max(a, b);
  default:
    if (b <= 0)
      return failure(TESSERA_INVALID_INPUT,
                     "size expects a positive divisor but got ", b);
    if (op == TESSERA_SIZE_MOD)
      return floorMod(a, b);
    return op == TESSERA_SIZE_FLOORDIV
               ? floorDiv(a, b)
               : floorDiv(a, b) + (floorMod(a, b) != 0 ? 1 : 0);
  }
  return failure(TESSERA_INVALID_INPUT, "size does not fit 64 bits: ", a,
                 op == TESSERA_SIZE_ADD ? " + " : " * ", b);
}

std::string floatStepName(int64_t op) {
  static const char *const names[] = {"float", "add",   "sub",  "mul",
                                      "div",   "floor", "ceil", "round",
                                      "sqrt",  "less",  "int"};
  return names[op - TESSERA_SIZE_TO_FLOAT];
}

} // namespace

Result<SizeExpression> SizeExpression::read(const TesseraSize &size,
                                            int64_t symbolCount) {
  if (size.stepCount < 1 || !size.steps)
    return failure(TESSERA_INVALID_MODEL, "size program is empty");
  int64_t depth = 0;
  for (int64_t i = 0; i < size.stepCount; ++i) {
    const TesseraSizeStep &step = size.steps[i];
    if (!isKnown(step.op))
      return failure(TESSERA_INVALID_MODEL, "size program has unknown step ",
                     step.op);
    if (step.op == TESSERA_SIZE_SYMBOL &&
        (step.operand < 0 || step.operand >= symbolCount))
      return failure(TESSERA_INVALID_MODEL, "size program names symbol ",
                     step.operand, " of ", symbolCount);
    depth += 1 - operandCount(step.op);
    if (depth < 1 || depth > maxDepth)
      return failure(TESSERA_INVALID_MODEL, "size program has stack depth ",
                     depth, " after step ", i, ", expected 1 to ", maxDepth);
  }
  if (depth != 1)
    return failure(TESSERA_INVALID_MODEL, "size program leaves ", depth,
                   " values, expected 1");
  return SizeExpression(size);
}

Result<int64_t> SizeExpression::evaluate(const int64_t *symbols,
                                         int64_t workers) const {
  int64_t stack[maxDepth];
  int64_t depth = 0;
  for (int64_t i = 0; i < stepCount; ++i) {
    const TesseraSizeStep &step = steps[i];
    if (step.op == TESSERA_SIZE_CONSTANT) {
      stack[depth++] = step.operand;
    } else if (step.op == TESSERA_SIZE_SYMBOL) {
      stack[depth++] = symbols[step.operand];
    } else if (step.op == TESSERA_SIZE_WORKERS) {
      stack[depth++] = workers;
    } else if (isSelection(step.op)) {
      depth -= 3;
      const int64_t *given = &stack[depth - 1];
      bool holds = step.op == TESSERA_SIZE_SELECT_EQUAL ? given[0] == given[1]
                                                        : given[0] < given[1];
      stack[depth - 1] = holds ? given[2] : given[3];
    } else {
      depth -= operandCount(step.op) - 1;
      const int64_t *given = &stack[depth - 1];
      Result<int64_t> value = isOfFloats(step.op)
                                  ? applyFloat(step, given)
                                  : apply(step.op, given[0], given[1]);
      if (!value.ok())
        return value;
      stack[depth - 1] = *value;
    }
  }
  return stack[0];
}

std::optional<int64_t> SizeExpression::constant() const {
  if (stepCount == 1 && steps[0].op == TESSERA_SIZE_CONSTANT)
    return steps[0].operand;
  return std::nullopt;
}

std::optional<int64_t> SizeExpression::symbol() const {
  if (stepCount == 1 && steps[0].op == TESSERA_SIZE_SYMBOL)
    return steps[0].operand;
  return std::nullopt;
}

std::string SizeExpression::text(
    const std::function<std::string(int64_t)> &symbolName) const {
  // Each part carries whether it is a sum, which a product must bracket, and its
  // number, which may be the bits of a float.
  struct Part {
    std::string text;
    bool isSum;
    std::optional<int64_t> number = std::nullopt;
  };
  auto floatText = [](const Part &part) {
    if (!part.number)
      return part.text;
    std::ostringstream text;
    text << floatOf(*part.number);
    return text.str();
  };
  auto factor = [](const Part &part) {
    return part.isSum ? "(" + part.text + ")" : part.text;
  };
  std::vector<Part> stack;
  for (int64_t i = 0; i < stepCount; ++i) {
    const TesseraSizeStep &step = steps[i];
    if (step.op == TESSERA_SIZE_CONSTANT) {
      stack.push_back(
          {std::to_string(step.operand), false, step.operand});
      continue;
    }
    if (step.op == TESSERA_SIZE_SYMBOL) {
      stack.push_back({symbolName(step.operand), false});
      continue;
    }
    if (step.op == TESSERA_SIZE_WORKERS) {
      stack.push_back({"workers", false});
      continue;
    }
    if (isSelection(step.op)) {
      const Part *given = &stack[stack.size() - 4];
      bool isEqual = step.op == TESSERA_SIZE_SELECT_EQUAL;
      Part whole{"select(" + given[0].text + (isEqual ? " == " : " < ") +
                     given[1].text + ", " + given[2].text + ", " +
                     given[3].text + ")",
                 false};
      stack.resize(stack.size() - 3);
      stack.back() = std::move(whole);
      continue;
    }
    if (operandCount(step.op) == 1) {
      Part &given = stack.back();
      given = {floatStepName(step.op) + "(" +
                   (step.op == TESSERA_SIZE_TO_FLOAT ? given.text
                                                     : floatText(given)) +
                   ")",
               false};
      continue;
    }
    Part right = std::move(stack.back());
    stack.pop_back();
    Part &left = stack.back();
    if (isOfFloats(step.op)) {
      left = {floatStepName(step.op) + "(" + floatText(left) + ", " +
                  floatText(right) + ")",
              false};
      continue;
    }
    if (step.op == TESSERA_SIZE_ADD) {
      left = {left.text + " + " + right.text, true};
    } else if (step.op == TESSERA_SIZE_MUL) {
      left = {factor(left) + " * " + factor(right), false};
    } else {
      static const char *const names[] = {"floordiv", "ceildiv", "mod", "min",
                                          "max"};
      left = {std::string(names[step.op - TESSERA_SIZE_FLOORDIV]) + "(" +
                  left.text + ", " + right.text + ")",
              false};
    }
  }
  return stack.back().text;
}

} // namespace tessera::runtime
