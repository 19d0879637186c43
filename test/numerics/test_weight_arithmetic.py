"""What a model computes from its weights alone is computed when it is compiled: the bits are
those of the compiled operations (level 0), and no kernel reads a weight to widen it."""

import json
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT8, UINT8, INT4, UINT4 = (
    TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4)
RANDOM = np.random.default_rng(11)


def value(name, element, shape):
    return helper.make_tensor_value_info(name, element, shape)


def save(path, nodes, inputs, outputs, initializers, external=False):
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, path, save_as_external_data=external, location="weights.data",
              size_threshold=0)
    return path


def tensor(name, element, array):
    """An initializer; elements of 4 bits are packed."""
    array = np.asarray(array)
    if element in (INT4, UINT4):
        return helper.make_tensor(name, element, array.shape, array.flatten().tolist())
    return numpy_helper.from_array(
        array.astype(helper.tensor_dtype_to_np_dtype(element)), name)


def reference(path, feeds):
    """Without the rewrites that multiply 4-bit weights with quantized activations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options).run(None, feeds)


def results(path, feeds, **options):
    return tessera.load(tessera.compile(path, **options), threads=2).run(None, feeds)


def narrow_arguments(path):
    """Integer tensors of more than a KiB that kernels of the library read, by kernel."""
    manifest = json.loads(tessera.load(tessera.compile(path)).manifest)
    found = []
    for kernel in manifest["kernels"]:
        for argument in kernel["arguments"]:
            *sizes, element = re.sub(r".*<|[,>].*", "", argument).split("x")
            count = np.prod([int(size) for size in sizes if size != "?"])
            if element in ("i8", "i32") and count > 1024:
                found.append((kernel["name"], argument))
    return found, manifest


def dequantize(name, of, scale, zero, **attributes):
    inputs = [of, scale] + ([zero] if zero else [])
    return helper.make_node("DequantizeLinear", inputs, [name], **attributes)


def save_chain(path, external=False):
    """Convolutions and a product with dequantized weights of each kind."""
    random = np.random.default_rng(5)
    integers = lambda low, high, *shape: random.integers(low, high, shape)
    scales = lambda *shape: (random.random(shape) * 0.02 + 0.001).astype(np.float32)
    initializers = [
        tensor("w1", INT8, integers(-128, 128, 40, 3, 7, 7)),
        tensor("s1", FLOAT, scales(40)), tensor("z1", INT8, np.zeros(40)),
        tensor("w2", UINT8, integers(0, 256, 72, 40, 3, 3)),
        tensor("s2", FLOAT, scales()), tensor("z2", UINT8, np.array(131)),
        tensor("w3", INT4, integers(-8, 8, 72, 96)),
        tensor("s3", FLOAT, scales(9, 96)), tensor("z3", INT4, integers(-8, 8, 9, 96)),
        tensor("w4", UINT4, integers(0, 16, 96, 50)),
        tensor("s4", FLOAT, scales(50)), tensor("z4", UINT4, integers(0, 16, 50)),
    ]
    nodes = [
        dequantize("f1", "w1", "s1", "z1", axis=0),
        helper.make_node("Conv", ["x", "f1"], ["c1"], strides=[2, 2], pads=[3, 3, 3, 3]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        dequantize("f2", "w2", "s2", "z2"),
        helper.make_node("Conv", ["r1", "f2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c2"], ["p"]),
        helper.make_node("Flatten", ["p"], ["flat"]),
        dequantize("f3", "w3", "s3", "z3", axis=0, block_size=8),
        helper.make_node("MatMul", ["flat", "f3"], ["m3"]),
        dequantize("f4", "w4", "s4", "z4", axis=1),
        helper.make_node("MatMul", ["m3", "f4"], ["y"]),
    ]
    return save(path, nodes, [value("x", FLOAT, ["n", 3, 19, 19])], [value("y", FLOAT, ["n", 50])],
                initializers, external)


@pytest.mark.parametrize("external", [False, True])
def test_dequantized_weights(tmp_path, external):
    path = save_chain(tmp_path / "m.onnx", external)
    x = RANDOM.standard_normal((2, 3, 19, 19), np.float32)
    [optimized] = results(path, {"x": x})
    [plain] = results(path, {"x": x}, opt_level=0, output=tmp_path / "plain.so")
    [expected] = reference(path, {"x": x})
    # Sums of 96 and more products, in other orders.
    tolerance = 1e-6 * np.abs(expected).max()
    np.testing.assert_allclose(optimized, plain, rtol=0, atol=tolerance)
    np.testing.assert_allclose(optimized, expected, rtol=0, atol=tolerance)


def test_no_kernel_widens_a_filter(tmp_path):
    """Convolutions, products and what is between them: no kernel reads a weight that is
    not of floats."""
    found, manifest = narrow_arguments(save_chain(tmp_path / "m.onnx"))
    assert not found
    assert len(manifest["kernels"]) <= 6  # and layout at the input, the average


CASTS = [(a, b) for a in ("float32", "float16", "bfloat16", "int8", "uint8", "int32")
         for b in ("float32", "float16", "bfloat16", "int8", "int32", "bool") if a != b]


@pytest.mark.parametrize("source,target", CASTS)
def test_casts_have_the_same_bits(tmp_path, source, target):
    """y = x + 0 reads a converted weight of more elements than are folded small."""
    import ml_dtypes
    dtype = {"bfloat16": ml_dtypes.bfloat16}.get(source) or np.dtype(source)
    size = (70, 1000)
    if np.issubdtype(np.dtype(dtype), np.integer):
        data = RANDOM.integers(-100 if source != "uint8" else 0, 120, size).astype(dtype)
    else:
        data = (RANDOM.standard_normal(size) * 40).astype(dtype)
    to = {"bfloat16": TensorProto.BFLOAT16}.get(target) or helper.np_dtype_to_tensor_dtype(
        np.dtype(target))
    nodes = [helper.make_node("Cast", ["w"], ["c"], to=to),
             helper.make_node("Gather", ["c", "i"], ["y"], axis=1)]
    path = save(tmp_path / "m.onnx", nodes, [value("i", TensorProto.INT64, ["n"])],
                [value("y", to, [70, "n"])], [numpy_helper.from_array(data, "w")])
    feeds = {"i": np.arange(1000)}
    [optimized] = results(path, feeds)
    [plain] = results(path, feeds, opt_level=0, output=tmp_path / "plain.so")
    assert optimized.dtype == plain.dtype
    assert optimized.tobytes() == plain.tobytes()


def test_arithmetic_has_the_same_bits(tmp_path):
    """Sums, products, quotients and extrema of weights, transposed and repeated."""
    a, b = (RANDOM.standard_normal((300, 260), np.float32) for _ in "ab")
    c = RANDOM.standard_normal((260, 1), np.float32)
    nodes = [
        helper.make_node("Mul", ["a", "b"], ["ab"]),
        helper.make_node("Transpose", ["ab"], ["t"]),
        helper.make_node("Sub", ["t", "c"], ["s"]),
        helper.make_node("Div", ["c", "s"], ["q"]),
        helper.make_node("Abs", ["q"], ["abs"]),
        helper.make_node("Sqrt", ["abs"], ["root"]),
        helper.make_node("Concat", ["root", "t"], ["j"], axis=1),
        helper.make_node("Gather", ["j", "i"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("i", TensorProto.INT64, ["n"])],
                [value("y", FLOAT, ["n", 600])],
                [tensor("a", FLOAT, a), tensor("b", FLOAT, b), tensor("c", FLOAT, c)])
    feeds = {"i": np.array([0, 259, 7, -1])}
    [optimized] = results(path, feeds)
    [plain] = results(path, feeds, opt_level=0, output=tmp_path / "plain.so")
    np.testing.assert_array_equal(optimized, plain)
    t = (a * b).T
    with np.errstate(all="ignore"):
        expected = np.concatenate([np.sqrt(np.abs(c / (t - c))), t], 1)[feeds["i"]]
    np.testing.assert_array_equal(optimized, expected)


def test_standardized_filter(tmp_path):
    """A filter less its mean over its deviation, for each output."""
    w = RANDOM.standard_normal((48, 24, 3, 3), np.float32)
    axes = tensor("axes", TensorProto.INT64, np.array([1, 2, 3]))
    nodes = [
        helper.make_node("ReduceMean", ["w", "axes"], ["mean"]),
        helper.make_node("Sub", ["w", "mean"], ["centred"]),
        helper.make_node("Mul", ["centred", "centred"], ["square"]),
        helper.make_node("ReduceMean", ["square", "axes"], ["variance"]),
        helper.make_node("Sqrt", ["variance"], ["deviation"]),
        helper.make_node("Div", ["centred", "deviation"], ["filter"]),
        helper.make_node("Conv", ["x", "filter"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", FLOAT, [1, 24, 9, 9])],
                [value("y", FLOAT, [1, 48, 7, 7])], [tensor("w", FLOAT, w), axes])
    x = RANDOM.standard_normal((1, 24, 9, 9), np.float32)
    [optimized] = results(path, {"x": x})
    [expected] = reference(path, {"x": x})
    np.testing.assert_allclose(optimized, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    manifest = json.loads(tessera.load(tessera.compile(path)).manifest)
    assert len(manifest["kernels"]) <= 3  # to channels last, the convolution, and back


def save_table(path, product):
    """Rows of a dequantized table; with `product` logits by all of it, too."""
    random = np.random.default_rng(6)
    nodes = [dequantize("f", "w", "s", "z", axis=0),
             helper.make_node("Gather", ["f", "i"], ["rows"])]
    outputs = [value("rows", FLOAT, ["n", 64])]
    if product:
        nodes += [helper.make_node("Transpose", ["f"], ["t"]),
                  helper.make_node("MatMul", ["rows", "t"], ["logits"])]
        outputs.append(value("logits", FLOAT, ["n", 5000]))
    return save(path, nodes, [value("i", TensorProto.INT64, ["n"])], outputs,
                [tensor("w", INT8, random.integers(-128, 128, (5000, 64))),
                 tensor("s", FLOAT, random.random(5000) + 0.5),
                 tensor("z", INT8, random.integers(-9, 9, 5000))])


@pytest.mark.parametrize("product", [False, True])
def test_rows_of_a_dequantized_table(tmp_path, product):
    path = save_table(tmp_path / "m.onnx", product)
    feeds = {"i": np.array([0, 4999, -1, 17])}
    optimized = results(path, feeds)
    plain = results(path, feeds, opt_level=0, output=tmp_path / "plain.so")
    np.testing.assert_array_equal(optimized[0], plain[0])
    if product:
        np.testing.assert_allclose(optimized[1], plain[1], rtol=0,
                                   atol=1e-6 * np.abs(plain[1]).max())


def test_a_table_is_stored_once(tmp_path):
    """In bytes where only rows are read, in floats where a product reads it; rows then are
    read from its panels."""
    rows = tessera.compile(save_table(tmp_path / "rows.onnx", False)).stat().st_size
    both = tessera.compile(save_table(tmp_path / "both.onnx", True)).stat().st_size
    table = 5000 * 64
    assert table < rows < 2 * table
    assert 4 * table < both < 5 * table


def test_dead_weights_are_not_stored(tmp_path):
    """`big` becomes dead when its product with nothing is folded away, `twice` holds what
    `half` made."""
    big = RANDOM.standard_normal((512, 512), np.float32)
    nodes = [
        helper.make_node("Add", ["big", "big"], ["sum"]),
        helper.make_node("Shape", ["sum"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["sizes"], to=FLOAT),
        helper.make_node("Mul", ["half", "half"], ["product"]),
        helper.make_node("MatMul", ["x", "product"], ["m"]),
        helper.make_node("ReduceSum", ["sizes"], ["total"], keepdims=0),
        helper.make_node("Add", ["m", "total"], ["y"]),
    ]
    path = save(tmp_path / "m.onnx", nodes, [value("x", FLOAT, ["n", 512])],
                [value("y", FLOAT, ["n", 512])],
                [tensor("big", FLOAT, big), tensor("half", FLOAT, big)])
    library = tessera.compile(path)
    assert big.nbytes < library.stat().st_size < 1.3 * big.nbytes
    x = RANDOM.standard_normal((3, 512), np.float32)
    [y] = tessera.load(library).run(None, {"x": x})
    np.testing.assert_allclose(y, x @ (big * big) + 1024, rtol=1e-4, atol=1e-2)
