"""Elementwise kernels and data movement of the row emitter: bits as in NumPy."""

import numpy as np
import pytest

from row_kernels import NUMPY, RNG, dynamic, kernel, normal, run, tensor


def values(shape, element):
    if element[0] == "f":
        return RNG.standard_normal(shape).astype(NUMPY[element])
    return RNG.integers(-100, 100, shape).astype(NUMPY[element])


def transpose(name, x, sizes, permutation, element):
    result = [sizes[p] for p in permutation]
    return f"""
        %{name}_e = tensor.empty({dynamic(result)}) : {tensor(result, element)}
        %{name} = linalg.transpose ins(%{x} : {tensor(sizes, element)})
          outs(%{name}_e : {tensor(result, element)}) permutation = {list(permutation)}"""


PERMUTATIONS = [((None, 33), (1, 0)), ((3, None, 20), (0, 2, 1)), ((2, 5, None, 12), (0, 2, 3, 1)),
                ((2, None, 3, 16), (0, 3, 1, 2)), ((4, None, 6), (2, 1, 0)), ((2, None, 3, 8), (0, 2, 1, 3))]


@pytest.mark.parametrize("element", ["f32", "f64", "f16", "i8", "i64"])
@pytest.mark.parametrize("sizes, permutation", PERMUTATIONS)
def test_transpose(sizes, permutation, element):
    symbolic = ["s0" if s is None else s for s in sizes]
    text = kernel([("x", symbolic, element)], [("out", [symbolic[p] for p in permutation], element)],
                  transpose("y", "x", symbolic, permutation, element), ["%y"], symbols=1)
    for n in (0, 1, 7, 16, 130):
        x = values([n if s is None else s for s in sizes], element)
        np.testing.assert_array_equal(run(text, x)[0], x.transpose(permutation))


@pytest.mark.parametrize("sizes", [(64, 64), (300, 190), (8, 8)])
def test_static_transpose(sizes):
    text = kernel([("x", sizes, "f32")], [("out", sizes[::-1], "f32")],
                  transpose("y", "x", sizes, (1, 0), "f32"), ["%y"])
    x = normal(*sizes)
    np.testing.assert_array_equal(run(text, x)[0], x.T)


@pytest.mark.parametrize("n", [1, 8, 45])
def test_arithmetic_on_transposed_operands(n):
    """Two operands turned alike, one read along the rows, a broadcast one."""
    text = kernel(
        [("x", ("s0", 21), "f32"), ("z", ("s0", 21), "f32"), ("w", (21, "s0"), "f32"), ("b", ("s0",), "f32")],
        [("out", (21, "s0"), "f32"), ("less", (21, "s0"), "i8")], f"""
        %n = arith.negf %x : tensor<?x21xf32>
        {transpose("t", "n", ("s0", 21), (1, 0), "f32")}
        {transpose("u", "z", ("s0", 21), (1, 0), "f32")}
        %bb = graph.broadcast_to %b sizes(%s0) : tensor<?xf32> -> tensor<21x?xf32>
        %p = arith.mulf %t, %w : tensor<21x?xf32>
        %q = arith.addf %p, %bb : tensor<21x?xf32>
        %y = arith.addf %q, %u : tensor<21x?xf32>
        %c = arith.cmpf olt, %t, %u : tensor<21x?xf32>
        %l = arith.extui %c : tensor<21x?xi1> to tensor<21x?xi8>""", ["%y", "%l"], symbols=1)
    x, z, w, b = normal(n, 21), normal(n, 21), normal(21, n), normal(n)
    y, less = run(text, x, z, w, b)
    np.testing.assert_array_equal(y, -x.T * w + b + z.T)
    np.testing.assert_array_equal(less, -x.T < z.T)


@pytest.mark.parametrize("n", [0, 1, 9, 40])
def test_padding(n):
    text = kernel([("x", ("s0", 5), "f32")], [("out", ("s0 + 3", 20), "f32")], """
        %v = arith.constant 2.5 : f32
        %p = tensor.pad %x low[1, 7] high[2, 8] {
        ^bb0(%i: index, %j: index):
          tensor.yield %v : f32
        } : tensor<?x5xf32> to tensor<?x20xf32>
        %y = arith.addf %p, %p : tensor<?x20xf32>""", ["%y"], symbols=1)
    x = normal(n, 5)
    np.testing.assert_array_equal(run(text, x)[0], 2 * np.pad(x, ((1, 2), (7, 8)), constant_values=2.5))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("index_type", ["i32", "i64"])
def test_gather(axis, index_type):
    sizes = ("s0", 6, 19) if axis == 0 else (9, "s0", 19)
    data = (9, 19) if axis == 0 else (9, 19)
    text = kernel(
        [("d", data, "f32"), ("i", ("s0", 6) if axis == 0 else ("s0",), index_type)],
        [("out", sizes if axis == 0 else (9, "s0"), "f32")], f"""
        %g = graph.gather %d[%i] axis {axis} : {tensor(data, "f32")},
          {tensor(("s0", 6) if axis == 0 else ("s0",), index_type)}
          -> {tensor(sizes if axis == 0 else (9, "s0"), "f32")}
        %y = arith.negf %g : {tensor(sizes if axis == 0 else (9, "s0"), "f32")}""", ["%y"], symbols=1)
    for n in (0, 1, 7, 30):
        length = data[axis]
        d = normal(*data)
        i = RNG.integers(-length - 3, length + 3, (n, 6) if axis == 0 else (n,)).astype(NUMPY[index_type])
        place = np.clip(np.where(i < 0, i + length, i), 0, length - 1)
        np.testing.assert_array_equal(run(text, d, i)[0], -np.take(d, place, axis))


def test_unpack():
    text = kernel([("w", (3, 20, 16), "f32")], [("out", (20, 40), "f32")], """
        %e = tensor.empty() : tensor<20x40xf32>
        %u = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16]
          into %e : tensor<3x20x16xf32> -> tensor<20x40xf32>
        %y = arith.negf %u : tensor<20x40xf32>""", ["%y"])
    w = normal(3, 20, 16)
    np.testing.assert_array_equal(run(text, w)[0], -w.transpose(1, 0, 2).reshape(20, 48)[:, :40])


@pytest.mark.parametrize("dimensions", [[0], [1], [0, 1]])
@pytest.mark.parametrize("element", ["f32", "i64", "i8"])
def test_reverse_and_iota(dimensions, element):
    full = tensor(("s0", 21), element)
    add = "arith.addf" if element == "f32" else "arith.addi"
    text = kernel([("x", ("s0", 21), element)], [("out", ("s0", 21), element)], f"""
        %r = graph.reverse %x {dimensions} : {full}
        %i = graph.iota 1 sizes(%s0) : {full}
        %j = graph.iota 0 sizes(%s0) : {full}
        %k = {add} %i, %j : {full}
        %y = {add} %r, %k : {full}""", ["%y"], symbols=1)
    for n in (0, 1, 8, 50):
        x = values((n, 21), element)
        counts = np.arange(21)[None] + np.arange(n)[:, None]
        expected = (np.flip(x, dimensions) + counts.astype(NUMPY[element])).astype(NUMPY[element])
        np.testing.assert_array_equal(run(text, x)[0], expected)


def test_broadcasts_of_unknown_sizes():
    """Each of the two dimensions repeats or not, as the sizes say."""
    text = kernel([("x", ("s0", "s1"), "f32"), ("like", ("s2", "s3"), "f32")], [("out", ("s2", "s3"), "f32")], """
        %b = graph.broadcast_to %x sizes(%s2, %s3) : tensor<?x?xf32> -> tensor<?x?xf32>
        %y = arith.addf %b, %like : tensor<?x?xf32>""", ["%y"], symbols=4)
    for rows, columns in [(1, 1), (5, 1), (1, 23), (5, 23)]:
        x, like = normal(rows, columns), normal(5, 23)
        np.testing.assert_array_equal(run(text, x, like)[0], x + like)


def test_joins_and_slices():
    text = kernel([("a", ("s0", 4), "f32"), ("b", ("s0", 13), "f32")], [("out", ("s0", 14), "f32")], """
        %c = tensor.concat dim(1) %a, %b : (tensor<?x4xf32>, tensor<?x13xf32>) -> tensor<?x17xf32>
        %s = tensor.extract_slice %c[0, 2] [%s0, 14] [1, 1] : tensor<?x17xf32> to tensor<?x14xf32>
        %y = arith.negf %s : tensor<?x14xf32>""", ["%y"], symbols=1)
    for n in (0, 1, 30):
        a, b = normal(n, 4), normal(n, 13)
        np.testing.assert_array_equal(run(text, a, b)[0], -np.concatenate([a, b], 1)[:, 2:16])
