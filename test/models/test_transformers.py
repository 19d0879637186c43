"""Transformers from both of PyTorch's exporters against ONNX Runtime.

One compile serves every batch, length and past. Error over the largest reference
magnitude at most 1e-4; every attention is one operation and nothing falls to the
generic route. MiniLM is the trained model, whole; the others have two layers of
their real class.
"""

import json

import numpy as np
import pytest
import tessera

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
pytest.importorskip("transformers")
from export import export  # noqa: E402

TOLERANCE = 1e-4

# name, exporter, layers, sizes of its runs
MODELS = {
    "minilm-torchscript": ("minilm", "torchscript", None),
    "minilm-dynamo": ("minilm", "dynamo", None),
    "bert-torchscript": ("bert-base", "torchscript", 2),
    "bert-dynamo": ("bert-base", "dynamo", 2),
    "gpt2-dynamo": ("gpt2", "dynamo", 2),
    "vit-torchscript": ("vit-b16", "torchscript", 2),
    "vit-dynamo": ("vit-b16", "dynamo", 2),
}
ENCODER_SIZES = [(1, 1), (1, 17), (3, 128), (8, 5), (1, 511)]
DECODER_SIZES = [(1, 7, 0), (1, 1, 5), (3, 17, 5), (1, 1, 512), (2, 128, 12)]


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    """The exported model, its compiled library, and the report of its kernels."""
    name, exporter, layers = MODELS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "model.onnx"
    export(name, path, exporter, layers)
    library = tessera.compile(path, report=folder / "report.json")
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    report = json.loads((folder / "report.json").read_text())
    return name, reference, library, report


def sizes_of(name):
    if name == "gpt2":
        return [
            {"batch": batch, "sequence": length, "past": past, "total": past + length}
            for batch, length, past in DECODER_SIZES
        ]
    if name.startswith("vit"):
        return [{"batch": 1}, {"batch": 3}]
    return [{"batch": batch, "sequence": length} for batch, length in ENCODER_SIZES]


def feeds(reference, sizes, random):
    """Token ids, a mask whose last row is padded, positions behind the past, and
    normal numbers for caches and pixels."""
    arrays = {}
    for port in reference.get_inputs():
        shape = [sizes[size] if isinstance(size, str) else size for size in port.shape]
        if port.type == "tensor(float)":
            arrays[port.name] = random.standard_normal(shape, np.float32)
        elif "mask" in port.name:
            arrays[port.name] = np.ones(shape, np.int64)
            arrays[port.name][-1, : shape[1] // 3] = 0
        elif "position" in port.name:
            positions = np.arange(shape[1]) + sizes["past"]
            arrays[port.name] = np.ascontiguousarray(np.broadcast_to(positions, shape))
        elif "type" in port.name:
            arrays[port.name] = random.integers(0, 2, shape)
        else:
            arrays[port.name] = random.integers(0, 1000, shape)
    return arrays


def test_agrees_at_every_size_from_one_compile(model):
    name, reference, library, _ = model
    session = tessera.load(library, threads=2)
    random = np.random.default_rng(0)
    for sizes in sizes_of(name):
        inputs = feeds(reference, sizes, random)
        for port, ours, theirs in zip(
            reference.get_outputs(), session.run(None, inputs), reference.run(None, inputs)
        ):
            error = np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)
            assert error <= TOLERANCE, f"{port.name} at {sizes}: {error}"


def test_same_bits_at_one_and_two_threads(model):
    name, reference, library, _ = model
    sizes = sizes_of(name)[-1]
    inputs = feeds(reference, sizes, np.random.default_rng(1))
    one = tessera.load(library, threads=1).run(None, inputs)
    two = tessera.load(library, threads=2).run(None, inputs)
    for ours, theirs in zip(one, two):
        assert np.array_equal(ours, theirs)


def test_nothing_is_generic(model):
    *_, report = model
    generic = [kernel["name"] for kernel in report["kernels"] if kernel["route"] == "generic"]
    assert not generic
