"""Compiles a model at two levels, runs it, and compares with two references."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from limits import Crash, in_child, run_limited
from wide_reference import WideModel, difference

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import tessera  # noqa: E402

# -O0 may refuse what -O3 compiles: it stores whole tensors inside of kernels.
LEVELS = (3, 0)
UNSUPPORTED, OUT_OF_MEMORY = 4, 71
# States that are no fault of the compiler's.
# What a run is refused for, though ONNX gives it a meaning: docs/numerics.md.
COPIED_SIZE = "is 0, which copies the input's"
FINE = ("agreed", "refused", "invalid", "disputed")


@dataclass
class Verdict:
    """state: agreed; refused, unsupported at every level; disputed, where the two
    references differ; invalid, not evaluated by the reference; or a find: wrong,
    crashed, slow, memory, rejected (a valid model, as contradictory or at run time).
    """

    state: str
    reason: str = ""
    notes: tuple = ()

    @property
    def is_find(self):
        return self.state not in FINE

    @property
    def cause(self):
        """State and reason without names and numbers, to tell finds apart."""
        reason = re.sub(r"'[^']*'|\([^)]*\)|\[[^]]*\]", "*", self.reason)
        reason = re.sub(r"[-+]?\b(\d[\d.e+-]*|nan|inf)\b", "N", reason)
        return f"{self.state}: {reason}"[:160]


class Judge:
    """Judges models in a folder of its own."""

    def __init__(self, tool, folder):
        self.tool, self.folder = Path(tool).resolve(), Path(folder)

    def __call__(self, model, sets):
        """`sets`: inputs by name of each run."""
        try:
            wide = WideModel(model)
            expected = [wide.expect(inputs) for inputs in sets]
        except Exception as error:  # anything that NumPy raises
            return Verdict("invalid", f"{type(error).__name__}: {error}")
        path = self.folder / "model.onnx"
        path.write_bytes(model.SerializeToString())
        refusals = {}
        for level in LEVELS:
            code, text = self.compile(path, level)
            if code == UNSUPPORTED:
                refusals[level] = first_error(text)
            elif code != 0:
                return Verdict(failure_state(code, text), f"-O{level}: {first_error(text)}")
        if len(refusals) == len(LEVELS):
            return Verdict("refused", refusals[LEVELS[0]])
        if LEVELS[0] in refusals:
            return Verdict("rejected", f"at -O3 only: {refusals[LEVELS[0]]}")
        levels = [level for level in LEVELS if level not in refusals]
        return self.compare(model, sets, wide, expected, levels)

    def compile(self, path, level):
        library = self.folder / f"O{level}.so"
        library.unlink(missing_ok=True)
        return run_limited([self.tool, "compile", path.name, "-o", library.name, f"-O{level}"], self.folder)

    def compare(self, model, sets, wide, expected, levels):
        names = [output.name for output in model.graph.output]
        types = wide.types
        theirs = run_onnxruntime(model, sets, names)
        notes, disputed = [], None
        for level in levels:
            library = self.folder / f"O{level}.so"
            # Two threads for the fused code; results have the same bits anyway.
            threads = 2 if level else 1
            try:
                ours = in_child(lambda: run_library(library, sets, names, threads))
            except Crash as crash:
                return Verdict("crashed", f"-O{level} at run time: {crash}")
            except RuntimeError as error:
                state = "refused" if COPIED_SIZE in str(error) else "rejected"
                return Verdict(state, f"-O{level} at run time: {error}")
            for run, inputs in enumerate(sets):
                for at, name in enumerate(names):
                    exact, limit = expected[run][name]
                    other = difference(theirs[run][at], exact, limit, types[name]) if theirs else None
                    if other:
                        notes.append(f"ONNX Runtime: output {name}: {other}")
                    problem = difference(ours[run][at], exact, limit, types[name])
                    if problem:  # of many elements one may not differ in any sample
                        limit = wide.expect_surely(inputs)[name][1]
                        problem = difference(ours[run][at], exact, limit, types[name])
                    if problem and other:
                        disputed = f"-O{level} output {name}, run {run}: {problem}; ONNX Runtime: {other}"
                    elif problem:
                        known = "" if theirs else " (not run by ONNX Runtime)"
                        reason = f"-O{level} output {name}, run {run}: {problem}{known}"
                        return Verdict("wrong", reason, tuple(notes))
        if disputed:
            return Verdict("disputed", disputed, tuple(notes))
        if not theirs:
            notes.append("not run by ONNX Runtime")
        return Verdict("agreed", "", tuple(notes))


def first_error(text):
    lines = [line for line in text.splitlines() if "error:" in line or "ERROR:" in line] or text.splitlines()
    return lines[0].strip() if lines else ""


def failure_state(code, text):
    if code is None or code == -24:  # SIGXCPU
        return "slow"
    if code == OUT_OF_MEMORY:
        return "memory"
    return "crashed" if code < 0 or code == 70 else "rejected"


def run_library(library, sets, names, threads):
    session = tessera.load(library, threads=threads)
    return [session.run(names, inputs) for inputs in sets]


def run_onnxruntime(model, sets, names):
    """Its outputs of each run, without its optimizations; None where it has no
    implementation or crashes."""
    try:
        return in_child(lambda: run_unguarded(model, sets, names))
    except (Crash, RuntimeError):
        return None


def run_unguarded(model, sets, names):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [session.run(names, inputs) for inputs in sets]
