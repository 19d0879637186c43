"""Attention over windows with global tokens, and masks that models make of positions,
against NumPy in double precision: sizes that only the run knows, and sizes that are
known though the shape arithmetic hides them.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

WINDOW, DEPTH = 4, 8
node = helper.make_node


def at(*numbers):
    return np.array(numbers, np.int64)


def compiled(path, nodes, inputs, constants, level):
    """`inputs`: name to sizes. The output is "y"."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name, sizes in inputs.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", values, [output], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return tessera.load(tessera.compile(path, opt_level=level))


def softmax(scores):
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def positions(prefix, length):
    """Nodes for 0 .. length - 1."""
    return [node("Range", ["zero", length, "one"], [prefix])]


LENGTH = [
    node("Shape", ["x"], ["shape"]), node("Gather", ["shape", "one"], ["length"]),
    node("Unsqueeze", ["length", "axis0"], ["lengths"]),
]  # fmt: skip
NUMBERS = dict(zero=np.array(0), one=np.array(1), axis0=at(0), axis1=at(1), axis2=at(2), axis3=at(3),
               minus=at(-1), window=at(WINDOW), depth=at(DEPTH), low=np.float32(-1e9),
               reach=np.array(3), globals=np.array(2), begin=at(0), next=at(1),
               far=at(2**63 - 1))  # fmt: skip


def windows_model():
    """Blocks of WINDOW queries see their block, the one before, and the first token."""
    return [
        *LENGTH,
        node("Gather", ["shape", "zero"], ["batch"]), node("Unsqueeze", ["batch", "axis0"], ["batches"]),
        node("Concat", ["batches", "minus", "window", "depth"], ["blocked"], axis=0),
        node("Reshape", ["x", "blocked"], ["own"]),
        node("Pad", ["x", "pads"], ["padded"]),
        node("Slice", ["padded", "begin", "last", "axis1", "next"], ["moved"]),
        node("Reshape", ["moved", "blocked"], ["before"]),
        node("Concat", ["before", "own"], ["keys"], axis=2),
        node("Transpose", ["keys"], ["turned"], perm=[0, 1, 3, 2]),
        node("MatMul", ["own", "turned"], ["scores"]),
        # Which keys there are: positions of the padded sequence, in blocks.
        *positions("numbers", "length"),
        node("Reshape", ["numbers", "rows"], ["queries"]),
        node("Sub", ["queries", "four"], ["earlier"]),
        node("Concat", ["earlier", "queries"], ["places"], axis=1),
        node("Less", ["places", "zero"], ["missing"]),
        node("Unsqueeze", ["missing", "axis1"], ["masked"]),
        node("Where", ["masked", "low", "scores"], ["hidden"]),
        node("Slice", ["x", "begin", "next", "axis1"], ["first"]),
        node("Unsqueeze", ["first", "axis1"], ["firsts"]),
        node("Transpose", ["firsts"], ["column"], perm=[0, 1, 3, 2]),
        node("MatMul", ["own", "column"], ["global"]),
        node("Concat", ["global", "hidden"], ["all"], axis=-1),
        node("Softmax", ["all"], ["weights"], axis=-1),
        node("Slice", ["weights", "next", "far", "axis3"], ["local"]),
        node("MatMul", ["local", "keys"], ["seen"]),
        node("Slice", ["weights", "begin", "next", "axis3"], ["share"]),
        node("Mul", ["share", "firsts"], ["added"]),
        node("Add", ["seen", "added"], ["result"]),
        node("Reshape", ["result", "shape"], ["y"]),
    ]  # fmt: skip


def windows_expected(x):
    x = x.astype(float)
    batch, length, _ = x.shape
    own = x.reshape(batch, -1, WINDOW, DEPTH)
    before = np.pad(x, ((0, 0), (WINDOW, 0), (0, 0)))[:, :length].reshape(own.shape)
    keys = np.concatenate([before, own], 2)
    scores = own @ keys.swapaxes(2, 3)
    places = np.arange(length).reshape(-1, WINDOW)
    missing = np.concatenate([places - WINDOW, places], 1) < 0
    scores = np.where(missing[:, None], -1e9, scores)
    first = x[:, None, :1]
    weights = softmax(np.concatenate([own @ first.swapaxes(2, 3), scores], -1))
    return (weights[..., 1:] @ keys + weights[..., :1] * first).reshape(x.shape)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("sizes", [[2, 24, DEPTH], ["b", "n", DEPTH], [2, "n", DEPTH], ["b", 24, DEPTH]], ids=str)
def test_windows_and_a_global_token(tmp_path, sizes, level):
    constants = dict(NUMBERS, pads=at(0, WINDOW, 0, 0, 0, 0), last=at(-WINDOW), rows=at(-1, WINDOW), four=np.array(4))
    session = compiled(tmp_path / "m.onnx", windows_model(), {"x": sizes}, constants, level)
    for length in ([24] if 24 in sizes else [8, 24, 32]):
        x = np.random.default_rng(length).standard_normal((2, length, DEPTH)).astype(np.float32)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], windows_expected(x), rtol=0, atol=2e-5)


def mask_model(form):
    """Keys that lie within reach of the query or are global; `form`: how it is made."""
    nodes = [
        *LENGTH, *positions("numbers", "length"),
        node("Unsqueeze", ["numbers", "axis1"], ["queries"]), node("Unsqueeze", ["numbers", "axis0"], ["keys"]),
        node("Sub", ["queries", "keys"], ["distance"]), node("Abs", ["distance"], ["far_off"]),
        node("LessOrEqual", ["far_off", "reach"], ["near"]),
        node("Less", ["keys", "globals"], ["first"]), node("Less", ["queries", "globals"], ["tops"]),
    ]  # fmt: skip
    if form == "or":
        nodes += [node("Or", ["near", "first"], ["some"]), node("Or", ["some", "tops"], ["seen"])]
    elif form == "expand":
        nodes += [
            node("Concat", ["lengths", "lengths"], ["square"], axis=0),
            node("Expand", ["first", "square"], ["columns"]), node("Expand", ["tops", "square"], ["lines"]),
            node("Or", ["near", "columns"], ["some"]), node("Or", ["some", "lines"], ["seen"]),
        ]  # fmt: skip
    elif form == "where":
        nodes += [
            node("Cast", ["near"], ["n"], to=TensorProto.FLOAT),
            node("Where", ["first", "unit", "n"], ["some"]), node("Where", ["tops", "unit", "some"], ["kept"]),
            node("Cast", ["kept"], ["seen"], to=TensorProto.BOOL),
        ]  # fmt: skip
    else:
        nodes += [
            node("Cast", ["near"], ["n"], to=TensorProto.FLOAT),
            node("Slice", ["numbers", "begin", "two"], ["few"]), node("Unsqueeze", ["few", "axis1"], ["lines"]),
            node("Concat", ["two", "lengths"], ["size"], axis=0),
            node("ConstantOfShape", ["size"], ["ones"], value=numpy_helper.from_array(np.ones(1, np.float32))),
            node("ScatterND", ["n", "lines", "ones"], ["some"]),
            node("Transpose", ["some"], ["turned"], perm=[1, 0]),
            node("ScatterND", ["turned", "lines", "ones"], ["kept"]),
            node("Cast", ["kept"], ["seen"], to=TensorProto.BOOL),
        ]  # fmt: skip
    return nodes + [
        node("Transpose", ["x"], ["xt"], perm=[0, 2, 1]), node("MatMul", ["x", "xt"], ["scores"]),
        node("Where", ["seen", "scores", "low"], ["hidden"]),
        node("Softmax", ["hidden"], ["weights"], axis=-1), node("MatMul", ["weights", "x"], ["y"]),
    ]  # fmt: skip


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("sizes", [[2, 21, DEPTH], ["b", "n", DEPTH]], ids=str)
@pytest.mark.parametrize("form", ["or", "expand", "where", "scatter"])
def test_masks_of_positions(tmp_path, form, sizes, level):
    constants = dict(NUMBERS, unit=np.float32(1), two=at(2))
    session = compiled(tmp_path / "m.onnx", mask_model(form), {"x": sizes}, constants, level)
    for length in ([21] if 21 in sizes else [2, 21, 33]):
        x = np.random.default_rng(length).standard_normal((2, length, DEPTH)).astype(np.float32)
        i, j = np.indices((length, length))
        seen = (abs(i - j) <= 3) | (i < 2) | (j < 2)
        wide = x.astype(float)
        expected = softmax(np.where(seen, wide @ wide.swapaxes(1, 2), -1e9)) @ wide
        np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, rtol=0, atol=2e-5)
