"""Sweeps image models: of each module of `timm`, the one with the fewest parameters is
exported, compiled and compared with ONNX Runtime, in accuracy and in time.

    timm_families.py [NAME ...] [--most 70] [--folder DIR]

NAMEs are modules of timm or patterns (`swin*`). Weights are random, and those that
begin as zeros are drawn too, so that no branch is empty; images have the model's size,
the batch is dynamic. Files that were exported before are used again. Writes a table to
DIR/table.md: seconds of processor time of the compilation, the largest difference over
the largest magnitude of the reference, and the least time of five runs of batch 1 on
one thread, ours over ONNX Runtime's. Needs the packages timm and torchvision beside
those of tools/requirements-models.txt.
"""

import argparse
import fnmatch
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import tessera
import timm
import torch

TOLERANCE = 1e-4
RUNS = 5


def smallest(module):
    """(name, million parameters) of a module's model with the fewest; None where it has
    none that can be built without storage."""
    sizes = []
    for name in timm.list_models(module=module):
        try:
            with torch.device("meta"):
                model = timm.create_model(name)
        except Exception:  # noqa: BLE001: whatever a model's constructor raises
            continue
        sizes.append((sum(p.numel() for p in model.parameters()) / 1e6, name))
    return min(sizes)[::-1] if sizes else None


def build(name):
    """The model with weights that make every part count, and an example."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() and parameter.abs().max() <= 1e-3:
                parameter.copy_(torch.randn_like(parameter) * 0.05)
        for key, buffer in model.named_buffers():
            if key.endswith("running_mean"):
                buffer.copy_(torch.randn_like(buffer) * 0.1)
            elif key.endswith("running_var"):
                buffer.copy_(torch.rand_like(buffer) * 0.5 + 0.75)
    return model, torch.randn(1, *model.default_cfg["input_size"])


def export(name, path):
    model, image = build(name)
    options = {"dynamo": False, "opset_version": 17, "input_names": ["x"]}
    torch.onnx.export(model, (image,), path, dynamic_axes={"x": {0: "batch"}}, **options)


def processor_seconds():
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def least_seconds(run):
    times = []
    for _ in range(RUNS):
        start = time.thread_time()
        run()
        times.append(time.thread_time() - start)
    return min(times)


def check(name, path):
    """The cells of a table's row behind the name."""
    if not path.exists():
        try:
            export(name, path)
        except Exception as error:  # noqa: BLE001: whatever PyTorch raises
            path.unlink(missing_ok=True)
            return ["not exported", str(error).splitlines()[0][:100]]
    before = processor_seconds()
    try:
        library = tessera.compile(path, path.with_suffix(".so"))
    except tessera.TesseraError as error:
        return ["not compiled", str(error).splitlines()[0][:160]]
    seconds = processor_seconds() - before
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    reference = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    session = tessera.load(library, threads=1)
    shape = reference.get_inputs()[0].shape
    worst = 0.0
    for batch in (2, 1):
        inputs = {"x": np.random.default_rng(batch).standard_normal([batch, *shape[1:]], np.float32)}
        for ours, theirs in zip(session.run(None, inputs), reference.run(None, inputs)):
            worst = max(worst, np.abs(ours - theirs).max() / np.abs(theirs).max())
    ratio = least_seconds(lambda: session.run(None, inputs)) / least_seconds(lambda: reference.run(None, inputs))
    library.unlink()
    return [f"{seconds:.1f}", f"{worst:.0e}{'' if worst <= TOLERANCE else ' WRONG'}", f"{ratio:.2f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=["*"])
    parser.add_argument("--most", type=float, default=70, help="million parameters of a model")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/timm"))
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    table = (options.folder / "table.md").open("w", buffering=1)
    print("| model | compile s | error | time |\n|---|---|---|---|", file=table)
    for module in timm.list_modules():
        if not any(fnmatch.fnmatch(module, pattern) for pattern in options.modules):
            continue
        found = smallest(module)
        if found and found[1] <= options.most:
            name = found[0]
            print("|", " | ".join([name, *check(name, options.folder / f"{name}.onnx")]), "|", file=table)


if __name__ == "__main__":
    sys.exit(main())
