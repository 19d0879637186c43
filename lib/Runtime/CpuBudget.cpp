#include "CpuBudget.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <set>
#include <sstream>
#include <vector>

namespace tessera::runtime {
namespace {

std::optional<std::string> firstLine(const std::string &path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line))
    return std::nullopt;
  return line;
}

/// The CPUs that this process may run on.
std::vector<int> allowedCpus() {
  for (int capacity = 1024; capacity <= 1 << 18; capacity *= 2) {
    cpu_set_t *set = CPU_ALLOC(capacity);
    size_t bytes = CPU_ALLOC_SIZE(capacity);
    bool known = set && sched_getaffinity(0, bytes, set) == 0;
    std::vector<int> cpus;
    for (int cpu = 0; known && cpu < capacity; ++cpu)
      if (CPU_ISSET_S(cpu, bytes, set))
        cpus.push_back(cpu);
    CPU_FREE(set);
    if (known)
      return cpus;
  }
  return {0};
}

/// The limit of one cgroup folder: "MAX PERIOD" in cpu.max (v2) or two files.
std::optional<double> quotaOf(const std::string &folder) {
  double quota = -1, period = 0;
  if (auto line = firstLine(folder + "/cpu.max")) {
    std::istringstream(*line) >> quota >> period; // "max 100000": no number
  } else if (auto text = firstLine(folder + "/cpu.cfs_quota_us")) {
    quota = std::atof(text->c_str());
    period = std::atof(
        firstLine(folder + "/cpu.cfs_period_us").value_or("0").c_str());
  }
  if (quota <= 0 || period <= 0)
    return std::nullopt;
  return quota / period;
}

} // namespace

std::optional<double> readCpuQuota(const std::string &root) {
  std::ifstream groups(root + "/proc/self/cgroup");
  std::optional<double> least;
  std::string line;
  while (std::getline(groups, line)) {
    // hierarchy:controllers:path, controllers empty for v2
    size_t first = line.find(':');
    size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos)
      continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    std::string base = root + "/sys/fs/cgroup";
    if (!controllers.empty()) {
      std::string list = "," + controllers + ",";
      if (list.find(",cpu,") == std::string::npos)
        continue;
      base += "/cpu";
    }
    // A container often sees its own group as the root of the mount, whatever
    // path it is told, so folders that do not exist are passed over.
    for (;;) {
      if (auto quota = quotaOf(base + path))
        least = std::min(least.value_or(*quota), *quota);
      if (path.empty())
        break;
      path.erase(path.find_last_of('/') == std::string::npos
                     ? 0
                     : path.find_last_of('/'));
    }
  }
  return least;
}

CpuBudget readCpuBudget(const std::string &root) {
  std::set<std::string> cores;
  for (int cpu : allowedCpus()) {
    std::string path = root + "/sys/devices/system/cpu/cpu" +
                       std::to_string(cpu) + "/topology/thread_siblings_list";
    cores.insert(firstLine(path).value_or("cpu" + std::to_string(cpu)));
  }
  CpuBudget budget{std::max<int>(1, cores.size()), false};
  if (std::optional<double> quota = readCpuQuota(root)) {
    budget.hasQuota = *quota < budget.cores;
    budget.cores = std::clamp<int>(std::ceil(*quota), 1, budget.cores);
  }
  return budget;
}

} // namespace tessera::runtime
