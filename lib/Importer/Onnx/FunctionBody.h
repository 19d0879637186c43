/// Function bodies that the ONNX standard gives operators, made ready for one call.
#ifndef TESSERA_IMPORTER_ONNX_FUNCTIONBODY_H
#define TESSERA_IMPORTER_ONNX_FUNCTIONBODY_H

#include "onnx/onnx_pb.h"
#include "llvm/ADT/ArrayRef.h"

namespace tessera::onnx_importer {

/// Gives the nodes of `body` what `call` says: its attributes, and none of the
/// inputs that it omits.
void bindCall(onnx::FunctionProto &body, const onnx::NodeProto &call);

/// Whether a call with inputs and results of these element types
/// (TensorProto.DataType) is one in f64: some are, and none is f32.
bool isCallInF64(llvm::ArrayRef<int32_t> inputs, llvm::ArrayRef<int32_t> results);

/// The standard writes in f32 what a body makes of sizes, such as the default scale
/// of Attention. In f64 instead:
///
///   Cast<to = FLOAT>(size)  ==>  Cast<to = DOUBLE>(size)
void widenToF64(onnx::FunctionProto &body);

} // namespace tessera::onnx_importer

#endif
