"""The importer against ONNX's own node tests.

Each test of the ONNX package is a model of one operator with inputs and expected
outputs. Its imported graph-state IR is evaluated by graph_state.py. Integer
inputs that a model takes as shapes, axes and the like are made constants, as
exporters write them. Models that the importer says it does not support are left
out; the minima keep their number from growing.
"""

import os
import pathlib
import subprocess
import warnings

import numpy as np
import onnx
from onnx import numpy_helper

import graph_state

BUILD = pathlib.Path(os.environ.get(
    "TESSERA_BUILD_DIR", pathlib.Path(__file__).parents[2] / "build"))
# So many node tests are imported and right, at least: with the sizes of the
# tests, and with no size known.
KNOWN_MINIMUM = 1444
KNOWN_MINIMUM_UNKNOWN = 1355
# Inputs that say how to compute, not on what.
PARAMETERS = {
    "axes", "shape", "starts", "ends", "steps", "axis", "repeats", "pads",
    "depth", "k", "split", "num_outputs", "start", "limit", "delta", "ratio",
    "training_mode", "constant_value", "t", "r", "axis", "scales", "sizes", "roi",
}


def collect():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases
        return [case for case in collect_testcases(None)
                if case.data_sets and case.data_sets[0][0] is not None]


def schema_inputs(node, version):
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError:
        return {}
    return {name: parameter.name
            for name, parameter in zip(node.input, schema.inputs)}


def with_constants(model, arrays):
    """The model with its parameters as initializers; the inputs that are left."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    version = next((o.version for o in model.opset_import if not o.domain), 1)
    role = {}
    for node in model.graph.node:
        for name, parameter in schema_inputs(node, version).items():
            role.setdefault(name, set()).add(parameter)
    inputs = {}
    for value, array in zip(list(model.graph.input), arrays):
        parameters = role.get(value.name, set())
        if isinstance(array, np.ndarray) and parameters & PARAMETERS or (
                "shape" in value.name):
            model.graph.initializer.append(
                numpy_helper.from_array(array, value.name))
            model.graph.input.remove(value)
        else:
            inputs[value.name] = array
    return model, inputs


def with_unknown_sizes(model):
    """The model with inputs of known rank only."""
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            dim.Clear()
    return model


def import_all(folder, change):
    """For each case that can be imported: text, inputs, outputs, case."""
    cases = {}
    for case in collect():
        arrays, outputs = (
            [np.asarray(a) if isinstance(a, np.generic) else a for a in part]
            for part in case.data_sets[0])
        if not all(isinstance(a, np.ndarray) for a in [*arrays, *outputs]):
            continue
        model, inputs = with_constants(case.model, arrays)
        path = folder / f"{case.name}.onnx"
        path.write_bytes(change(model).SerializeToString())
        cases[str(path)] = (inputs, outputs, case)
    run = subprocess.run([BUILD / "bin/onnx-import", "--generic", "--arith", *cases],
                         capture_output=True, text=True)
    assert run.returncode in (0, 1), run.stderr[-2000:]
    parts = [part.partition("\n") for part in run.stdout.split("// ")[1:]]
    assert len(parts) == len(cases)
    return [(text, *cases[path]) for path, _, text in parts
            if '"builtin.module"' in text]


def is_narrow(dtype):
    """Types of ml_dtypes of at most a byte, which are i8 in graph state."""
    return dtype.itemsize == 1 and dtype.kind not in "iub"


def same_bits(array, like):
    """Signless: unsigned outputs come as signed arrays of the same bits."""
    if is_narrow(like.dtype):
        return array.view(like.dtype)
    if array.dtype != like.dtype and array.dtype.kind == "i":
        return array.view(like.dtype)
    return array


def check(text, inputs, outputs, case):
    inputs = {name: array.view(np.int8) if is_narrow(array.dtype)
              else array.view(array.dtype.str.replace("u", "i"))
              if array.dtype.kind == "u" else array
              for name, array in inputs.items()}
    results = graph_state.parse(text).run(inputs)
    for result, expected in zip(results, outputs):
        result = same_bits(result, expected)
        assert result.shape == expected.shape
        if expected.dtype.kind in "iub":
            np.testing.assert_array_equal(result, expected)
            continue
        # Half precision: the references round in other places.
        narrow = expected.dtype.itemsize == 2
        np.testing.assert_allclose(
            result.astype(np.float64), expected.astype(np.float64),
            rtol=2e-2 if narrow else max(case.rtol, 1e-5),
            atol=2e-2 if narrow else max(case.atol, 1e-6))


def run_all(imported, minimum):
    failures, passed = [], 0
    for text, inputs, outputs, case in imported:
        try:
            check(text, inputs, outputs, case)
            passed += 1
        except (AssertionError, NotImplementedError, KeyError, TypeError,
                ValueError) as error:
            failures.append(f"{case.name}: {type(error).__name__} "
                            f"{str(error).strip()[:300]}")
    assert not failures, f"{len(failures)} of {passed + len(failures)}\n" + \
        "\n".join(failures)
    assert passed >= minimum


def test_nodes(tmp_path):
    run_all(import_all(tmp_path, lambda model: model), KNOWN_MINIMUM)


def test_nodes_of_unknown_sizes(tmp_path):
    run_all(import_all(tmp_path, with_unknown_sizes), KNOWN_MINIMUM_UNKNOWN)
