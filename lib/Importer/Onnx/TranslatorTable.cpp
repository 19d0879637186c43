// Joins the translator families.
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace tessera::onnx_importer {

const TranslatorTable &TranslatorTable::get() {
  static const TranslatorTable table = [] {
    TranslatorTable made;
    addElementwiseTranslators(made);
    addPowerTranslators(made);
    addActivationTranslators(made);
    addCastTranslators(made);
    addReductionTranslators(made);
    addShapeTranslators(made);
    addDataMovementTranslators(made);
    addSlicingTranslators(made);
    addGeneratorTranslators(made);
    addLinearTranslators(made);
    addEinsumTranslators(made);
    addConvolutionTranslators(made);
    addPoolingTranslators(made);
    addNormalizationTranslators(made);
    addQuantizationTranslators(made);
    addQuantizedProductTranslators(made);
    addPackedWeightTranslators(made);
    addResizeTranslators(made);
    addAttentionTranslators(made);
    addIndexingTranslators(made);
    addTransposedConvolutionTranslators(made);
    addSamplingTranslators(made);
    addRecurrentTranslators(made);
    addBodyRequirements(made);
    return made;
  }();
  return table;
}

static std::string qualified(StringRef domain, StringRef opType) {
  return domain.empty() ? opType.str() : (domain + "." + opType).str();
}

Translator TranslatorTable::find(StringRef domain, StringRef opType,
                                 int64_t version) const {
  auto found = entries.find(qualified(domain, opType));
  if (found == entries.end())
    return nullptr;
  for (const Entry &entry : found->second)
    if (entry.since <= version && version <= entry.until)
      return entry.translator;
  return nullptr;
}

StringRef refusalOf(StringRef opType) {
  return StringSwitch<StringRef>(opType)
      .Cases({"Compress", "NonMaxSuppression", "NonZero", "Unique"},
             "the size of its result depends on the model's data")
      .Cases({"If", "Loop", "Scan"}, "control flow is not supported")
      .Cases({"Optional", "OptionalGetElement", "OptionalHasElement"},
             "optional values are not supported")
      .Cases({"ConcatFromSequence", "SequenceAt", "SequenceConstruct",
              "SequenceEmpty", "SequenceErase", "SequenceInsert",
              "SequenceLength", "SplitToSequence"},
             "sequences are not supported")
      .Cases({"RegexFullMatch", "StringConcat", "StringNormalizer",
              "StringSplit", "TfIdfVectorizer"},
             "strings are not supported")
      .Cases({"Multinomial", "RandomNormal", "RandomNormalLike",
              "RandomUniform", "RandomUniformLike"},
             "random numbers are not supported; give them as an input")
      .Case("ImageDecoder", "image formats are not supported")
      .Default("");
}

void TranslatorTable::add(StringRef opType, Translator translator,
                          int64_t since, int64_t until) {
  entries[opType].push_back({since, until, translator});
}

void TranslatorTable::addOfDomain(StringRef domain, StringRef opType,
                                  Translator translator) {
  entries[qualified(domain, opType)].push_back(
      {0, std::numeric_limits<int64_t>::max(), translator});
}

} // namespace tessera::onnx_importer
