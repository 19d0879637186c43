// MLIR diagnostics as people read them.
#include "lib/Pipeline/Diagnostics.h"
#include "lib/Importer/Onnx/ReadableText.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace tessera;

/// More names than this say less than "and N more".
static constexpr size_t kNamesShown = 3;

static void collect(Location location, llvm::SetVector<StringRef> &nodes,
                    std::string &file) {
  if (auto name = dyn_cast<NameLoc>(location)) {
    if (!name.getName().empty())
      nodes.insert(name.getName());
    collect(name.getChildLoc(), nodes, file);
  } else if (auto fused = dyn_cast<FusedLoc>(location)) {
    for (Location part : fused.getLocations())
      collect(part, nodes, file);
  } else if (auto call = dyn_cast<CallSiteLoc>(location)) {
    collect(call.getCallee(), nodes, file);
  } else if (auto line = dyn_cast<FileLineColLoc>(location)) {
    if (file.empty() && line.getLine() == 0) // not in text
      file = line.getFilename().str();
    else if (file.empty())
      file = (line.getFilename().getValue() + ":" + Twine(line.getLine()) +
              ":" + Twine(line.getColumn()))
                 .str();
  }
}

void tessera::collectNodeNames(Location location,
                               llvm::SetVector<StringRef> &nodes) {
  std::string file;
  collect(location, nodes, file);
}

std::string tessera::describeLocation(Location location) {
  llvm::SetVector<StringRef> nodes;
  std::string file;
  collect(location, nodes, file);
  if (nodes.empty())
    return file;
  std::string text;
  for (StringRef node : nodes.getArrayRef().take_front(kNamesShown))
    text += (text.empty() ? "node '" : ", '") + node.str() + "'";
  if (nodes.size() > kNamesShown)
    text += " and " + std::to_string(nodes.size() - kNamesShown) + " more";
  return text;
}

static std::string textOf(Diagnostic &diagnostic) {
  std::string text;
  switch (diagnostic.getSeverity()) {
  case DiagnosticSeverity::Error:
    text = "error: ";
    break;
  case DiagnosticSeverity::Warning:
    text = "warning: ";
    break;
  case DiagnosticSeverity::Note:
  case DiagnosticSeverity::Remark:
    text = "note: ";
    break;
  }
  std::string message = diagnostic.str();
  std::string place = describeLocation(diagnostic.getLocation());
  // The importer's own messages name the node with its type and opset.
  if (!place.empty() && !StringRef(message).starts_with("node '"))
    text += place + ": ";
  return onnx_importer::readable(text + message);
}

DiagnosticPrinter::DiagnosticPrinter(
    MLIRContext *context, std::function<void(const std::string &)> print)
    : ScopedDiagnosticHandler(context, [print](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
          return;
        print(textOf(diagnostic));
        for (Diagnostic &note : diagnostic.getNotes())
          print(textOf(note));
      }) {}
