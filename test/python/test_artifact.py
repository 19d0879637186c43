"""What a compiled model asks of a system, and what it gives."""

import os
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
import tessera
from models import BIAS, FLAG, IDS, OUT, TABLE_ROWS, save_lookup, save_tower

# docs/embedding.md promises it for the runtime; its models need no more.
NEWEST_GLIBC = (2, 18)


@pytest.fixture(scope="module")
def artifact(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    save_tower(folder / "tower.onnx", 3)
    tool("compile", "tower.onnx", "--cpu=x86-64-v3", cwd=folder)
    return folder / "tower.so"


@pytest.fixture(scope="module")
def dynamic_table(artifact):
    readelf = shutil.which("llvm-readelf") or shutil.which("readelf")
    if not readelf:
        pytest.skip("neither readelf nor llvm-readelf is in PATH")
    return subprocess.run(
        [readelf, "--wide", "--dynamic", "--dyn-syms", str(artifact)],
        check=True, stdout=subprocess.PIPE, text=True,
    ).stdout


def test_needs_only_the_c_library(dynamic_table):
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic_table))
    assert needed <= {"libc.so.6", "libm.so.6"}
    versions = re.findall(r"@GLIBC_(\d+)\.(\d+)", dynamic_table)
    assert max([(int(major), int(minor)) for major, minor in versions], default=(0, 0)) <= (
        NEWEST_GLIBC
    )


def test_exports_only_its_table(dynamic_table):
    symbols = re.findall(r"(?:GLOBAL|WEAK)\s+\S+\s+(\S+) (\S+)", dynamic_table)
    assert [name for section, name in symbols if section != "UND"] == ["tessera_module"]


@pytest.mark.parametrize(
    "feature, message",
    [
        (b"tbm", "needs CPU features that this machine lacks: tbm"),
        (b"q9q", "needs CPU features that this runtime does not know: q9q"),
    ],
)
def test_a_cpu_that_is_not_there_is_an_error(tool, artifact, tmp_path, feature, message):
    content = artifact.read_bytes()
    assert content.count(b",fma,") >= 1
    forged = tmp_path / "forged.so"
    forged.write_bytes(content.replace(b",fma,", b"," + feature + b","))
    with pytest.raises(tessera.TesseraError, match=message):
        tessera.load(forged)
    assert message in tool("run", forged, code=6)
    assert "needs     x86-64 with" in tool("inspect", forged)


@pytest.fixture(scope="module")
def lookup(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lookup")
    table, w = save_lookup(folder / "lookup.onnx")
    tool("compile", "lookup.onnx", cwd=folder)
    return folder / "lookup.so", table, w


def check_runs(session, lookup, seed, repeats):
    _, table, w = lookup
    random = np.random.default_rng(seed)
    for _ in range(repeats):
        batch, seq = random.integers(1, 40, 2)
        ids = random.integers(0, TABLE_ROWS, (batch, seq))
        bias = random.standard_normal((batch, seq, 4), np.float32)
        flag = random.integers(0, 2, batch).astype(bool)
        out, notflag = session.run([OUT, "notflag"], {IDS: ids, BIAS: bias, FLAG: flag})
        np.testing.assert_allclose(out, table[ids] @ w + bias, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(notflag, ~flag)


def test_eight_threads_with_sessions_of_their_own_and_one_shared(lookup):
    shared = tessera.load(lookup[0], threads=2)
    failures = []

    def work(seed):
        try:
            check_runs(tessera.load(lookup[0], threads=1 + seed % 3), lookup, seed, 20)
            check_runs(shared, lookup, seed, 20)
        except BaseException as error:  # a thread's own is lost
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_fork_after_load(lookup):
    session = tessera.load(lookup[0], threads=3)
    check_runs(session, lookup, 0, 3)
    children = []
    for seed in range(3):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                check_runs(session, lookup, seed, 5)
                check_runs(tessera.load(lookup[0]), lookup, seed, 5)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    check_runs(session, lookup, 9, 5)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
