// Drives an import: opsets, inputs, nodes, outputs, diagnostics.
#include "lib/Importer/Onnx/OnnxImporter.h"
#include "dialects/Attention/IR/Attention.h"
#include "dialects/Quantization/IR/Quantization.h"
#include "lib/Importer/Onnx/ModelImporter.h"
#include "lib/Importer/Onnx/OperatorSchema.h"
#include "lib/Importer/Onnx/ReadableText.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace tessera::onnx_importer {

ModelImporter::ModelImporter(const OnnxModel &model,
                             const ImportOptions &options, MLIRContext *context,
                             OnnxCheck &report)
    : model(model), options(options), context(context), findings(report),
      builder(context), sizes(context),
      module(ModuleOp::create(UnknownLoc::get(context))), symbols(*module) {
  makeConstant = [this](const onnx::TensorProto &tensor,
                        NodeContext &node) -> FailureOr<Value> {
    return constantOf(tensor, node,
                      node.node().output_size()
                          ? StringRef(node.node().output(0))
                          : StringRef(tensor.name()));
  };
}

void ModelImporter::reportError(const Twine &message) {
  findings.errors.push_back(message.str());
  findings.isDamaged = true;
}

void ModelImporter::reportUnsupported(const Twine &message) {
  findings.errors.push_back(message.str());
}

void ModelImporter::reportWrongOption(const Twine &message) {
  findings.errors.push_back(message.str());
  findings.hasWrongOptions = true;
}

/// Removes what no result depends on: scalars that folding left behind.
static void eraseDeadOperations(func::FuncOp entry) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(entry.front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}

OwningOpRef<ModuleOp> ModelImporter::run() {
  Scope scope;
  for (const auto &opset : model.proto.opset_import())
    scope.opsets[opset.domain() == "ai.onnx" ? "" : opset.domain()] =
        opset.version();
  int64_t opset = scope.opsets.lookup("");
  if (scope.opsets.contains("") &&
      (opset < kOldestOpset || opset > newestOpset())) {
    reportUnsupported("the model uses opset " + Twine(opset) + "; opsets " +
                      Twine(kOldestOpset) + " to " + Twine(newestOpset()) +
                      " are supported");
    return nullptr;
  }
  if (model.proto.graph().sparse_initializer_size()) {
    reportUnsupported(
        "sparse initializers are not supported; make '" +
        model.proto.graph().sparse_initializer(0).values().name() + "' dense");
    return nullptr;
  }
  if (!makeEntry(scope))
    return nullptr;
  reportUnusedOptions();

  if (!importGraph(model.proto.graph(), scope))
    return nullptr;
  if (!findings.unsupported.empty() || !findings.errors.empty())
    return nullptr;
  returnOutputs(scope);
  if (!findings.errors.empty())
    return nullptr;
  eraseDeadOperations(entry);
  return std::move(module);
}

std::vector<SizeRange> ModelImporter::sizesFoundFixed() {
  std::vector<SizeRange> found;
  for (auto &[name, size] : namedSizes) {
    auto symbol = dyn_cast<FlatSymbolRefAttr>(size);
    for (auto [i, known] : llvm::enumerate(sizes.symbols())) {
      if (!symbol || known.name != symbol)
        continue;
      auto number = dyn_cast<AffineConstantExpr>(
          sizes.resolve(getAffineSymbolExpr(i, context)));
      if (number)
        found.push_back({name.str(), number.getValue(), number.getValue(),
                         number.getValue()});
    }
  }
  return found;
}

/// Imports; again where nodes turned out to require one value of a named size, so
/// that all types say it.
static OwningOpRef<ModuleOp> import(const OnnxModel &model,
                                    ImportOptions options,
                                    MLIRContext *context, OnnxCheck &report) {
  OnnxCheck before = report;
  while (true) {
    ModelImporter importer(model, options, context, report);
    OwningOpRef<ModuleOp> module = importer.run();
    std::vector<SizeRange> fixed;
    if (module)
      fixed = importer.sizesFoundFixed();
    if (fixed.empty())
      return module;
    for (const SizeRange &size : fixed) {
      llvm::erase_if(options.sizes, [&](const SizeRange &given) {
        return given.name == size.name;
      });
      options.sizes.push_back(size);
    }
    report = before;
  }
}

/// Reads and imports; problems go to `report`.
static OwningOpRef<ModuleOp> import(StringRef path,
                                    const ImportOptions &options,
                                    MLIRContext *context, OnnxCheck &report) {
  context->loadDialect<arith::ArithDialect, attention::AttentionDialect,
                       quantization::QuantizationDialect,
                       func::FuncDialect,
                       graph::GraphDialect, linalg::LinalgDialect,
                       math::MathDialect, tensor::TensorDialect>();
  llvm::Expected<std::unique_ptr<OnnxModel>> model = readModel(path);
  if (!model) {
    report.errors.push_back(readable(llvm::toString(model.takeError())));
    report.isDamaged = true;
    return nullptr;
  }
  report.findings = (*model)->findings;
  OwningOpRef<ModuleOp> module = import(**model, options, context, report);
  for (std::string &error : report.errors)
    error = readable(("'" + path + "': " + error).str());
  for (UnsupportedNode &node : report.unsupported)
    for (std::string *text :
         {&node.node, &node.opType, &node.domain, &node.reason})
      *text = readable(*text);
  for (std::string &finding : report.findings)
    finding = readable(finding);
  return module;
}

OwningOpRef<ModuleOp> importOnnx(StringRef path, const ImportOptions &options,
                                 MLIRContext *context, OnnxCheck *given) {
  OnnxCheck own;
  OnnxCheck &report = given ? *given : own;
  OwningOpRef<ModuleOp> module = import(path, options, context, report);
  Location file = FileLineColLoc::get(context, path, 0, 0);
  for (const std::string &error : report.errors)
    emitError(UnknownLoc::get(context)) << error; // it names the file
  for (const UnsupportedNode &node : report.unsupported)
    emitError(file) << "node '" << node.node << "' ("
                    << (node.domain.empty() ? "" : node.domain + ".")
                    << node.opType << ", opset " << node.opset
                    << "): " << node.reason;
  if (module && failed(verify(*module)))
    return nullptr;
  return module;
}

std::pair<int64_t, int64_t> supportedOpsets() {
  return {kOldestOpset, newestOpset()};
}

} // namespace tessera::onnx_importer
