"""Loading a library anew after its file was replaced, in one process."""

import gc
import os
import shutil

import numpy as np
import pytest
import tessera
from models import helper, model_of, onnx, value
from tessera._library import find_in_builds

X = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def compile_scale(tmp_path):
    """Compiles y = scale * x to model.so; more than a KiB of scale are weights,
    which lie behind the code."""
    if not find_in_builds("bin/tessera"):
        pytest.skip("the compiler is not built")

    def compile_scaled(factor):
        scale = onnx.numpy_helper.from_array(np.full((512, 1, 1), factor, np.float32), "scale")
        model = model_of(
            [helper.make_node("Mul", ["x", "scale"], ["y"])],
            [value("x", np.float32, ["n", 4])],
            [value("y", np.float32, [512, "n", 4])],
            [scale],
        )
        onnx.save(model, tmp_path / "model.onnx")
        return tessera.compile(tmp_path / "model.onnx")

    return compile_scaled


def scaled(session):
    [y] = session.run(None, {"x": X})
    assert (y == y[:1]).all()
    return y[0, 0, 1]


def test_recompiling_gives_the_new_library(compile_scale):
    sessions = [(factor, tessera.load(compile_scale(factor))) for factor in (2, 3, 5)]
    for factor, session in sessions:  # the older ones are still what they were
        assert scaled(session) == factor
    del sessions, session
    gc.collect()
    for factor in (7, 11):  # with the descriptors of the first ones
        session = tessera.load(compile_scale(factor))
        assert scaled(session) == factor
        os.remove(compile_scale(factor))
        assert scaled(session) == factor


def test_one_file_loaded_twice(compile_scale, tmp_path):
    """The loader knows the file by its inode, and under the first one's name."""
    path = compile_scale(2)
    first, second = tessera.load(path), tessera.load(path)
    del second
    gc.collect()
    shutil.copy(path, tmp_path / "two.so")
    other = tessera.load(compile_scale(3))
    assert (scaled(first), scaled(other)) == (2, 3)
    assert scaled(tessera.load(tmp_path / "two.so")) == 2


def test_loading_leaves_no_descriptor(compile_scale):
    path = compile_scale(2)
    before = os.listdir("/proc/self/fd")
    session = tessera.load(path, threads=1)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert scaled(session) == 2
