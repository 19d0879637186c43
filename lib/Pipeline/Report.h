// What became of a model: its kernels by route, as JSON and as text.
#ifndef TESSERA_LIB_PIPELINE_REPORT_H
#define TESSERA_LIB_PIPELINE_REPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/JSON.h"

namespace tessera {

/// The kernels of a module in kernel or buffer state, each an object: "name",
/// "route" (builder, rows or generic), "nodes" (the names of the model's nodes
/// in it), "schedule" as text, "arguments" (the tensors' types as text, inputs
/// first), "outputs" (how many of these are outputs) and, if it left the route that its schedule named first, "missed" with
/// the reason.
llvm::json::Array describeKernels(mlir::ModuleOp module);

/// The kernel calls of each entry of a module in buffer state, by the entry's name;
/// call number i (dialects/Kernel/IR/CallNumbers.h) is element i. A call is an object: "kernel" (its position among the kernels),
/// "nodes" and "arguments", one for each tensor argument of the kernel: ["input",
/// number], ["output", number], ["value", number] or ["weights", offset, bytes].
llvm::json::Object describeCalls(mlir::ModuleOp module);

/// Prints the "kernels" of a report or manifest by route, with a line that sums
/// them up and, where the report has them, what passes missed ("missed", of
/// MissedRemarks) and the seconds of the last phases.
void printKernels(const llvm::json::Object &report, llvm::raw_ostream &out);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_REPORT_H
