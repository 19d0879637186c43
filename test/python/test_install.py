"""An installed Tessera is found and used by a C program of another project."""

import os
import shutil

import pytest
from processes import run

PROGRAM = r"""
#include <tessera/runtime.h>
#include <stdio.h>
int main(int argc, char **argv) {
  TesseraModel *model;
  if (tessera_model_load(argv[1], NULL, &model)) {
    puts(tessera_error_message());
    return 1;
  }
  printf("%s %s", tessera_runtime_version(), tessera_model_table(model)->entries[0].name);
  tessera_model_release(model);
  return 0;
}
"""

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(Consumer C)
find_package(Tessera 0.1 REQUIRED)
add_executable(consumer main.c)
target_link_libraries(consumer Tessera::runtime)
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "main.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(PROJECT)
    return tmp_path


def check(consumer, model, settings, environment=None):
    version = settings["CMAKE_PROJECT_VERSION"]
    assert run(consumer, model, env=environment) == f"{version} main"


def test_find_package(prefix, project, settings, add_model):
    out = project / "out"
    run("cmake", "-G", "Ninja", "-S", project, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_C_COMPILER={settings['CMAKE_C_COMPILER']}")
    run("cmake", "--build", out)
    check(out / "consumer", add_model, settings)


@pytest.mark.skipif(not shutil.which("pkg-config"), reason="no pkg-config")
def test_pkg_config(prefix, project, settings, add_model):
    [pc] = prefix.rglob("tessera-runtime.pc")
    environment = dict(os.environ, PKG_CONFIG_PATH=str(pc.parent))
    flags = run("pkg-config", "--cflags", "--libs", "tessera-runtime", env=environment).split()
    consumer = project / "consumer"
    run(settings["CMAKE_C_COMPILER"], project / "main.c", "-o", consumer, *flags)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(pc.parents[1]))
    check(consumer, add_model, settings, environment)


def test_installed_tools_run(prefix):
    assert "LLVM version 22" in run(prefix / "bin/tessera-opt", "--version")
