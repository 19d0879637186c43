// The schedules that the cost model chooses: what the measurements of the CPUs
// say they must satisfy.
#include "lib/CostModel/ContractionSchedule.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MathExtras.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

class ContractionScheduleTest : public testing::Test {
protected:
  ContractionScheduleTest() {
    context.loadDialect<kernel::KernelDialect>();
  }

  Machine machine(llvm::StringRef name) {
    return llvm::cantFail(machineFor(name));
  }
  kernel::ContractionAttr choose(const ContractionShape &shape,
                                 llvm::StringRef name) {
    return chooseContractionSchedule(&context, shape, machine(name));
  }
  ContractionShape product(int64_t rows, int64_t columns, int64_t depth) {
    ContractionShape shape;
    shape.rows = rows;
    shape.columns = columns;
    shape.depth = depth;
    shape.rowStrideBytes = 4 * depth;
    shape.panelWidth = 16;
    return shape;
  }

  mlir::MLIRContext context;
};

const llvm::StringRef allMachines[] = {"x86-64-v3", "x86-64-v4", "znver3",
                                       "znver4", "emeraldrapids"};

TEST_F(ContractionScheduleTest, FitsRegistersAndHidesLatency) {
  for (llvm::StringRef name : allMachines)
    for (int64_t columns : {64, 100, 768, 1024, 3072}) {
      Machine record = machine(name);
      kernel::ContractionAttr chosen = choose(product(128, columns, 768), name);
      int64_t sums = chosen.getRows() * chosen.getVectors();
      EXPECT_LE(sums + chosen.getVectors() + 1, record.vectorRegisters - 1);
      EXPECT_GE(sums, record.f32MacsPerCycle * record.macLatency)
          << name.str() << " " << columns;
      EXPECT_EQ(chosen.getLanes(), record.lanes);
    }
}

TEST_F(ContractionScheduleTest, RowsDoNotExceedTheWaysOfOneSet) {
  // A row stride of 4 KiB: all rows share one set of the L1 cache.
  for (llvm::StringRef name : {"znver4", "znver3"})
    EXPECT_LE(choose(product(1024, 1024, 1024), name).getRows(),
              machine(name).l1Ways);
}

TEST_F(ContractionScheduleTest, Avx2TakesTheTileOfTwelveAccumulators) {
  kernel::ContractionAttr chosen = choose(product(128, 768, 768), "znver3");
  EXPECT_EQ(chosen.getRows(), 6);
  EXPECT_EQ(chosen.getVectors(), 2);
}

TEST_F(ContractionScheduleTest, TasksServeManyThreadsWhenThereIsWork) {
  for (llvm::StringRef name : allMachines) {
    ContractionShape shape = product(1024, 1024, 1024);
    kernel::ContractionAttr chosen = choose(shape, name);
    int64_t tile = chosen.getVectors() * chosen.getLanes();
    int64_t tasks =
        llvm::divideCeil(shape.rows, chosen.getTaskRows()) *
        llvm::divideCeil(llvm::divideCeil(shape.columns, tile),
                         chosen.getTaskPanels());
    EXPECT_GE(tasks, 64) << name.str();
    EXPECT_EQ(chosen.getTaskRows() % chosen.getRows(), 0);
  }
}

TEST_F(ContractionScheduleTest, OneOfATypicalBatchHasTasksForSomeThreads) {
  for (llvm::StringRef name : allMachines) {
    ContractionShape shape = product(56, 64, 576);
    shape.outer = 128 * 56;
    shape.isWindowed = true;
    // A task covers at most an eighth of one image's 56 lines.
    EXPECT_LE(choose(shape, name).getTaskRows(), 8 * shape.rows) << name.str();
  }
}

TEST_F(ContractionScheduleTest, TilesAreNotNarrowerThanPanels) {
  for (llvm::StringRef name : allMachines)
    for (int64_t rows : {7, 14, 49}) {
      ContractionShape shape = product(rows, 512, 4608);
      shape.panelWidth = 16;
      kernel::ContractionAttr chosen = choose(shape, name);
      EXPECT_GE(chosen.getVectors() * chosen.getLanes(), 16) << name.str();
    }
}

TEST_F(ContractionScheduleTest, DepthwiseTilesLeaveRegistersForTheirWindows) {
  for (llvm::StringRef name : allMachines) {
    ContractionShape shape = product(56, 144, 9);
    shape.isDepthwise = true;
    kernel::ContractionAttr chosen = choose(shape, name);
    EXPECT_LE(2 * chosen.getRows() * chosen.getVectors(),
              machine(name).vectorRegisters)
        << name.str();
  }
}

TEST_F(ContractionScheduleTest, LittleWorkIsOneTask) {
  ContractionShape shape = product(8, 32, 32);
  kernel::ContractionAttr chosen = choose(shape, "znver3");
  EXPECT_GE(chosen.getTaskRows(), shape.rows);
  EXPECT_GE(chosen.getTaskPanels() * chosen.getVectors() * chosen.getLanes(),
            shape.columns);
}

TEST_F(ContractionScheduleTest, RowsThatVaryGetATileForManyRows) {
  ContractionShape shape = product(1, 768, 768);
  shape.rowsVary = true;
  EXPECT_EQ(choose(shape, "znver3").getRows(), 6);
}

TEST_F(ContractionScheduleTest, AWindowedTaskTakesWholeRows) {
  ContractionShape shape = product(56, 64, 576);
  shape.outer = 56;
  shape.isWindowed = true;
  EXPECT_GE(choose(shape, "znver3").getTaskRows(), shape.rows);
}

TEST_F(ContractionScheduleTest, ShortTilesAreTakenTogetherWithinTheRegisters) {
  // One row of one vector: eight sums in flight.
  EXPECT_EQ(tilesAtOnce(1, 1, 16, 100), 8);
  EXPECT_EQ(tilesAtOnce(1, 1, 16, 3), 3);
  EXPECT_EQ(tilesAtOnce(1, 1, 16, 0), 1);
  EXPECT_EQ(tilesAtOnce(4, 2, 8, 100), 1);
  for (int64_t lanes : {8, 16})
    for (int64_t rows = 1; rows <= 14; ++rows)
      for (int64_t vectors = 1; vectors <= 6; ++vectors) {
        int64_t tiles = tilesAtOnce(rows, vectors, lanes, 100);
        EXPECT_TRUE(tiles == 1 || rows * vectors * tiles <=
                                      (lanes == 16 ? 30 : 14));
      }
}

TEST_F(ContractionScheduleTest, CopiedGroupsFitTheScratchOfATask) {
  ContractionShape shape = product(1024, 1024, 2048);
  shape.panelWidth = 0;
  shape.rhsElementBytes = 1;
  shape.accumulate = kernel::MultiplyAccumulate::U8S8Quads;
  kernel::ContractionAttr chosen = choose(shape, "znver4");
  EXPECT_LE(chosen.getVectors() * chosen.getLanes() * shape.depth, 64 << 10);
  EXPECT_EQ(chosen.getAccumulate(), kernel::MultiplyAccumulate::U8S8Quads);
  // Longer ones take one vector at a time.
  shape.depth = 8192;
  EXPECT_EQ(choose(shape, "znver4").getVectors(), 1);
}

TEST_F(ContractionScheduleTest, EstimatesAreNotBelowThePeak) {
  Machine record = machine("znver3");
  ContractionShape shape = product(512, 768, 768);
  double least = 512.0 * 768 * 768 / record.lanes / record.f32MacsPerCycle;
  double estimate = estimateContractionCycles(shape, 6, 2, record);
  EXPECT_GE(estimate, least);
  EXPECT_LE(estimate, 1.1 * least);
}

} // namespace
