// Inputs and outputs of an entry; see the header.
#include "lib/Transforms/Buffer/EntryPorts.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;

LogicalResult EntryPorts::findAppends(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  Operation *terminator = body.getTerminator();
  for (auto append : body.getOps<kernel::AppendOp>()) {
    auto output = llvm::find(terminator->getOperands(), append.getResult());
    auto past = append.getPast().getDefiningOp<kernel::CallOp>();
    auto added = append.getAdded().getDefiningOp<kernel::CallOp>();
    int64_t input = append.getInput(),
            number = output - terminator->operand_begin();
    if (output == terminator->operand_end() || !past || !added ||
        input >= static_cast<int64_t>(entry.getNumArguments()) ||
        !llvm::is_contained(past.getInputs(), entry.getArgument(input)) ||
        past->getNumResults() != 1)
      return append.emitOpError("expects to be an output of the entry, and its "
                                "operands the results of kernels, the first of "
                                "one that copies input ")
             << input;
    for (Value part : {append.getPast(), append.getAdded()}) {
      if (!part.hasOneUse())
        return append.emitOpError("expects to be the only one that reads its "
                                  "operands");
      parts[part] = append;
    }
    auto dimension = static_cast<int64_t>(append.getDimension());
    if (!extendedInputs.try_emplace(input, Extension{number, dimension}).second)
      return append.emitOpError("extends input ") << input << " a second time";
    extendingOutputs[number] = {input, dimension};
  }
  return success();
}

const Extension *EntryPorts::extensionAt(const Place &place) const {
  const DenseMap<int64_t, Extension> *extensions =
      place.kind == kernel::StorageKind::Input    ? &extendedInputs
      : place.kind == kernel::StorageKind::Output ? &extendingOutputs
                                                  : nullptr;
  if (!extensions)
    return nullptr;
  auto it = extensions->find(place.position);
  return it == extensions->end() ? nullptr : &it->second;
}

SmallVector<int64_t> EntryPorts::appendAxes() const {
  SmallVector<int64_t> axes;
  if (!extendingOutputs.empty())
    for (int64_t number = 0, e = outputs.size(); number < e; ++number)
      axes.push_back(extendingOutputs.lookup(number).dimension);
  return axes;
}

/// A port called `name` unless `attributes`, those of the argument or result, say
/// otherwise. `node`: what makes an output.
static kernel::PortAttr portOf(std::string name, Type tensor,
                               DictionaryAttr attributes, AffineMap dims,
                               const Extension &extension,
                               StringAttr node = {}) {
  Type element = cast<RankedTensorType>(tensor).getElementType();
  if (attributes) {
    if (auto given = attributes.getAs<TypeAttr>(graph::kElementTypeAttr))
      element = given.getValue();
    if (auto given = attributes.getAs<StringAttr>(graph::kNameAttr))
      name = given.getValue();
  }
  return kernel::PortAttr::get(tensor.getContext(), name, element, dims,
                               extension.other, node);
}

LogicalResult EntryPorts::describe(func::FuncOp entry, graph::SizeAnalysis &sizes,
                                   EntrySizes &entrySizes) {
  for (BlockArgument argument : entry.getArguments()) {
    int64_t number = argument.getArgNumber();
    // The sizes as the input names them. Two names that are taken for equal stay two
    // symbols here: each is read from its own input, for the check.
    auto declared = entry.getArgAttrOfType<ArrayAttr>(number, graph::kDimsAttr);
    FailureOr<AffineMap> dims =
        declared ? entrySizes.declaredDims(declared)
                 : entrySizes.overSymbols(argument.getLoc(), sizes.dimsOf(argument));
    if (failed(dims))
      return failure();
    inputs.push_back(portOf("input_" + std::to_string(number), argument.getType(),
                            entry.getArgAttrDict(number), *dims,
                            extendedInputs.lookup(number)));
  }
  Operation *terminator = entry.getBody().front().getTerminator();
  for (auto [number, result] : llvm::enumerate(terminator->getOperands())) {
    FailureOr<AffineMap> dims =
        entrySizes.overSymbols(result.getLoc(), sizes.dimsOf(result));
    if (failed(dims))
      return failure();
    outputs.push_back(portOf("output_" + std::to_string(number), result.getType(),
                             entry.getResultAttrDict(number), *dims,
                             extendingOutputs.lookup(number),
                             nodeNameOf(result.getLoc())));
  }
  return success();
}

FailureOr<EntryPorts> EntryPorts::of(func::FuncOp entry,
                                     graph::SizeAnalysis &sizes,
                                     EntrySizes &entrySizes) {
  EntryPorts ports;
  if (failed(ports.findAppends(entry)) ||
      failed(ports.describe(entry, sizes, entrySizes)))
    return failure();
  return ports;
}
