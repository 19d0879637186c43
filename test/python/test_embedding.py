"""The programs of docs/embedding.md do what the page says."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY, save_twin
from tessera._library import find_in_builds, find_library

PAGE = REPOSITORY / "docs/embedding.md"
PROGRAMS = re.findall(
    r"^```(c|cpp|python)\n(.*?)^```\n```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
)
FLAGS = {"c": ["-std=gnu99", "-pedantic"], "cpp": ["-std=c++17"]}


def compiler(language):
    """The compiler that the project is built with."""
    cache = find_in_builds("CMakeCache.txt")
    if not cache:
        pytest.skip("nothing is built")
    name = {"c": "C", "cpp": "CXX"}[language]
    return re.search(rf"^CMAKE_{name}_COMPILER:\w+=(.+)$", cache.read_text(), re.MULTILINE)[1]


def build(language, source, target):
    """Compiles and links a program; one that compiles models needs more."""
    libraries = [find_library()]
    if compiles(source):
        libraries.append(find_in_builds("lib/libtessera_compiler.so"))
        if not libraries[1] or not find_in_builds("bin/tessera"):
            pytest.skip("the compiler is not built")
    path = target.with_suffix("." + language)
    path.write_text(source)
    command = [compiler(language), "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    command += ["-Wno-missing-field-initializers", *FLAGS[language], str(path)]
    for library in libraries:
        command += [str(library), f"-Wl,-rpath,{library.parent}"]
    command += [f"-I{REPOSITORY}/include", "-pthread", "-o", str(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return [str(target)]


def compiles(source):
    return bool(re.search(r"tessera(::|\.|_)compile", source))


def test_the_page_has_programs():
    languages = [language for language, _, _ in PROGRAMS]
    assert {language: languages.count(language) for language in languages} == {
        "c": 5, "cpp": 4, "python": 4,
    }


@pytest.mark.parametrize("index", range(len(PROGRAMS)))
def test_programs_are_short(index):
    """Fewer than 15 lines, beside includes, imports, comments and blank ones."""
    skipped = re.compile(r"\s*(#include .*|import .*|from .* import .*|/\*.*|#.*|//.*)?")
    lines = [line for line in PROGRAMS[index][1].splitlines() if not skipped.fullmatch(line)]
    assert len(lines) < 15, "\n".join(lines)


@pytest.mark.parametrize("index", range(len(PROGRAMS)))
def test_program(index, add_model, tmp_path):
    language, source, expected = PROGRAMS[index]
    arguments = [add_model]
    if compiles(source):
        arguments = [save_twin(tmp_path / "model.onnx"), tmp_path / "model.so"]
    if language == "python":
        command = [sys.executable, "-c", source]
    else:
        command = build(language, source, tmp_path / "program")
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY / "python"))
    done = subprocess.run(
        [*command, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout == expected
    assert done.returncode == 0
