// The table of a model: what is read of older and newer ones, and every way in which
// one can be damaged.
#include "Fixture.h"

#include <gtest/gtest.h>

using namespace tessera::runtime;

namespace {

/// A table of one entry without ports, to damage.
struct Table {
  Table() {
    entry.size = sizeof entry;
    entry.name = "main";
    entry.run = [](TesseraContext *) { return int32_t(0); };
    module.size = sizeof module;
    module.abiVersion = TESSERA_ABI_VERSION;
    module.producer = "test";
    module.entryCount = 1;
    module.entries = &entry;
    symbol.size = sizeof symbol;
    symbol.name = "n";
    symbol.max = 10;
    port.size = sizeof port;
    port.name = "x";
    port.alias = port.axis = -1;
    port.type = {2, 32};
    port.rank = 1;
    port.dims = &dim;
  }

  std::string error() { return readEntries(module).takeStatus().message(); }

  TesseraEntry entry{};
  TesseraModule module{};
  TesseraSymbol symbol{};
  TesseraSizeStep steps[3] = {{TESSERA_SIZE_SYMBOL, 0}};
  TesseraSize dim = {1, steps};
  TesseraPort port{};
};

TEST(ModelTable, AcceptsTheSmallest) {
  Table table;
  EXPECT_TRUE(readEntries(table.module).ok());
}

TEST(ModelTable, LongerStructsOfANewerModelAreRead) {
  struct LongSymbol {
    TesseraSymbol base;
    int64_t more;
  } symbols[2] = {};
  for (int i = 0; i < 2; ++i) {
    symbols[i].base.size = sizeof(LongSymbol);
    symbols[i].base.name = i ? "m" : "n";
    symbols[i].base.max = 10;
  }
  Table table;
  table.entry.symbolCount = 2;
  table.entry.symbols = &symbols[0].base;
  table.entry.inputCount = 1;
  table.entry.inputs = &table.port;
  table.steps[0].operand = 1;
  EXPECT_EQ(table.error(), "entry 'main': symbol 'n' is the size of no input");
}

TEST(ModelTable, ShorterStructsOfAnOlderModelAreRead) {
  Table table;
  table.entry.size = offsetof(TesseraEntry, check);
  table.entry.check = [](TesseraContext *) { return int32_t(1); };
  auto entries = readEntries(table.module);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->front().check, nullptr);
}

TEST(ModelTable, ReportsDamage) {
  {
    Table table;
    table.module.size = 8;
    EXPECT_EQ(table.error(), "expects a module table of at least " +
                                 std::to_string(offsetof(TesseraModule, alternateCount)) +
                                 " bytes but got 8");
  }
  {
    Table table;
    table.module.entryCount = 0;
    EXPECT_EQ(table.error(), "the model has no entry");
  }
  {
    Table table;
    table.entry.size = 9;
    EXPECT_EQ(table.error(), "expects each entry to have at least " +
                                 std::to_string(offsetof(TesseraEntry, check)) +
                                 " bytes but got 9");
  }
  {
    Table table;
    table.entry.run = nullptr;
    EXPECT_EQ(table.error(), "entry 'main': has no code");
  }
  {
    Table table;
    table.entry.inputCount = 1;
    EXPECT_EQ(table.error(), "entry 'main': has no table of inputs");
  }
  {
    Table table;
    table.entry.inputCount = 1;
    table.entry.inputs = &table.port;
    EXPECT_EQ(table.error(),
              "entry 'main': input 'x': size program names symbol 0 of 0");
    table.port.type = {77, 3};
    EXPECT_EQ(table.error(), "entry 'main': input 'x' has an unknown element "
                             "type: code 77, 3 bits");
  }
  {
    Table table;
    table.entry.symbolCount = 1;
    table.entry.symbols = &table.symbol;
    EXPECT_EQ(table.error(),
              "entry 'main': symbol 'n' is the size of no input");
    table.symbol.min = 11;
    EXPECT_EQ(table.error(), "entry 'main': symbol 0 has no name or no range");
  }
  {
    Table table;
    table.entry.symbolCount = 1;
    table.entry.symbols = &table.symbol;
    table.entry.inputCount = 1;
    table.entry.inputs = &table.port;
    table.dim.stepCount = 3;
    table.steps[1] = {TESSERA_SIZE_CONSTANT, 2};
    table.steps[2] = {TESSERA_SIZE_MUL, 0};
    EXPECT_EQ(table.error(), "entry 'main': input 'x' has in dimension 0 "
                             "neither a number nor a symbol");
  }
}

} // namespace
