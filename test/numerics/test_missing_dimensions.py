"""Contractions without rows, columns or depth, and with batches anywhere, against NumPy
in double precision.

The error allowed is 2e-5 of the largest result, as for other contractions.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 2e-5
SIZES = dict(a=2, b=3, c=4, d=17, k=19, m=13, n=5)

EQUATIONS = [
    "bd,bkd->bk", "bkd,bd->bk", "bd,bdk->bk", "bdk,bd->bk", "bd,bkd->kb",  # a vector and a matrix
    "abd,abkd->abk", "abd,bakd->abk", "bad,abkd->bka", "abd,bkd->abk", "acd,abckd->abck",
    "d,kd->k", "d,bkd->bk", "d,bkd->kb", "kd,d->k",
    "bd,bd->b", "abd,abd->ab", "abd,bad->ba", "d,d->",  # no columns either
    "bk,bm->bkm", "bk,bm->bmk", "k,m->km", "bk,m->bkm", "abk,bam->abkm",  # no depth
    "bmd,bkd->bmk", "mbd,kbd->mbk", "mbd,kbd->bkm", "mbd,kbd->kbm", "bmd,kd->mkb",
    "abmd,bakd->mabk", "bmcd,bkcd->bmk", "bcd,bkcd->bk", "mbdc,bckd->bkm", "amd,bkd->ambk",
]  # fmt: skip


def feeds_of(equation, dtype=np.float32):
    rng = np.random.default_rng(len(equation))
    terms = equation.split("->")[0].split(",")
    return {f"x{i}": rng.standard_normal([SIZES[letter] for letter in term]).astype(dtype)
            for i, term in enumerate(terms)}  # fmt: skip


def compiled(path, equation, feeds, is_open, constants=(), before=(), after=(), level=3):
    """y = after(einsum(before(x0), x1)); `before` and `after`: operators of one input."""
    letters = equation.split("->")[0].split(",")
    rank = len(equation.split("->")[1])
    inputs, weights = [], []
    for (name, array), term in zip(feeds.items(), letters):
        if name in constants:
            weights.append(numpy_helper.from_array(array, name))
            continue
        sizes = list(term) if is_open else array.shape
        inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes))
    nodes, value = [], "x0"
    for i, operator in enumerate(before):
        nodes.append(helper.make_node(operator, [value], [f"p{i}"]))
        value = f"p{i}"
    nodes.append(helper.make_node("Einsum", [value, "x1"], ["e"], equation=equation))
    value = "e"
    for i, operator in enumerate(after):
        nodes.append(helper.make_node(operator, [value], [f"q{i}"]))
        value = f"q{i}"
    nodes.append(helper.make_node("Identity", [value], ["y"]))
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)
    graph = helper.make_graph(nodes, "g", inputs, [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return tessera.compile(path, opt_level=level)


def check(library, equation, feeds, expected=None):
    if expected is None:
        expected = np.einsum(equation, *(x.astype(float) for x in feeds.values()))
    runs = [tessera.load(library, threads=threads).run(None, feeds)[0] for threads in (1, 2)]
    np.testing.assert_array_equal(*runs)
    assert np.abs(runs[0] - expected).max() <= TOLERANCE * max(np.abs(expected).max(), 1)


@pytest.mark.parametrize("is_open", [False, True], ids=["static", "open"])
@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(tmp_path, equation, is_open):
    feeds = feeds_of(equation)
    check(compiled(tmp_path / "m.onnx", equation, feeds, is_open), equation, feeds)


@pytest.mark.parametrize("equation", ["bd,bkd->bk", "d,bkd->kb", "bd,bdk->bk", "bd,kd->bk", "abd,bkd->abk"])
def test_constant_right_hand_side(tmp_path, equation):
    feeds = feeds_of(equation)
    library = compiled(tmp_path / "m.onnx", equation, feeds, False, constants=["x1"])
    check(library, equation, {"x0": feeds["x0"]},
          np.einsum(equation, *(x.astype(float) for x in feeds.values())))  # fmt: skip


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("equation", ["bd,bkd->bk", "abd,abdk->abk", "bd,bkd->kb"])
def test_fused_neighbours(tmp_path, equation, level):
    feeds = feeds_of(equation)
    library = compiled(tmp_path / "m.onnx", equation, feeds, True, before=["Neg"],
                       after=["Abs", "Sqrt"], level=level)  # fmt: skip
    x, y = (x.astype(float) for x in feeds.values())
    check(library, equation, feeds, np.sqrt(np.abs(np.einsum(equation, -x, y))))
