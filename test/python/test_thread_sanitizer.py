"""The runtime under ThreadSanitizer: 8 threads, sessions of their own and one
that all share, on a compiled model.

By hand:  cmake --preset thread && cmake --build build-thread --target concurrent-sessions
          build-thread/bin/concurrent-sessions model.so 8 20"""

import os
import subprocess

import numpy as np
import pytest
from conftest import REPOSITORY
from models import helper, model_of, numpy_helper, onnx, value

RACE = 66  # exit code that says ThreadSanitizer found something


def run(*command, **options):
    return subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options,
    )


@pytest.fixture(scope="module")
def program(build, settings, is_sanitized):
    """Built in a folder of the build, so that it is built once."""
    if is_sanitized:
        pytest.skip("needs a build without sanitizers")
    build = build / "thread-sanitizer"
    cmake = settings["CMAKE_COMMAND"]
    for step in (
        [cmake, "--preset", "thread", "-B", build],
        [cmake, "--build", build, "--target", "concurrent-sessions"],
    ):
        done = run(*step, cwd=REPOSITORY)
        assert done.returncode == 0, done.stdout
    return build / "bin/concurrent-sessions"


@pytest.fixture(scope="module")
def library(tool, tmp_path_factory):
    """Products, a softmax and a lookup: parallel loops of several kinds."""
    folder = tmp_path_factory.mktemp("threads")
    random = np.random.default_rng(0)
    weights = {
        "table": random.standard_normal((50, 96), np.float32),
        "w": random.standard_normal((96, 160), np.float32),
        "v": random.standard_normal((160, 33), np.float32),
    }
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "w"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("MatMul", ["b", "v"], ["c"]),
        helper.make_node("Softmax", ["c"], ["y"], axis=-1),
    ]
    model = model_of(
        nodes,
        [value("ids", np.int64, ["batch", "seq"])],
        [value("y", np.float32, ["batch", "seq", 33])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(model, folder / "threads.onnx")
    tool("compile", "threads.onnx", "--shape=batch=1:8:64", "--shape=seq=1:24:64", cwd=folder)
    return folder / "threads.so"


def test_eight_concurrent_sessions(program, library):
    environment = dict(os.environ, TSAN_OPTIONS=f"exitcode={RACE} halt_on_error=0")
    done = run(program, library, 8, 10, env=environment, timeout=300)
    assert "WARNING: ThreadSanitizer" not in done.stdout, done.stdout
    assert done.stdout == "160 runs, 0 wrong\n"
    assert done.returncode == 0


def test_the_program_finds_what_is_wrong(program, tmp_path):
    """Else its silence says nothing: it is instrumented and reports errors."""
    done = run(program, tmp_path / "none.so", 1, 1)
    assert done.returncode == 1 and "none.so" in done.stdout
    names = run("nm", program).stdout
    assert "__tsan_" in names
