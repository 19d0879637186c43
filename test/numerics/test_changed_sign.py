"""Casts between signed and unsigned integers of one width, which change no byte, where the
result begins with an input's elements, is a part or a view of one, or is one.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper

NUMPY = {f"{sign[0]}{width}": np.dtype(f"{sign}{width}") for sign in ("int", "uint") for width in (8, 16, 32, 64)}
node = helper.make_node
AXES = dict(begin=np.array([1]), end=np.array([3]), axis=np.array([0]), flat=np.array([-1]))
FORMS = {
    "concat": ([node("Concat", ["x", "w"], ["c"], axis=0)], lambda x, w: np.concatenate([x, w])),
    "twice": ([node("Concat", ["x", "x"], ["c"], axis=0)], lambda x, w: np.concatenate([x, x])),
    "slice": ([node("Slice", ["x", "begin", "end", "axis"], ["c"])], lambda x, w: x[1:3]),
    "reshape": ([node("Reshape", ["x", "flat"], ["c"])], lambda x, w: x.reshape(-1)),
    "transpose": ([node("Transpose", ["x"], ["c"])], lambda x, w: x.T),
    "nothing": ([node("Identity", ["x"], ["c"])], lambda x, w: x),
    "reshaped": ([node("Concat", ["x", "w"], ["j"], axis=0), node("Reshape", ["j", "flat"], ["c"])],
                 lambda x, w: np.concatenate([x, w]).reshape(-1)),
}  # fmt: skip


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("is_open", [False, True], ids=["static", "open"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("given, wanted", [("u8", "i8"), ("i16", "u16"), ("u16", "i16"), ("u32", "i32"), ("i64", "u64")])
def test_cast(tmp_path, given, wanted, form, is_open, level):
    nodes, expected = FORMS[form]
    source, target = NUMPY[given], NUMPY[wanted]
    x = np.arange(12).astype(source).reshape(4, 3) - np.ones((), source) * 5
    w = np.full((2, 3), np.iinfo(source).max, source)
    value, kind = helper.make_tensor_value_info, helper.np_dtype_to_tensor_dtype
    inputs = [value(name, kind(source), [f"{name}0", "n"] if is_open else array.shape)
              for name, array in (("x", x), ("w", w))]  # fmt: skip
    result = expected(x, w)
    nodes = [*nodes, node("Cast", ["c"], ["y"], to=kind(target))]
    graph = helper.make_graph(nodes, "g", inputs, [value("y", kind(target), [None] * result.ndim)],
                              [numpy_helper.from_array(array, name) for name, array in AXES.items()])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9), tmp_path / "m.onnx")
    session = tessera.load(tessera.compile(tmp_path / "m.onnx", opt_level=level))
    y = session.run(None, {"x": x, "w": w})[0]
    assert y.dtype == target
    np.testing.assert_array_equal(y, result.astype(target))
