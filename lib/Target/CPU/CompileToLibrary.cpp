// From the buffer state, with kernels emitted, to a finished artifact.
#include "lib/Target/CPU/CompileToLibrary.h"

#include "lib/Target/Artifact/LinkLibrary.h"
#include "lib/Target/Artifact/ModuleTable.h"
#include "lib/Target/Artifact/TemporaryFile.h"
#include "lib/Target/Artifact/WeightWriter.h"
#include "lib/Target/CPU/ObjectCode.h"
#include "lib/Target/CPU/Pipelines.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <optional>

using namespace mlir;
using namespace tessera::artifact;

namespace tessera::cpu {
namespace {

/// Adds the time of a scope to a counter, if there is one.
class Stopwatch {
public:
  explicit Stopwatch(double *seconds) : seconds(seconds), start(Clock::now()) {}
  ~Stopwatch() {
    if (seconds)
      *seconds += std::chrono::duration<double>(Clock::now() - start).count();
  }

private:
  using Clock = std::chrono::steady_clock;
  double *seconds;
  Clock::time_point start;
};

/// One compilation. Every step fails with a diagnostic at the module.
class Compilation {
public:
  Compilation(ModuleOp module, const CpuTarget &target,
              const ArtifactOptions &options)
      : module(module), target(target), options(options) {}

  LogicalResult emitLibrary();

  enum class Form { object, assembly, llvmIr };
  LogicalResult emitFile(Form form);

private:
  double *time(double PhaseSeconds::*phase) {
    return options.seconds ? &(options.seconds->*phase) : nullptr;
  }

  LogicalResult codeFailure() {
    if (options.codeFailed)
      *options.codeFailed = true;
    return failure();
  }

  LogicalResult check(llvm::Error error) {
    if (error)
      return mlir::emitError(module.getLoc(), llvm::toString(std::move(error)));
    return success();
  }

  ModuleDescription describe() const;
  LogicalResult lower();
  /// Optimised LLVM IR with the table.
  LogicalResult generate(const ModuleDescription &description);
  LogicalResult emitObjectTo(StringRef path);
  /// Writes the weight file, or only hashes the weights that are not appended.
  LogicalResult placeWeights(TesseraWeightPlace place,
                             ModuleDescription &description,
                             std::optional<TemporaryFile> &weightFile);
  FailureOr<TemporaryFile> createTemporary(StringRef path, StringRef suffix);
  LogicalResult writeText(StringRef path, StringRef bytes);

  std::string weightPath() const { return options.outputPath + ".weights"; }

  ModuleOp module;
  const CpuTarget &target;
  const ArtifactOptions &options;
  std::optional<CodeGenerator> generator;
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code;
};

ModuleDescription Compilation::describe() const {
  ModuleDescription description;
  description.producer = options.producer;
  description.targets = {{"x86-64", target.cpu, requiredFeatures(target)}};
  description.manifest = options.manifest;
  return description;
}

LogicalResult Compilation::lower() {
  Stopwatch watch(time(&PhaseSeconds::lowering));
  PassManager manager(module.getContext());
  LowerToLLVMOptions lowering;
  lowering.avx2 = target.has("avx2");
  lowering.f16c = target.has("f16c");
  buildLowerToLLVM(manager, lowering);
  return succeeded(manager.run(module)) ? success() : codeFailure();
}

LogicalResult Compilation::generate(const ModuleDescription &description) {
  auto created = CodeGenerator::create(target, options.optLevel);
  if (!created)
    return check(created.takeError());
  generator.emplace(std::move(*created));
  {
    Stopwatch watch(time(&PhaseSeconds::translation));
    code = generator->translate(module, llvmContext);
    if (!code || failed(emitModuleTable(module, description, *code)))
      return codeFailure();
  }
  Stopwatch watch(time(&PhaseSeconds::optimization));
  generator->optimize(*code);
  return success();
}

FailureOr<TemporaryFile> Compilation::createTemporary(StringRef path,
                                                      StringRef suffix) {
  auto file = TemporaryFile::create(path, suffix);
  if (!file)
    return LogicalResult(check(file.takeError()));
  return std::move(*file);
}

LogicalResult Compilation::writeText(StringRef path, StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << bytes;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return check(fileError("cannot write", options.outputPath, error));
  return success();
}

LogicalResult Compilation::emitObjectTo(StringRef path) {
  Stopwatch watch(time(&PhaseSeconds::codeGeneration));
  SmallVector<char, 0> bytes;
  if (failed(check(generator->emit(*code, CodeGenerator::Form::object, bytes))))
    return failure();
  return writeText(path, StringRef(bytes.data(), bytes.size()));
}

LogicalResult
Compilation::placeWeights(TesseraWeightPlace place,
                          ModuleDescription &description,
                          std::optional<TemporaryFile> &weightFile) {
  Stopwatch watch(time(&PhaseSeconds::weights));
  description.weightPlace = place;
  description.weightBytes = weightBytesOf(module);
  if (description.weightBytes == 0) {
    description.weightPlace = TESSERA_WEIGHTS_NONE;
    return success();
  }
  // The hash of appended weights is written into the linked library.
  if (place == TESSERA_WEIGHTS_APPENDED)
    return success();
  FailureOr<WeightDigest> digest;
  if (place == TESSERA_WEIGHTS_FILE) {
    auto file = createTemporary(weightPath(), ".tmp");
    if (failed(file))
      return failure();
    weightFile.emplace(std::move(*file));
    digest = writeWeightFile(module, weightFile->path(), weightPath());
  } else {
    digest = writeWeights(module, /*file=*/-1, options.outputPath);
  }
  if (failed(digest))
    return failure();
  description.weightHash = digest->hash;
  return success();
}

LogicalResult Compilation::emitLibrary() {
  auto object = createTemporary(options.outputPath, ".o");
  auto library = createTemporary(options.outputPath, ".tmp");
  if (failed(object) || failed(library) || failed(lower()))
    return failure();
  ModuleDescription description = describe();
  std::optional<TemporaryFile> weightFile;
  if (failed(placeWeights(options.weightPlace, description, weightFile)) ||
      failed(generate(description)) || failed(emitObjectTo(object->path())))
    return failure();
  {
    Stopwatch watch(time(&PhaseSeconds::linking));
    llvm::Error error =
        linkLibrary(object->path(), library->path(), options.linker);
    // Else the linker cannot write, or there is none.
    bool unresolved = error.isA<artifact::UnresolvedSymbols>();
    if (failed(check(std::move(error))))
      return unresolved ? codeFailure() : failure();
  }
  if (description.weightPlace == TESSERA_WEIGHTS_APPENDED) {
    Stopwatch watch(time(&PhaseSeconds::weights));
    if (failed(appendWeights(module, library->path(), options.outputPath)))
      return failure();
  }
  if (weightFile && failed(check(weightFile->keep())))
    return failure();
  return check(library->keep());
}

LogicalResult Compilation::emitFile(Form form) {
  auto file = createTemporary(options.outputPath, ".tmp");
  if (failed(file) || failed(lower()))
    return failure();
  ModuleDescription description = describe();
  std::optional<TemporaryFile> weightFile;
  TesseraWeightPlace place =
      form == Form::object && options.weightPlace == TESSERA_WEIGHTS_FILE
          ? TESSERA_WEIGHTS_FILE
          : TESSERA_WEIGHTS_NONE;
  if (failed(placeWeights(place, description, weightFile)) ||
      failed(generate(description)))
    return failure();
  LogicalResult written = success();
  if (form == Form::object) {
    written = emitObjectTo(file->path());
  } else if (form == Form::assembly) {
    SmallVector<char, 0> text;
    if (failed(check(generator->emit(*code, CodeGenerator::Form::assembly,
                                     text))))
      return failure();
    written = writeText(file->path(), StringRef(text.data(), text.size()));
  } else {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << *code;
    written = writeText(file->path(), text);
  }
  if (failed(written) || (weightFile && failed(check(weightFile->keep()))))
    return failure();
  return check(file->keep());
}

} // namespace

LogicalResult emitLibrary(ModuleOp module, const CpuTarget &target,
                          const ArtifactOptions &options) {
  return Compilation(module, target, options).emitLibrary();
}

LogicalResult emitObject(ModuleOp module, const CpuTarget &target,
                         const ArtifactOptions &options) {
  return Compilation(module, target, options)
      .emitFile(Compilation::Form::object);
}

LogicalResult emitAssembly(ModuleOp module, const CpuTarget &target,
                           const ArtifactOptions &options) {
  return Compilation(module, target, options)
      .emitFile(Compilation::Form::assembly);
}

LogicalResult emitLlvmIr(ModuleOp module, const CpuTarget &target,
                         const ArtifactOptions &options) {
  return Compilation(module, target, options)
      .emitFile(Compilation::Form::llvmIr);
}

} // namespace tessera::cpu
