"""Compiles, runs and compares one case in one form."""

import sys
from pathlib import Path

import numpy as np

from cases import input_names
from forms import FORMS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

import tessera  # noqa: E402

INTERNAL_ERROR = 70
# Two units in the last place of bfloat16, as ONNX's runner allows.
BFLOAT16_RTOL = 2**-6


class Wrong(Exception):
    """What the model gave is not what the case expects."""


def attempt(case, form, library, opt_level=3, timeout=None):
    """(state, reason) of the case; the state is passed, wrong, refused, crashed,
    timeout, or skipped if the form does not exist. `library` is the file to
    write; `timeout` in seconds bounds the compiler."""
    model = FORMS[form](case)
    if model is None:
        return "skipped", "the form does not exist"
    path = Path(library).with_suffix(".onnx")
    path.write_bytes(model.SerializeToString())
    try:
        tessera.compile(path, library, opt_level=opt_level, timeout=timeout)
    except tessera.CompileError as error:
        crashed = error.exit_code < 0 or error.exit_code == INTERNAL_ERROR and "internal error while" in str(error)
        return "crashed" if crashed else "refused", reason_of(str(error), library)
    except TimeoutError:
        return "timeout", "the compiler did not end"
    try:
        run_sets(case, form, library)
    except (Wrong, tessera.TesseraError) as error:
        return "wrong", str(error)
    return "passed", ""


def reason_of(message, library):
    """The first error of the compiler, without places of this machine."""
    lines = [line for line in message.splitlines() if "error:" in line] or message.splitlines()
    return lines[0].replace(str(Path(library).parent) + "/", "") if lines else ""


def run_sets(case, form, library):
    session = tessera.load(library, threads=1)
    names = [] if form == "constant" else input_names(case.model)
    sets = case.sets[:1] if form == "constant" else case.sets
    for inputs, expected in sets:
        given = {name: value for name, value in zip(names, inputs) if isinstance(value, np.ndarray)}
        compare(session.run(None, given), expected, case.rtol, case.atol)


def compare(outputs, expected, rtol, atol):
    """Raises Wrong unless types and shapes are the same and values close."""
    if len(outputs) != len(expected):
        raise Wrong(f"expects {len(expected)} outputs but got {len(outputs)}")
    for index, (ours, theirs) in enumerate(zip(outputs, expected)):
        if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
            raise Wrong(
                f"output {index}: expects {theirs.dtype} {theirs.shape} "
                f"but got {ours.dtype} {ours.shape}"
            )
        if ours.dtype.name == "bfloat16":
            tolerance = max(rtol, BFLOAT16_RTOL)
        else:
            tolerance = rtol
        if ours.dtype.kind in "biu":
            different = np.count_nonzero(ours != theirs)
        else:
            # Types of ml_dtypes and f16 are values of f32; f64 keeps its own.
            wide = np.float64 if ours.dtype.itemsize == 8 else np.float32
            a, b = ours.astype(wide), theirs.astype(wide)
            with np.errstate(all="ignore"):
                different = np.count_nonzero(~np.isclose(a, b, tolerance, atol, equal_nan=True))
        if different:
            raise Wrong(f"output {index}: {different} of {ours.size} elements differ")
