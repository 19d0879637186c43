"""The example pass is built outside of the tree and runs in both tools."""

from pathlib import Path

import numpy as np
import pytest
from models import model_of, onnx, value
from processes import run

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/pass-plugin"

TWICE = """
func.func @twice(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %a = graph.reverse %x [0] : tensor<?x4xf32>
  %b = graph.reverse %a [0] : tensor<?x4xf32>
  return %b : tensor<?x4xf32>
}
func.func @different(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %a = graph.reverse %x [0] : tensor<?x4xf32>
  %b = graph.reverse %a [1] : tensor<?x4xf32>
  return %b : tensor<?x4xf32>
}
"""


@pytest.fixture(scope="module")
def plugin(prefix, settings, tmp_path_factory):
    out = tmp_path_factory.mktemp("plugin")
    compiler = settings.get("CMAKE_CXX_COMPILER")
    run("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", out, f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_COMPILER={compiler}", f"-DMLIR_DIR={settings['MLIR_DIR']}",
        "-DCMAKE_CXX_VISIBILITY_PRESET=hidden")
    run("cmake", "--build", out)
    return out / "CancelReverses.so"


@pytest.fixture
def there_and_back(tmp_path):
    """y = tanh(x reversed twice): the importer makes graph.reverse of these slices."""
    steps = {"start": [-1], "end": [np.iinfo(np.int64).min], "axis": [0], "step": [-1]}
    slices = [
        onnx.helper.make_node("Slice", [source, *steps], [result])
        for source, result in [("x", "back"), ("back", "again")]
    ]
    model = model_of(
        [*slices, onnx.helper.make_node("Tanh", ["again"], ["y"])],
        [value("x", np.float32, ["n", 4])],
        [value("y", np.float32, ["n", 4])],
        [onnx.numpy_helper.from_array(np.array(v), k) for k, v in steps.items()],
    )
    onnx.save(model, tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_the_installed_driver_runs_it(prefix, plugin, tmp_path):
    (tmp_path / "in.mlir").write_text(TWICE)
    text = run(prefix / "bin/tessera-opt", f"--load-pass-plugin={plugin}",
               "--pass-pipeline=builtin.module(func.func(cancel-reverses))", tmp_path / "in.mlir")
    twice, different = text.split("@different")
    assert "graph.reverse" not in twice
    assert different.count("graph.reverse") == 2


def test_it_runs_inside_a_compilation(tool, plugin, there_and_back):
    folder = there_and_back.parent
    arguments = ["compile", there_and_back, "--emit", "graph", "-o", "-", "-O0"]
    assert tool(*arguments).count("graph.reverse") == 2
    text = tool(*arguments, "--load-pass-plugin", plugin,
                "--run-passes", "import=func.func(cancel-reverses)")
    assert "math.tanh" in text and "graph.reverse" not in text

    tool("compile", there_and_back, "-o", folder / "m.so", "--load-pass-plugin", plugin,
         "--run-passes", "graph=func.func(cancel-reverses),cse",
         "--run-passes", "kernel=canonicalize", "--run-passes", "buffer=cse")
    x = np.random.default_rng(0).standard_normal((3, 4), np.float32)
    np.savez(folder / "in.npz", x=x)
    np.savez(folder / "reference.npz", y=np.tanh(x))
    tool("run", folder / "m.so", "--input", folder / "in.npz", "--compare",
         folder / "reference.npz")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--run-passes", "graph=cancel-nothing"], "cancel-nothing"),
        (["--run-passes", "graph"], "expects STATE=PIPELINE"),
        (["--run-passes", "loops=cse"], "import, graph, kernel, buffer, but got 'loops'"),
        (["--load-pass-plugin", "missing.so"], "missing.so"),
    ],
)
def test_what_is_wrong_is_said(tool, there_and_back, arguments, message):
    assert message in tool("compile", there_and_back, *arguments, code=2)
    assert [path.name for path in there_and_back.parent.iterdir()] == ["m.onnx"]
