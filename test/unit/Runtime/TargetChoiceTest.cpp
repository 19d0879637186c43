// Which of several CPUs' tables is taken, on CPUs that are made up.
#include "lib/Runtime/ModelTable.h"

#include <gtest/gtest.h>

#include <deque>

using namespace tessera::runtime;

namespace {

/// Tables as the compiler writes them, one target each.
class TargetChoice : public testing::Test {
protected:
  void add(const char *cpu, const char *features,
           const char *architecture = "x86-64") {
    targets.push_back(
        {sizeof(TesseraTarget), architecture, cpu, features, nullptr});
    TesseraModule module{};
    module.size = sizeof module;
    module.abiVersion = TESSERA_ABI_VERSION;
    module.targetCount = 1;
    module.targets = &targets.back();
    modules.push_back(module);
    tables.push_back(&modules.back());
  }

  /// The CPU of the table that is taken, or the error.
  std::string choice(const std::set<std::string_view> &available) {
    Result<const TesseraModule *> table = chooseTable(tables, available);
    return table.ok() ? (*table)->targets->cpu : table.takeStatus().message();
  }

  std::deque<TesseraTarget> targets;
  std::deque<TesseraModule> modules;
  std::vector<const TesseraModule *> tables;
};

const std::set<std::string_view> haswell = {"avx", "avx2", "fma", "f16c"};
const std::set<std::string_view> skylake = {"avx", "avx2",    "fma",
                                            "f16c", "avx512f", "avx512vl"};

TEST_F(TargetChoice, TakesTheMostCapableThatTheMachineCanRun) {
  add("v3", "avx,avx2,fma");
  add("v4", "avx,avx2,fma,avx512f,avx512vl");
  EXPECT_EQ(choice(haswell), "v3");
  EXPECT_EQ(choice(skylake), "v4");
}

TEST_F(TargetChoice, DoesNotDependOnTheOrder) {
  add("v4", "avx,avx2,fma,avx512f,avx512vl");
  add("v2", "");
  add("v3", "avx,avx2,fma");
  EXPECT_EQ(choice(haswell), "v3");
  EXPECT_EQ(choice(skylake), "v4");
  EXPECT_EQ(choice({"sse2"}), "v2");
}

TEST_F(TargetChoice, TakesTheFirstOfEqualOnes) {
  add("one", "avx,avx2");
  add("two", "avx,fma");
  EXPECT_EQ(choice(haswell), "one");
}

TEST_F(TargetChoice, SaysWhatEachLacks) {
  add("v3", "avx,avx2,fma");
  add("v4", "avx,avx2,fma,avx512f");
  EXPECT_EQ(choice({"avx", "fma"}),
            "has no code for this machine; compiled for v3, it needs CPU "
            "features that this machine lacks: avx2; compile with --cpu for "
            "this machine; compiled for v4, it needs CPU features that this "
            "machine lacks: avx2, avx512f; compile with --cpu for this machine");
}

TEST_F(TargetChoice, LeavesOtherArchitecturesOut) {
  add("generic-rv64", "v", "riscv64");
  add("v3", "avx2");
  EXPECT_EQ(choice(haswell), "v3");
}

TEST_F(TargetChoice, LeavesUnknownFeaturesOut) {
  add("future", "avx,avx2,fma,avx4096");
  add("v3", "avx2");
  EXPECT_EQ(choice(haswell), "v3");
}

TEST_F(TargetChoice, GivesUnitsWhereTheMachineHasThem) {
  add("tiles", "avx2");
  targets.back().optionalFeatures = "amx-tile,amx-bf16";
  EXPECT_EQ(choice(haswell), "tiles");
  Result<uint64_t> units = enableTargets(modules.back(), haswell);
  ASSERT_TRUE(units.ok());
  EXPECT_EQ(*units, 0u);
  // Whether the system gives them is its own affair; it is no error that it does not.
  units = enableTargets(modules.back(), {"avx2", "amx-tile", "amx-bf16"});
  ASSERT_TRUE(units.ok());
  EXPECT_EQ(*units & ~TESSERA_UNIT_MATRIX_TILES, 0u);
}

TEST_F(TargetChoice, OneTableKeepsItsOwnMessage) {
  add("v4", "avx512f");
  EXPECT_EQ(choice(haswell), "needs CPU features that this machine lacks: "
                             "avx512f; compile with --cpu for this machine");
}

TEST_F(TargetChoice, ReadsTheAlternates) {
  add("v3", "avx2");
  add("v4", "avx512f");
  const TesseraModule *alternates[] = {tables[1]};
  modules[0].alternateCount = 1;
  modules[0].alternates = alternates;
  auto found = readTables(modules[0]);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, tables);

  modules[1].abiVersion = TESSERA_ABI_VERSION + 1;
  EXPECT_EQ(readTables(modules[0]).takeStatus().code(), TESSERA_INVALID_MODEL);
  alternates[0] = nullptr;
  EXPECT_EQ(readTables(modules[0]).takeStatus().message(),
            "has no alternate table 0");
}

TEST_F(TargetChoice, ATableFromBeforeAlternatesHasNone) {
  add("v3", "avx2");
  modules[0].alternateCount = 77; // what lies behind it
  modules[0].size = offsetof(TesseraModule, alternateCount);
  auto found = readTables(modules[0]);
  ASSERT_TRUE(found.ok()) << found.takeStatus().message();
  EXPECT_EQ(found->size(), 1u);
}

} // namespace
