// Text that is written to a file in full or not at all.
#include "lib/Pipeline/OutputFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

using namespace llvm;

std::error_code tessera::writeOutput(const std::string &path,
                                     function_ref<void(raw_ostream &)> write) {
  std::error_code error;
  std::string temporary = path == "-" ? path : path + ".part";
  if (path != "-")
    sys::RemoveFileOnSignal(temporary);
  raw_fd_ostream stream(temporary, error);
  if (error)
    return error;
  write(stream);
  stream.close();
  error = stream.error();
  stream.clear_error();
  if (path != "-" && !error)
    error = sys::fs::rename(temporary, path);
  if (path != "-" && error)
    (void)sys::fs::remove(temporary);
  sys::DontRemoveFileOnSignal(temporary);
  return error;
}

bool tessera::isNoRegularFile(const std::string &path) {
  sys::fs::file_status status;
  return path != "-" && !sys::fs::status(path, status) &&
         !sys::fs::is_regular_file(status);
}
