"""Compiles a kernel given as MLIR text and runs it on NumPy arrays.

    add = kernels.compile('''
      kernel.func @add(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) ...''')
    [result] = add(np.arange(5, dtype=np.float32))

The text holds kernel.funcs (graph-state operations inside); a schedule in their
attributes names the route. Types map as in the runtime; bfloat16 arrays are
ml_dtypes'.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import tessera


def tool(name):
    """The path of a program of the build."""
    build = os.environ.get("TESSERA_BUILD_DIR")
    candidates = [Path(build) / "bin" / name] if build else []
    found = shutil.which(name)
    candidates += [Path(found)] if found else []
    candidates += sorted(Path(__file__).resolve().parents[2].glob(f"build*/bin/{name}"))
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    raise RuntimeError(f"{name} was not found: build that target")


def compile_to(text, output, *options):
    """Runs mlir-to-library; raises with its messages when it fails."""
    process = subprocess.run(
        [tool("mlir-to-library"), "-", "-o", str(output), *options],
        input=text.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    if process.returncode != 0:
        raise RuntimeError(process.stderr.decode(errors="replace"))


class Kernel:
    """A compiled kernel. Called with one array for each input, it returns the
    list of outputs. `sizes`, by index argument, are needed only for those that
    no input's dimension shows."""

    def __init__(self, session):
        self.session = session

    def __call__(self, *inputs, sizes=None):
        feeds = {f"in{i}": np.ascontiguousarray(array) for i, array in enumerate(inputs)}
        for index, size in (sizes or {}).items():
            feeds[f"size{index}"] = np.zeros(size, np.int8)
        return self.session.run(None, feeds)


def compile(text, kernel=None, cpu="native", passes="tessera-cpu", opt_level=3, threads=0):
    """The Kernel of the text's only kernel.func, or of the one named `kernel`.
    `passes` turn the launch of a kernel.func into loops."""
    options = ["--wrap", f"--cpu={cpu}", f"--passes={passes}", f"--opt-level={opt_level}"]
    if kernel:
        options.append(f"--kernel={kernel}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.so"
        compile_to(text, path, *options)
        return Kernel(tessera.load(path, threads=threads))


def assembly(text, cpu, kernel=None, passes="tessera-cpu"):
    """The assembly of a kernel for a CPU, which this machine need not be."""
    options = ["--wrap", f"--cpu={cpu}", f"--passes={passes}", "--emit=asm"]
    if kernel:
        options.append(f"--kernel={kernel}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.s"
        compile_to(text, path, *options)
        return path.read_text()
