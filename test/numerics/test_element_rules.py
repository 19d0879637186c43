"""Rules of single elements, against NumPy: casts of floats that do not fit, integer
powers, functions of float64, operators whose inputs have several types."""

import math

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

node = helper.make_node
LEVELS = pytest.mark.parametrize("level", [0, 3])


def element(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def model_of(nodes, feeds, outputs, constants=None, opset=20, known=False):
    """Inputs of open or known sizes; outputs {name: dtype}."""
    graph = helper.make_graph(
        nodes, "rules",
        [helper.make_tensor_value_info(k, element(v.dtype), v.shape if known else [f"{k}{i}" for i in range(v.ndim)])
         for k, v in feeds.items()],
        [helper.make_tensor_value_info(k, element(v), None) for k, v in outputs.items()],
        [numpy_helper.from_array(v, k) for k, v in (constants or {}).items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def run(folder, model, feeds, level=3):
    onnx.save(model, folder / "m.onnx")
    return tessera.load(tessera.compile(folder / "m.onnx", folder / "m.so", opt_level=level)).run(None, feeds)


INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


def as_x86(x, dtype):
    """What the docs say of floats that do not fit."""
    limits = np.iinfo(dtype)
    bits, unsigned = max(limits.bits, 32), limits.min == 0 and limits.bits > 16
    half = 2**(bits - 1)

    def signed(v):
        return int(v) if abs(v) < half else -half

    def integer(v):
        upper = unsigned and v >= half
        whole = signed(float(x.dtype.type(v) - x.dtype.type(half))) ^ -half if upper else signed(v)
        return whole % 2**limits.bits

    low = [integer(float(v)) if not math.isnan(v) else -half % 2**limits.bits for v in x]
    return np.array(low, np.uint64).astype(dtype)


@LEVELS
@pytest.mark.parametrize("wide", [np.float16, np.float32, np.float64])
def test_floats_that_do_not_fit_an_integer(tmp_path, wide, level):
    with np.errstate(over="ignore"):
        x = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 300.7, -1.5, 5e9, 1e19, 1.5e19, -1e19, 70000,
                      2147483648, -2147483648, 4294967296, 9.3e18, 127.9, -128.9, 0.99, -0.99] * 2).astype(wide)
    nodes = [node("Cast", ["x"], [to], to=element(to)) for to in INTEGERS]
    for to, result in zip(INTEGERS, run(tmp_path, model_of(nodes, {"x": x}, {to: to for to in INTEGERS}),
                                        {"x": x}, level), strict=True):
        np.testing.assert_array_equal(result, as_x86(x.astype(np.float32) if wide == np.float16 else x, to), to)


@LEVELS
@pytest.mark.parametrize("wide", [np.float16, np.float32])
def test_what_has_no_number_is_quantized_to_the_least(tmp_path, wide, level):
    x = np.array([np.nan, np.inf, -np.inf, 6e4, -6e4, 1, -1, 0] * 5, wide)
    types = INTEGERS[:4]
    nodes = [node("QuantizeLinear", ["x", "s", f"z{to}"], [to]) for to in types]
    nodes += [node("QuantizeLinear", ["x", "none", "zuint8"], ["y"])]
    constants = {f"z{to}": np.array(3, to) for to in types} | {"s": np.array(0.5, wide)}
    # A scale of 0 that is known is an error of the model.
    inputs = {"x": x, "none": np.array(0, wide)}
    *results, by_zero = run(tmp_path, model_of(nodes, inputs, {to: to for to in types} | {"y": "uint8"}, constants, 21),
                            inputs, level)
    for to, result in zip(types, results, strict=True):
        limits = np.iinfo(to)
        wanted = np.clip(np.rint(np.nan_to_num(x.astype(float), nan=-np.inf, posinf=np.inf, neginf=-np.inf) / 0.5) + 3,
                         limits.min, limits.max)
        np.testing.assert_array_equal(result, wanted.astype(to))
    np.testing.assert_array_equal(by_zero[:8], [0, 255, 0, 255, 0, 255, 0, 0])


@LEVELS
@pytest.mark.parametrize("base", [np.int32, np.int64])
def test_powers_of_integers_are_exact(tmp_path, base, level):
    bits = np.iinfo(base).bits
    x = np.array([[0], [1], [-1], [2], [-3], [7], [2**(bits - 2) + 1], [-(2**(bits - 1))], [10]], base)

    def exponents(dtype):
        limits = np.iinfo(dtype)
        return np.array([[0, 1, 2, 3, 5, 39, 64, limits.max, limits.max - 1, max(limits.min, -1), max(limits.min, -2),
                          limits.min]], dtype)

    def power(b, p):
        if p < 0:
            return b**(-p % 2) if abs(b) == 1 else 0
        return (pow(b, p, 2**bits) + 2**(bits - 1)) % 2**bits - 2**(bits - 1)

    feeds = {"x": x} | {dtype: exponents(dtype) for dtype in INTEGERS}
    nodes = [node("Pow", ["x", dtype], [f"y{dtype}"]) for dtype in INTEGERS]
    results = run(tmp_path, model_of(nodes, feeds, {f"y{dtype}": base for dtype in INTEGERS}), feeds, level)
    for dtype, result in zip(INTEGERS, results, strict=True):
        wanted = [[power(int(b), int(p)) for p in feeds[dtype][0]] for b in x[:, 0]]
        np.testing.assert_array_equal(result, np.array(wanted, base), dtype)


@LEVELS
def test_a_float_power_keeps_its_exponent(tmp_path, level):
    x, e = np.array([-1, 1.0009765625, 2], np.float16), np.array([2049, 2047, -3])
    f = np.array([1 / 3, 1e-4, 0.7], np.float32)
    feeds = {"x": x, "e": e, "f": f, "w": x.astype(np.float32)}
    nodes = [node("Pow", ["x", "e"], ["a"]), node("Pow", ["x", "f"], ["b"]), node("Pow", ["w", "e"], ["c"])]
    a, b, c = run(tmp_path, model_of(nodes, feeds, {"a": x.dtype, "b": x.dtype, "c": f.dtype}), feeds, level)
    with np.errstate(invalid="ignore"):
        exact = x.astype(float)
        np.testing.assert_array_equal(a, (exact**e).astype(np.float16))
        np.testing.assert_array_equal(b, (exact**f).astype(np.float16))
        np.testing.assert_allclose(c, exact**e, rtol=1e-7)


def log1pexp(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-abs(x)))


@LEVELS
def test_functions_of_float64(tmp_path, level):
    x = np.concatenate([np.linspace(-8, 8, 61), [-40, -30, 1e-9, -1e-9, 700, -700]])
    hundredth, fifth = (float(np.float32(v)) for v in (0.01, 0.2))
    alpha, gamma = (float(np.float32(v)) for v in (1.67326319217681884765625, 1.05070102214813232421875))
    erf = np.vectorize(math.erf)
    low = np.minimum(x, 0)
    wanted = {
        "Softplus": log1pexp(x), "Mish": x * np.tanh(log1pexp(x)), "LeakyRelu": np.where(x < 0, x * hundredth, x),
        "Elu": np.where(x < 0, np.expm1(low), x),
        "Selu": gamma * np.where(x < 0, alpha * np.expm1(low), x), "Sigmoid": 1 / (1 + np.exp(-x)),
        "HardSigmoid": np.clip(fifth * x + 0.5, 0, 1), "HardSwish": x * np.clip(x / 6 + 0.5, 0, 1),
        "Gelu": 0.5 * x * (1 + erf(x / np.sqrt(2))), "Erf": erf(x), "Tanh": np.tanh(x), "Softsign": x / (1 + abs(x)),
        "ThresholdedRelu": np.where(x > 1, x, 0), "Atan": np.arctan(x), "Asinh": np.arcsinh(x), "Sin": np.sin(x)}
    nodes = [node(kind, ["x"], [kind]) for kind in wanted]
    with np.errstate(over="ignore"):
        results = run(tmp_path, model_of(nodes, {"x": x}, {kind: float for kind in wanted}, opset=22), {"x": x}, level)
    for result, (kind, expected) in zip(results, wanted.items(), strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-15, err_msg=kind)


FLOATS = [np.float16, np.float32, np.float64]


@pytest.mark.parametrize("data", FLOATS)
@pytest.mark.parametrize("scale, mean", [(np.float32, np.float32), (np.float64, np.float16), (np.float16, np.float64)])
def test_batch_normalization_of_several_types(tmp_path, data, scale, mean):
    random = np.random.default_rng(1)
    x = random.standard_normal((2, 4, 5)).astype(data)
    s, b = (random.standard_normal(4).astype(scale) for _ in range(2))
    m, v = random.standard_normal(4).astype(mean), random.uniform(1, 2, 4).astype(mean)
    made = node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y"], epsilon=0.1)
    y, = run(tmp_path, model_of([made], {"x": x}, {"y": data}, dict(s=s, b=b, m=m, v=v)), {"x": x})
    wide = lambda p: p.astype(float)[:, None]  # noqa: E731
    exact = (x - wide(m)) / np.sqrt(wide(v) + np.float64(np.float32(0.1))) * wide(s) + wide(b)
    error = {2: 2e-3, 4: 1e-6, 8: 1e-12 if np.float64 in (data, scale, mean) else 1e-6}[np.dtype(data).itemsize]
    np.testing.assert_allclose(y, exact, rtol=error, atol=error)


@pytest.mark.parametrize("data", FLOATS)
@pytest.mark.parametrize("scale", FLOATS)
def test_rms_normalization_has_the_type_of_its_scale(tmp_path, data, scale):
    random = np.random.default_rng(1)
    x, s = random.standard_normal((3, 8)).astype(data), random.standard_normal(8).astype(scale)
    made = node("RMSNormalization", ["x", "s"], ["y"])
    model = model_of([made], {"x": x}, {"y": scale}, dict(s=s), 23)
    y, = run(tmp_path, model, {"x": x})
    x = x.astype(float)
    exact = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float64(np.float32(1e-5))) * s
    error = 2e-3 if scale == np.float16 else 1e-6
    np.testing.assert_allclose(y, exact, rtol=error, atol=error)
    assert y.dtype == scale


@LEVELS
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("known", [False, True])
def test_losses_ignore_a_class(tmp_path, dtype, known, level):
    random = np.random.default_rng(4)
    x, labels = random.standard_normal((4, 3)).astype(dtype), np.array([0, 2, 1, 1])
    feeds = {"x": x, "l": labels}
    nodes = [node(kind, inputs, [kind[0] + reduction + str(len(inputs))], reduction=reduction, ignore_index=1)
             for kind in ("SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss")
             for reduction in ("none", "sum", "mean") for inputs in (["x", "l"], ["x", "l", "w"])]
    model = model_of(nodes, feeds, {made.output[0]: dtype for made in nodes}, {"w": np.array([0.5, 2, 1], dtype)}, 22,
                     known)
    for result, wanted in zip(run(tmp_path, model, feeds, level), ReferenceEvaluator(model).run(None, feeds), strict=True):
        np.testing.assert_allclose(result, wanted, rtol=5e-3 if dtype == np.float16 else 1e-6)
