// What a size is in a typical run, for decisions by bytes before there are kernels.
#ifndef TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H
#define TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H

#include "dialects/Graph/IR/SizeAnalysis.h"

namespace tessera::graph {

/// The value of `size`, an expression of `sizes`, where each named size has the
/// typical value that the module around `at` declares; 128 stands for what has no
/// name.
double typicalValueOf(mlir::AffineExpr size, const SizeAnalysis &sizes,
                      mlir::Operation *at);

/// The same for the number of elements of `tensor`.
double typicalElementCountOf(mlir::Value tensor, SizeAnalysis &sizes);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_TYPICALVALUE_H
