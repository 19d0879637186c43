#include "lib/CAPI/CompileFlags.h"

#include <charconv>
#include <cstring>
#include <map>

namespace tessera {
namespace {

const std::map<std::string, EmitKind> &emitKinds() {
  static const std::map<std::string, EmitKind> kinds = {
      {"graph", EmitKind::Graph},   {"kernel", EmitKind::Kernel},
      {"buffer", EmitKind::Buffer}, {"llvm", EmitKind::Llvm},
      {"asm", EmitKind::Assembly},  {"object", EmitKind::Object},
      {"so", EmitKind::Library},
  };
  return kinds;
}

std::string badValue(const std::string &name, const std::string &value,
                     const std::string &expected) {
  return "option '" + name + "' expects " + expected + " but got '" + value +
         "'";
}

} // namespace

std::string setCompileOption(CompileOptions &options, const std::string &name,
                             const std::string &value) {
  const std::map<std::string, std::string *> texts = {
      {"cpu", &options.cpu},         {"machine", &options.machineFile},
      {"weights", &options.weights}, {"save-states", &options.saveStates},
      {"report", &options.report},
      {"precision", &options.precision},
  };
  if (auto text = texts.find(name); text != texts.end()) {
    *text->second = value;
    return "";
  }
  if (name == "shape") {
    size_t equals = value.rfind('='); // names may contain one
    if (equals == std::string::npos || equals == 0)
      return badValue(name, value, "NAME=SIZE or NAME=MIN:TYPICAL:MAX");
    options.shapes.emplace_back(value.substr(0, equals),
                                value.substr(equals + 1));
    return "";
  }
  if (name == "load-pass-plugin") {
    options.passPlugins.push_back(value);
    return "";
  }
  if (name == "run-passes") {
    size_t equals = value.find('='); // a pipeline's options may have one
    if (equals == std::string::npos)
      return badValue(name, value, "STATE=PIPELINE");
    options.extraPasses.emplace_back(value.substr(0, equals),
                                     value.substr(equals + 1));
    return "";
  }
  if (name == "tap") {
    options.taps.push_back(value);
    return "";
  }
  if (name == "opt-level") {
    if (value.size() != 1 || value[0] < '0' || value[0] > '3')
      return badValue(name, value, "0, 1, 2 or 3");
    options.optimizationLevel = value[0] - '0';
    return "";
  }
  if (name == "jobs") {
    unsigned jobs = 0;
    const char *end = value.data() + value.size();
    auto [read, error] = std::from_chars(value.data(), end, jobs);
    if (error != std::errc() || read != end || jobs > 1024)
      return badValue(name, value, "a number from 0 to 1024");
    options.jobs = jobs;
    return "";
  }
  if (name == "emit") {
    auto kind = emitKinds().find(value);
    if (kind == emitKinds().end())
      return badValue(name, value,
                      "graph, kernel, buffer, llvm, asm, object or so");
    options.emit = kind->second;
    return "";
  }
  return "unknown option '" + name + "'";
}

std::vector<std::string> commandLine(const char *input, const char *output,
                                     const TesseraCompileOption *options,
                                     int64_t optionCount) {
  std::vector<std::string> arguments = {"compile", input, "-o", output};
  for (int64_t i = 0; i < optionCount; ++i) {
    const std::string name = options[i].name;
    if (name == "compiler")
      continue;
    arguments.push_back(name == "opt-level"
                            ? std::string("-O") + options[i].value
                            : "--" + name + "=" + options[i].value);
  }
  return arguments;
}

} // namespace tessera
