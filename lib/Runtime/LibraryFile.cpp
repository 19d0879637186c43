#include "LibraryFile.h"

#include <cerrno>
#include <cstring>
#include <elf.h>
#include <fstream>

namespace tessera::runtime {
namespace {

template <typename T> bool readAt(std::ifstream &file, uint64_t at, T &value) {
  return file.seekg(at) &&
         file.read(reinterpret_cast<char *>(&value), sizeof value);
}

Status truncated(const std::string &path, uint64_t fileBytes) {
  return failure(TESSERA_INVALID_MODEL, "'", path,
                 "' is truncated: it has only ", fileBytes, " bytes");
}

} // namespace

Status checkLibraryFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file)
    return failure(TESSERA_INVALID_MODEL, "cannot open model '", path,
                   "': ", strerror(errno));
  const uint64_t fileBytes = file.tellg();
  Elf64_Ehdr header;
  if (!readAt(file, 0, header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return failure(TESSERA_INVALID_MODEL, "'", path,
                   "' is not a shared library");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
      header.e_type != ET_DYN || header.e_phentsize != sizeof(Elf64_Phdr))
    return failure(TESSERA_INVALID_MODEL, "'", path,
                   "' is not a shared library for x86-64");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!readAt(file, header.e_phoff + i * sizeof segment, segment))
      return truncated(path, fileBytes);
    if (segment.p_type == PT_LOAD &&
        (segment.p_offset > fileBytes ||
         segment.p_filesz > fileBytes - segment.p_offset))
      return truncated(path, fileBytes);
  }
  return Status();
}

} // namespace tessera::runtime
