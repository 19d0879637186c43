// The C API of include/tessera/tessera.h.
#include "lib/CAPI/RunProgram.h"
#include "lib/CAPI/CompileFlags.h"
#include "lib/Pipeline/Compiler.h"

#include <cstring>
#include <dlfcn.h>
#include <string>
#include <unistd.h>

using namespace tessera;

namespace {

/// Hands messages to the caller's function, if there is one.
struct Reporter {
  TesseraDiagnosticCallback callback;
  void *user;

  void operator()(const std::string &message) const {
    if (callback)
      callback(user, message.c_str());
  }
};

/// Reports the first argument that is missing; true if none is.
bool checkArguments(const char *input, const char *output,
                    const TesseraCompileOption *options, int64_t optionCount,
                    const Reporter &report) {
  const char *missing = !input                        ? "input"
                        : !output                     ? "output"
                        : !options && optionCount > 0 ? "options"
                                                      : nullptr;
  for (int64_t i = 0; !missing && i < optionCount; ++i)
    if (!options[i].name || !options[i].value)
      missing = "an option's name or value";
  if (missing)
    report(std::string("error: ") + missing + " is NULL");
  return !missing;
}

/// The program `tessera`: bin/ beside this library's folder, else in PATH.
std::string compilerProgram() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&tessera_compile), &info) &&
      info.dli_fname) {
    std::string library = info.dli_fname;
    size_t slash = library.rfind('/');
    std::string folder =
        slash == std::string::npos ? "." : library.substr(0, slash);
    std::string beside = folder + "/../bin/tessera";
    if (access(beside.c_str(), X_OK) == 0)
      return beside;
  }
  return "tessera";
}

} // namespace

extern "C" {

TesseraCompileStatus tessera_compile(const char *input, const char *output,
                                     const TesseraCompileOption *options,
                                     int64_t optionCount,
                                     TesseraDiagnosticCallback diagnostic,
                                     void *user) {
  const Reporter report{diagnostic, user};
  if (!checkArguments(input, output, options, optionCount, report))
    return TESSERA_COMPILE_INVALID_OPTIONS;
  CompileOptions parsed;
  parsed.input = input;
  parsed.output = output;
  for (int64_t i = 0; i < optionCount; ++i) {
    std::string wrong =
        setCompileOption(parsed, options[i].name, options[i].value);
    if (!wrong.empty()) {
      report("error: " + wrong);
      return TESSERA_COMPILE_INVALID_OPTIONS;
    }
  }
  CompileObserver observer;
  observer.diagnostic = report;
  return static_cast<TesseraCompileStatus>(compile(parsed, observer));
}

TesseraCompileStatus tessera_compile_in_child(
    const char *input, const char *output, const TesseraCompileOption *options,
    int64_t optionCount, TesseraDiagnosticCallback diagnostic, void *user) {
  const Reporter report{diagnostic, user};
  if (!checkArguments(input, output, options, optionCount, report))
    return TESSERA_COMPILE_INVALID_OPTIONS;
  std::string program;
  for (int64_t i = 0; i < optionCount; ++i)
    if (std::strcmp(options[i].name, "compiler") == 0)
      program = options[i].value;
  if (program.empty())
    program = compilerProgram();
  ProgramResult result = runProgram(
      program, commandLine(input, output, options, optionCount), report);
  switch (result.kind) {
  case ProgramResult::Exited:
    return static_cast<TesseraCompileStatus>(result.code);
  case ProgramResult::Signalled:
    report("error: the compiler was ended by signal " +
           std::to_string(result.code) + " (" + strsignal(result.code) + ")");
    return TESSERA_COMPILE_CRASHED;
  case ProgramResult::NotStarted:
    report("error: cannot start '" + program + "': " + strerror(result.code));
    return TESSERA_COMPILE_CANNOT_START;
  }
}

} // extern "C"
