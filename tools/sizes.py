"""Prints how large the sources are, and what is too large:

    python tools/sizes.py [ROOT]

Files above 450 lines, the 90th percentile of their lengths, and functions and
constructors of more than six parameters. tools/check holds it (lint.py)."""

import ast
import re
import sys
from pathlib import Path

FOLDERS = ("dialects", "include", "lib", "tools", "python", "test")
SUFFIXES = {".c", ".cpp", ".h", ".td", ".py", ".mlir", ".test", ".onnxtxt", ".cmake", ".sh"}
CPP = {".c", ".cpp", ".h"}

MOST_LINES = 450
MOST_LINES_OF_NINE_IN_TEN = 317
MOST_PARAMETERS = 6
# How many functions may take more.
MOST_WIDE_FUNCTIONS = 5


def sources(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in SUFFIXES or path.name == "CMakeLists.txt":
                if path.is_file() and "__pycache__" not in path.parts:
                    yield path


def lengths(root):
    """(lines, path below root) of every source, the longest first."""
    found = [(len(path.read_text().splitlines()), path.relative_to(root).as_posix())
             for path in sources(root)]
    return sorted(found, key=lambda each: (-each[0], each[1]))


def percentile(numbers, percent):
    """The least number that `percent` of the numbers do not exceed."""
    ordered = sorted(numbers)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def without_comments_and_texts(text):
    """C++ with comments blank and texts empty."""
    token = re.compile(
        r'R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.S)

    def replace(match):
        lines = "\n" * match[0].count("\n")
        return (" " if match[0].startswith("/") else '""') + lines

    return token.sub(replace, text)


def split_parameters(text):
    """The parts of `text` between its commas outside of brackets."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        if c in "([{<":
            depth += 1
        elif c in ")]}" or (c == ">" and text[i - 1] != "-"):
            depth -= 1
        elif c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [part for part in [*parts, text[start:].strip()] if part]


# `const Type<A, B> &name = value`, which no argument of a call looks like.
PARAMETER = re.compile(r"^(?:const )?[\w:]+(?:<.*>)?(?: const)?(?: ?[*&]+ ?| )\w+(?:\[\d*\])?(?: ?=.*)?$", re.S)


def cpp_functions(text):
    """(name, line, number of parameters) of each function, constructor and lambda
    that is declared in C++ text. Not those whose parameters a definition in TableGen
    gives: verifiers of attributes, and builders of operations."""
    text = without_comments_and_texts(text)
    for match in re.finditer(r"([\w:~]+|\]) ?\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += (text[end] == "(") - (text[end] == ")")
            end += 1
        inside = " ".join(text[match.end():end - 1].split())
        parameters = split_parameters(inside)
        named = sum(bool(PARAMETER.match(part)) for part in parameters)
        # Some may have a type only.
        if not parameters or named < max(1, len(parameters) - 2):
            continue
        name = "lambda" if match[1] == "]" else match[1]
        if "emitError" in parameters[0] or (name.endswith("build") and "OpBuilder" in parameters[0]):
            continue
        yield name, text.count("\n", 0, match.start()) + 1, len(parameters)


def python_functions(text):
    """The same of Python text, counting what a call must give: what has a default is
    given by name where it is given."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = node.args
            names = [a.arg for a in [*arguments.posonlyargs, *arguments.args]]
            required = names[:len(names) - len(arguments.defaults)]
            required += [a.arg for a, default in
                         zip(arguments.kwonlyargs, arguments.kw_defaults) if default is None]
            yield node.name, node.lineno, len([n for n in required if n not in ("self", "cls")])


def wide_functions(root):
    """(path, line, name, parameters) of functions that take more than six; a
    declaration and its definition are one."""
    found, seen = [], set()
    for path in sources(root):
        functions = (cpp_functions if path.suffix in CPP else
                     python_functions if path.suffix == ".py" else None)
        if not functions:
            continue
        name_of_file = path.relative_to(root).as_posix()
        for name, line, count in functions(path.read_text()):
            key = (path.parent, name.rpartition(":")[2], count)
            if count > MOST_PARAMETERS and (name == "lambda" or key not in seen):
                seen.add(key)
                found.append((name_of_file, line, name, count))
    return found


def main(root):
    every = lengths(root)
    print(f"{len(every)} files; 90th percentile {percentile([n for n, _ in every], 90)} lines, "
          f"at most {MOST_LINES_OF_NINE_IN_TEN}")
    for lines, path in every:
        if lines > MOST_LINES:
            print(f"{path}: {lines} lines, at most {MOST_LINES}")
    wide = wide_functions(root)
    print(f"{len(wide)} functions of more than {MOST_PARAMETERS} parameters, "
          f"at most {MOST_WIDE_FUNCTIONS}")
    for path, line, name, count in wide:
        print(f"{path}:{line}: {name} has {count}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1]))
