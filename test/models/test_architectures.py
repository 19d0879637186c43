"""Architectures that differ most from each other, small: they agree with ONNX Runtime
at every size, no kernel is generic, every attention is one operation.

Each stands for what it has that others lack; zoo.py runs many more.
"""

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
pytest.importorskip("transformers")
from zoo import check  # noqa: E402

MODELS = [
    # relative positions by GatherElements
    ("deberta-v2", "torchscript"),
    # a boolean table as the causal mask, a cache
    ("gpt-neo", "torchscript"),
    # rotary positions, grouped heads, a window, a soft cap
    ("gemma2", "torchscript"),
    # a cache of its own and the encoder's, a bias by relative positions
    ("t5-step", "torchscript"),
    # windows of an image, a scale for each head
    ("swinv2", "torchscript"),
    # cubic resizing to any height and width
    ("dinov2-free", "torchscript"),
    # the length is a quotient of quotients
    ("wav2vec2", "dynamo"),
    # weights that are standardized when the model runs
    ("bit", "torchscript"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, exporter", MODELS)
def test_architecture(name, exporter, tmp_path):
    result = check(name, exporter, tmp_path)
    assert result.state == "ok", result
