#include "ModelTable.h"
#include "CpuFeatures.h"
#include "TensorLayout.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace tessera::runtime {
namespace {

/// Bytes of structs that later versions made longer, as they were before: an older
/// model has these.
template <typename T> constexpr uint32_t leastBytes = sizeof(T);
template <>
constexpr uint32_t leastBytes<TesseraPort> = offsetof(TesseraPort, node);
template <>
constexpr uint32_t leastBytes<TesseraComputedSize> =
    offsetof(TesseraComputedSize, node);
template <>
constexpr uint32_t leastBytes<TesseraValue> = offsetof(TesseraValue, node);
template <>
constexpr uint32_t leastBytes<TesseraEntry> = offsetof(TesseraEntry, check);

/// Reads element `index` of an array whose elements are as long as the model
/// says, with zeros for the fields that it does not have.
template <typename T>
Result<T> readStruct(const T *array, uint32_t index, const char *kind) {
  if (!array)
    return failure(TESSERA_INVALID_MODEL, "has no table of ", kind, "s");
  const uint32_t stride = array->size;
  if (stride < leastBytes<T> || stride % alignof(T) != 0)
    return failure(TESSERA_INVALID_MODEL, "expects each ", kind,
                   " to have at least ", leastBytes<T>, " bytes but got ",
                   stride);
  T result{};
  std::memcpy(&result,
              reinterpret_cast<const char *>(array) + size_t(index) * stride,
              std::min<size_t>(stride, sizeof(T)));
  if (result.size != stride)
    return failure(TESSERA_INVALID_MODEL, kind, " ", index, " has ",
                   result.size, " bytes but the first has ", stride);
  return result;
}

/// Bytes of a module table before it could have alternates.
constexpr uint32_t moduleBytes = offsetof(TesseraModule, alternateCount);

Status checkModule(const TesseraModule &module) {
  // The version stands before everything that could have moved.
  if (module.abiVersion != TESSERA_ABI_VERSION)
    return failure(TESSERA_INVALID_MODEL, "expects ABI version ",
                   TESSERA_ABI_VERSION, " but the model has ",
                   module.abiVersion, "; compile it again with this version");
  if (module.size < moduleBytes)
    return failure(TESSERA_INVALID_MODEL, "expects a module table of at least ",
                   moduleBytes, " bytes but got ", module.size);
  return Status();
}

enum class Role { Input, Output, Tap };

Result<Port> readPort(const TesseraPort *ports, uint32_t index, Role role,
                      int64_t symbolCount) {
  static const char *const roleNames[] = {"input", "output", "tap"};
  const char *kind = roleNames[int(role)];
  Result<TesseraPort> raw = readStruct(ports, index, kind);
  if (!raw.ok())
    return raw.takeStatus();
  if (!raw->name)
    return failure(TESSERA_INVALID_MODEL, kind, " ", index, " has no name");
  const std::string where = std::string(kind) + " '" + raw->name + "'";
  if (raw->kind != TESSERA_TENSOR)
    return failure(TESSERA_INVALID_MODEL, where, " is ",
                   raw->kind == TESSERA_SEQUENCE   ? "a sequence"
                   : raw->kind == TESSERA_OPTIONAL ? "an optional"
                                                   : "of an unknown kind",
                   ", which this runtime does not support");
  if (!isKnownType(raw->type))
    return failure(TESSERA_INVALID_MODEL, where,
                   " has an unknown element type: code ", int(raw->type.code),
                   ", ", int(raw->type.bits), " bits");
  Port port{raw->name, raw->type, {}, raw->alias, raw->axis, raw->node};
  for (uint16_t axis = 0; axis < raw->rank; ++axis) {
    if (!raw->dims)
      return failure(TESSERA_INVALID_MODEL, where, " has no dimensions");
    Result<SizeExpression> dim =
        SizeExpression::read(raw->dims[axis], symbolCount);
    if (!dim.ok())
      return dim.takeStatus().within(where);
    if (role == Role::Input && !dim->constant() && !dim->symbol())
      return failure(TESSERA_INVALID_MODEL, where, " has in dimension ", axis,
                     " neither a number nor a symbol");
    port.dims.push_back(*dim);
  }
  return port;
}

Status readPorts(const TesseraPort *ports, uint32_t count, Role role,
                 int64_t symbolCount, std::vector<Port> &result) {
  for (uint32_t i = 0; i < count; ++i) {
    Result<Port> port = readPort(ports, i, role, symbolCount);
    if (!port.ok())
      return port.takeStatus();
    result.push_back(std::move(*port));
  }
  return Status();
}

Status readSymbols(const TesseraEntry &raw, std::vector<Symbol> &result) {
  for (uint32_t i = 0; i < raw.symbolCount; ++i) {
    Result<TesseraSymbol> symbol = readStruct(raw.symbols, i, "symbol");
    if (!symbol.ok())
      return symbol.takeStatus();
    if (!symbol->name || symbol->min < 0 || symbol->min > symbol->max)
      return failure(TESSERA_INVALID_MODEL, "symbol ", i,
                     " has no name or no range");
    result.push_back({symbol->name, symbol->min, symbol->typical, symbol->max});
  }
  return Status();
}

Status readValues(const TesseraEntry &raw, int64_t symbolCount,
                  std::vector<Value> &result) {
  for (uint32_t i = 0; i < raw.valueCount; ++i) {
    Result<TesseraValue> value = readStruct(raw.values, i, "value");
    if (!value.ok())
      return value.takeStatus();
    Result<SizeExpression> bytes =
        SizeExpression::read(value->bytes, symbolCount);
    if (!bytes.ok())
      return bytes.takeStatus().within("value " + std::to_string(i));
    if (value->firstUse > value->lastUse)
      return failure(TESSERA_INVALID_MODEL, "value ", i, " is used first at ",
                     value->firstUse, " and last at ", value->lastUse);
    result.push_back(
        {*bytes, value->firstUse, value->lastUse,
         value->node ? "the result of node '" + std::string(value->node) + "'"
                     : "value " + std::to_string(i)});
  }
  return Status();
}

/// Longest text of a computed size; what is longer is cut.
constexpr size_t longestSizeText = 120;

/// After the symbols and the inputs.
Status readComputed(const TesseraEntry &raw, Entry &entry) {
  for (int64_t i = 0; i < raw.computedCount; ++i) {
    Result<TesseraComputedSize> size =
        readStruct(raw.computed, i, "computed size");
    if (!size.ok())
      return size.takeStatus();
    const std::string where = "computed size " + std::to_string(i);
    Result<SizeExpression> program =
        SizeExpression::read(size->program, raw.symbolCount + i);
    if (!program.ok())
      return program.takeStatus().within(where);
    std::string text =
        program->text([&](int64_t index) { return entry.symbolName(index); });
    if (size->input != -1) {
      if (size->input < -1 || size->input >= int64_t(entry.inputs.size()))
        return failure(TESSERA_INVALID_MODEL, where, " reads input ",
                       size->input, " of ", entry.inputs.size());
      const Port &input = entry.inputs[size->input];
      if (input.dims.size() > 1 || input.type.code > 1 || input.type.bits < 8)
        return failure(
            TESSERA_INVALID_MODEL, where, " reads input '", input.name,
            "', which is no list of integers: ", entry.typeText(input));
      text = std::string(input.name) +
             (input.dims.empty() ? "" : "[" + text + "]");
    }
    if (text.size() > longestSizeText)
      text = text.substr(0, longestSizeText) + "...";
    entry.computed.push_back(
        {size->input, *program, std::move(text), size->node});
  }
  return Status();
}

/// The runtime learns a symbol's size from the inputs only.
Status checkSymbolsBound(const Entry &entry) {
  std::vector<bool> bound(entry.symbols.size());
  for (const Port &input : entry.inputs)
    for (const SizeExpression &dim : input.dims)
      if (std::optional<int64_t> symbol = dim.symbol())
        bound[*symbol] = true;
  auto unbound = std::find(bound.begin(), bound.end(), false);
  if (unbound == bound.end())
    return Status();
  return failure(TESSERA_INVALID_MODEL, "symbol '",
                 entry.symbols[unbound - bound.begin()].name,
                 "' is the size of no input");
}

/// How many features the targets of a checked table need.
int64_t countFeatures(const TesseraModule &module) {
  int64_t count = 0;
  for (uint32_t i = 0; i < module.targetCount; ++i) {
    Result<TesseraTarget> target = readStruct(module.targets, i, "target");
    if (target.ok() && target->features && *target->features) {
      const std::string_view features = target->features;
      count += 1 + std::count(features.begin(), features.end(), ',');
    }
  }
  return count;
}

/// What one port says of another, the other must say as well.
Status checkAliases(const Entry &entry) {
  auto check = [](const std::vector<Port> &ports,
                  const std::vector<Port> &others) {
    for (size_t i = 0; i < ports.size(); ++i) {
      const Port &port = ports[i];
      if (port.alias < 0)
        continue;
      if (size_t(port.alias) >= others.size() ||
          others[port.alias].alias != int64_t(i) || port.axis < 0 ||
          others[port.alias].axis != port.axis ||
          size_t(port.axis) >= port.dims.size() ||
          others[port.alias].dims.size() != port.dims.size() ||
          others[port.alias].type != port.type)
        return failure(TESSERA_INVALID_MODEL, "'", port.name,
                       "' has an alias that does not fit it");
    }
    return Status();
  };
  Status bad = check(entry.inputs, entry.outputs);
  return bad.ok() ? check(entry.outputs, entry.inputs) : std::move(bad);
}

Result<Entry> readEntry(const TesseraEntry &raw) {
  Entry entry{};
  entry.name = raw.name;
  entry.run = raw.run;
  entry.check = raw.check;
  if (!raw.run)
    return failure(TESSERA_INVALID_MODEL, "has no code");
  Status bad = readSymbols(raw, entry.symbols);
  if (bad.ok())
    bad = readPorts(raw.inputs, raw.inputCount, Role::Input, raw.symbolCount,
                    entry.inputs);
  if (bad.ok())
    bad = readComputed(raw, entry);
  const int64_t symbols = entry.symbols.size() + entry.computed.size();
  if (bad.ok())
    bad = readPorts(raw.outputs, raw.outputCount, Role::Output, symbols,
                    entry.outputs);
  if (bad.ok())
    bad = readPorts(raw.taps, raw.tapCount, Role::Tap, symbols, entry.taps);
  if (bad.ok())
    bad = checkAliases(entry);
  if (bad.ok())
    bad = readValues(raw, symbols, entry.values);
  if (bad.ok())
    bad = checkSymbolsBound(entry);
  if (!bad.ok())
    return bad;
  return entry;
}

} // namespace

std::string outputText(const Port &port) {
  std::string text = std::string("output '") + port.name + "'";
  return port.node ? text + " of node '" + port.node + "'" : text;
}

std::string Entry::symbolName(int64_t index) const {
  const int64_t named = symbols.size();
  return index < named ? symbols[index].name : computed[index - named].text;
}

Status Entry::computeSizes(
    std::vector<int64_t> &sizes,
    const std::function<int64_t(int32_t, int64_t)> &element) const {
  for (const ComputedSize &size : computed) {
    Result<int64_t> value = size.program.evaluate(sizes.data(), /*workers=*/1);
    if (!value.ok()) {
      Status bad = value.takeStatus().within(size.text);
      return size.node ? std::move(bad).within("node '" + std::string(size.node) + "'")
                       : std::move(bad);
    }
    if (size.input >= 0 && !element)
      return failure(TESSERA_INVALID_ARGUMENT, "sizes depend on ", size.text,
                     ", an element of an input");
    sizes.push_back(size.input < 0 ? *value : element(size.input, *value));
  }
  return Status();
}

Status Entry::checkSizes(const std::vector<int64_t> &sizes) const {
  TesseraContext context{};
  context.size = sizeof context;
  context.symbols = sizes.data();
  if (!check || check(&context) == 0)
    return Status();
  return failure(TESSERA_RUN_FAILED, name, ": ",
                 context.errorMessage ? context.errorMessage
                                      : "a check failed");
}

std::string Entry::typeText(const Port &port) const {
  std::string text = std::string(typeName(port.type)) + " (";
  for (size_t axis = 0; axis < port.dims.size(); ++axis)
    text += (axis ? ", " : "") + port.dims[axis].text([this](int64_t index) {
      return symbolName(index);
    });
  return text + ")";
}

Result<std::vector<Entry>> readEntries(const TesseraModule &module) {
  if (Status bad = checkModule(module); !bad.ok())
    return bad;
  if (module.entryCount == 0)
    return failure(TESSERA_INVALID_MODEL, "the model has no entry");
  std::vector<Entry> entries;
  for (uint32_t i = 0; i < module.entryCount; ++i) {
    Result<TesseraEntry> raw = readStruct(module.entries, i, "entry");
    if (!raw.ok())
      return raw.takeStatus();
    if (!raw->name)
      return failure(TESSERA_INVALID_MODEL, "entry ", i, " has no name");
    Result<Entry> entry = readEntry(*raw);
    if (!entry.ok())
      return entry.takeStatus().within("entry '" + std::string(raw->name) +
                                       "'");
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<std::vector<const TesseraModule *>>
readTables(const TesseraModule &module) {
  if (Status bad = checkModule(module); !bad.ok())
    return bad;
  std::vector<const TesseraModule *> tables = {&module};
  if (module.size < sizeof(TesseraModule))
    return tables;
  for (uint32_t i = 0; i < module.alternateCount; ++i) {
    if (!module.alternates || !module.alternates[i])
      return failure(TESSERA_INVALID_MODEL, "has no alternate table ", i);
    if (Status bad = checkModule(*module.alternates[i]); !bad.ok())
      return std::move(bad).within("alternate table " + std::to_string(i));
    tables.push_back(module.alternates[i]);
  }
  return tables;
}

Status checkTargets(const TesseraModule &module,
                    const std::set<std::string_view> &available) {
  for (uint32_t i = 0; i < module.targetCount; ++i) {
    Result<TesseraTarget> target = readStruct(module.targets, i, "target");
    if (!target.ok())
      return target.takeStatus();
    if (!target->architecture ||
        std::strcmp(target->architecture, "x86-64") != 0)
      return failure(TESSERA_UNSUPPORTED_MACHINE, "is for architecture '",
                     target->architecture ? target->architecture : "",
                     "' but this machine is 'x86-64'");
    if (!target->features)
      continue;
    if (Status bad = checkCpuFeatures(target->features, available); !bad.ok())
      return bad;
  }
  return Status();
}

Result<const TesseraModule *>
chooseTable(const std::vector<const TesseraModule *> &tables,
            const std::set<std::string_view> &available) {
  const TesseraModule *best = nullptr;
  int64_t bestNeeds = -1;
  std::string reasons;
  for (const TesseraModule *table : tables) {
    Status bad = checkTargets(*table, available);
    if (!bad.ok() &&
        (tables.size() == 1 || bad.code() != TESSERA_UNSUPPORTED_MACHINE))
      return bad;
    if (!bad.ok()) {
      const char *cpu = table->targets->cpu;
      reasons += std::string("; compiled for ") + (cpu ? cpu : "") + ", it " +
                 bad.message();
      continue;
    }
    const int64_t needs = countFeatures(*table);
    if (needs > bestNeeds) {
      best = table;
      bestNeeds = needs;
    }
  }
  if (best)
    return best;
  return failure(TESSERA_UNSUPPORTED_MACHINE, "has no code for this machine",
                 reasons);
}

Result<uint64_t> enableTargets(const TesseraModule &module,
                               const std::set<std::string_view> &available) {
  uint64_t units = 0;
  for (uint32_t i = 0; i < module.targetCount; ++i) {
    Result<TesseraTarget> target = readStruct(module.targets, i, "target");
    if (!target.ok())
      return target.takeStatus();
    if (target->features)
      if (Status bad = enableCpuFeatures(target->features); !bad.ok())
        return bad;
    if (target->optionalFeatures &&
        checkCpuFeatures(target->optionalFeatures, available).ok() &&
        enableCpuFeatures(target->optionalFeatures).ok())
      units |= TESSERA_UNIT_MATRIX_TILES;
  }
  return units;
}

} // namespace tessera::runtime
