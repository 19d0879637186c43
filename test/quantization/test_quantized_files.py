"""Files made by others' quantizers are as near to the float graph as ONNX Runtime makes
them.

All are imported, and the graph-state IR is evaluated by test/numerics/graph_state.py;
some are compiled too, which takes its time. table.py compiles all:

    python test/quantization/table.py [PART OF A NAME...]
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

import onnxruntime  # noqa: E402
import tessera  # noqa: E402
from judge import judge  # noqa: E402
from quantized_files import Unavailable, recipes, write_file  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "numerics"))

import graph_state  # noqa: E402

BUILD = Path(os.environ.get("TESSERA_BUILD_DIR", TESTS.parent / "build"))
# One of each family, of the graph that compiles fastest.
COMPILED = (
    "QDQ-u8u8-channel-symmetric-convolutional",
    "QOperator-s8s8-channel-symmetric-convolutional",
    "dynamic-u8-convolutional",
    "weights-4bit-32-packed-level0-operator-encoder",
    "gathered-4bit-zero-points-decoder",
)

onnxruntime.set_default_logger_severity(3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Path of each file, or why it cannot be made."""
    folder = tmp_path_factory.mktemp("quantized")
    made = {}
    for name in recipes():
        made[name] = folder / f"{name}.onnx"
        try:
            write_file(name, made[name])
        except Unavailable as reason:
            made[name] = str(reason)
    return made


@pytest.fixture(scope="module")
def imported(files):
    """Graph-state text of each file that could be made, and what the importer said."""
    paths = {str(path): name for name, path in files.items() if isinstance(path, Path)}
    run = subprocess.run([BUILD / "bin/onnx-import", "--generic", "--arith", *paths],
                         capture_output=True, text=True)
    parts = [part.partition("\n") for part in run.stdout.split("// ")[1:]]
    return {paths[path]: text for path, _, text in parts}, run.stderr


def path_of(files, name):
    if not isinstance(files[name], Path):
        pytest.skip(files[name])
    return files[name]


@pytest.mark.parametrize("name", recipes())
def test_imported_file_is_as_near_to_f32_as_in_onnx_runtime(files, imported, name):
    path = path_of(files, name)
    texts, errors = imported
    assert '"builtin.module"' in texts.get(name, ""), errors[:2000]
    module = graph_state.parse(texts[name])
    verdict = judge(name, path, lambda names, inputs: module.run(inputs))
    assert verdict.is_right(), verdict


@pytest.mark.parametrize("name", COMPILED)
def test_compiled_file_is_as_near_to_f32_as_in_onnx_runtime(files, tmp_path, name):
    path = path_of(files, name)
    session = tessera.load(tessera.compile(path, tmp_path / "file.so"), threads=1)
    verdict = judge(name, path, session.run)
    assert verdict.is_right(), verdict
