// The attention schedules that the cost model chooses: what the machine and the
// kernel ABI demand of them.
#include "lib/CostModel/AttentionSchedule.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

class AttentionScheduleTest : public testing::Test {
protected:
  AttentionScheduleTest() { context.loadDialect<kernel::KernelDialect>(); }

  Machine machine(llvm::StringRef name) {
    return llvm::cantFail(machineFor(name));
  }
  AttentionShape shape(int64_t rows, int64_t keys, int64_t headDim) {
    AttentionShape shape;
    shape.heads = 12;
    shape.rows = rows;
    shape.keys = keys;
    shape.headDim = shape.valueDim = headDim;
    return shape;
  }

  mlir::MLIRContext context;
};

const llvm::StringRef allMachines[] = {"x86-64-v3", "x86-64-v4", "znver3",
                                       "znver4", "emeraldrapids"};

TEST_F(AttentionScheduleTest, FitsRegistersAndScratch) {
  for (llvm::StringRef name : allMachines)
    for (int64_t length : {1, 7, 128, 2048})
      for (int64_t headDim : {20, 64, 80, 128, 256}) {
        Machine record = machine(name);
        auto chosen = chooseAttentionSchedule(
            &context, shape(length, length, headDim), record);
        ASSERT_TRUE(chosen) << name.str() << " " << length << " " << headDim;
        int64_t sums = chosen->getRows() * chosen->getVectors();
        EXPECT_LE(sums + chosen->getVectors() + 1, record.vectorRegisters - 1);
        EXPECT_EQ(chosen->getLanes(), record.lanes);
        for (bool isShort : {false, true})
          EXPECT_LE(attentionScratchBytes(headDim, headDim, *chosen, isShort),
                    64 << 10);
      }
}

TEST_F(AttentionScheduleTest, LongSequencesHideLatencyAndSpreadCopies) {
  for (llvm::StringRef name : allMachines) {
    Machine record = machine(name);
    auto chosen =
        chooseAttentionSchedule(&context, shape(2048, 2048, 64), record);
    ASSERT_TRUE(chosen);
    EXPECT_GE(chosen->getRows() * chosen->getVectors(),
              record.f32MacsPerCycle * record.macLatency);
    EXPECT_GE(chosen->getQueryBlock(), 24);
    EXPECT_GE(chosen->getKeyBlock(), 32);
  }
}

TEST_F(AttentionScheduleTest, LongerKeysCostMore) {
  Machine record = machine("x86-64-v3");
  auto chosen = chooseAttentionSchedule(&context, shape(128, 128, 64), record);
  ASSERT_TRUE(chosen);
  EXPECT_LT(estimateAttentionCycles(shape(128, 128, 64), *chosen, record),
            estimateAttentionCycles(shape(128, 256, 64), *chosen, record));
}

TEST_F(AttentionScheduleTest, HeadsBeyondTheScratchHaveNoSchedule) {
  EXPECT_FALSE(chooseAttentionSchedule(&context, shape(128, 128, 1 << 14),
                                       machine("x86-64-v3")));
}

} // namespace
