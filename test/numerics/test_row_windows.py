"""Pooling by the row emitter, against ONNX's reference evaluator."""

import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from row_kernels import NUMPY, close, kernel, normal, run, tensor


def onnx_pool(op, x, **attributes):
    """The first output; channels come second in ONNX, last here."""
    node = helper.make_node(op, ["x"], ["y"], **attributes)
    result = ReferenceEvaluator(node).run(None, {"x": np.moveaxis(x, -1, 1)})[0]
    return np.moveaxis(result, 1, -1)


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
        expected = onnx_pool("MaxPool", x, **window)
    else:
        expected = onnx_pool("AveragePool", x, count_include_pad=int(kind != "average"), **window)
    result = run(pool(kind, window, shape, channels, expected.shape[1:-1]), x)[0]
    if kind == "max":
        np.testing.assert_array_equal(result, expected)
    else:
        close(result, expected)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("kernel, stride", [(5, 1), (13, 1), (9, 2)])
def test_many_blocks(kind, kernel, stride):
    """Wider, higher and deeper than one block of outputs."""
    window = dict(kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4)
    x = normal(2, 23, 71, 75)
    expected = onnx_pool("MaxPool" if kind == "max" else "AveragePool", x, **window)
    close(run(pool(kind, window, (23, 71), 75, expected.shape[1:-1]), x)[0], expected)


@pytest.mark.parametrize("element", ["f32", "f16"])
@pytest.mark.parametrize("place", [(0, 0, 0, 0), (1, 5, 4, 17), (1, 10, 9, 19)])
def test_not_a_number(element, place):
    """Whatever its sign, a NaN is in all windows that it is in."""
    window = dict(kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4)
    x = normal(2, 11, 10, 20).astype(NUMPY[element])
    x[1, 2, 3, 4], x[0, 4, 4, 4] = np.inf, -np.inf
    for sign in (1, -1):
        x[place] = np.copysign(np.nan, sign)
        expected = np.full((2, 15, 14, 20), -np.inf, x.dtype)
        expected[:, 2:13, 2:12] = x
        expected = np.lib.stride_tricks.sliding_window_view(expected, (5, 5), (1, 2)).max((-2, -1))
        np.testing.assert_array_equal(run(pool("max", window, (11, 10), 20, (11, 10), element), x)[0], expected)


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


def test_no_images():
    text = pool("max", WINDOWS[1], (4, 4), 8, (2, 2))
    assert run(text, np.zeros((0, 4, 4, 8), np.float32))[0].shape == (0, 2, 2, 8)
