// Walks the wire format with an explicit stack: a model may nest graphs deeper
// than the machine's stack allows.
#include "lib/Importer/Onnx/WireScanner.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Errc.h"

#include <vector>

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// The messages of onnx.proto that can contain a tensor, and the tensor.
enum class Message : uint8_t {
  None,
  Model,
  Training,
  Function,
  Graph,
  Node,
  Attribute,
  SparseTensor,
  Tensor
};

enum WireType : uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// Field numbers of TensorProto.
constexpr uint64_t kFloatData = 4, kRawData = 9, kDoubleData = 10,
                   kExternalData = 13, kDataLocation = 14;
constexpr uint64_t kLocationExternal = 1;

/// The message that field `number` of `parent` holds, or None for a field that
/// is copied as it is. From onnx.proto.
Message fieldMessage(Message parent, uint64_t number) {
  switch (parent) {
  case Message::Model:
    return number == 7    ? Message::Graph
           : number == 20 ? Message::Training
           : number == 25 ? Message::Function
                          : Message::None;
  case Message::Training:
    return number == 1 || number == 2 ? Message::Graph : Message::None;
  case Message::Function:
    return number == 7    ? Message::Node
           : number == 11 ? Message::Attribute
                          : Message::None;
  case Message::Graph:
    return number == 1    ? Message::Node
           : number == 5  ? Message::Tensor
           : number == 15 ? Message::SparseTensor
                          : Message::None;
  case Message::Node:
    return number == 5 ? Message::Attribute : Message::None;
  case Message::Attribute:
    return number == 5 || number == 10    ? Message::Tensor
           : number == 6 || number == 11  ? Message::Graph
           : number == 22 || number == 23 ? Message::SparseTensor
                                          : Message::None;
  case Message::SparseTensor:
    return number == 1 || number == 2 ? Message::Tensor : Message::None;
  case Message::Tensor:
  case Message::None:
    return Message::None;
  }
  return Message::None;
}

void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void appendTag(std::string &out, uint64_t number, WireType type) {
  appendVarint(out, number << 3 | type);
}

void appendBytes(std::string &out, uint64_t number, StringRef bytes) {
  appendTag(out, number, Bytes);
  appendVarint(out, bytes.size());
  out.append(bytes.data(), bytes.size());
}

/// One open message: what is left of it is [position, end) of the input, and
/// `light` is what it has become so far.
struct Frame {
  Message message;
  uint64_t fieldNumber; // of this message in its parent
  uint64_t end;
  std::string light;
};

class Scanner {
public:
  Scanner(StringRef model, StringRef location)
      : model(model), location(location) {}

  Expected<std::string> run() {
    frames.push_back({Message::Model, 0, model.size(), {}});
    while (true) {
      if (position == frames.back().end) {
        std::string light = std::move(frames.back().light);
        uint64_t number = frames.back().fieldNumber;
        frames.pop_back();
        if (frames.empty())
          return light;
        appendBytes(frames.back().light, number, light);
      } else if (Error error = field()) {
        return std::move(error);
      }
    }
  }

private:
  Error malformed(const Twine &what) {
    return createStringError(errc::illegal_byte_sequence,
                             "not an ONNX model: " + what + " at byte " +
                                 Twine(position));
  }

  uint64_t left() { return frames.back().end - position; }

  Expected<uint64_t> varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (!left())
        return malformed("truncated number");
      uint8_t byte = model[position++];
      value |= uint64_t(byte & 0x7f) << shift;
      if (!(byte & 0x80))
        return value;
    }
    return malformed("number of more than 64 bits");
  }

  /// Consumes one field of the innermost frame.
  Error field() {
    uint64_t begin = position;
    Expected<uint64_t> tag = varint();
    if (!tag)
      return tag.takeError();
    uint64_t number = *tag >> 3;
    if (number == 0)
      return malformed("field number 0");
    uint64_t bytes = 0;
    switch (*tag & 7) {
    case Varint:
      if (Expected<uint64_t> value = varint(); !value)
        return value.takeError();
      break;
    case Fixed64:
      bytes = 8;
      break;
    case Fixed32:
      bytes = 4;
      break;
    case Bytes: {
      Expected<uint64_t> length = varint();
      if (!length)
        return length.takeError();
      bytes = *length;
      if (bytes <= left()) {
        Message message = fieldMessage(frames.back().message, number);
        if (message != Message::None)
          return enter(message, number, bytes);
        if (isLargePayload(number, bytes)) {
          appendReference(bytes);
          position += bytes;
          return Error::success();
        }
      }
      break;
    }
    default:
      return malformed("unknown wire type " + Twine(*tag & 7));
    }
    if (bytes > left())
      return malformed("field of " + Twine(bytes) + " bytes where " +
                       Twine(left()) + " are left");
    position += bytes;
    frames.back().light.append(model.data() + begin, position - begin);
    return Error::success();
  }

  Error enter(Message message, uint64_t number, uint64_t bytes) {
    if (frames.size() >= kMaxMessageDepth)
      return malformed("messages nested deeper than " +
                       Twine(kMaxMessageDepth));
    frames.push_back({message, number, position + bytes, {}});
    return Error::success();
  }

  bool isLargePayload(uint64_t number, uint64_t bytes) {
    return frames.back().message == Message::Tensor &&
           bytes > kLargePayloadBytes &&
           (number == kRawData || number == kFloatData ||
            number == kDoubleData);
  }

  void appendReference(uint64_t bytes) {
    std::string &light = frames.back().light;
    auto entry = [&](StringRef key, StringRef value) {
      std::string pair;
      appendBytes(pair, 1, key);
      appendBytes(pair, 2, value);
      appendBytes(light, kExternalData, pair);
    };
    entry("location", location);
    entry("offset", std::to_string(position));
    entry("length", std::to_string(bytes));
    appendTag(light, kDataLocation, Varint);
    appendVarint(light, kLocationExternal);
  }

  StringRef model, location;
  uint64_t position = 0;
  std::vector<Frame> frames;
};

} // namespace

Expected<std::string> scanModel(StringRef model, StringRef location) {
  return Scanner(model, location).run();
}

} // namespace tessera::onnx_importer
