"""Output Indices of MaxPool against ONNX Runtime."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper

onnxruntime = pytest.importorskip("onnxruntime")

WINDOWS = [
    ((2, 3, 11), dict(kernel_shape=[3], strides=[2], pads=[1, 1])),
    ((2, 2, 7, 9), dict(kernel_shape=[2, 3], strides=[2, 2])),
    ((1, 3, 7, 9), dict(kernel_shape=[3, 3], pads=[1, 0, 1, 2], dilations=[2, 1], storage_order=1)),
    ((1, 2, 6, 5), dict(kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1)),
    ((1, 2, 8, 7), dict(kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER")),
    ((1, 2, 4, 5, 6), dict(kernel_shape=[2, 2, 2], strides=[1, 2, 2])),
]


def save_and_compare(folder, x, known, level, **attributes):
    element = helper.np_dtype_to_tensor_dtype(x.dtype)
    shape = x.shape if known else ["n", x.shape[1], *(f"s{i}" for i in range(x.ndim - 2))]
    graph = helper.make_graph(
        [helper.make_node("MaxPool", ["x"], ["y", "i"], **attributes)], "pool",
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, None), helper.make_tensor_value_info("i", onnx.TensorProto.INT64, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "m.onnx")
    session = tessera.load(tessera.compile(folder / "m.onnx", folder / "m.so", opt_level=level))
    expected = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    for ours, theirs in zip(session.run(None, {"x": x}), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("shape, attributes", WINDOWS)
def test_places(tmp_path, shape, attributes, known, level):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    save_and_compare(tmp_path, x, known, level, **attributes)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_first_of_equal_bytes_that_are_no_pads(tmp_path, dtype):
    x = np.random.default_rng(0).integers(0, 3, (2, 2, 6, 7)).astype(dtype)
    x[x == 0] = np.iinfo(dtype).min
    save_and_compare(tmp_path, x, False, 3, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2])
