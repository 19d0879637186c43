/// Takes the large tensors out of a serialised ONNX model without reading them.
///
/// Protobuf's wire format is a list of fields, each a tag (field number and
/// wire type) and a value; a message inside a message is a length and its
/// bytes. The scanner walks the messages that can hold tensors (graphs, nodes,
/// attributes, functions, at any nesting) and copies everything as it is but
/// the payload of large tensors, which becomes a reference in ONNX's own
/// notation for external data:
///
///   initializer { name: "w" dims: 1000 data_type: 1 raw_data: <4000 bytes> }
///   =>
///   initializer { name: "w" dims: 1000 data_type: 1
///                 external_data { key: "location" value: "model.onnx" }
///                 external_data { key: "offset"   value: "4096" }
///                 external_data { key: "length"   value: "4000" }
///                 data_location: EXTERNAL }
///
/// Payloads are raw_data and packed float_data and double_data, whose bytes are
/// the little-endian elements. Integers of int32_data and int64_data are
/// varints and stay. So does a payload in several pieces, which Protobuf would
/// put together. A tensor that says that its data is elsewhere loses what it has
/// inside, and one that does not, what it says about a place elsewhere.
///
/// Names that are no UTF-8 become what `readable` makes of them, so that nothing
/// behind the scanner meets such bytes in a name.
#ifndef TESSERA_IMPORTER_ONNX_WIRESCANNER_H
#define TESSERA_IMPORTER_ONNX_WIRESCANNER_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <string>

namespace tessera::onnx_importer {

/// Payloads of more bytes than this leave the model.
inline constexpr uint64_t kLargePayloadBytes = 1024;

/// Messages nest at most this deep (Protobuf's own default).
inline constexpr unsigned kMaxMessageDepth = 100;

/// Returns `model`, a serialised ModelProto, without its large payloads;
/// references name `location` as their file. If that is empty, payloads stay.
/// Touches only the pages of `model`
/// that hold something else than payloads. Fails on bytes that are not in wire
/// format, naming the byte offset.
llvm::Expected<std::string> scanModel(llvm::StringRef model,
                                      llvm::StringRef location);

} // namespace tessera::onnx_importer

#endif
