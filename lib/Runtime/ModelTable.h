// The table of a compiled model, checked and in a form that is easy to use.
#ifndef TESSERA_RUNTIME_MODELTABLE_H
#define TESSERA_RUNTIME_MODELTABLE_H

#include "SizeExpression.h"
#include "Status.h"

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::runtime {

/// An input, output or tap. Names belong to the model.
struct Port {
  const char *name;
  TesseraElementType type;
  std::vector<SizeExpression> dims;
  /// As TesseraPort.alias and axis.
  int32_t alias, axis = 0;
  /// The node that makes an output; may be null.
  const char *node = nullptr;
};

struct Symbol {
  const char *name;
  int64_t min, typical, max;
};

/// A size computed from those before it or read from an input; see
/// TesseraComputedSize.
struct ComputedSize {
  int32_t input;
  SizeExpression program;
  /// For people: "select(n == 1, m, n)", "shape[0]".
  std::string text;
  /// A node whose result has it; may be null.
  const char *node = nullptr;
};

/// A buffer of the arena, alive in [firstUse, lastUse].
struct Value {
  SizeExpression bytes;
  int64_t firstUse, lastUse;
  /// For people: "the result of node 'add'", "value 3".
  std::string text;
};

/// "output 'y' of node 'add'", or without the node if it is not known.
std::string outputText(const Port &port);

struct Entry {
  const char *name;
  std::vector<Port> inputs, outputs, taps;
  std::vector<Symbol> symbols;
  /// Numbered on from the symbols.
  std::vector<ComputedSize> computed;
  std::vector<Value> values;
  TesseraRun run;
  /// See TesseraEntry; may be null.
  TesseraRun check = nullptr;

  /// The name of a symbol, or the text of a computed size.
  std::string symbolName(int64_t index) const;
  /// Appends the computed sizes to the symbols' `sizes`. `element(input,
  /// index)` reads the inputs; without it sizes that are elements are an error,
  /// as are overflow and a divisor below one. Errors name the size.
  Status computeSizes(
      std::vector<int64_t> &sizes,
      const std::function<int64_t(int32_t, int64_t)> &element = nullptr) const;
  /// Fails with the message of the first check that does not hold for these
  /// symbols and computed sizes.
  Status checkSizes(const std::vector<int64_t> &sizes) const;
  /// "float32 (batch, 768)".
  std::string typeText(const Port &port) const;
};

/// Checks the ABI version, the sizes of all structs (an older model has shorter
/// ones, whose missing fields are zero), that only tensors cross the border,
/// that every size program is well formed, every symbol is bound by some input,
/// elements are read from inputs of integers only and every life time is in
/// order. Errors name the entry and the port.
Result<std::vector<Entry>> readEntries(const TesseraModule &module);

/// The tables of one model: `module` and its alternates for other CPUs. Checks
/// the ABI version and the size of each.
Result<std::vector<const TesseraModule *>>
readTables(const TesseraModule &module);

/// Checks every target of one table against a machine with these CPU features.
Status checkTargets(const TesseraModule &module,
                    const std::set<std::string_view> &available);

/// Of the tables whose targets `available` meets, the one that needs the most
/// features, the first of equal ones. The error says what each table lacks.
Result<const TesseraModule *>
chooseTable(const std::vector<const TesseraModule *> &tables,
            const std::set<std::string_view> &available);

/// Asks the operating system for what the table's targets need of it; see
/// enableCpuFeatures. Gives the units (TESSERA_UNIT_...) that code may use: of what is
/// optional, all or nothing.
Result<uint64_t> enableTargets(const TesseraModule &module,
                               const std::set<std::string_view> &available);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_MODELTABLE_H
