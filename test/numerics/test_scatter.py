"""Elements written by index at sizes that are not known or too large for the stack."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

RNG = np.random.default_rng(3)


def check(tmp_path, node, inputs, sizes):
    value = helper.make_tensor_value_info
    ports = [value(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes[name])
             for name, array in inputs.items()]
    graph = helper.make_graph([node], "g", ports, [value("y", TensorProto.FLOAT, sizes["x"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    given = {name: array.copy() for name, array in inputs.items()}
    [y] = tessera.load(tessera.compile(tmp_path / "model.onnx")).run(None, given)
    [expected] = ReferenceEvaluator(model).run(None, inputs)
    np.testing.assert_array_equal(y, expected)
    for name, array in inputs.items():  # what is written is a copy
        np.testing.assert_array_equal(given[name], array)


@pytest.mark.parametrize("sizes", [
    {"x": ["n", 6], "i": ["k", 1], "u": ["k", 1]},
    {"x": [4000, 6], "i": [3, 1], "u": [3, 1]},
], ids=["unknown", "large"])
@pytest.mark.parametrize("reduction", ["none", "add", "max"])
def test_elements(tmp_path, reduction, sizes):
    rows = 4000 if sizes["x"][0] == 4000 else 5
    inputs = {"x": RNG.integers(-9, 9, (rows, 6)).astype(np.float32),
              "i": np.array([[2], [0], [5]]),
              "u": np.array([[1], [-20], [30]], np.float32)}
    node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction=reduction)
    check(tmp_path, node, inputs, sizes)


def test_slices(tmp_path):
    inputs = {"x": RNG.integers(-9, 9, (5, 3, 2)).astype(np.float32),
              "i": np.array([[4], [1]]),
              "u": RNG.integers(-9, 9, (2, 3, 2)).astype(np.float32)}
    node = helper.make_node("ScatterND", ["x", "i", "u"], ["y"])
    check(tmp_path, node, inputs, {"x": ["n", "m", 2], "i": ["k", 1], "u": ["k", "m", 2]})
