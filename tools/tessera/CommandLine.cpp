// Parses the command line of `tessera`.
#include "tools/tessera/CommandLine.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"
#include "tools/tessera/Suggestions.h"

#include "llvm/ADT/StringExtras.h"

using namespace tessera::tool;

namespace {

std::vector<std::string> commandNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::App *sub : app.get_subcommands({}))
    names.push_back(sub->get_name());
  return names;
}

constexpr size_t kHelpColumn = 26, kHelpWidth = 80;

/// Breaks the descriptions of options, whose lines CLI11 indents.
class HelpFormatter : public CLI::Formatter {
public:
  std::string make_option_desc(const CLI::Option *option) const override {
    const std::string text = CLI::Formatter::make_option_desc(option);
    std::string result;
    size_t column = 0;
    for (llvm::StringRef word : llvm::split(text, ' ')) {
      if (column && column + 1 + word.size() > kHelpWidth - kHelpColumn) {
        result += '\n';
        column = 0;
      }
      result += (column ? " " : "") + word.str();
      column += word.size() + (column ? 1 : 0);
    }
    return result;
  }
};

/// "--shape", "-O".
std::vector<std::string> optionNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options()) {
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
    for (const std::string &name : option->get_snames())
      names.push_back("-" + name);
  }
  return names;
}

int usageError(const std::string &message, const CLI::App &app) {
  printError(message);
  const CLI::App *parent = app.get_parent();
  printMessage("note: see tessera " + (parent ? app.get_name() + " " : "") +
               "--help");
  return kUsageError;
}

/// The first argument that nothing takes.
int reportExtra(const CLI::App &app, const std::string &extra) {
  if (extra.size() > 1 && extra[0] == '-') {
    std::string name = extra.substr(0, extra.find('='));
    return usageError("unknown option '" + name + "'" +
                          suggestion(name, optionNames(app)),
                      app);
  }
  return usageError("unexpected argument '" + extra + "'", app);
}

int report(CLI::App &app, const CLI::ParseError &error, int argc, char **argv) {
  std::vector<CLI::App *> chosen = app.get_subcommands();
  if (chosen.empty()) {
    // The first word that is no option was meant as a subcommand.
    for (int i = 1; i < argc; ++i)
      if (argv[i][0] != '-')
        return usageError("unknown command '" + std::string(argv[i]) + "'" +
                              suggestion(argv[i], commandNames(app)),
                          app);
    if (argc > 1)
      return reportExtra(app, argv[1]);
    return usageError("no command is given" + suggestion("", commandNames(app)),
                      app);
  }
  std::vector<std::string> extras = chosen[0]->remaining(true);
  if (dynamic_cast<const CLI::ExtrasError *>(&error) && !extras.empty())
    return reportExtra(*chosen[0], extras[0]);
  return usageError(error.what(), *chosen[0]);
}

} // namespace

std::shared_ptr<CLI::Formatter> tessera::tool::makeHelpFormatter() {
  auto formatter = std::make_shared<HelpFormatter>();
  formatter->column_width(kHelpColumn);
  return formatter;
}

const char *const tessera::tool::kExitCodesText =
    "Exit codes:\n"
    "  0    done\n"
    "  1    run --compare: an output is above the tolerance\n"
    "  2    wrong command line, or a size that the model does not have\n"
    "  3    unreadable or contradictory model, library or input\n"
    "  4    the model uses what is not supported\n"
    "  5    the output cannot be written\n"
    "  6    the model needs a CPU that this is not\n"
    "  7    the run of a model failed\n"
    "  70   a fault of the compiler\n"
    "  71   out of memory\n"
    "  130  interrupted (SIGINT); 143: terminated (SIGTERM)\n"
    "docs/troubleshooting.md says what to do about each.\n";

int tessera::tool::parseCommandLine(CLI::App &app, int argc, char **argv,
                                    int &exitCode) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &help) { // --help, --version
    return app.exit(help);
  } catch (const CLI::ParseError &error) {
    return report(app, error, argc, argv);
  }
  return exitCode;
}
