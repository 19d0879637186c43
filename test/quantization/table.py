"""Prints a line for each file of the suite: whether it compiles, how far its results are
from the float graph (ours, ONNX Runtime's, and ours from ONNX Runtime's), times in
microseconds (ours, ONNX Runtime's, and ours of the float graph), and how many of its
products are computed in floats, by the compiler's report.

    python test/quantization/table.py [PART OF A NAME...]

Times are the least of alternating runs of one thread; on a busy machine only their
ratios mean something.
"""

import functools
import json
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

import onnx
import onnxruntime
import tessera
from judge import float_graph, judge
from quantized_files import Unavailable, recipes, write_file
from tessera._reference import reference_session

ROUNDS, RUNS = 10, 5


@functools.cache
def float_session(name, folder):
    path = folder / f"{name}.onnx"
    onnx.save(float_graph(name).model, path)
    return tessera.load(tessera.compile(path, jobs=1), threads=1)


def least_seconds(sessions, inputs):
    """The least time of each session; they take turns."""
    least = [float("inf")] * len(sessions)
    for _ in range(ROUNDS):
        for i, session in enumerate(sessions):
            for _ in range(RUNS):
                begin = time.perf_counter()
                session.run(None, inputs)
                least[i] = min(least[i], time.perf_counter() - begin)
    return least


def products_in_float(report):
    """As "2/7"; empty where the report says nothing of them."""
    for missed in json.loads(report.read_text())["missed"]:
        found = re.search(r"(\d+) of (\d+) products are computed in float", missed["reason"])
        if found:
            return f"{found[1]}/{found[2]}"
    return ""


def line_of(name, folder):
    path, report = folder / f"{name}.onnx", folder / f"{name}.json"
    try:
        write_file(name, path)
        ours = tessera.load(tessera.compile(path, jobs=1, report=report), threads=1)
    except Unavailable as reason:
        return f"{name:58} skipped: {reason}"
    except tessera.CompileError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        return f"{name:58} no: " + " | ".join(lines[:4])[:300]
    verdict = judge(name, path, ours.run)
    graph_name, _ = recipes()[name]
    sessions = [ours, reference_session(path, threads=1), float_session(graph_name, folder)]
    seconds = least_seconds(sessions, float_graph(graph_name).timed())
    times = " ".join(f"{each * 1e6:8.0f}" for each in seconds)
    mark = "ok  " if verdict.is_right() else "FAR "
    return (f"{name:58} {mark}{verdict.ours:8.5f} {verdict.theirs:8.5f} "
            f"{verdict.between:8.5f} {times} {products_in_float(report):>6}")


def main():
    onnxruntime.set_default_logger_severity(3)
    warnings.simplefilter("ignore")
    wanted = [name for name in recipes() if not sys.argv[1:] or any(p in name for p in sys.argv[1:])]
    print(f"{'file':58} {'':4}{'ours':>8} {'ORT':>8} {'between':>8} {'us: ours':>8} {'ORT':>8} {'f32':>8} {'floats':>6}")
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            print(line_of(name, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
