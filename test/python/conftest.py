"""Models written by hand (test/unit/Runtime/FixtureModel.c) with weights."""

import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run as run_program

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "python"))

from tessera._library import find_in_builds  # noqa: E402

WEIGHTS = np.array([0.5, 1.0, -2.0, 4.0], np.float32)
WEIGHT_HASH = 0x88440E3975816C93  # XXH64 of their bytes
PAGE = 4096


def fixture_library(name):
    found = find_in_builds(f"test/runtime-fixtures/{name}.so")
    if not found:
        pytest.skip("the target tessera-runtime-fixtures is not built")
    return found


def mark(offset, size=WEIGHTS.nbytes, digest=WEIGHT_HASH):
    return struct.pack("<8sQQQ", b"TSRAWGT1", offset, size, digest)


def with_appended_weights(name, target):
    code = fixture_library(name).read_bytes()
    code += bytes(-len(code) % PAGE)
    target.write_bytes(code + WEIGHTS.tobytes() + mark(len(code)))
    return target


@pytest.fixture(scope="session")
def tool():
    """Runs the compiler: tool("run", "model.onnx", code=3) gives what it printed
    after checking its exit code. Other arguments go to subprocess.run."""
    program = find_in_builds("bin/tessera")
    if not program:
        pytest.skip("the compiler is not built")

    def run(*arguments, code=0, **options):
        done = subprocess.run(
            [str(program), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=300, **options,
        )
        codes = code if isinstance(code, tuple) else (code,)
        assert done.returncode in codes, f"exit code {done.returncode}: {done.stdout}"
        return done.stdout

    run.program = str(program)
    return run


@pytest.fixture(scope="session")
def build():
    return find_in_builds("CMakeCache.txt").parent


@pytest.fixture(scope="session")
def settings(build):
    """What CMake keeps of the build: name -> value."""
    cache = (build / "CMakeCache.txt").read_text()
    return dict(re.findall(r"^([\w-]+):\w+=(.*)$", cache, re.MULTILINE))


@pytest.fixture(scope="session")
def is_sanitized(settings):
    """Whether memory use and libraries are those of a build with sanitizers."""
    return bool(settings.get("TESSERA_SANITIZE"))


@pytest.fixture(scope="session")
def prefix(build, tmp_path_factory):
    """Another folder than the one configured: an installation can be moved."""
    prefix = tmp_path_factory.mktemp("installed")
    run_program("cmake", "--install", build, "--prefix", prefix)
    return prefix


@pytest.fixture
def add_model(tmp_path):
    """main: z = x + y + WEIGHTS, with the tap sum = x + y; pick: x[index]."""
    return with_appended_weights("fixture-add", tmp_path / "add.so")


@pytest.fixture
def weight_file(tmp_path):
    path = tmp_path / "weights.bin"
    path.write_bytes(mark(PAGE).ljust(PAGE, b"\0") + WEIGHTS.tobytes())
    return path


def save_twin(path, weights=WEIGHTS):
    """The ONNX model that the hand-written one would be compiled from."""
    onnx = pytest.importorskip("onnx")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    matrix = lambda name: helper.make_tensor_value_info(name, float32, ["n", 4])
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "y"], ["sum"]),
            helper.make_node("Add", ["sum", "w"], ["z"]),
        ],
        "twin",
        [matrix("x"), matrix("y")],
        [matrix("z")],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path
