// How operations move elements, those of tensor and linalg too.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tessera;

namespace {

constexpr char kSource[] = R"(
func.func @f(%x: tensor<4x6xf32>, %i: tensor<3xi64>, %t: tensor<6x4xf32>,
             %p: tensor<4x1x8xf32>, %u: tensor<4x8xf32>) {
  %0 = tensor.collapse_shape %x [[0, 1]] : tensor<4x6xf32> into tensor<24xf32>
  %1 = tensor.cast %x : tensor<4x6xf32> to tensor<?x6xf32>
  %2 = graph.reshape %x : tensor<4x6xf32> -> tensor<3x8xf32>
  %3 = tensor.extract_slice %x[0, 1] [4, 2] [1, 2] : tensor<4x6xf32> to tensor<4x2xf32>
  %4 = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%t : tensor<6x4xf32>) permutation = [1, 0]
  %5 = graph.broadcast_to %x : tensor<4x6xf32> -> tensor<2x4x6xf32>
  %6 = graph.reverse %x [0] : tensor<4x6xf32>
  %7 = linalg.unpack %p inner_dims_pos = [1] inner_tiles = [8] into %u : tensor<4x1x8xf32> -> tensor<4x8xf32>
  %8 = graph.gather %x[%i] axis 0 : tensor<4x6xf32>, tensor<3xi64> -> tensor<3x6xf32>
  %9 = arith.negf %x : tensor<4x6xf32>
  return
}
)";

TEST(MovementTest, SaysWhatCostsNothing) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
                  tensor::TensorDialect, graph::GraphDialect>();
  registerMovements(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(kSource, &context);
  ASSERT_TRUE(module);
  std::vector<std::optional<Movement>> movements;
  for (Operation &op :
       module->lookupSymbol<func::FuncOp>("f").getBody().front())
    if (op.getNumResults() == 1) {
      movements.push_back(movementOf(&op));
      EXPECT_EQ(isView(&op), movements.back() == Movement::View);
      EXPECT_EQ(viewSource(&op),
                isView(&op) ? op.getOperand(0) : Value());
      EXPECT_EQ(isPartOfSource(&op),
                isView(&op) || movements.back() == Movement::Slice);
      EXPECT_EQ(isIndexMap(&op),
                movements.back() && movements.back() != Movement::Gather);
    }
  std::vector<std::optional<Movement>> expected = {
      Movement::View,     Movement::View,     Movement::View,
      Movement::Slice,    Movement::IndexMap, Movement::IndexMap,
      Movement::IndexMap, Movement::IndexMap, Movement::Gather,
      std::nullopt};
  EXPECT_EQ(movements, expected);
  EXPECT_FALSE(isIndexMap(nullptr));
}

} // namespace
