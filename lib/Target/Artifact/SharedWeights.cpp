// One weight section for a model that is compiled for several CPUs.
#include "lib/Target/Artifact/SharedWeights.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace tessera::artifact {
namespace {

/// Of the places in a section; see abi.h.
constexpr uint64_t weightAlignment = 64;

class Section {
public:
  LogicalResult place(ModuleOp module);
  void setBytes(ModuleOp module) const;

private:
  uint64_t offsetOf(graph::WeightsOp weights, uint64_t size);

  DenseMap<graph::PartAttr, uint64_t> offsets;
  uint64_t bytes = 0;
};

uint64_t sizeOf(graph::WeightsOp weights) {
  auto type = cast<RankedTensorType>(weights.getType());
  const uint64_t bits = type.getElementTypeBitWidth();
  return type.getNumElements() * llvm::divideCeil(bits, 8);
}

uint64_t Section::offsetOf(graph::WeightsOp weights, uint64_t size) {
  auto [known, isNew] = offsets.try_emplace(weights.getPart(), bytes);
  if (isNew)
    bytes += llvm::alignTo(size, weightAlignment);
  return known->second;
}

LogicalResult Section::place(ModuleOp module) {
  SymbolTable symbols(module);
  Builder builder(module.getContext());
  // From the old places to the new ones. Weights without elements may lie where
  // others begin; nobody reads them.
  DenseMap<uint64_t, uint64_t> moved;
  for (auto entry : module.getOps<kernel::EntryOp>()) {
    SmallVector<Attribute> places;
    for (auto place :
         entry.getWeights().getAsRange<kernel::WeightPlaceAttr>()) {
      auto weights =
          symbols.lookup<graph::WeightsOp>(place.getWeights().getValue());
      if (!weights)
        return entry.emitOpError("places ")
               << place.getWeights() << ", which is no graph.weights";
      const uint64_t size = sizeOf(weights);
      const uint64_t offset = offsetOf(weights, size);
      if (size > 0)
        moved[place.getOffset()] = offset;
      else
        moved.try_emplace(place.getOffset(), offset);
      places.push_back(kernel::WeightPlaceAttr::get(
          module.getContext(), place.getWeights(), offset));
    }
    entry.setWeightsAttr(builder.getArrayAttr(places));
  }
  module.walk([&](kernel::StorageOp storage) {
    if (storage.getKind() != kernel::StorageKind::Weights)
      return;
    auto to = moved.find(storage.getPosition());
    if (to != moved.end())
      storage.setPosition(to->second);
  });
  return success();
}

void Section::setBytes(ModuleOp module) const {
  for (auto entry : module.getOps<kernel::EntryOp>())
    entry.setWeightBytes(bytes);
}

} // namespace

LogicalResult shareWeights(ArrayRef<ModuleOp> modules) {
  Section section;
  for (ModuleOp module : modules)
    if (failed(section.place(module)))
      return failure();
  for (ModuleOp module : modules)
    section.setBytes(module);
  return success();
}

} // namespace tessera::artifact
