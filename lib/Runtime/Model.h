// A loaded model: its library, its table and its weights.
#ifndef TESSERA_RUNTIME_MODEL_H
#define TESSERA_RUNTIME_MODEL_H

#include "LibraryFile.h"
#include "ModelTable.h"
#include "WeightFile.h"

#include <memory>
#include <string>
#include <vector>

namespace tessera::runtime {

/// Immutable after loading; sessions share it.
class Model {
public:
  /// Loads the shared library at `path`. None of its code runs (a compiled
  /// model has no constructors) before its table is checked against this
  /// runtime and this machine. Errors begin with the path.
  static Result<std::shared_ptr<const Model>>
  load(const std::string &path, const TesseraLoadOptions &options);

  /// The model of a table that is in this program already and stays there.
  static Result<std::shared_ptr<const Model>>
  wrap(const TesseraModule &table, const TesseraLoadOptions &options);

  /// As load, but for looking at only: a model for another machine, or one
  /// whose weights are missing, is loaded as well. It must not be run.
  static Result<std::shared_ptr<const Model>> inspect(const std::string &path);

  Model(const Model &) = delete;

  /// The table that is run: of several CPUs', the best for this machine.
  const TesseraModule &table() const { return *module; }
  /// All of them, the exported one first; see TesseraModule.alternates.
  const std::vector<const TesseraModule *> &tables() const { return allTables; }
  /// Never empty; the first is the default.
  const std::vector<Entry> &entries() const { return allEntries; }
  const char *weights() const { return weightFile.data(); }
  /// TESSERA_UNIT_..., those that the system gave.
  uint64_t units() const { return givenUnits; }
  /// "" for a wrapped model.
  const std::string &path() const { return libraryPath; }

  /// For people: producer, machine, weights, and every entry's inputs, outputs,
  /// sizes and storage at typical sizes.
  std::string describe() const;

private:
  Model() = default;
  Status openLibrary(const std::string &path);
  /// Finds the tables from the exported one and takes one. `toRun`: one that
  /// this machine can run, else an error; or only if there is one.
  Status readTable(bool toRun);
  std::string describeTargets() const;
  Status prepareToRun(const TesseraLoadOptions &options);

  std::string libraryPath;
  LibraryFile library;
  std::vector<const TesseraModule *> allTables;
  const TesseraModule *module = nullptr;
  std::vector<Entry> allEntries;
  WeightFile weightFile;
  uint64_t givenUnits = 0;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_MODEL_H
