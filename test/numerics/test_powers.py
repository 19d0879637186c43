"""Powers with one known exponent for all elements: the short forms against double
precision, special values included."""

import math

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, -1e30, 3e38]
TYPES = {np.float32: (TensorProto.FLOAT, 3e-7), np.float16: (TensorProto.FLOAT16, 1e-3)}


def power(x, exponent):
    """C's pow; NumPy's takes the root for 0.5, which differs at -0 and -infinity."""
    try:
        return math.pow(x, exponent)
    except OverflowError:
        return math.inf
    except ValueError:  # 0 to a negative power, or a fraction of a negative number
        return math.copysign(math.inf, x if exponent == -1 else 1) if x == 0 else math.nan


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("exponent", [1, 2, 3, 4, -1, 0.5, -0.5, 0.3, 0])
def test_power(tmp_path, exponent, dtype):
    element, tolerance = TYPES[dtype]
    value = helper.make_tensor_value_info
    node = helper.make_node("Pow", ["x", "e"], ["y"])
    graph = helper.make_graph(
        [node], "g", [value("x", element, ["n"])], [value("y", element, ["n"])],
        [numpy_helper.from_array(np.array(exponent, dtype), "e")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                ir_version=9), tmp_path / "model.onnx")
    random = np.random.default_rng(int(abs(exponent) * 10))
    with np.errstate(over="ignore"):
        x = np.concatenate([SPECIAL, 3 * random.standard_normal(91)]).astype(dtype)
        expected = np.array([power(float(one), float(dtype(exponent))) for one in x])
        expected = expected.astype(dtype)
    [y] = tessera.load(tessera.compile(tmp_path / "model.onnx")).run(None, {"x": x})
    np.testing.assert_allclose(y, expected, rtol=tolerance)
    zeros = expected == 0
    assert np.array_equal(np.signbit(y[zeros]), np.signbit(expected[zeros]))
