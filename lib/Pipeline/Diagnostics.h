// MLIR diagnostics as people read them: with the names of the model's nodes.
#ifndef TESSERA_LIB_PIPELINE_DIAGNOSTICS_H
#define TESSERA_LIB_PIPELINE_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SetVector.h"

#include <functional>
#include <string>

namespace tessera {

/// "node 'a', node 'b'" or "file.mlir:3:5" of a location; empty if it says
/// nothing.
std::string describeLocation(mlir::Location location);

/// Adds the names of the model's nodes that a location has.
void collectNodeNames(mlir::Location location,
                      llvm::SetVector<llvm::StringRef> &nodes);

/// While it lives, hands every error and warning of `context` to `print`, one
/// text each, in UTF-8: "error: node 'x': message", notes on lines of their own.
class DiagnosticPrinter : public mlir::ScopedDiagnosticHandler {
public:
  DiagnosticPrinter(mlir::MLIRContext *context,
                    std::function<void(const std::string &)> print);
};

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_DIAGNOSTICS_H
