"""Lists the importer's messages that no test has:

    python tools/messages.py [ROOT]

A message counts as tested if a test's text has all its words, in order: those of its
literal parts, with anything between them. tools/check holds it (lint.py)."""

import re
import sys
from pathlib import Path

# What takes a message: those that report, those that make an error, and those that
# have a run fail. A check of a schema returns its text.
REPORTERS = re.compile(
    r"\b(?:error|refuse|report\w+|createStringError|emitError|failure|malformed|require[A-Z]\w+)"
    r"\s*\(|\breturn (?=\")")
TEXT = re.compile(r'"((?:\\.|[^"\\])*)"')
TEST_SUFFIXES = {".onnxtxt", ".py", ".test", ".cpp", ".txt"}
# What no test can afford, by its first words.
UNTESTABLE = (
    "the model has",  # more than 2 GiB without its large tensors
)


def calls(text):
    """(line, text between the brackets) of each call of a reporter."""
    for match in REPORTERS.finditer(text):
        depth, end, in_text = 1, match.end(), False
        while depth and end < len(text):
            c = text[end]
            if c == '"' and text[end - 1] != "\\":
                in_text = not in_text
            elif not in_text:
                depth += (c == "(") - (c in ");" if depth == 1 else c == ")")
            end += 1
        yield text.count("\n", 0, match.start()) + 1, text[match.end():end - 1]


def parts_of(argument):
    """The literal parts of a message, between what is put in at run time."""
    joined = re.sub(r'"\s*\n?\s*"', "", argument)
    return tuple(part.replace('\\"', '"').strip() for part in TEXT.findall(joined)
                 if re.search(r"[a-z]{3}", part))


def messages(root):
    """(path, line, literal parts) of each message of the importer."""
    for path in sorted((root / "lib/Importer").rglob("*.cpp")):
        if path.parent.name == "Contrib":
            continue  # its functions return the text of nodes
        for line, argument in calls(path.read_text()):
            # The texts of a choice are messages each.
            for parts in ([(part,) for part in parts_of(argument)] if " ? " in argument
                          else [parts_of(argument)]):
                if any(" " in part for part in parts) and not parts[0].startswith(UNTESTABLE):
                    yield path.relative_to(root).as_posix(), line, parts


def untested(root):
    """The messages that no test has. Where several places say the same, a test's
    lines are shared out among them."""
    lines = []
    for path in sorted((root / "test").rglob("*")):
        if path.suffix in TEST_SUFFIXES and "conformance" not in path.parts:
            text = path.read_text()
            # A statement is a line, and a text in pieces one.
            lines += ([re.sub(r'"\s*"', "", " ".join(part.split())) for part in text.split(";")]
                      if path.suffix == ".cpp" else text.splitlines())
    places = {}
    for path, line, parts in messages(root):
        places.setdefault(parts, []).append((path, line))
    found = []
    for parts, where in places.items():
        pattern = re.compile(".*?".join(re.escape(part) for part in parts))
        tested = sum(bool(pattern.search(line)) for line in lines)
        found += [(*place, " … ".join(parts)) for place in where[tested:]]
    return sorted(found)


if __name__ == "__main__":
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
    missing = untested(root)
    for path, line, message in missing:
        print(f"{path}:{line}: {message}")
    print(f"{len(list(messages(root)))} messages, {len(missing)} in no test")
