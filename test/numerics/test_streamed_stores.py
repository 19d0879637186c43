"""Kernels of rows that store past the caches or prefetch: the same bits as those that
do not.

With streamBytes = 1 every run is large enough. Lanes are those of AVX-512; where the
CPU lacks it, each vector is two.
"""

import numpy as np
import pytest

import kernels
from row_kernels import SUM, compiled, dynamic, kernel, normal, reduce, run, spread, tensor

CACHED = "#kernel.rows<lanes = 16, unroll = 4, taskElements = 1024>"
STREAMED = CACHED[:-1] + ", streamBytes = 1>"
PREFETCHING = CACHED[:-1] + ", prefetchRows = 2>"


def chain(schedule, sizes, element="f32"):
    full = tensor(sizes, element)
    return kernel([("x", sizes, element), ("y", sizes, element)], [("out", sizes, element)], f"""
        %p = arith.mulf %x, %y : {full}
        %s = arith.addf %p, %x : {full}""", ["%s"], symbols=1, schedule=schedule)


def bias(schedule, sizes):
    full = tensor(sizes, "f32")
    return kernel([("x", sizes, "f32"), ("b", sizes[-1:], "f32")], [("out", sizes, "f32")], f"""
        %w = graph.broadcast_to %b sizes({dynamic(sizes)}) : {tensor(sizes[-1:], "f32")} -> {full}
        %s = arith.addf %x, %w : {full}""", ["%s"], symbols=2, schedule=schedule)


def softmax(schedule, sizes, axis):
    full = tensor(sizes, "f32")
    return kernel([("x", sizes, "f32")], [("out", sizes, "f32")], f"""
        %e = tensor.empty({dynamic(sizes)}) : {full}
        %y = linalg.softmax dimension({axis}) ins(%x : {full}) outs(%e : {full}) -> {full}""",
        ["%y"], symbols=1, schedule=schedule)


def norm(schedule, sizes):
    """Two outputs, of which the first is read again, and the mean of each row."""
    full, row = tensor(sizes, "f32"), tensor(sizes[:-1], "f32")
    return kernel([("x", sizes, "f32")], [("squares", sizes, "f32"), ("out", sizes, "f32"), ("sum", sizes[:-1], "f32")], f"""
        %z = arith.mulf %x, %x : {full}
        {reduce("s", SUM, "z", sizes, (1,), "f32")}
        {spread("b", "s", sizes, (1,), "f32")}
        %y = arith.divf %z, %b : {full}""", ["%z", "%y", "%s"], symbols=1, schedule=schedule)


@pytest.mark.parametrize("make, shapes", [
    (lambda s: chain(s, ("s0", 32)), [(75, 32)] * 2), (lambda s: chain(s, ("s0",)), [(4001,)] * 2),
    (lambda s: chain(s, ("s0", 64), "f16"), [(40, 64)] * 2),
    (lambda s: bias(s, ("s0", "s1")), [(40, 96), (96,)]), (lambda s: bias(s, ("s0", "s1")), [(40, 97), (97,)]),
    (lambda s: softmax(s, ("s0", 80), 1), [(50, 80)]), (lambda s: softmax(s, ("s0", 2048), 1), [(5, 2048)]),
    (lambda s: softmax(s, (9, "s0"), 1), [(9, 160)]), (lambda s: softmax(s, ("s0", 48), 0), [(20, 48)]),
    (lambda s: norm(s, ("s0", 112)), [(70, 112)])])
def test_same_bits(make, shapes):
    inputs = [normal(*shape) for shape in shapes]
    if "f16" in make(CACHED):
        inputs = [x.astype(np.float16) for x in inputs]
    expected = run(make(CACHED), *inputs)
    for schedule in (STREAMED, PREFETCHING):
        for result, cached in zip(run(make(schedule), *inputs), expected):
            np.testing.assert_array_equal(result, cached)


def test_output_that_does_not_begin_at_a_line():
    x, y = normal(60, 32), normal(60, 32)
    session = compiled(chain(STREAMED, ("s0", 32)))[1].session
    for offset in range(0, 64, 4):
        room = np.zeros(x.nbytes + 128, np.uint8)
        start = -room.ctypes.data % 64 + offset
        out = room[start:start + x.nbytes].view(np.float32).reshape(x.shape)
        session.run(None, {"in0": x, "in1": y}, {"out0": out})
        np.testing.assert_allclose(out, x * y + x, rtol=1e-5, atol=1e-6)
        assert not room[:start].any() and not room[start + x.nbytes:].any()


def test_instructions():
    """Whole vectors past the caches, then a fence before other threads read them."""
    code = kernels.assembly(chain(STREAMED, ("s0", 32)), "znver4")
    assert "vmovntps" in code and code.count("sfence") == 1 and "movnts" not in code
    assert "vmovnt" not in kernels.assembly(chain(CACHED, ("s0", 32)), "znver4")
