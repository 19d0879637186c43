"""Every operator that tells signed from unsigned integers, over all integer types.

One model of each type holds all operators that allow it; half of the elements have
the highest bit set."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper

node = helper.make_node
BYTES = ("int8", "uint8")
TYPES = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
WIDE = TYPES[2:4] + TYPES[6:]


def shifted(x, amount, direction):
    return np.left_shift(x, amount) if direction == "LEFT" else np.right_shift(x, amount)


def quotient(x, z):
    """Towards zero, in Python's integers."""
    x, z, dtype = x.astype(object), z.astype(object), x.dtype
    return (np.sign(x) * np.sign(z) * (abs(x) // abs(z))).astype(dtype)


def scattered(x, index, updates, ufunc):
    result = x.copy()
    ufunc.at(result, (index, np.arange(x.shape[1])[None, :]), updates)
    return result


def cases(dtype):
    """(nodes that make "y", expected value of (x, z)); x and z [6, 8], z without 0."""
    unsigned = np.issubdtype(dtype, np.unsignedinteger)
    yield [node("Max", ["x", "z"], ["y"])], np.maximum
    yield [node("Min", ["x", "z"], ["y"])], np.minimum
    yield [node("Clip", ["x", "low", "high"], ["y"])], lambda x, z: np.clip(x, 5, 100)
    for operator, ufunc in (("Less", np.less), ("LessOrEqual", np.less_equal),
                            ("Greater", np.greater), ("GreaterOrEqual", np.greater_equal)):
        yield [node(operator, ["x", "z"], ["y"])], ufunc
    yield [node("Div", ["x", "z"], ["y"])], quotient
    yield [node("Mod", ["x", "z"], ["y"])], np.mod
    yield [node("Mod", ["x", "z"], ["y"], fmod=1)], np.fmod
    for to in ("float32", "float64", "float16", "int64", "uint64", "int8", "uint16"):
        element = helper.np_dtype_to_tensor_dtype(np.dtype(to))
        yield [node("Cast", ["x"], ["y"], to=element)], lambda x, z, to=to: x.astype(to)
    yield [node("ArgMax", ["x"], ["y"], axis=1)], lambda x, z: x.argmax(1, keepdims=True)
    yield [node("ArgMin", ["x"], ["y"], axis=0)], lambda x, z: x.argmin(0, keepdims=True)
    for largest in (0, 1):
        yield [node("TopK", ["x", "three"], ["y", "places"], axis=1, largest=largest)], lambda x, z, largest=largest: (
            np.sort(x, 1)[:, ::-1][:, :3] if largest else np.sort(x, 1)[:, :3])
    for reduction, ufunc in (("max", np.maximum), ("min", np.minimum)):
        yield [node("ScatterElements", ["x", "rows", "z"], ["y"], reduction=reduction)], (
            lambda x, z, ufunc=ufunc: scattered(x, np.arange(48).reshape(6, 8) % 3, z, ufunc))
        yield [node("ScatterND", ["x", "row", "two"], ["y"], reduction=reduction)], (
            lambda x, z, ufunc=ufunc: np.concatenate([ufunc(x[:1], x[:1] * 0 + 100), x[1:]]))
    if dtype in BYTES + tuple(WIDE):
        for operator, ufunc in (("ReduceMax", np.max), ("ReduceMin", np.min)):
            for axis in (0, 1):
                yield [node(operator, ["x", f"axis{axis}"], ["y"])], (
                    lambda x, z, ufunc=ufunc, axis=axis: ufunc(x, axis, keepdims=True))
    if dtype in WIDE:
        yield [node("ReduceMean", ["x", "axis1"], ["y"])], lambda x, z: (
            quotient(x.sum(1, keepdims=True, dtype=dtype), np.array(8, dtype)))
        yield [node("CumSum", ["x", "one"], ["y"])], lambda x, z: np.cumsum(x, 1, dtype=dtype)
    if dtype in ("int32", "int64"):
        yield [node("Relu", ["x"], ["y"])], lambda x, z: np.maximum(x, 0)
    if dtype in BYTES:
        yield [node("Reshape", ["x", "image"], ["i"]), node("MaxPool", ["i"], ["y"], kernel_shape=[3, 3], pads=[1] * 4)], (
            lambda x, z: np.stack([np.stack([x[max(i - 1, 0):i + 2, max(j - 1, 0):j + 2].max() for j in range(8)])
                                   for i in range(6)])[None, None])
    if unsigned:
        for direction in ("LEFT", "RIGHT"):
            yield [node("BitShift", ["x", "three_t"], ["y"], direction=direction)], (
                lambda x, z, direction=direction: shifted(x, np.array(3, dtype), direction))
    yield [node("Sign", ["x"], ["y"])], lambda x, z: np.sign(x)
    yield [node("Abs", ["x"], ["y"])], lambda x, z: np.abs(x)
    if dtype in ("int16", "int32", "int64"):
        yield [node("Range", ["n0", "n5", "n1"], ["y"])], lambda x, z: np.arange(5, dtype=dtype)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_operator_knows_the_sign(dtype, level, tmp_path):
    limits = np.iinfo(dtype)
    random = np.random.default_rng(5)
    x, z = (random.integers(limits.min // 2, limits.max, (6, 8), dtype, endpoint=True) for _ in range(2))
    x[0, :4], z[z == 0] = [limits.max, limits.min, 3, limits.max - 1], 1
    z[z == -1 if limits.min else z == 0] = 1
    constants = {"low": np.array(5, dtype), "high": np.array(100, dtype), "three": np.array([3]),
                 "rows": np.arange(48).reshape(6, 8) % 3, "row": np.array([[0]]),
                 "two": np.full((1, 8), 100, dtype), "axis0": np.array([0]), "axis1": np.array([1]),
                 "one": np.array(1), "image": np.array([1, 1, 6, 8]), "three_t": np.array(3, dtype),
                 "n0": np.array(0, dtype), "n5": np.array(5, dtype), "n1": np.array(1, dtype)}
    nodes, expected = [], []
    for number, (made, wanted) in enumerate(cases(dtype)):
        for one in made:
            for names in (one.input, one.output):
                for i, name in enumerate(names):
                    if name in ("y", "i", "places"):
                        names[i] = f"{name}{number}"
            nodes.append(one)
        expected.append((made[-1].op_type, wanted(x, z)))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    outputs = [helper.make_tensor_value_info(f"y{i}", helper.np_dtype_to_tensor_dtype(y.dtype), None)
               for i, (_, y) in enumerate(expected)]
    graph = helper.make_graph(
        nodes, "signs", [helper.make_tensor_value_info(name, element, ["n", "m"]) for name in "xz"],
        outputs, [numpy_helper.from_array(v, k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9),
              tmp_path / "m.onnx")
    session = tessera.load(tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", opt_level=level))
    for result, (operator, wanted) in zip(session.run(None, {"x": x, "z": z}), expected, strict=True):
        np.testing.assert_array_equal(result, wanted, err_msg=operator, strict=True)
