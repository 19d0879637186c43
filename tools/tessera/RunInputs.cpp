// The inputs of `tessera run`: from files, else random.
#include "tools/tessera/RunInputs.h"
#include "tools/tessera/Suggestions.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"

using llvm::StringRef;

namespace tessera::tool {
namespace {

/// What an integer input may hold if nothing is known of it: valid as a mask,
/// as a flag and as an index.
constexpr int64_t kUnknownLimit = 2;

llvm::Error wrong(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

llvm::Error wrongArgument(const llvm::Twine &message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument), message);
}

/// The table's sizes by name.
struct SymbolSizes {
  std::map<std::string, TesseraSymbolInfo> known;
  std::map<std::string, int64_t> sizes;

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto &[name, info] : known)
      result.push_back(name);
    return result;
  }
};

SymbolSizes readSymbols(TesseraSession *session) {
  SymbolSizes symbols;
  for (int64_t i = 0, n = tessera_session_symbol_count(session); i < n; ++i) {
    TesseraSymbolInfo info{};
    info.size = sizeof info;
    check(tessera_session_symbol(session, i, &info));
    symbols.known[info.name] = info;
    symbols.sizes[info.name] = info.typical;
  }
  return symbols;
}

llvm::Error applySizes(SymbolSizes &symbols,
                       const std::vector<std::string> &texts) {
  for (StringRef text : texts) {
    auto [name, value] = text.rsplit('=');
    int64_t size;
    if (name.size() == text.size() || value.getAsInteger(10, size))
      return wrongArgument("--shape " + text + ": expects SYMBOL=SIZE");
    auto found = symbols.known.find(name.str());
    if (found == symbols.known.end())
      return wrongArgument("--shape " + text + ": the model has no size '" + name +
                   "'" + suggestion(name, symbols.names()));
    const TesseraSymbolInfo &info = found->second;
    if (size < info.min || size > info.max)
      return wrongArgument("--shape " + text + ": the model is compiled for " +
                   llvm::Twine(info.min) + " to " + llvm::Twine(info.max));
    symbols.sizes[name.str()] = size;
  }
  return llvm::Error::success();
}

/// The type that the port has, for raw bits of the same width; else the array's.
TesseraElementType typeFor(const Port &port, TesseraElementType given) {
  bool raw = given.code == kOpaqueCode ||
             (given.code == 1 && port.type.code >= 4 && port.type.code != 6);
  return raw && given.bits == port.type.bits ? port.type : given;
}

/// The arrays that the files give, by input.
class GivenArrays {
public:
  GivenArrays(const Ports &ports) : ports(ports) {}

  llvm::Error read(StringRef text) {
    auto [name, file] = splitInput(text);
    bool archive = StringRef(file).ends_with(".npz");
    if (name.empty() && !archive && ports.size() != 1)
      return wrongArgument("--input " + text + ": expects NAME=FILE.npy or FILE.npz");
    if (!name.empty() && !find(name))
      return wrongArgument("--input " + text + ": the model has no input '" + name +
                   "'" + suggestion(name, portNames()));
    if (!archive) {
      llvm::Expected<HostArray> array = readNpy(file);
      if (!array)
        return array.takeError();
      return give(name.empty() ? ports[0].name : name, std::move(*array));
    }
    llvm::Expected<NamedArrays> all = readNpz(file);
    if (!all)
      return all.takeError();
    return name.empty() ? giveAll(file, *all) : giveOne(file, name, *all);
  }

  const HostArray *arrayOf(const std::string &name) const {
    auto found = arrays.find(name);
    return found == arrays.end() ? nullptr : &found->second;
  }

private:
  const Port *find(StringRef name) const {
    for (const Port &port : ports)
      if (port.name == name)
        return &port;
    return nullptr;
  }

  std::vector<std::string> portNames() const {
    std::vector<std::string> names;
    for (const Port &port : ports)
      names.push_back(port.name);
    return names;
  }

  llvm::Error give(const std::string &name, HostArray array) {
    array.type = typeFor(*find(name), array.type);
    if (!arrays.emplace(name, std::move(array)).second)
      return wrongArgument("input '" + name + "' is given twice");
    return llvm::Error::success();
  }

  /// Arrays that are no inputs are left alone: an archive may hold more.
  llvm::Error giveAll(StringRef file, NamedArrays &all) {
    bool any = false;
    for (auto &[name, array] : all) {
      if (!find(name))
        continue;
      any = true;
      if (llvm::Error error = give(name, std::move(array)))
        return error;
    }
    if (any)
      return llvm::Error::success();
    return wrong("'" + file + "' has no array called as an input: " +
                 llvm::join(portNames(), ", "));
  }

  llvm::Error giveOne(StringRef file, const std::string &name,
                      NamedArrays &all) {
    std::vector<std::string> names;
    for (auto &[known, array] : all) {
      if (known == name)
        return give(name, std::move(array));
      names.push_back(known);
    }
    return wrong("'" + file + "' has no array '" + name + "'" +
                 suggestion(name, names));
  }

  const Ports &ports;
  std::map<std::string, HostArray> arrays;
};

/// Takes the sizes that `array` binds; the run checks that they agree.
void bindSizes(SymbolSizes &symbols, const Port &port, const HostArray &array) {
  for (size_t i = 0; i < port.shape.size() && i < array.shape.size(); ++i)
    if (!port.symbols[i].empty())
      symbols.sizes[port.symbols[i]] = array.shape[i];
}

llvm::Expected<HostArray> randomArray(const Port &port,
                                      const SymbolSizes &symbols, int64_t limit,
                                      std::mt19937_64 &random) {
  HostArray array;
  array.type = port.type;
  for (size_t i = 0; i < port.shape.size(); ++i)
    array.shape.push_back(port.symbols[i].empty()
                              ? port.shape[i]
                              : symbols.sizes.at(port.symbols[i]));
  if (llvm::Error error = fillRandom(array, limit, random))
    return wrong("input '" + port.name +
                 "': " + llvm::toString(std::move(error)));
  return array;
}

} // namespace

std::pair<std::string, std::string> splitInput(StringRef text) {
  if (llvm::sys::fs::exists(text))
    return {"", text.str()};
  for (size_t at = text.size(); (at = text.rfind('=', at)) != StringRef::npos;)
    if (llvm::sys::fs::exists(text.drop_front(at + 1)))
      return {text.take_front(at).str(), text.drop_front(at + 1).str()};
  auto [name, file] = text.rsplit('=');
  if (name.size() == text.size())
    return {"", text.str()};
  return {name.str(), file.str()};
}

llvm::Expected<NamedArrays> makeInputs(TesseraSession *session,
                                       const Ports &ports,
                                       const InputArguments &arguments,
                                       StringRef manifest) {
  SymbolSizes symbols = readSymbols(session);
  if (llvm::Error error = applySizes(symbols, arguments.sizes))
    return std::move(error);
  GivenArrays given(ports);
  for (const std::string &text : arguments.files)
    if (llvm::Error error = given.read(text))
      return std::move(error);
  for (const Port &port : ports)
    if (const HostArray *array = given.arrayOf(port.name))
      bindSizes(symbols, port, *array);

  llvm::Expected<llvm::json::Value> facts = llvm::json::parse(manifest);
  if (!facts)
    llvm::consumeError(facts.takeError()); // not by this compiler
  const llvm::json::Object *limits =
      facts && facts->getAsObject()
          ? facts->getAsObject()->getObject("index-limits")
          : nullptr;
  std::mt19937_64 random(arguments.seed);
  NamedArrays inputs;
  for (const Port &port : ports) {
    if (const HostArray *array = given.arrayOf(port.name)) {
      inputs.emplace_back(port.name, *array);
      continue;
    }
    std::optional<int64_t> limit =
        limits ? limits->getInteger(port.name) : std::nullopt;
    llvm::Expected<HostArray> array = randomArray(
        port, symbols, limit.value_or(kUnknownLimit), random);
    if (!array)
      return array.takeError();
    inputs.emplace_back(port.name, std::move(*array));
  }
  return inputs;
}

} // namespace tessera::tool
