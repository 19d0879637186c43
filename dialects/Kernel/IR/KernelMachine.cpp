// The machine attribute: its text, and where it may stand.
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace tessera::kernel;

/// #kernel.machine<cpu = "znver4", l2Bytes = 1048576, …>
Attribute MachineAttr::parse(AsmParser &parser, Type) {
  SMLoc start = parser.getCurrentLocation();
  NamedAttrList fields;
  auto parseField = [&]() -> ParseResult {
    SMLoc location = parser.getCurrentLocation();
    std::string name;
    Attribute value;
    if (parser.parseKeywordOrString(&name) || parser.parseEqual() ||
        parser.parseAttribute(value))
      return failure();
    if (fields.get(name))
      return parser.emitError(location, "C1: expects field '")
             << name << "' once";
    fields.append(name, value);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseField))
    return {};
  return parser.getChecked<MachineAttr>(start, parser.getContext(),
                                        fields.getDictionary(parser.getContext()));
}

void MachineAttr::print(AsmPrinter &printer) const {
  printer << '<';
  llvm::interleaveComma(getFields(), printer, [&](NamedAttribute field) {
    printer.printKeywordOrString(field.getName());
    printer << " = ";
    // Integers and floats have 64 bits, which parsing gives them without a type.
    printer.printAttributeWithoutType(field.getValue());
  });
  printer << '>';
}

LogicalResult
MachineAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                    DictionaryAttr fields) {
  for (NamedAttribute field : fields) {
    Attribute value = field.getValue();
    auto number = dyn_cast<TypedAttr>(value);
    if (isa<StringAttr, BoolAttr>(value) ||
        (isa<IntegerAttr>(value) && number.getType().isSignlessInteger(64)) ||
        (isa<FloatAttr>(value) && number.getType().isF64()))
      continue;
    return emitError() << "C1: expects field '" << field.getName().getValue()
                       << "' to be a string, a boolean or a number of 64 bits, "
                          "but got "
                       << value;
  }
  return success();
}

LogicalResult KernelDialect::verifyOperationAttribute(Operation *op,
                                                      NamedAttribute attribute) {
  if (attribute.getName() != MachineAttr::kModuleAttr)
    return success();
  if (!isa<MachineAttr>(attribute.getValue()))
    return op->emitOpError("C2: expects '")
           << MachineAttr::kModuleAttr << "' to be a #kernel.machine, but got "
           << attribute.getValue();
  if (!isa<ModuleOp>(op))
    return op->emitOpError("C2: expects '")
           << MachineAttr::kModuleAttr << "' on a module only";
  return success();
}
