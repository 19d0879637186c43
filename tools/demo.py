"""Tells file types with Magika, whose trained model Tessera compiles and runs in
place of ONNX Runtime: the second half of tools/demo. For each file it prints
the label, both latencies and the largest difference of the two results; exits
with 1 if a label or a result differs."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import magika
import numpy as np
import onnxruntime
import tessera

# Both compute in f32, but sum in different orders; the results are
# probabilities, at most 1.
TOLERANCE = 1e-4
# A latency is the median of this many runs.
RUNS = 50

# Folder and pattern of the files shown when none are given; the first match of
# each, in the order of names.
CHOICE = [
    ("source", "README.md"),
    ("source", "CMakePresets.json"),
    ("source", "CMakeLists.txt"),
    ("source", "tools/check"),
    ("source", "include/tessera/abi.h"),
    ("source", "lib/*/*.cpp"),
    ("source", "dialects/*/IR/*.td"),
    ("source", "tools/check.py"),
    ("build", "compile_commands.json"),
    ("build", "bin/tessera"),
    ("packages", "magika/models/*/model.onnx"),
    ("packages", "magika/__pycache__/*.pyc"),
    ("packages", "numpy/**/*.npz"),
    ("packages", "numpy/**/*.npy"),
    ("packages", "pip/**/*.exe"),
    ("packages", "**/*.pkl"),
    ("packages", "**/*.js"),
    ("packages", "**/*.css"),
]


class Comparison:
    """Stands where Magika has its ONNX Runtime session: runs each request with
    Tessera and with ONNX Runtime, keeps times and the largest difference, and
    answers with Tessera's result."""

    def __init__(self, session, reference):
        self.session = session
        self.reference = reference
        self.rows = []

    def run(self, names, inputs):
        # Magika hands lists of integers; its model's only input is int32.
        inputs = {name: np.asarray(value, np.int32) for name, value in inputs.items()}
        ours, our_seconds = measure(lambda: self.session.run(names, inputs))
        theirs, their_seconds = measure(lambda: self.reference.run(names, inputs))
        difference = max(
            float(np.max(np.abs(a - b), initial=0.0)) for a, b in zip(ours, theirs)
        )
        same_label = all(
            np.array_equal(a.argmax(-1), b.argmax(-1)) for a, b in zip(ours, theirs)
        )
        self.rows.append((our_seconds, their_seconds, difference, same_label))
        return ours


def measure(function):
    """Returns the result and the median time of RUNS calls, in seconds."""
    result = function()
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return result, statistics.median(seconds)


def chosen_files(roots):
    files = []
    for root, pattern in CHOICE:
        matches = (path for path in sorted(roots[root].glob(pattern)) if path.is_file())
        path = next(matches, None)
        if path:
            files.append(path)
    return files


def compile_model(build, model, output):
    command = [str(build / "bin/tessera"), "compile", str(model), "-o", str(output)]
    print("$", " ".join(command), flush=True)
    begin = time.perf_counter()
    if subprocess.run(command).returncode != 0:
        sys.exit("tessera compile failed")
    print(
        f"  {model.stat().st_size / 1e6:.1f} MB of ONNX -> "
        f"{output.stat().st_size / 1e6:.1f} MB of native code and weights "
        f"in {time.perf_counter() - begin:.1f} s"
    )


def shown(path, roots):
    for root in roots.values():
        if path.is_relative_to(root):
            return str(path.relative_to(root))
    return str(path)


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("files", nargs="*", type=Path)
    arguments = parser.parse_args()
    packages = Path(magika.__file__).parents[1]
    # The build folder lies in the source folder: look there first.
    roots = {"packages": packages, "build": arguments.build, "source": arguments.source}

    identifier = magika.Magika()
    model = Path(magika.__file__).parent / "models" / identifier.get_model_name() / "model.onnx"
    output = arguments.build / "demo" / "magika.so"
    output.parent.mkdir(exist_ok=True)
    print(f"\nThe model: {identifier.get_model_name()} of magika {magika.__version__}")
    compile_model(arguments.build, model, output)

    comparison = Comparison(
        tessera.load(str(output)),
        onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]),
    )
    # Feature extraction, thresholds and labels stay Magika's.
    identifier._onnx_session = comparison
    print(f"\n{'file':44} {'label':14} {'score':>5}  {'Tessera':>9} {'ONNX Rt.':>9}  difference")
    failures = 0
    for path in arguments.files or chosen_files(roots):
        comparison.rows.clear()
        result = identifier.identify_path(path)
        if not result.ok:
            print(f"{shown(path, roots)[-44:]:44} {result.status}")
            failures += 1
            continue
        line = f"{shown(path, roots)[-44:]:44} {result.output.label:14} {result.score:5.2f}"
        if not comparison.rows:
            print(f"{line}  (too few bytes: no model needed)")
            continue
        ours, theirs, difference, same_label = comparison.rows[0]
        wrong = not same_label or not difference <= TOLERANCE
        failures += wrong
        print(
            f"{line}  {ours * 1e3:6.2f} ms {theirs * 1e3:6.2f} ms  {difference:.1e}"
            f"{'  DIFFERENT' if wrong else ''}"
        )
    print(f"\nLatency: median of {RUNS} runs, one file at a time, {os.cpu_count()} cores, "
          "both with their default threads.")
    if failures:
        print(f"{failures} files failed or differ by more than {TOLERANCE:g}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
