#!/usr/bin/env python3
"""Compares random models with ONNX Runtime and ONNX's reference evaluator.

    test/fuzz/differential.py build/bin/tessera --seconds 900 --jobs 2 --keep found
    test/fuzz/differential.py build/bin/tessera --graph 0:1234

Each graph is built for several assignments of its symbolic sizes, compiled at -O3
and -O0, and run at all of them. What it must give is known from a reference in
float64, with a tolerance that is measured for every element (wide_reference.py). A
graph that fails is made small and kept in a folder with its inputs. Graphs are
named SEED:NUMBER; the same name gives the same graph. Exits with 1 if one failed.
"""

import argparse
import collections
import hashlib
import os
import random
import re
import sys
import tempfile
import time
from pathlib import Path

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

import contradictions  # noqa: E402
import elementwise_operators  # noqa: E402
import mode_operators  # noqa: E402
import movement_operators  # noqa: E402
import network_operators  # noqa: E402
from graph_builder import GraphBuilder, Invalid, draw_settings  # noqa: E402
from judge import Judge, Verdict  # noqa: E402
from pool import run_isolated  # noqa: E402
from shrink import shrink  # noqa: E402

GENERATORS = [
    *elementwise_operators.GENERATORS,
    *mode_operators.GENERATORS,
    *movement_operators.GENERATORS,
    *network_operators.GENERATORS,
]
SHRINK_SECONDS = 60
# Finds of one cause that are made small and kept.
KEPT_OF_A_CAUSE = 3


def build(name):
    """(model, sets of inputs) of the graph called SEED:NUMBER."""
    chance = random.Random(name)
    graph = GraphBuilder(chance, draw_settings(chance))
    weights = [weight for weight, _ in GENERATORS]
    wanted = chance.choice([1, 1, 2, 3, 3, 4, 5, 6, 8, 10, 14])
    for _ in range(4 * wanted):
        if len(graph.nodes) >= wanted:
            break
        graph.attempt(chance.choices(GENERATORS, weights)[0][1])
    model, sets = graph.finish()
    return model, sets + contradictions.draw(chance, model, sets[0])


def fuzz(name, tool, keep):
    """(verdict, operators, runs) of one graph; a find is made small and kept."""
    try:
        model, sets = build(name)
    except Invalid as error:
        return Verdict("invalid", f"builder: {error}"), [], 0
    except Exception as error:
        return Verdict("invalid", f"builder: {type(error).__name__}: {error}"), [], 0
    with tempfile.TemporaryDirectory(prefix="tessera-fuzz-") as folder:
        judge = Judge(tool, folder)
        verdict = judge(model, sets)
        if keep and (verdict.is_find or verdict.state == "disputed"):
            keep_find(name, model, sets, verdict, judge, keep)
    return verdict, [node.op_type for node in model.graph.node], len(sets)


def keep_find(name, model, sets, verdict, judge, keep):
    cause = hashlib.sha256(verdict.cause.encode()).hexdigest()[:6]
    stem = f"{verdict.state}-{cause}"
    if len(list(keep.glob(f"{stem}-*"))) >= KEPT_OF_A_CAUSE:
        return
    place = keep / f"{stem}-{name.replace(':', '-')}"
    place.mkdir(parents=True, exist_ok=True)
    (place / "whole.onnx").write_bytes(model.SerializeToString())

    def still_fails(smaller, smaller_sets):
        found = judge(smaller, smaller_sets)
        return found.state == verdict.state and (
            found.state in ("wrong", "disputed") or found.cause == verdict.cause
        )

    model, sets = shrink(model, sets, still_fails, SHRINK_SECONDS)
    (place / "model.onnx").write_bytes(model.SerializeToString())
    for number, inputs in enumerate(sets):
        np.savez(place / f"inputs-{number}.npz", **inputs)
    (place / "verdict.txt").write_text(f"{name}\n{verdict.reason}\n{judge(model, sets).reason}\n")


def names_of(arguments):
    if arguments.graph:
        return arguments.graph
    count = arguments.graphs or 10**6
    return [f"{arguments.seed}:{number}" for number in range(count)]


def generalize(reason):
    return re.sub(r"\d+", "N", re.sub(r"'[^']*'", "*", reason))[:150]


class Report:
    def __init__(self):
        self.states, self.operators = collections.Counter(), collections.Counter()
        self.reasons, self.notes = collections.defaultdict(list), collections.Counter()
        self.runs = self.nodes = 0

    def add(self, name, verdict, operators, runs):
        self.states[verdict.state] += 1
        self.runs += runs
        self.nodes += len(operators)
        if verdict.state != "invalid":
            self.operators.update(set(operators))
        if verdict.state != "agreed":
            self.reasons[verdict.state, generalize(verdict.reason)].append(name)
        for note in {generalize(note.split(":")[0]) for note in verdict.notes}:
            self.notes[note] += 1

    @property
    def finds(self):
        return sum(n for state, n in self.states.items() if Verdict(state).is_find)

    def print(self, seconds):
        graphs = sum(self.states.values())
        print(
            f"{graphs} graphs, {self.nodes} nodes of {len(self.operators)} operators, "
            f"{self.runs} runs in {seconds:.0f} s, {self.finds} finds"
        )
        for state, count in self.states.most_common():
            print(f"  {state:10} {count:6} {100 * count / graphs:5.1f} %")
        for note, count in self.notes.most_common():
            print(f"  of which: {note}: {count}")
        for (state, reason), names in sorted(self.reasons.items(), key=lambda item: -len(item[1])):
            print(f"{len(names):5} {state:9} {reason} [{', '.join(names[:4])}]")
        print("operators:", ", ".join(f"{n} {c}" for n, c in sorted(self.operators.items())))


def parse(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tool", type=Path, help="the program tessera")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--graphs", type=int, help="number of graphs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--graph", action="append", help="SEED:NUMBER of one graph; may be repeated")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count())
    parser.add_argument("--keep", type=Path, help="folder for graphs that fail")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse(argv)
    report, begin = Report(), time.monotonic()
    work = lambda name: fuzz(name, arguments.tool, arguments.keep)  # noqa: E731
    for name, result, _ in run_isolated(names_of(arguments), work, arguments.jobs, 6 * SHRINK_SECONDS):
        if isinstance(result[0], str):  # the process that fuzzes crashed or hung
            result = Verdict("fuzzer", f"{result[0]}: {result[1]}"), [], 0
        report.add(name, *result)
        if result[0].is_find or arguments.graph:
            print(f"{name}: {result[0].state}: {result[0].reason}", flush=True)
        if time.monotonic() - begin > arguments.seconds:
            break
    report.print(time.monotonic() - begin)
    return 1 if report.finds else 0


if __name__ == "__main__":
    sys.exit(main())
