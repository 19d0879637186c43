// The names of precisions.
#include "lib/CostModel/Precision.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace tessera;
using llvm::StringLiteral;
using llvm::StringRef;

static constexpr std::pair<StringLiteral, Precision> kNames[] = {
    {"strict", Precision::Strict}, {"highest", Precision::Highest},
    {"high", Precision::High},     {"medium", Precision::Fast},
    {"fast", Precision::Fast},     {"bf16", Precision::Bf16},
    {"f16", Precision::F16}};

std::optional<Precision> tessera::precisionNamed(StringRef name) {
  for (const auto &[known, precision] : kNames)
    if (name == known)
      return precision;
  return std::nullopt;
}

std::string tessera::precisionNames() {
  auto names = llvm::map_range(
      kNames, [](const auto &entry) { return StringRef(entry.first); });
  return llvm::join(names, ", ");
}
