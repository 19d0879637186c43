#include "tools/tessera/Profile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <numeric>

using namespace tessera;
using namespace tessera::tool;

void CallProfile::observe(TesseraSessionOptions &options) {
  options.afterCall = afterCall;
  options.observer = this;
}

void CallProfile::afterCall(void *self, int64_t call) {
  auto *profile = static_cast<CallProfile *>(self);
  const Clock::time_point now = Clock::now();
  if (call < 0) {
    profile->runs.emplace_back();
  } else {
    std::vector<double> &seconds = profile->runs.back();
    if (seconds.size() <= static_cast<size_t>(call))
      seconds.resize(call + 1);
    seconds[call] += std::chrono::duration<double>(now - profile->last).count();
  }
  // Not `now`: the bookkeeping above is no call's.
  profile->last = Clock::now();
}

static double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// How many calls the manifest describes; 0 if it does not.
static size_t callsIn(llvm::StringRef manifest) {
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(manifest);
  if (!parsed) {
    llvm::consumeError(parsed.takeError());
    return 0;
  }
  const llvm::json::Object *object = parsed->getAsObject();
  const llvm::json::Object *entries =
      object ? object->getObject("calls") : nullptr;
  // The model's first entry is the one that runs, and today the only one.
  const llvm::json::Array *calls = entries && entries->size() == 1
                                       ? entries->begin()->second.getAsArray()
                                       : nullptr;
  return calls ? calls->size() : 0;
}

llvm::Error CallProfile::write(llvm::StringRef path, const Session &session,
                               const NamedArrays &inputs,
                               llvm::StringRef manifest) const {
  llvm::json::Object symbols;
  const std::vector<Port> ports = session.inputs();
  for (size_t i = 0; i < ports.size(); ++i)
    for (size_t axis = 0; axis < ports[i].shape.size(); ++axis)
      if (ports[i].shape[axis] < 0)
        symbols[ports[i].symbols[axis]] = inputs[i].second.shape[axis];

  std::vector<double> totals;
  for (const std::vector<double> &run : runs)
    totals.push_back(std::accumulate(run.begin(), run.end(), 0.0));
  llvm::json::Array calls;
  size_t count = callsIn(manifest);
  for (const std::vector<double> &run : runs)
    count = std::max(count, run.size());
  for (size_t call = 0; call < count; ++call) {
    std::vector<double> seconds;
    for (const std::vector<double> &run : runs)
      seconds.push_back(call < run.size() ? run[call] : 0);
    calls.push_back(median(std::move(seconds)));
  }
  llvm::json::Value root = llvm::json::Object{
      {"threads", session.threads()},
      {"runs", int64_t(runs.size())},
      {"symbols", std::move(symbols)},
      {"seconds", median(std::move(totals))},
      {"calls", std::move(calls)}};
  std::error_code error;
  llvm::raw_fd_ostream stream(path, error);
  if (!error) {
    stream << llvm::formatv("{0:2}\n", root);
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return llvm::createStringError("cannot write '" + path +
                                   "': " + error.message());
  return llvm::Error::success();
}
