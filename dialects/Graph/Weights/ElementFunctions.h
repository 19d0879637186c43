// What elementwise operations of arith and math compute, on arrays: the arithmetic of
// recipes.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTFUNCTIONS_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTFUNCTIONS_H

#include "mlir/IR/Types.h"
#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>

namespace tessera::graph {

/// Types of elements in storage, where booleans (I1) are bytes.
enum class ElementKind { I1, I8, I16, I32, I64, F16, BF16, F32, F64 };

/// Null for other types.
std::optional<ElementKind> elementKindOf(mlir::Type type);
int64_t bytesOf(ElementKind kind);

/// One call: `count` elements of each operand, dense and unaligned.
struct ElementCall {
  int64_t count;
  llvm::ArrayRef<const char *> operands;
  llvm::ArrayRef<ElementKind> kinds;
  char *result;
  ElementKind resultKind;
  int64_t predicate;
};
using ElementFunction = void (*)(const ElementCall &);

/// What an operation takes: floats or integers, of one type; `Choice` is a boolean
/// and two of one type.
enum class ElementOperands { Floats, Integers, Any, Choice };
/// What it gives: the type of its operands, a boolean, or what the operation says.
enum class ElementResult { Same, Boolean, Float, Integer, SameWidth };

/// An operation that recipes can do.
struct ElementOperation {
  llvm::StringLiteral name;
  unsigned operandCount;
  ElementOperands operands;
  ElementResult result;
  ElementFunction function;

  /// Null if there is none of that name ("arith.addf").
  static const ElementOperation *named(llvm::StringRef name);

  /// Whether it takes operands of these types and gives `result`.
  bool admits(llvm::ArrayRef<mlir::Type> types, mlir::Type result) const;
};

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTFUNCTIONS_H
