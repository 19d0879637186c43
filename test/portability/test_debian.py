"""A model and the runtime in other Debian systems with nothing installed: they load
and give the bits that they give here.

    TESSERA_PORTABILITY=FOLDER python -m pytest test/portability

keeps the systems in FOLDER; needs root, debootstrap and the network, and is skipped
without the variable."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from conftest import REPOSITORY, tool  # noqa: E402, F401
from models import save_lookup, save_tower  # noqa: E402
from tessera._library import find_in_builds, find_library  # noqa: E402

FOLDER = os.environ.get("TESSERA_PORTABILITY")
SUITES = ["bullseye", "bookworm", "trixie"]  # glibc 2.31, 2.36, 2.41
MIRROR = "http://deb.debian.org/debian"
LIBC = "lib/x86_64-linux-gnu/libc.so.6"

pytestmark = pytest.mark.skipif(
    not FOLDER or os.geteuid() != 0 or not shutil.which("debootstrap"),
    reason="needs root, debootstrap and TESSERA_PORTABILITY",
)


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=600, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:].decode(errors="replace")
    return done.stdout


@pytest.fixture(scope="module")
def systems():
    """The root folder of each suite, as debootstrap leaves it."""
    roots = {}
    for suite in SUITES:
        root = Path(FOLDER) / suite
        if not (root / LIBC).exists():
            shutil.rmtree(root, ignore_errors=True)
            run("debootstrap", "--variant=minbase", suite, root, MIRROR)
        roots[suite] = root
    return roots


@pytest.fixture(scope="module")
def program(systems, tmp_path_factory):
    """Linked against the C library of the oldest system, as a program that is to
    run everywhere is."""
    cache = find_in_builds("CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.+)$", cache, re.MULTILINE)[1]
    start = [run(compiler, f"-print-file-name={name}").decode().strip()
             for name in ("Scrt1.o", "crti.o", "crtn.o")]
    target = tmp_path_factory.mktemp("program") / "run-model"
    run(compiler, "-std=gnu99", "-O1", "-fPIE", "-pie", "-fno-stack-protector", "-nostdlib",
        f"-I{REPOSITORY}/include", "-fuse-ld=lld", "-Wl,--allow-shlib-undefined",
        *start[:2], Path(__file__).with_name("run_model.c"),
        find_library().resolve(), (systems[SUITES[0]] / LIBC).resolve(), start[2], "-o", target)
    return target


@pytest.fixture(scope="module")
def libraries(tool, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("models")
    save_tower(folder / "tower.onnx", 3)
    save_lookup(folder / "lookup.onnx")
    for name in ("tower", "lookup"):
        tool("compile", f"{name}.onnx", "--cpu=x86-64-v3,x86-64-v4", cwd=folder)
    return [folder / "tower.so", folder / "lookup.so"]


@pytest.mark.parametrize("suite", SUITES)
def test_loads_and_agrees(suite, systems, program, libraries):
    runtime = find_library().resolve()
    inside = systems[suite] / "opt/tessera"
    shutil.rmtree(inside, ignore_errors=True)
    inside.mkdir(parents=True)
    soname = re.search(rb"SONAME\s+(\S+)", run("objdump", "-p", runtime))[1].decode()
    shutil.copy(runtime, inside / soname)
    shutil.copy(program, inside)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(inside))
    for library in libraries:
        shutil.copy(library, inside)
        # Without /proc the loader does not know where the program is.
        there = run("chroot", systems[suite], "/usr/bin/env", "LD_LIBRARY_PATH=/opt/tessera",
                    "/opt/tessera/run-model", f"/opt/tessera/{library.name}")
        here = run(program, library, env=environment)
        assert len(here) > 100 and there == here
