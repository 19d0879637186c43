/// Which translator handles which operator.
#ifndef TESSERA_IMPORTER_ONNX_TRANSLATORTABLE_H
#define TESSERA_IMPORTER_ONNX_TRANSLATORTABLE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <limits>
#include <string>

namespace tessera::onnx_importer {

class NodeContext;

/// Builds graph-state IR for a node. Fails after NodeContext::error, or after
/// NodeContext::useBody.
using Translator = mlir::LogicalResult (*)(NodeContext &);

/// The oldest opset of the default domain that is read.
inline constexpr int64_t kOldestOpset = 7;

class TranslatorTable {
public:
  /// The table of all families.
  static const TranslatorTable &get();

  /// The translator of `opType` as of opset `version` of `domain`, or null.
  Translator find(llvm::StringRef domain, llvm::StringRef opType,
                  int64_t version) const;

  /// `opType` of the default domain, from opset `since` up to `until`.
  void add(llvm::StringRef opType, Translator translator,
           int64_t since = kOldestOpset,
           int64_t until = std::numeric_limits<int64_t>::max());

  /// `opType` of another domain (Contrib/ContribOperator.h), of any opset.
  void addOfDomain(llvm::StringRef domain, llvm::StringRef opType,
                   Translator translator);

private:
  struct Entry {
    int64_t since, until;
    Translator translator;
  };
  /// By op type, with its domain in front if that is not the default.
  llvm::StringMap<llvm::SmallVector<Entry, 1>> entries;
};

/// Why an operator of the default domain without a translator is refused, where
/// there is more to say than that; else empty.
llvm::StringRef refusalOf(llvm::StringRef opType);

// One function per file of Translators/.
void addElementwiseTranslators(TranslatorTable &table);
void addPowerTranslators(TranslatorTable &table);
void addActivationTranslators(TranslatorTable &table);
void addCastTranslators(TranslatorTable &table);
void addReductionTranslators(TranslatorTable &table);
void addShapeTranslators(TranslatorTable &table);
void addDataMovementTranslators(TranslatorTable &table);
void addSlicingTranslators(TranslatorTable &table);
void addGeneratorTranslators(TranslatorTable &table);
void addLinearTranslators(TranslatorTable &table);
void addEinsumTranslators(TranslatorTable &table);
void addConvolutionTranslators(TranslatorTable &table);
void addPoolingTranslators(TranslatorTable &table);
void addNormalizationTranslators(TranslatorTable &table);
void addQuantizationTranslators(TranslatorTable &table);
void addQuantizedProductTranslators(TranslatorTable &table);
void addPackedWeightTranslators(TranslatorTable &table);
void addResizeTranslators(TranslatorTable &table);
void addAttentionTranslators(TranslatorTable &table);
void addIndexingTranslators(TranslatorTable &table);
void addTransposedConvolutionTranslators(TranslatorTable &table);
void addSamplingTranslators(TranslatorTable &table);
void addRecurrentTranslators(TranslatorTable &table);
void addBodyRequirements(TranslatorTable &table);

} // namespace tessera::onnx_importer

#endif
