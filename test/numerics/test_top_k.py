"""TopK over all types: ties, signs of zero, NaN, infinities and the ends of ranges."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper

RNG = np.random.default_rng(7)
TYPES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]


def elements(dtype, rows, columns):
    if np.issubdtype(dtype, np.integer):
        ends = np.iinfo(dtype)
        x = RNG.integers(ends.min, ends.max, (rows, columns), dtype, endpoint=True)
        x[:, ::3] = RNG.integers(0, 4, x[:, ::3].shape)
        x[0, 5], x[0, 6] = ends.min, ends.max
        return x
    x = np.round(RNG.standard_normal((rows, columns)) * 3).astype(dtype)
    x[0, :6] = [np.inf, -np.inf, np.nan, -0.0, 0.0, -np.nan]
    x[1, 3], x[1, 4] = np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).smallest_subnormal
    return x


def best(row, count, largest):
    """Positions in order; a NaN is before everything."""
    if np.issubdtype(row.dtype, np.integer):
        key = [int(v) if largest else -int(v) for v in row]
    else:
        key = [np.inf if np.isnan(v) else float(v) if largest else -float(v) for v in row]
        infinite = [np.isnan(v) for v in row]
        key = list(zip(infinite, key))
    return sorted(range(len(row)), key=lambda i: (key[i], -i), reverse=True)[:count]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("largest", [1, 0])
def test_order(tmp_path, dtype, largest):
    x = elements(np.dtype(dtype), 3, 41)
    count = 7 if largest else 41
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    value = helper.make_tensor_value_info
    node = helper.make_node("TopK", ["x", "k"], ["v", "i"], largest=largest)
    graph = helper.make_graph(
        [node], "g", [value("x", kind, ["n", "m"])],
        [value("v", kind, ["n", count]), value("i", TensorProto.INT64, ["n", count])],
        [helper.make_tensor("k", TensorProto.INT64, [1], [count])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=10)
    onnx.save(model, tmp_path / "model.onnx")
    values, indices = tessera.load(tessera.compile(tmp_path / "model.onnx")).run(None, {"x": x})
    expected = np.array([best(row, count, largest) for row in x])
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, np.take_along_axis(x, expected, 1))
