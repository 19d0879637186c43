// How long each kernel call of a model takes.
#ifndef TESSERA_TOOLS_TESSERA_PROFILE_H
#define TESSERA_TOOLS_TESSERA_PROFILE_H

#include "tools/tessera/NumpyFiles.h"

#include "tessera/tessera.hpp"

#include <chrono>
#include <vector>

namespace tessera::tool {

/// Takes the time of every kernel call of a session that runs on one thread at a
/// time. What stands between two calls, some nanoseconds, belongs to the later.
class CallProfile {
public:
  CallProfile() = default;
  CallProfile(const CallProfile &) = delete;

  /// Makes sessions with these options report to this object, which must outlive
  /// them.
  void observe(TesseraSessionOptions &options);

  /// Whether the model tells of its calls: those of older compilers do not.
  bool hasCalls() const { return !runs.empty() && !runs.back().empty(); }

  /// Forgets the runs so far.
  void clear() { runs.clear(); }

  /// Writes JSON: "threads", "runs", "symbols" (name -> size, as `inputs` bound
  /// them), "seconds" (median of whole runs) and "calls" (median seconds of each by
  /// its number, as `manifest` counts them: all trips of a loop together, 0 of what
  /// no run called).
  llvm::Error write(llvm::StringRef path, const Session &session,
                    const NamedArrays &inputs, llvm::StringRef manifest) const;

private:
  using Clock = std::chrono::steady_clock;
  static void afterCall(void *self, int64_t call);

  Clock::time_point last;
  /// [runs][calls up to the last one that was told of], seconds
  std::vector<std::vector<double>> runs;
};

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_PROFILE_H
