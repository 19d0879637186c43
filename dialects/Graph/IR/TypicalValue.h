// What a size is in a typical run, for decisions by bytes and for cost models.
#ifndef TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H
#define TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H

#include "dialects/Graph/IR/SizeAnalysis.h"

namespace tessera::graph {

/// What stands for a size that nothing is known of.
constexpr int64_t kUnknownTypicalSize = 128;

/// The value of `size`, an expression of `sizes`, at least 0, where each symbol has
/// the value that `valueOf` gives, or kUnknownTypicalSize.
int64_t typicalValueOf(
    mlir::AffineExpr size, const SizeAnalysis &sizes,
    llvm::function_ref<std::optional<int64_t>(const SizeAnalysis::Symbol &)>
        valueOf);

/// The same, where each named size has the typical value that the module around `at`
/// declares.
int64_t typicalValueOf(mlir::AffineExpr size, const SizeAnalysis &sizes,
                       mlir::Operation *at);

/// The same for the number of elements of `tensor`, a product that may exceed 64
/// bits.
double typicalElementCountOf(mlir::Value tensor, SizeAnalysis &sizes);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H
