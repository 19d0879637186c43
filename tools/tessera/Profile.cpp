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
  if (call < 0)
    profile->runs.emplace_back();
  else
    profile->runs.back().push_back(
        std::chrono::duration<double>(now - profile->last).count());
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

llvm::Error CallProfile::write(llvm::StringRef path, const Session &session,
                               const NamedArrays &inputs) const {
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
  for (size_t call = 0; !runs.empty() && call < runs.front().size(); ++call) {
    std::vector<double> seconds;
    for (const std::vector<double> &run : runs)
      seconds.push_back(run[call]);
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
