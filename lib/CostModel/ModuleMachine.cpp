// The machine of a module.
#include "lib/CostModel/ModuleMachine.h"

#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;
using kernel::MachineAttr;

/// What the attribute's verifier admits, as a field's value.
static decltype(MachineField::value) valueOf(Attribute attribute) {
  if (auto text = dyn_cast<StringAttr>(attribute))
    return text.getValue().str();
  if (auto truth = dyn_cast<BoolAttr>(attribute))
    return truth.getValue();
  if (auto whole = dyn_cast<IntegerAttr>(attribute))
    return whole.getInt();
  return cast<FloatAttr>(attribute).getValueAsDouble();
}

namespace {
struct ToAttribute {
  Builder builder;

  Attribute operator()(const std::string &text) {
    return builder.getStringAttr(text);
  }
  Attribute operator()(bool truth) { return builder.getBoolAttr(truth); }
  Attribute operator()(int64_t whole) { return builder.getI64IntegerAttr(whole); }
  Attribute operator()(double number) { return builder.getF64FloatAttr(number); }
};
} // namespace

bool tessera::hasMachine(ModuleOp module) {
  return module->hasAttrOfType<MachineAttr>(MachineAttr::kModuleAttr);
}

FailureOr<Machine> tessera::machineOf(ModuleOp module) {
  auto attribute =
      module->getAttrOfType<MachineAttr>(MachineAttr::kModuleAttr);
  if (!attribute) {
    module.emitError("expects a machine, but the module has no attribute '")
        << MachineAttr::kModuleAttr << "': run kernel-set-machine before";
    return failure();
  }
  std::vector<MachineField> fields;
  for (NamedAttribute field : attribute.getFields())
    fields.push_back({field.getName().str(), valueOf(field.getValue())});
  llvm::Expected<Machine> machine = machineFrom(fields);
  if (machine)
    return *machine;
  module.emitError("attribute '")
      << MachineAttr::kModuleAttr
      << "': " << llvm::toString(machine.takeError());
  return failure();
}

void tessera::setMachine(ModuleOp module, const Machine &machine) {
  NamedAttrList fields;
  ToAttribute toAttribute{Builder(module.getContext())};
  for (const MachineField &field : fieldsOf(machine))
    fields.append(field.name, std::visit(toAttribute, field.value));
  MLIRContext *context = module.getContext();
  module->setAttr(MachineAttr::kModuleAttr,
                  MachineAttr::get(context, fields.getDictionary(context)));
}
