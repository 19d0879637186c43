"""Kernels of the row emitter with reductions, against NumPy in double precision.

Sums of n normal numbers are allowed an error of 1e-6 sqrt(n) of the largest result,
single functions a few units in the last place; extremes and indices are exact.
"""

import numpy as np
import pytest

from row_kernels import (MAXIMUM, NUMPY, RNG, SUM, close, dynamic, kernel, normal, reduce,
                         reduced_sizes, run, sized, spread, tensor)

SIZES = [1, 7, 8, 17, 127, 1000]

LAYOUTS = [((5, "n"), (1,)), (("n", 5), (0,)), (("n", 33), (0,)), ((3, "n", 7), (2,)),
           ((3, "n", 40), (1,)), ((2, 3, "n"), (1, 2)), (("n", 3, 4), (0, 1, 2)),
           ((3, "n", 5), (0, 2)), ((2, 3, "n", 1), (2,))]


def filled_in(sizes, n):
    return tuple(n if s == "n" else s for s in sizes)


@pytest.mark.parametrize("is_static", [False, True])
@pytest.mark.parametrize("sizes, axes", LAYOUTS)
@pytest.mark.parametrize("n", SIZES + [0])
def test_sum(sizes, axes, n, is_static):
    shape = filled_in(sizes, n)
    if is_static and n in (0, 127):
        pytest.skip("covered by the dynamic kernels")
    symbolic = shape if is_static else tuple("s0" if s == "n" else s for s in sizes)
    text = kernel([("x", symbolic, "f32")], [("out", reduced_sizes(symbolic, axes), "f32")],
                  reduce("y", SUM, "x", symbolic, axes, "f32"), ["%y"],
                  symbols=0 if is_static else 1)
    x = normal(*shape)
    expected = x.sum(axes, dtype=np.float64)
    close(run(text, x)[0], expected, terms=max(1, x.size // max(1, expected.size)))


OPERATIONS = [("arith.maximumf", "f32", "0xFF800000", np.max), ("arith.minimumf", "f32", "0x7F800000", np.min),
              ("arith.mulf", "f32", 1.0, np.prod), ("arith.maxsi", "i8", -128, np.max),
              ("arith.minsi", "i64", 2**63 - 1, np.min), ("arith.addi", "i32", 0, np.sum),
              ("arith.addi", "i64", 0, np.sum), ("arith.addf", "f64", 0.0, np.sum),
              ("arith.addf", "f16", 0.0, np.sum), ("arith.maximumf", "f16", "0xFC00", np.max)]


@pytest.mark.parametrize("operation, element, init, reference", OPERATIONS)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("n", [1, 17, 127])
def test_operations_and_types(operation, element, init, reference, axis, n):
    sizes = ("s0", 19)
    text = kernel([("x", sizes, element)], [("out", reduced_sizes(sizes, (axis,)), element)],
                  reduce("y", (operation, init), "x", sizes, (axis,), element), ["%y"], symbols=1)
    if reference is np.prod:
        x = (1 + 0.05 * normal(n, 19)).astype(NUMPY[element])
    elif element[0] == "f":
        x = normal(n, 19, dtype=NUMPY[element])
    else:
        x = RNG.integers(-100, 100, (n, 19)).astype(NUMPY[element])
    result = run(text, x)[0]
    assert result.dtype == NUMPY[element]
    expected = reference(x.astype(np.float64), axis)
    if reference is np.prod:
        np.testing.assert_allclose(result, expected, rtol=1e-5)
    elif reference is np.sum and element == "f16":
        close(result, expected, unit=1e-3)  # rounded once, at the end
    elif element[0] == "f" and reference is np.sum:
        close(result, expected, terms=n * 19)
    else:
        np.testing.assert_array_equal(result, expected)


def test_extremes_keep_nan():
    text = kernel([("x", (3, 100), "f32")], [("out", (3,), "f32")],
                  reduce("y", MAXIMUM, "x", (3, 100), (1,), "f32"), ["%y"])
    x = normal(3, 100)
    x[1, 63] = np.nan
    np.testing.assert_array_equal(run(text, x)[0], x.max(1))


def test_initial_values_count():
    text = kernel([("x", ("s0", 20), "f32"), ("i", ("s0",), "f32")], [("out", ("s0",), "f32")], """
        %y = linalg.reduce { arith.addf } ins(%x : tensor<?x20xf32>) outs(%i : tensor<?xf32>)
          dimensions = [1]""", ["%y"], symbols=1)
    x, i = normal(9, 20), normal(9)
    close(run(text, x, i)[0], x.sum(1, dtype=np.float64) + i, terms=20)


@pytest.mark.parametrize("sizes, axes", [(("s0", "n"), (1,)), (("n", "s0"), (0,)), (("s0", "n", 24), (1,)),
                                         (("s0", 3, "n"), (1, 2))])
@pytest.mark.parametrize("n", [1, 7, 8, 17, 127, 1000])
def test_layer_norm(sizes, axes, n):
    """Two sums, each over what the one before gives, and an elementwise rest."""
    symbolic = tuple(n if s == "n" else s for s in sizes)
    shape = tuple(6 if s == "s0" else s for s in symbolic)
    count = int(np.prod([shape[a] for a in axes]))
    full, row = tensor(symbolic, "f32"), tensor(reduced_sizes(symbolic, axes), "f32")
    text = kernel(
        [("x", symbolic, "f32"), ("r", symbolic, "f32"), ("g", shape[-1:] if isinstance(symbolic[-1], int) else symbolic[-1:], "f32")],
        [("sum", symbolic, "f32"), ("out", symbolic, "f32"), ("mean", reduced_sizes(symbolic, axes), "f32")],
        f"""
        %z = arith.addf %x, %r : {full}
        %count = arith.constant {float(count)} : f32
        %eps = arith.constant 1.0e-5 : f32
        %re = tensor.empty({dynamic(reduced_sizes(symbolic, axes))}) : {row}
        %counts = linalg.fill ins(%count : f32) outs(%re : {row}) -> {row}
        %epsilons = linalg.fill ins(%eps : f32) outs(%re : {row}) -> {row}
        {reduce("s", SUM, "z", symbolic, axes, "f32")}
        %m = arith.divf %s, %counts : {row}
        {spread("mb", "m", symbolic, axes, "f32")}
        %d = arith.subf %z, %mb : {full}
        %q = arith.mulf %d, %d : {full}
        {reduce("v", SUM, "q", symbolic, axes, "f32")}
        %w = arith.divf %v, %counts : {row}
        %we = arith.addf %w, %epsilons : {row}
        %i = math.rsqrt %we : {row}
        {spread("ib", "i", symbolic, axes, "f32")}
        %h = arith.mulf %d, %ib : {full}
        %gb = {sized("graph.broadcast_to %g", symbolic)} : {tensor(symbolic[-1:], "f32")} -> {full}
        %y = arith.mulf %h, %gb : {full}""",
        ["%z", "%y", "%m"], symbols=1)
    x, r, g = normal(*shape), normal(*shape), normal(shape[-1])
    z = (x + r).astype(np.float64)
    mean = z.mean(axes, keepdims=True)
    expected = (z - mean) / np.sqrt(z.var(axes, keepdims=True) + 1e-5) * g
    added, result, means = run(text, x, r, g)
    np.testing.assert_array_equal(added, x + r)
    close(result, expected, unit=5e-6)
    close(means, mean.squeeze(axes))


@pytest.mark.parametrize("element, unit", [("f32", 2e-7), ("f16", 1e-3), ("f64", 1e-6)])
@pytest.mark.parametrize("sizes, axis", [((5, "s0"), 1), (("s0", 37), 0), ((2, "s0", 40), 1), (("s0",), 0)])
@pytest.mark.parametrize("n", SIZES + [0])
def test_softmax(element, unit, sizes, axis, n):
    full = tensor(sizes, element)
    text = kernel([("x", sizes, element)], [("out", sizes, element)], f"""
        %e = tensor.empty(%s0) : {full}
        %y = linalg.softmax dimension({axis}) ins(%x : {full}) outs(%e : {full}) -> {full}""",
        ["%y"], symbols=1)
    x = (normal(*(n if s == "s0" else s for s in sizes)) * 10).astype(NUMPY[element])
    wide = x.astype(np.float64)
    e = np.exp(wide - wide.max(axis, keepdims=True)) if x.size else wide
    close(run(text, x)[0], e / e.sum(axis, keepdims=True) if x.size else e, unit=unit,
          terms=max(1, x.shape[axis]) if element == "f32" else 1)


def test_softmax_of_infinities():
    text = kernel([("x", (4, 20), "f32")], [("out", (4, 20), "f32")], """
        %e = tensor.empty() : tensor<4x20xf32>
        %y = linalg.softmax dimension(1) ins(%x : tensor<4x20xf32>) outs(%e : tensor<4x20xf32>)
          -> tensor<4x20xf32>""", ["%y"])
    x = normal(4, 20)
    x[0, 3] = -np.inf
    x[1] = -np.inf
    x[2, 11] = np.nan
    x[3] = np.finfo(np.float32).min  # how some models mask a row
    result = run(text, x)[0]
    np.testing.assert_array_equal(result[3], np.float32(1 / 20))
    assert result[0, 3] == 0 and np.isfinite(result[0]).all() and np.isfinite(result[3]).all()
    assert np.isnan(result[1]).all() and np.isnan(result[2]).all()


@pytest.mark.parametrize("kind", ["max", "min"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("element", ["f32", "i32", "i8", "f16"])
@pytest.mark.parametrize("sizes, axis", [((5, "s0"), 1), (("s0", 37), 0), ((3, 200, "s0"), 1)])
@pytest.mark.parametrize("n", [1, 7, 17, 127])
def test_arg_reduce(kind, last, element, sizes, axis, n):
    text = kernel([("x", sizes, element)], [("out", reduced_sizes(sizes, (axis,)), "i64")], f"""
        %y = graph.arg_reduce {kind} %x dimension {axis} {"last" if last else ""}
          : {tensor(sizes, element)} -> {tensor(reduced_sizes(sizes, (axis,)), "i64")}""",
        ["%y"], symbols=1)
    x = RNG.integers(0, 4, [n if s == "s0" else s for s in sizes]).astype(NUMPY[element])
    if element == "f32":
        x[0] = -np.inf if kind == "max" else np.inf
        x.flat[-3:] = np.nan
    by = {"max": np.argmax, "min": np.argmin}[kind]
    expected = x.shape[axis] - 1 - by(np.flip(x, axis), axis) if last else by(x, axis)
    np.testing.assert_array_equal(run(text, x)[0], expected)


@pytest.mark.parametrize("n", [0, 1, 63, 5000, 300_000])
def test_few_long_rows_are_split(n):
    """The sum of all elements, the softmax and the largest element of one row."""
    x = normal(n)
    text = kernel([("x", ("s0",), "f32")], [("out", (), "f32")],
                  reduce("y", SUM, "x", ("s0",), (0,), "f32"), ["%y"], symbols=1)
    close(run(text, x)[0], x.sum(dtype=np.float64), terms=max(1, n))
    row = tensor(("s0",), "f32")
    text = kernel([("x", ("s0",), "f32")], [("out", ("s0",), "f32")], f"""
        %e = tensor.empty(%s0) : {row}
        %y = linalg.softmax dimension(0) ins(%x : {row}) outs(%e : {row}) -> {row}""", ["%y"], symbols=1)
    if n:
        e = np.exp(x.astype(np.float64) - x.max())
        np.testing.assert_allclose(run(text, x)[0], e / e.sum(), rtol=1e-5, atol=1e-12)
        text = kernel([("x", ("s0",), "f32")], [("out", (), "i64")], f"""
            %y = graph.arg_reduce min %x dimension 0 : {row} -> tensor<i64>""", ["%y"], symbols=1)
        np.testing.assert_array_equal(run(text, x)[0], x.argmin())


def test_all_elements_of_a_matrix():
    sizes = ("s0", 300)
    text = kernel([("x", sizes, "f32")], [("out", (), "f32")],
                  reduce("y", MAXIMUM, "x", sizes, (0, 1), "f32"), ["%y"], symbols=1)
    for n in (1, 7, 1000):
        x = normal(n, 300)
        assert run(text, x)[0] == x.max()


def test_norm_over_several_dimensions():
    """Rows of 7 x 7 x 3 elements that are read as one, with values of the rows between."""
    sizes, axes = ("s0", 7, 7, 3), (1, 2, 3)
    full, row = tensor(sizes, "f32"), tensor(("s0",), "f32")
    text = kernel([("x", sizes, "f32")], [("out", sizes, "f32"), ("powers", sizes, "f32")], f"""
        {reduce("m", MAXIMUM, "x", sizes, axes, "f32")}
        {spread("mb", "m", sizes, axes, "f32")}
        %d = arith.subf %x, %mb : {full}
        %e = math.exp %d : {full}
        {reduce("s", SUM, "e", sizes, axes, "f32")}
        {spread("sb", "s", sizes, axes, "f32")}
        %y = arith.divf %e, %sb : {full}""", ["%y", "%e"], symbols=1)
    for n in (0, 1, 5):
        x = normal(n, 7, 7, 3)
        e = np.exp(x.astype(np.float64) - x.max(axes, keepdims=True)) if n else x
        y, powers = run(text, x)
        close(powers, e)
        close(y, e / e.sum(axes, keepdims=True) if n else e)


def test_rows_of_one_element():
    """Softmax along one element, beside an output that has the element itself: it must
    not be read from the row of the first output, where it lay before."""
    full, row = tensor(("s0", 1, 1), "f32"), tensor(("s0", 1), "f32")
    text = kernel([("x", ("s0", 1, 1), "f32")], [("out", ("s0", 1, 1), "f32"), ("first", ("s0", 1), "f32")], f"""
        %e = math.exp %x : {full}
        %empty = tensor.empty(%s0) : {full}
        %y = linalg.softmax dimension(1) ins(%e : {full}) outs(%empty : {full}) -> {full}
        %dropped = tensor.collapse_shape %e [[0], [1, 2]] : {full} into {row}
        %z = math.sqrt %dropped : {row}""", ["%y", "%z"], symbols=1)
    x = normal(9, 1, 1)
    y, z = run(text, x)
    close(y, np.ones_like(x))
    close(z, np.exp(x[:, 0] / 2))
