// Links object code into a shared library by ld.lld.
#include "lib/Target/Artifact/LinkLibrary.h"
#include "lib/Target/Artifact/TemporaryFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <csignal>
#include <optional>

namespace tessera::artifact {
namespace {

llvm::Expected<std::string> findLinker(llvm::StringRef given) {
  if (!given.empty()) {
    if (llvm::sys::fs::can_execute(given))
      return given.str();
    return llvm::createStringError("cannot run the linker '" + given + "'");
  }
  for (llvm::StringRef name : {"ld.lld", "ld.lld-22"})
    if (auto found = llvm::sys::findProgramByName(name))
      return *found;
  if (auto found =
          llvm::sys::findProgramByName("ld.lld", {TESSERA_LLVM_TOOLS_DIR}))
    return *found;
  return llvm::createStringError(
      "cannot find the linker ld.lld: install lld, or emit an object file");
}

/// The C library of this machine by the name that it has at run time, so that
/// no development files are needed.
std::vector<std::string> systemLibraries() {
  std::vector<std::string> found;
  for (const char *name : {"libm.so.6", "libc.so.6"})
    for (const char *folder :
         {"/lib/x86_64-linux-gnu/", "/usr/lib64/", "/lib64/",
          "/usr/lib/x86_64-linux-gnu/", "/usr/lib/"}) {
      std::string path = std::string(folder) + name;
      if (llvm::sys::fs::exists(path)) {
        found.push_back(path);
        break;
      }
    }
  return found;
}

std::string readAll(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().trim().str() : std::string();
}

/// While it lives, programs that this thread starts get an error instead of a
/// signal where they write beyond the limit on the size of files. lld gives the
/// signal a handler of its own, so that ignoring it would not do.
class FileSizeSignalBlocked {
public:
  FileSizeSignalBlocked() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
  }
  ~FileSizeSignalBlocked() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  FileSizeSignalBlocked(const FileSizeSignalBlocked &) = delete;

private:
  sigset_t before;
};

/// What a linker that was killed has begun: files named after the output.
void removeUnfinished(llvm::StringRef outputPath) {
  llvm::StringRef folder = llvm::sys::path::parent_path(outputPath);
  std::string prefix =
      (llvm::sys::path::filename(outputPath) + ".tmp").str();
  std::error_code error;
  for (llvm::sys::fs::directory_iterator
           file(folder.empty() ? "." : folder, error),
       end;
       !error && file != end; file.increment(error))
    if (llvm::sys::path::filename(file->path()).starts_with(prefix))
      llvm::sys::fs::remove(file->path());
}

} // namespace

char UnresolvedSymbols::ID = 0;

llvm::Error linkLibrary(llvm::ArrayRef<std::string> objectPaths,
                        llvm::StringRef outputPath, llvm::StringRef linker) {
  llvm::Expected<std::string> program = findLinker(linker);
  if (!program)
    return program.takeError();
  auto messages = TemporaryFile::create(outputPath, ".log");
  if (!messages)
    return messages.takeError();

  std::vector<std::string> libraries = systemLibraries();
  std::vector<llvm::StringRef> arguments = {
      *program, "-shared", "-o", outputPath, "-znoexecstack", "-zrelro",
      "-znow", "-zdefs", "-zseparate-code", "--gc-sections", "--hash-style=gnu",
      "--build-id=none", "--as-needed",
      // A fixed name: the output's must not reach the bytes.
      "-soname=model.so", "--threads=1"};
  arguments.insert(arguments.end(), objectPaths.begin(), objectPaths.end());
  arguments.insert(arguments.end(), libraries.begin(), libraries.end());
  std::optional<llvm::StringRef> redirects[] = {
      llvm::StringRef(""), llvm::StringRef(messages->path()),
      llvm::StringRef(messages->path())};
  std::string reason;
  int status; // -1: not started, -2: ended by a signal
  {
    FileSizeSignalBlocked blocked;
    status = llvm::sys::ExecuteAndWait(*program, arguments, std::nullopt,
                                       redirects, 0, 0, &reason);
  }
  if (status == 0)
    return llvm::Error::success();
  removeUnfinished(outputPath);
  std::string said = readAll(messages->path());
  if (llvm::StringRef(said).contains("undefined symbol"))
    return llvm::make_error<UnresolvedSymbols>("linking failed (" + *program +
                                               "): " + said);
  // Of a linker that died, what it said is a dump of its stack.
  if (status > 0)
    reason = said.empty() ? "exit code " + std::to_string(status) : said;
  else if (status == -2)
    reason = "ended by a signal: " + reason;
  return llvm::createStringError("linking failed (" + *program +
                                 "): " + reason);
}

} // namespace tessera::artifact
