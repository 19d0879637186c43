#include "Model.h"
#include "CpuFeatures.h"
#include "StoragePlan.h"

namespace tessera::runtime {
namespace {

/// Bytes with a unit for people: "1.50 MiB".
std::string bytesText(double bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit)
    bytes /= 1024;
  std::ostringstream text;
  text.precision(unit ? 2 : 0);
  text << std::fixed << bytes << ' ' << units[unit];
  return text.str();
}

/// "bytes X, at least Y": the storage plan at typical sizes, or why there is
/// none.
std::string storageText(const Entry &entry) {
  std::vector<int64_t> symbols;
  for (const Symbol &symbol : entry.symbols)
    symbols.push_back(symbol.typical);
  if (Status bad = entry.computeSizes(symbols); !bad.ok())
    return bad.message();
  std::vector<StorageRequest> requests;
  for (const Value &value : entry.values) {
    Result<int64_t> bytes = value.bytes.evaluate(symbols.data(), /*workers=*/1);
    if (!bytes.ok())
      return bytes.takeStatus().message();
    requests.push_back({*bytes, value.firstUse, value.lastUse});
  }
  Result<StoragePlan> plan = planStorage(requests);
  if (!plan.ok())
    return plan.takeStatus().message();
  return std::to_string(requests.size()) + " values in " +
         bytesText(plan->bytes) + " (" + bytesText(plan->lowerBound) +
         " alive at once) at typical sizes and 1 thread";
}

} // namespace

Status Model::openLibrary(const std::string &path) {
  libraryPath = path;
  Result<LibraryFile> opened = LibraryFile::open(path);
  if (!opened.ok())
    return opened.takeStatus();
  library = std::move(*opened);
  if (Status bad = library.load(); !bad.ok())
    return bad;
  module =
      static_cast<const TesseraModule *>(library.find(TESSERA_MODULE_SYMBOL));
  if (!module)
    return failure(TESSERA_INVALID_MODEL, "'", path,
                   "' is not a compiled model: it has no symbol '",
                   TESSERA_MODULE_SYMBOL, "'");
  return Status();
}

Status Model::readTable(bool toRun) {
  Result<std::vector<const TesseraModule *>> tables = readTables(*module);
  if (!tables.ok())
    return tables.takeStatus();
  allTables = std::move(*tables);
  for (const TesseraModule *table : allTables) {
    Result<std::vector<Entry>> entries = readEntries(*table);
    if (!entries.ok())
      return entries.takeStatus();
    if (table == module)
      allEntries = std::move(*entries);
  }
  Result<const TesseraModule *> best = chooseTable(allTables, cpuFeatures());
  if (!best.ok())
    return toRun ? best.takeStatus() : Status();
  if (*best == module)
    return Status();
  module = *best;
  allEntries = std::move(*readEntries(*module));
  return Status();
}

Status Model::prepareToRun(const TesseraLoadOptions &options) {
  Result<uint64_t> given = enableTargets(*module, cpuFeatures());
  if (!given.ok())
    return given.takeStatus();
  givenUnits = *given;
  Result<WeightFile> weights = WeightFile::open(
      allTables.front()->weights, libraryPath, library.descriptor(), options);
  library.close(); // all that is needed of the file is mapped
  if (!weights.ok())
    return weights.takeStatus();
  weightFile = std::move(*weights);
  return Status();
}

Result<std::shared_ptr<const Model>>
Model::load(const std::string &path, const TesseraLoadOptions &options) {
  std::shared_ptr<Model> model(new Model);
  if (Status bad = model->openLibrary(path); !bad.ok())
    return bad;
  Status bad = model->readTable(/*toRun=*/true);
  if (bad.ok())
    bad = model->prepareToRun(options);
  if (!bad.ok())
    return std::move(bad).within("'" + path + "'");
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>> Model::inspect(const std::string &path) {
  std::shared_ptr<Model> model(new Model);
  if (Status bad = model->openLibrary(path); !bad.ok())
    return bad;
  if (Status bad = model->readTable(/*toRun=*/false); !bad.ok())
    return std::move(bad).within("'" + path + "'");
  return std::shared_ptr<const Model>(std::move(model));
}

Result<std::shared_ptr<const Model>>
Model::wrap(const TesseraModule &table, const TesseraLoadOptions &options) {
  std::shared_ptr<Model> model(new Model);
  model->module = &table;
  Status bad = model->readTable(/*toRun=*/true);
  if (bad.ok())
    bad = model->prepareToRun(options);
  if (!bad.ok())
    return bad;
  return std::shared_ptr<const Model>(std::move(model));
}

std::string Model::describeTargets() const {
  std::ostringstream text;
  for (const TesseraModule *table : allTables)
    for (uint32_t i = 0; i < table->targetCount; ++i) {
      const TesseraTarget &target = table->targets[i];
      text << (table == allTables.front() ? "needs     " : "or        ")
           << target.architecture << " with " << target.features
           << " (compiled for " << target.cpu << ')';
      if (target.optionalFeatures)
        text << ", uses " << target.optionalFeatures
             << " where the system gives it";
      if (allTables.size() > 1 && table == module &&
          checkTargets(*table, cpuFeatures()).ok())
        text << ", taken on this machine";
      text << '\n';
    }
  return text.str();
}

std::string Model::describe() const {
  std::ostringstream text;
  for (const Entry &entry : allEntries) {
    text << "entry     " << entry.name << '\n';
    auto list = [&](const char *kind, const std::vector<Port> &ports) {
      for (const Port &port : ports) {
        text << "  " << kind << ' ' << port.name << ": " << entry.typeText(port);
        if (&ports == &entry.outputs && port.alias >= 0)
          text << ", extends " << entry.inputs[port.alias].name
               << " along dimension " << port.axis;
        text << '\n';
      }
    };
    list("input  ", entry.inputs);
    list("output ", entry.outputs);
    list("tap    ", entry.taps);
    for (const Symbol &symbol : entry.symbols) {
      text << "  size    " << symbol.name << ": from " << symbol.min;
      if (symbol.max != INT64_MAX)
        text << " to " << symbol.max;
      text << ", typically " << symbol.typical << '\n';
    }
    text << "  storage " << storageText(entry) << '\n';
  }
  static const char *const places[] = {"given at load", "at the library's end",
                                       "in a file beside the library"};
  const TesseraWeights &weights = allTables.front()->weights;
  text << "weights   " << bytesText(double(weights.bytes));
  if (weights.bytes && weights.place < 3)
    text << ' ' << places[weights.place];
  text << '\n';
  if (library.codeBytes())
    text << "code      " << bytesText(double(library.codeBytes())) << '\n';
  text << describeTargets();
  text << "producer  " << module->producer << '\n';
  return text.str();
}

} // namespace tessera::runtime
