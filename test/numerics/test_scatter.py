"""Elements written by index at sizes that are not known or too large for the stack:
every reduction, indices that repeat and that are negative, and every axis."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

RNG = np.random.default_rng(3)
JOINS = {"none": None, "add": np.add, "mul": np.multiply, "min": np.minimum,
         "max": np.maximum}
SIZES = (37, 61, 29)  # of data: 262 KB


def check(tmp_path, node, inputs, sizes):
    value = helper.make_tensor_value_info
    ports = [value(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes[name])
             for name, array in inputs.items()]
    graph = helper.make_graph([node], "g", ports, [value("y", TensorProto.FLOAT, sizes["x"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, tmp_path / "model.onnx")
    given = {name: array.copy() for name, array in inputs.items()}
    [y] = tessera.load(tessera.compile(tmp_path / "model.onnx")).run(None, given)
    [expected] = ReferenceEvaluator(model).run(None, inputs)
    np.testing.assert_array_equal(y, expected)
    for name, array in inputs.items():  # what is written is a copy
        np.testing.assert_array_equal(given[name], array)


@pytest.mark.parametrize("sizes", [
    {"x": ["n", 6], "i": ["k", 1], "u": ["k", 1]},
    {"x": [4000, 6], "i": [3, 1], "u": [3, 1]},
], ids=["unknown", "large"])
@pytest.mark.parametrize("reduction", ["none", "add", "max"])
def test_elements(tmp_path, reduction, sizes):
    rows = 4000 if sizes["x"][0] == 4000 else 5
    inputs = {"x": RNG.integers(-9, 9, (rows, 6)).astype(np.float32),
              "i": np.array([[2], [0], [5]]),
              "u": np.array([[1], [-20], [30]], np.float32)}
    node = helper.make_node("ScatterElements", ["x", "i", "u"], ["y"], axis=1, reduction=reduction)
    check(tmp_path, node, inputs, sizes)


def test_slices(tmp_path):
    inputs = {"x": RNG.integers(-9, 9, (5, 3, 2)).astype(np.float32),
              "i": np.array([[4], [1]]),
              "u": RNG.integers(-9, 9, (2, 3, 2)).astype(np.float32)}
    node = helper.make_node("ScatterND", ["x", "i", "u"], ["y"])
    check(tmp_path, node, inputs, {"x": ["n", "m", 2], "i": ["k", 1], "u": ["k", "m", 2]})


def run(tmp_path, op, arrays, is_known, **attributes):
    """The outputs of a model of one node, its sizes as in `arrays` or unknown."""
    names = ["data", "indices", "updates"]
    sizes = [a.shape if is_known else [None] * a.ndim for a in arrays]
    types = [TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attributes)], "scatter",
        [helper.make_tensor_value_info(*v) for v in zip(names, types, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes[0])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.save(model, tmp_path / "model.onnx")
    tessera.compile(str(tmp_path / "model.onnx"), str(tmp_path / "model.so"))
    return tessera.load(str(tmp_path / "model.so")).run(None, dict(zip(names, arrays)))[0]


def expected(data, places, updates, reduction):
    """`updates` at `places`, one array for each dimension; the last one wins."""
    result = data.copy()
    if reduction == "none":
        for place in np.ndindex(*updates.shape):
            result[tuple(p[place] for p in places)] = updates[place]
    else:
        JOINS[reduction].at(result, places, updates)
    return result


def near_one(*shape):
    """Of which many can be multiplied."""
    return RNG.uniform(0.5, 1.5, shape).astype(np.float32)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("reduction", JOINS)
def test_all_elements(tmp_path, reduction, axis, is_known):
    data = near_one(*SIZES)
    shape = [20, 31, 23]
    shape[axis] = 90  # more than there are: some repeat
    indices = RNG.integers(-SIZES[axis], SIZES[axis], shape)
    updates = near_one(*shape)
    places = list(np.ogrid[tuple(slice(n) for n in shape)])
    places[axis] = indices % SIZES[axis]
    y = run(tmp_path, "ScatterElements", [data, indices, updates], is_known,
            axis=axis, reduction=reduction)
    places = tuple(np.broadcast_arrays(*places))
    np.testing.assert_allclose(y, expected(data, places, updates, reduction), rtol=1e-6)


@pytest.mark.parametrize("is_known", [True, False])
@pytest.mark.parametrize("components", [1, 2, 3])
@pytest.mark.parametrize("reduction", JOINS)
def test_all_slices(tmp_path, reduction, components, is_known):
    data = near_one(*SIZES)
    indices = np.stack([RNG.integers(-n, n, (7, 50)) for n in SIZES[:components]], -1)
    indices[1] = indices[0]  # repeats all of them
    updates = near_one(7, 50, *SIZES[components:])
    places = [indices[..., i].reshape(7, 50, *[1] * (3 - components)) % SIZES[i]
              for i in range(components)]
    places += list(np.ogrid[tuple(slice(n) for n in updates.shape)])[2:]
    y = run(tmp_path, "ScatterND", [data, indices, updates], is_known,
            reduction=reduction)
    places = tuple(np.broadcast_arrays(*places))
    np.testing.assert_allclose(y, expected(data, places, updates, reduction), rtol=1e-6)


def test_sizes_that_disagree_end_the_run(tmp_path):
    with pytest.raises(tessera.TesseraError, match="size of updates along dimension 1"):
        run(tmp_path, "ScatterND",
            [near_one(4, 8), np.array([[0], [3]]), near_one(2, 9)], is_known=False)


def test_ranks_say_the_number_of_components(tmp_path):
    with pytest.raises(tessera.TesseraError, match="expects size 1 in dimension 1 but got 2"):
        run(tmp_path, "ScatterND",
            [near_one(4, 8), np.array([[0, 1], [3, 1]]), near_one(2, 8)], is_known=False)
