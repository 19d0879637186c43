"""Code that several threads make: the same library as by one."""

import numpy as np
import onnx
import pytest
import tessera
from models import model_of, value
from onnx import helper, numpy_helper

CHANNELS = [3, 8, 16, 24]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Convolutions of several widths, each before a Sin: at -O0 kernels
    that may be called as a function of the C library is."""
    path = tmp_path_factory.mktemp("jobs") / "model.onnx"
    random = np.random.default_rng(0)
    nodes, weights, last = [], [], "x"
    for number, (before, after) in enumerate(zip(CHANNELS, CHANNELS[1:])):
        filters = random.standard_normal((after, before, 3, 3)).astype(np.float32) / 20
        weights.append(numpy_helper.from_array(filters, f"w{number}"))
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [f"c{number}"], pads=[1] * 4))
        nodes.append(helper.make_node("Sin", [f"c{number}"], [f"e{number}"]))
        last = f"e{number}"
    nodes.append(helper.make_node("Softmax", [last], ["y"], axis=1))
    onnx.save(model_of(nodes, [value("x", np.float32, [1, 3, "h", "w"])],
                       [value("y", np.float32, [1, CHANNELS[-1], "h", "w"])], weights), path)
    return path


@pytest.mark.parametrize("flags", [["-O0"], ["-O3"], ["--cpu=x86-64-v3,x86-64-v4"]])
def test_the_bytes_do_not_depend_on_threads(model, tmp_path, flags):
    libraries = [tessera.compile(model, tmp_path / f"{jobs}.so", jobs=jobs, flags=flags)
                 for jobs in (1, 3, 0)]
    first = libraries[0].read_bytes()
    assert all(library.read_bytes() == first for library in libraries)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".so"]


def test_levels_agree(model, tmp_path):
    x = np.random.default_rng(1).standard_normal((1, 3, 9, 7)).astype(np.float32)
    plain, fast = (tessera.load(tessera.compile(model, tmp_path / f"{level}.so", opt_level=level))
                   .run(None, {"x": x})[0] for level in (0, 3))
    np.testing.assert_allclose(fast, plain, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jobs", ["-1", "many", "1025"])
def test_wrong_numbers_are_refused(model, jobs):
    with pytest.raises(tessera.CompileError, match="--jobs"):
        tessera.compile(model, jobs=jobs)
