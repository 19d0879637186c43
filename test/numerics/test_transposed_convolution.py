"""ConvTranspose against ONNX Runtime: random windows of one, two and three
dimensions, in groups, of known and unknown sizes, at both levels of effort.

One model holds several windows; all sums have at most a few hundred terms, so they
agree to 1e-5 of the largest element.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

onnxruntime = pytest.importorskip("onnxruntime")

CHANNELS = 8
# kernel, stride, low pad, high pad, output padding, dilation
WINDOWS = [
    (2, 2, 0, 0, 0, 1),  # elements side by side: no sum over positions
    (4, 2, 1, 1, 0, 1),
    (3, 2, 1, 1, 1, 1),  # no multiple of the stride
    (3, 2, 0, 1, 0, 1),
    (5, 3, 2, 0, 2, 1),
    (2, 3, 0, 0, 0, 1),  # gaps between elements
    (2, 3, 0, 0, 2, 1),
    (7, 2, 6, 5, 0, 1),  # more pads than whole strides
    (3, 1, 1, 1, 0, 1),
    (3, 2, 1, 1, 0, 2),
]


def windows_of(dimensions, chance):
    """Windows of so many dimensions; the first has the same along all."""
    yield [WINDOWS[0]] * dimensions
    for number in range(len(WINDOWS)):
        picks = [number, *chance.integers(0, len(WINDOWS), dimensions - 1)]
        yield [WINDOWS[i] for i in picks]


def model_of(dimensions, groups, outputs, sizes, chance):
    nodes, weights, results = [], [], []
    for number, window in enumerate(windows_of(dimensions, chance)):
        kernel, stride, low, high, extra, dilation = map(list, zip(*window))
        name = f"w{number}"
        weights.append(numpy_helper.from_array(chance.standard_normal(
            (CHANNELS, outputs, *kernel)).astype(np.float32), name))
        weights.append(numpy_helper.from_array(chance.standard_normal(
            groups * outputs).astype(np.float32), "b" + name))
        nodes.append(helper.make_node(
            "ConvTranspose", ["x", name, "b" + name], [f"y{number}"], group=groups,
            strides=stride, dilations=dilation, output_padding=extra, pads=low + high))
        results.append(helper.make_tensor_value_info(
            f"y{number}", TensorProto.FLOAT, None))
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, *sizes])
    graph = helper.make_graph(nodes, "transposed", [image], results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                             ir_version=8)


@pytest.mark.parametrize("opt_level", [3, 0])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("groups, outputs", [(1, 3), (2, 5), (8, 1)])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_agrees(tmp_path, dimensions, groups, outputs, known, opt_level):
    chance = np.random.default_rng(dimensions)
    symbols = ["d", "h", "w"][:dimensions]
    sizes = [9, 7, 6][:dimensions]
    model = model_of(dimensions, groups, outputs, sizes if known else symbols, chance)
    path, library = tmp_path / "m.onnx", tmp_path / "m.so"
    onnx.save(model, path)
    tessera.compile(path, library, opt_level=opt_level)
    ours, theirs = tessera.load(library), onnxruntime.InferenceSession(path)
    for batch, image in [(1, sizes), (2, sizes if known else [6, 19, 11][:dimensions])]:
        x = chance.standard_normal((batch, CHANNELS, *image)).astype(np.float32)
        for number, (y, expected) in enumerate(zip(ours.run(None, {"x": x}),
                                                   theirs.run(None, {"x": x}))):
            assert y.shape == expected.shape, number
            np.testing.assert_allclose(y, expected, rtol=0, err_msg=str(number),
                                       atol=1e-5 * max(np.abs(expected).max(), 1))
