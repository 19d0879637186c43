// Joins the translator families.
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace llvm;

namespace tessera::onnx_importer {

const TranslatorTable &TranslatorTable::get() {
  static const TranslatorTable table = [] {
    TranslatorTable made;
    addElementwiseTranslators(made);
    addActivationTranslators(made);
    addCastTranslators(made);
    addReductionTranslators(made);
    addShapeTranslators(made);
    addDataMovementTranslators(made);
    addSlicingTranslators(made);
    addGeneratorTranslators(made);
    addLinearTranslators(made);
    addConvolutionTranslators(made);
    addNormalizationTranslators(made);
    addQuantizationTranslators(made);
    addResizeTranslators(made);
    addAttentionTranslators(made);
    return made;
  }();
  return table;
}

Translator TranslatorTable::find(StringRef domain, StringRef opType,
                                 int64_t version) const {
  auto found = entries.find(opType);
  if (!domain.empty() || found == entries.end())
    return nullptr;
  for (const Entry &entry : found->second)
    if (entry.since <= version && version <= entry.until)
      return entry.translator;
  return nullptr;
}

void TranslatorTable::add(StringRef opType, Translator translator,
                          int64_t since, int64_t until) {
  entries[opType].push_back({since, until, translator});
}

} // namespace tessera::onnx_importer
