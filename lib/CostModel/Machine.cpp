// Built-in machine records and the reading of calibrated ones.
#include "lib/CostModel/Machine.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/TargetParser/Host.h"

#include <cmath>
#include <unistd.h>

using namespace llvm;
using namespace tessera;

static Error makeError(const Twine &message) {
  return createStringError(inconvertibleErrorCode(), message);
}

/// AVX2 with two FMA ports: the least that kernels are built for.
static Machine avx2(StringRef name, StringRef cpu) {
  Machine machine;
  machine.name = name.str();
  machine.cpu = cpu.str();
  machine.tuneCpu = cpu.str();
  return machine;
}

static Machine avx512(StringRef name, StringRef cpu) {
  Machine machine = avx2(name, cpu);
  machine.lanes = 16;
  machine.vectorRegisters = 32;
  machine.l2Bytes = 1 << 20;
  machine.l2BytesPerCycle = 40;
  return machine;
}

/// Measured on a 2-core virtual machine of Emerald Rapids.
static Machine emeraldRapids(StringRef name, StringRef cpu) {
  Machine machine = avx512(name, cpu);
  machine.int8MacsPerCycle = 2;
  machine.bf16MacsPerCycle = 0.5;
  machine.f16MacsPerCycle = 2;
  // 16 x 16 sums of 32 bf16 or 64 byte products in 16 cycles.
  machine.tileBf16Macs = 512;
  machine.tileInt8Macs = 1024;
  machine.tileTaskCycles = 250;
  machine.gigahertz = 2.7;
  machine.l1Bytes = 48 << 10;
  machine.l1Ways = 12;
  machine.l2Bytes = 2 << 20;
  machine.l2BytesPerCycle = 50;
  machine.l3GigabytesPerSecond = 28;
  machine.prefetchPanels = true;
  machine.prefetchRows = 1;
  return machine;
}

/// Measured on a 2-core virtual machine of Zen 4, whose own tuning in LLVM
/// unrolls inner loops until they spill.
static Machine zen4(StringRef name, StringRef cpu) {
  Machine machine = avx512(name, cpu);
  machine.tuneCpu = "emeraldrapids";
  machine.f32MacsPerCycle = 1;
  machine.int8MacsPerCycle = 1;
  machine.bf16MacsPerCycle = 1;
  machine.gigahertz = 3.65;
  machine.l2BytesPerCycle = 27;
  machine.l3GigabytesPerSecond = 80;
  machine.memoryGigabytesPerSecond = 23;
  machine.storeCycles = 2.3;
  // Past the caches 57 GB/s at any size; within them 96, at 20 MiB 52 and at 28
  // MiB 34.
  machine.streamBytes = 24 << 20;
  return machine;
}

static Machine zen3(StringRef name, StringRef cpu) {
  Machine machine = avx2(name, cpu);
  machine.tuneCpu = "haswell";
  machine.gigahertz = 3.4;
  machine.l2BytesPerCycle = 32;
  machine.l3GigabytesPerSecond = 60;
  machine.memoryGigabytesPerSecond = 20;
  return machine;
}

namespace {
struct Family {
  StringLiteral name;
  StringLiteral cpu;
  Machine (*record)(StringRef name, StringRef cpu);
};
} // namespace

static const Family families[] = {
    {"x86-64-v3", "x86-64-v3", avx2},
    {"x86-64-v4", "x86-64-v4", avx512},
    {"haswell", "haswell", avx2},
    {"skylake-avx512", "skylake-avx512", avx512},
    {"icelake-server", "icelake-server", avx512},
    {"sapphirerapids", "sapphirerapids", emeraldRapids},
    {"emeraldrapids", "emeraldrapids", emeraldRapids},
    {"znver2", "znver2", zen3},
    {"znver3", "znver3", zen3},
    {"znver4", "znver4", zen4},
    {"znver5", "znver5", zen4},
};

static const Family *familyNamed(StringRef name) {
  const Family *found = find_if(
      families, [&](const Family &family) { return family.name == name; });
  return found == std::end(families) ? nullptr : found;
}

/// Cache sizes of this machine, where the system tells them.
static void readCaches(Machine &machine) {
  auto read = [](int name, int64_t &value) {
    long size = sysconf(name);
    if (size > 0)
      value = size;
  };
  read(_SC_LEVEL1_DCACHE_SIZE, machine.l1Bytes);
  read(_SC_LEVEL1_DCACHE_ASSOC, machine.l1Ways);
  read(_SC_LEVEL2_CACHE_SIZE, machine.l2Bytes);
}

std::vector<StringRef> tessera::knownCpus() {
  std::vector<StringRef> names = {"native"};
  for (const Family &family : families)
    names.push_back(family.name);
  return names;
}

Expected<Machine> tessera::machineFor(StringRef cpu) {
  if (cpu != "native") {
    if (const Family *family = familyNamed(cpu))
      return family->record(family->name, family->cpu);
    StringRef nearest;
    unsigned least = std::max<unsigned>(2, cpu.size() / 3) + 1;
    for (StringRef name : knownCpus())
      if (unsigned edits = cpu.edit_distance(name); edits < least) {
        least = edits;
        nearest = name;
      }
    return makeError("unknown CPU '" + cpu + "'; " +
                     (nearest.empty() ? std::string()
                                      : "did you mean '" + nearest.str() + "'? ") +
                     "known are " + join(knownCpus(), ", "));
  }
  StringRef host = sys::getHostCPUName();
  StringMap<bool> features = sys::getHostCPUFeatures();
  Machine machine;
  if (const Family *family = familyNamed(host)) {
    machine = family->record(family->name, family->cpu);
    // A hypervisor may keep the tile unit for itself.
    if (!features["amx-tile"])
      machine.tileBf16Macs = machine.tileInt8Macs = 0;
  } else {
    if (features["avx512f"] && features["avx512bw"] && features["avx512dq"] &&
        features["avx512vl"] && features["avx512cd"])
      machine = avx512(host, "x86-64-v4");
    else if (features["avx2"] && features["fma"])
      machine = avx2(host, "x86-64-v3");
    else
      return makeError("this CPU ('" + host +
                     "') has no AVX2; Tessera's kernels need x86-64-v3");
  }
  readCaches(machine);
  return machine;
}

//===----------------------------------------------------------------------===//
// Fields
//===----------------------------------------------------------------------===//

/// Calls `visit` with the name of each field of the record and a reference.
template <typename Record, typename Visit>
static void forEachField(Record &machine, Visit visit) {
  visit("name", machine.name);
  visit("cpu", machine.cpu);
  visit("tuneCpu", machine.tuneCpu);
  visit("prefetchPanels", machine.prefetchPanels);
  visit("lanes", machine.lanes);
  visit("vectorRegisters", machine.vectorRegisters);
  visit("f32MacsPerCycle", machine.f32MacsPerCycle);
  visit("int8MacsPerCycle", machine.int8MacsPerCycle);
  visit("bf16MacsPerCycle", machine.bf16MacsPerCycle);
  visit("f16MacsPerCycle", machine.f16MacsPerCycle);
  visit("tileBf16Macs", machine.tileBf16Macs);
  visit("tileInt8Macs", machine.tileInt8Macs);
  visit("tileTaskCycles", machine.tileTaskCycles);
  visit("macLatency", machine.macLatency);
  visit("gigahertz", machine.gigahertz);
  visit("l1Bytes", machine.l1Bytes);
  visit("l1Ways", machine.l1Ways);
  visit("l2Bytes", machine.l2Bytes);
  visit("l3ShareBytes", machine.l3ShareBytes);
  visit("l2BytesPerCycle", machine.l2BytesPerCycle);
  visit("l3GigabytesPerSecond", machine.l3GigabytesPerSecond);
  visit("memoryGigabytesPerSecond", machine.memoryGigabytesPerSecond);
  visit("storeCycles", machine.storeCycles);
  visit("streamBytes", machine.streamBytes);
  visit("prefetchRows", machine.prefetchRows);
}

std::vector<MachineField> tessera::fieldsOf(const Machine &machine) {
  std::vector<MachineField> fields;
  forEachField(machine, [&](const char *name, const auto &value) {
    fields.push_back({name, value});
  });
  return fields;
}

using FieldValue = decltype(MachineField::value);

static Error assign(std::string &target, const FieldValue &value) {
  if (const auto *text = std::get_if<std::string>(&value))
    return (target = *text), Error::success();
  return makeError("expects a string");
}

static Error assign(bool &target, const FieldValue &value) {
  if (const auto *truth = std::get_if<bool>(&value))
    return (target = *truth), Error::success();
  return makeError("expects true or false");
}

static Error assign(double &target, const FieldValue &value) {
  if (const auto *number = std::get_if<double>(&value))
    target = *number;
  else if (const auto *whole = std::get_if<int64_t>(&value))
    target = static_cast<double>(*whole);
  else
    return makeError("expects a number");
  return target >= 0 ? Error::success()
                     : makeError("expects a number, not negative");
}

static Error assign(int64_t &target, const FieldValue &value) {
  double number = 0;
  if (Error error = assign(number, value))
    return error;
  if (number != std::floor(number) || number > 9007199254740992.0)
    return makeError("expects a whole number");
  target = static_cast<int64_t>(number);
  return Error::success();
}

Expected<Machine> tessera::machineFrom(ArrayRef<MachineField> fields) {
  std::string base = "x86-64-v3";
  const MachineField *given = find_if(
      fields, [](const MachineField &field) { return field.name == "base"; });
  if (given != fields.end())
    if (Error error = assign(base, given->value))
      return makeError("field 'base' " + toString(std::move(error)));
  Expected<Machine> machine = machineFor(base);
  if (!machine)
    return machine;
  for (const MachineField &field : fields) {
    bool isKnown = field.name == "base";
    Error error = Error::success();
    forEachField(*machine, [&](StringRef name, auto &target) {
      if (name != field.name)
        return;
      isKnown = true;
      consumeError(std::move(error));
      error = assign(target, field.value);
    });
    if (error)
      return makeError("field '" + field.name + "' " +
                       toString(std::move(error)));
    if (!isKnown)
      return makeError("unknown field '" + field.name + "'");
  }
  if (machine->lanes != 8 && machine->lanes != 16)
    return makeError("expects 8 or 16 lanes, but got " + Twine(machine->lanes));
  if (machine->vectorRegisters < 8 || machine->l1Bytes <= 0 ||
      machine->l1Ways <= 0 || machine->l2Bytes <= 0 || machine->gigahertz <= 0)
    return makeError("expects positive registers, caches and clock rate");
  return machine;
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

std::string tessera::toJson(const Machine &machine) {
  json::Object object;
  for (const MachineField &field : fieldsOf(machine))
    std::visit([&](const auto &value) { object[field.name] = value; },
               field.value);
  std::string text;
  raw_string_ostream(text) << json::Value(std::move(object));
  return text;
}

/// The value of a field, or none where no field has such values.
static std::optional<FieldValue> valueOf(const json::Value &json) {
  if (std::optional<bool> truth = json.getAsBoolean())
    return *truth;
  if (std::optional<int64_t> whole = json.getAsInteger())
    return *whole;
  if (std::optional<double> number = json.getAsNumber())
    return *number;
  if (std::optional<StringRef> text = json.getAsString())
    return text->str();
  return std::nullopt;
}

Expected<Machine> tessera::readMachine(StringRef path) {
  auto named = [&](const Twine &message) {
    return makeError("machine record '" + path + "': " + message);
  };
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(path);
  if (!buffer)
    return named(buffer.getError().message());
  Expected<json::Value> value = json::parse((*buffer)->getBuffer());
  if (!value)
    return named(toString(value.takeError()));
  const json::Object *object = value->getAsObject();
  if (!object)
    return named("expects a JSON object");
  std::vector<MachineField> fields;
  for (const auto &member : *object) {
    std::optional<FieldValue> field = valueOf(member.second);
    if (!field)
      return named("field '" + StringRef(member.first) +
                   "' expects a string, a number, true or false");
    fields.push_back({member.first.str(), std::move(*field)});
  }
  Expected<Machine> machine = machineFrom(fields);
  if (!machine)
    return named(toString(machine.takeError()));
  return machine;
}
