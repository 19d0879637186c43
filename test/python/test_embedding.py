"""The programs of docs/embedding.md do what the page says."""

import os
import re
import subprocess
import sys

import pytest
from conftest import REPOSITORY
from tessera._library import find_in_builds, find_library

PAGE = REPOSITORY / "docs/embedding.md"
PROGRAMS = re.findall(
    r"^```(c|cpp|python)\n(.*?)^```\n```text\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL
)
FLAGS = {"c": ["-std=c99", "-pedantic"], "cpp": ["-std=c++17"]}


def compiler(language):
    """The compiler that the project is built with."""
    cache = find_in_builds("CMakeCache.txt")
    if not cache:
        pytest.skip("nothing is built")
    if "TESSERA_SANITIZE:STRING=\n" not in cache.read_text():
        pytest.skip("a plain program cannot load a library with sanitizers")
    name = {"c": "C", "cpp": "CXX"}[language]
    return re.search(rf"^CMAKE_{name}_COMPILER:\w+=(.+)$", cache.read_text(), re.MULTILINE)[1]


def build(language, source, target):
    library = find_library()
    path = target.with_suffix("." + language)
    path.write_text(source)
    command = [compiler(language), "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
    command += ["-Wno-missing-field-initializers", *FLAGS[language], str(path), str(library)]
    command += [f"-I{REPOSITORY}/include", f"-Wl,-rpath,{library.parent}", "-o", str(target)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return [str(target)]


def test_the_page_has_programs():
    assert [language for language, _, _ in PROGRAMS] == ["c", "cpp", "python", "c"]


@pytest.mark.parametrize("index", range(len(PROGRAMS)))
def test_program(index, add_model, tmp_path):
    language, source, expected = PROGRAMS[index]
    if language == "python":
        command = [sys.executable, "-c", source]
    else:
        command = build(language, source, tmp_path / "program")
    environment = dict(os.environ, PYTHONPATH=str(REPOSITORY / "python"))
    done = subprocess.run(
        [*command, str(add_model)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.stdout == expected
    assert done.returncode == 0
