// Finds the elements of a tensor among the fields that ONNX may store them in.
#include "lib/Importer/Onnx/ModelReader.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using onnx::TensorProto;

namespace tessera::onnx_importer {

unsigned elementBits(int32_t dataType) {
  switch (dataType) {
  case TensorProto::INT2:
  case TensorProto::UINT2:
    return 2;
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::BOOL:
  case TensorProto::INT8:
  case TensorProto::UINT8:
  case TensorProto::FLOAT8E4M3FN:
  case TensorProto::FLOAT8E4M3FNUZ:
  case TensorProto::FLOAT8E5M2:
  case TensorProto::FLOAT8E5M2FNUZ:
  case TensorProto::FLOAT8E8M0:
    return 8;
  case TensorProto::INT16:
  case TensorProto::UINT16:
  case TensorProto::FLOAT16:
  case TensorProto::BFLOAT16:
    return 16;
  case TensorProto::INT32:
  case TensorProto::UINT32:
  case TensorProto::FLOAT:
    return 32;
  case TensorProto::INT64:
  case TensorProto::UINT64:
  case TensorProto::DOUBLE:
  case TensorProto::COMPLEX64:
    return 64;
  case TensorProto::COMPLEX128:
    return 128;
  default:
    return 0;
  }
}

std::string elementTypeName(int32_t dataType) {
  if (!TensorProto::DataType_IsValid(dataType))
    return "unknown type " + std::to_string(dataType);
  return StringRef(TensorProto::DataType_Name(
                       static_cast<TensorProto::DataType>(dataType)))
      .lower();
}

namespace {

/// What looking for one tensor's bytes needs, so that errors can name it.
class Finder {
public:
  Finder(const TensorProto &tensor, const OnnxModel &model)
      : tensor(tensor), model(model) {}

  Expected<TensorBytes> find() {
    unsigned bits = elementBits(tensor.data_type());
    if (bits == 0)
      return failure("element type " + elementTypeName(tensor.data_type()) +
                     " is not supported");
    uint64_t elements = 1;
    for (int64_t dim : tensor.dims()) {
      bool overflow = false;
      elements = SaturatingMultiply<uint64_t>(elements, dim, &overflow);
      if (dim < 0 || overflow)
        return failure("dims do not give a number of elements");
    }
    if (elements > UINT64_MAX / bits - 7)
      return failure("dims do not give a number of bytes");
    expected = divideCeil(elements * bits, 8);

    if (tensor.data_location() == TensorProto::EXTERNAL)
      return external();
    TensorBytes found;
    if (Error error = fill(found.contents, bits))
      return std::move(error);
    if (found.contents.size() != expected)
      return failure("expects " + Twine(expected) +
                     " bytes of data by its dims and type but got " +
                     Twine(found.contents.size()));
    found.bytes = expected;
    return found;
  }

private:
  Error failure(const Twine &message) {
    return createStringError(errc::invalid_argument,
                             "tensor '" + tensor.name() + "': " + message);
  }

  /// Appends `values` as little-endian integers of `bits` bits.
  template <typename Values>
  static void appendIntegers(std::string &out, const Values &values,
                             unsigned bits) {
    // int32_data holds elements narrower than a byte already packed.
    size_t bytes = std::max(bits / 8, 1u);
    out.reserve(values.size() * bytes);
    for (auto value : values) {
      char buffer[8];
      support::endian::write64le(buffer, static_cast<uint64_t>(value));
      out.append(buffer, bytes);
    }
  }

  /// Copies the elements out of whichever field has them.
  Error fill(std::string &out, unsigned bits) {
    if (tensor.has_raw_data()) {
      out = tensor.raw_data();
      return Error::success();
    }
    switch (tensor.data_type()) {
    case TensorProto::FLOAT:
    case TensorProto::COMPLEX64:
      out.assign(reinterpret_cast<const char *>(tensor.float_data().data()),
                 tensor.float_data_size() * sizeof(float));
      break;
    case TensorProto::DOUBLE:
    case TensorProto::COMPLEX128:
      out.assign(reinterpret_cast<const char *>(tensor.double_data().data()),
                 tensor.double_data_size() * sizeof(double));
      break;
    case TensorProto::INT64:
      appendIntegers(out, tensor.int64_data(), bits);
      break;
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      appendIntegers(out, tensor.uint64_data(), bits);
      break;
    default:
      appendIntegers(out, tensor.int32_data(), bits);
      break;
    }
    return Error::success();
  }

  Expected<TensorBytes> external() {
    StringRef location;
    std::optional<uint64_t> offset, length;
    for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
      StringRef key = entry.key();
      auto number = [&](std::optional<uint64_t> &value) {
        uint64_t parsed;
        if (value || StringRef(entry.value()).getAsInteger(10, parsed))
          return false;
        value = parsed;
        return true;
      };
      if ((key == "offset" && !number(offset)) ||
          (key == "length" && !number(length)) ||
          (key == "location" && !location.empty()))
        return failure("external data has a second or unreadable " + key);
      if (key == "location")
        location = entry.value();
    }
    if (location.empty())
      return failure("external data names no location");
    if (length && *length != expected)
      return failure("expects " + Twine(expected) +
                     " bytes of data by its dims and type but got " +
                     Twine(*length));
    return openRange(location, offset.value_or(0));
  }

  /// Checks that the file at `location` beside the model has our bytes.
  Expected<TensorBytes> openRange(StringRef location, uint64_t offset) {
    if (sys::path::is_absolute(location) ||
        is_contained(
            make_range(sys::path::begin(location), sys::path::end(location)),
            ".."))
      return failure("external data at '" + location +
                     "' is outside of the model's folder");
    SmallString<256> file = sys::path::parent_path(model.path);
    sys::path::append(file, location);
    sys::fs::file_status status;
    if (std::error_code code = sys::fs::status(file, status))
      return failure("external data at '" + file + "': " + code.message());
    if (status.type() != sys::fs::file_type::regular_file)
      return failure("external data at '" + file + "' is not a file");
    if (offset > status.getSize() || expected > status.getSize() - offset)
      return failure("external data at '" + file + "' ends at byte " +
                     Twine(status.getSize()) + " but " + Twine(expected) +
                     " bytes at " + Twine(offset) + " are needed");
    TensorBytes found;
    found.file = file.str().str();
    found.offset = offset;
    found.bytes = expected;
    return found;
  }

  const TensorProto &tensor;
  const OnnxModel &model;
  uint64_t expected = 0; // bytes by dims and type
};

} // namespace

Expected<TensorBytes> tensorBytes(const TensorProto &tensor,
                                  const OnnxModel &model) {
  return Finder(tensor, model).find();
}

} // namespace tessera::onnx_importer
