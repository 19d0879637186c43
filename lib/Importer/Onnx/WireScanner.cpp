// Walks the wire format with an explicit stack: a model may nest graphs deeper
// than the machine's stack allows.
#include "lib/Importer/Onnx/WireScanner.h"
#include "lib/Importer/Onnx/ReadableText.h"

#include "llvm/Support/Errc.h"

#include <vector>

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

/// The messages of onnx.proto that can contain a tensor or a name, and the tensor.
enum class Message : uint8_t {
  None,
  Model,
  Opset,
  Training,
  Function,
  Graph,
  ValueInfo,
  Type,
  TensorType,
  Shape,
  Dimension,
  Node,
  Attribute,
  SparseTensor,
  Tensor
};

enum WireType : uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

// Field numbers of TensorProto, and values of its enumerations.
constexpr uint64_t kDataType = 2, kFloatData = 4, kRawData = 9,
                   kDoubleData = 10, kExternalData = 13, kDataLocation = 14;
constexpr int32_t kFloat = 1, kDouble = 11, kComplex64 = 14, kComplex128 = 15;
constexpr int32_t kLocationDefault = 0, kLocationExternal = 1;

/// The message that field `number` of `parent` holds, or None for a field that
/// is copied as it is. From onnx.proto.
Message fieldMessage(Message parent, uint64_t number) {
  switch (parent) {
  case Message::Model:
    return number == 7    ? Message::Graph
           : number == 8  ? Message::Opset
           : number == 20 ? Message::Training
           : number == 25 ? Message::Function
                          : Message::None;
  case Message::Training:
    return number == 1 || number == 2 ? Message::Graph : Message::None;
  case Message::Function:
    return number == 7    ? Message::Node
           : number == 9  ? Message::Opset
           : number == 11 ? Message::Attribute
           : number == 12 ? Message::ValueInfo
                          : Message::None;
  case Message::Graph:
    return number == 1                    ? Message::Node
           : number == 5                  ? Message::Tensor
           : number >= 11 && number <= 13 ? Message::ValueInfo
           : number == 15                 ? Message::SparseTensor
                                          : Message::None;
  case Message::ValueInfo:
    return number == 2 ? Message::Type : Message::None;
  case Message::Type:
    return number == 1 ? Message::TensorType : Message::None;
  case Message::TensorType:
    return number == 2 ? Message::Shape : Message::None;
  case Message::Shape:
    return number == 1 ? Message::Dimension : Message::None;
  case Message::Node:
    return number == 5 ? Message::Attribute : Message::None;
  case Message::Attribute:
    return number == 5 || number == 10    ? Message::Tensor
           : number == 6 || number == 11  ? Message::Graph
           : number == 22 || number == 23 ? Message::SparseTensor
                                          : Message::None;
  case Message::SparseTensor:
    return number == 1 || number == 2 ? Message::Tensor : Message::None;
  case Message::Opset:
  case Message::Dimension:
  case Message::Tensor:
  case Message::None:
    return Message::None;
  }
  return Message::None;
}

/// Whether field `number` of `parent` is a name that people read: of a value, a
/// size, a node, an operator, an attribute, a function or a domain.
bool isName(Message parent, uint64_t number) {
  switch (parent) {
  case Message::Opset:
  case Message::ValueInfo:
    return number == 1;
  case Message::Graph:
  case Message::Dimension:
    return number == 2;
  case Message::Node:
    return (number >= 1 && number <= 4) || number == 7 || number == 8;
  case Message::Attribute:
    return number == 1 || number == 21;
  case Message::Tensor:
    return number == 8;
  case Message::Function:
    return number == 1 || (number >= 4 && number <= 6) || number == 10 ||
           number == 13;
  default:
    return false;
  }
}

/// Whether `parent` has at most one field `number`, which holds a tensor: if it
/// is there twice, the second is merged into the first.
bool isSingleTensor(Message parent, uint64_t number) {
  return (parent == Message::Attribute && (number == 5 || number == 22)) ||
         (parent == Message::SparseTensor && (number == 1 || number == 2));
}

/// Whether `number` is a field whose bytes may be the elements.
bool isPayload(uint64_t number) {
  return number == kRawData || number == kFloatData || number == kDoubleData;
}

/// Whether the elements of a tensor of this type are the bytes of that field.
bool isPayloadOf(uint64_t number, int32_t dataType) {
  switch (number) {
  case kFloatData:
    return dataType == kFloat || dataType == kComplex64;
  case kDoubleData:
    return dataType == kDouble || dataType == kComplex128;
  default:
    return true;
  }
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
  uint64_t begin, end;
  /// Payloads stay where they are.
  bool isKept;
  std::string light = {};
  uint32_t singleTensors = 0; // bits of the fields seen

  // Of a tensor. Fields may come in any order and again, and then the last one
  // counts, or all of them as one list: what becomes of these is known at the end.
  int32_t dataType = 0, dataLocation = kLocationDefault;
  /// The fields that hold elements and that say where they are, as in the input.
  std::vector<StringRef> payloads = {}, places = {};
  uint64_t payloadNumber = 0, payloadBytes = 0; // of the last payload
};

class Scanner {
public:
  Scanner(StringRef model, StringRef location)
      : model(model), location(location) {}

  Expected<std::string> run() {
    frames.push_back(
        {Message::Model, 0, 0, model.size(), /*isKept=*/location.empty()});
    while (true) {
      if (position == frames.back().end) {
        if (frames.back().message == Message::Tensor)
          finishTensor(frames.back());
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
    case Varint: {
      Expected<uint64_t> value = varint();
      if (!value)
        return value.takeError();
      noteNumber(number, static_cast<int32_t>(*value));
      break;
    }
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
        StringRef text = model.substr(position, bytes);
        if (isName(frames.back().message, number) && !isReadable(text)) {
          appendBytes(frames.back().light, number, readable(text));
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
    keep(number, model.slice(begin, position), bytes);
    return Error::success();
  }

  Error enter(Message message, uint64_t number, uint64_t bytes) {
    if (frames.size() >= kMaxMessageDepth)
      return malformed("messages nested deeper than " +
                       Twine(kMaxMessageDepth));
    Frame &parent = frames.back();
    if (isSingleTensor(parent.message, number)) {
      uint32_t bit = 1u << number;
      if (parent.singleTensors & bit && !parent.isKept) {
        // Payloads of merged tensors are merged, so none may leave.
        position = parent.begin;
        parent = {parent.message, parent.fieldNumber, parent.begin, parent.end,
                  /*isKept=*/true};
        return Error::success();
      }
      parent.singleTensors |= bit;
    }
    frames.push_back(
        {message, number, position, position + bytes, parent.isKept});
    return Error::success();
  }

  void noteNumber(uint64_t number, int32_t value) {
    Frame &frame = frames.back();
    if (number == kDataType)
      frame.dataType = value;
    // Protobuf passes over values that the enumeration does not have.
    if (number == kDataLocation &&
        (value == kLocationDefault || value == kLocationExternal))
      frame.dataLocation = value;
  }

  /// Keeps `field`, with `bytes` bytes of content, as it is; until its end if it
  /// says what or where the elements of a tensor are.
  void keep(uint64_t number, StringRef field, uint64_t bytes) {
    Frame &frame = frames.back();
    if (frame.message != Message::Tensor || frame.isKept) {
      frame.light += field;
    } else if (isPayload(number)) {
      frame.payloads.push_back(field);
      frame.payloadNumber = number;
      frame.payloadBytes = bytes;
    } else if (number == kExternalData || number == kDataLocation) {
      frame.places.push_back(field);
    } else {
      frame.light += field;
    }
  }

  /// Elements in one large field become a reference, instead of what stood there
  /// for data elsewhere. Fields that are left behind beside data elsewhere go.
  void finishTensor(Frame &tensor) {
    const bool isExternal = tensor.dataLocation == kLocationExternal;
    if (!isExternal && tensor.payloads.size() == 1 &&
        tensor.payloadBytes > kLargePayloadBytes &&
        isPayloadOf(tensor.payloadNumber, tensor.dataType)) {
      appendReference(tensor.light,
                      tensor.payloads[0].take_back(tensor.payloadBytes));
      return;
    }
    if (!isExternal)
      for (StringRef payload : tensor.payloads)
        tensor.light += payload;
    for (StringRef place : tensor.places)
      tensor.light += place;
  }

  void appendReference(std::string &light, StringRef payload) {
    auto entry = [&](StringRef key, StringRef value) {
      std::string pair;
      appendBytes(pair, 1, key);
      appendBytes(pair, 2, value);
      appendBytes(light, kExternalData, pair);
    };
    entry("location", location);
    entry("offset", std::to_string(payload.data() - model.data()));
    entry("length", std::to_string(payload.size()));
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
