"""Windows with auto_pad SAME over images whose sizes are not known, so that their pads
are not, either: against ONNX Runtime at every size from 1 to 12, at both levels of
effort. Keras exports its padding="same" so.

Where a window without pads ends before the stride does, ONNX Runtime begins behind the
image's first element; here it begins at the first, as in TensorFlow.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

onnxruntime = pytest.importorskip("onnxruntime")

CHANNELS = 4
# kernel, stride
WINDOWS = [(3, 2), (2, 2), (1, 2), (4, 3), (2, 3), (5, 4), (3, 1)]
POOLS = {
    "MaxPool": {},
    "AveragePool": {},
    "AveragePool with pads": {"count_include_pad": 1},
    "LpPool": {"p": 2},
}


def model_of(operator, auto_pad, element=TensorProto.FLOAT):
    nodes, weights = [], []
    for kernel, stride in WINDOWS:
        if operator == "MaxPool" and kernel < stride:
            continue  # ONNX Runtime refuses it
        attributes = {"auto_pad": auto_pad, "kernel_shape": [kernel, 3], "strides": [stride, 2]}
        inputs = ["x"]
        if operator == "Conv":
            name = f"w{len(nodes)}"
            filters = np.random.default_rng(kernel).standard_normal((6, CHANNELS, kernel, 3))
            weights.append(numpy_helper.from_array(filters.astype(np.float32), name))
            inputs.append(name)
        nodes.append(
            helper.make_node(operator.split()[0], inputs, [f"y{len(nodes)}"], **attributes, **POOLS.get(operator, {}))
        )
    outputs = [helper.make_tensor_value_info(node.output[0], element, None) for node in nodes]
    image = helper.make_tensor_value_info("x", element, ["n", CHANNELS, "h", "w"])
    graph = helper.make_graph(nodes, "windows", [image], outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def compare(path, model, opt_level, draw):
    onnx.save(model, path)
    ours = tessera.load(tessera.compile(path, opt_level=opt_level))
    theirs = onnxruntime.InferenceSession(path)
    for size in range(1, 13):
        x = draw((1 + size % 2, CHANNELS, size, 13 - size))
        pairs = zip(ours.run(None, {"x": x}), theirs.run(None, {"x": x}))
        for number, (y, expected) in enumerate(pairs):
            assert y.shape == expected.shape
            np.testing.assert_allclose(y, expected, atol=1e-5, err_msg=f"y{number} at {size}")


@pytest.mark.parametrize("opt_level", [3, 0])
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("operator", ["Conv", *POOLS])
def test_agrees(tmp_path, operator, auto_pad, opt_level):
    chance = np.random.default_rng(0)
    compare(
        tmp_path / "m.onnx",
        model_of(operator, auto_pad),
        opt_level,
        lambda shape: chance.standard_normal(shape).astype(np.float32),
    )


@pytest.mark.parametrize("element", [TensorProto.INT8, TensorProto.UINT8])
def test_largest_of_integers(tmp_path, element):
    chance = np.random.default_rng(0)
    dtype = helper.tensor_dtype_to_np_dtype(element)
    limits = np.iinfo(dtype)
    compare(
        tmp_path / "m.onnx",
        model_of("MaxPool", "SAME_UPPER", element),
        3,
        lambda shape: chance.integers(limits.min, limits.max // 8, shape, dtype),
    )
