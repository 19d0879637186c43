#!/usr/bin/env python3
"""Compiles and runs mutated models, looking for crashes of the compiler.

    test/fuzz/mutate_models.py build/bin/tessera --seconds 900 --jobs 2 --keep found
    test/fuzz/mutate_models.py build/bin/tessera --models /path/to/exports
    test/fuzz/mutate_models.py build/bin/tessera --mutant 0:1234 --keep found

Seeds are ONNX's own node tests, Magika's model where it is installed, and models
that are named, whose weights are left out: external data of zeros takes their
place. Each is changed in one to four places (attributes, types, sizes, edges,
operators, constants, names, functions, external data; now and then bytes of the
file), compiled, and run on random inputs, in processes with limits. A model that
is refused with a message is fine; an end by a signal, an internal error or a run
out of time is not. Mutants are named SEED:NUMBER. Prints how far they came; exits
with 1 if something crashed.
"""

import argparse
import collections
import os
import random
import re
import sys
import tempfile
import time
import warnings
from pathlib import Path

import onnx
from onnx import TensorProto

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from limits import ending, run_limited  # noqa: E402
from mutations import Mutator, mutate_bytes  # noqa: E402
from pool import run_isolated  # noqa: E402

LARGEST_SEED_BYTES = 1 << 20
LEAST_OPSET = 9
LIGHT_KINDS = ["simple", "pytorch-converted", "pytorch-operator"]
# Weights above this go to the file of zeros.
INLINE_BYTES = 1 << 16
REACHED = ["nothing", "parsed", "checked", "imported", "compiled", "ran"]
INTERNAL_ERROR, RUN_FAILED = 70, 7
# Of the mutants, where larger models are given.
SHARE_OF_LARGE = 0.35
SHARE_OF_BYTES = 0.07
# With a size from here on a run may well take longer than the limit.
LARGE_SIZE = 10**5


class Seeds:
    """Models by name; large ones are kept without their weights."""

    def __init__(self, pattern="", folders=(), nodes=True):
        """`nodes`: ONNX's node tests too, which take seconds to make."""
        self.small = light_seeds() + (node_seeds() if nodes else [])
        large = [path for folder in folders for path in sorted(folder.glob("*.onnx"))]
        try:
            import magika

            large += sorted(Path(magika.__file__).parent.glob("models/*/model.onnx"))
        except ImportError:
            pass
        self.small = [seed for seed in self.small if re.search(pattern, seed[0])]
        self.large = [(p.stem, *without_weights(p)) for p in large if re.search(pattern, str(p))]
        if not self.small and not self.large:
            sys.exit("no seed matches")
        models = [seed[1] for seed in self.small + self.large]
        self.operators = sorted({node.op_type for model in models for node in model.graph.node})

    def draw(self, chance):
        """(name, model, bytes of external data, whether it is a large one)."""
        large = self.large and (not self.small or chance.random() < SHARE_OF_LARGE)
        name, model, size = chance.choice(self.large if large else self.small)
        return name, onnx.ModelProto.FromString(model.SerializeToString()), size, bool(large)


def light_seeds():
    """(name, model, 0) of the models of a few nodes that ONNX's package has."""
    data = Path(onnx.__file__).parent / "backend/test/data"
    paths = [p for kind in LIGHT_KINDS for p in sorted((data / kind).glob("*/model.onnx"))]
    models = [(p.parent.name, onnx.load(p), 0) for p in paths if p.stat().st_size <= LARGEST_SEED_BYTES]
    for _, model, _ in models:
        for opset in model.opset_import:
            if not opset.domain:  # older ones are refused as a whole
                opset.version = max(opset.version, LEAST_OPSET)
    return models


def node_seeds():
    """The same of ONNX's node tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return [(case.name, case.model, 0) for case in collect_testcases(None)]


def without_weights(path):
    """(the model with weights in a file, the bytes of that file)."""
    model, size = onnx.load(path), 0
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > INLINE_BYTES:
            length = len(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "weights.bin"), ("offset", size), ("length", length)):
                tensor.external_data.add(key=key, value=str(value))
            size += (length + 4095) & -4096
    return model, size


def mutant(name, seeds):
    """(seed's name, bytes of the mutant, bytes of its external data, changes,
    whether the seed is large)."""
    chance = random.Random(name)
    seed, model, size, large = seeds.draw(chance)
    mutator = Mutator(model, chance, seeds.operators)
    changes = [mutator.mutate() for _ in range(chance.randint(1, 4))]
    data = model.SerializeToString()
    if chance.random() < SHARE_OF_BYTES:
        data = mutate_bytes(data, chance)
        changes.append("bytes")
    return seed, data, size, [change for change in changes if change], large


def judge(name, seeds, tool, keep):
    """(how far it came, exit code, what is wrong or None, seed) of a mutant."""
    chance = random.Random(f"{name} run")
    seed, data, size, changes, large = mutant(name, seeds)
    # Unfused, a large model may well run for longer than the limit.
    level = 3 if large else chance.choice([0, 3, 3])
    with tempfile.TemporaryDirectory(prefix="tessera-mutant-") as folder:
        folder = Path(folder)
        (folder / "model.onnx").write_bytes(data)
        with open(folder / "weights.bin", "wb") as weights:
            weights.truncate(size)
        reached = checked_by_onnx(folder / "model.onnx")
        command = [tool, "compile", "model.onnx", f"-O{level}", "--save-states", "."]
        code, text = run_limited(command, folder)
        if (folder / "graph.mlir").exists():
            reached = "imported"
        if (folder / "model.so").exists():
            reached = "compiled"
            code, text = run_limited([tool, "run", "model.so"], folder)
            if code in (0, RUN_FAILED):
                reached = "ran"
    slow = reached in ("compiled", "ran") and is_out_of_time(code, text)
    excused = slow and has_large_size(changes)
    problem = None if excused else what_is_wrong(code, text)
    if problem and keep:
        keep.mkdir(parents=True, exist_ok=True)
        stem = f"O{level}-{seed}-{name.replace(':', '-')}"
        (keep / f"{stem}.onnx").write_bytes(data)
        (keep / f"{stem}.txt").write_text(f"{name} -O{level} {changes}\n{ending(code)}\n{text}")
    return reached, code, problem, f"-O{level} {seed} {changes}"


def checked_by_onnx(path):
    """How far ONNX's own library comes: nothing, parsed or checked."""
    try:
        onnx.ModelProto.FromString(path.read_bytes())
    except Exception:  # protobuf's class depends on its implementation
        return "nothing"
    try:
        onnx.checker.check_model(str(path))
    except Exception:  # of several classes
        return "parsed"
    return "checked"


def is_out_of_time(code, text):
    return code is None or "CPU time limit exceeded" in text


def has_large_size(changes):
    return any(int(number) >= LARGE_SIZE for number in re.findall(r"\d+", " ".join(changes)))


def what_is_wrong(code, text):
    """The fault of the compiler, without names and numbers, or None."""
    crashed = code is None or code < 0 or code == INTERNAL_ERROR
    if code == RUN_FAILED and ("crash" in text or "signal" in text):
        crashed = True
    if not crashed and "linking failed" not in text:
        return None
    lines = [line for line in text.splitlines() if "error" in line.lower()] or text.splitlines()
    return f"{ending(code)}: " + re.sub(r"'[^']*'|\d+", "*", lines[0] if lines else "")[:150]


class Report:
    def __init__(self):
        self.reached, self.codes = collections.Counter(), collections.Counter()
        self.problems = collections.defaultdict(list)

    def add(self, name, result):
        reached, code, problem, what = result
        self.reached[reached] += 1
        self.codes[code] += 1
        if problem:
            self.problems[problem].append(name)
            if len(self.problems[problem]) <= 5:
                print(f"{name} {what}: {problem}", flush=True)

    def share(self, state):
        """Of the mutants, what came to this state or further, of 1."""
        further = REACHED[REACHED.index(state) :]
        return sum(self.reached[s] for s in further) / max(sum(self.reached.values()), 1)

    def print(self, seconds):
        print(f"{sum(self.reached.values())} mutants in {seconds:.0f} s")
        for state in REACHED[1:]:
            print(f"  {state:9} {100 * self.share(state):5.1f} %")
        print("exit codes:", ", ".join(f"{code}: {n}" for code, n in self.codes.most_common()))
        for problem, names in sorted(self.problems.items(), key=lambda item: -len(item[1])):
            print(f"{len(names)} times {problem} [{', '.join(names[:4])}]")


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tool", type=Path, help="the program tessera")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--mutants", type=int, default=10**6, help="how many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mutant", action="append", help="SEED:NUMBER of one mutant; may be repeated")
    parser.add_argument("--filter", default="", help="only seeds whose path matches this")
    parser.add_argument("--models", type=Path, action="append", default=[], help="folder of models")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="folder for models that crash")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    seeds, tool = Seeds(arguments.filter, arguments.models), arguments.tool.resolve()
    names = arguments.mutant or [f"{arguments.seed}:{n}" for n in range(arguments.mutants)]
    report, begin = Report(), time.monotonic()
    work = lambda name: judge(name, seeds, tool, arguments.keep)  # noqa: E731
    for name, result, _ in run_isolated(names, work, arguments.jobs, 200):
        if len(result) == 2:  # ONNX's own checker crashed or hung
            result = "parsed", "fuzzer", None, ""
        report.add(name, result)
        if time.monotonic() - begin > arguments.seconds:
            break
    report.print(time.monotonic() - begin)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
