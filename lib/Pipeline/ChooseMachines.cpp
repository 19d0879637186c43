// The machines that a compilation is for.
#include "lib/Pipeline/ChooseMachines.h"

#include "lib/Target/CPU/Code/CpuTarget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace llvm;
using namespace tessera;

Expected<std::vector<Machine>>
tessera::chooseMachines(const CompileOptions &options) {
  SmallVector<StringRef> names;
  StringRef cpu = options.cpu.empty() ? StringRef("native") : options.cpu;
  cpu.split(names, ',');
  if (names.size() > 1 && !options.machineFile.empty())
    return createStringError("--machine describes one CPU, but --cpu names " +
                             Twine(names.size()));
  if (names.size() > 1 && options.emit != EmitKind::Library)
    return createStringError("only a library has code for several CPUs: give one "
                             "--cpu or leave --emit");
  std::vector<Machine> machines;
  for (StringRef name : names) {
    Expected<Machine> machine = options.machineFile.empty()
                                    ? machineFor(name)
                                    : readMachine(options.machineFile);
    if (!machine)
      return machine.takeError();
    // Before any work: only LLVM knows the names of its CPUs.
    if (Expected<cpu::CpuTarget> target = cpu::targetFor(*machine); !target)
      return target.takeError();
    if (any_of(machines, [&](const Machine &other) {
          return other.cpu == machine->cpu;
        }))
      return createStringError("--cpu=" + options.cpu + " names " +
                               machine->cpu + " twice");
    // LLVM would configure tiles before each of their instructions.
    if (options.optimizationLevel == 0)
      machine->tileBf16Macs = machine->tileInt8Macs = 0;
    machines.push_back(std::move(*machine));
  }
  return machines;
}
