"""Query, key and value projections of one operand: one product, whose columns
attention reads in place."""

import json

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

HEADS, KEY_HEADS, WIDTH, DEPTH = 4, 2, 16, 40
COLUMNS = {"q": HEADS * WIDTH, "k": KEY_HEADS * WIDTH, "v": KEY_HEADS * WIDTH}
SIZES = [(1, 1), (2, 7), (3, 64), (0, 3)]
TOLERANCE = 2e-5


def weights(random):
    """w and b of each projection; the keys have no b."""
    values = {f"w{part}": random.standard_normal((DEPTH, columns), np.float32) / 6
              for part, columns in COLUMNS.items()}
    values |= {f"b{part}": random.standard_normal(COLUMNS[part], np.float32) for part in "qv"}
    return values | {"turn": random.standard_normal(WIDTH, np.float32)}


def save(path, values, turned, output=None):
    """Attention of x; with `turned` the halves of each head's query are mixed, as
    positions are encoded; the projection `output` is an output as well."""
    rows = ["batch", "length"]
    nodes = [helper.make_node("MatMul", ["x", f"w{part}"], [f"{part}0"]) for part in "qkv"]
    nodes += [
        helper.make_node("Add", ["q0", "bq"], ["q1"]),
        helper.make_node("Add", ["bv", "v0"], ["v1"]),
        helper.make_node("Reshape", ["q1", "heads"], ["q2"]),
        helper.make_node("Split", ["q2"], ["low", "high"], axis=3, num_outputs=2),
        helper.make_node("Neg", ["high"], ["minus"]),
        helper.make_node("Concat", ["minus", "low"], ["q3"], axis=3),
        helper.make_node("Mul", ["q3", "turn"], ["q4"]),
        helper.make_node("Add", ["q2", "q4"], ["q5"]),
        helper.make_node("Reshape", ["q5", "joined"], ["q6"]),
        helper.make_node("Attention", ["q6" if turned else "q1", "k0", "v1"], ["y"],
                         q_num_heads=HEADS, kv_num_heads=KEY_HEADS),
    ]
    if not turned:
        nodes = nodes[:5] + nodes[-1:]
    constants = values | {"heads": np.array([0, 0, HEADS, WIDTH]), "joined": np.array([0, 0, -1])}
    outputs = [("y", COLUMNS["q"])] + ([(f"{output}0", COLUMNS[output])] if output else [])
    value = lambda name, columns: helper.make_tensor_value_info(
        name, TensorProto.FLOAT, [*rows, columns])
    graph = helper.make_graph(
        nodes, "g", [value("x", DEPTH)], [value(*one) for one in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)],
                                ir_version=10), path)
    return path


def attention(x, values, turned):
    values = {name: array.astype(np.float64) for name, array in values.items()}
    x = x.astype(np.float64)
    split = lambda array: array.reshape(*x.shape[:2], array.shape[2] // WIDTH, WIDTH).transpose(0, 2, 1, 3)
    q = split(x @ values["wq"] + values["bq"])
    k, v = split(x @ values["wk"]), split(x @ values["wv"] + values["bv"])
    if turned:
        low, high = np.split(q, 2, axis=-1)
        q = q + np.concatenate([-high, low], axis=-1) * values["turn"]
    k, v = (np.repeat(array, HEADS // KEY_HEADS, axis=1) for array in (k, v))
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(WIDTH)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    y = powers / powers.sum(-1, keepdims=True) @ v
    return y.transpose(0, 2, 1, 3).reshape(*x.shape[:2], COLUMNS["q"])


def compiled(folder, *arguments, **options):
    path = save(folder / "model.onnx", *arguments, **options)
    library = tessera.compile(path, report=folder / "report.json")
    kernels = json.loads((folder / "report.json").read_text())["kernels"]
    assert all(kernel["route"] != "generic" for kernel in kernels)
    return library, [kernel["schedule"].split("<")[0] for kernel in kernels]


@pytest.mark.parametrize("turned", [False, True])
def test_one_product(tmp_path, turned):
    random = np.random.default_rng(6)
    values = weights(random)
    library, schedules = compiled(tmp_path, values, turned)
    # Negation, join, and their sum: nothing that only copies columns.
    elementwise = 3 * ["#kernel.rows"] if turned else []
    assert schedules == ["#kernel.contraction", *elementwise, "#kernel.attention"]
    one, two = (tessera.load(library, threads=threads) for threads in (1, 2))
    for batch, length in SIZES:
        x = random.standard_normal((batch, length, DEPTH), np.float32)
        [y] = one.run(None, {"x": x})
        expected = attention(x, values, turned)
        assert y.shape == expected.shape
        assert np.abs(y - expected).max(initial=0) <= TOLERANCE * np.abs(expected).max(initial=1)
        np.testing.assert_array_equal(two.run(None, {"x": x})[0], y)


def test_columns_that_fill_no_panels(tmp_path, monkeypatch):
    """Heads of 10: 40, 20 and 20 columns."""
    monkeypatch.setitem(globals(), "WIDTH", 10)
    for part, heads in {"q": HEADS, "k": KEY_HEADS, "v": KEY_HEADS}.items():
        monkeypatch.setitem(COLUMNS, part, heads * 10)
    test_one_product(tmp_path, turned=False)


def test_an_output_stays_a_product_of_its_own(tmp_path):
    random = np.random.default_rng(7)
    values = weights(random)
    library, schedules = compiled(tmp_path, values, False, output="k")
    assert schedules.count("#kernel.contraction") == 2
    x = random.standard_normal((2, 9, DEPTH), np.float32)
    y, keys = tessera.load(library).run(None, {"x": x})
    np.testing.assert_allclose(keys, x @ values["wk"], rtol=0, atol=1e-4)
    np.testing.assert_allclose(y, attention(x, values, False), rtol=0, atol=1e-4)
