"""Parts of an axis whose size is not known."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper


def compiled(path, parts, sizes=None):
    value = helper.make_tensor_value_info
    outputs = [f"y{i}" for i in range(parts)]
    if sizes is None:
        node = helper.make_node("Split", ["x"], outputs, axis=0, num_outputs=parts)
    else:
        node = helper.make_node("Split", ["x", "sizes"], outputs, axis=0)
    constants = [numpy_helper.from_array(np.array(sizes), "sizes")] if sizes else []
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, ["n", 2])],
        [value(name, TensorProto.FLOAT, None) for name in outputs], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return tessera.load(tessera.compile(path))


@pytest.mark.parametrize("parts", [2, 3])
def test_equal_parts(tmp_path, parts):
    session = compiled(tmp_path / "model.onnx", parts)
    for n in [0, 2, 3, 5, 9, 12]:
        x = np.arange(2 * n, dtype=np.float32).reshape(n, 2)
        part = -(-n // parts)
        for i, y in enumerate(session.run(None, {"x": x})):
            np.testing.assert_array_equal(y, x[i * part : (i + 1) * part])


def test_more_parts_than_elements(tmp_path):
    session = compiled(tmp_path / "model.onnx", 3)
    with pytest.raises(tessera.TesseraError, match="fewer elements than parts|would have size -1"):
        session.run(None, {"x": np.zeros((1, 2), np.float32)})


@pytest.mark.parametrize("n", [4, 6])
def test_sizes_that_do_not_fit(tmp_path, n):
    session = compiled(tmp_path / "model.onnx", 2, [2, 3])
    x = np.arange(10, dtype=np.float32).reshape(5, 2)
    a, b = session.run(None, {"x": x})
    np.testing.assert_array_equal(a, x[:2])
    np.testing.assert_array_equal(b, x[2:])
    with pytest.raises(tessera.TesseraError, match=f"expects size 5 in dimension 0 but got {n}"):
        session.run(None, {"x": np.zeros((n, 2), np.float32)})
