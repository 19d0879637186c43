// What is read from a gpu.binary: PTX text, launch data as JSON.
#include "lib/Target/PTX/Passes.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace tessera::ptx {

static SmallVector<gpu::ObjectAttr> findObjects(ModuleOp module) {
  SmallVector<gpu::ObjectAttr> objects;
  for (auto binary : module.getOps<gpu::BinaryOp>())
    for (Attribute attribute : binary.getObjects())
      if (auto object = dyn_cast<gpu::ObjectAttr>(attribute);
          object && object.getFormat() == gpu::CompilationTarget::Assembly)
        objects.push_back(object);
  if (objects.empty())
    module.emitError("expects a gpu.binary with PTX text");
  return objects;
}

/// Dictionaries, arrays and integers; anything else by its text.
static llvm::json::Value toJson(Attribute attribute) {
  if (auto dictionary = dyn_cast<DictionaryAttr>(attribute)) {
    llvm::json::Object object;
    for (NamedAttribute entry : dictionary)
      object[entry.getName().strref()] = toJson(entry.getValue());
    return object;
  }
  if (auto array = dyn_cast<ArrayAttr>(attribute)) {
    llvm::json::Array values;
    for (Attribute element : array)
      values.push_back(toJson(element));
    return values;
  }
  if (auto integer = dyn_cast<IntegerAttr>(attribute))
    return integer.getInt();
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return text;
}

LogicalResult printPtx(ModuleOp module, llvm::raw_ostream &os) {
  SmallVector<gpu::ObjectAttr> objects = findObjects(module);
  for (gpu::ObjectAttr object : objects)
    os << object.getObject().getValue();
  return success(!objects.empty());
}

LogicalResult printLaunches(ModuleOp module, llvm::raw_ostream &os) {
  SmallVector<gpu::ObjectAttr> objects = findObjects(module);
  if (objects.empty())
    return failure();
  llvm::json::Object launches;
  for (gpu::ObjectAttr object : objects)
    if (DictionaryAttr properties = object.getProperties())
      for (NamedAttribute entry : properties)
        launches[entry.getName().strref()] = toJson(entry.getValue());
  os << llvm::formatv("{0:2}", llvm::json::Value(std::move(launches))) << "\n";
  return success();
}

} // namespace tessera::ptx
