// The route of matrix products.
#include "dialects/Interfaces/Contraction.h"
#include "lib/CostModel/TypicalSizes.h"
#include "lib/Target/PTX/Routes.h"
#include "lib/Target/PTX/WarpgroupContraction.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace tessera;
using kernel::WarpgroupContractionAttr;

namespace {

struct Tile {
  int64_t rows, columns, depth, stages, consumers;
  bool pingPong = false;
};

/// The first was the fastest most often; each of the others somewhere
/// (docs/architecture.md, "Second target").
constexpr Tile kTiles[] = {
    {128, 256, 64, 4, 2}, {128, 192, 64, 4, 2},       {128, 128, 64, 5, 2},
    {128, 128, 128, 3, 2}, {192, 128, 64, 4, 3},      {256, 128, 64, 3, 2},
    {64, 128, 64, 6, 1},  {128, 128, 64, 6, 2, true}, {64, 256, 64, 4, 2, true},
    {64, 128, 64, 6, 2, true}};
constexpr int64_t kRasterRows = 8;

bool hasContraction(kernel::FuncOp kernel) {
  return llvm::any_of(kernel.getBody().front(), [](Operation &op) {
    return isa<linalg::LinalgOp>(op) && isContraction(&op);
  });
}

/// Typical sizes of a product.
struct Sizes {
  double rows, columns, depth;
};

Sizes sizesOf(const ptx::ContractionKernel &match) {
  kernel::FuncOp kernel = match.kernel;
  TypicalSizes sizes(kernel);
  return {double(sizes.of(match.product, 0)), double(sizes.of(match.product, 1)),
          double(sizes.of(kernel.getBody().getArgument(match.a), 1))};
}

class WarpgroupRoute : public ptx::PtxRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<WarpgroupContractionAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &,
             std::string &) const override {
    SmallVector<kernel::ScheduleAttrInterface> schedules;
    if (!hasContraction(kernel))
      return schedules;
    for (const Tile &tile : kTiles)
      schedules.push_back(WarpgroupContractionAttr::get(
          kernel.getContext(), tile.rows, tile.columns, tile.depth, tile.stages,
          tile.consumers, kRasterRows, tile.pingPong));
    return schedules;
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface schedule,
              std::string &reason) const override {
    std::optional<std::string> refusal = firstDiagnostic(
        kernel.getContext(), [&] {
          return ptx::checkWarpgroupContraction(
              kernel, cast<WarpgroupContractionAttr>(schedule));
        });
    reason = refusal.value_or("");
    return !refusal;
  }

  /// Of the whole device: rounds of tiles, or of what they read and write.
  double estimateSeconds(kernel::FuncOp kernel,
                         kernel::ScheduleAttrInterface schedule,
                         const Machine &) const override {
    double memory = ptx::argumentBytes(kernel) / ptx::kBytesPerSecond;
    std::optional<ptx::ContractionKernel> match = matchOf(kernel);
    if (!match)
      return memory;
    auto tile = cast<WarpgroupContractionAttr>(schedule);
    Sizes sizes = sizesOf(*match);
    double tiles = std::ceil(sizes.rows / tile.getRows()) *
                   std::ceil(sizes.columns / tile.getColumns());
    double rounds = std::ceil(tiles / ptx::kProcessors);
    double flopsOfTile = 2.0 * tile.getRows() * tile.getColumns() * sizes.depth;
    return std::max(memory, rounds * flopsOfTile * ptx::kProcessors /
                                ptx::kFlopsPerSecond);
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface) const override {
    SmallVector<Feature> features{{"bytes", ptx::argumentBytes(kernel)}};
    if (std::optional<ptx::ContractionKernel> match = matchOf(kernel)) {
      Sizes sizes = sizesOf(*match);
      features.append({{"flops", 2 * sizes.rows * sizes.columns * sizes.depth},
                       {"rows", sizes.rows},
                       {"columns", sizes.columns},
                       {"depth", sizes.depth}});
    }
    return features;
  }

  LogicalResult emit(OpBuilder &builder, kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule) const override {
    return ptx::emitWarpgroupContraction(
        builder, kernel, cast<WarpgroupContractionAttr>(schedule));
  }

private:
  /// The product of a kernel that the builder takes.
  static std::optional<ptx::ContractionKernel> matchOf(kernel::FuncOp kernel) {
    FailureOr<ptx::ContractionKernel> match = failure();
    (void)firstDiagnostic(kernel.getContext(), [&]() -> LogicalResult {
      match = ptx::readContractionKernel(kernel);
      return match;
    });
    return succeeded(match) ? std::optional(*match) : std::nullopt;
  }
};

} // namespace

std::unique_ptr<ptx::PtxRoute> ptx::createWarpgroupRoute() {
  return std::make_unique<WarpgroupRoute>();
}
