// From the LLVM dialect to optimised LLVM IR, assembly and object code.
#ifndef TESSERA_TARGET_CPU_OBJECTCODE_H
#define TESSERA_TARGET_CPU_OBJECTCODE_H

#include "lib/Target/CPU/Code/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>

namespace llvm {
class LLVMContext;
class Module;
class TargetMachine;
} // namespace llvm

namespace tessera::cpu {

/// Whether `code`, a module or function of the LLVM dialect, has tiles (AMX).
bool usesTiles(mlir::Operation *code);

/// LLVM's code generator for one CPU and optimisation level (0 to 3).
class CodeGenerator {
public:
  static llvm::Expected<CodeGenerator> create(const CpuTarget &target,
                                              unsigned optLevel);
  CodeGenerator(CodeGenerator &&);
  ~CodeGenerator();

  /// The LLVM IR of `module` (LLVM dialect beside `kernel.entry` and `graph`
  /// symbols, which are skipped), not optimised, with the CPU's attributes. Null
  /// after a diagnostic.
  std::unique_ptr<llvm::Module> translate(mlir::ModuleOp module,
                                          llvm::LLVMContext &context) const;

  void optimize(llvm::Module &code) const;

  enum class Form { object, assembly };
  /// Fails if this LLVM cannot write the form.
  llvm::Error emit(llvm::Module &code, Form form,
                   llvm::SmallVectorImpl<char> &output) const;

private:
  CodeGenerator(const CpuTarget &target, unsigned optLevel,
                std::unique_ptr<llvm::TargetMachine> machine);

  CpuTarget target;
  unsigned optLevel;
  std::unique_ptr<llvm::TargetMachine> machine;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_OBJECTCODE_H
