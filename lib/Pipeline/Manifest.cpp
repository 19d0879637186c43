// What an artifact and a report say of the compilation that made them.
#include "lib/Pipeline/Manifest.h"

#include "lib/CostModel/ModuleMachine.h"
#include "lib/Pipeline/Report.h"

#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace tessera;

FailureOr<std::string> tessera::describeCompilation(
    ModuleOp module, const CompileOptions &options,
    const std::map<std::string, int64_t> &indexLimits) {
  FailureOr<Machine> machine = machineOf(module);
  if (failed(machine))
    return failure();
  llvm::json::Object shapes;
  for (const auto &[name, size] : options.shapes)
    shapes[name] = size;
  llvm::json::Object limits;
  for (const auto &[name, limit] : indexLimits)
    limits[name] = limit;
  llvm::json::Object root{
      {"optimization", options.optimizationLevel},
      {"precision", options.precision},
      {"machine", llvm::json::parse(toJson(*machine)).get()},
      {"shapes", std::move(shapes)},
      {"taps", llvm::json::Array(options.taps)},
      {"index-limits", std::move(limits)},
      {"kernels", describeKernels(module)},
      {"calls", describeCalls(module)}};
  return llvm::formatv("{0}", llvm::json::Value(std::move(root))).str();
}

llvm::json::Value tessera::makeReport(ArrayRef<CodeForCpu> codes,
                                      const PhaseSeconds &seconds) {
  llvm::json::Value report = llvm::json::parse(codes.front().manifest).get();
  (*report.getAsObject())["seconds"] =
      llvm::json::Object{{"lowering", seconds.lowering},
                         {"translation", seconds.translation},
                         {"optimization", seconds.optimization},
                         {"code", seconds.codeGeneration},
                         {"linking", seconds.linking},
                         {"weights", seconds.weights}};
  if (codes.size() > 1) {
    llvm::json::Array targets;
    for (const CodeForCpu &code : codes)
      targets.push_back(llvm::json::parse(code.manifest).get());
    (*report.getAsObject())["targets"] = std::move(targets);
  }
  return report;
}
