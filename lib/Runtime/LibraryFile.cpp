#include "LibraryFile.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace tessera::runtime {
namespace {

template <typename T> bool readAt(int file, uint64_t at, T &value) {
  return pread(file, &value, sizeof value, off_t(at)) == sizeof value;
}

/// A path to the open file that this process has not used before. The loader
/// takes a name that it knows for the library that it loaded under this name,
/// whatever the file is now, and descriptors are given out again. So each load
/// spells the same path in its own way: "/" and "/./" are the bits of a counter.
std::string uniquePath(int file) {
  static std::atomic<uint64_t> loads{0};
  std::string path = "/proc/self/fd";
  for (uint64_t number = ++loads; number; number >>= 1)
    path += number & 1 ? "/." : "/";
  return path + "/" + std::to_string(file);
}

} // namespace

LibraryFile::LibraryFile(LibraryFile &&other) noexcept {
  *this = std::move(other);
}

LibraryFile &LibraryFile::operator=(LibraryFile &&other) noexcept {
  std::swap(path, other.path);
  std::swap(file, other.file);
  std::swap(machineCodeBytes, other.machineCodeBytes);
  std::swap(library, other.library);
  return *this;
}

LibraryFile::~LibraryFile() {
  if (library)
    dlclose(library);
  close();
}

void LibraryFile::close() {
  if (file >= 0)
    ::close(file);
  file = -1;
}

Result<LibraryFile> LibraryFile::open(const std::string &path) {
  LibraryFile opened;
  opened.path = path;
  opened.file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened.file < 0)
    return failure(TESSERA_INVALID_MODEL, "cannot open model '", path,
                   "': ", strerror(errno));
  if (Status bad = opened.check(); !bad.ok())
    return bad;
  return Result<LibraryFile>(std::move(opened));
}

Status LibraryFile::check() {
  struct stat info;
  if (fstat(file, &info) != 0)
    return failure(TESSERA_INVALID_MODEL, "cannot read model '", path,
                   "': ", strerror(errno));
  if (!S_ISREG(info.st_mode))
    return failure(TESSERA_INVALID_MODEL, "'", path, "' is not a shared library but a folder or a device");
  const uint64_t fileBytes = info.st_size;
  auto truncated = [&] {
    return failure(TESSERA_INVALID_MODEL, "'", path,
                   "' is truncated: it has only ", fileBytes, " bytes");
  };
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
      return truncated();
    if (segment.p_type == PT_LOAD &&
        (segment.p_offset > fileBytes ||
         segment.p_filesz > fileBytes - segment.p_offset))
      return truncated();
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X))
      machineCodeBytes += segment.p_filesz;
  }
  return Status();
}

Status LibraryFile::load() {
  library = dlopen(uniquePath(file).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library && access("/proc/self/fd", F_OK) != 0) {
    // No /proc: by its name, which dlopen looks up in the system's folders if
    // it has no slash.
    std::string name =
        path.find('/') == std::string::npos ? "./" + path : path;
    library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (library)
    return Status();
  return failure(TESSERA_INVALID_MODEL, "'", path,
                 "' is not a loadable library: ", dlerror());
}

const void *LibraryFile::find(const char *symbol) const {
  return dlsym(library, symbol);
}

} // namespace tessera::runtime
