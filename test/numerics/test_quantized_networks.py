"""Networks that ONNX Runtime's quantizer made: all their products are of integers, and
their results are as far from the float network's as ONNX Runtime's, which also rounds
where quantized groups end. The distance is that of all results together, relative to
their norm: a single one of a quantized output moves by whole steps. 1.05 times ONNX
Runtime's is for elements near a tie, of which a network makes many more."""

import itertools
import re

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxruntime.quantization")
import quantized_networks as networks  # noqa: E402

NETWORKS = {"convolutional": networks.convolutional, "encoder": networks.encoder,
            "mixed": networks.mixed}
FORMS = [*itertools.product(["QDQ"], ["U8", "S8"], [True, False]),
         ("dynamic", "U8", True), ("dynamic", "U8", False)]


def float_products(path, folder):
    """Products of floats in the graph state, but depthwise convolutions: these sum
    integers in f32, exactly."""
    graph = tessera.compile(path, folder / "graph.mlir", flags=["--emit=graph"]).read_text()
    return re.findall(r"linalg\.(?:matmul|contract).*|graph\.conv.* groups 1 .*xf32>.*", graph)


def distance(results, references):
    y, reference = np.stack(results), np.stack(references)
    return np.linalg.norm(y - reference) / np.linalg.norm(reference)


def run_all(path, inputs):
    session = onnxruntime.InferenceSession(str(path))
    return [session.run(None, {"x": x})[0] for x in inputs]


def run_compiled(path, folder, inputs):
    session = tessera.load(tessera.compile(path, folder / "m.so", cpu="native"))
    return [session.run(None, {"x": x})[0] for x in inputs]


@pytest.mark.parametrize("form,activations,per_channel", FORMS,
                         ids=lambda v: v if isinstance(v, str) else "axis" if v else "tensor")
@pytest.mark.parametrize("name", NETWORKS)
def test_distance_to_float(tmp_path, name, form, activations, per_channel):
    shape = NETWORKS[name](tmp_path / "float.onnx")
    path = tmp_path / "quantized.onnx"
    networks.quantize(tmp_path / "float.onnx", path, shape, form, activations, per_channel)
    # The dynamic quantizer knows no ConvTranspose and no Gemm with a factor.
    if form != "dynamic" or name != "mixed":
        products = float_products(path, tmp_path)
        assert not products, products
    inputs = networks.samples(shape, 8, seed=9)
    references = run_all(tmp_path / "float.onnx", inputs)
    ours = distance(run_compiled(path, tmp_path, inputs), references)
    assert ours <= 1.05 * distance(run_all(path, inputs), references) + 1e-4


@pytest.mark.parametrize("activations", ["U8", "S8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_taken_apart(tmp_path, name, activations):
    """Biases stay floats: their scales are not those of sums to anything that shows it."""
    shape = NETWORKS[name](tmp_path / "float.onnx")
    networks.quantize(tmp_path / "float.onnx", tmp_path / "whole.onnx", shape, "QDQ", activations)
    networks.taken_apart(tmp_path / "whole.onnx", tmp_path / "apart.onnx")
    products = float_products(tmp_path / "apart.onnx", tmp_path)
    assert not products, products
    inputs = networks.samples(shape, 8, seed=9)
    references = run_all(tmp_path / "float.onnx", inputs)
    ours = distance(run_compiled(tmp_path / "apart.onnx", tmp_path, inputs), references)
    assert ours <= 1.05 * distance(run_all(tmp_path / "apart.onnx", inputs), references) + 1e-4


def test_half_precision(tmp_path):
    """Scales and activations of f16: sums of integers are rounded to it once."""
    chance, f16 = np.random.default_rng(4), TensorProto.FLOAT16
    w = chance.integers(-127, 128, (9, 70)).astype(np.int8)
    scales, s = chance.uniform(0.01, 0.02, 9).astype(np.float16), np.float16(0.03)
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
             helper.make_node("DequantizeLinear", ["q", "s", "z"], ["a"]),
             helper.make_node("DequantizeLinear", ["w", "scales"], ["b"], axis=0),
             helper.make_node("Gemm", ["a", "b"], ["y"], transB=1)]
    constants = {"s": s, "z": np.uint8(120), "w": w, "scales": scales}
    graph = helper.make_graph(
        nodes, "half", [helper.make_tensor_value_info("x", f16, [5, 70])],
        [helper.make_tensor_value_info("y", f16, [5, 9])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9),
              tmp_path / "m.onnx")
    assert not float_products(tmp_path / "m.onnx", tmp_path)
    x = chance.standard_normal((5, 70)).astype(np.float16)
    q = np.clip(np.round(x.astype(np.float32) / np.float32(s)) + 120, 0, 255) - 120
    expected = (q @ w.T.astype(np.float64)) * np.float64(s) * scales
    np.testing.assert_allclose(run_compiled(tmp_path / "m.onnx", tmp_path, [x])[0], expected,
                               rtol=1e-3, atol=1e-3)
