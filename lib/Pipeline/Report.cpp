// What became of a model: its kernels by route.
#include "lib/Pipeline/Report.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Pipeline/Diagnostics.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace tessera;

/// The nodes that a kernel's operations come from, in its order.
static llvm::json::Array nodesOf(kernel::FuncOp kernel) {
  llvm::SetVector<StringRef> nodes;
  collectNodeNames(kernel.getLoc(), nodes);
  kernel.walk([&](Operation *op) { collectNodeNames(op->getLoc(), nodes); });
  return llvm::json::Array(nodes.getArrayRef());
}

llvm::json::Array tessera::describeKernels(ModuleOp module) {
  llvm::json::Array kernels;
  for (auto kernel : module.getOps<kernel::FuncOp>()) {
    llvm::json::Object object{{"name", kernel.getSymName()},
                              {"route", kernel.getSchedule().getRoute()},
                              {"nodes", nodesOf(kernel)}};
    if (auto missed = kernel->getAttrOfType<StringAttr>("kernel.missed"))
      object["missed"] = missed.getValue();
    kernels.push_back(std::move(object));
  }
  return kernels;
}

static StringRef textField(const llvm::json::Object &object, StringRef name) {
  return object.getString(name).value_or("");
}

/// "    node, node and 3 more".
static void printNodes(const llvm::json::Object &kernel,
                       llvm::raw_ostream &out) {
  constexpr size_t shownNodes = 4;
  const llvm::json::Array *nodes = kernel.getArray("nodes");
  if (!nodes)
    return;
  for (size_t i = 0; i < std::min(nodes->size(), shownNodes); ++i)
    out << (i ? ", " : "  ") << (*nodes)[i].getAsString().value_or("");
  if (nodes->size() > shownNodes)
    out << " and " << nodes->size() - shownNodes << " more";
}

/// "lowering 0.10 s, code 0.15 s".
static void printSeconds(const llvm::json::Object &seconds,
                         llvm::raw_ostream &out) {
  double sum = 0;
  for (StringRef phase : {"lowering", "translation", "optimization", "code",
                          "linking", "weights"}) {
    double value = seconds.getNumber(phase).value_or(0);
    sum += value;
    out << phase << llvm::formatv(" {0:f2} s, ", value);
  }
  out << llvm::formatv("together {0:f2} s\n", sum);
}

void tessera::printKernels(const llvm::json::Object &report,
                           llvm::raw_ostream &out) {
  llvm::MapVector<StringRef, std::vector<const llvm::json::Object *>> routes;
  for (StringRef route : {"builder", "rows", "generic"})
    routes[route];
  size_t count = 0;
  if (const llvm::json::Array *kernels = report.getArray("kernels"))
    for (const llvm::json::Value &kernel : *kernels)
      if (const llvm::json::Object *object = kernel.getAsObject()) {
        routes[textField(*object, "route")].push_back(object);
        ++count;
      }
  std::string sum;
  for (auto &[route, kernels] : routes) {
    sum += (sum.empty() ? "" : ", ") + route.str() + " " +
           std::to_string(kernels.size());
    if (kernels.empty())
      continue;
    out << route << '\n';
    for (const llvm::json::Object *kernel : kernels) {
      out << "  " << textField(*kernel, "name");
      printNodes(*kernel, out);
      out << '\n';
      if (StringRef missed = textField(*kernel, "missed"); !missed.empty())
        out << "    because: " << missed << '\n';
    }
  }
  out << count << " kernels: " << sum << '\n';
  if (const llvm::json::Object *seconds = report.getObject("seconds"))
    printSeconds(*seconds, out);
}
