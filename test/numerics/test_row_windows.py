"""Pooling by the row emitter, against ONNX's reference evaluator."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from row_kernels import NUMPY, close, kernel, normal, run, tensor


def onnx_pool(op, x, **attributes):
    """The first output; channels come second in ONNX, last here."""
    node = helper.make_node(op, ["x"], ["y"], **attributes)
    result = ReferenceEvaluator(node).run(None, {"x": np.moveaxis(x, -1, 1)})[0]
    return np.moveaxis(result, 1, -1)


def max_pool(x, kernel_shape, strides, pads, dilations=None, ceil_mode=0):
    """ONNX's reference evaluator fails on some padded lines and volumes."""
    if ceil_mode:
        return onnx_pool("MaxPool", x, kernel_shape=kernel_shape, strides=strides, pads=pads, ceil_mode=1)
    rank = len(kernel_shape)
    dilations = dilations or [1] * rank
    padded = np.pad(x, [(0, 0), *zip(pads[:rank], pads[rank:]), (0, 0)], constant_values=-np.inf)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel_shape, dilations)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, tuple(range(1, rank + 1)))
    every = (slice(None), *(slice(None, None, s) for s in strides), slice(None))
    return windows[every + tuple(slice(None, None, d) for d in dilations)].max(tuple(range(-rank, 0)))


WINDOWS = [
    dict(kernel_shape=[3], strides=[2], pads=[1, 1]),
    dict(kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0]),
    dict(kernel_shape=[3, 3], strides=[2, 1], pads=[1, 0, 1, 2]),
    dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
    dict(kernel_shape=[3, 2], strides=[1, 1], pads=[1, 1, 1, 0], dilations=[2, 1]),
    dict(kernel_shape=[2, 3, 2], strides=[1, 2, 2], pads=[0, 1, 0, 1, 1, 1]),
    # Windows that overlap are reduced along rows and columns apart.
    dict(kernel_shape=[5], strides=[1], pads=[2, 2]),
    dict(kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]),
    dict(kernel_shape=[5, 5], strides=[1, 1], pads=[2, 2, 2, 2]),
    dict(kernel_shape=[7, 5], strides=[2, 2], pads=[3, 2, 1, 2], ceil_mode=1),
    dict(kernel_shape=[4, 9], strides=[3, 1], pads=[1, 0, 0, 8]),
    dict(kernel_shape=[13, 13], strides=[1, 1], pads=[6, 6, 6, 6]),
    dict(kernel_shape=[3, 4], strides=[1, 2], pads=[2, 3, 2, 3], dilations=[2, 2]),
    dict(kernel_shape=[3, 3, 3], strides=[1, 1, 1], pads=[1, 1, 1, 1, 1, 1]),
]


def pool(kind, window, shape, channels, result, element="f32", rest="", yields="%p"):
    rank = len(window["kernel_shape"])
    x, out = ["s0", *shape, channels], ["s0", *result, channels]
    pads = window["pads"]
    return kernel([("x", x, element)], [("out", out, element)], f"""
        %p = graph.pool {kind} %x kernel {window['kernel_shape']} strides {window['strides']}
          dilations {window.get('dilations', [1] * rank)} pads {pads[:rank]}, {pads[rank:]}
          {'ceil' if window.get('ceil_mode') else ''} : {tensor(x, element)} -> {tensor(out, element)}
        {rest}""", [yields], symbols=1)


@pytest.mark.parametrize("kind", ["max", "average", "average_with_padding"])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("channels", [1, 3, 8, 37])
def test_pooling(kind, window, channels):
    shape = [11, 10, 6][: len(window["kernel_shape"])]
    x = normal(2, *shape, channels)
    if kind == "max":
        expected = max_pool(x, **window)
    else:
        expected = onnx_pool("AveragePool", x, count_include_pad=int(kind != "average"), **window)
    result = run(pool(kind, window, shape, channels, expected.shape[1:-1]), x)[0]
    if kind == "max":
        np.testing.assert_array_equal(result, expected)
    else:
        close(result, expected)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("kernel, stride", [(5, 1), (13, 1), (9, 2)])
@pytest.mark.parametrize("width, channels", [(71, 75), (1100, 1)])
def test_many_blocks(kind, kernel, stride, width, channels):
    """Wider, higher and deeper than one block of outputs."""
    window = dict(kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4)
    x = normal(2, 23, width, channels)
    expected = onnx_pool("MaxPool" if kind == "max" else "AveragePool", x, **window)
    close(run(pool(kind, window, (23, width), channels, expected.shape[1:-1]), x)[0], expected)


@pytest.mark.parametrize("element", ["f32", "f16"])
@pytest.mark.parametrize("channels", [1, 20])
@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 5, 4, -1), (1, 10, 9, -1)])
def test_not_a_number(element, channels, place):
    """Whatever its sign, a NaN is in all windows that it is in."""
    window = dict(kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)
    x = normal(2, 11, 10, channels).astype(NUMPY[element])
    x[1, 2, 3, 0], x[0, 4, 4, 0] = np.inf, -np.inf
    for sign in (1, -1):
        x[place] = np.copysign(np.nan, sign)
        padded = np.full((2, 15, 14, channels), -np.inf, x.dtype)
        padded[:, 2:13, 2:12] = x
        expected = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2)).max((-2, -1))
        text = pool("max", window, (11, 10), channels, (11, 10), element)
        np.testing.assert_array_equal(run(text, x)[0], expected)


@pytest.mark.parametrize("depth", [0, 3, 5])
def test_not_a_number_in_a_volume(depth):
    window = dict(kernel_shape=[3, 3, 3], strides=[1, 1, 1], pads=[1] * 6)
    x = normal(1, 6, 11, 10, 9)
    x[0, depth, 5, 5, 4] = np.nan
    padded = np.full((1, 8, 13, 12, 9), -np.inf, np.float32)
    padded[:, 1:7, 1:12, 1:11] = x
    expected = np.lib.stride_tricks.sliding_window_view(padded, (3, 3, 3), (1, 2, 3)).max((-3, -2, -1))
    np.testing.assert_array_equal(run(pool("max", window, (6, 11, 10), 9, (6, 11, 10)), x)[0], expected)


@pytest.mark.parametrize("kind", ["max", "average", "average_with_padding"])
def test_window_larger_than_all(kind):
    """Rounded up, one window has all that there is (EfficientNet's last pooling). Here
    ONNX's reference evaluator averages wrongly."""
    window = dict(kernel_shape=[14, 10], strides=[14, 10], pads=[0, 0, 0, 0], ceil_mode=1)
    x = normal(2, 11, 10, 20)
    reduce = np.max if kind == "max" else np.mean
    result = run(pool(kind, window, (11, 10), 20, (1, 1)), x)[0]
    close(result, reduce(x, (1, 2), keepdims=True))


@pytest.mark.parametrize("element", ["f16", "f64", "i8", "i32"])
@pytest.mark.parametrize("window", [WINDOWS[2], WINDOWS[8]])
def test_types(element, window):
    x = (normal(2, 11, 10, 20) * 30).astype(NUMPY[element])
    expected = onnx_pool("MaxPool", x.astype(np.float32), **window)
    result = run(pool("max", window, (11, 10), 20, expected.shape[1:-1], element), x)[0]
    np.testing.assert_array_equal(result, expected.astype(NUMPY[element]))


@pytest.mark.parametrize("window", [WINDOWS[1], WINDOWS[8]])
def test_narrow_averages_accumulate_in_f32(window):
    x = normal(2, 8, 8, 9, dtype=np.float16)
    expected = onnx_pool("AveragePool", x.astype(np.float32), count_include_pad=0, **window)
    close(run(pool("average", window, (8, 8), 9, expected.shape[1:-1], "f16"), x)[0], expected, unit=1e-3)


def test_what_follows_is_fused():
    window = WINDOWS[3]
    out = tensor(("s0", 6, 6, 12), "f32")
    text = pool("average", window, (11, 10), 12, (6, 6), rest=f"%y = arith.mulf %p, %p : {out}", yields="%y")
    x = normal(3, 11, 10, 12)
    expected = onnx_pool("AveragePool", x, count_include_pad=0, **window)
    assert expected.shape[1:-1] == (6, 6)
    close(run(text, x)[0], expected * expected)


def test_what_follows_overlapping_windows_is_fused():
    """Where a window has a NaN, too."""
    window = WINDOWS[8]
    out = tensor(("s0", 11, 10, 12), "f32")
    text = pool("max", window, (11, 10), 12, (11, 10), rest=f"%y = arith.mulf %p, %x : {out}", yields="%y")
    x = normal(3, 11, 10, 12)
    expected = onnx_pool("MaxPool", x, **window) * x
    close(run(text, x)[0], expected)
    x[1, 5, 5, 3] = np.nan
    result = run(text, x)[0]
    isolated = np.ones(x.shape, bool)
    isolated[1, 3:8, 3:8, 3] = False
    close(result[isolated], expected[isolated])
    assert np.isnan(result[~isolated]).all()


@pytest.mark.parametrize("kernel, stride", [(3, 2), (5, 1), (9, 3)])
@pytest.mark.parametrize("sizes", [["n", 5, "h", "w"], [2, 5, 30, 70]], ids=["unknown", "known"])
@pytest.mark.parametrize("op, attributes", [("MaxPool", {}), ("AveragePool", {}), ("AveragePool", {"count_include_pad": 1}),
                                            ("AveragePool", {"ceil_mode": 1, "count_include_pad": 1})])
def test_channels_first(tmp_path, kernel, stride, sizes, op, attributes):
    """As planes, whatever the form that is chosen."""
    pads = [kernel // 2] * 4
    nodes = [helper.make_node(op, ["x"], ["y"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, **attributes)]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    x = normal(2, 5, 30, 70)
    [expected] = ReferenceEvaluator(model).run(None, {"x": x})
    [y] = tessera.load(tessera.compile(tmp_path / "model.onnx")).run(None, {"x": x})
    close(y, expected)


def test_no_images():
    text = pool("max", WINDOWS[1], (4, 4), 8, (2, 2))
    assert run(text, np.zeros((0, 4, 4, 8), np.float32))[0].shape == (0, 2, 2, 8)
