"""A table of which rows are gathered and whose transpose is a right-hand side: stored
once, as the panels of the product."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

WORDS, WIDTH = 5003, 24  # no multiples of a panel's 16 columns
TABLE_BYTES = WORDS * WIDTH * 4


def save(path, table, scaled=False):
    """logits = table[ids] @ table^T, and 2 * table with `scaled`."""
    value = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Transpose", ["table"], ["columns"], perm=[1, 0]),
        helper.make_node("MatMul", ["rows", "columns"], ["logits"]),
        helper.make_node("Add", ["table", "table"], ["twice"]),
    ]
    outputs = [value("logits", TensorProto.FLOAT, ["batch", "length", WORDS]),
               value("twice", TensorProto.FLOAT, [WORDS, WIDTH])]
    kept = 4 if scaled else 3
    graph = helper.make_graph(
        nodes[:kept], "g", [value("ids", TensorProto.INT64, ["batch", "length"])],
        outputs[: kept - 2], [numpy_helper.from_array(table, "table")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)],
                                ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def table():
    return np.random.default_rng(3).standard_normal((WORDS, WIDTH), np.float32)


@pytest.mark.parametrize("level", [0, 3])
def test_rows_and_product(table, tmp_path, level):
    path = save(tmp_path / "model.onnx", table)
    library = tessera.compile(path, opt_level=level)
    session = tessera.load(library, threads=2)
    random = np.random.default_rng(4)
    for batch, length in [(1, 1), (2, 7), (3, 64), (0, 5)]:
        ids = random.integers(-WORDS, WORDS, (batch, length))
        ids.flat[:3] = [WORDS - 1, -WORDS, -1][: min(3, ids.size)]
        [logits] = session.run(None, {"ids": ids})
        expected = table.astype(np.float64)[ids] @ table.astype(np.float64).T
        assert logits.shape == expected.shape
        np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-4)


def test_one_copy_is_stored(table, tmp_path):
    library = tessera.compile(save(tmp_path / "model.onnx", table))
    assert TABLE_BYTES < library.stat().st_size < 1.5 * TABLE_BYTES


def test_two_copies_where_all_of_it_is_read(table, tmp_path):
    library = tessera.compile(save(tmp_path / "model.onnx", table, scaled=True))
    assert library.stat().st_size > 2 * TABLE_BYTES
    ids = np.array([[0, WORDS - 1]])
    logits, twice = tessera.load(library).run(None, {"ids": ids})
    np.testing.assert_array_equal(twice, 2 * table)
    np.testing.assert_allclose(logits, table[ids] @ table.T, rtol=0, atol=2e-4)
