"""Results of f16 and bf16 have the rounding of their type where it shows: casts, and
what is compared, rounded or ordered in the kernel that computes it."""

import ml_dtypes
import numpy as np
import onnx
import pytest
import tessera
from onnx import helper

node = helper.make_node
bfloat16 = np.dtype(ml_dtypes.bfloat16)
LEVELS = pytest.mark.parametrize("level", [0, 3])
NARROW = pytest.mark.parametrize("narrow", [np.dtype(np.float16), bfloat16], ids=str)


def element(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def run(folder, nodes, feeds, outputs, level, sizes="open"):
    """The outputs {name: dtype} of the nodes."""
    shape = (lambda a: [f"n{size}" for size in a.shape]) if sizes == "open" else (lambda a: a.shape)
    graph = helper.make_graph(
        nodes, "narrow",
        [helper.make_tensor_value_info(k, element(v.dtype), shape(v)) for k, v in feeds.items()],
        [helper.make_tensor_value_info(k, element(v), None) for k, v in outputs.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10),
              folder / "m.onnx")
    session = tessera.load(tessera.compile(folder / "m.onnx", folder / "m.so", opt_level=level))
    return session.run(None, feeds)


@LEVELS
@NARROW
@pytest.mark.parametrize("wide", ["int32", "uint32", "int64", "float32"])
def test_casts_round(tmp_path, narrow, wide, level):
    x = np.array([[257, 259, 2049, 2051], [256, 260, 2048, 2052], [30001, 30002, 30003, 30000]] * 3, wide)
    if wide.startswith("float"):
        x = x * x.dtype.type(1 + 2**-11)
    nodes = [node("Cast", ["x"], ["h"], to=element(narrow)), node("Cast", ["w"], ["k"], to=element(narrow)),
             node("Equal", ["h", "k"], ["same"]), node("ArgMin", ["h"], ["least"], axis=0, keepdims=0),
             node("ArgMax", ["h"], ["most"], axis=1, keepdims=0), node("Cast", ["h"], ["f"], to=1),
             node("Sub", ["f", "x32"], ["error"])]
    h, k = x.astype(narrow), x[::-1].astype(narrow)
    y = run(tmp_path, nodes, {"x": x, "w": x[::-1].copy(), "x32": x.astype(np.float32)},
            {"same": bool, "least": np.int64, "most": np.int64, "error": np.float32}, level)
    for result, wanted in zip(y, [h == k, h.astype(np.float32).argmin(0), h.astype(np.float32).argmax(1),
                                  h.astype(np.float32) - x.astype(np.float32)], strict=True):
        np.testing.assert_array_equal(result, wanted)


@LEVELS
@NARROW
@pytest.mark.parametrize("operator", ["Add", "Sub", "Mul", "Div"])
def test_what_has_steps_takes_rounded_values(tmp_path, narrow, operator, level):
    random = np.random.default_rng(2)
    a, b, c = (random.uniform(1, 9, (7, 33)).astype(narrow) for _ in range(3))
    f = lambda x: x.astype(np.float32)  # noqa: E731
    ufunc = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide}[operator]
    p = ufunc(a, b).astype(narrow)
    same = p.copy()
    same[::2] += np.ones_like(same[::2])
    feeds = {"a": a, "b": b, "c": c, "d": same}
    i32 = element(np.int32)
    nodes = [node(operator, ["a", "b"], ["p"]), node("Floor", ["p"], ["floor"]), node("Ceil", ["p"], ["ceil"]),
             node("Cast", ["p"], ["whole"], to=i32), node("Cast", ["p"], ["wide"], to=1),
             node("Equal", ["p", "d"], ["equal"]), node("Less", ["p", "d"], ["less"]),
             node("Where", ["less", "p", "c"], ["chosen"]), node("Mod", ["p", "c"], ["rest"], fmod=1),
             node("ArgMax", ["p"], ["most"], axis=1), node("ArgMin", ["p"], ["least"], axis=0),
             node("Max", ["p", "c"], ["larger"])]
    wanted = {"floor": np.floor(f(p)).astype(narrow), "ceil": np.ceil(f(p)).astype(narrow),
              "whole": f(p).astype(np.int32), "wide": f(p), "equal": p == same, "less": p < same,
              "chosen": np.where(p < same, p, c), "rest": np.fmod(f(p), f(c)).astype(narrow),
              "most": f(p).argmax(1, keepdims=True), "least": f(p).argmin(0, keepdims=True),
              "larger": np.maximum(f(p), f(c)).astype(narrow)}
    results = run(tmp_path, nodes, feeds, {k: v.dtype for k, v in wanted.items()}, level)
    for result, (name, expected) in zip(results, wanted.items(), strict=True):
        np.testing.assert_array_equal(result, expected, err_msg=name)


@LEVELS
@NARROW
def test_products_round_before_they_are_compared(tmp_path, narrow, level):
    random = np.random.default_rng(3)
    a, w = random.standard_normal((9, 16)).astype(narrow), random.standard_normal((16, 24)).astype(narrow)
    nodes = [node("MatMul", ["a", "w"], ["p"]), node("Add", ["p", "p"], ["s"]), node("Round", ["s"], ["y"]),
             node("ArgMax", ["s"], ["most"], axis=1)]
    y, s, most = run(tmp_path, nodes, {"a": a, "w": w}, {"y": narrow, "s": narrow, "most": np.int64}, level)
    np.testing.assert_array_equal(y, np.rint(s.astype(np.float32)).astype(narrow))
    np.testing.assert_array_equal(most, s.astype(np.float32).argmax(1, keepdims=True))


@NARROW
def test_an_activation_rounds_once(tmp_path, narrow):
    x = np.linspace(-6, 6, 999).astype(narrow)
    kinds = {"Gelu": {}, "Mish": {}, "Selu": {}, "Softplus": {}, "HardSwish": {}}
    nodes = [node(kind, ["x"], [kind], **attributes) for kind, attributes in kinds.items()]
    wide = x.astype(np.float32)
    narrowed = run(tmp_path, nodes, {"x": x}, {kind: narrow for kind in kinds}, 3)
    exact = run(tmp_path, nodes, {"x": wide}, {kind: np.float32 for kind in kinds}, 3)
    for kind, a, b in zip(kinds, narrowed, exact, strict=True):
        np.testing.assert_array_equal(a, b.astype(narrow), err_msg=kind)
