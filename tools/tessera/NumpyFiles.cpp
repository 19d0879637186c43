// NumPy's files. The format is numpy.lib.format's: magic, version, length of the
// header, a Python dict as text, the elements.
#include "tools/tessera/NumpyFiles.h"

#include "tessera/runtime.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <zip.h>

using llvm::StringRef;

namespace tessera::tool {
namespace {

constexpr StringRef kMagic("\x93NUMPY", 6);

llvm::Error bad(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// The text after `'KEY':` in the header's dict.
llvm::Expected<StringRef> valueOf(StringRef header, StringRef key) {
  for (char quote : {'\'', '"'}) {
    std::string quoted = quote + key.str() + quote;
    size_t at = header.find(quoted);
    if (at == StringRef::npos)
      continue;
    StringRef rest = header.substr(at + quoted.size()).ltrim();
    if (rest.consume_front(":"))
      return rest.ltrim();
  }
  return bad("its header has no '" + key + "'");
}

/// "'<f4'": an element type.
llvm::Expected<TesseraElementType> parseType(StringRef text) {
  if (text.empty() || (text[0] != '\'' && text[0] != '"'))
    return bad("its elements are records, which no model takes");
  StringRef name = text.drop_front().split(text[0]).first;
  unsigned bytes = 0;
  if (name.size() < 3 || name.drop_front(2).getAsInteger(10, bytes) ||
      !(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8))
    return bad("its elements are of type '" + name + "', which no model takes");
  int code = llvm::StringSwitch<int>(name.substr(1, 1))
                 .Case("i", 0)
                 .Case("u", 1)
                 .Case("f", bytes >= 2 ? 2 : -1)
                 .Case("V", kOpaqueCode)
                 .Case("b", bytes == 1 ? 6 : -1)
                 .Default(-1);
  if (code < 0)
    return bad("its elements are of type '" + name + "', which no model takes");
  if (name[0] == '>' && bytes > 1)
    return bad("its elements are big-endian ('" + name +
               "'); convert them to little-endian first");
  return TesseraElementType{uint8_t(code), uint8_t(bytes * 8)};
}

/// "(3, 4)".
llvm::Expected<std::vector<int64_t>> parseShape(StringRef text) {
  auto [inside, rest] = text.split(')');
  if (!inside.consume_front("(") || inside.size() == text.size())
    return bad("its header has no shape");
  std::vector<int64_t> shape;
  for (StringRef part : llvm::split(inside, ',')) {
    part = part.trim();
    if (part.empty())
      continue;
    int64_t size;
    if (part.getAsInteger(10, size) || size < 0)
      return bad("its header has the size '" + part + "'");
    shape.push_back(size);
  }
  return shape;
}

/// Column-major to row-major.
void transpose(HostArray &array) {
  const size_t width = array.type.bits / 8, rank = array.shape.size();
  std::vector<char> result(array.bytes.size());
  std::vector<int64_t> index(rank, 0), strides(rank, 1);
  for (size_t i = 1; i < rank; ++i)
    strides[i] = strides[i - 1] * array.shape[i - 1];
  int64_t source = 0;
  for (int64_t i = 0, count = array.elementCount(); i < count; ++i) {
    std::memcpy(&result[i * width], &array.bytes[source * width], width);
    for (size_t dim = rank; dim-- > 0;) {
      source += strides[dim];
      if (++index[dim] < array.shape[dim])
        break;
      source -= strides[dim] * array.shape[dim];
      index[dim] = 0;
    }
  }
  array.bytes = std::move(result);
}

/// The array that the bytes of a .npy file hold.
llvm::Expected<HostArray> parseNpy(StringRef file) {
  using namespace llvm::support::endian;
  if (!file.consume_front(kMagic) || file.size() < 2)
    return bad("it is no .npy file");
  const unsigned major = uint8_t(file[0]);
  if (major < 1 || major > 3)
    return bad("its format version is " + llvm::Twine(major) +
               "; 1 to 3 are known");
  const size_t lengthBytes = major == 1 ? 2 : 4;
  file = file.drop_front(2);
  if (file.size() < lengthBytes)
    return bad("its header is truncated");
  size_t length = major == 1 ? read16le(file.data()) : read32le(file.data());
  file = file.drop_front(lengthBytes);
  if (length > file.size())
    return bad("its header is truncated");
  StringRef header = file.take_front(length), data = file.drop_front(length);

  HostArray array;
  auto type = valueOf(header, "descr"), shape = valueOf(header, "shape"),
       fortran = valueOf(header, "fortran_order");
  llvm::Error missing = llvm::Error::success();
  for (auto *value : {&type, &shape, &fortran})
    if (!*value)
      missing = llvm::joinErrors(std::move(missing), value->takeError());
  if (missing)
    return std::move(missing);
  llvm::Expected<TesseraElementType> parsedType = parseType(*type);
  if (!parsedType)
    return parsedType.takeError();
  llvm::Expected<std::vector<int64_t>> parsedShape = parseShape(*shape);
  if (!parsedShape)
    return parsedShape.takeError();
  array.type = *parsedType;
  array.shape = std::move(*parsedShape);
  llvm::Expected<uint64_t> bytes = array.expectedBytes();
  if (!bytes)
    return bytes.takeError();
  if (data.size() < *bytes)
    return bad("it is truncated: " + shapeText(array.shape) + " needs " +
               llvm::Twine(*bytes) + " bytes but " + llvm::Twine(data.size()) +
               " are there");
  array.bytes.assign(data.begin(), data.begin() + *bytes);
  if (fortran->starts_with("True") && array.shape.size() > 1)
    transpose(array);
  return array;
}

/// The header of a .npy file, a multiple of 64 bytes.
std::string npyHeader(const HostArray &array) {
  const TesseraElementType type = array.type;
  char kind = type.code == 6   ? 'b'
              : type.code == 0 ? 'i'
              : type.code == 1 ? 'u'
              : type.code == 2 ? 'f'
                               : 'V';
  unsigned bytes = type.bits / 8;
  std::string header = std::string("{'descr': '") +
                       (bytes == 1 || kind == 'V' ? '|' : '<') + kind +
                       std::to_string(bytes) +
                       "', 'fortran_order': False, 'shape': " +
                       shapeText(array.shape) + ", }";
  const size_t prefix = kMagic.size() + 4;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string result = kMagic.str() + std::string("\1\0", 2);
  result += char(header.size() & 0xff);
  result += char(header.size() >> 8);
  return result + header;
}

llvm::Error inFile(StringRef path, llvm::Error error) {
  return bad("cannot read '" + path + "': " + llvm::toString(std::move(error)));
}

llvm::Error checkWritable(const HostArray &array) {
  if (array.type.bits % 8 == 0)
    return llvm::Error::success();
  return bad(std::string("NumPy's files do not have elements of type ") +
             tessera_type_name(array.type));
}

/// Writes beside `path` and renames, so that there is no half file.
llvm::Error writeWhole(StringRef path,
                       llvm::function_ref<void(llvm::raw_ostream &)> write) {
  std::string temporary = (path + ".part").str();
  std::error_code error;
  {
    llvm::raw_fd_ostream stream(temporary, error);
    if (!error) {
      write(stream);
      stream.close();
      error = stream.error();
      stream.clear_error();
    }
  }
  if (!error)
    error = llvm::sys::fs::rename(temporary, path);
  if (!error)
    return llvm::Error::success();
  (void)llvm::sys::fs::remove(temporary);
  return bad("cannot write '" + path + "': " + error.message());
}

using Archive = std::unique_ptr<zip_t, decltype(&zip_discard)>;

llvm::Expected<Archive> openArchive(StringRef path, int flags) {
  int code = 0;
  zip_t *archive = zip_open(path.str().c_str(), flags, &code);
  if (archive)
    return Archive(archive, zip_discard);
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  return bad("cannot open '" + path + "': " + message);
}

/// The bytes of member `index`, whose checksum is verified.
llvm::Expected<std::string> readMember(zip_t *archive, uint64_t index,
                                       uint64_t bytes) {
  zip_file_t *member = zip_fopen_index(archive, index, 0);
  if (!member)
    return bad(zip_strerror(archive));
  llvm::scope_exit close([&] { zip_fclose(member); });
  std::string content(bytes, '\0');
  for (uint64_t at = 0; at < bytes;) {
    zip_int64_t count = zip_fread(member, &content[at], bytes - at);
    if (count <= 0)
      return bad(count < 0 ? zip_file_strerror(member) : "it is truncated");
    at += count;
  }
  char beyond; // the checksum is looked at after the last byte
  if (zip_fread(member, &beyond, 1) < 0)
    return bad(zip_file_strerror(member));
  return content;
}

} // namespace

llvm::Expected<HostArray> readNpy(StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return bad("cannot read '" + path + "': " + buffer.getError().message());
  llvm::Expected<HostArray> array = parseNpy((*buffer)->getBuffer());
  if (!array)
    return inFile(path, array.takeError());
  return array;
}

llvm::Expected<NamedArrays> readNpz(StringRef path) {
  llvm::Expected<Archive> archive = openArchive(path, ZIP_RDONLY);
  if (!archive)
    return archive.takeError();
  NamedArrays arrays;
  for (zip_int64_t i = 0, n = zip_get_num_entries(archive->get(), 0); i < n;
       ++i) {
    zip_stat_t info;
    if (zip_stat_index(archive->get(), i, 0, &info) != 0)
      return inFile(path, bad(zip_strerror(archive->get())));
    StringRef name = info.name;
    if (!name.consume_back(".npy"))
      continue;
    llvm::Expected<std::string> content =
        readMember(archive->get(), i, info.size);
    llvm::Error error = llvm::Error::success();
    if (!content) {
      error = llvm::joinErrors(std::move(error), content.takeError());
    } else if (auto array = parseNpy(*content)) {
      arrays.emplace_back(name.str(), std::move(*array));
    } else {
      error = llvm::joinErrors(std::move(error), array.takeError());
    }
    if (error)
      return bad("cannot read array '" + name + "' of '" + path +
                 "': " + llvm::toString(std::move(error)));
  }
  return arrays;
}

llvm::Error writeNpy(StringRef path, const HostArray &array) {
  if (llvm::Error error = checkWritable(array))
    return error;
  return writeWhole(path, [&](llvm::raw_ostream &stream) {
    stream << npyHeader(array);
    stream.write(array.bytes.data(), array.bytes.size());
  });
}

llvm::Error writeNpz(StringRef path, const NamedArrays &arrays) {
  std::vector<std::string> contents; // libzip reads them when it closes
  for (const auto &[name, array] : arrays) {
    if (llvm::Error error = checkWritable(array))
      return error;
    contents.push_back(npyHeader(array));
    contents.back().append(array.bytes.begin(), array.bytes.end());
  }
  llvm::Expected<Archive> archive = openArchive(path, ZIP_CREATE | ZIP_TRUNCATE);
  if (!archive)
    return archive.takeError();
  auto failed = [&] {
    return bad("cannot write '" + path + "': " + zip_strerror(archive->get()));
  };
  for (size_t i = 0; i < arrays.size(); ++i) {
    zip_source_t *source = zip_source_buffer(archive->get(), contents[i].data(),
                                             contents[i].size(), /*freep=*/0);
    zip_int64_t index =
        source ? zip_file_add(archive->get(), (arrays[i].first + ".npy").c_str(),
                              source, ZIP_FL_ENC_UTF_8)
               : -1;
    if (index < 0) {
      zip_source_free(source);
      return failed();
    }
    // As numpy.savez; weights and activations hardly deflate. A fixed time:
    // the same arrays give the same file.
    if (zip_set_file_compression(archive->get(), index, ZIP_CM_STORE, 0) != 0 ||
        zip_file_set_mtime(archive->get(), index, 315532800, 0) != 0)
      return failed();
  }
  if (zip_close(archive->get()) != 0)
    return failed();
  archive->release(); // closing gave it back
  return llvm::Error::success();
}

} // namespace tessera::tool
