// From the buffer state, with kernels emitted, to a finished artifact.
#include "lib/Pipeline/WriteArtifact.h"

#include "lib/CostModel/ModuleMachine.h"
#include "lib/Target/Artifact/LinkLibrary.h"
#include "lib/Target/Artifact/ModuleTable.h"
#include "lib/Target/Artifact/SharedWeights.h"
#include "lib/Target/Artifact/TemporaryFile.h"
#include "lib/Target/Artifact/WeightWriter.h"
#include "lib/Target/CPU/Code/CodeParts.h"
#include "lib/Target/CPU/Code/ObjectCode.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <malloc.h>
#include <optional>

using namespace mlir;
using namespace tessera::artifact;
using tessera::cpu::CodeBytes;
using tessera::cpu::CodeGenerator;
using tessera::cpu::CpuTarget;

namespace tessera {
namespace {

/// Adds the time of a scope to a counter.
class Stopwatch {
public:
  explicit Stopwatch(double &seconds) : seconds(seconds), start(Clock::now()) {}
  ~Stopwatch() {
    seconds += std::chrono::duration<double>(Clock::now() - start).count();
  }

private:
  using Clock = std::chrono::steady_clock;
  double &seconds;
  Clock::time_point start;
};

/// The writing of one artifact. Every step fails with a diagnostic at its module.
class ArtifactWriter {
public:
  ArtifactWriter(ArrayRef<CodeForCpu> codes, const ArtifactOptions &options)
      : codes(codes), options(options) {
    for (const CodeForCpu &code : codes)
      modules.push_back(code.module);
  }

  ArtifactResult write();

private:
  LogicalResult writeLibrary();
  LogicalResult writeFile();

  LogicalResult noCode() {
    result.status = ArtifactResult::NoCode;
    return failure();
  }

  LogicalResult check(llvm::Error error) {
    if (error)
      return mlir::emitError(modules.front().getLoc(),
                             llvm::toString(std::move(error)));
    return success();
  }

  LogicalResult findTargets();
  /// The table for code `number`; the first is the exported one.
  ModuleDescription describe(size_t number) const;
  LogicalResult lower();
  /// LLVM IR of code `number`, with the table.
  LogicalResult translate(size_t number, const ModuleDescription &weights);
  void optimize();
  /// Object code of `code`.
  FailureOr<CodeBytes> emitObject();
  /// Object files with the code for one CPU, in the order in which they are linked.
  LogicalResult emitObjects(size_t number, std::vector<TemporaryFile> &objects);
  /// Writes the weight file, or only hashes the weights that are not appended.
  LogicalResult placeWeights(TesseraWeightPlace place,
                             ModuleDescription &description,
                             std::optional<TemporaryFile> &weightFile);
  FailureOr<TemporaryFile> createTemporary(StringRef path, StringRef suffix);
  LogicalResult writeText(StringRef path, StringRef bytes);

  std::string weightPath() const { return options.outputPath + ".weights"; }

  ArrayRef<CodeForCpu> codes;
  SmallVector<ModuleOp> modules;
  /// Of each code.
  SmallVector<CpuTarget> targets;
  /// Whether code for each target uses units that a system may refuse.
  SmallVector<bool> usesUnits;
  const ArtifactOptions &options;
  ArtifactResult result;
  // Of the code that was generated last.
  std::optional<CodeGenerator> generator;
  std::optional<llvm::LLVMContext> llvmContext;
  std::unique_ptr<llvm::Module> code;
};

/// Name of the table of code `number`.
std::string tableSymbol(size_t number) {
  std::string name = TESSERA_MODULE_SYMBOL;
  return number == 0 ? name : name + "_" + std::to_string(number);
}

LogicalResult ArtifactWriter::findTargets() {
  for (ModuleOp module : modules) {
    FailureOr<Machine> machine = machineOf(module);
    if (failed(machine))
      return failure();
    llvm::Expected<CpuTarget> target = cpu::targetFor(*machine);
    if (!target)
      return check(target.takeError());
    targets.push_back(std::move(*target));
    usesUnits.push_back(
        llvm::any_of(module.getOps<func::FuncOp>(), [](func::FuncOp function) {
          return function->hasAttr(cpu::kUnitAttr);
        }));
  }
  return success();
}

ModuleDescription ArtifactWriter::describe(size_t number) const {
  const CpuTarget &target = targets[number];
  ModuleDescription description;
  description.producer = options.producer;
  description.targets = {{"x86-64", target.cpu, requiredFeatures(target),
                          usesUnits[number] ? optionalFeatures(target) : ""}};
  description.manifest = codes[number].manifest;
  description.symbol = tableSymbol(number);
  for (size_t other = 1; number == 0 && other < codes.size(); ++other)
    description.alternates.push_back(tableSymbol(other));
  return description;
}

/// Lets passes run on several functions at once while it lives.
class ContextThreads {
public:
  ContextThreads(MLIRContext *context, llvm::ThreadPoolInterface *threads)
      : context(threads && !context->isMultithreadingEnabled() ? context
                                                               : nullptr) {
    if (this->context)
      context->setThreadPool(*threads);
  }
  ~ContextThreads() {
    if (context)
      context->disableMultithreading();
  }
  ContextThreads(const ContextThreads &) = delete;

private:
  MLIRContext *context;
};

LogicalResult ArtifactWriter::lower() {
  Stopwatch watch(result.seconds.lowering);
  ContextThreads scope(modules.front()->getContext(), options.threads);
  for (auto [module, target] : llvm::zip(modules, targets)) {
    PassManager manager(module.getContext());
    // LLVM's verifier sees what they make.
    manager.enableVerifier(false);
    cpu::LowerToLLVMOptions lowering;
    lowering.avx2 = target.has("avx2");
    lowering.f16c = target.has("f16c");
    cpu::buildLowerToLLVM(manager, lowering);
    if (failed(manager.run(module)))
      return noCode();
  }
  return success();
}

LogicalResult ArtifactWriter::translate(size_t number,
                                        const ModuleDescription &weights) {
  ModuleDescription description = describe(number);
  description.weightPlace = weights.weightPlace;
  description.weightBytes = weights.weightBytes;
  description.weightHash = weights.weightHash;
  auto created = CodeGenerator::create(targets[number], options.optLevel);
  if (!created)
    return check(created.takeError());
  generator.emplace(std::move(*created));
  ModuleOp module = modules[number];
  Stopwatch watch(result.seconds.translation);
  code.reset();
  llvmContext.emplace();
  code = generator->translate(module, *llvmContext);
  if (!code || failed(emitModuleTable(module, description, *code)))
    return noCode();
  // Weights and entries are all that is read of the module from here on.
  for (auto function :
       llvm::make_early_inc_range(module.getOps<LLVM::LLVMFuncOp>()))
    function.erase();
  return success();
}

void ArtifactWriter::optimize() {
  Stopwatch watch(result.seconds.optimization);
  generator->optimize(*code);
}

FailureOr<TemporaryFile> ArtifactWriter::createTemporary(StringRef path,
                                                      StringRef suffix) {
  auto file = TemporaryFile::create(path, suffix);
  if (!file)
    return LogicalResult(check(file.takeError()));
  return std::move(*file);
}

LogicalResult ArtifactWriter::writeText(StringRef path, StringRef bytes) {
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << bytes;
    if (path == "-") // others may write there after us
      stream.flush();
    else
      stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return check(fileError("cannot write", options.outputPath, error));
  return success();
}

FailureOr<CodeBytes> ArtifactWriter::emitObject() {
  Stopwatch watch(result.seconds.codeGeneration);
  CodeBytes bytes;
  if (failed(check(generator->emit(*code, CodeGenerator::Form::object, bytes))))
    return failure();
  return bytes;
}

LogicalResult ArtifactWriter::emitObjects(size_t number,
                                          std::vector<TemporaryFile> &objects) {
  std::vector<CodeBytes> bytes;
  std::vector<CodeBytes> parts =
      cpu::cutIntoParts(*code, "." + std::to_string(number));
  if (parts.empty()) {
    optimize();
    FailureOr<CodeBytes> object = emitObject();
    if (failed(object))
      return failure();
    bytes.push_back(std::move(*object));
  } else {
    code.reset();
    llvmContext.reset();
    // The parts need as much again, in heaps of their threads.
    malloc_trim(/*pad=*/0);
    cpu::PartSeconds seconds;
    auto compiled = cpu::compileParts(std::move(parts), targets[number],
                                      options.optLevel, options.threads, seconds);
    if (!compiled)
      return check(compiled.takeError());
    bytes = std::move(*compiled);
    result.seconds.optimization += seconds.optimization;
    result.seconds.codeGeneration += seconds.codeGeneration;
  }
  for (const CodeBytes &object : bytes) {
    auto file = createTemporary(options.outputPath, ".o");
    if (failed(file) ||
        failed(writeText(file->path(), StringRef(object.data(), object.size()))))
      return failure();
    objects.push_back(std::move(*file));
  }
  return success();
}

LogicalResult
ArtifactWriter::placeWeights(TesseraWeightPlace place,
                          ModuleDescription &description,
                          std::optional<TemporaryFile> &weightFile) {
  Stopwatch watch(result.seconds.weights);
  description.weightPlace = place;
  description.weightBytes = weightBytesOf(modules);
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
    digest = writeWeightFile(modules, weightFile->path(), weightPath());
  } else {
    digest = writeWeights(modules, /*file=*/-1, options.outputPath);
  }
  if (failed(digest))
    return failure();
  description.weightHash = digest->hash;
  return success();
}

LogicalResult ArtifactWriter::writeLibrary() {
  auto library = createTemporary(options.outputPath, ".tmp");
  if (failed(library))
    return failure();
  if (codes.size() > 1 && failed(shareWeights(modules)))
    return failure();
  if (failed(lower()))
    return failure();
  ModuleDescription description;
  std::optional<TemporaryFile> weightFile;
  if (failed(placeWeights(options.weightPlace, description, weightFile)))
    return failure();
  std::vector<TemporaryFile> objects;
  for (size_t number = 0; number < codes.size(); ++number)
    if (failed(translate(number, description)) ||
        failed(emitObjects(number, objects)))
      return failure();
  std::vector<std::string> objectPaths;
  for (const TemporaryFile &object : objects)
    objectPaths.push_back(object.path());
  {
    Stopwatch watch(result.seconds.linking);
    llvm::Error error =
        linkLibrary(objectPaths, library->path(), options.linker);
    if (error.isA<artifact::UnresolvedSymbols>())
      return (void)check(std::move(error)), noCode();
    // The linker cannot write, or there is none.
    if (error)
      return check(llvm::createStringError("cannot write '" +
                                           options.outputPath + "': " +
                                           toString(std::move(error))));
  }
  if (description.weightPlace == TESSERA_WEIGHTS_APPENDED) {
    Stopwatch watch(result.seconds.weights);
    if (failed(appendWeights(modules, library->path(), options.outputPath)))
      return failure();
  }
  if (weightFile && failed(check(weightFile->keep())))
    return failure();
  return check(library->keep());
}

LogicalResult ArtifactWriter::writeFile() {
  std::optional<TemporaryFile> file;
  std::string path = options.outputPath;
  if (path != "-") {
    auto temporary = createTemporary(options.outputPath, ".tmp");
    if (failed(temporary))
      return failure();
    path = temporary->path();
    file.emplace(std::move(*temporary));
  }
  if (failed(lower()))
    return failure();
  ModuleDescription description;
  std::optional<TemporaryFile> weightFile;
  TesseraWeightPlace place =
      options.form == ArtifactForm::Object && options.weightPlace == TESSERA_WEIGHTS_FILE
          ? TESSERA_WEIGHTS_FILE
          : TESSERA_WEIGHTS_NONE;
  if (failed(placeWeights(place, description, weightFile)) ||
      failed(translate(0, description)))
    return failure();
  optimize();
  LogicalResult written = success();
  if (options.form == ArtifactForm::Object) {
    FailureOr<CodeBytes> bytes = emitObject();
    if (failed(bytes))
      return failure();
    written = writeText(path, StringRef(bytes->data(), bytes->size()));
  } else if (options.form == ArtifactForm::Assembly) {
    SmallVector<char, 0> text;
    if (failed(
            check(generator->emit(*code, CodeGenerator::Form::assembly, text))))
      return failure();
    written = writeText(path, StringRef(text.data(), text.size()));
  } else {
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << *code;
    written = writeText(path, text);
  }
  if (failed(written) || (weightFile && failed(check(weightFile->keep()))))
    return failure();
  return file ? check(file->keep()) : success();
}

ArtifactResult ArtifactWriter::write() {
  if (failed(findTargets()))
    result.status = ArtifactResult::NoCode;
  else if (failed(options.form == ArtifactForm::Library ? writeLibrary()
                                                        : writeFile()) &&
           result.status == ArtifactResult::Written)
    result.status = ArtifactResult::CannotWrite;
  return result;
}

} // namespace

ArtifactResult writeArtifact(ArrayRef<CodeForCpu> codes,
                             const ArtifactOptions &options) {
  return ArtifactWriter(codes, options).write();
}

} // namespace tessera
