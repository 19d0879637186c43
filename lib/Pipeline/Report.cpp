// What became of a model: its kernels by route.
#include "lib/Pipeline/Report.h"

#include "dialects/Kernel/IR/CallNumbers.h"
#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/Importer/Onnx/ReadableText.h"
#include "lib/Pipeline/Diagnostics.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace tessera;

/// JSON holds UTF-8 only, and MLIR text may name nodes by any bytes.
static llvm::json::Array textsOf(const llvm::SetVector<StringRef> &names) {
  llvm::json::Array texts;
  for (StringRef name : names)
    texts.push_back(onnx_importer::readable(name));
  return texts;
}

/// The nodes that a kernel's operations come from, in its order.
static llvm::json::Array nodesOf(kernel::FuncOp kernel) {
  llvm::SetVector<StringRef> nodes;
  collectNodeNames(kernel.getLoc(), nodes);
  kernel.walk([&](Operation *op) { collectNodeNames(op->getLoc(), nodes); });
  return textsOf(nodes);
}

/// "?x768xf32" of a shaped type, else its text.
static std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  if (auto shaped = dyn_cast<ShapedType>(type)) {
    for (int64_t size : shaped.getShape())
      stream << (ShapedType::isDynamic(size) ? "?" : std::to_string(size)) << 'x';
    type = shaped.getElementType();
  }
  stream << type;
  return text;
}

static std::string textOf(Attribute attribute) {
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

/// What `describeCalls` says of one call; `kernels`: the position of each.
static llvm::json::Object
describeCall(kernel::LaunchOp launch,
             const llvm::DenseMap<StringAttr, int64_t> &kernels) {
  llvm::json::Array arguments;
  for (Value argument : launch.getArguments()) {
    auto storage = argument.getDefiningOp<kernel::StorageOp>();
    if (!storage) {
      arguments.push_back(llvm::json::Array{"other"});
      continue;
    }
    llvm::json::Array place{kernel::stringifyStorageKind(storage.getKind()),
                            int64_t(storage.getPosition())};
    auto type = cast<MemRefType>(storage.getResult().getType());
    if (storage.getKind() == kernel::StorageKind::Weights)
      place.push_back(
          type.getNumElements() *
          int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8)));
    arguments.push_back(std::move(place));
  }
  llvm::SetVector<StringRef> nodes;
  collectNodeNames(launch.getLoc(), nodes);
  return llvm::json::Object{
      {"kernel", kernels.lookup(launch.getCalleeAttr().getAttr())},
      {"nodes", textsOf(nodes)},
      {"arguments", std::move(arguments)}};
}

llvm::json::Object tessera::describeCalls(ModuleOp module) {
  llvm::DenseMap<StringAttr, int64_t> kernels;
  for (auto kernel : module.getOps<kernel::FuncOp>())
    kernels.insert({kernel.getSymNameAttr(), int64_t(kernels.size())});
  llvm::json::Object entries;
  for (auto entry : module.getOps<kernel::EntryOp>()) {
    llvm::json::Array calls;
    auto function = module.lookupSymbol<func::FuncOp>(entry.getFunction());
    if (!function)
      continue;
    kernel::CallNumbers numbered(function);
    for (Operation *call : numbered.all())
      calls.push_back(describeCall(cast<kernel::LaunchOp>(call), kernels));
    entries[entry.getSymName()] = std::move(calls);
  }
  return entries;
}

llvm::json::Array tessera::describeKernels(ModuleOp module) {
  llvm::json::Array kernels;
  for (auto kernel : module.getOps<kernel::FuncOp>()) {
    llvm::json::Object object{{"name", kernel.getSymName()},
                              {"route", kernel.getSchedule().getRoute()},
                              {"nodes", nodesOf(kernel)},
                              {"schedule", textOf(kernel.getSchedule())},
                              {"outputs", int64_t(kernel.getOutputs())}};
    llvm::json::Array arguments;
    for (Type type : kernel.getArgumentTypes())
      if (isa<ShapedType>(type))
        arguments.push_back(textOf(type));
    object["arguments"] = std::move(arguments);
    if (auto missed = kernel->getAttrOfType<StringAttr>(kernel::kMissedAttr))
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
  if (const llvm::json::Array *missed = report.getArray("missed"))
    for (const llvm::json::Value &remark : *missed)
      if (const llvm::json::Object *object = remark.getAsObject()) {
        StringRef node = textField(*object, "node");
        out << node << (node.empty() ? "" : ": ")
            << textField(*object, "reason") << '\n';
      }
  if (const llvm::json::Object *seconds = report.getObject("seconds"))
    printSeconds(*seconds, out);
}
