// What a compilation is asked to do; the same for the command line, the C API
// and Python.
#ifndef TESSERA_LIB_PIPELINE_COMPILEOPTIONS_H
#define TESSERA_LIB_PIPELINE_COMPILEOPTIONS_H

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tessera {

/// Where a compilation stops, and so what it writes.
enum class EmitKind {
  Graph,   ///< MLIR text of the graph state, as imported and simplified
  Kernel,  ///< MLIR text of the kernel state
  Buffer,  ///< MLIR text of the buffer state
  Llvm,    ///< LLVM IR text
  Assembly,
  Object,
  Library  ///< a shared library that the runtime loads
};

struct CompileOptions {
  /// ONNX model, or MLIR text (.mlir) in any state up to the buffer state.
  std::string input;
  /// File to write; "-" is standard output for text.
  std::string output;
  EmitKind emit = EmitKind::Library;
  /// 0: every operation on its own by the generic route, the oracle; 1 to 3:
  /// fused kernels, with more effort of LLVM.
  int optimizationLevel = 3;
  /// What products are computed with: "highest", "fast" … (lib/CostModel/Precision.h).
  std::string precision = "highest";
  /// Symbol (or INPUT.AXIS) and its size "128" or range "1:128:512".
  std::vector<std::pair<std::string, std::string>> shapes;
  /// Intermediate values, by their ONNX names, that become outputs after the
  /// model's own; "all" is every one.
  std::vector<std::string> taps;
  /// "native", "x86-64-v3", "znver4" …; several, separated by commas, for a
  /// library with code for each. Empty: the machine that an .mlir input names, else
  /// "native".
  std::string cpu;
  /// JSON file with the measured machine, instead of the record of `cpu`.
  std::string machineFile;
  /// "section", "file" or "none".
  std::string weights = "section";
  /// Threads that compile a library's code; 0: as many as the process may use. The
  /// library does not depend on it.
  unsigned jobs = 0;
  /// Shared libraries with passes (MLIR's pass plugins).
  std::vector<std::string> passPlugins;
  /// A state ("import", "graph", "kernel", "buffer") and a pipeline in MLIR's
  /// syntax that runs at its end, in order.
  std::vector<std::pair<std::string, std::string>> extraPasses;
  /// Folder that receives the IR at the end of each state, or empty.
  std::string saveStates;
  /// File that receives a report (kernels by route, seconds), or "-" for
  /// standard output, or empty; JSON, or text for people.
  std::string report;
  bool reportAsText = false;
};

/// The default output of `input` for `emit`: MODEL.so, MODEL.kernel.mlir …
std::string defaultOutput(const std::string &input, EmitKind emit);

/// Whether `text` is "128" or "1:128:512" (min:typical:max); fills the sizes.
bool parseSizeRange(const std::string &text, int64_t &min, int64_t &typical,
                    int64_t &max);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_COMPILEOPTIONS_H
