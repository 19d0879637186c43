// The C API of include/tessera/runtime.h over Model and Session.
#include "Model.h"
#include "OwnedTensor.h"
#include "Session.h"
#include "TensorLayout.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

using namespace tessera::runtime;

struct TesseraModel {
  std::shared_ptr<const Model> model;
  std::string description;
};

struct TesseraSession {
  std::unique_ptr<Session> session;
  /// What TesseraPortInfo points to.
  struct PortText {
    std::vector<int64_t> dims;
    std::vector<std::string> texts;
    std::vector<const char *> symbols;
  };
  std::vector<PortText> portTexts[3]; // by TesseraPortGroup
};

namespace {

thread_local std::string lastMessage;

TesseraStatus report(Status status) {
  if (!status.ok())
    lastMessage = status.message();
  return status.code();
}

TesseraStatus nullArgument(const char *name) {
  return report(failure(TESSERA_INVALID_ARGUMENT, name, " is NULL"));
}

/// The options with the fields that the caller's header did not have yet at
/// zero; fails if `size` was not set.
template <typename T> Result<T> readOptions(const T *options) {
  T result{};
  if (options) {
    if (options->size < sizeof options->size)
      return failure(TESSERA_INVALID_ARGUMENT,
                     "the options struct's size is not set");
    std::memcpy(&result, options,
                std::min<size_t>(options->size, sizeof result));
  }
  result.size = sizeof result;
  return result;
}

const std::vector<Port> &portsOf(const Entry &entry, int group) {
  return group == TESSERA_INPUTS    ? entry.inputs
         : group == TESSERA_OUTPUTS ? entry.outputs
                                    : entry.taps;
}

TesseraSession::PortText describePort(const Entry &entry, const Port &port) {
  TesseraSession::PortText text;
  for (const SizeExpression &dim : port.dims) {
    std::optional<int64_t> constant = dim.constant();
    text.dims.push_back(constant.value_or(-1));
    text.texts.push_back(constant ? "" : dim.text([&](int64_t symbol) {
      return entry.symbolName(symbol);
    }));
  }
  for (const std::string &name : text.texts)
    text.symbols.push_back(name.empty() ? nullptr : name.c_str());
  return text;
}

TesseraStatus publish(Result<std::shared_ptr<const Model>> loaded,
                      TesseraModel **model) {
  if (!loaded.ok())
    return report(loaded.takeStatus());
  *model = new TesseraModel{*loaded, (*loaded)->describe()};
  return TESSERA_OK;
}

} // namespace

extern "C" {

const char *tessera_error_message(void) { return lastMessage.c_str(); }

const char *tessera_runtime_version(void) { return TESSERA_VERSION; }

void tessera_tensor_release(TesseraManagedTensor *tensor) {
  if (tensor)
    ReleaseTensor()(tensor);
}

TesseraLegacyManagedTensor *
tessera_tensor_to_legacy(TesseraManagedTensor *tensor) {
  return makeLegacy(tensor);
}

TesseraStatus tessera_tensor_share(const TesseraManagedTensor *tensor,
                                   TesseraManagedTensor **shared) {
  if (!tensor || !shared)
    return nullArgument("tensor or shared");
  *shared = OwnedTensor::share(*tensor).release();
  return *shared ? TESSERA_OK
                 : report(failure(TESSERA_INVALID_ARGUMENT,
                                  "expects a tensor that a session gave"));
}

const char *tessera_type_name(TesseraElementType type) {
  return typeName(type);
}

TesseraStatus tessera_model_load(const char *path,
                                 const TesseraLoadOptions *options,
                                 TesseraModel **model) {
  if (!model)
    return nullArgument("model");
  *model = nullptr;
  if (!path)
    return nullArgument("path");
  Result<TesseraLoadOptions> full = readOptions(options);
  if (!full.ok())
    return report(full.takeStatus());
  return publish(Model::load(path, *full), model);
}

TesseraStatus tessera_model_wrap(const TesseraModule *table,
                                 const TesseraLoadOptions *options,
                                 TesseraModel **model) {
  if (!model)
    return nullArgument("model");
  *model = nullptr;
  if (!table)
    return nullArgument("table");
  Result<TesseraLoadOptions> full = readOptions(options);
  if (!full.ok())
    return report(full.takeStatus());
  return publish(Model::wrap(*table, *full), model);
}

void tessera_model_release(TesseraModel *model) { delete model; }

const TesseraModule *tessera_model_table(const TesseraModel *model) {
  return &model->model->table();
}

const char *tessera_model_manifest(const TesseraModel *model) {
  const char *manifest = model->model->table().manifest;
  return manifest ? manifest : "";
}

const char *tessera_model_describe(const TesseraModel *model) {
  return model->description.c_str();
}

TesseraStatus tessera_session_create(TesseraModel *model,
                                     const TesseraSessionOptions *options,
                                     TesseraSession **session) {
  if (!session)
    return nullArgument("session");
  *session = nullptr;
  if (!model)
    return nullArgument("model");
  Result<TesseraSessionOptions> full = readOptions(options);
  if (!full.ok())
    return report(full.takeStatus());
  Result<std::unique_ptr<Session>> created =
      Session::create(model->model, *full);
  if (!created.ok())
    return report(created.takeStatus());
  auto handle = std::make_unique<TesseraSession>();
  const Entry &entry = (*created)->entry();
  for (int group = TESSERA_INPUTS; group <= TESSERA_TAPS; ++group)
    for (const Port &port : portsOf(entry, group))
      handle->portTexts[group].push_back(describePort(entry, port));
  handle->session = std::move(*created);
  *session = handle.release();
  return TESSERA_OK;
}

void tessera_session_release(TesseraSession *session) { delete session; }

TesseraStatus tessera_session_open(const char *path,
                                   const TesseraSessionOptions *options,
                                   TesseraSession **session) {
  if (!session)
    return nullArgument("session");
  *session = nullptr;
  TesseraModel *model;
  TesseraStatus status = tessera_model_load(path, nullptr, &model);
  if (status != TESSERA_OK)
    return status;
  status = tessera_session_create(model, options, session);
  tessera_model_release(model);
  return status;
}

int64_t tessera_session_threads(const TesseraSession *session) {
  return session->session->threads();
}

int64_t tessera_session_port_count(const TesseraSession *session,
                                   TesseraPortGroup group) {
  if (group < TESSERA_INPUTS || group > TESSERA_TAPS)
    return 0;
  return session->portTexts[group].size();
}

TesseraStatus tessera_session_port(const TesseraSession *session,
                                   TesseraPortGroup group, int64_t index,
                                   TesseraPortInfo *info) {
  const int64_t count = tessera_session_port_count(session, group);
  if (!info || info->size < sizeof info->size)
    return nullArgument("info, or its size,");
  if (index < 0 || index >= count)
    return report(failure(TESSERA_INVALID_ARGUMENT,
                          "expects a port index below ", count, " but got ",
                          index));
  const Port &port = portsOf(session->session->entry(), group)[index];
  const TesseraSession::PortText &text = session->portTexts[group][index];
  TesseraPortInfo full{};
  full.size = info->size;
  full.rank = int32_t(text.dims.size());
  full.name = port.name;
  full.type = port.type;
  full.dims = text.dims.data();
  full.symbols = text.symbols.data();
  full.alias = port.alias;
  full.axis = port.axis;
  std::memcpy(info, &full, std::min<size_t>(info->size, sizeof full));
  return TESSERA_OK;
}

int64_t tessera_session_symbol_count(const TesseraSession *session) {
  return session->session->entry().symbols.size();
}

TesseraStatus tessera_session_symbol(const TesseraSession *session,
                                     int64_t index, TesseraSymbolInfo *info) {
  const std::vector<Symbol> &symbols = session->session->entry().symbols;
  if (!info || info->size < sizeof info->size)
    return nullArgument("info, or its size,");
  if (index < 0 || index >= int64_t(symbols.size()))
    return report(failure(TESSERA_INVALID_ARGUMENT,
                          "expects a symbol index below ", symbols.size(),
                          " but got ", index));
  const Symbol &symbol = symbols[index];
  TesseraSymbolInfo full{info->size, symbol.name, symbol.min, symbol.typical,
                         symbol.max};
  std::memcpy(info, &full, std::min<size_t>(info->size, sizeof full));
  return TESSERA_OK;
}

TesseraStatus tessera_session_run(TesseraSession *session,
                                  const TesseraInputBinding *inputs,
                                  int64_t inputCount,
                                  TesseraOutputBinding *outputs,
                                  int64_t outputCount) {
  if (!session)
    return nullArgument("session");
  if ((inputCount > 0 && !inputs) || (outputCount > 0 && !outputs))
    return nullArgument("inputs or outputs");
  return report(
      session->session->run(inputs, inputCount, outputs, outputCount));
}

TesseraStatus tessera_session_output_shape(const TesseraSession *session,
                                           const TesseraInputBinding *inputs,
                                           int64_t inputCount, int64_t index,
                                           int64_t *shape) {
  if (!session)
    return nullArgument("session");
  if ((inputCount > 0 && !inputs) || !shape)
    return nullArgument("inputs or shape");
  const int64_t count = session->session->entry().outputs.size();
  if (index < 0 || index >= count)
    return report(failure(TESSERA_INVALID_ARGUMENT,
                          "expects an output index below ", count, " but got ",
                          index));
  Result<std::vector<int64_t>> sizes =
      session->session->outputShape(inputs, inputCount, index);
  if (!sizes.ok())
    return report(sizes.takeStatus());
  std::copy(sizes->begin(), sizes->end(), shape);
  return TESSERA_OK;
}

TesseraStatus tessera_session_storage(const TesseraSession *session,
                                      const int64_t *symbols,
                                      int64_t symbolCount, int64_t *bytes,
                                      int64_t *lowerBound) {
  if (!session)
    return nullArgument("session");
  const int64_t expected = session->session->entry().symbols.size();
  if (symbolCount != expected || (symbolCount > 0 && !symbols))
    return report(failure(TESSERA_INVALID_ARGUMENT, "expects ", expected,
                          " symbol sizes but got ", symbolCount));
  std::vector<int64_t> sizes(symbols, symbols + symbolCount);
  if (Status bad = session->session->entry().computeSizes(sizes); !bad.ok())
    return report(std::move(bad));
  Result<std::shared_ptr<const ShapePlan>> plan =
      session->session->planFor(std::move(sizes));
  if (!plan.ok())
    return report(plan.takeStatus());
  if (bytes)
    *bytes = (*plan)->storage.bytes;
  if (lowerBound)
    *lowerBound = (*plan)->storage.lowerBound;
  return TESSERA_OK;
}

} // extern "C"
