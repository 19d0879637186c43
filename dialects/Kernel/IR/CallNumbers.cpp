// The numbers of the kernel calls of an entry; see the header.
#include "dialects/Kernel/IR/CallNumbers.h"

using namespace mlir;
using namespace tessera::kernel;

CallNumbers::CallNumbers(Operation *function) { number(function); }

void CallNumbers::number(Operation *op) {
  int64_t first = calls.size();
  if (isa<CallOp, LaunchOp>(op))
    calls.push_back(op);
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (Operation &nested : block)
        number(&nested);
  ranges[op] = {first, static_cast<int64_t>(calls.size())};
}
