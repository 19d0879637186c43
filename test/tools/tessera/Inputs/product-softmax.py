"""A product, a softmax and what lies between."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64])
w = numpy_helper.from_array(np.ones((64, 64), np.float32), "w")
graph = helper.make_graph(
    [
        helper.make_node("MatMul", ["x", "w"], ["product"], name="project"),
        helper.make_node("Softmax", ["product"], ["y"], name="soft"),
    ],
    "routes", [x], [y], [w],
)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), sys.argv[1])
