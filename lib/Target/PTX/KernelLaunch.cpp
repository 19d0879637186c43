// The dictionary form of a kernel launch.
#include "lib/Target/PTX/KernelLaunch.h"

using namespace mlir;

namespace tessera::ptx {

static NamedAttribute named(Builder &b, StringRef name, int64_t value) {
  return b.getNamedAttr(name, b.getI64IntegerAttr(value));
}

void KernelLaunch::addTensorMap(Builder &b, const TensorMap &map) {
  parameters.push_back(
      b.getDictionaryAttr({named(b, "tensor_map", map.argument),
                           named(b, "box_rows", map.boxRows),
                           named(b, "box_columns", map.boxColumns)}));
}

void KernelLaunch::addPointer(Builder &b, int64_t argument) {
  parameters.push_back(b.getDictionaryAttr(named(b, "pointer", argument)));
}

void KernelLaunch::addSymbol(Builder &b, int64_t symbol) {
  parameters.push_back(b.getDictionaryAttr(named(b, "symbol", symbol)));
}

DictionaryAttr KernelLaunch::toAttribute(Builder &b) const {
  return b.getDictionaryAttr(
      {named(b, "threads", threads), named(b, "shared_bytes", sharedBytes),
       named(b, "output", output), named(b, "tile_rows", tileRows),
       named(b, "tile_columns", tileColumns),
       named(b, "blocks_per_processor", blocksPerProcessor),
       b.getNamedAttr("parameters", b.getArrayAttr(parameters))});
}

} // namespace tessera::ptx
