"""Row kernels that read elements by index vectors, and that join what stands before
each element: as in NumPy, none by the generic route."""

import graph_points
import numpy as np
import pytest

from row_kernels import RNG, kernel, normal, run, tensor


@pytest.mark.parametrize("n", [0, 1, 5, 40])
def test_gather_elements(n):
    """Along the last dimension; indices beyond the ends are clamped."""
    text = kernel(
        [("x", (3, "s0"), "f32"), ("i", (3, 17, 1), "i64")], [("out", (3, 17), "f32")], """
        %g = graph.gather_points %x[%i] dimensions [0, -1]
          : tensor<3x?xf32>, tensor<3x17x1xi64> -> tensor<3x17xf32>
        %y = arith.negf %g : tensor<3x17xf32>""", ["%y"], symbols=1)
    x, indices = normal(3, n), RNG.integers(-n - 2, n + 2, (3, 17, 1))
    expected = -graph_points.gather(x, indices, [0, -1], (3, 17))
    np.testing.assert_array_equal(run(text, x, indices)[0], expected)


@pytest.mark.parametrize("m", [1, 9, 33])
def test_gather_along_the_first_dimension(m):
    text = kernel(
        [("x", (6, "s0"), "f32"), ("i", (4, "s0", 1), "i32")], [("out", (4, "s0"), "f32")], """
        %y = graph.gather_points %x[%i] dimensions [-1, 1] sizes(%s0)
          : tensor<6x?xf32>, tensor<4x?x1xi32> -> tensor<4x?xf32>""", ["%y"], symbols=1)
    x, indices = normal(6, m), RNG.integers(-6, 6, (4, m, 1)).astype(np.int32)
    expected = graph_points.gather(x, indices, [-1, 1], (4, m))
    np.testing.assert_array_equal(run(text, x, indices)[0], expected)


def test_gather_rows_by_two_components():
    """Slices behind two components (GatherND)."""
    text = kernel(
        [("x", (4, "s0", 19), "f32"), ("i", (7, 2), "i64")], [("out", (7, 19), "f32")], """
        %y = graph.gather_points %x[%i] dimensions [-1, -1, 1]
          : tensor<4x?x19xf32>, tensor<7x2xi64> -> tensor<7x19xf32>""", ["%y"], symbols=1)
    x, indices = normal(4, 5, 19), RNG.integers(-4, 4, (7, 2))
    expected = graph_points.gather(x, indices, [-1, -1, 1], (7, 19))
    np.testing.assert_array_equal(run(text, x, indices)[0], expected)


@pytest.mark.parametrize("flags", ["", "exclusive", "reverse", "exclusive reverse"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("element, combination", [("i64", "add"), ("f32", "multiply")])
def test_cumulative(axis, flags, element, combination):
    sizes = (3, "s0", 21)
    text = kernel([("x", sizes, element)], [("out", sizes, element)], f"""
        %t = {'arith.addi' if element == 'i64' else 'arith.addf'} %x, %x : {tensor(sizes, element)}
        %y = graph.cumulative {combination} %t dimension {axis} {flags} : {tensor(sizes, element)}
        """, ["%y"], symbols=1)
    for n in (0, 1, 30):
        shape = (3, n, 21)
        x = RNG.integers(0, 9, shape) if element == "i64" else np.float32(0.5) + normal(*shape) / 20
        expected = graph_points.cumulative(
            2 * x, axis, combination == "add", "exclusive" in flags, "reverse" in flags)
        np.testing.assert_allclose(run(text, x)[0], expected, rtol=1e-5)
