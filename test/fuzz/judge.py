"""Compiles a model at two levels, runs it, and compares with two references.

Sets of inputs that contradict must end with an error that names something of the model.
"""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

import contradictions
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
    crashed, slow, memory, rejected (a valid model, as contradictory or at run time),
    silent (a result for sizes that contradict), nameless (an error that names nothing).
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
        except Exception as error:  # anything that NumPy raises
            return Verdict("invalid", f"{type(error).__name__}: {error}")
        expected = [self.expect(wide, inputs) for inputs in sets]
        if not any(isinstance(values, dict) for values in expected):
            return Verdict("invalid", expected[0])
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

    def expect(self, wide, inputs):
        """What the reference gives, or why it gives nothing, in words."""
        try:
            return wide.expect(inputs)
        except Exception as error:  # anything that NumPy raises
            return f"{type(error).__name__}: {error}"

    def compare(self, model, sets, wide, expected, levels):
        names = [output.name for output in model.graph.output]
        theirs = run_onnxruntime(model, sets, names) or [None] * len(sets)
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
                return Verdict("rejected", f"-O{level}: {error}")
            for run, inputs in enumerate(sets):
                case = Case(model, inputs, wide, expected[run], theirs[run], f"-O{level}", run)
                verdict = case.judge(ours[run], names, notes)
                if verdict.is_find or verdict.state == "refused":
                    return verdict
                disputed = disputed or (verdict if verdict.state == "disputed" else None)
        if disputed:
            return disputed
        if not any(theirs):
            notes.append("not run by ONNX Runtime")
        return Verdict("agreed", "", tuple(notes))


@dataclass
class Case:
    """One run. `expected` is what the reference gives, or words; `theirs` is what ONNX
    Runtime gives, or words, or None where it cannot run the model."""

    model: object
    inputs: dict
    wide: WideModel
    expected: object
    theirs: object
    level: str
    run: int

    def judge(self, ours, names, notes):
        if isinstance(ours, str):
            return self.judge_error(ours)
        if self.is_contradiction() and not self.has_one_of(contradictions.INDEXING):
            reason = self.expected if isinstance(self.expected, str) else "the model's own sizes"
            return Verdict("silent", f"{self.level}, run {self.run}: no error, but {reason}")
        if isinstance(self.expected, str):
            return Verdict("agreed")
        return self.judge_results(ours, names, notes)

    def is_contradiction(self):
        if contradictions.of_declaration(self.model, self.inputs):
            return True
        if isinstance(self.expected, dict):
            return False
        if any(words in self.expected for words in contradictions.OPEN):
            return False
        return not isinstance(self.theirs, list)

    def has_one_of(self, operators):
        return any(node.op_type in operators for node in self.model.graph.node)

    def judge_error(self, error):
        reason = f"{self.level} at run time: {error}"
        if COPIED_SIZE in error:
            return Verdict("refused", reason)
        if not any(name in error for name in contradictions.names_of(self.model)):
            return Verdict("nameless", reason)
        if contradictions.of_declaration(self.model, self.inputs):
            return Verdict("agreed")
        if isinstance(self.expected, str) or isinstance(self.theirs, str):
            return Verdict("agreed")
        return Verdict("agreed" if self.has_one_of(contradictions.LENIENT) else "rejected", reason)

    def judge_results(self, ours, names, notes):
        disputed = None
        theirs = self.theirs if isinstance(self.theirs, list) else None
        types = self.wide.types
        for at, name in enumerate(names):
            exact, limit = self.expected[name]
            other = difference(theirs[at], exact, limit, types[name]) if theirs else None
            if other:
                notes.append(f"ONNX Runtime: output {name}: {other}")
            problem = difference(ours[at], exact, limit, types[name])
            if problem:  # of many elements one may not differ in any sample
                limit = self.wide.expect_surely(self.inputs)[name][1]
                problem = difference(ours[at], exact, limit, types[name])
            where = f"{self.level} output {name}, run {self.run}"
            if problem and other:
                disputed = Verdict("disputed", f"{where}: {problem}; ONNX Runtime: {other}")
            elif problem:
                known = "" if theirs else " (not run by ONNX Runtime)"
                return Verdict("wrong", f"{where}: {problem}{known}", tuple(notes))
        return disputed or Verdict("agreed")


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
    """For each set the outputs, or the error in words."""
    session = tessera.load(library, threads=threads)
    return [outputs_or_error(session, names, inputs) for inputs in sets]


def outputs_or_error(session, names, inputs):
    try:
        return session.run(names, inputs)
    except Exception as error:  # of either library
        return str(error) or type(error).__name__


def run_onnxruntime(model, sets, names):
    """Its outputs, or its error, of each run, without its optimizations; None where it
    has no implementation or crashes."""
    try:
        return in_child(lambda: run_unguarded(model, sets, names))
    except (Crash, RuntimeError):
        return None


def run_unguarded(model, sets, names):
    # It ends its process where sizes of recurrent nodes contradict, and says so.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [outputs_or_error(session, names, inputs) for inputs in sets]
