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


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("sign", [1, -1])
def test_not_a_number(tmp_path, dtype, level, sign):
    """It is the maximum of its windows, and the first one's place is theirs. Not so in ONNX
    Runtime and ONNX's reference evaluator, which pass over it where it is not the first."""
    x = np.random.default_rng(0).standard_normal((1, 2, 6, 7)).astype(dtype)
    x[0, 0, 2, 3] = x[0, 0, 3, 1] = x[0, 1, 5, 6] = np.copysign(np.nan, sign)
    windows = [((1, 2), (1, 2), (1, 1), 0), ((3, 3), (2, 1), (1, 1), 1), ((2, 2), (2, 2), (1, 2), 1), ((5, 5), (1, 1), (1, 1), 2)]
    element = helper.np_dtype_to_tensor_dtype(x.dtype)
    nodes = [helper.make_node("MaxPool", ["x"], [f"y{i}", f"i{i}"], kernel_shape=k, strides=s, dilations=d, pads=[p] * 4)
             for i, (k, s, d, p) in enumerate(windows)]
    nodes += [helper.make_node("MaxPool", ["x"], [f"z{i}"], kernel_shape=k, strides=s, dilations=d, pads=[p] * 4)
              for i, (k, s, d, p) in enumerate(windows)]
    outputs = [helper.make_tensor_value_info(o, onnx.TensorProto.INT64 if o[0] == "i" else element, None)
               for n in nodes for o in n.output]
    graph = helper.make_graph(nodes, "pool", [helper.make_tensor_value_info("x", element, x.shape)], outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    session = tessera.load(tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", opt_level=level))
    results = dict(zip((o.name for o in outputs), session.run(None, {"x": x}), strict=True))
    for number, (kernel, stride, dilation, pad) in enumerate(windows):
        pads = [(0, 0), (0, 0), (pad, pad), (pad, pad)]
        reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]

        def flat(array, lowest):
            padded = np.pad(array, pads, constant_values=lowest)
            view = np.lib.stride_tricks.sliding_window_view(padded, reach, (2, 3))
            view = view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]
            return view.reshape(*view.shape[:4], -1)

        first = flat(x, -np.inf).argmax(-1)[..., None]  # a NaN, if there is one
        y = np.take_along_axis(flat(x, -np.inf), first, -1)[..., 0]
        places = np.take_along_axis(flat(np.arange(x.size).reshape(x.shape), -1), first, -1)[..., 0]
        assert np.isnan(y).any()
        np.testing.assert_array_equal(results[f"y{number}"], y)
        np.testing.assert_array_equal(results[f"z{number}"], y)
        np.testing.assert_array_equal(results[f"i{number}"], places)
