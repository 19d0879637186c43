/// Reads ONNX models without their weights.
///
/// A model of any size is mapped and scanned (WireScanner.h), so that what the
/// ONNX library parses is small; large tensors are ranges of bytes in files.
/// Local functions are inlined. All that the ONNX library throws ends here.
#ifndef TESSERA_IMPORTER_ONNX_MODELREADER_H
#define TESSERA_IMPORTER_ONNX_MODELREADER_H

#include "onnx/onnx_pb.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tessera::onnx_importer {

/// A model as the importer sees it.
struct OnnxModel {
  /// No tensor in it holds more than a few bytes, except ones stored as lists
  /// of integers.
  onnx::ModelProto proto;
  /// The file that was read, as given.
  std::string path;
  /// What ONNX's own checker says, one text for each node it complains about.
  /// Remarks only: what cannot be compiled fails in the importer.
  std::vector<std::string> findings;
};

/// Reads the model at `path`: a serialised ModelProto, or ONNX's text format if
/// the name ends in ".onnxtxt". Fails if the file cannot be read, is neither,
/// or has local functions that call themselves.
llvm::Expected<std::unique_ptr<OnnxModel>> readModel(llvm::StringRef path);

/// "node 'NAME' (Type)", or by its first output if it has no name.
std::string subjectOf(const onnx::NodeProto &node);

/// Key of NodeProto.metadata_props, in a model that was read: the subject of the
/// node whose local function the node is a part of.
constexpr llvm::StringLiteral kCallerKey = "tessera.caller";

/// That subject; empty for a node that the graph has.
std::string callerOf(const onnx::NodeProto &node);

/// Where the elements of a tensor are: `bytes` bytes at `offset` of `file`, or
/// in `contents` if `file` is empty. Row-major, little-endian; booleans and
/// 8-bit types are one byte each, narrower ones packed from the low bits.
struct TensorBytes {
  std::string file;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  std::string contents;
};

/// Finds the elements of `tensor` of `model`, whatever field they are in.
/// Fails, naming the tensor, if their number does not match its dims and type,
/// if it holds strings, or if its file is missing, too short or outside of the
/// model's folder.
llvm::Expected<TensorBytes> tensorBytes(const onnx::TensorProto &tensor,
                                        const OnnxModel &model);

/// Bits of one element of an ONNX type (TensorProto.DataType); 0 for strings
/// and unknown types.
unsigned elementBits(int32_t dataType);

/// The ONNX name of an element type ("float", "uint8"); "unknown type N" if
/// there is none.
std::string elementTypeName(int32_t dataType);

} // namespace tessera::onnx_importer

#endif
