"""Peak memory of a compilation: the weights' own bytes and some, not copies.

Slow: set TESSERA_LARGE_TESTS=1 (it needs 3 GB of disk and a minute)."""

import os
import subprocess
import sys

import numpy as np
import pytest
from models import helper, model_of, numpy_helper, onnx, value

LARGE = bool(os.environ.get("TESSERA_LARGE_TESTS"))
SMALL_MIB, LARGE_MIB = 192, 1024
# What the compiler's own libraries, IR and code may take beside the weights.
BASE_BYTES = 300 << 20
FACTOR = 1.2
# Freed memory that AddressSanitizer keeps back.
QUARANTINE_BYTES = 256 << 20

# Peak resident bytes of the process with the largest peak among all that the
# tool starts, mapped pages included.
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
sys.exit(code)
"""


def peak_bytes(command, folder):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, command)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1])


def save_chain(path, megabytes, transposed, external):
    """Products with 16 MiB of weights each, or their transposes (Gemm transB)."""
    size = 2048
    nodes, weights, last = [], [], "x"
    for layer in range(megabytes // (size * size * 4 >> 20)):
        w = np.full((size, size), 1 / size, np.float32)
        weights.append(numpy_helper.from_array(w, f"w{layer}"))
        inputs, output = [last, f"w{layer}"], f"y{layer}"
        nodes.append(
            helper.make_node("Gemm", inputs, [output], transB=1)
            if transposed
            else helper.make_node("MatMul", inputs, [output])
        )
        last = output
    model = model_of(
        nodes, [value("x", "f4", ["n", size])], [value(last, "f4", ["n", size])], weights
    )
    onnx.save(model, path, save_as_external_data=external, location="weights.data")
    return len(weights) * size * size * 4


def save_one(path, megabytes, transposed, external):
    """One product with all the weights."""
    rows, columns = 8192, megabytes * 32
    shape = (columns, rows) if transposed else (rows, columns)
    w = numpy_helper.from_array(np.full(shape, 1 / rows, np.float32), "w")
    node = helper.make_node("Gemm", ["x", "w"], ["y"], transB=int(transposed))
    model = model_of(
        [node], [value("x", "f4", ["n", rows])], [value("y", "f4", ["n", columns])], [w]
    )
    onnx.save(model, path, save_as_external_data=external, location="weights.data")
    return rows * columns * 4


def save_parallel(path, megabytes, transposed, external):
    """Products of one operand, which become one: a weight of all the weights."""
    size = 2048
    nodes, weights, outputs = [], [], []
    for branch in range(megabytes // (size * size * 4 >> 20)):
        w = np.full((size, size), 1 / size, np.float32)
        weights.append(numpy_helper.from_array(w, f"w{branch}"))
        inputs = ["x", f"w{branch}"]
        nodes += [
            helper.make_node("Gemm", inputs, [f"p{branch}"], transB=1)
            if transposed
            else helper.make_node("MatMul", inputs, [f"p{branch}"]),
            helper.make_node("Transpose", [f"p{branch}"], [f"y{branch}"], perm=[1, 0]),
        ]
        outputs.append(value(f"y{branch}", "f4", [size, "n"]))
    model = model_of(nodes, [value("x", "f4", ["n", size])], outputs, weights)
    onnx.save(model, path, save_as_external_data=external, location="weights.data")
    return len(weights) * size * size * 4


@pytest.mark.parametrize("external", [False, True], ids=["inside", "external"])
@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
@pytest.mark.parametrize("save", [save_one, save_chain, save_parallel])
def test_peak_memory(tool, is_sanitized, tmp_path, save, transposed, external):
    megabytes = LARGE_MIB if LARGE else SMALL_MIB
    # A protobuf message has less than 2 GB, so all of it fits inside too.
    weight_bytes = save(tmp_path / "model.onnx", megabytes, transposed, external)
    peak = peak_bytes([tool.program, "compile", "model.onnx"], tmp_path)
    print(f"peak {peak / 2**20:.0f} MiB for {weight_bytes / 2**20:.0f} MiB of weights")
    base_bytes = BASE_BYTES + (QUARANTINE_BYTES if is_sanitized else 0)
    assert peak <= FACTOR * weight_bytes + base_bytes
    for path in tmp_path.iterdir():
        if path.suffix != ".so":
            path.unlink()
    loaded = peak_bytes([tool.program, "inspect", "model.so"], tmp_path)
    assert loaded <= base_bytes
    text = tool("run", "model.so", "--shape", "n=1", cwd=tmp_path)
    assert "(0 NaN, 0 infinite)" in text.splitlines()[-1]
