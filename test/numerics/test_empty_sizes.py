"""Sizes of 0 in the middle of a kernel. Found by random graphs."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper


def compiled(path, nodes, inputs, output, constants):
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [value("y", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)],
                                ir_version=10), path)
    return tessera.load(tessera.compile(path))


@pytest.mark.parametrize("n", [0, 1, 5])
def test_padded_repetitions_of_nothing(tmp_path, n):
    """A place of the padding has no place in a row without elements."""
    session = compiled(
        tmp_path / "model.onnx",
        [helper.make_node("Tile", ["x", "repeats"], ["wide"]),
         helper.make_node("Pad", ["wide", "pads"], ["y"])],
        [("x", [1, "n"])], ["rows", "columns"],
        {"repeats": np.array([1, 3]), "pads": np.array([2, 1, 0, 1])})
    x = np.arange(1, n + 1, dtype=np.float32)[None]
    [y] = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, np.pad(np.tile(x, (1, 3)), ((2, 0), (1, 1))))


def test_product_without_columns(tmp_path):
    session = compiled(
        tmp_path / "model.onnx", [helper.make_node("Gemm", ["x", "w"], ["y"], transA=1)],
        [("x", [1, 3])], [3, 0], {"w": np.zeros((1, 0), np.float32)})
    [y] = session.run(None, {"x": np.ones((1, 3), np.float32)})
    assert y.shape == (3, 0)


@pytest.mark.parametrize("n", [0, 3])
def test_attention_over_no_keys(tmp_path, n):
    """Every product of sizes is 0: no dimension tells which others it came from."""
    heads = np.array([0, 0, 2, 8])
    split = lambda source, out, order: [  # noqa: E731
        helper.make_node("Reshape", [source, "heads"], [out + "4"]),
        helper.make_node("Transpose", [out + "4"], [out], perm=order)]
    session = compiled(
        tmp_path / "model.onnx",
        [*split("x", "q", [0, 2, 1, 3]), *split("x", "k", [0, 2, 3, 1]),
         helper.make_node("MatMul", ["x", "w"], ["p"]), *split("p", "v", [0, 2, 1, 3]),
         helper.make_node("MatMul", ["q", "k"], ["scores"]),
         helper.make_node("Softmax", ["scores"], ["shares"]),
         helper.make_node("MatMul", ["shares", "v"], ["y"])],
        [("x", ["n", 0, 16])], ["n", 2, 0, 8],
        {"heads": heads, "w": np.eye(16, dtype=np.float32)})
    [y] = session.run(None, {"x": np.zeros((n, 0, 16), np.float32)})
    assert y.shape == (n, 2, 0, 8)


@pytest.mark.parametrize("shape, wanted", [
    (["n", -1], (4, 2)),  # nothing would be copied but where n is 0
    (["n", "m", 2], (4, 1, 2)),
])
def test_reshape_to_a_computed_size_of_0(tmp_path, shape, wanted):
    """It copies the input's size (here 1), and so does not give what 0 says."""
    concat = [f"size_{s}" for s in shape]
    session = compiled(
        tmp_path / "model.onnx",
        [helper.make_node("Shape", ["s"], ["size_n"], end=1),
         helper.make_node("Shape", ["s"], ["size_m"], start=1),
         helper.make_node("Concat", concat, ["shape"], axis=0),
         helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [("x", [1, "k"]), ("s", ["n", "m"])], [None] * len(shape),
        {"size_-1": np.array([-1]), "size_2": np.array([2])})
    [y] = session.run(None, {"x": np.zeros((1, 8), np.float32),
                             "s": np.zeros((4, 1), np.float32)})
    assert y.shape == wanted
    error = r"Reshape\): size 0 is 0|divisor but got 0"
    with pytest.raises(tessera.TesseraError, match=error):
        session.run(None, {"x": np.zeros((1, 0), np.float32),
                           "s": np.zeros((0, 0), np.float32)})


def test_joining_nothing_to_an_input(tmp_path):
    """As to a cache, of static sizes."""
    session = compiled(
        tmp_path / "model.onnx", [helper.make_node("Concat", ["x", "z", "x"], ["y"], axis=1)],
        [("x", [1, 1, 0]), ("z", [1, 2, 0])], [1, 4, 0], {})
    [y] = session.run(None, {"x": np.zeros((1, 1, 0), np.float32),
                             "z": np.zeros((1, 2, 0), np.float32)})
    assert y.shape == (1, 4, 0)
