"""Attention in forms that single architectures have: raised, and right.

A scale for each head (Swin v2), a lower limit of the masked scores (XGLM), a causal
mask that is a part of a table (GPT-Neo).
"""

import numpy as np
import onnxruntime
import pytest
import tessera
from onnx import save

from test_raise_attention import Spelling, feeds_of

LOW = np.finfo(np.float32).min
TABLE = 64


class PerHead(Spelling):
    def hidden(self, scores):
        scale = self.draw.uniform(0.5, 2, (self.heads, 1, 1))
        return super().hidden(self.commuted("Mul", scores, self.constant(scale)))


class Limited(Spelling):
    """A row whose keys are all hidden weighs them alike, where without the limit it
    would be NaN."""

    def __init__(self, seed, hide):
        super().__init__(seed)
        self.hide = hide

    def hidden(self, scores):
        mask = self.op("Unsqueeze", "mask", self.constant([1, 2], np.int64))
        bias = self.op("Where", mask, self.constant(0.0), self.constant(self.hide))
        return self.op("Max", self.commuted("Add", scores, bias), self.constant(LOW))


class Table(Spelling):
    """The queries' own keys follow n that are past: row i of the queries is row n + i
    of the table."""

    def split(self, x):
        return super().split(x if x == "q" else self.op("Concat", x, "q", axis=1))

    def hidden(self, scores):
        shape = self.op("Shape", scores)
        keys, queries = (
            self.op("Gather", shape, self.constant([axis], np.int64)) for axis in (3, 2)
        )
        table = np.tril(np.ones((1, 1, TABLE, TABLE), bool))
        one = self.constant([1], np.int64)
        rows = self.op("Slice", self.constant(table, bool), self.op("Sub", keys, queries), keys,
                       self.constant([2], np.int64), one)
        part = self.op("Slice", rows, self.constant([0], np.int64), keys,
                       self.constant([3], np.int64), one)
        return self.op("Where", part, scores, self.constant(LOW))


class PerKey(Spelling):
    def hidden(self, scores):
        factor = self.op("Cast", self.op("Unsqueeze", "mask", self.constant([1, 2], np.int64)), to=1)
        return self.op("Mul", scores, self.op("Add", factor, self.constant(0.5)))


def compiled(spelling, folder):
    """Session, reference, and the text of the graph state."""
    path = folder / "model.onnx"
    save(spelling.model(), path)
    graph = tessera.compile(path, folder / "graph.mlir", flags=["--emit=graph"])
    session = tessera.load(tessera.compile(path, folder / "model.so"))
    return session, onnxruntime.InferenceSession(str(path)), graph.read_text()


def agree(session, reference, feeds):
    np.testing.assert_allclose(session.run(None, feeds)[0], reference.run(None, feeds)[0],
                               rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("form", [PerHead, Table])
def test_raised_and_right(form, seed, tmp_path):
    spelling = form(seed)
    session, reference, graph = compiled(spelling, tmp_path)
    assert graph.count("attention.sdpa") == 1
    for sizes in [(2, 5, 9), (1, 1, 40), (3, 17, 17)]:
        agree(session, reference, feeds_of(spelling, *sizes))


@pytest.mark.parametrize("hide", [LOW, -np.inf])
def test_lower_limit(hide, tmp_path):
    spelling = Limited(3, hide)
    session, reference, graph = compiled(spelling, tmp_path)
    assert graph.count("attention.sdpa") == 1
    feeds = feeds_of(spelling, 3, 5, 17)
    feeds["mask"][1] = False
    assert np.isfinite(reference.run(None, feeds)[0]).all()
    agree(session, reference, feeds)


def test_table_that_is_too_small(tmp_path):
    spelling = Table(0)
    session, *_ = compiled(spelling, tmp_path)
    with pytest.raises(tessera.TesseraError):
        session.run(None, feeds_of(spelling, 1, 3, TABLE - 2))


def test_factor_of_each_key_stays(tmp_path):
    spelling = PerKey(1)
    session, reference, graph = compiled(spelling, tmp_path)
    assert "attention.sdpa" not in graph
    agree(session, reference, feeds_of(spelling, 2, 5, 9))
