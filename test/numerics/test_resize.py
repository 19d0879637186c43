"""Resize of images whose height and width are unknown at compile time, and of
known ones, against ONNX Runtime or ONNX's reference evaluator.

One model holds every method of a coordinate mode; scales are whole, fractions and
between. Sizes come from the shape of the image itself as exporters compute them.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime = pytest.importorskip("onnxruntime")

COORDINATES = ["asymmetric", "align_corners", "half_pixel", "pytorch_half_pixel",
               "half_pixel_symmetric"]
METHODS = [{"mode": "linear"}] + [
    {"mode": "nearest", "nearest_mode": way}
    for way in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")]
SCALES = [(2, 2), (3, 4), (1.5, 0.5), (1, 2.25)]


CUBIC = [{"mode": "cubic"}, {"mode": "cubic", "cubic_coeff_a": -0.5}]


def methods_of(coordinates):
    # Its positions are whole numbers but for rounding: no matter of right or wrong.
    return [m for m in METHODS if coordinates != "half_pixel_symmetric"
            or m.get("nearest_mode") not in ("floor", "ceil")]


def resize_model(coordinates, methods, height, width):
    nodes, outputs, constants = [], [], []

    def resized(inputs, method):
        name = f"y{len(outputs)}"
        nodes.append(helper.make_node(
            "Resize", inputs, [name],
            coordinate_transformation_mode=coordinates, **method))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))

    for number, (down, across) in enumerate(SCALES):
        constants.append(numpy_helper.from_array(
            np.array([1, 1, down, across], np.float32), f"scales{number}"))
        for method in methods:
            resized(["x", "", f"scales{number}"], method)
    # Twice the height, the width and one more: from the image's own shape.
    constants += [
        numpy_helper.from_array(np.array([1, 1, 2, 1], np.int64), "factors"),
        numpy_helper.from_array(np.array([0, 0, 0, 1], np.int64), "more"),
    ]
    nodes += [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Mul", ["shape", "factors"], ["multiplied"]),
        helper.make_node("Add", ["multiplied", "more"], ["sizes"]),
    ]
    for method in methods:
        resized(["x", "", "", "sizes"], method)
    image = helper.make_tensor_value_info(
        "x", TensorProto.FLOAT, ["n", 2, height, width])
    graph = helper.make_graph(nodes, "resize", [image], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)],
                             ir_version=9)


@pytest.mark.parametrize("height, width", [("h", "w"), (6, 9)])
@pytest.mark.parametrize("coordinates, methods", [
    *[(c, methods_of(c)) for c in COORDINATES], ("half_pixel", CUBIC),
    ("align_corners", CUBIC[:1])])
def test_resize(coordinates, methods, height, width, tmp_path):
    model = resize_model(coordinates, methods, height, width)
    path = tmp_path / "resize.onnx"
    onnx.save(model, path)
    session = tessera.load(tessera.compile(path, tmp_path / "resize.so"))
    # ONNX Runtime aligns corners by the rounded size, the standard by the other.
    reference = (ReferenceEvaluator(model) if coordinates == "align_corners" else
                 onnxruntime.InferenceSession(model.SerializeToString()))
    for size in [(1, 6, 9)] if height == 6 else [(1, 6, 9), (2, 8, 5), (1, 3, 2)]:
        random = np.random.default_rng(11)
        image = random.standard_normal((size[0], 2, *size[1:])).astype(np.float32)
        expected = reference.run(None, {"x": image})
        for node, a, b in zip(session.get_outputs(), expected,
                              session.run(None, {"x": image}), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-5,
                                       err_msg=f"{node.name} of {size}")
