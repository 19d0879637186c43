// The tasks that the cost model cuts for the tile unit.
#include "lib/CostModel/TileSchedule.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MathExtras.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

class TileScheduleTest : public testing::Test {
protected:
  TileScheduleTest() { context.loadDialect<kernel::KernelDialect>(); }

  kernel::ContractionAttr choose(int64_t rows, int64_t columns, int64_t depth) {
    return chooseContractionSchedule(&context, product(rows, columns, depth),
                                     machine);
  }
  ContractionShape product(int64_t rows, int64_t columns, int64_t depth) {
    ContractionShape shape;
    shape.rows = rows;
    shape.columns = columns;
    shape.depth = depth;
    shape.rhsElementBytes = 2;
    shape.accumulate = kernel::MultiplyAccumulate::Bf16Tiles;
    return shape;
  }

  mlir::MLIRContext context;
  Machine machine = llvm::cantFail(machineFor("sapphirerapids"));
};

TEST_F(TileScheduleTest, ColumnsAreCutFirst) {
  kernel::ContractionAttr chosen = choose(128, 3072, 768);
  EXPECT_EQ(chosen.getRows(), 32);
  EXPECT_GE(chosen.getTaskRows(), 128);
  EXPECT_LT(chosen.getTaskPanels(), 3072 / 32);
  EXPECT_EQ(chosen.getPrefetchRows(), 1);
}

TEST_F(TileScheduleTest, RowsOfATaskStayInTheCache) {
  for (int64_t depth : {768, 3072})
    EXPECT_LE(choose(4096, 768, depth).getTaskRows() * depth * 2,
              machine.l2Bytes / 2);
}

TEST_F(TileScheduleTest, TasksPayForTheConfiguration) {
  for (int64_t columns : {64, 768, 3072}) {
    ContractionShape shape = product(128, columns, 768);
    auto chosen = chooseContractionSchedule(&context, shape, machine);
    double tasks = llvm::divideCeil(llvm::divideCeil(columns, 32),
                                    chosen.getTaskPanels());
    EXPECT_GE(estimateTileCycles(shape, machine) / tasks, 13e3);
  }
}

TEST_F(TileScheduleTest, ShortBlocksTakeHalfTheTime) {
  EXPECT_LT(estimateTileCycles(product(112, 64, 768), machine),
            0.9 * estimateTileCycles(product(128, 64, 768), machine));
}

TEST_F(TileScheduleTest, TasksOfAnImageHaveAllPanels) {
  ContractionShape image = product(56, 64, 576);
  image.outer = 56;
  image.isWindowed = true;
  auto chosen = chooseContractionSchedule(&context, image, machine);
  EXPECT_EQ(chosen.getTaskPanels(), 2);
  EXPECT_LT(chosen.getTaskRows(), 56 * 56);
}

TEST_F(TileScheduleTest, OnlyWhereTheMachineHasThem) {
  machine.tileBf16Macs = 0;
  EXPECT_EQ(tileMacs(kernel::MultiplyAccumulate::Bf16Tiles, machine), 0);
  EXPECT_GT(tileMacs(kernel::MultiplyAccumulate::U8S8Tiles, machine), 0);
  machine = llvm::cantFail(machineFor("znver4"));
  EXPECT_EQ(tileMacs(kernel::MultiplyAccumulate::U8S8Tiles, machine), 0);
}

} // namespace
