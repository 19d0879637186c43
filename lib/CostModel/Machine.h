// The machine record: what schedules are chosen from.
//
// Rates are measured, never read off instruction-set flags: two CPUs with the
// same flags differ by a factor of four in bf16 dot products. Built-in records
// stand for CPU families; a calibrated one is given as a JSON file.
#ifndef TESSERA_LIB_COSTMODEL_MACHINE_H
#define TESSERA_LIB_COSTMODEL_MACHINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tessera {

/// One CPU core and its caches, as the cost model sees them.
struct Machine {
  /// Name of the record: "x86-64-v3", "znver4" …
  std::string name;
  /// LLVM's name of the CPU whose instructions may be used.
  std::string cpu;
  /// LLVM's name of the CPU that instruction order is tuned for; may differ,
  /// because some of LLVM's models spill in long inner loops.
  std::string tuneCpu;

  /// f32 elements of a vector register.
  int64_t lanes = 8;
  /// Vector registers that code may use.
  int64_t vectorRegisters = 16;
  /// Vector multiply-accumulates per cycle by type, of full vectors.
  double f32MacsPerCycle = 2;
  double int8MacsPerCycle = 0;
  double bf16MacsPerCycle = 0;
  double f16MacsPerCycle = 0;
  /// Products per cycle of the tile unit, by type; 0: there is none.
  double tileBf16Macs = 0;
  double tileInt8Macs = 0;
  /// Cycles that a task takes to configure the tile unit and to release it.
  double tileTaskCycles = 0;
  /// Cycles from one multiply-accumulate to the next that depends on it.
  int64_t macLatency = 4;
  double gigahertz = 3;

  int64_t l1Bytes = 32 << 10;
  int64_t l1Ways = 8;
  int64_t l2Bytes = 512 << 10;
  /// Of one core.
  int64_t l3ShareBytes = 8 << 20;
  double l2BytesPerCycle = 24;
  double l3GigabytesPerSecond = 30;
  double memoryGigabytesPerSecond = 15;

  /// Whether prefetching the panels of a contraction gains.
  bool prefetchPanels = false;
  /// Cycles of one full vector store.
  double storeCycles = 1;
  /// Bytes that a kernel of rows reads and writes from which on stores past the
  /// caches gain where arithmetic does not hide them, also when the results are
  /// read next; 0: at no size. Below they lose.
  int64_t streamBytes = 0;
  /// How many rows ahead kernels of rows gain by prefetching; 0: none.
  int64_t prefetchRows = 0;
};

/// The names that machineFor takes.
std::vector<llvm::StringRef> knownCpus();

/// The record for `cpu`: a CPU family, or "native" for this machine, whose cache
/// sizes are then read from the hardware. Fails for an unknown name, listing
/// those that are known, the nearest first.
llvm::Expected<Machine> machineFor(llvm::StringRef cpu);

/// A field of a record by its name in Machine.
struct MachineField {
  std::string name;
  std::variant<std::string, bool, int64_t, double> value;
};

/// All fields of the record, texts first.
std::vector<MachineField> fieldsOf(const Machine &machine);

/// The record that `fields` give over that of the family which their field "base"
/// names, x86-64-v3 without one. Fails for unknown fields and values that make no
/// sense.
llvm::Expected<Machine> machineFrom(llvm::ArrayRef<MachineField> fields);

/// Reads a record from JSON: an object of the fields that machineFrom takes.
llvm::Expected<Machine> readMachine(llvm::StringRef path);

/// The record as JSON, so that it can be read again and hashed.
std::string toJson(const Machine &machine);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_MACHINE_H
