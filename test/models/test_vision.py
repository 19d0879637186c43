"""Image classifiers from PyTorch against ONNX Runtime, small ones of real classes.

Error over the largest reference magnitude at most 1e-4, at batch 1 and 3 from one
compile; every convolution by the builder; one transpose, of the model's input:
channels-last inside whatever stands between the convolutions.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import tessera

onnxruntime = pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")

IMAGE = 64
TOLERANCE = 1e-4


class SqueezeExcite(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.down = torch.nn.Conv2d(channels, channels // 4, 1)
        self.up = torch.nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        scale = torch.relu(self.down(self.pool(x)))
        return x * torch.nn.functional.hardsigmoid(self.up(scale))


def block(inputs, outputs, kernel, activation, **options):
    options.setdefault("padding", kernel // 2)
    return torch.nn.Sequential(
        torch.nn.Conv2d(inputs, outputs, kernel, bias=False, **options),
        torch.nn.BatchNorm2d(outputs),
        activation(),
    )


class Mixture(torch.nn.Module):
    """What classic networks put between convolutions: padding of its own, grouped,
    depthwise and dilated filters, concatenation, squeeze and excite, residuals."""

    def __init__(self):
        super().__init__()
        swish, silu, relu = torch.nn.Hardswish, torch.nn.SiLU, torch.nn.ReLU
        self.pad = torch.nn.ConstantPad2d((0, 1, 0, 1), 0.0)
        self.stem = block(3, 16, 3, swish, stride=2, padding=0)
        self.expand = block(16, 48, 1, silu)
        self.depthwise = block(48, 48, 5, swish, stride=2, groups=48)
        self.excite = SqueezeExcite(48)
        self.project = block(48, 24, 1, torch.nn.Identity)
        self.grouped = block(24, 24, 3, relu, groups=3)
        self.dilated = block(24, 20, 3, relu, padding=2, dilation=2)
        self.pool = torch.nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        self.last = block(44, 40, 3, torch.nn.ReLU6)
        self.classify = torch.nn.Sequential(
            torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(40, 10)
        )

    def forward(self, x):
        x = self.expand(self.stem(self.pad(x)))
        x = self.project(self.excite(self.depthwise(x)))
        x = x + self.grouped(x)
        x = torch.cat([x, torch.sigmoid(self.dilated(x))], dim=1)
        return self.classify(self.last(self.pool(x)))


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).logits


def resnet():
    import transformers

    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[32, 48, 64, 96], depths=[1, 2, 1, 1], num_labels=10
    )
    return Logits(transformers.ResNetForImageClassification(config))


def mobilenet():
    import transformers

    config = transformers.MobileNetV2Config(
        depth_multiplier=0.35, image_size=IMAGE, num_labels=10
    )
    return Logits(transformers.MobileNetV2ForImageClassification(config))


def vision_transformer():
    import transformers

    config = transformers.ViTConfig(
        hidden_size=48, num_hidden_layers=1, num_attention_heads=3, intermediate_size=96,
        image_size=IMAGE, patch_size=16, num_labels=10,
    )
    return Logits(transformers.ViTForImageClassification(config))


def randomize(model):
    """Statistics and affine parameters of normalizations as after training."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.2)
            module.bias.data.uniform_(-0.2, 0.2)
    return model.eval()


def export(model, path, exporter):
    """Writes an ONNX model with a dynamic batch. "separate": batch normalization as
    nodes of its own, which both exporters would fold."""
    example = (torch.randn(2, 3, IMAGE, IMAGE),)
    if exporter == "dynamo":
        torch.onnx.export(
            model, example, path, dynamo=True, external_data=False, verbose=False,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
        )
        return
    options = {}
    if exporter == "separate":
        options = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(
        model, example, path, dynamo=False, opset_version=17, input_names=["x"],
        dynamic_axes={"x": {0: "batch"}}, **options,
    )


def transposes(path, folder):
    graph = tessera.compile(path, folder / "graph.mlir", flags=["--emit", "graph"])
    return Path(graph).read_text().count("= linalg.transpose ")


@pytest.mark.parametrize("exporter", ["dynamo", "torchscript", "separate"])
@pytest.mark.parametrize("build", [Mixture, resnet, mobilenet])
def test_classifier(build, exporter, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "model.onnx"
    export(randomize(build()), path, exporter)
    report = tmp_path / "report.json"
    library = tessera.compile(path, tmp_path / "model.so", flags=["--report", str(report)])

    kernels = json.loads(report.read_text())["kernels"]
    convolutions = [k for k in kernels if k["name"].startswith("conv")]
    assert convolutions
    assert all(k["route"] == "builder" for k in convolutions), convolutions
    assert transposes(path, tmp_path) == 1
    agree(path, library)


def test_patches(tmp_path):
    """A convolution of patches, whose window is its stride."""
    torch.manual_seed(0)
    path = tmp_path / "model.onnx"
    export(vision_transformer().eval(), path, "dynamo")
    agree(path, tessera.compile(path, tmp_path / "model.so"))


def agree(path, library):
    ours = tessera.load(library, threads=2)
    theirs = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        images = np.random.default_rng(batch).standard_normal((batch, 3, IMAGE, IMAGE))
        feeds = {theirs.get_inputs()[0].name: images.astype(np.float32)}
        expected = theirs.run(None, feeds)[0]
        error = np.abs(ours.run(None, feeds)[0] - expected).max()
        assert error <= TOLERANCE * np.abs(expected).max()
