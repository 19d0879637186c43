// What the runtime learns of the machine: CPU features, cores, quota.
#include "TemporaryFolder.h"
#include "lib/Runtime/CpuBudget.h"
#include "lib/Runtime/CpuFeatures.h"

#include <gtest/gtest.h>
#include <sched.h>

using namespace tessera::runtime;

namespace {

const std::set<std::string_view> haswell = {"avx", "avx2", "fma", "f16c"};

TEST(CpuFeatures, AcceptsWhatIsThere) {
  EXPECT_TRUE(checkCpuFeatures("", haswell).ok());
  EXPECT_TRUE(checkCpuFeatures("avx2,fma", haswell).ok());
}

TEST(CpuFeatures, ListsWhatIsMissing) {
  Status status = checkCpuFeatures("avx512f,avx2,avx512vnni", haswell);
  EXPECT_EQ(status.code(), TESSERA_UNSUPPORTED_MACHINE);
  EXPECT_EQ(status.message(),
            "needs CPU features that this machine lacks: avx512f, avx512vnni; "
            "compile with --cpu for this machine");
}

TEST(CpuFeatures, RefusesUnknownNames) {
  Status status = checkCpuFeatures("avx2,avx4096", haswell);
  EXPECT_EQ(status.code(), TESSERA_UNSUPPORTED_MACHINE);
  EXPECT_EQ(status.message(), "needs CPU features that this runtime does not "
                              "know: avx4096");
}

TEST(CpuFeatures, TilesAreGivenWhereTheCpuHasThem) {
  EXPECT_TRUE(enableCpuFeatures("avx2,fma").ok());
  Status tiles = enableCpuFeatures("avx2,amx-tile");
  if (cpuFeatures().count("amx-tile")) {
    EXPECT_TRUE(tiles.ok()) << tiles.message();
  } else {
    EXPECT_EQ(tiles.code(), TESSERA_UNSUPPORTED_MACHINE);
    EXPECT_EQ(tiles.message().find("needs AMX tiles, which the operating "
                                   "system does not give: "),
              0u);
  }
}

TEST(CpuFeatures, AgreesWithTheCompiler) {
  // The compiler's own detection, an independent reading of CPUID.
  const std::set<std::string_view> &found = cpuFeatures();
#define EXPECT_SAME(feature)                                                   \
  EXPECT_EQ(found.count(feature), __builtin_cpu_supports(feature) ? 1u : 0u)   \
      << feature
  __builtin_cpu_init();
  EXPECT_SAME("sse4.2");
  EXPECT_SAME("popcnt");
  EXPECT_SAME("avx");
  EXPECT_SAME("avx2");
  EXPECT_SAME("fma");
  EXPECT_SAME("bmi");
  EXPECT_SAME("bmi2");
  EXPECT_SAME("avx512f");
  EXPECT_SAME("avx512bw");
  EXPECT_SAME("avx512dq");
  EXPECT_SAME("avx512vl");
  EXPECT_SAME("avx512vnni");
  EXPECT_SAME("avx512bf16");
  EXPECT_SAME("avx512vbmi");
  EXPECT_SAME("gfni");
  EXPECT_SAME("vpclmulqdq");
#undef EXPECT_SAME
  EXPECT_TRUE(found.count("sse2"));
}

TEST(CpuBudget, CountsCoresOnceForTwoThreads) {
  TemporaryFolder root;
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  int cpus = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) {
      ++cpus;
      root.write("sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                     "/topology/thread_siblings_list",
                 "all of them\n");
    }
  EXPECT_EQ(readCpuBudget(root.path).cores, 1);
  EXPECT_FALSE(readCpuBudget(root.path).hasQuota);
  // Without topology each CPU counts.
  EXPECT_EQ(readCpuBudget(TemporaryFolder().path).cores, cpus);
}

TEST(CpuBudget, ReadsQuotaOfVersion2) {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "0::/jobs/one\n");
  EXPECT_EQ(readCpuQuota(root.path), std::nullopt);
  root.write("sys/fs/cgroup/jobs/one/cpu.max", "max 100000\n");
  EXPECT_EQ(readCpuQuota(root.path), std::nullopt);
  root.write("sys/fs/cgroup/jobs/cpu.max", "150000 100000\n");
  EXPECT_EQ(readCpuQuota(root.path), 1.5);
  root.write("sys/fs/cgroup/jobs/one/cpu.max", "50000 100000\n");
  EXPECT_EQ(readCpuQuota(root.path), 0.5);
  CpuBudget budget = readCpuBudget(root.path);
  EXPECT_EQ(budget.cores, 1);
  EXPECT_TRUE(budget.hasQuota);
}

TEST(CpuBudget, ReadsQuotaOfVersion1) {
  TemporaryFolder root;
  root.write("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a/b\n0::/\n");
  root.write("sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(readCpuQuota(root.path), std::nullopt);
  root.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n");
  root.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(readCpuQuota(root.path), 2.5);
}

} // namespace
