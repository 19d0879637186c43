"""Transformers from both of PyTorch's exporters against ONNX Runtime.

One compile serves every batch, length and past. Error over the largest reference
magnitude at most 1e-4; every attention is one operation and nothing falls to the
generic route. MiniLM is the trained model, whole; the others have two layers of
their real class. With TESSERA_LARGE_TESTS=1, every combination of the sizes, also
each compiled on its own with fixed sizes (half an hour).
"""

import itertools
import json
import os
import re

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
WIDTHS = {"minilm": 384, "bert-base": 768, "gpt2": 768, "vit-b16": 768}
ENCODER_SIZES = [(1, 1), (1, 17), (3, 128), (8, 5), (1, 511)]
DECODER_SIZES = [(1, 7, 0), (1, 1, 5), (3, 17, 5), (1, 1, 512), (2, 128, 12)]
if os.environ.get("TESSERA_LARGE_TESTS"):
    ENCODER_SIZES += itertools.product((1, 3, 8), (1, 17, 128, 511))
    DECODER_SIZES += itertools.product((1, 3, 8), (1, 17, 128, 511), (0, 5, 512))
    FIXED_SIZES = slice(None)
else:
    FIXED_SIZES = slice(2, 3)


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    """The exported model, its compiled library, and the report of its kernels."""
    name, exporter, layers = MODELS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    path = folder / "model.onnx"
    export(name, path, exporter, layers)
    library = tessera.compile(path, report=folder / "report.json")
    reference = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    tessera.compile(path, folder / "buffer.mlir", emit="buffer")
    report = json.loads((folder / "report.json").read_text())
    report["buffer"] = (folder / "buffer.mlir").read_text()
    return name, reference, library, report


def sizes_of(name):
    if name == "gpt2":
        return [
            {"batch": batch, "sequence": length, "past": past, "total": past + length}
            for batch, length, past in DECODER_SIZES
        ]
    if name.startswith("vit"):
        return [{"batch": 1}, {"batch": 8}, {"batch": 3}]
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


def assert_agrees(session, reference, sizes, random):
    inputs = feeds(reference, sizes, random)
    for port, ours, theirs in zip(
        reference.get_outputs(), session.run(None, inputs), reference.run(None, inputs)
    ):
        error = np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)
        assert error <= TOLERANCE, f"{port.name} at {sizes}: {error}"


def test_agrees_at_every_size_from_one_compile(model):
    name, reference, library, _ = model
    session = tessera.load(library, threads=2)
    random = np.random.default_rng(0)
    for sizes in sizes_of(name):
        assert_agrees(session, reference, sizes, random)


def test_agrees_compiled_with_fixed_sizes(model, tmp_path):
    name, reference, library, _ = model
    path = library.with_name("model.onnx")
    random = np.random.default_rng(4)
    for sizes in sizes_of(name)[FIXED_SIZES]:
        report = tmp_path / "report.json"
        fixed = tessera.compile(path, tmp_path / "fixed.so", shape=sizes, report=report)
        session = tessera.load(fixed, threads=2)
        assert session.get_symbols() == {}
        assert_agrees(session, reference, sizes, random)
        routes = {kernel["route"] for kernel in json.loads(report.read_text())["kernels"]}
        assert "generic" not in routes, sizes


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


def test_query_key_and_value_are_one_product(model):
    name, *_, report = model
    columns = f"x{3 * WIDTHS[name]}xf32"
    products = [kernel for kernel in report["kernels"] if "contraction" in kernel["schedule"]]
    assert any(kernel["arguments"][-1].endswith(columns) for kernel in products)
    [attention] = [kernel for kernel in report["kernels"] if "attention" in kernel["schedule"]]
    assert any(argument.endswith(columns) for argument in attention["arguments"])


def bytes_of_values(report):
    """What each value of the arena takes, as an expression of the symbols s0, s1 ..."""
    return re.findall(r"#kernel.value<\(\)\[[^\]]*\] -> \((.*?)\), \d+, \d+", report["buffer"])


def test_no_value_has_queries_times_keys(model):
    """No value of the arena grows faster than the length: as a polynomial of the
    symbols, its bytes have no square and no product of two lengths."""
    *_, report = model
    names = re.findall(r'#kernel.named_size<"([^"]*)"', report["buffer"])
    lengths = [i for i, name in enumerate(names) if name != "batch"]
    values = bytes_of_values(report)
    assert values
    for text in values:
        text = text.replace("floordiv", "//").replace("ceildiv", "//")
        at = lambda size: eval(  # noqa: S307: sums and products of s0, s1 ...
            text, {f"s{i}": size if i in lengths else 1 for i in range(len(names))}
        )
        # A square would grow 4 times from one doubling to the next.
        large, larger = at(1 << 20), at(1 << 21)
        assert larger <= 2.5 * large or larger == large, f"a value of {text} bytes over {names}"


def test_no_value_has_the_size_of_scores(model):
    """Of a model with a fixed number of patches: 12 heads, 197 x 197 scores each."""
    name, *_, report = model
    if not name.startswith("vit"):
        pytest.skip("has dynamic lengths: the test above")
    values = bytes_of_values(report)
    assert values
    for text in values:
        text = text.replace("floordiv", "//").replace("ceildiv", "//")
        for scores in (12 * 197 * 197 * 4, 12 * 197 * 208 * 4):
            assert eval(text, {"s0": 1}) // 64 != scores // 64, text  # noqa: S307


def test_the_arena_is_near_what_is_alive(model):
    name, _, library, _ = model
    session = tessera.load(library, threads=2)
    for sizes in sizes_of(name):
        arena, alive = session.storage(**sizes)
        assert arena <= 1.5 * alive, f"{sizes}: {arena} bytes, {alive} alive"


def test_gpt2_decodes_in_place(model):
    """64 tokens after a prompt of 5, batch 3, against ONNX Runtime at each step."""
    name, reference, library, _ = model
    if name != "gpt2":
        pytest.skip("has no past")
    session = tessera.load(library, threads=2)
    batch, prompt, steps = 3, 5, 64
    caches = session.make_caches(prompt + steps, batch=batch)
    outputs = {port.name: port.extends for port in session.get_outputs()}
    assert sum(extends is not None for extends in outputs.values()) == 4
    arrays = {
        port.name: np.zeros((batch, port.shape[1], 0, port.shape[3]), np.float32)
        for port in reference.get_inputs()
        if port.type == "tensor(float)"
    }
    random = np.random.default_rng(2)
    for step in range(steps + 1):
        new, past = (prompt if step == 0 else 1), caches.length
        feeds = {
            "input_ids": random.integers(0, 1000, (batch, new)),
            "attention_mask": np.ones((batch, past + new), np.int64),
            "position_ids": np.broadcast_to(np.arange(past, past + new), (batch, new)).copy(),
        }
        [logits] = session.run(["logits"], feeds, caches=caches)
        names = [port.name for port in reference.get_outputs()]
        theirs = dict(zip(names, reference.run(names, {**feeds, **arrays})))
        error = np.abs(logits - theirs["logits"]).max() / np.abs(theirs["logits"]).max()
        assert error <= TOLERANCE, f"step {step}: {error}"
        for output, extends in outputs.items():
            if extends:
                arrays[extends[0]] = theirs[output]
                assert np.allclose(caches.past()[extends[0]], theirs[output], atol=1e-4)
    assert caches.length == prompt + steps
