"""Integer operations of a tensor with itself, which fold, at sizes that are not known."""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper

INTEGERS = ["BitwiseXor", "BitwiseAnd", "BitwiseOr", "Sub", "Mod", "Max"]
COMPARISONS = ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]
COMPUTED = {
    "BitwiseXor": np.bitwise_xor, "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or,
    "Sub": np.subtract, "Mod": np.mod, "Max": np.maximum, "Equal": np.equal, "Less": np.less,
    "LessOrEqual": np.less_equal, "Greater": np.greater, "GreaterOrEqual": np.greater_equal,
    "Xor": np.logical_xor,
}


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("operator", [*INTEGERS, *COMPARISONS, "Xor"])
@pytest.mark.parametrize("form", ["same", "found equal"])
def test_operand_with_itself(tmp_path, operator, level, form):
    of = TensorProto.BOOL if operator == "Xor" else TensorProto.INT32
    to = of if operator in INTEGERS else TensorProto.BOOL
    nodes, other = [], "x"
    if form == "found equal":  # by a pass, not when the node is imported
        nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
                 helper.make_node("Transpose", ["t"], ["again"], perm=[1, 0])]
        other = "again"
    nodes.append(helper.make_node(operator, ["x", other], ["y"]))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", of, ["n", 3])], [value("y", to, ["n", 3])])
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    session = tessera.load(tessera.compile(path, opt_level=level))
    x = np.arange(1, 7).reshape(2, 3)
    x = x % 2 == 0 if operator == "Xor" else x.astype(np.int32)
    [y] = session.run(None, {"x": x})
    np.testing.assert_array_equal(y, COMPUTED[operator](x, x))
