"""Products by the type that --precision names: results, and what stays f32."""

import json
import subprocess

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

ROWS, INNER, COLUMNS = 37, 160, 72


def perceptron(path):
    """Two layers of products with a softmax: f32 in and out."""
    random = np.random.default_rng(3)
    weights = {
        "w": random.standard_normal((INNER, COLUMNS)) / np.sqrt(INNER),
        "b": random.standard_normal(COLUMNS),
        "v": random.standard_normal((COLUMNS, 40)) / np.sqrt(COLUMNS),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"], name="first"),
            helper.make_node("Add", ["xw", "b"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["hidden"]),
            helper.make_node("MatMul", ["hidden", "v"], ["z"], name="second"),
            helper.make_node("Softmax", ["z"], ["y"], axis=-1),
        ],
        "perceptron",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [ROWS, INNER])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("z", "y")],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    x = random.standard_normal((ROWS, INNER)).astype(np.float32)
    hidden = np.maximum(x.astype(np.float64) @ weights["w"] + weights["b"], 0)
    return x, hidden @ weights["v"]


def run(path, x, tmp_path, **options):
    library = tmp_path / "model.so"
    tessera.compile(path, library, **options)
    z, y = tessera.load(library).run(None, {"x": x})
    np.testing.assert_allclose(y.sum(axis=-1), 1, atol=1e-6)
    return z


@pytest.mark.parametrize(
    "precision, most, least",
    [
        ("strict", 1e-6, 0),
        ("highest", 1e-6, 0),
        ("high", 2e-5, 0),
        ("bf16", 1e-2, 1e-4),
        ("f16", 2e-3, 1e-6),
        ("fast", 1e-2, 0),
    ],
)
@pytest.mark.parametrize("cpu", ["native", "x86-64-v3"])
def test_error_by_precision(tmp_path, precision, most, least, cpu):
    path = tmp_path / "model.onnx"
    x, exact = perceptron(path)
    z = run(path, x, tmp_path, precision=precision, cpu=cpu)
    error = np.linalg.norm(z - exact) / np.linalg.norm(exact)
    assert least <= error <= most


def test_strict_is_the_same_on_all_levels_of_effort(tmp_path):
    path = tmp_path / "model.onnx"
    x, _ = perceptron(path)
    strict = run(path, x, tmp_path, precision="strict")
    again = run(path, x, tmp_path, precision="strict", opt_level=1)
    np.testing.assert_array_equal(strict, again)


def test_hidden_values_are_stored_narrow(tmp_path):
    """What only a narrow product reads is stored as bf16, and weights are narrow."""
    path = tmp_path / "model.onnx"
    perceptron(path)
    report = tmp_path / "report.json"
    tessera.compile(path, tmp_path / "model.so", precision="fast", cpu="znver4", report=str(report))
    described = json.loads(report.read_text())
    assert described["precision"] == "fast"
    products = [k for k in described["kernels"] if k["route"] == "builder"]
    first, second = ([k for k in products if name in k["nodes"]] for name in ("first", "second"))
    hidden = f"{ROWS}x{COLUMNS}xbf16"
    assert first[0]["arguments"][-1] == hidden
    assert second[0]["arguments"][0] == hidden
    for kernel in products:
        assert kernel["arguments"][1].endswith("xbf16"), "weights are converted in a run"


def test_unknown_precision(tmp_path):
    path = tmp_path / "model.onnx"
    perceptron(path)
    with pytest.raises(tessera.CompileError, match="--precision expects strict, .* but got 'exact'"):
        tessera.compile(path, tmp_path / "model.so", precision="exact")
