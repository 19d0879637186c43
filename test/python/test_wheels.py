"""The wheels: built, installed into a fresh environment, and used there."""

import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import REPOSITORY, save_twin
from tessera._library import find_in_builds

pytest.importorskip("scikit_build_core")
FLOOR = "manylinux_2_18_x86_64"


def run(*command, code=0, **options):
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def build():
    cache = find_in_builds("CMakeCache.txt")
    if not cache or not (cache.parent / "bin/tessera").is_file():
        pytest.skip("the compiler is not built")
    return cache.parent


@pytest.fixture(scope="module")
def wheels(build, tmp_path_factory):
    """The runtime's wheel from sources, in a build folder that is kept; the
    compiler's from the finished build. Name of the package -> wheel."""
    folder = tmp_path_factory.mktemp("wheels")
    cache = (build / "CMakeCache.txt").read_text()
    compilers = dict(re.findall(r"^CMAKE_(C|CXX)_COMPILER:\w+=(.+)$", cache, re.MULTILINE))
    environment = dict(os.environ, CC=compilers["C"], CXX=compilers["CXX"])
    options = {
        "runtime": [f"build-dir={build}/runtime-wheel"],
        "compiler": [f"cmake.define.TESSERA_BUILD={build}"],
    }
    for package, settings in options.items():
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
        command += [word for setting in settings for word in ("--config-settings", setting)]
        run(*command, "--wheel-dir", folder, REPOSITORY / "python" / package, env=environment)
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


@pytest.fixture(scope="module")
def environment(wheels, tmp_path_factory):
    """A fresh environment that has the wheels, and NumPy from this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    run(*command, *wheels.values())
    [site] = folder.glob("lib/python*/site-packages")
    numpy_folder = os.path.dirname(os.path.dirname(np.__file__))
    (site / "numpy_of_the_tests.pth").write_text(numpy_folder + "\n")
    return folder


def in_environment(environment, source, *arguments, code=0, **variables):
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TESSERA"))}
    plain["PATH"] = f"{environment}/bin:/usr/bin:/bin"
    return run(
        environment / "bin/python", "-c", source, *arguments,
        code=code, env={**plain, **variables}, cwd=environment,
    )


def test_names_and_contents(wheels):
    version = re.search(
        r"project\(Tessera VERSION (\S+)", (REPOSITORY / "CMakeLists.txt").read_text()
    )[1]
    assert wheels["tessera_runtime"].name == f"tessera_runtime-{version}-py3-none-{FLOOR}.whl"
    assert wheels["tessera"].name == f"tessera-{version}-py3-none-linux_x86_64.whl"
    names = {name: set(zipfile.ZipFile(path).namelist()) for name, path in wheels.items()}
    assert "tessera/libtessera_runtime.so" in names["tessera_runtime"]
    assert "tessera/bin/tessera" in names["tessera"]
    assert not names["tessera"] & names["tessera_runtime"]
    shipped = {name for both in names.values() for name in both if name.endswith(".py")}
    assert shipped == {f"tessera/{p.name}" for p in (REPOSITORY / "python/tessera").glob("*.py")}
    assert all(any(n.endswith("licenses/LICENSE") for n in both) for both in names.values())


def test_compile_and_run(environment, tmp_path):
    save_twin(tmp_path / "twin.onnx")
    source = """if True:
        import sys, numpy as np, tessera
        library = tessera.compile(sys.argv[1])
        x = np.ones((2, 4), np.float32)
        print(tessera.load(library).run(None, {"x": x, "y": x})[0].tolist(), tessera.__file__)
    """
    printed = in_environment(environment, source, tmp_path / "twin.onnx")
    assert printed.startswith("[[2.5, 3.0, 0.0, 6.0], [2.5, 3.0, 0.0, 6.0]] ")
    assert str(environment) in printed
    assert "x86-64" in run(environment / "bin/tessera", "--version")


def test_missing_libraries_are_named(environment, tmp_path):
    """The program with a name in it that no library has."""
    program = (environment / "bin").parent.glob("lib/python*/site-packages/tessera/bin/tessera")
    broken = tmp_path / "tessera"
    broken.write_bytes(next(program).read_bytes().replace(b"libMLIR.so", b"libNONE.so"))
    broken.chmod(0o755)
    source = """if True:
        import tessera
        try:
            tessera.compile("m.onnx")
        except tessera.CompileError as error:
            print(error)
    """
    printed = in_environment(environment, source, TESSERA_COMPILER=str(broken))
    assert printed.startswith("the compiler cannot start: libNONE.so")
    assert "libmlir-22" in printed


def test_the_runtime_alone_says_what_is_missing(wheels, environment, tmp_path):
    with zipfile.ZipFile(wheels["tessera_runtime"]) as archive:
        archive.extractall(tmp_path)
    source = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import tessera
        try:
            tessera.compile("m.onnx")
        except tessera.TesseraError as error:
            print(tessera.__file__, error)
    """
    printed = in_environment(environment, source, tmp_path, PATH="/usr/bin:/bin")
    assert printed.startswith(str(tmp_path))
    assert "install the wheel tessera" in printed
