"""Integer quotients and remainders: lanes behind the end must not divide by zero."""

import numpy as np
import pytest
import tessera

onnx = pytest.importorskip("onnx")


@pytest.mark.parametrize("count", [1, 7, 8, 11])
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_tail_lanes_do_not_trap(tmp_path, operator, count):
    helper, int32 = onnx.helper, onnx.TensorProto.INT32
    port = lambda name: helper.make_tensor_value_info(name, int32, ["n"])
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])], "g", [port("a"), port("b")], [port("c")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    path = tmp_path / "divide.onnx"
    onnx.save(model, path)
    a = np.arange(1, count + 1, dtype=np.int32) * 7
    b = np.full(count, 3, np.int32)
    result = tessera.load(tessera.compile(path)).run(None, {"a": a, "b": b})[0]
    np.testing.assert_array_equal(result, a // b if operator == "Div" else a % b)
