"""Measures a compiled model against ONNX Runtime.

    python -m tessera.benchmark model.onnx
    python -m tessera.benchmark model.onnx --size batch=1 --size sequence=128 --threads 1,2
    python -m tessera.benchmark model.onnx --library model.so --blocks 15

Runs both on the same random inputs in alternating blocks, with a pause between
them (a pool of threads that still spins slows whoever runs next). The latency of
a block is the median of its runs, and the result the median of the blocks' and of
the blocks' ratios: a machine that slows down for a while slows both. Pin the
process (taskset) to as many cores as threads for numbers worth quoting.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ._compile import CompileError, compile as compile_model
from ._library import TesseraError
from ._random_inputs import index_ranges, named_count, named_number, random_array
from ._reference import reference_session
from ._session import load

# Seconds that a block takes at least, and the pause between two.
BLOCK_SECONDS = 0.3
PAUSE_SECONDS = 0.1


def block(run):
    """The median seconds of runs that take BLOCK_SECONDS together, 3 at least."""
    seconds = []
    while len(seconds) < 3 or sum(seconds) < BLOCK_SECONDS:
        begin = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begin)
    time.sleep(PAUSE_SECONDS)
    return statistics.median(seconds)


def measure(ours, theirs, blocks):
    """Medians of both in milliseconds, and of the blocks' ratios."""
    for run in (ours, theirs):
        run()
    pairs = [(block(ours), block(theirs)) for _ in range(blocks)]
    return (
        1e3 * statistics.median(pair[0] for pair in pairs),
        1e3 * statistics.median(pair[1] for pair in pairs),
        statistics.median(pair[0] / pair[1] for pair in pairs),
    )


def sizes_of(session, given):
    """The typical size of each symbol, or what was given for it."""
    symbols = session.get_symbols()
    unknown = set(given) - set(symbols)
    if unknown:
        raise TesseraError(
            f"no size is named '{unknown.pop()}'; the model has "
            + (", ".join(f"'{name}'" for name in symbols) or "none")
        )
    return {name: given.get(name, typical) for name, (_, typical, _) in symbols.items()}


def benchmark(arguments, library, out):
    print(f"{'threads':>7} {'ours ms':>10} {'ORT ms':>10} {'ratio':>7}", file=out)
    for threads in arguments.threads:
        session = load(library, threads=threads)
        reference = reference_session(arguments.model, threads=threads)
        sizes = sizes_of(session, dict(arguments.size))
        random = np.random.default_rng(arguments.seed)
        ranges = {**index_ranges(arguments.model), **dict(arguments.range)}
        inputs = {
            port.name: random_array(port, sizes, ranges, random)
            for port in session.get_inputs()
        }
        ours, theirs, ratio = measure(
            lambda: session.run(None, inputs),
            lambda: reference.run(None, inputs),
            arguments.blocks,
        )
        print(f"{threads:>7} {ours:>10.3f} {theirs:>10.3f} {ratio:>7.2f}", file=out, flush=True)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m tessera.benchmark",
        description="Measures a compiled model against ONNX Runtime.",
        epilog="Other options go to `tessera compile`.",
    )
    parser.add_argument("model", help="the ONNX model")
    parser.add_argument("--library", help="the compiled model; without: compile it")
    parser.add_argument(
        "--size", type=named_number, action="append", default=[], metavar="SYMBOL=SIZE",
        help="a size of the run; default: the typical one",
    )
    parser.add_argument(
        "--range", type=named_count, action="append", default=[], metavar="INPUT=COUNT",
        help="draw this integer input from 0 to COUNT-1",
    )
    parser.add_argument(
        "--threads", default=[1], metavar="N,N,...",
        type=lambda text: [int(number) for number in text.split(",")],
        help="numbers of threads to measure with (1)",
    )
    parser.add_argument("--blocks", type=int, default=9, help="blocks of each (9)")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_known_args(argv)


def main(argv=None, out=None):
    arguments, compiler_flags = parse(argv)
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = arguments.library or compile_model(
                arguments.model, Path(folder) / "model.so", flags=compiler_flags
            )
            benchmark(arguments, library, out or sys.stdout)
    except CompileError as error:  # its lines begin with "error: " already
        print(error, file=sys.stderr)
        return 2
    except (TesseraError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
