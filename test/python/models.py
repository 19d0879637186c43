"""Small ONNX models for the tests of the tool."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

IDS, BIAS, FLAG, OUT = "a/b:0=ids", "bias", "flag", "out:0/x"
TABLE_ROWS = 50


def model_of(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def value(name, dtype, shape):
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, element, shape)


def save_lookup(path):
    """out = table[ids] @ w + bias, notflag = not flag; names that need care."""
    random = np.random.default_rng(0)
    table = random.standard_normal((TABLE_ROWS, 8), np.float32)
    w = random.standard_normal((8, 4), np.float32)
    model = model_of(
        [
            helper.make_node("Gather", ["table", IDS], ["rows"], name="lookup"),
            helper.make_node("MatMul", ["rows", "w"], ["product"], name="project"),
            helper.make_node("Add", ["product", BIAS], [OUT], name="shift"),
            helper.make_node("Not", [FLAG], ["notflag"]),
        ],
        [
            value(IDS, np.int64, ["batch", "seq"]),
            value(BIAS, np.float32, ["batch", "seq", 4]),
            value(FLAG, bool, ["batch"]),
        ],
        [value(OUT, np.float32, ["batch", "seq", 4]), value("notflag", bool, ["batch"])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(w, "w")],
    )
    onnx.save(model, path)
    return table, w


def save_square(path, dtype):
    """y = x * x."""
    node = helper.make_node("Mul", ["x", "x"], ["y"])
    matrix = [value(name, dtype, ["n", "m"]) for name in "xy"]
    onnx.save(model_of([node], matrix[:1], matrix[1:]), path)
    return path


def save_tower(path, layers, width=64):
    """layers products, each with its own weights, and an activation: long to
    compile."""
    random = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for layer in range(layers):
        weights.append(
            numpy_helper.from_array(
                random.standard_normal((width + layer, width + layer + 1), np.float32), f"w{layer}"
            )
        )
        nodes.append(helper.make_node("MatMul", [last, f"w{layer}"], [f"m{layer}"]))
        nodes.append(helper.make_node("Tanh", [f"m{layer}"], [f"t{layer}"]))
        last = f"t{layer}"
    onnx.save(
        model_of(
            nodes,
            [value("x", np.float32, ["n", width])],
            [value(last, np.float32, ["n", width + layers])],
            weights,
        ),
        path,
    )


def save_product(path, rows, columns, external=None, array=None):
    """y = x @ w; with `external` the weights are in that file beside the model."""
    w = array if array is not None else np.ones((rows, columns), np.float32)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")],
        [value("x", np.float32, ["n", rows])],
        [value("y", np.float32, ["n", columns])],
        [numpy_helper.from_array(w, "w")],
    )
    onnx.save(
        model, path, save_as_external_data=bool(external), location=external, size_threshold=0
    )
