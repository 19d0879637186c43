"""Products of many rows, a known multiple of an unknown number: what full tiles leave
of them is cut by what the multiple lets remain."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper


@pytest.mark.parametrize("cpu", ["native", "x86-64-v3"])
@pytest.mark.parametrize("tokens", [168, 169, 170, 175, 180, 196, 256])
def test_product(tmp_path, tokens, cpu):
    chance = np.random.default_rng(tokens)
    weight = chance.standard_normal((24, 40)).astype(np.float32)
    bias = chance.standard_normal(40).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["p", "b"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, ["n", tokens, 24])],
        [value("y", TensorProto.FLOAT, ["n", tokens, 40])],
        [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    session = tessera.load(tessera.compile(path, cpu=cpu), threads=2)
    for n in range(6):
        x = chance.standard_normal((n, tokens, 24)).astype(np.float32)
        [y] = session.run(None, {"x": x})
        np.testing.assert_allclose(y, x @ weight + bias, atol=2e-5)
