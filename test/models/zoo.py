"""Sweeps architectures: exports each, compiles it, compares it with ONNX Runtime.

    zoo.py [NAME ...] [--exporter dynamo|torchscript] [--folder DIR] [--flag FLAG]

Names may be patterns (`swin*`). Files that were exported before are used again.
Results go to DIR/results.json and as a table to standard output: seconds of the
compilation, error over the largest magnitude of the reference, kernels of the
generic route, attentions that became one operation and how many there are.
"""

import argparse
import contextlib
import dataclasses
import fnmatch
import io
import json
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import tessera
from architectures import ARCHITECTURES
from export import OPSET, export_case
from small_models import VOCABULARY

TOLERANCE = 1e-4


@dataclasses.dataclass
class Result:
    """What became of one model. `state` is ok, or the step that failed."""

    name: str
    exporter: str
    state: str = "ok"
    reason: str = ""
    seconds: float = 0.0
    error: float = 0.0
    generic: list = dataclasses.field(default_factory=list)
    raised: int = 0
    attentions: int = 0


def feed(port, sizes, random):
    """An array for an input of the model, by its type and name."""
    shape = [sizes[size] if isinstance(size, str) else size for size in port.shape]
    if port.type == "tensor(float)":
        return random.standard_normal(shape, np.float32)
    if "mask" in port.name:
        mask = np.ones(shape, np.int64)
        mask[-1, : shape[1] // 3] = 0
        return mask
    if "position" in port.name:
        positions = np.arange(shape[1]) + sizes["past"]
        return np.ascontiguousarray(np.broadcast_to(positions, shape))
    if "type" in port.name:
        return random.integers(0, 2, shape)
    if port.name == "bbox":
        return np.sort(random.integers(0, 60, shape), axis=-1)
    return random.integers(3, VOCABULARY, shape)


def difference(ours, theirs):
    """The largest one, over the largest magnitude of the reference."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return float("inf")
    if theirs.size == 0 or np.array_equal(ours, theirs, equal_nan=True):
        return 0.0
    ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
    if not np.array_equal(np.isnan(ours), np.isnan(theirs)):
        return float("inf")
    return np.nanmax(np.abs(ours - theirs)) / max(np.nanmax(np.abs(theirs)), 1e-30)


def largest_difference(path, library, sizes, seed=0):
    """Over all outputs and runs; None if ONNX Runtime runs at none of the sizes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    reference = onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )
    session = tessera.load(library, threads=1)
    random = np.random.default_rng(seed)
    worst = None
    for run in sizes:
        inputs = {port.name: feed(port, run, random) for port in reference.get_inputs()}
        try:
            expected = reference.run(None, inputs)
        except Exception:  # noqa: BLE001: its exceptions have no common base class
            continue
        for ours, theirs in zip(session.run(None, inputs), expected):
            worst = max(worst or 0.0, difference(ours, theirs))
    return worst


def attention_calls(library):
    """How many calls of attention kernels a compiled model makes."""
    manifest = json.loads(tessera.load(library).manifest)
    kernels = [kernel["schedule"] for kernel in manifest["kernels"]]
    return sum(
        "kernel.attention" in kernels[call["kernel"]]
        for calls in manifest["calls"].values() for call in calls
    )


def ensure_exported(small, path, exporter):
    failed = path.with_suffix(".failed")
    if path.exists() or failed.exists():
        return path.exists()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            export_case(small.case, path, exporter)
        except Exception:  # noqa: BLE001: whatever PyTorch raises
            failed.write_text(traceback.format_exc())
            path.unlink(missing_ok=True)
    return path.exists()


def check(name, exporter, folder, flags=()):
    """The Result of one architecture and exporter."""
    result = Result(name, exporter)
    path = folder / f"{name}-{exporter}.onnx"
    try:
        small = ARCHITECTURES[name]()
    except Exception as error:  # noqa: BLE001
        result.state, result.reason = "build", f"{type(error).__name__}: {error}"
        return result
    result.attentions = small.attentions
    if not ensure_exported(small, path, exporter):
        text = path.with_suffix(".failed").read_text().strip().splitlines()
        result.state, result.reason = "export", text[-1][:200] if text else ""
        return result
    report = folder / "report.json"
    start = time.perf_counter()
    try:
        library = tessera.compile(
            path, path.with_suffix(".so"), timeout=300, report=report, flags=list(flags)
        )
    except (tessera.TesseraError, TimeoutError) as error:
        result.state, result.reason = "compile", str(error)
        return result
    result.seconds = time.perf_counter() - start
    kernels = json.loads(report.read_text())["kernels"]
    result.generic = [
        f"{k['name']}: {k.get('missed', '')} ({', '.join(k['nodes'][:4])})"
        for k in kernels if k["route"] == "generic"
    ]
    result.raised = attention_calls(library)
    try:
        error = largest_difference(path, library, small.sizes)
    except Exception as problem:  # noqa: BLE001
        result.state, result.reason = "run", f"{type(problem).__name__}: {problem}"
        return result
    if error is None:
        result.state, result.reason = "export", "ONNX Runtime runs it at no size"
        return result
    result.error = error
    if not error <= TOLERANCE:
        result.state = "wrong"
    elif result.generic:
        result.state = "generic"
    elif result.raised != result.attentions:
        result.state = "attention"
    return result


def row(result):
    reason = result.reason.replace("\n", " ").replace("|", "/")[:160]
    return (
        f"| {result.name} | {result.exporter} | {result.state} | {result.seconds:.1f} "
        f"| {result.error:.1e} | {len(result.generic)} | {result.raised}/{result.attentions} "
        f"| {reason} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=["*"])
    parser.add_argument("--exporter", choices=sorted(OPSET), action="append")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/zoo"))
    parser.add_argument("--export-only", action="store_true")
    parser.add_argument("--flag", action="append", default=[], help="for tessera compile")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    store = options.folder / "results.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    print("| model | exporter | state | compile s | error | generic | attentions | reason |")
    print("|---|---|---|---|---|---|---|---|")
    for name in ARCHITECTURES:
        if not any(fnmatch.fnmatch(name, pattern) for pattern in options.names):
            continue
        for exporter in options.exporter or sorted(OPSET):
            if options.export_only:
                path = options.folder / f"{name}-{exporter}.onnx"
                with contextlib.suppress(Exception):
                    ensure_exported(ARCHITECTURES[name](), path, exporter)
                continue
            result = check(name, exporter, options.folder, options.flag)
            results[f"{name} {exporter}"] = dataclasses.asdict(result)
            store.write_text(json.dumps(results, indent=1))
            print(row(result), flush=True)


if __name__ == "__main__":
    sys.exit(main())
