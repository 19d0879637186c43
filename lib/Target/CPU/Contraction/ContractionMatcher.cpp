// Recognition of the contraction of a kernel.
#include "lib/Target/CPU/Contraction/ContractionMatcher.h"
#include "lib/Target/CPU/Contraction/MultiplyAccumulate.h"
#include "lib/Target/CPU/Contraction/TileBlocks.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

std::string cpu::refusalOfContraction(const Contraction &c,
                                      kernel::ContractionAttr schedule) {
  std::unique_ptr<MultiplyAccumulate> multiply = MultiplyAccumulate::create(
      schedule.getAccumulate(), schedule.getLanes(), c.lhsSignedness);
  if (std::string reason = multiply->refusal(c); !reason.empty())
    return reason;
  if (multiply->stepLength() == 1)
    return {};
  if (c.lhsIsVector)
    return "expects operands of which one has no columns for a step of several "
           "elements";
  if (llvm::any_of(c.reduction, [&](unsigned loop) {
        return ShapedType::isDynamic(c.loops[loop].size);
      }))
    return "expects contracted dimensions of known size for a step of several "
           "elements";
  return kernel::isTiled(schedule.getAccumulate())
             ? TileBlocks::refusal(c, *multiply, schedule)
             : std::string();
}

FailureOr<Contraction>
cpu::matchContraction(kernel::FuncOp kernel, kernel::ContractionAttr schedule) {
  Operation *root = nullptr;
  for (Operation &op : kernel.getBody().front()) {
    if (!isContraction(&op))
      continue;
    if (root)
      return op.emitOpError("is a second contraction in one kernel");
    root = &op;
  }
  if (!root)
    return kernel.emitOpError("has no contraction that the builder knows");
  FailureOr<Contraction> c =
      contractionOf(root, [&] { return root->emitOpError(); });
  if (failed(c))
    return failure();
  if (std::string reason = refusalOfContraction(*c, schedule); !reason.empty())
    return root->emitOpError(reason);
  return c;
}
