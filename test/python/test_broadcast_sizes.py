"""Unrelated unknown sizes that broadcast: which of them is 1 is found at run time."""

import numpy as np
import onnx
import pytest
import tessera
from models import model_of, value
from onnx import helper


@pytest.fixture(params=[0, 3])
def chain(request, tmp_path):
    """z = max(x[n, c] + y[m, c], x) * w[k, 1]"""
    path = tmp_path / "chain.onnx"
    onnx.save(
        model_of(
            [
                helper.make_node("Add", ["x", "y"], ["sum"], name="sum"),
                helper.make_node("Max", ["sum", "x"], ["larger"], name="larger"),
                helper.make_node("Mul", ["larger", "w"], ["z"], name="product"),
            ],
            [
                value("x", np.float32, ["n", "c"]),
                value("y", np.float32, ["m", "c"]),
                value("w", np.float32, ["k", 1]),
            ],
            [value("z", np.float32, ["rows", "c"])],
        ),
        path,
    )
    return tessera.load(tessera.compile(path, opt_level=request.param))


def inputs_of(n, m, k, columns=5):
    generator = np.random.default_rng(0)
    return {
        name: generator.standard_normal(shape).astype(np.float32)
        for name, shape in (("x", (n, columns)), ("y", (m, columns)), ("w", (k, 1)))
    }


@pytest.mark.parametrize(
    "sizes", [(3, 3, 3), (1, 4, 4), (4, 1, 1), (1, 1, 6), (1, 3, 1), (1, 1, 1), (0, 1, 1), (1, 0, 0)]
)
def test_sizes_broadcast(chain, sizes):
    given = inputs_of(*sizes)
    [z] = chain.run(None, given)
    expected = np.maximum(given["x"] + given["y"], given["x"]) * given["w"]
    assert z.shape == expected.shape
    assert np.array_equal(z, expected)


@pytest.mark.parametrize("sizes, node", [((3, 4, 1), "sum"), ((2, 0, 1), "sum"), ((3, 1, 2), "product")])
def test_sizes_that_do_not_fit_name_the_node(chain, sizes, node):
    with pytest.raises(tessera.TesseraError, match=rf"node '{node}' .*do not broadcast"):
        chain.run(None, inputs_of(*sizes))


def test_equal_names_need_no_broadcast(tmp_path):
    path = tmp_path / "same.onnx"
    onnx.save(
        model_of(
            [helper.make_node("Add", ["x", "y"], ["z"])],
            [value("x", np.float32, ["n"]), value("y", np.float32, ["n"])],
            [value("z", np.float32, ["n"])],
        ),
        path,
    )
    text = tessera.compile(path, tmp_path / "same.mlir", emit="graph")
    assert "broadcast_to" not in open(text).read()
