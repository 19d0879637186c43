"""Sizes with different names that an operator requires to be equal."""

import numpy as np
import onnx
import pytest
import tessera
from models import model_of, value
from onnx import helper


@pytest.fixture
def product(tmp_path):
    """z[m, n] = x[m, k] y[l, n]"""
    path = tmp_path / "product.onnx"
    onnx.save(
        model_of(
            [helper.make_node("MatMul", ["x", "y"], ["z"], name="product")],
            [value("x", np.float32, ["m", "k"]), value("y", np.float32, ["l", "n"])],
            [value("z", np.float32, ["m", "n"])],
        ),
        path,
    )
    return tessera.load(tessera.compile(path))


def test_equal_sizes_run(product):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y = np.arange(12, dtype=np.float32).reshape(3, 4)
    [z] = product.run(None, {"x": x, "y": y})
    assert np.array_equal(z, x @ y)


def test_different_sizes_are_an_error_that_names_the_node(product):
    with pytest.raises(tessera.TesseraError, match=r"node 'product' \(MatMul\): inner sizes differ"):
        product.run(None, {"x": np.ones((2, 3), np.float32), "y": np.ones((5, 4), np.float32)})


def test_sizes_without_a_name_have_nothing_in_common(tmp_path):
    """Paddle's exporter calls every size that it does not know '?'."""
    shape = ["?", "?"]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Relu", ["x"], ["y"])], "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[
        onnx.helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    session = tessera.load(tessera.compile(tmp_path / "m.onnx"))
    x = np.arange(-3, 3, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], np.maximum(x, 0))


@pytest.mark.parametrize("operator", ["GatherElements", "ScatterElements"])
def test_no_more_indices_than_elements(operator, tmp_path):
    """Along the other dimensions; more would read or write outside."""
    rows = "m" if operator == "GatherElements" else 3
    inputs = [value("x", np.float32, [rows, 2]), value("i", np.int64, ["n", 2])]
    if operator == "ScatterElements":
        inputs.append(value("u", np.float32, ["n", 2]))
    node = helper.make_node(operator, [i.name for i in inputs], ["y"], name="picked", axis=1)
    path = tmp_path / "model.onnx"
    onnx.save(model_of([node], inputs, [value("y", np.float32, [None, None])]), path)
    session = tessera.load(tessera.compile(path))

    def run(count):
        feed = {"x": np.ones((3, 2), np.float32), "i": np.zeros((count, 2), np.int64)}
        if operator == "ScatterElements":
            feed["u"] = np.full((count, 2), 7, np.float32)
        return session.run(None, feed)[0]

    expected = np.ones((2, 2) if operator == "GatherElements" else (3, 2), np.float32)
    if operator == "ScatterElements":
        expected[:2, 0] = 7
    np.testing.assert_array_equal(run(2), expected)
    with pytest.raises(tessera.TesseraError, match="picked.*more indices than elements"):
        run(4)
