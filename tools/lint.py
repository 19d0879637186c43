"""Rules of the repository that no compiler checks. Each function returns a list
of findings, empty when the rule holds; RULES names them for tools/check."""

import re
from pathlib import Path

import messages
import sizes

SOURCE_FOLDERS = ("dialects", "include", "lib", "python", "tools")


def files_below(root, folders, suffixes):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes:
                yield path


def passes_have_tests(root, build):
    """Every pass that a Passes.td defines is named in a lit test."""
    tests = [path.read_text() for path in files_below(root, ["test"], {".mlir", ".test"})]
    findings = []
    for path in files_below(root, ["dialects", "lib"], {".td"}):
        for name in re.findall(r'\bPass<\s*"([a-z0-9-]+)"', path.read_text()):
            # After "--" of the command line, but not inside a longer name.
            word = re.compile(rf"(?<!\w)(?<!\w-){re.escape(name)}(?![\w-])")
            if not any(word.search(text) for text in tests):
                findings.append(f"{path.relative_to(root)}: no lit test names the pass {name}")
    return findings


def sources_are_listed(root, build):
    """Every .cpp and every module of the wheels stands in the CMakeLists.txt of
    its folder or of one above."""
    findings = []
    sources = [*files_below(root, ["dialects", "lib", "tools", "test/unit"], {".cpp"}),
               *files_below(root, ["python/tessera"], {".py"})]
    for path in sources:
        for folder in path.relative_to(root).parents:
            listing = root / folder / "CMakeLists.txt"
            name = path.relative_to(root / folder).as_posix()
            if listing.exists() and re.search(
                rf"(?<![\w/.-]){re.escape(name)}(?![\w.])", listing.read_text()
            ):
                break
        else:
            findings.append(f"{path.relative_to(root)}: in no CMakeLists.txt")
    return findings


def marks_have_conditions(root, build):
    """A TODO says what resolves it: when, once, until, after or if something."""
    mark = re.compile(r"\b(TODO|FIXME|XXX)\b")
    condition = re.compile(r"\b(when|once|until|after|if)\b", re.IGNORECASE)
    findings = []
    suffixes = {".cpp", ".h", ".td", ".py", ".cmake", ".txt"}
    for path in files_below(root, SOURCE_FOLDERS, suffixes):
        if path == Path(__file__).resolve():
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if mark.search(line) and not condition.search(line):
                findings.append(f"{path.relative_to(root)}:{number}: {line.strip()}")
    return findings


def one_copy_of_mlir(root, build):
    """Nothing links a static MLIR library: beside the shared one it would
    register everything twice."""
    ninja = build / "build.ninja"
    if not ninja.exists():
        return [f"{ninja}: does not exist"]
    found = sorted(set(re.findall(r"libMLIR[A-Z]\w*\.a", ninja.read_text())))
    return [f"build.ninja links {library}; link the target MLIR instead" for library in found]


def files_are_short(root, build):
    """No source is longer than sizes.py allows, and one in ten at most longer than
    it allows for nine in ten."""
    every = sizes.lengths(root)
    findings = []
    for lines, path in every:
        if lines > sizes.MOST_LINES:
            findings.append(f"{path}: {lines} lines, at most {sizes.MOST_LINES}")
    of_nine = sizes.percentile([lines for lines, _ in every], 90)
    if of_nine > sizes.MOST_LINES_OF_NINE_IN_TEN:
        findings.append(f"one file in ten has more than {of_nine} lines, "
                        f"at most {sizes.MOST_LINES_OF_NINE_IN_TEN}")
    return findings


def functions_are_narrow(root, build):
    """Few functions take more parameters than sizes.py allows."""
    wide = sizes.wide_functions(root)
    if len(wide) <= sizes.MOST_WIDE_FUNCTIONS:
        return []
    return [f"{path}:{line}: {name} takes {count} parameters, at most {sizes.MOST_PARAMETERS} "
            f"but in {sizes.MOST_WIDE_FUNCTIONS} functions" for path, line, name, count in wide]


def importer_messages_have_tests(root, build):
    """Every message of the importer is in a test."""
    return [f"{path}:{line}: no test has the message: {message}"
            for path, line, message in messages.untested(root)]


RULES = [
    passes_have_tests,
    sources_are_listed,
    marks_have_conditions,
    one_copy_of_mlir,
    files_are_short,
    functions_are_narrow,
    importer_messages_have_tests,
]
