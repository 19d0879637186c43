// Machine records from fields, from JSON and back.
#include "lib/CostModel/Machine.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

std::string errorOf(std::vector<MachineField> fields) {
  llvm::Expected<Machine> machine = machineFrom(fields);
  return machine ? "" : llvm::toString(machine.takeError());
}

/// The record that a file with this text gives, or the error behind its name.
std::string readText(llvm::StringRef text, Machine *machine = nullptr) {
  llvm::SmallString<64> path;
  int file;
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("machine", "json", file, path));
  llvm::raw_fd_ostream(file, /*shouldClose=*/true) << text;
  llvm::Expected<Machine> read = readMachine(path);
  EXPECT_FALSE(llvm::sys::fs::remove(path));
  if (!read)
    return llvm::toString(read.takeError()).substr(path.size() + 19);
  if (machine)
    *machine = *read;
  return "";
}

TEST(MachineRecord, FieldsGiveTheRecordBack) {
  Machine zen4 = llvm::cantFail(machineFor("znver4"));
  Machine again = llvm::cantFail(machineFrom(fieldsOf(zen4)));
  EXPECT_EQ(toJson(again), toJson(zen4));
  EXPECT_EQ(again.streamBytes, zen4.streamBytes);
  EXPECT_EQ(again.storeCycles, zen4.storeCycles);
}

TEST(MachineRecord, JsonGivesTheRecordBack) {
  Machine zen4 = llvm::cantFail(machineFor("znver4")), again;
  EXPECT_EQ(readText(toJson(zen4), &again), "");
  EXPECT_EQ(toJson(again), toJson(zen4));
}

TEST(MachineRecord, FieldsGoOverThoseOfTheBase) {
  Machine machine = llvm::cantFail(machineFrom(
      {{"l2Bytes", int64_t(1) << 21}, {"base", std::string("znver4")}}));
  EXPECT_EQ(machine.l2Bytes, 1 << 21);
  EXPECT_EQ(machine.cpu, "znver4");
  EXPECT_EQ(llvm::cantFail(machineFrom({})).cpu, "x86-64-v3");
}

TEST(MachineRecord, ANumberMayBeWhole) {
  EXPECT_EQ(llvm::cantFail(machineFrom({{"gigahertz", int64_t(3)}})).gigahertz,
            3.0);
  EXPECT_EQ(llvm::cantFail(machineFrom({{"l1Ways", 12.0}})).l1Ways, 12);
}

TEST(MachineRecord, WrongFields) {
  EXPECT_EQ(errorOf({{"l2Bites", int64_t(1)}}), "unknown field 'l2Bites'");
  EXPECT_EQ(errorOf({{"cpu", 1.0}}), "field 'cpu' expects a string");
  EXPECT_EQ(errorOf({{"base", true}}), "field 'base' expects a string");
  EXPECT_EQ(errorOf({{"prefetchPanels", int64_t(1)}}),
            "field 'prefetchPanels' expects true or false");
  EXPECT_EQ(errorOf({{"gigahertz", std::string("fast")}}),
            "field 'gigahertz' expects a number");
  EXPECT_EQ(errorOf({{"gigahertz", -1.0}}),
            "field 'gigahertz' expects a number, not negative");
  EXPECT_EQ(errorOf({{"l1Ways", 1.5}}),
            "field 'l1Ways' expects a whole number");
  EXPECT_EQ(errorOf({{"lanes", int64_t(4)}}),
            "expects 8 or 16 lanes, but got 4");
  EXPECT_EQ(errorOf({{"l2Bytes", int64_t(0)}}),
            "expects positive registers, caches and clock rate");
  EXPECT_NE(errorOf({{"base", std::string("znver44")}})
                .find("unknown CPU 'znver44'; did you mean 'znver4'?"),
            std::string::npos);
}

TEST(MachineRecord, WrongFiles) {
  EXPECT_EQ(readText("[]"), "expects a JSON object");
  EXPECT_EQ(readText("{\"cpu\": [1]}"),
            "field 'cpu' expects a string, a number, true or false");
  EXPECT_EQ(readText("{\"cpus\": 1}"), "unknown field 'cpus'");
  EXPECT_NE(readText("{"), "");
  llvm::Expected<Machine> machine = readMachine("/no/such.json");
  ASSERT_FALSE(machine);
  EXPECT_NE(llvm::toString(machine.takeError())
                .find("machine record '/no/such.json': "),
            std::string::npos);
}

} // namespace
