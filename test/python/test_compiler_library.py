"""The compiler's C API, in process and in a child process, from a C program."""

import re
import subprocess

import pytest
from conftest import REPOSITORY, save_twin
from tessera._library import find_in_builds

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <tessera/tessera.h>

static void print(void *user, const char *message) {
  printf("%s%s\n", (const char *)user, message);
}

/* program MODE INPUT OUTPUT [NAME VALUE]... */
int main(int argc, char **argv) {
  TesseraCompileOption options[8];
  int count = 0;
  for (int i = 4; i + 1 < argc; i += 2, ++count) {
    options[count].name = argv[i];
    options[count].value = argv[i + 1];
  }
  return strcmp(argv[1], "child") == 0
             ? tessera_compile_in_child(argv[2], argv[3], options, count, print, "> ")
             : tessera_compile(argv[2], argv[3], options, count, print, "> ");
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    library = find_in_builds("lib/libtessera_compiler.so")
    if not library or not find_in_builds("bin/tessera"):
        pytest.skip("the compiler is not built")
    cache = find_in_builds("CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.+)$", cache, re.MULTILINE)[1]
    folder = tmp_path_factory.mktemp("compiler")
    (folder / "main.c").write_text(PROGRAM)
    subprocess.run(
        [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{REPOSITORY}/include"]
        + [str(folder / "main.c"), str(library), f"-Wl,-rpath,{library.parent}"]
        + ["-o", str(folder / "program")],
        check=True,
    )
    return folder / "program"


def run(program, *arguments):
    """Exit code and what the callback received."""
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("mode", ["here", "child"])
def test_compiles_to_a_state(program, tmp_path, mode):
    model = save_twin(tmp_path / "twin.onnx")
    output = tmp_path / "twin.mlir"
    flags = ["emit", "graph", "opt-level", "2", "shape", "n=1:8:1000", "cpu", "x86-64-v3"]
    code, text = run(program, mode, model, output, *flags)
    assert (code, text) == (0, "")
    assert "graph.symbol @n min 1 typical 8 max 1000" in output.read_text()


@pytest.mark.parametrize("mode", ["here", "child"])
def test_errors_reach_the_callback(program, tmp_path, mode):
    code, text = run(program, mode, tmp_path / "none.onnx", tmp_path / "out.so")
    assert code == 3
    assert text.startswith("> error: ") and "none.onnx" in text
    assert not (tmp_path / "out.so").exists()


def test_unknown_options_are_refused(program):
    assert run(program, "here", "m.onnx", "m.so", "colour", "red") == (
        2,
        "> error: unknown option 'colour'\n",
    )
    code, text = run(program, "child", "m.onnx", "m.so", "colour", "red")
    assert code == 2 and "colour" in text


def test_a_crash_of_the_child_is_an_error(program, tmp_path):
    crash = tmp_path / "crash"
    crash.write_text("#!/bin/sh\necho working\nkill -ABRT $$\n")
    crash.chmod(0o755)
    code, text = run(program, "child", "m.onnx", "m.so", "compiler", crash)
    assert code == 7
    assert text == "> working\n> error: the compiler was ended by signal 6 (Aborted)\n"


def test_a_missing_program_is_an_error(program):
    code, text = run(program, "child", "m.onnx", "m.so", "compiler", "/nowhere/tessera")
    assert code == 6
    assert text == "> error: cannot start '/nowhere/tessera': No such file or directory\n"
