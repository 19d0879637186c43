// A file that is there only until it is finished.
#include "lib/Target/Artifact/TemporaryFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

namespace tessera::artifact {

llvm::Error fileError(llvm::StringRef verb, llvm::StringRef path,
                      std::error_code reason) {
  return llvm::createStringError(reason, verb + " '" + path +
                                             "': " + reason.message());
}

llvm::Expected<TemporaryFile> TemporaryFile::create(llvm::StringRef target,
                                                    llvm::StringRef suffix) {
  llvm::SmallString<128> model(llvm::sys::path::parent_path(target)), path;
  llvm::sys::path::append(model, "." + llvm::sys::path::filename(target) +
                                     "-%%%%%%%%" + suffix);
  int file = -1;
  if (std::error_code error = llvm::sys::fs::createUniqueFile(
          model, file, path, llvm::sys::fs::OF_None,
          llvm::sys::fs::all_read | llvm::sys::fs::all_write)) {
    llvm::StringRef folder = llvm::sys::path::parent_path(target);
    return fileError("cannot write to folder", folder.empty() ? "." : folder,
                     error);
  }
  llvm::sys::fs::file_t handle = llvm::sys::fs::convertFDToNativeFile(file);
  llvm::sys::fs::closeFile(handle);
  std::string ignored;
  llvm::sys::RemoveFileOnSignal(path, &ignored);
  return TemporaryFile(path.str().str(), target.str());
}

TemporaryFile::TemporaryFile(TemporaryFile &&other)
    : name(std::move(other.name)), target(std::move(other.target)) {
  other.name.clear();
}

TemporaryFile::~TemporaryFile() {
  if (name.empty())
    return;
  llvm::sys::fs::remove(name);
  llvm::sys::DontRemoveFileOnSignal(name);
}

llvm::Error TemporaryFile::keep() {
  if (std::error_code error = llvm::sys::fs::rename(name, target))
    return fileError("cannot write", target, error);
  llvm::sys::DontRemoveFileOnSignal(name);
  name.clear();
  return llvm::Error::success();
}

} // namespace tessera::artifact
