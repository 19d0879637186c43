// The table that describes a compiled model to the runtime: the constant
// `tessera_module` of include/tessera/abi.h.
#ifndef TESSERA_TARGET_ARTIFACT_MODULETABLE_H
#define TESSERA_TARGET_ARTIFACT_MODULETABLE_H

#include "include/tessera/abi.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace tessera::artifact {

/// What the code needs of the machine; see TesseraTarget.
struct TargetDescription {
  std::string architecture;
  std::string cpu;
  std::string features;
  /// Empty: none.
  std::string optionalFeatures;
};

/// What the table says beside the entries, which are read from the IR.
struct ModuleDescription {
  std::string producer;
  mlir::SmallVector<TargetDescription> targets;
  TesseraWeightPlace weightPlace = TESSERA_WEIGHTS_NONE;
  uint64_t weightBytes = 0;
  /// XXH64 of the weights; may be patched later, see patchWeightHash.
  uint64_t weightHash = 0;
  /// JSON.
  std::string manifest;
  /// Name of the table; others than TESSERA_MODULE_SYMBOL are not exported.
  std::string symbol = TESSERA_MODULE_SYMBOL;
  /// Tables of the same model in other objects of the library.
  mlir::SmallVector<std::string> alternates;
};

/// DLPack's code and bits of an element type. Fails at types that have none,
/// without a diagnostic.
mlir::FailureOr<TesseraElementType> elementTypeOf(mlir::Type type);

/// Adds the table `description.symbol`, with one TesseraEntry for each `kernel.entry` of
/// `source`, to `code`, which holds the entries' functions under the same names.
/// Fails with a diagnostic at an entry that the table cannot describe.
mlir::LogicalResult emitModuleTable(mlir::ModuleOp source,
                                    const ModuleDescription &description,
                                    llvm::Module &code);

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_MODULETABLE_H
