#include "Bindings.h"
#include "TensorLayout.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace tessera::runtime {
namespace {

/// DLDeviceType values whose memory the CPU can read: CPU, and pinned memory of
/// CUDA and ROCm.
bool isHostDevice(int32_t device) {
  return device == 1 || device == 3 || device == 11;
}

/// Levenshtein distance.
size_t editDistance(const std::string &a, const std::string &b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t(0));
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::vector<std::string> namesOf(const std::vector<Port> &ports) {
  std::vector<std::string> names;
  for (const Port &port : ports)
    names.push_back(port.name);
  return names;
}

Status unknownName(const char *kind, const char *name,
                   const std::vector<std::string> &names) {
  std::string message =
      std::string("the model has no ") + kind + " '" + name + "'";
  if (const std::string *nearest = nearestName(name, names))
    return failure(TESSERA_INVALID_INPUT, message, "; did you mean '", *nearest,
                   "'?");
  std::string all;
  for (const std::string &known : names)
    all += (all.empty() ? "'" : ", '") + known + "'";
  return failure(TESSERA_INVALID_INPUT, message, "; it has ",
                 all.empty() ? "none" : all);
}

int64_t findPort(const std::vector<Port> &ports, const char *name) {
  for (size_t i = 0; i < ports.size(); ++i)
    if (std::strcmp(ports[i].name, name) == 0)
      return i;
  return -1;
}

/// The checks that inputs and outputs share. `where`: "input 'x'".
Status checkTensor(const Entry &entry, const Port &port,
                   const TesseraTensor &tensor, const std::string &where) {
  if (!isHostDevice(tensor.deviceType))
    return failure(TESSERA_INVALID_INPUT, where,
                   " expects a tensor in host memory but got device type ",
                   tensor.deviceType);
  if (tensor.type != port.type || tensor.lanes != 1)
    return failure(TESSERA_INVALID_INPUT, where, " expects ",
                   typeName(port.type), " but got ", typeName(tensor.type),
                   tensor.lanes == 1 ? "" : " with several lanes");
  const int64_t rank = port.dims.size();
  if (tensor.rank < 0 || (tensor.rank > 0 && !tensor.shape))
    return failure(TESSERA_INVALID_ARGUMENT, where,
                   " has a tensor without shape");
  if (tensor.rank != rank)
    return failure(TESSERA_INVALID_INPUT, where, " expects rank ", rank, ", ",
                   entry.typeText(port), ", but got rank ", tensor.rank,
                   ", shape ", shapeText(tensor.shape, tensor.rank));
  return Status();
}

/// Fails if elements exist but no memory.
Status checkMemory(const TesseraTensor &tensor, const std::string &where) {
  if (tensor.data || std::find(tensor.shape, tensor.shape + tensor.rank, 0) !=
                         tensor.shape + tensor.rank)
    return Status();
  return failure(TESSERA_INVALID_ARGUMENT, where,
                 " has a tensor without memory");
}

/// Binds symbols one dimension at a time and remembers where each was bound.
class SymbolBinder {
public:
  explicit SymbolBinder(const Entry &entry)
      : entry(entry), sizes(entry.symbols.size(), -1),
        boundBy(entry.symbols.size(), nullptr) {}

  Status bind(const Port &input, int64_t axis, int64_t size) {
    const SizeExpression &dim = input.dims[axis];
    if (std::optional<int64_t> constant = dim.constant()) {
      if (size == *constant)
        return Status();
      return failure(TESSERA_INVALID_INPUT, "input '", input.name,
                     "' expects size ", *constant, " in dimension ", axis,
                     " but got ", size);
    }
    const int64_t index = *dim.symbol();
    const Symbol &symbol = entry.symbols[index];
    if (size < symbol.min || size > symbol.max)
      return outOfRange(input, axis, size, symbol);
    if (!boundBy[index]) {
      boundBy[index] = &input;
      sizes[index] = size;
      return Status();
    }
    if (sizes[index] == size)
      return Status();
    return failure(TESSERA_INVALID_INPUT, "input '", input.name, "' has size ",
                   size, " in dimension ", axis, " (", symbol.name,
                   ") but input '", boundBy[index]->name, "' gave ",
                   sizes[index]);
  }

  std::vector<int64_t> takeSizes() { return std::move(sizes); }

private:
  Status outOfRange(const Port &input, int64_t axis, int64_t size,
                    const Symbol &symbol) const {
    std::string range =
        symbol.max == INT64_MAX
            ? "at least " + std::to_string(symbol.min)
            : std::to_string(symbol.min) + " to " + std::to_string(symbol.max);
    return failure(TESSERA_INVALID_INPUT, "input '", input.name, "' has size ",
                   size, " in dimension ", axis, " (", symbol.name,
                   ") but the model is compiled for ", range);
  }

  const Entry &entry;
  std::vector<int64_t> sizes;
  std::vector<const Port *> boundBy;
};

/// Element number `index` of a tensor of integers of at most one dimension; 0
/// if it has none.
int64_t integerElement(const TesseraTensor &tensor, int64_t index) {
  if (index < 0 || index >= (tensor.rank ? tensor.shape[0] : 1))
    return 0;
  const int64_t stride = tensor.rank && tensor.strides ? tensor.strides[0] : 1;
  const int64_t bytes = elementBytes(tensor.type);
  // Little-endian: the element's bytes are the low ones.
  uint64_t element = 0;
  std::memcpy(&element, firstElement(tensor) + index * stride * bytes, bytes);
  if (tensor.type.code == 1)
    return element;
  const int64_t unused = 64 - 8 * bytes;
  return int64_t(element << unused) >> unused;
}

} // namespace

const std::string *nearestName(const std::string &name,
                               const std::vector<std::string> &names) {
  const std::string *nearest = nullptr;
  size_t least = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string &known : names) {
    size_t distance = editDistance(name, known);
    if (distance < least) {
      least = distance;
      nearest = &known;
    }
  }
  return nearest;
}

Result<std::vector<const TesseraTensor *>>
matchInputs(const Entry &entry, const TesseraInputBinding *inputs,
            int64_t count) {
  std::vector<const TesseraTensor *> tensors(entry.inputs.size(), nullptr);
  for (int64_t i = 0; i < count; ++i) {
    int64_t port = inputs[i].name ? findPort(entry.inputs, inputs[i].name) : i;
    if (port < 0)
      return unknownName("input", inputs[i].name, namesOf(entry.inputs));
    if (port >= int64_t(tensors.size()))
      return failure(TESSERA_INVALID_INPUT, "the model expects ",
                     tensors.size(), " inputs but got ", count);
    if (!inputs[i].tensor)
      return failure(TESSERA_INVALID_ARGUMENT, "input '",
                     entry.inputs[port].name, "' has no tensor");
    if (tensors[port])
      return failure(TESSERA_INVALID_INPUT, "input '", entry.inputs[port].name,
                     "' is given twice");
    tensors[port] = inputs[i].tensor;
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!tensors[i])
      return failure(TESSERA_INVALID_INPUT, "input '", entry.inputs[i].name,
                     "' (", entry.typeText(entry.inputs[i]), ") is missing");
  return tensors;
}

Result<std::vector<TesseraOutputBinding *>>
matchOutputs(const Entry &entry, TesseraOutputBinding *outputs, int64_t count) {
  const size_t outputCount = entry.outputs.size();
  std::vector<TesseraOutputBinding *> wanted(outputCount + entry.taps.size(),
                                             nullptr);
  for (int64_t i = 0; i < count; ++i) {
    const char *name = outputs[i].name;
    int64_t port = name ? findPort(entry.outputs, name) : i;
    if (!name && i >= int64_t(outputCount))
      return failure(TESSERA_INVALID_INPUT, "the model has ", outputCount,
                     " outputs but ", count, " are asked for");
    if (port < 0) {
      int64_t tap = findPort(entry.taps, name);
      if (tap < 0)
        return unknownName("output", name, namesOf(entry.outputs));
      port = outputCount + tap;
    }
    if (wanted[port])
      return failure(TESSERA_INVALID_INPUT, "output '",
                     name ? name : entry.outputs[port].name,
                     "' is asked for twice");
    wanted[port] = &outputs[i];
  }
  return wanted;
}

Result<std::vector<int64_t>>
bindSymbols(const Entry &entry,
            const std::vector<const TesseraTensor *> &inputs) {
  SymbolBinder binder(entry);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port &port = entry.inputs[i];
    const TesseraTensor &tensor = *inputs[i];
    const std::string where = std::string("input '") + port.name + "'";
    if (Status bad = checkTensor(entry, port, tensor, where); !bad.ok())
      return bad;
    for (int32_t axis = 0; axis < tensor.rank; ++axis)
      if (Status bad = binder.bind(port, axis, tensor.shape[axis]); !bad.ok())
        return bad;
    if (Status bad = checkMemory(tensor, where); !bad.ok())
      return bad;
  }
  std::vector<int64_t> sizes = binder.takeSizes();
  auto element = [&](int32_t input, int64_t index) {
    return integerElement(*inputs[input], index);
  };
  if (Status bad = entry.computeSizes(sizes, element); !bad.ok())
    return bad;
  return sizes;
}

Status checkOutput(const Entry &entry, const Port &port,
                   const TesseraTensor &tensor,
                   const std::vector<int64_t> &shape) {
  const std::string where = std::string("output '") + port.name + "'";
  if (Status bad = checkTensor(entry, port, tensor, where); !bad.ok())
    return bad;
  if (!std::equal(shape.begin(), shape.end(), tensor.shape))
    return failure(TESSERA_INVALID_INPUT, where, " has shape ",
                   shapeText(shape.data(), shape.size()),
                   " but the given tensor has ",
                   shapeText(tensor.shape, tensor.rank));
  if (port.alias >= 0 && tensor.strides &&
      roomAlong(tensor, port.axis) < shape[port.axis])
    return failure(TESSERA_INVALID_INPUT, where, " needs room for ",
                   shape[port.axis], " along dimension ", port.axis,
                   " but the strides of the given tensor leave ",
                   roomAlong(tensor, port.axis));
  if (port.alias >= 0 && isAligned(tensor) && growableStrides(tensor, port.axis))
    return checkMemory(tensor, where);
  if (!isDense(tensor) || !isAligned(tensor))
    return failure(TESSERA_INVALID_INPUT, where,
                   " expects a tensor that is dense row-major and aligned to "
                   "its elements");
  return checkMemory(tensor, where);
}

} // namespace tessera::runtime
