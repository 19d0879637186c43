"""PyTorch's tensors in and out without copies."""

import gc
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
torch = pytest.importorskip("torch")

import tessera  # noqa: E402
from conftest import WEIGHTS, with_appended_weights  # noqa: E402
from models import helper, model_of, onnx  # noqa: E402
from tessera._library import find_in_builds  # noqa: E402


@pytest.fixture
def library(tmp_path):
    return with_appended_weights("fixture-add", tmp_path / "add.so")


def test_inputs_and_outputs_share_memory(library):
    session = tessera.load(library, entry="where")
    x = torch.arange(20, dtype=torch.float32).reshape(5, 4)
    [tensor] = session.run_tensors(None, {"x": x[1:]})
    addresses = torch.from_dlpack(tensor)
    assert addresses.dtype == torch.int64
    assert addresses[0].item() == x[1:].data_ptr()
    assert addresses[1].item() == addresses.data_ptr()
    [array] = session.run(None, {"x": x})
    assert torch.from_dlpack(array).data_ptr() == array.ctypes.data == array[1]


def test_outputs_in_tensors_of_the_caller(library):
    session = tessera.load(library, entry="where")
    target = torch.empty(2, dtype=torch.int64)
    [result] = session.run(None, {"x": torch.ones(3, 4)}, outputs={"addresses": target})
    assert result is target and target[1].item() == target.data_ptr()


def test_strides_and_lifetimes(library):
    session = tessera.load(library)
    x = torch.arange(80, dtype=torch.float32).reshape(4, 20).T[::2]
    alive = weakref.ref(x)
    [z] = session.run_tensors(None, {"x": x, "y": x})
    np.testing.assert_array_equal(torch.from_dlpack(z), 2 * x.numpy() + WEIGHTS)
    del x
    gc.collect()
    assert alive() is None


def test_a_tensor_with_gradient_is_refused(library):
    session = tessera.load(library)
    x = torch.ones(3, 4, requires_grad=True)
    with pytest.raises(tessera.TesseraError, match="'x' cannot be taken by DLPack.*gradient"):
        session.run(None, {"x": x, "y": x.detach()})


def test_bfloat16_both_ways(tmp_path):
    """NumPy has no such type and exports none."""
    if not find_in_builds("bin/tessera"):
        pytest.skip("the compiler is not built")
    kind = onnx.TensorProto.BFLOAT16
    port = lambda name: helper.make_tensor_value_info(name, kind, ["n", 4])
    model = model_of([helper.make_node("Add", ["x", "x"], ["y"])], [port("x")], [port("y")])
    onnx.save(model, tmp_path / "double.onnx")
    session = tessera.load(tessera.compile(tmp_path / "double.onnx"))
    x = torch.arange(12, dtype=torch.bfloat16).reshape(3, 4)
    [y] = session.run_tensors(None, {"x": x})
    assert y.dtype == "bfloat16" and torch.equal(torch.from_dlpack(y), 2 * x)
