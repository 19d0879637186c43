"""What operators that move data do at the borders of their inputs, at both levels of
effort: indices and pads beyond them, and axes without elements."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper

LEVELS = pytest.mark.parametrize("level", [0, 3])


def run(path, level, nodes, feeds, shapes, constants=None, opset=19):
    """The output of the last one of `nodes`; inputs have the sizes `shapes`, some open."""
    nodes = nodes if isinstance(nodes, list) else [nodes]
    types = {k: helper.np_dtype_to_tensor_dtype(v.dtype) for k, v in feeds.items()}
    graph = helper.make_graph(
        nodes, "borders",
        [helper.make_tensor_value_info(k, types[k], shapes[k]) for k in feeds],
        [onnx.ValueInfoProto(name=nodes[-1].output[0])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in (constants or {}).items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                ir_version=9), path / "model.onnx")
    session = tessera.load(tessera.compile(path / "model.onnx", opt_level=level))
    return session.run(None, feeds)[0]


@LEVELS
def test_each_component_is_clamped(tmp_path, level):
    x = np.arange(15, dtype=np.float32).reshape(5, 3)
    i = np.array([[5, 1], [0, 7], [-9, 2], [1, -8]])
    y = run(tmp_path, level, helper.make_node("GatherND", ["x", "i"], ["y"]), {"x": x, "i": i},
            {"x": ["a", "b"], "i": ["n", 2]})
    np.testing.assert_array_equal(y, x[[4, 0, 0, 1], [1, 2, 2, 0]])


@LEVELS
def test_points_in_batches(tmp_path, level):
    x = np.arange(48, dtype=np.float32).reshape(2, 3, 4, 2)
    i = np.array([[[0], [-1], [1]], [[2], [9], [-9]]])
    y = run(tmp_path, level, helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=1),
            {"x": x, "i": i}, {"x": ["a", "b", "c", 2], "i": ["a", "n", 1]})
    np.testing.assert_array_equal(y, np.stack([x[0, [0, 2, 1]], x[1, [2, 2, 0]]]))


@LEVELS
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [1, 3, 9])
def test_wrapping_goes_round(tmp_path, level, axis, size):
    x = np.arange(5 * size, dtype=np.float32).reshape((size, 5) if axis == 0 else (5, size))
    pads = [(7, 8) if d == axis else (0, 0) for d in range(2)]
    shape = [5, 5]
    shape[axis] = "n"
    y = run(tmp_path, level, helper.make_node("Pad", ["x", "p"], ["y"], mode="wrap"), {"x": x},
            {"x": shape}, {"p": np.array(pads).T.flatten()})
    np.testing.assert_array_equal(y, np.pad(x, pads, mode="wrap"))


@LEVELS
@pytest.mark.parametrize("low, high", [(-4, 2), (3, -4), (-2, -3), (1, 2), (0, -9)])
def test_computed_pads_cut_off(tmp_path, level, low, high):
    x, ten = np.arange(27, dtype=np.float32).reshape(9, 3), np.full(4, 10)
    nodes = [helper.make_node("Shape", ["s"], ["sizes"]),
             helper.make_node("Sub", ["sizes", "ten"], ["p"]),
             helper.make_node("Pad", ["x", "p"], ["y"])]
    s = np.zeros(np.array([low, 0, high, 1]) + ten, np.uint8)
    y = run(tmp_path, level, nodes, {"x": x, "s": s}, {"x": ["n", 3], "s": list("abcd")},
            {"ten": ten})
    cut = x[max(-low, 0):9 - max(-high, 0)]
    np.testing.assert_array_equal(y, np.pad(cut, ((max(low, 0), max(high, 0)), (0, 1))))


@LEVELS
@pytest.mark.parametrize("k", [2**63 - 1, -2**63, 1])
@pytest.mark.parametrize("is_constant", [True, False])
def test_diagonals_far_away(tmp_path, level, k, is_constant):
    x = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    given = {"k": np.array(k)}
    y = run(tmp_path, level, helper.make_node("Trilu", ["x", "k"], ["y"]),
            {"x": x} if is_constant else {"x": x, **given}, {"x": ["n", "m"], "k": []},
            given if is_constant else None)
    np.testing.assert_array_equal(y, np.triu(x, max(min(k, 9), -9)))


@LEVELS
@pytest.mark.parametrize("shape", [["a", "b", 3], [2, 0, 3]])
def test_integer_mean_of_nothing(tmp_path, level, shape):
    y = run(tmp_path, level, helper.make_node("ReduceMean", ["x"], ["y"], axes=[1]),
            {"x": np.zeros((2, 0, 3), np.int32)}, {"x": shape}, opset=17)
    np.testing.assert_array_equal(y, np.zeros((2, 1, 3), np.int32))


@LEVELS
def test_nothing_is_gathered_from_nothing(tmp_path, level):
    y = run(tmp_path, level, helper.make_node("Gather", ["x", "i"], ["y"]),
            {"x": np.zeros((0, 4), np.float32), "i": np.zeros(0, np.int64)}, {"x": ["n", 4], "i": ["k"]})
    assert y.shape == (0, 4)


@LEVELS
@pytest.mark.parametrize("time", [0, 1])
def test_sequences_longer_than_their_axis(tmp_path, level, time):
    """All of the axis is reversed."""
    x = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    lengths = np.array([9, 2, 4, 5], np.int64)[: x.shape[1 - time]]
    y = run(tmp_path, level,
            helper.make_node("ReverseSequence", ["x", "l"], ["y"], time_axis=time, batch_axis=1 - time),
            {"x": x, "l": lengths}, {"x": ["a", "b", 2], "l": ["n"]})
    wanted = np.moveaxis(x, time, 1).copy()
    for row, length in zip(wanted, lengths):
        row[:length] = row[:length][::-1]
    np.testing.assert_array_equal(y, np.moveaxis(wanted, 1, time))
