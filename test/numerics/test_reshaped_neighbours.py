"""Values that one operation reads as they are and reshaped: no kernel may hold
both what makes the value and what reads its reshape."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

SIZES = [(4, 6), (2, 12)]


@pytest.mark.parametrize("operator", ["Add", "ReduceMax"])
def test_a_value_and_its_reshape(operator, tmp_path):
    """y = exp(x); z = y + reshape(y) folded by rows, of sizes unknown."""
    nodes = [
        helper.make_node("Exp", ["x"], ["y"]),
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Reshape", ["y", "swapped"], ["flat"]),
        helper.make_node("Neg", ["flat"], ["negated"]),
        helper.make_node("Reshape", ["flat", "shape"], ["again"]),
        helper.make_node("Reshape", ["negated", "shape"], ["back"]),
        helper.make_node("Mul", ["y", "back"], ["product"]),
        helper.make_node("Add", ["product", "again"], ["sum"]),
    ]
    if operator == "ReduceMax":
        nodes += [helper.make_node("ReduceMax", ["sum", "last"], ["z"])]
    else:
        nodes += [helper.make_node("Add", ["sum", "y"], ["z"])]
    constants = [numpy_helper.from_array(np.array([2, -1], np.int64), "swapped"),
                 numpy_helper.from_array(np.array([1], np.int64), "last")]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["m", "n"])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)], constants)
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)],
                                ir_version=9), path)
    session = tessera.load(tessera.compile(path))
    for m, n in SIZES:
        x = np.random.default_rng(1).standard_normal((m, n)).astype(np.float32)
        y = np.exp(x.astype(np.float64))
        expected = y * -y + y
        expected = (expected.max(1, keepdims=True) if operator == "ReduceMax"
                    else expected + y)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected,
                                   rtol=1e-4, atol=1e-5)
