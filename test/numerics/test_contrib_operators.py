"""Operators of ONNX Runtime's own domain against ONNX Runtime.

Each case is a model of one operator, whose first input is given and whose others are
constants, as quantizers write them. The imported graph-state IR is evaluated by
graph_state.py. Quantized results may differ by a step where a float is near the middle
between two.
"""

import os
import pathlib
import subprocess

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graph_state

onnxruntime = pytest.importorskip("onnxruntime")

BUILD = pathlib.Path(os.environ.get(
    "TESSERA_BUILD_DIR", pathlib.Path(__file__).parents[2] / "build"))
RANDOM = np.random.default_rng(0)
f32 = np.float32


def levels(dtype, *shape):
    limits = np.iinfo(dtype)
    return RANDOM.integers(limits.min, limits.max + 1, shape).astype(dtype)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(f32)


def case(op_type, inputs, outputs=1, given=1, domain="com.microsoft", **attributes):
    """`inputs` are arrays, or None for omitted ones; the first `given` are inputs of the
    model. `outputs`: their number, or for each whether it is wanted."""
    wanted = [True] * outputs if isinstance(outputs, int) else outputs
    names = [f"i{i}" if array is not None else "" for i, array in enumerate(inputs)]
    node = helper.make_node(
        op_type, names, [f"o{i}" if want else "" for i, want in enumerate(wanted)],
        domain=domain, name="tested", **attributes)
    ports, constants, feeds = [], [], {}
    for name, array in zip(names, inputs):
        if array is None:
            continue
        array = np.asarray(array)
        if len(feeds) < given:
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            ports.append(helper.make_tensor_value_info(name, kind, array.shape))
            feeds[name] = array
        else:
            constants.append(numpy_helper.from_array(array, name))
    results = [helper.make_empty_tensor_value_info(f"o{i}") for i, want in enumerate(wanted) if want]
    model = helper.make_model(
        helper.make_graph([node], "one", ports, results, constants),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)],
        ir_version=10)
    return model, feeds


def one_of_bytes(dtype, *shape):
    """Inputs of an operator of one tensor: bytes, scale and zero point, and those of the
    result."""
    zero = np.array(3 if dtype == np.int8 else 120, dtype)
    return [levels(dtype, *shape), f32(0.05), zero, f32(0.0307), np.array(5, dtype)]


def two_of_bytes(dtype):
    zero = np.array(2 if dtype == np.int8 else 130, dtype)
    return [levels(dtype, 3, 5, 7), f32(0.02), zero, levels(dtype, 5, 1), f32(0.03), zero,
            f32(0.05), zero]


def attention_mask(rank):
    lengths = np.array([4, 6], np.int32)
    if rank == 1:
        return lengths
    seen = (np.arange(6) < lengths[:, None]).astype(np.int32)
    return seen if rank == 2 else np.repeat(seen[:, None], 6, axis=1)


def packed_weights(bits, depth, columns, block, zero_points):
    """Inputs B, scales and zero points of MatMulNBits."""
    blocks = -(-depth // block)
    scales = (0.02 + 0.01 * RANDOM.random((columns, blocks))).astype(f32)
    weights = [levels(np.uint8, columns, blocks, block * bits // 8), scales]
    if zero_points == "packed":
        weights.append(levels(np.uint8, columns, -(-blocks * bits // 8)))
    elif zero_points == "float":
        weights.append(RANDOM.integers(0, 1 << bits, (columns, blocks)).astype(f32))
    return weights


def packed_products():
    for bits, zero_points in ((2, "none"), (2, "packed"), (4, "none"), (4, "packed"),
                              (4, "float"), (8, "none"), (8, "packed")):
        weights = packed_weights(bits, 40, 9, 16, zero_points)
        yield f"MatMulNBits-{bits}-{zero_points}", case(
            "MatMulNBits", [floats(2, 3, 40), *weights], K=40, N=9, bits=bits, block_size=16)
    # With groups ONNX Runtime 1.32 takes packed zero points for none.
    groups = RANDOM.permutation(np.arange(40) // 16).astype(np.int32)
    for zero_points in ("none", "float"):
        weights = packed_weights(4, 40, 9, 16, zero_points)
        weights += [None] * (zero_points == "none")
        yield f"MatMulNBits-groups-{zero_points}", case(
            "MatMulNBits", [floats(3, 40), *weights, groups], K=40, N=9, bits=4, block_size=16)
    weights = packed_weights(4, 40, 9, 16, "packed")
    yield "MatMulNBits-bias", case(
        "MatMulNBits", [floats(3, 40), *weights, None, floats(9)], K=40, N=9, bits=4,
        block_size=16)
    # More bytes than what is kept in the module: the weights stay in their file.
    for bits in (2, 4, 8):
        yield f"MatMulNBits-{bits}-in-file", case(
            "MatMulNBits", [floats(2, 96), *packed_weights(bits, 96, 64, 32, "packed")],
            K=96, N=64, bits=bits, block_size=32)


def gathers():
    indices = np.array([[0, 3, 6], [2, 2, 1]], np.int64)
    for bits, has_zeros in ((4, False), (4, True), (8, False), (8, True)):
        scales = (0.02 + 0.01 * RANDOM.random((7, 2))).astype(f32)
        table = levels(np.uint8, 7, 32 * bits // 8)
        zeros = levels(np.uint8, 7, -(-2 * bits // 8)) if has_zeros else None
        inputs = [table, indices, scales] + ([zeros] if has_zeros else [])
        model, feeds = case("GatherBlockQuantized", inputs, given=2, gather_axis=0,
                            quantize_axis=1, block_size=16, bits=bits)
        # The table is the constant.
        kept = next(v for v in model.graph.input if v.name == "i0")
        model.graph.input.remove(kept)
        model.graph.initializer.append(numpy_helper.from_array(feeds.pop("i0"), "i0"))
        yield f"GatherBlockQuantized-{bits}-{has_zeros}", (model, feeds)


def quantized_operators():
    for dtype in (np.uint8, np.int8):
        name = np.dtype(dtype).name
        yield f"QLinearAdd-{name}", case("QLinearAdd", two_of_bytes(dtype))
        yield f"QLinearMul-{name}", case("QLinearMul", two_of_bytes(dtype))
        for op_type in ("QLinearSigmoid", "QLinearLeakyRelu"):
            yield f"{op_type}-{name}", case(op_type, one_of_bytes(dtype, 3, 5, 9))
        yield f"QLinearAveragePool-{name}", case(
            "QLinearAveragePool", one_of_bytes(dtype, 2, 3, 7, 9), kernel_shape=[3, 2],
            strides=[2, 1], pads=[1, 0, 1, 1])
        yield f"QLinearGlobalAveragePool-{name}", case(
            "QLinearGlobalAveragePool", one_of_bytes(dtype, 2, 3, 7, 9))
        left, right = one_of_bytes(dtype, 2, 3, 5), one_of_bytes(dtype, 2, 4, 5)
        yield f"QLinearConcat-{name}", case(
            "QLinearConcat", [f32(0.07), np.array(4, dtype), *left[:3], *right[:3]], axis=1)
    yield "QLinearLeakyRelu-alpha", case(
        "QLinearLeakyRelu", one_of_bytes(np.uint8, 4, 5), alpha=0.3)
    yield "QLinearAveragePool-last", case(
        "QLinearAveragePool", one_of_bytes(np.uint8, 2, 7, 9, 3), kernel_shape=[3, 2],
        channels_last=1)
    yield "QLinearGlobalAveragePool-last", case(
        "QLinearGlobalAveragePool", one_of_bytes(np.uint8, 2, 7, 9, 3), channels_last=1)
    yield "NhwcMaxPool", case(
        "NhwcMaxPool", [levels(np.uint8, 2, 7, 9, 3)], kernel_shape=[3, 2], strides=[2, 1],
        pads=[1, 0, 1, 1])
    kernel = [levels(np.int8, 6, 4, 3, 3), (0.01 + 0.01 * RANDOM.random(6)).astype(f32),
              np.zeros(6, np.int8), f32(0.5), np.array(110, np.uint8),
              RANDOM.integers(-999, 999, 6).astype(np.int32)]
    yield "QLinearConv-last", case(
        "QLinearConv", [levels(np.uint8, 2, 7, 9, 4), f32(0.02), np.array(131, np.uint8), *kernel],
        channels_last=1, pads=[1, 1, 1, 1])
    soft = one_of_bytes(np.uint8, 2, 3, 8)
    soft[3:] = [f32(1 / 256), np.array(0, np.uint8)]
    yield "QLinearSoftmax-13", case("QLinearSoftmax", soft, axis=1, opset=13)
    yield "QLinearSoftmax-12", case("QLinearSoftmax", soft, axis=1, opset=12)
    where = one_of_bytes(np.uint8, 3, 5)
    yield "QLinearWhere", case(
        "QLinearWhere", [RANDOM.random((3, 5)) < 0.5, *where[:3], levels(np.uint8, 5), f32(0.02),
                         np.array(9, np.uint8), f32(0.06), np.array(100, np.uint8)])
    yield "QuantizeLinear", case(
        "QuantizeLinear", [3 * floats(4, 6), np.full(6, 0.01, f32), levels(np.int16, 6)], axis=1)
    yield "DequantizeLinear", case(
        "DequantizeLinear", [levels(np.uint16, 4, 6), f32(0.01), np.array(300, np.uint16)])


def integer_products():
    a, b = levels(np.uint8, 4, 6), levels(np.int8, 6, 5)
    scales = (0.01 + 0.01 * RANDOM.random(5)).astype(f32)
    gemm = [a, f32(0.02), np.array(121, np.uint8), b, scales, np.zeros(5, np.int8)]
    bias = RANDOM.integers(-999, 999, 5).astype(np.int32)
    result = [f32(0.04), np.array(99, np.uint8)]
    yield "QGemm", case("QGemm", [*gemm, bias, *result])
    yield "QGemm-no-bias", case("QGemm", [*gemm, None, *result])
    yield "QGemm-float", case("QGemm", [*gemm, bias])
    turned = [a.T.copy(), *gemm[1:3], b.T.copy(), *gemm[4:]]
    yield "QGemm-turned", case(
        "QGemm", [*turned, bias, *result], transA=1, transB=1, alpha=0.5)
    for kind in (np.int8, np.uint8):
        name = np.dtype(kind).name
        weights = levels(kind, 6, 5)
        zero = np.array(3 if kind == np.int8 else 127, kind)
        yield f"DynamicQuantizeMatMul-{name}", case(
            "DynamicQuantizeMatMul", [floats(2, 4, 6), weights, f32(0.02), zero, floats(5)])
        yield f"MatMulIntegerToFloat-{name}", case(
            "MatMulIntegerToFloat",
            [a, weights, f32(0.02), scales, np.array(121, np.uint8), None, floats(5)])
    yield "DynamicQuantizeMatMul-columns", case(
        "DynamicQuantizeMatMul", [floats(4, 6), b, scales])


def norms():
    x, skipped = floats(2, 5, 8), floats(2, 5, 8)
    yield "SkipLayerNormalization", case(
        "SkipLayerNormalization", [x, skipped, floats(8), floats(8), floats(8)],
        outputs=[True, False, False, True], given=2)
    yield "SkipSimplifiedLayerNormalization", case(
        "SkipSimplifiedLayerNormalization", [x, skipped, floats(8)], given=2, epsilon=1e-5)
    ids = RANDOM.integers(0, 9, (2, 5)).astype(np.int32)
    segments = RANDOM.integers(0, 2, (2, 5)).astype(np.int32)
    tables = [floats(9, 8), floats(6, 8), floats(2, 8), floats(8), floats(8)]
    mask = attention_mask(2)[:, :5].copy()
    yield "EmbedLayerNormalization", case(
        "EmbedLayerNormalization", [ids, segments, *tables, mask], outputs=2, given=2)
    yield "EmbedLayerNormalization-plain", case(
        "EmbedLayerNormalization", [ids, None, *tables[:2], None, *tables[3:]], outputs=2)
    quantized = [levels(np.uint8, *table.shape) for table in tables]
    numbers = [f32(0.01 + 0.01 * i) for i in range(5)]
    zeros = [np.array(120 + i, np.uint8) for i in range(5)]
    yield "QEmbedLayerNormalization", case(
        "QEmbedLayerNormalization", [ids, segments, *quantized, mask, *numbers, *zeros],
        outputs=2, given=2)


def fused():
    x = floats(2, 5, 8)
    yield "Gelu", case("Gelu", [x])
    yield "FastGelu", case("FastGelu", [x])
    yield "FastGelu-bias", case("FastGelu", [x, floats(8)])
    yield "BiasGelu", case("BiasGelu", [x, floats(8)])
    yield "QuickGelu", case("QuickGelu", [x], alpha=1.5)
    yield "FusedMatMul", case("FusedMatMul", [x, floats(2, 6, 8)], transB=1, alpha=0.25)
    yield "FusedMatMul-batches", case(
        "FusedMatMul", [floats(5, 2, 3, 8), floats(2, 3, 8, 6)], transBatchA=1)
    yield "TransposeMatMul", case("TransposeMatMul", [floats(2, 8, 5), floats(2, 8, 6)], transA=1)
    for name, parameters in (("Relu", {}), ("LeakyRelu", {"activation_alpha": 0.2}),
                             ("Tanh", {}), ("Sigmoid", {})):
        yield f"FusedGemm-{name}", case(
            "FusedGemm", [floats(4, 6), floats(5, 6), floats(5)], transB=1, alpha=0.5,
            activation=name, **parameters)
    image, filters = floats(2, 4, 6, 7), floats(6, 4, 3, 3)
    shape = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    yield "FusedConv-Relu", case("FusedConv", [image, filters, floats(6)], activation="Relu", **shape)
    yield "FusedConv-Clip", case(
        "FusedConv", [image, filters, floats(6)], activation="Clip",
        activation_params=[0.0, 1.5], **shape)
    yield "FusedConv-sum", case(
        "FusedConv", [image, filters, floats(6), floats(2, 6, 6, 7)], activation="Relu", **shape)


def attentions():
    x, weights, bias = floats(2, 6, 8), 0.5 * floats(8, 24), floats(24)
    past = floats(2, 2, 2, 3, 4)
    for rank in (1, 2, 3):
        yield f"Attention-mask{rank}", case(
            "Attention", [x, weights, bias, attention_mask(rank)], num_heads=2)
    yield "Attention-causal", case("Attention", [x, weights, bias], num_heads=2, unidirectional=1)
    yield "Attention-past", case(
        "Attention", [x, weights, bias, None, past], outputs=2, num_heads=2, unidirectional=1)
    yield "Attention-bias", case(
        "Attention", [x, weights, bias, None, None, floats(1, 2, 6, 6)], num_heads=2, scale=0.3)
    a, w = levels(np.uint8, 2, 6, 8), levels(np.int8, 8, 24)
    yield "QAttention", case(
        "QAttention", [a, w, bias, f32(0.01), f32(0.02), attention_mask(2), np.array(120, np.uint8),
                       np.array(0, np.int8)], num_heads=2)
    queries, keys, values = floats(2, 6, 8), floats(2, 7, 8), floats(2, 7, 12)
    yield "MultiHeadAttention", case(
        "MultiHeadAttention", [queries, keys, values], given=3, num_heads=2)
    yield "MultiHeadAttention-bias", case(
        "MultiHeadAttention", [queries, floats(2, 6, 8), floats(2, 6, 8), floats(24),
                               attention_mask(2)], given=3, num_heads=2)
    yield "MultiHeadAttention-past", case(
        "MultiHeadAttention", [queries, floats(2, 6, 8), floats(2, 6, 8), None, None,
                               floats(1, 2, 6, 9), floats(2, 2, 3, 4), floats(2, 2, 3, 4)],
        outputs=3, given=3, num_heads=2)
    yield "MultiHeadAttention-heads", case(
        "MultiHeadAttention", [queries, floats(2, 2, 7, 4), floats(2, 2, 7, 4)], given=3, num_heads=2)


def recurrent():
    hidden, size = 4, 3
    for direction, count in (("forward", 1), ("bidirectional", 2)):
        weights = levels(np.int8, count, size, 4 * hidden)
        again = levels(np.int8, count, hidden, 4 * hidden)
        scale = np.full(count, 0.004, f32)
        zero = np.zeros(count, np.int8)
        yield f"DynamicQuantizeLSTM-{direction}", case(
            "DynamicQuantizeLSTM",
            [floats(5, 2, size), weights, again, floats(count, 8 * hidden), None, None, None, None,
             scale, zero, scale, zero], outputs=3, hidden_size=hidden, direction=direction)


def cases():
    made = {}
    for family in (quantized_operators, integer_products, packed_products, gathers, norms, fused,
                   attentions, recurrent):
        made |= dict(family())
    return made


CASES = cases()
# LSTM: ONNX Runtime quantizes each step's input, so that it is farther from the floats.
TOLERANCES = {"DynamicQuantizeLSTM": 2e-2}


def import_models(folder, models):
    """Graph-state text of each model, and what the importer says."""
    paths = {}
    for name, model in models.items():
        paths[str(folder / f"{name}.onnx")] = name
        onnx.save(model, folder / f"{name}.onnx")
    # One model alone has no line with its path.
    more = list(paths)[:1] if len(paths) == 1 else []
    run = subprocess.run([BUILD / "bin/onnx-import", "--generic", "--arith", *paths, *more],
                         capture_output=True, text=True)
    texts = [part.partition("\n") for part in run.stdout.split("// ")[1:]]
    return {paths[path]: text for path, _, text in texts}, run.stderr


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    return import_models(tmp_path_factory.mktemp("models"),
                         {name: model for name, (model, _) in CASES.items()})


@pytest.mark.parametrize("name", CASES)
def test_results_are_those_of_onnx_runtime(imported, name):
    texts, errors = imported
    assert '"builtin.module"' in texts.get(name, ""), errors[:2000]
    model, feeds = CASES[name]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    expected = session.run(None, feeds)
    signless = {key: a.view(a.dtype.str.replace("u", "i")) if a.dtype.kind == "u" else a
                for key, a in feeds.items()}
    results = graph_state.parse(texts[name]).run(signless)
    for ours, theirs in zip(results, expected, strict=True):
        assert ours.shape == theirs.shape
        if theirs.dtype.kind in "iu":
            steps = ours.view(theirs.dtype).astype(int) - theirs.astype(int)
            assert np.abs(steps).max() <= 1
            assert np.count_nonzero(steps) <= 0.02 * steps.size
            continue
        tolerance = TOLERANCES.get(name.split("-")[0], 1e-5)
        assert np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(theirs).max())


def test_mean_of_bytes(tmp_path):
    """ONNX Runtime has no kernel of it for CPUs."""
    x, scale, zero, to_scale, to_zero = one_of_bytes(np.int8, 3, 5, 6)
    model, feeds = case("QLinearReduceMean", [x, scale, zero, to_scale, to_zero], axes=[1, 2],
                        keepdims=0)
    texts, errors = import_models(tmp_path, {"mean": model})
    assert "mean" in texts, errors
    [ours] = graph_state.parse(texts["mean"]).run(feeds)
    mean = ((x.astype(f32) - f32(zero)) * scale).mean((1, 2), dtype=np.float64)
    np.testing.assert_array_equal(ours, np.rint(mean / to_scale + to_zero).clip(-128, 127))


def test_fake_quantize(tmp_path):
    """OpenVINO's formula: levels of the input range as numbers of the output range."""
    x = np.concatenate([np.linspace(-3, 3, 97), [0.125, -0.125]]).astype(f32)
    low, high, out_low, out_high = (f32(v) for v in (-1.5, 2.25, -1.0, 2.75))
    model, feeds = case("FakeQuantize", [x, low, high, out_low, out_high],
                        domain="org.openvinotoolkit", levels=16)
    texts, errors = import_models(tmp_path, {"fake": model})
    assert "fake" in texts, errors
    [ours] = graph_state.parse(texts["fake"]).run(feeds)
    level = np.rint((x - low) / (high - low) * f32(15)) / f32(15)
    expected = np.where(x <= low, out_low, np.where(
        x > high, out_high, level * (out_high - out_low) + out_low))
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


def test_quantization_of_tensorrt(tmp_path):
    """A float8 and back; levels of 4 bits in blocks."""
    x = floats(4, 32)
    nodes = [
        helper.make_node("TRT_FP8QuantizeLinear", ["x", "one"], ["q"], domain="trt"),
        helper.make_node("TRT_FP8DequantizeLinear", ["q", "one"], ["y"], domain="trt"),
        helper.make_node("TRT_FP8DequantizeLinear", ["bytes", "one"], ["z"], domain="trt"),
        helper.make_node("TRT_INT4QuantizeLinear", ["x", "blocks"], ["r"], domain="trt", axis=1,
                         block_size=16),
        helper.make_node("TRT_INT4DequantizeLinear", ["r", "blocks"], ["w"], domain="trt", axis=1,
                         block_size=16),
    ]
    import ml_dtypes

    scale, blocks = f32(0.05), (0.2 + 0.1 * RANDOM.random((4, 2))).astype(f32)
    float8 = (x / scale).astype(ml_dtypes.float8_e4m3fn)
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    constants = [numpy_helper.from_array(scale, "one"), numpy_helper.from_array(blocks, "blocks"),
                 numpy_helper.from_array(float8.view(np.uint8), "bytes")]
    results = [helper.make_empty_tensor_value_info(name) for name in "yzw"]
    model = helper.make_model(
        helper.make_graph(nodes, "vendor", ports, results, constants),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("trt", 1)], ir_version=8)
    texts, errors = import_models(tmp_path, {"vendor": model})
    assert "vendor" in texts, errors
    y, z, w = graph_state.parse(texts["vendor"]).run({"x": x})
    expected = float8.astype(f32) * scale
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(z, expected)
    wide = np.repeat(blocks, 16, axis=1)
    np.testing.assert_array_equal(w, np.rint(x / wide).clip(-8, 7) * wide)


def test_packed_zero_points_of_groups(tmp_path):
    """As floats they give the same, which ONNX Runtime has right."""
    groups = RANDOM.permutation(np.arange(40) // 16).astype(np.int32)
    weights, scales, packed = packed_weights(4, 40, 9, 16, "packed")
    apart = np.stack([packed & 15, packed >> 4], -1).reshape(9, -1)[:, :3].astype(f32)
    x = floats(3, 40)
    texts, errors = import_models(tmp_path, {
        name: case("MatMulNBits", [x, weights, scales, zeros, groups], K=40, N=9, bits=4,
                   block_size=16)[0]
        for name, zeros in (("packed", packed), ("apart", apart))})
    assert len(texts) == 2, errors
    [ours], [expected] = (graph_state.parse(texts[name]).run({"i0": x}) for name in ("packed", "apart"))
    np.testing.assert_array_equal(ours, expected)
