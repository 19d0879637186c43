// tessera run: runs a model once, on files or on random inputs.
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/CompileArguments.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"
#include "tools/tessera/Profile.h"
#include "tools/tessera/RunInputs.h"
#include "tools/tessera/Subcommands.h"
#include "tools/tessera/Suggestions.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <set>

using namespace tessera;
using namespace tessera::tool;

namespace {

struct RunCommand {
  CompileArguments compile;
  InputArguments inputs;
  std::string model, output, reference, profile;
  double tolerance = -1;
  int threads = 0;
  int64_t repeat = 0;
};

int fail(int code, const llvm::Twine &message) {
  printError(message);
  return code;
}

int exitCodeOf(const tessera::Error &error) {
  switch (error.status()) {
  case TESSERA_UNSUPPORTED_MACHINE:
    return kWrongMachine;
  case TESSERA_OUT_OF_MEMORY:
    return kOutOfMemory;
  case TESSERA_RUN_FAILED:
  case TESSERA_SYSTEM_ERROR:
    return kRunFailed;
  default:
    return kInvalidInput;
  }
}

/// "  name: float32 (8, 128)  0.1, 0.2, ...  2 NaN".
void printArray(const char *kind, const std::string &name,
                const HostArray &array) {
  constexpr int64_t shownElements = 6;
  llvm::outs() << kind << ' ' << name << ": " << tessera_type_name(array.type)
               << ' ' << shapeText(array.shape) << "  ";
  const int64_t count = array.elementCount();
  for (int64_t i = 0; i < std::min(count, shownElements); ++i)
    llvm::outs() << (i ? ", " : "") << array.elementText(i);
  llvm::outs() << (count > shownElements ? ", ..." : "");
  if (isFloat(array.type)) {
    int64_t nans = 0, infinities = 0;
    for (int64_t i = 0; i < count; ++i) {
      double value = array.element(i);
      nans += std::isnan(value);
      infinities += std::isinf(value);
    }
    llvm::outs() << "  (" << nans << " NaN, " << infinities << " infinite)";
  }
  llvm::outs() << '\n';
}

std::vector<std::pair<std::string, View>> viewsOf(NamedArrays &arrays) {
  std::vector<std::pair<std::string, View>> views;
  for (auto &[name, array] : arrays)
    views.emplace_back(name, View(array.bytes.data(), array.type, array.shape));
  return views;
}

NamedArrays arraysOf(const Ports &ports, const std::vector<Tensor> &tensors) {
  NamedArrays arrays;
  for (size_t i = 0; i < tensors.size(); ++i) {
    HostArray array;
    array.type = tensors[i].type();
    array.shape = tensors[i].shape();
    uint64_t bytes = llvm::cantFail(array.expectedBytes());
    const char *data = static_cast<const char *>(tensors[i].bytes());
    array.bytes.assign(data, data + bytes);
    arrays.emplace_back(ports[i].name, std::move(array));
  }
  return arrays;
}

/// Runs `count` times more and prints the times of these.
void measure(const Session &session, NamedArrays &inputs, int64_t count) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> milliseconds;
  for (int64_t i = 0; i < count; ++i) {
    Clock::time_point begin = Clock::now();
    session.run(viewsOf(inputs));
    milliseconds.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - begin)
            .count());
  }
  std::sort(milliseconds.begin(), milliseconds.end());
  auto quantile = [&](double part) {
    return milliseconds[size_t(std::ceil(part * (count - 1)))];
  };
  llvm::outs() << llvm::format(
      "latency: median %.3f ms, min %.3f ms, p90 %.3f ms over %lld runs on %lld "
      "threads\n",
      quantile(0.5), quantile(0), quantile(0.9), (long long)count,
      (long long)session.threads());
}

/// A file name for an array: letters, digits, '.', '-' and '_' stay, others
/// become '_'; a number tells apart those that would meet.
std::string fileNameOf(llvm::StringRef name, std::set<std::string> &taken) {
  std::string base;
  for (char c : name)
    base += llvm::isAlnum(c) || c == '.' || c == '-' || c == '_' ? c : '_';
  if (base.empty() || base[0] == '.')
    base = "_" + base;
  std::string result = base;
  for (int number = 2; !taken.insert(result).second; ++number)
    result = base + "_" + std::to_string(number);
  return result + ".npy";
}

llvm::Error writeOutputs(llvm::StringRef path, const NamedArrays &arrays) {
  if (path.ends_with(".npz"))
    return writeNpz(path, arrays);
  if (std::error_code error = llvm::sys::fs::create_directories(path))
    return llvm::createStringError("cannot make the folder '" + path +
                                   "': " + error.message());
  std::set<std::string> taken;
  for (const auto &[name, array] : arrays) {
    llvm::SmallString<128> file(path);
    llvm::sys::path::append(file, fileNameOf(name, taken));
    if (llvm::Error error = writeNpy(file, array))
      return error;
  }
  return llvm::Error::success();
}

/// Compares the outputs that the file has; returns the exit code.
int compareOutputs(const NamedArrays &outputs, llvm::StringRef path,
                   double tolerance) {
  llvm::Expected<NamedArrays> references = readNpz(path);
  if (!references)
    return fail(kInvalidInput, llvm::toString(references.takeError()));
  int compared = 0, wrong = 0;
  for (const auto &[name, array] : outputs) {
    auto found = llvm::find_if(*references, [&, &name = name](const auto &pair) {
      return pair.first == name;
    });
    if (found == references->end()) {
      llvm::outs() << "compare " << name << ": not in the reference\n";
      continue;
    }
    HostArray &reference = found->second;
    if (reference.type.code == kOpaqueCode &&
        reference.type.bits == array.type.bits)
      reference.type = array.type;
    ArrayDifference difference = compareArrays(array, reference, tolerance);
    ++compared;
    wrong += !difference.problem.empty();
    llvm::outs() << "compare " << name << ": "
                 << llvm::format("absolute %.3g, relative %.3g, ",
                                 difference.absolute, difference.relative)
                 << (difference.problem.empty() ? "ok"
                                                : "WRONG: " + difference.problem)
                 << '\n';
  }
  if (!compared)
    return fail(kInvalidInput, "'" + path + "' has no array called as an output");
  return wrong ? kDifferent : kSuccess;
}

/// The JSON that the compiler wrote into the library.
std::string manifestOf(const std::string &library) {
  TesseraModel *model = nullptr;
  check(tessera_model_load(library.c_str(), nullptr, &model));
  std::string manifest = tessera_model_manifest(model);
  tessera_model_release(model);
  return manifest;
}

/// Loads `library`, runs it, and shows, writes and compares the outputs.
int runLibrary(const RunCommand &command, const std::string &library) {
  TesseraSessionOptions options{};
  options.threads = command.threads;
  CallProfile profile;
  if (!command.profile.empty())
    profile.observe(options);
  Session session(library, options);
  const Ports ports = session.inputs(), outputPorts = session.outputs();
  llvm::Expected<NamedArrays> inputs = makeInputs(
      session.get(), ports, command.inputs, manifestOf(library));
  if (!inputs) {
    std::error_code code;
    std::string message;
    llvm::handleAllErrors(inputs.takeError(),
                          [&](const llvm::StringError &error) {
                            code = error.convertToErrorCode();
                            message = error.getMessage();
                          });
    return fail(code == std::errc::invalid_argument ? kUsageError
                                                    : kInvalidInput,
                message);
  }
  for (const auto &[name, array] : *inputs)
    printArray("input ", name, array);

  NamedArrays outputs = arraysOf(outputPorts, session.run(viewsOf(*inputs)));
  for (const auto &[name, array] : outputs)
    printArray("output", name, array);
  if (!command.profile.empty() && !profile.hasCalls())
    return fail(kInvalidInput, "no profile: the model was made by a compiler "
                               "that does not number its kernel calls; compile "
                               "it again");
  profile.clear(); // the first run also touches memory
  if (command.repeat > 0)
    measure(session, *inputs, command.repeat);
  if (!command.profile.empty())
    if (llvm::Error error = profile.write(command.profile, session, *inputs,
                                          manifestOf(library)))
      return fail(kCannotWrite, llvm::toString(std::move(error)));
  if (!command.output.empty())
    if (llvm::Error error = writeOutputs(command.output, outputs))
      return fail(kCannotWrite, llvm::toString(std::move(error)));
  if (!command.reference.empty())
    return compareOutputs(outputs, command.reference, command.tolerance);
  return kSuccess;
}

int runInOwnProcess(const RunCommand &command, const std::string &library) {
  auto work = [&] {
    try {
      return runLibrary(command, library);
    } catch (const tessera::Error &error) {
      return fail(exitCodeOf(error), error.what());
    }
  };
  if (command.compile.inProcess)
    return work();
  return runInChild(work, {"running '" + command.model + "'", kRunFailed,
                           "please report it, with the model"});
}

bool isLibrary(const std::string &path) {
  llvm::file_magic magic;
  return !llvm::identify_magic(path, magic) &&
         magic == llvm::file_magic::elf_shared_object;
}

int run(RunCommand &command) {
  constexpr int64_t profiledRuns = 10;
  if (!command.profile.empty() && !command.repeat)
    command.repeat = profiledRuns;
  if (!llvm::sys::fs::exists(command.model))
    return fail(kInvalidInput,
                "cannot read '" + command.model + "': no such file");
  if (isLibrary(command.model)) {
    command.inputs.sizes = command.compile.shapes;
    return runInOwnProcess(command, command.model);
  }
  // Compiled for the sizes of --shape, which are then the typical ones.
  if (!parseShapes(command.compile))
    return kUsageError;
  llvm::SmallString<128> folder;
  if (std::error_code error =
          llvm::sys::fs::createUniqueDirectory("tessera-run", folder))
    return fail(kCannotWrite, "cannot make a temporary folder: " + error.message());
  llvm::scope_exit remove([&] { llvm::sys::fs::remove_directories(folder); });
  std::string library = (folder + "/model.so").str();
  command.compile.options.input = command.model;
  command.compile.options.output = library;
  if (int code = compileModel(command.compile))
    return code;
  return runInOwnProcess(command, library);
}

} // namespace

void tool::addRun(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<RunCommand>();
  CLI::App *sub = app.add_subcommand(
      "run", "Run a model on files or on random inputs");
  sub->footer(
      "NAME=FILE is split at the last '=' behind which an existing file is "
      "named.\nRandom inputs are normal floats, fair booleans, and integers "
      "below the length\nof what they index, or 0 and 1.\n\n"
      "Examples:\n"
      "  tessera run model.onnx\n"
      "  tessera run model.onnx --shape seq=1:64:512 --repeat 100\n"
      "  tessera run model.so --input ids=ids.npy --output results.npz\n"
      "  tessera run model.so --input inputs.npz --compare reference.npz\n");
  sub->add_option("model", command->model, "ONNX model, or compiled model")
      ->type_name("MODEL")
      ->required();
  sub->add_option("--input", command->inputs.files,
                  "NAME=FILE (.npy, or .npz with that array), or an .npz with "
                  "several; may be repeated; other inputs are random")
      ->type_name("NAME=FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option("--output", command->output,
                  "Where outputs go: a folder, one .npy each, or FILE.npz")
      ->type_name("DIR|FILE.npz");
  sub->add_option("--compare", command->reference,
                  "Compare outputs with the arrays of these names; exit code 1 "
                  "if one is above the tolerance")
      ->type_name("FILE.npz");
  sub->add_option("--tolerance", command->tolerance,
                  "Largest difference over the largest magnitude of the "
                  "reference (float64 1e-9, float32 1e-4, float16 1e-2, "
                  "bfloat16 5e-2, others 0)")
      ->type_name("NUMBER")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""));
  sub->add_option("--threads", command->threads,
                  "Threads, the caller's included (0: one per core)")
      ->type_name("N")
      ->check(CLI::Range(0, 4096).description(""));
  sub->add_option("--repeat", command->repeat,
                  "Run N times more and print median, least and 90th "
                  "percentile of their times")
      ->type_name("N")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 40).description(""));
  sub->add_option("--profile", command->profile,
                  "Write the seconds of each kernel call, medians of the runs "
                  "that --repeat adds (10), for inspect --html")
      ->type_name("FILE.json");
  sub->add_option("--seed", command->inputs.seed, "Of the random inputs (0)")
      ->type_name("N");
  addMachineAndShape(*sub, command->compile);
  sub->add_flag("--in-process", command->compile.inProcess,
                "Compile and run in this process, for debuggers");
  sub->callback([command, &exitCode] { exitCode = run(*command); });
}
