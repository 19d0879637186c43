"""Accuracy of elementary functions in kernels, against double precision.

A dense sweep over the range of each function and edge values; bounds are those that
lib/Target/CPU/Math/VectorMath.h promises, in units in the last place of the exact result
or absolute.
"""

import math

import numpy as np
import pytest

from row_kernels import kernel, run

INFINITY = np.float32(np.inf)
SMALLEST = np.float32(1e-45)
TINY = np.float32(2e-38)


def apply(function, x, attributes=""):
    text = kernel([("x", ("s0",), "f32")], [("out", ("s0",), "f32")],
                  f"%y = {function} %x {attributes} : tensor<?xf32>", ["%y"], symbols=1)
    return run(text, x)[0]


def sweep(lowest, highest, count=200_003):
    """Evenly spaced, and evenly by exponent on both sides of 0."""
    even = np.linspace(lowest, highest, count)
    size = np.exp(np.linspace(math.log(1e-30), math.log(max(abs(lowest), highest)), count))
    spread = np.concatenate([-size, size])
    return np.concatenate([even, spread[(spread >= lowest) & (spread <= highest)]]).astype(np.float32)


@pytest.mark.parametrize("lowest, bound", [(-3, 2e-7), (-86.9, 4e-7)])
def test_powers_of_softmax(lowest, bound):
    x = sweep(lowest, 0)
    exact = np.exp(x.astype(np.float64))
    error = np.abs(apply("math.exp", x, "{kernel.not_positive}") - exact) / exact
    assert error.max() <= bound, f"at {x[error.argmax()]}"


def test_edges_of_powers_of_softmax():
    x = np.array([-INFINITY, -np.finfo(np.float32).max, -87.1, -0.0, 0, np.nan], np.float32)
    result = apply("math.exp", x, "{kernel.not_positive}")
    np.testing.assert_array_equal(result, [0, 0, 0, 1, 1, np.nan])


def one_plus_tanh(x):
    text = kernel([("x", ("s0",), "f32")], [("out", ("s0",), "f32")], """
        %one = arith.constant dense<1.0> : tensor<f32>
        %ones = graph.broadcast_to %one sizes(%s0) : tensor<f32> -> tensor<?xf32>
        %t = math.tanh %x : tensor<?xf32>
        %y = arith.addf %ones, %t : tensor<?xf32>""", ["%y"], symbols=1)
    return run(text, x)[0]


def test_one_plus_tanh():
    """Relative, also where the tangent is near -1."""
    x = sweep(-43.5, 20)
    exact = 2 / (1 + np.exp(-2 * x.astype(np.float64)))
    error = np.abs(one_plus_tanh(x) - exact) / exact
    assert error.max() <= 5e-7, f"at {x[error.argmax()]}"
    edges = one_plus_tanh(np.array([INFINITY, 0, -0.0, -INFINITY, np.nan], np.float32))
    np.testing.assert_allclose(edges, [2, 1, 1, 0, np.nan], atol=1e-37)
    assert (one_plus_tanh(np.array([-INFINITY, -1e30, -73.3], np.float32)) == 0).all()


def ulps(result, exact):
    unit = np.spacing(np.maximum(np.abs(exact), TINY).astype(np.float32)).astype(np.float64)
    return np.abs(result.astype(np.float64) - exact) / unit


RELATIVE = [
    ("math.exp", np.exp, -86.9, 88, 1.1), ("math.exp2", np.exp2, -125, 127.5, 1.4),
    ("math.expm1", np.expm1, -20, 88, 3.5), ("math.log", np.log, 1e-37, 1e38, 1.1),
    ("math.log2", np.log2, 1e-37, 1e38, 2.1), ("math.log10", np.log10, 1e-37, 1e38, 2.1),
    ("math.log1p", np.log1p, -0.9999, 1e30, 3.1), ("math.tanh", np.tanh, -12, 12, 5.1),
    ("math.erf", np.vectorize(math.erf), -5, 5, 6.1), ("math.sqrt", np.sqrt, 0, 1e38, 0.51),
    ("math.rsqrt", lambda x: 1 / np.sqrt(x), 1e-37, 1e38, 1.6), ("math.absf", np.abs, -1e30, 1e30, 0),
    ("math.asin", np.arcsin, -1, 1, 2.3), ("math.acos", np.arccos, -1, 1, 1.3), ("math.atan", np.arctan, -1e6, 1e6, 1.3),
    ("math.atan", np.arctan, -4, 4, 1.3), ("math.tan", np.tan, -1.5, 1.5, 3.1), ("math.tan", np.tan, -30000, 30000, 3.1),
    ("math.sinh", np.sinh, -3, 3, 1.6), ("math.sinh", np.sinh, -89.4, 89.4, 1.6), ("math.cosh", np.cosh, -89.4, 89.4, 1.6),
    ("math.asinh", np.arcsinh, -1e38, 1e38, 0.6), ("math.asinh", np.arcsinh, -3, 3, 0.6),
    ("math.acosh", np.arccosh, 1, 1e38, 0.6), ("math.acosh", np.arccosh, 1, 3, 0.6), ("math.atanh", np.arctanh, -0.99999, 0.99999, 0.6),
]


@pytest.mark.parametrize("function, exact, lowest, highest, bound", RELATIVE, ids=lambda v: v if isinstance(v, str) else "")
def test_relative_error(function, exact, lowest, highest, bound):
    x = sweep(lowest, highest)
    error = ulps(apply(function, x), exact(x.astype(np.float64)))
    assert error.max() <= bound, f"at {x[error.argmax()]}"


def power(x, y):
    text = kernel([("x", ("s0",), "f32"), ("y", ("s0",), "f32")], [("out", ("s0",), "f32")],
                  "%z = math.powf %x, %y : tensor<?xf32>", ["%z"], symbols=1)
    return run(text, x, y)[0]


def test_powers():
    random = np.random.default_rng(3)
    x = np.exp(random.uniform(-87, 88, 200_003)).astype(np.float32)
    x[::3] = random.uniform(0.5, 2, len(x[::3]))
    y = (random.uniform(-88, 88, len(x)) / np.maximum(np.abs(np.log(x.astype(np.float64))), 1e-3)).astype(np.float32)
    exact = np.power(x.astype(np.float64), y)
    with np.errstate(over="ignore"):
        kept = (exact > TINY) & np.isfinite(exact.astype(np.float32))
    assert kept.sum() > 190_000
    error = ulps(power(x, y), exact)[kept]
    assert error.max() <= 0.6


def test_special_powers():
    """Every pair of these as C's pow, signs of zero included."""
    values = [0, 1, 2, 0.5, 3, 2.5, 1e-45, 1e-38, 1e30, 3.4e38, 16777215, 16777216, 0.99999994, np.inf]
    values = np.array([*values, *(-v for v in values), np.nan], np.float32)
    x, y = (grid.flatten() for grid in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.float64), y.astype(np.float64)).astype(np.float32)
    result = power(x, y)
    np.testing.assert_allclose(result, expected, rtol=1.2e-7, atol=1.5e-45)
    signed = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result[signed]), np.signbit(expected[signed]))


@pytest.mark.parametrize("function, exact", [("math.sin", np.sin), ("math.cos", np.cos)])
def test_angles(function, exact):
    """1e-7 up to 30000; beyond that by the library, correctly rounded or nearly so."""
    x = sweep(-30000, 30000)
    assert np.abs(apply(function, x) - exact(x.astype(np.float64))).max() <= 1.1e-7
    large = np.geomspace(30001, 1e30, 2001).astype(np.float32)
    assert np.abs(apply(function, large) - exact(large.astype(np.float64))).max() <= 1.1e-7


@pytest.mark.parametrize("function, exact", [
    ("math.round", lambda x: np.copysign(np.floor(np.abs(x) + 0.5), x)), ("math.roundeven", np.rint),
    ("math.floor", np.floor), ("math.ceil", np.ceil), ("math.trunc", np.trunc)])
def test_rounding(function, exact):
    x = np.concatenate([np.arange(-40, 40) / 4, [0.49999997, -0.49999997, 8388607.5, -8388609, 1e30, SMALLEST]])
    x = x.astype(np.float32)
    np.testing.assert_array_equal(apply(function, x), exact(x.astype(np.float64)).astype(np.float32))


EDGES = {
    "math.exp": [(-INFINITY, 0), (INFINITY, INFINITY), (89, INFINITY), (-104, 0), (0, 1), (SMALLEST, 1)],
    "math.exp2": [(-INFINITY, 0), (INFINITY, INFINITY), (129, INFINITY), (0, 1), (10, 1024)],
    "math.expm1": [(-INFINITY, -1), (INFINITY, INFINITY), (0, 0)],
    "math.log": [(0, -INFINITY), (INFINITY, INFINITY), (1, 0), (-1, np.nan), (SMALLEST, math.log(1.401298464e-45))],
    "math.log2": [(0, -INFINITY), (8, 3), (-1, np.nan)],
    "math.log1p": [(-1, -INFINITY), (-2, np.nan), (INFINITY, INFINITY), (SMALLEST, SMALLEST)],
    "math.tanh": [(-INFINITY, -1), (INFINITY, 1), (0, 0), (SMALLEST, SMALLEST)],
    "math.erf": [(-INFINITY, -1), (INFINITY, 1), (0, 0)],
    "math.rsqrt": [(0, INFINITY), (INFINITY, 0), (4, 0.5)],
    "math.sin": [(INFINITY, np.nan), (0, 0)],
    "math.cos": [(INFINITY, np.nan), (0, 1)],
    "math.tan": [(INFINITY, np.nan), (0, 0), (SMALLEST, SMALLEST), (1e30, math.tan(float(np.float32(1e30))))],
    "math.asin": [(1, math.pi / 2), (-1, -math.pi / 2), (1.001, np.nan), (-INFINITY, np.nan), (SMALLEST, SMALLEST)],
    "math.acos": [(1, 0), (-1, math.pi), (0, math.pi / 2), (-1.001, np.nan), (INFINITY, np.nan)],
    "math.atan": [(INFINITY, math.pi / 2), (-INFINITY, -math.pi / 2), (SMALLEST, SMALLEST), (1, math.pi / 4)],
    "math.sinh": [(INFINITY, INFINITY), (-INFINITY, -INFINITY), (90, INFINITY), (SMALLEST, SMALLEST)],
    "math.cosh": [(INFINITY, INFINITY), (-INFINITY, INFINITY), (-90, INFINITY), (0, 1)],
    "math.asinh": [(INFINITY, INFINITY), (-INFINITY, -INFINITY), (SMALLEST, SMALLEST)],
    "math.acosh": [(INFINITY, INFINITY), (1, 0), (0.5, np.nan), (-2, np.nan), (-INFINITY, np.nan)],
    "math.atanh": [(1, INFINITY), (-1, -INFINITY), (1.5, np.nan), (-INFINITY, np.nan), (SMALLEST, SMALLEST)],
}


@pytest.mark.parametrize("function", EDGES)
def test_edge_values(function):
    x, expected = (np.array(column, np.float32) for column in zip(*EDGES[function]))
    np.testing.assert_allclose(apply(function, x), expected, rtol=3e-7)
    assert np.isnan(apply(function, np.full(9, np.nan, np.float32))).all()


@pytest.mark.parametrize("function", ["asin", "atan", "sinh", "asinh", "atanh", "tanh"])
def test_sign_of_zero(function):
    result = apply(f"math.{function}", np.array([-0.0, 0] * 9, np.float32))
    np.testing.assert_array_equal(np.signbit(result), [True, False] * 9)


@pytest.mark.parametrize("function", ["math.tanh", "math.erf"])
def test_saturates(function):
    """GELU multiplies 1 + tanh(x) and 1 + erf(x) by x, which may be large."""
    x = np.array([10, 73.3, 3e38, INFINITY], np.float32)
    np.testing.assert_array_equal(apply(function, np.concatenate([x, -x])), [1] * 4 + [-1] * 4)
