"""Compares a compiled model with ONNX Runtime.

    python -m tessera.compare model.onnx
    python -m tessera.compare model.onnx --shape seq=1:64:512 --sizes 5
    python -m tessera.compare model.onnx --library model.so --inputs inputs.npz
    python -m tessera.compare model.onnx --tap all     every intermediate value too
    python -m tessera.compare model.onnx --precision fast     how far it drifts

Compiles the model, runs both on the same random inputs at several sizes of its
symbols, prints the largest difference of each output, and ends with 0 if all are
within the tolerance, 1 if not, 2 if nothing could be compared.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from ._compile import CompileError, compile as compile_model
from ._library import TesseraError
from ._random_inputs import index_ranges, named_count, random_array, size_sets
from ._reference import reference_session
from ._session import load

# Largest difference allowed, relative to the largest magnitude of the output:
# a few hundred roundings of the type, for sums in another order.
TOLERANCES = {"float64": 1e-9, "float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
# The same for outputs of f32 that products of narrower operands lead to.
PRECISION_TOLERANCES = {"high": 1e-3, "f16": 1e-2, "fast": 5e-2, "medium": 5e-2, "bf16": 5e-2}


class Difference:
    """How far `ours` is from `theirs`: arrays of one shape and type."""

    def __init__(self, ours, theirs, tolerance=None):
        self.problem = None
        self.absolute = self.relative = 0.0
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            self.problem = (
                f"expects {theirs.dtype} {theirs.shape} but got {ours.dtype} {ours.shape}"
            )
            return
        if ours.size == 0:
            return
        if ours.dtype.kind in "iub":
            self._compare_exactly(ours, theirs)
        else:
            self._compare_floats(ours, theirs, tolerance or TOLERANCES.get(ours.dtype.name, 0.1))

    def _compare_exactly(self, ours, theirs):
        different = np.count_nonzero(ours != theirs)
        if different:
            self.problem = f"{different} of {ours.size} elements differ"
            self.absolute = float(np.max(np.abs(ours.astype(float) - theirs.astype(float))))

    def _compare_floats(self, ours, theirs, tolerance):
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        finite = np.isfinite(theirs)
        odd = np.count_nonzero(finite != np.isfinite(ours))
        odd += np.count_nonzero(
            ~((ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))[~finite]
        )
        if odd:
            self.problem = f"{odd} infinities or NaNs differ"
        both = finite & np.isfinite(ours)
        if not both.any():
            return
        self.absolute = float(np.max(np.abs(ours[both] - theirs[both])))
        self.relative = self.absolute / max(float(np.max(np.abs(theirs[both]))), 1e-30)
        if not self.problem and not self.relative <= tolerance:
            self.problem = f"above the tolerance of {tolerance:g}"


def compare_once(session, reference, inputs, label, tolerance, out):
    """Runs both and prints a line for each output; returns the number of
    outputs that are wrong, or None if ONNX Runtime does not take the inputs."""
    names = [port.name for port in session.get_outputs()]
    try:
        expected = reference.run(names, inputs)
    except Exception as error:  # its exceptions have no common base class
        print(f"{label:24} skipped: ONNX Runtime: {str(error).splitlines()[0]}", file=out)
        return None
    wrong = 0
    for name, ours, theirs in zip(names, session.run(names, inputs), expected):
        difference = Difference(ours, theirs, tolerance)
        shape = "x".join(map(str, theirs.shape)) or "scalar"
        verdict = "ok" if not difference.problem else f"WRONG: {difference.problem}"
        print(
            f"{label:24} {name:20} {shape:>18} {difference.absolute:10.2e} "
            f"{difference.relative:10.2e}  {verdict}",
            file=out,
        )
        wrong += bool(difference.problem)
    return wrong


def input_sets(session, model, arguments):
    """(label, inputs) of each run."""
    if arguments.inputs:
        with np.load(arguments.inputs) as archive:
            return [(Path(arguments.inputs).name, dict(archive))]
    random = np.random.default_rng(arguments.seed)
    ranges = {**index_ranges(model), **dict(arguments.range)}
    return [
        (
            " ".join(f"{name}={size}" for name, size in sizes.items()) or "static",
            {
                port.name: random_array(port, sizes, ranges, random)
                for port in session.get_inputs()
            },
        )
        for sizes in size_sets(session.get_symbols(), arguments.sizes, random)
    ]


def compare(arguments, library, out):
    session = load(library, threads=arguments.threads)
    reference = reference_session(
        arguments.model, [port.name for port in session.get_outputs()]
    )
    print(
        f"{'sizes':24} {'output':20} {'shape':>18} {'absolute':>10} {'relative':>10}", file=out
    )
    results = [
        compare_once(session, reference, inputs, label, arguments.tolerance, out)
        for label, inputs in input_sets(session, arguments.model, arguments)
    ]
    compared = [result for result in results if result is not None]
    if not compared:
        print("nothing was compared", file=out)
        return 2
    return 1 if any(compared) else 0


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m tessera.compare",
        description="Compares a compiled model with ONNX Runtime.",
        epilog="Other options go to `tessera compile`.",
    )
    parser.add_argument("model", help="the ONNX model")
    parser.add_argument("--library", help="the compiled model; without: compile it")
    parser.add_argument("--inputs", help=".npz file with an array for each input")
    parser.add_argument("--sizes", type=int, default=4, help="number of random sizes (4)")
    parser.add_argument(
        "--range",
        type=named_count,
        action="append",
        default=[],
        metavar="INPUT=COUNT",
        help="draw this integer input from 0 to COUNT-1; default: the size of what it "
        "indexes, where that is found in the model, else 2",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--precision", help="as of `tessera compile`; a narrow one has a larger tolerance"
    )
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument(
        "--tolerance",
        type=float,
        help="largest difference relative to the largest magnitude of the output; "
        "default by type: "
        + ", ".join(f"{name} {value:g}" for name, value in TOLERANCES.items()),
    )
    arguments, compiler_flags = parser.parse_known_args(argv)
    if arguments.precision:
        compiler_flags.append(f"--precision={arguments.precision}")
        arguments.tolerance = arguments.tolerance or PRECISION_TOLERANCES.get(arguments.precision)
    return arguments, compiler_flags


def main(argv=None, out=None):
    arguments, compiler_flags = parse(argv)
    out = out or sys.stdout
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = arguments.library
            if not library:
                library = compile_model(
                    arguments.model, Path(folder) / "model.so", flags=compiler_flags
                )
            return compare(arguments, library, out)
    except CompileError as error:  # its lines begin with "error: " already
        print(error, file=sys.stderr)
        return 2
    except (TesseraError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
