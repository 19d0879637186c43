// Gives a module the machine that it is compiled for.
#include "lib/Transforms/Kernel/Passes.h"

#include "lib/CostModel/ModuleMachine.h"

namespace tessera {
#define GEN_PASS_DEF_SETMACHINE
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

struct SetMachine : tessera::impl::SetMachineBase<SetMachine> {
  using SetMachineBase::SetMachineBase;

  void runOnOperation() override {
    if (keep && hasMachine(getOperation()))
      return;
    llvm::Expected<Machine> machine =
        machineFile.empty() ? machineFor(cpu) : readMachine(machineFile);
    if (machine)
      return setMachine(getOperation(), *machine);
    getOperation().emitError(llvm::toString(machine.takeError()));
    signalPassFailure();
  }
};

} // namespace
