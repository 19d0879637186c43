"""Sums of many elements against NumPy in double precision.

The error is that of a block's sum in f32, whatever the number of elements: 3e-7 of the
sum of the magnitudes leaves room for 64 roundings one after the other and for that of
the result. One accumulator alone has 5e-6 and more here. Blocks of contractions are
longer, and their sums are added in f32.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

TOLERANCE = 3e-7
CONTRACTED = 8e-7
ROUNDED_ONCE = 7e-8

PLACES = [
    ((60000,), (0,)),
    ((7, 20000), (1,)), ((20000, 7), (0,)), ((40000, 1), (0,)), ((20000, 64), (0,)),
    ((3, 150, 140, 5), (1, 2)), ((3, 9000, 3, 5), (1, 2)), ((2, 3, 9000, 5), (1, 2)),
    ((3, 5, 150, 140), (2, 3)), ((150, 3, 140), (0, 2)), ((130, 40, 9), (0, 1, 2)),
]  # fmt: skip


def compiled(path, nodes, feeds, is_open, constants=None, level=3):
    inputs = [helper.make_tensor_value_info(
                  name, helper.np_dtype_to_tensor_dtype(x.dtype),
                  [f"{name}{i}" for i in range(x.ndim)] if is_open else x.shape)
              for name, x in feeds.items()]  # fmt: skip
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(x, name) for name, x in (constants or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return tessera.compile(path, opt_level=level)


def run(library, feeds):
    runs = [tessera.load(library, threads=threads).run(None, feeds)[0] for threads in (1, 2)]
    np.testing.assert_array_equal(*runs)
    return runs[0]


def elements(shape, signed=False):
    x = np.random.default_rng(sum(shape)).random(shape, np.float32)
    return x - np.float32(0.5) if signed else x


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("is_open", [False, True], ids=["static", "open"])
@pytest.mark.parametrize("shape, axes", PLACES, ids=str)
def test_places(tmp_path, shape, axes, is_open, level):
    x = elements(shape)
    nodes = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    library = compiled(tmp_path / "m.onnx", nodes, {"x": x}, is_open, {"axes": np.array(axes)}, level)
    for values in (x, elements(shape, signed=True)):
        y = run(library, {"x": values})
        wide = values.astype(float)
        error = np.abs(y - wide.sum(axes)) / np.abs(wide).sum(axes)
        assert error.max() <= (TOLERANCE if level else ROUNDED_ONCE)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("is_open", [False, True], ids=["static", "open"])
def test_mean_of_a_convolution(tmp_path, is_open, level):
    x = elements((1, 3, 200, 180))
    w = elements((16, 3, 1, 1))
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("ReduceMean", ["r", "axes"], ["y"])]  # fmt: skip
    library = compiled(tmp_path / "m.onnx", nodes, {"x": x}, is_open,
                       {"w": w, "axes": np.array([2, 3])}, level)  # fmt: skip
    expected = np.einsum("bchw,oc->bohw", x.astype(float), w[:, :, 0, 0].astype(float)).mean((2, 3))
    y = run(library, {"x": x})[..., 0, 0]
    assert np.abs(y / expected - 1).max() <= TOLERANCE


@pytest.mark.parametrize("level", [0, 3])
def test_global_pool(tmp_path, level):
    x = elements((1, 9, 160, 170))
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["y"])]
    y = run(compiled(tmp_path / "m.onnx", nodes, {"x": x}, False, level=level), {"x": x})
    assert np.abs(y / x.astype(float).mean((2, 3), keepdims=True) - 1).max() <= TOLERANCE


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_cumulative_sums(tmp_path, axis, level):
    x = elements((9, 20000) if axis else (20000, 9))
    nodes = [helper.make_node("CumSum", ["x", "axis"], ["y"])]
    y = run(compiled(tmp_path / "m.onnx", nodes, {"x": x}, True, {"axis": np.array(axis)}, level), {"x": x})
    assert np.abs(y / np.cumsum(x.astype(float), axis) - 1).max() <= TOLERANCE


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("operands", [("ij", "jk"), ("ij", "j"), ("bij", "bjk")], ids="".join)
def test_depth_of_contractions(tmp_path, operands, level):
    sizes = dict(b=2, i=7, j=30000, k=40)
    feeds = {name: elements([sizes[letter] for letter in letters]) for name, letters in zip("xw", operands)}
    equation = ",".join(operands) + "->" + "".join(sorted(set("".join(operands)) - {"j"}))
    nodes = [helper.make_node("Einsum", ["x", "w"], ["y"], equation=equation)]
    y = run(compiled(tmp_path / "m.onnx", nodes, feeds, False, level=level), feeds)
    expected = np.einsum(equation, *(x.astype(float) for x in feeds.values()))
    assert np.abs(y / expected - 1).max() <= (CONTRACTED if level else TOLERANCE)


@pytest.mark.parametrize("level", [0, 3])
def test_infinite_and_missing_numbers_stay(tmp_path, level):
    x = elements((30000, 3))
    x[17, 0], x[20000, 1] = np.inf, np.nan
    nodes = [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)]
    y = run(compiled(tmp_path / "m.onnx", nodes, {"x": x}, True, {"axes": np.array([0])}, level), {"x": x})
    assert y[0] == np.inf and np.isnan(y[1]) and np.isfinite(y[2])
