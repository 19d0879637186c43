"""Networks that ONNX Runtime's quantizer made: all their products are of integers, and
their results are as far from the float network's as ONNX Runtime's, which also rounds
where quantized groups end. The distance is relative to the largest float result; 1.05
times ONNX Runtime's is for elements near a tie, of which a network makes many more."""

import itertools
import re

import numpy as np
import pytest
import tessera

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxruntime.quantization")
import quantized_networks as networks  # noqa: E402

NETWORKS = {"convolutional": networks.convolutional, "encoder": networks.encoder}
FORMS = [*itertools.product(["QDQ"], ["U8", "S8"], [True, False]),
         ("dynamic", "U8", True), ("dynamic", "U8", False)]


def float_products(path, folder):
    """Products of floats in the graph state, but depthwise convolutions: these sum
    integers in f32, exactly."""
    graph = tessera.compile(path, folder / "graph.mlir", flags=["--emit=graph"]).read_text()
    return re.findall(r"linalg\.(?:matmul|contract).*|graph\.conv.* groups 1 .*xf32>.*", graph)


def distance(y, reference):
    return np.abs(y - reference).max() / np.abs(reference).max()


@pytest.mark.parametrize("form,activations,per_channel", FORMS,
                         ids=lambda v: v if isinstance(v, str) else "axis" if v else "tensor")
@pytest.mark.parametrize("name", NETWORKS)
def test_distance_to_float(tmp_path, name, form, activations, per_channel):
    shape = NETWORKS[name](tmp_path / "float.onnx")
    path = tmp_path / "quantized.onnx"
    networks.quantize(tmp_path / "float.onnx", path, shape, form, activations, per_channel)
    products = float_products(path, tmp_path)
    assert not products, products
    tessera.compile(path, tmp_path / "m.so", cpu="native")
    session = tessera.load(tmp_path / "m.so")
    ours, theirs = 0, 0
    for x in networks.samples(shape, 4, seed=9):
        run = lambda file: onnxruntime.InferenceSession(str(file)).run(None, {"x": x})[0]
        reference = run(tmp_path / "float.onnx")
        ours = max(ours, distance(session.run(None, {"x": x})[0], reference))
        theirs = max(theirs, distance(run(path), reference))
    assert ours <= 1.05 * theirs + 1e-4


@pytest.mark.parametrize("activations", ["U8", "S8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_taken_apart(tmp_path, name, activations):
    """Biases stay floats: their scales are not those of sums to anything that shows it."""
    shape = NETWORKS[name](tmp_path / "float.onnx")
    networks.quantize(tmp_path / "float.onnx", tmp_path / "whole.onnx", shape, "QDQ", activations)
    networks.taken_apart(tmp_path / "whole.onnx", tmp_path / "apart.onnx")
    products = float_products(tmp_path / "apart.onnx", tmp_path)
    assert not products, products
    run = lambda file, x: onnxruntime.InferenceSession(str(file)).run(None, {"x": x})[0]
    tessera.compile(tmp_path / "apart.onnx", tmp_path / "m.so", cpu="native")
    session = tessera.load(tmp_path / "m.so")
    for x in networks.samples(shape, 2, seed=9):
        reference = run(tmp_path / "float.onnx", x)
        ours = distance(session.run(None, {"x": x})[0], reference)
        assert ours <= 1.05 * distance(run(tmp_path / "apart.onnx", x), reference) + 1e-3
