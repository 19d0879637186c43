// How many cores this process may use.
#ifndef TESSERA_RUNTIME_CPUBUDGET_H
#define TESSERA_RUNTIME_CPUBUDGET_H

#include <optional>
#include <string>

namespace tessera::runtime {

struct CpuBudget {
  /// Physical cores of the affinity mask (two threads of one core share its
  /// vector units), at most the quota rounded up; at least 1.
  int cores;
  /// A cgroup limits CPU time: time spent spinning is taken from the work.
  bool hasQuota;
};

/// Reads the affinity mask, the topology and the cgroup quota of this process.
/// `root` is put before "/proc" and "/sys", for tests.
CpuBudget readCpuBudget(const std::string &root = "");

/// CPU time per wall time that the process's cgroup (v2 or v1) allows, the
/// least over its ancestors; nothing if there is no limit.
std::optional<double> readCpuQuota(const std::string &root = "");

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_CPUBUDGET_H
