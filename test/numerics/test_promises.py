"""What docs/numerics.md promises and a few lines can show."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "test/python"))

from models import model_of, onnx, value  # noqa: E402

import tessera  # noqa: E402

node = onnx.helper.make_node
LEVELS = pytest.mark.parametrize("level", [0, 3])


def result(folder, nodes, feeds, dtype, level=3, sizes=("m",), initializers=()):
    """The output "y" of type `dtype`; the compiler knows which sizes
    of the feeds are equal, and no number."""
    inputs = [
        value(name, array.dtype, [f"n{size}" for size in array.shape])
        for name, array in feeds.items()
    ]
    onnx.save(model_of(nodes, inputs, [value("y", dtype, list(sizes))], initializers), folder / "m.onnx")
    tessera.compile(folder / "m.onnx", folder / "m.so", opt_level=level)
    return tessera.load(folder / "m.so").run(None, feeds)[0]


@LEVELS
def test_narrow_sums_accumulate_in_f32(tmp_path, level):
    ones = np.ones((3, 4096), np.float16)  # in f16 the sum would stop at 2048
    axes = onnx.numpy_helper.from_array(np.array([1]), "axes")
    y = result(tmp_path, [node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)], {"x": ones},
               np.float16, level, initializers=[axes])
    np.testing.assert_array_equal(y, 4096)


@LEVELS
def test_narrow_products_accumulate_in_f32(tmp_path, level):
    a, b = np.ones((2, 4096), np.float16), np.ones((4096, 3), np.float16)
    y = result(tmp_path, [node("MatMul", ["a", "b"], ["y"])], {"a": a, "b": b}, np.float16, level,
               sizes=("m", "n"))
    np.testing.assert_array_equal(y, 4096)


@LEVELS
@pytest.mark.parametrize("operator", ["Relu", "Exp", "Softmax", "Tanh"])
def test_nan_goes_through(tmp_path, level, operator):
    x = np.linspace(-2, 2, 37, dtype=np.float32)
    x[11] = np.nan
    y = result(tmp_path, [node(operator, ["x"], ["y"])], {"x": x}, np.float32, level)
    assert np.isnan(y[11]) and (np.isnan(y).all() if operator == "Softmax" else np.isnan(y).sum() == 1)


@LEVELS
@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_nan_wins_on_either_side(tmp_path, level, operator):
    x = np.array([np.nan, 1, 2] * 9, np.float32)
    y = result(tmp_path, [node(operator, ["a", "b"], ["y"])], {"a": x, "b": x[::-1].copy()},
               np.float32, level)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x) | np.isnan(x[::-1]))


@LEVELS
def test_denormals_are_kept(tmp_path, level):
    x = np.full(19, 1e-40, np.float32)
    y = result(tmp_path, [node("Add", ["x", "x"], ["y"])], {"x": x}, np.float32, level)
    np.testing.assert_array_equal(y, x + x)
    assert (y > 0).all()


def test_narrow_elementwise_work_is_rounded(tmp_path):
    random = np.random.default_rng(0)
    a, b = (random.standard_normal(1000).astype(np.float16) for _ in range(2))
    y = result(tmp_path, [node("Mul", ["a", "b"], ["y"])], {"a": a, "b": b}, np.float16)
    np.testing.assert_array_equal(y, a * b)


@LEVELS
@pytest.mark.parametrize("operator", ["Div", "Mod"])
@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.uint64])
def test_no_divisor_stops_the_process(tmp_path, level, operator, dtype):
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    a = np.array([7, most, least, 100, least] * 7, dtype)
    b = np.array([0, 0, 0, 7, most if least == 0 else -1] * 7, dtype)
    y = result(tmp_path, [node(operator, ["a", "b"], ["y"])], {"a": a, "b": b}, dtype, level)
    if operator == "Div":
        wrapped = 0 if least == 0 else least
        expected = [0, 0, 0, 100 // 7, wrapped]
    else:
        expected = [0, 0, 0, 100 % 7, 0]
    np.testing.assert_array_equal(y, np.array(expected * 7, dtype))


def test_a_known_divisor_costs_nothing(tmp_path):
    two = onnx.numpy_helper.from_array(np.array(2, np.int32), "two")
    onnx.save(
        model_of([node("Div", ["x", "two"], ["y"])], [value("x", np.int32, ["n"])],
                 [value("y", np.int32, ["n"])], [two]),
        tmp_path / "m.onnx",
    )
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.mlir", emit="graph")
    assert "arith.select" not in (tmp_path / "m.mlir").read_text()


def test_attention_of_doubles_is_in_doubles(tmp_path):
    """Its default scale, too, which the standard's function body has in f32."""
    text = """<ir_version: 10, opset_import: ["" : 23]>
              g (double[1, 1, 3, 7] q, double[1, 1, 5, 7] k, double[1, 1, 5, 7] v)
                => (double[1, 1, 3, 7] y) { y = Attention(q, k, v) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so")
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((1, 1, n, 7)) for n in (3, 5, 5))
    y = tessera.load(tmp_path / "m.so").run(None, {"q": q, "k": k, "v": v})[0]
    shares = np.exp(q @ k.swapaxes(2, 3) / np.sqrt(7))
    np.testing.assert_allclose(y, shares / shares.sum(-1, keepdims=True) @ v, rtol=1e-13)
