// What LLVM is told of a machine.
#include "lib/Target/CPU/Code/CpuTarget.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

std::string errorFor(const Machine &machine) {
  llvm::Expected<cpu::CpuTarget> target = cpu::targetFor(machine);
  return target ? "" : llvm::toString(target.takeError());
}

TEST(CpuTarget, UnknownCpu) {
  Machine machine = llvm::cantFail(machineFor("x86-64-v3"));
  machine.cpu = "z80";
  EXPECT_NE(errorFor(machine).find("unknown CPU 'z80'"), std::string::npos);
}

TEST(CpuTarget, UnknownTuning) {
  Machine machine = llvm::cantFail(machineFor("x86-64-v3"));
  machine.tuneCpu = "z80";
  EXPECT_NE(errorFor(machine).find("unknown CPU 'z80'"), std::string::npos);
}

TEST(CpuTarget, OldCpu) {
  Machine machine = llvm::cantFail(machineFor("x86-64-v3"));
  machine.cpu = "x86-64";
  EXPECT_EQ(errorFor(machine), "CPU 'x86-64' is older than x86-64-v2");
}

TEST(CpuTarget, TilesAreOptional) {
  auto target = cpu::targetFor(llvm::cantFail(machineFor("sapphirerapids")));
  ASSERT_TRUE(bool(target));
  EXPECT_EQ(optionalFeatures(*target), "amx-tile,amx-bf16,amx-int8");
  EXPECT_EQ(requiredFeatures(*target).find("amx"), std::string::npos);
  target = cpu::targetFor(llvm::cantFail(machineFor("znver4")));
  ASSERT_TRUE(bool(target));
  EXPECT_EQ(optionalFeatures(*target), "");
}

TEST(CpuTarget, Zen4IsTunedByAnotherCpu) {
  llvm::Expected<cpu::CpuTarget> target =
      cpu::targetFor(llvm::cantFail(machineFor("znver4")));
  ASSERT_TRUE(bool(target));
  EXPECT_EQ(target->tune, "emeraldrapids");
  EXPECT_TRUE(target->has("avx512bf16"));
}

} // namespace
