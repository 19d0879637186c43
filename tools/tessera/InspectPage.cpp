#include "tools/tessera/InspectPage.h"

#include "lib/Runtime/StoragePlan.h"
#include "lib/Runtime/TensorLayout.h"
#include "tools/tessera/Suggestions.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace tessera;
using namespace tessera::runtime;
namespace json = llvm::json;

// kPage, the text of inspect-page.html.
#include "InspectPageText.inc"

namespace {

/// Collects what the page's script draws.
class PageData {
public:
  PageData(const Model &model, const tool::PageOptions &options)
      : model(model), options(options), entry(model.entries().front()) {}

  llvm::Expected<json::Value> make();

private:
  llvm::Error readManifest();
  llvm::Error readProfile();
  llvm::Error chooseSizes();
  llvm::Error describePorts(const std::vector<Port> &ports,
                            llvm::StringRef name);
  llvm::Error describeStorage();
  llvm::Error checkCalls();

  /// The number, or the runtime's message as an error.
  static llvm::Expected<int64_t> take(Result<int64_t> result) {
    if (result.ok())
      return *result;
    return llvm::createStringError(result.takeStatus().message());
  }

  const Model &model;
  const tool::PageOptions &options;
  const Entry &entry;
  json::Object manifest, profile, root;
  std::vector<int64_t> sizes;
  int64_t workers = 1;
};

llvm::Error PageData::readManifest() {
  const char *text = model.table().manifest;
  llvm::Expected<json::Value> parsed = json::parse(text ? text : "");
  if (!parsed)
    return parsed.takeError();
  if (json::Object *object = parsed->getAsObject())
    manifest = std::move(*object);
  json::Object *calls = manifest.getObject("calls");
  if (!calls || !calls->getArray(entry.name) || !manifest.getArray("kernels"))
    return llvm::createStringError(
        "the model was made by a compiler that does not describe its kernel "
        "calls; compile it again");
  root["calls"] = std::move(*calls->getArray(entry.name));
  root["kernels"] = std::move(*manifest.getArray("kernels"));
  root["optimization"] = manifest.getInteger("optimization").value_or(-1);
  return llvm::Error::success();
}

llvm::Error PageData::readProfile() {
  if (options.profile.empty())
    return llvm::Error::success();
  auto file = llvm::MemoryBuffer::getFile(options.profile);
  if (!file)
    return llvm::createStringError("cannot read '" + options.profile +
                                   "': " + file.getError().message());
  llvm::Expected<json::Value> parsed = json::parse((*file)->getBuffer());
  json::Object *object = parsed ? parsed->getAsObject() : nullptr;
  if (!parsed)
    llvm::consumeError(parsed.takeError());
  json::Array *calls = object ? object->getArray("calls") : nullptr;
  if (!calls || !object->getObject("symbols") || !object->getInteger("threads"))
    return llvm::createStringError("'" + options.profile +
                                   "' is no profile of tessera run --profile");
  if (calls->size() != root.getArray("calls")->size())
    return llvm::createStringError(
        "'" + options.profile + "' is the profile of another model: it has " +
        std::to_string(calls->size()) + " kernel calls and not " +
        std::to_string(root.getArray("calls")->size()));
  workers = *object->getInteger("threads");
  profile = std::move(*object);
  return llvm::Error::success();
}

llvm::Error PageData::chooseSizes() {
  std::vector<std::string> names;
  for (const Symbol &symbol : entry.symbols)
    names.push_back(symbol.name);
  std::map<std::string, int64_t> given = options.sizes;
  if (const json::Object *measured = profile.getObject("symbols"))
    for (const auto &[name, size] : *measured)
      given[name.str()] = size.getAsInteger().value_or(-1);
  for (const auto &[name, size] : given)
    if (llvm::find(names, name) == names.end())
      return llvm::createStringError(
          std::make_error_code(std::errc::invalid_argument),
          "the model has no size '" + name + "'" +
              tool::suggestion(name, names));
  json::Array symbols;
  for (const Symbol &symbol : entry.symbols) {
    auto it = given.find(symbol.name);
    const int64_t size = it == given.end() ? symbol.typical : it->second;
    if (size < symbol.min || size > symbol.max)
      return llvm::createStringError(
          std::make_error_code(std::errc::invalid_argument),
          std::string("size '") + symbol.name + "': the model is compiled for " +
          std::to_string(symbol.min) + " to " + std::to_string(symbol.max) +
          " but got " + std::to_string(size));
    sizes.push_back(size);
    json::Object object{{"name", symbol.name}, {"size", size},
                        {"min", symbol.min}, {"typical", symbol.typical}};
    if (symbol.max != INT64_MAX)
      object["max"] = symbol.max;
    symbols.push_back(std::move(object));
  }
  root["symbols"] = std::move(symbols);
  return llvm::Error::success();
}

llvm::Error PageData::describePorts(const std::vector<Port> &ports,
                                    llvm::StringRef name) {
  json::Array list;
  for (const Port &port : ports) {
    std::vector<int64_t> shape;
    for (const SizeExpression &dim : port.dims) {
      llvm::Expected<int64_t> size = take(dim.evaluate(sizes.data(), workers));
      if (!size)
        return size.takeError();
      shape.push_back(*size);
    }
    llvm::Expected<int64_t> bytes = take(denseBytes(port.type, shape));
    if (!bytes)
      return bytes.takeError();
    list.push_back(json::Object{{"name", json::fixUTF8(port.name)},
                                {"type", json::fixUTF8(entry.typeText(port))},
                                {"shape", json::Array(shape)},
                                {"bytes", *bytes}});
  }
  root[name] = std::move(list);
  return llvm::Error::success();
}

/// Where the runtime puts each value at these sizes.
llvm::Error PageData::describeStorage() {
  std::vector<StorageRequest> requests;
  for (const Value &value : entry.values) {
    llvm::Expected<int64_t> bytes =
        take(value.bytes.evaluate(sizes.data(), workers));
    if (!bytes)
      return bytes.takeError();
    requests.push_back({*bytes, value.firstUse, value.lastUse});
  }
  Result<StoragePlan> plan = planStorage(requests);
  if (!plan.ok())
    return llvm::createStringError(plan.takeStatus().message());
  json::Array values;
  for (size_t i = 0; i < requests.size(); ++i)
    values.push_back(json::Object{{"bytes", requests[i].bytes},
                                  {"offset", plan->offsets[i]},
                                  {"first", requests[i].firstUse},
                                  {"last", requests[i].lastUse}});
  root["values"] = std::move(values);
  root["arena"] = plan->bytes;
  root["alive"] = plan->lowerBound;
  return llvm::Error::success();
}

/// The page's script may rely on numbers that fit.
llvm::Error PageData::checkCalls() {
  const int64_t kernels = root.getArray("kernels")->size();
  auto wrong = [] {
    return llvm::createStringError("the manifest contradicts the model");
  };
  for (const json::Value &call : *root.getArray("calls")) {
    const json::Object *object = call.getAsObject();
    const json::Array *arguments = object ? object->getArray("arguments") : nullptr;
    const int64_t kernel = object ? object->getInteger("kernel").value_or(-1) : -1;
    if (!arguments || kernel < 0 || kernel >= kernels)
      return wrong();
    for (const json::Value &argument : *arguments) {
      const json::Array *place = argument.getAsArray();
      if (!place || place->empty())
        return wrong();
      llvm::StringRef kind = (*place)[0].getAsString().value_or("");
      int64_t number = place->size() > 1 ? (*place)[1].getAsInteger().value_or(-1) : 0;
      int64_t count = kind == "value"    ? int64_t(entry.values.size())
                      : kind == "input"  ? int64_t(entry.inputs.size())
                      : kind == "output" ? int64_t(entry.outputs.size())
                                         : INT64_MAX;
      if (number < 0 || number >= count)
        return wrong();
    }
  }
  return llvm::Error::success();
}

llvm::Expected<json::Value> PageData::make() {
  for (llvm::Error (PageData::*step)() :
       {&PageData::readManifest, &PageData::readProfile, &PageData::chooseSizes,
        &PageData::describeStorage, &PageData::checkCalls})
    if (llvm::Error error = (this->*step)())
      return std::move(error);
  if (llvm::Error error = describePorts(entry.inputs, "inputs"))
    return std::move(error);
  if (llvm::Error error = describePorts(entry.outputs, "outputs"))
    return std::move(error);
  const TesseraModule &table = model.table();
  root["file"] = json::fixUTF8(llvm::sys::path::filename(model.path()));
  root["entry"] = entry.name;
  root["producer"] = table.producer;
  root["weights"] = int64_t(table.weights.bytes);
  root["workers"] = workers;
  root["description"] = json::fixUTF8(model.describe());
  // The kernels are those of the code that this machine takes.
  json::Array targets;
  for (const TesseraModule *each : model.tables())
    for (uint32_t i = 0; i < each->targetCount; ++i) {
      std::string cpu = each->targets[i].cpu;
      targets.push_back(model.tables().size() > 1 && each == &table
                            ? cpu + " (shown)"
                            : cpu);
    }
  root["targets"] = std::move(targets);
  if (!options.profile.empty())
    root["profile"] = std::move(profile);
  return json::Value(std::move(root));
}

} // namespace

llvm::Expected<std::string> tool::makePage(const Model &model,
                                           const PageOptions &options) {
  llvm::Expected<json::Value> data = PageData(model, options).make();
  if (!data)
    return data.takeError();
  // In a script element only '<' could end the data.
  std::string text;
  for (char c : llvm::formatv("{0}", *data).str())
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  llvm::StringRef page(kPage), mark("MODEL_DATA");
  const size_t at = page.find(mark);
  return (page.take_front(at) + text + page.drop_front(at + mark.size())).str();
}
