"""Attention spelled in random equivalent ways: every spelling is raised, and gives
what ONNX Runtime gives.

A seed draws where the scale stands (queries, keys, both, scores), as a product or
quotient; how the keys are transposed; whether batch and heads are one dimension for
the products; which operand comes first; how keys are hidden; extra pairs of
transposes, reshapes and casts; a guard against NaN. Shapes and weights are random
too, sizes dynamic. Errors are those of sums in f32.
"""

import numpy as np
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper, save

onnxruntime = pytest.importorskip("onnxruntime")
SEEDS = range(24)


class Spelling:
    """Builds a model; `draw` decides."""

    def __init__(self, seed):
        self.draw = np.random.default_rng(seed)
        self.nodes, self.constants = [], []
        self.heads = int(self.draw.choice([2, 3, 4]))
        self.dim = int(self.draw.choice([4, 8]))
        self.count = 0

    def chance(self):
        return bool(self.draw.integers(2))

    def op(self, kind, *inputs, **attributes):
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value, dtype=np.float32):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def commuted(self, kind, a, b):
        return self.op(kind, a, b) if self.chance() else self.op(kind, b, a)

    def scaled(self, x, factor):
        if self.chance():
            return self.commuted("Mul", x, self.constant(factor))
        return self.op("Div", x, self.constant(1 / factor))

    def detour(self, x):
        """x again, through operations that undo each other (rank 4)."""
        choice = self.draw.integers(4)
        if choice == 0:
            turned = self.op("Transpose", x, perm=[0, 2, 1, 3])
            return self.op("Transpose", turned, perm=[0, 2, 1, 3])
        if choice == 1:
            return self.op("Squeeze", self.op("Unsqueeze", x, self.constant([1], np.int64)),
                           self.constant([1], np.int64))
        if choice == 2:
            turned = self.op("Transpose", x, perm=[3, 1, 0, 2])
            return self.op("Transpose", turned, perm=[2, 1, 3, 0])
        return x

    def split(self, x):
        """[batch, length, heads * dim] as [batch, heads, length, dim]."""
        shape = self.constant([0, 0, self.heads, self.dim], np.int64)
        return self.op("Transpose", self.op("Reshape", x, shape), perm=[0, 2, 1, 3])

    def hidden(self, scores):
        choice = self.draw.integers(5)
        mask = self.op("Unsqueeze", "mask", self.constant([1, 2], np.int64))
        if choice == 0:
            return self.op("Where", mask, scores, self.constant(-np.inf))
        if choice == 1:
            return self.op("Where", self.op("Not", mask), self.constant(-np.inf), scores)
        if choice == 2:
            low = self.constant(np.finfo(np.float32).min)
            return self.op("Where", mask, scores, low)
        if choice == 3:
            numbers = self.op("Cast", mask, to=TensorProto.FLOAT)
            away = self.commuted("Mul", self.op("Sub", self.constant(1.0), numbers),
                                 self.constant(-10000.0))
            return self.commuted("Add", scores, away)
        bias = self.op("Where", mask, self.constant(0.0), self.constant(-np.inf))
        return self.commuted("Add", scores, bias)

    def product(self, a, b):
        """a @ b, with batch and heads as one dimension or two."""
        if self.chance():
            return self.op("MatMul", a, b)
        size = self.op("Shape", a)
        columns = self.op("Slice", self.op("Shape", b), self.constant([3], np.int64),
                          self.constant([4], np.int64))
        front = self.op("Slice", size, self.constant([0], np.int64),
                        self.constant([3], np.int64))

        def flat(x):
            part = self.op("Slice", self.op("Shape", x), self.constant([2], np.int64),
                           self.constant([4], np.int64))
            target = self.op("Concat", self.constant([-1], np.int64), part, axis=0)
            return self.op("Reshape", x, target)

        result = self.op("MatMul", flat(a), flat(b))
        return self.op("Reshape", result, self.op("Concat", front, columns, axis=0))

    def model(self):
        scale = float(self.draw.uniform(0.2, 0.6))
        q, k, v = (self.detour(self.split(x)) for x in "qkv")
        share = self.draw.integers(3)
        on_q = {0: 1.0, 1: scale, 2: np.sqrt(scale)}[int(share)]
        if on_q != 1.0:
            q = self.scaled(q, on_q)
        late = self.chance()
        if share == 2 and not late:
            k = self.scaled(k, np.sqrt(scale))
        kt = self.op("Transpose", k, perm=[0, 1, 3, 2])
        if share == 2 and late:
            kt = self.scaled(kt, np.sqrt(scale))
        scores = self.product(q, kt)
        if share == 0:
            scores = self.scaled(scores, scale)
        scores = self.hidden(self.detour(scores))
        p = self.op("Softmax", self.detour(scores), axis=-1)
        if self.chance():
            p = self.op("Where", self.op("IsNaN", p), self.constant(0.0), p)
        y = self.op("Transpose", self.product(self.detour(p), v), perm=[0, 2, 1, 3])
        width = self.heads * self.dim
        self.nodes.append(helper.make_node(
            "Reshape", [y, self.constant([0, 0, width], np.int64)], ["y"]))
        inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", s, width])
                  for n, s in (("q", "m"), ("k", "n"), ("v", "n"))]
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.BOOL, ["b", "n"]))
        output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "m", width])
        graph = helper.make_graph(self.nodes, "attention", inputs, [output], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)],
                                 ir_version=9)


def feeds_of(spelling, batch, queries, keys):
    width = spelling.heads * spelling.dim
    draw = np.random.default_rng(1)
    feeds = {n: draw.standard_normal((batch, s, width)).astype(np.float32)
             for n, s in (("q", queries), ("k", keys), ("v", keys))}
    feeds["mask"] = draw.random((batch, keys)) < 0.7
    feeds["mask"][:, 0] = True
    return feeds


@pytest.mark.parametrize("seed", SEEDS)
def test_raised_and_right(seed, tmp_path):
    spelling = Spelling(seed)
    path = tmp_path / "model.onnx"
    save(spelling.model(), path)
    graph = tmp_path / "graph.mlir"
    tessera.compile(path, graph, flags=["--emit=graph"])
    text = graph.read_text()
    assert text.count("attention.sdpa") == 1
    assert "linalg.softmax" not in text

    session = tessera.load(tessera.compile(path, tmp_path / "model.so"))
    reference = onnxruntime.InferenceSession(str(path))
    for sizes in [(2, 5, 9), (1, 1, 40), (3, 17, 17)]:
        feeds = feeds_of(spelling, *sizes)
        expected = reference.run(None, feeds)[0]
        np.testing.assert_allclose(session.run(None, feeds)[0], expected,
                                   rtol=1e-5, atol=1e-5)
