// onnx-import: prints an ONNX model (a .onnx file, or text in .onnxtxt) in
// graph state, for tests of the importer. With --check it lists what is
// unsupported; --arith expresses quantized tensors as arithmetic;
// --size NAME=MIN:TYPICAL:MAX bounds a size, and may be repeated.
#include "dialects/Quantization/Conversion/Passes.h"
#include "lib/Importer/Onnx/OnnxImporter.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace tessera::onnx_importer;

static bool parseSize(StringRef text, SizeRange &range) {
  auto [name, bounds] = text.rsplit('=');
  SmallVector<StringRef> parts;
  bounds.split(parts, ':');
  range.name = name.str();
  return parts.size() == 3 && !parts[0].getAsInteger(10, range.min) &&
         !parts[1].getAsInteger(10, range.typical) &&
         !parts[2].getAsInteger(10, range.max);
}

static void printCheck(const OnnxCheck &report) {
  for (const std::string &finding : report.findings)
    outs() << "finding: " << finding << "\n";
  for (const std::string &error : report.errors)
    outs() << "error: " << error << "\n";
  for (const UnsupportedNode &node : report.unsupported)
    outs() << "unsupported: " << node.node << " (" << node.opType << ", opset "
           << node.opset << "): " << node.reason << "\n";
}

int main(int argc, char **argv) {
  cl::list<std::string> paths(cl::Positional, cl::OneOrMore,
                              cl::desc("MODELS"));
  cl::list<std::string> bounds("size", cl::desc("NAME=MIN:TYPICAL:MAX"));
  cl::opt<bool> check("check", cl::desc("List what is unsupported"));
  cl::opt<bool> locations("locations", cl::desc("Print node names"));
  cl::opt<bool> arith("arith",
                      cl::desc("Express quantized tensors as arithmetic"));
  cl::opt<bool> generic("generic", cl::desc("Print the generic form"));
  cl::ParseCommandLineOptions(argc, argv, "Imports ONNX models\n");

  ImportOptions options;
  for (const std::string &text : bounds)
    if (!parseSize(text, options.sizes.emplace_back())) {
      errs() << "expects NAME=MIN:TYPICAL:MAX but got '" << text << "'\n";
      return 1;
    }
  mlir::MLIRContext context;
  SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  mlir::OpPrintingFlags flags;
  flags.enableDebugInfo(locations).printGenericOpForm(generic);
  mlir::PassManager lowering(&context);
  if (arith)
    lowering.addPass(tessera::quantization::createQuantizationToArith());
  bool good = true;
  for (const std::string &path : paths) {
    if (paths.size() > 1)
      outs() << "// " << path << "\n";
    if (check) {
      mlir::ScopedDiagnosticHandler quiet(
          &context, [](mlir::Diagnostic &) { return mlir::success(); });
      OnnxCheck report;
      good &= bool(importOnnx(path, options, &context, &report));
      printCheck(report);
    } else if (auto module = importOnnx(path, options, &context)) {
      good &= succeeded(lowering.run(*module));
      module->print(outs(), flags);
      outs() << "\n";
    } else {
      good = false;
    }
  }
  return good ? 0 : 1;
}
