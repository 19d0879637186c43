"""Products of bf16 against NumPy in double precision, by pairs where the CPU has them.

A result is the f32 sum rounded to bf16: half of its last bit, at most 2^-8, and 3e-7 of the sum
of the magnitudes for the f32 sums."""

import math
import pathlib

import ml_dtypes
import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper

BF16 = ml_dtypes.bfloat16
# Whose code is run: native code has no pairs where they gain nothing.
PAIRS = pytest.param("znver4", marks=pytest.mark.skipif(
    "avx512_bf16" not in pathlib.Path("/proc/cpuinfo").read_text(), reason="expects pairs of bf16"))
CPUS = pytest.mark.parametrize("cpu", ["native", "x86-64-v3", PAIRS])


def constant(name, value):
    return helper.make_tensor(name, TensorProto.BFLOAT16, value.shape, value.tobytes(), raw=True)


def compiled(tmp_path, nodes, inputs, constants, outputs, cpu="native"):
    graph = helper.make_graph(
        nodes, "products",
        [helper.make_tensor_value_info(n, TensorProto.BFLOAT16, shape) for n, shape in inputs],
        [helper.make_tensor_value_info(n, TensorProto.BFLOAT16, None) for n in outputs],
        constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10),
              tmp_path / "m.onnx")
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", cpu=cpu)
    return tessera.load(tmp_path / "m.so")


def check(y, product, magnitudes):
    error = np.abs(np.asarray(y, np.float64) - product)
    assert (error <= np.abs(product) * 2.0**-8 + 3e-7 * magnitudes).all()


SIZES = [(1, 1, 1), (3, 2, 40), (7, 17, 33), (13, 31, 70), (1, 64, 48), (33, 5, 1),
         (65, 701, 47), (24, 1300, 96)]


@CPUS
def test_products(tmp_path, cpu):
    chance = np.random.default_rng(1)
    nodes, inputs, constants, outputs, feeds, expected = [], [], [], [], {}, []
    for number, (rows, depth, columns) in enumerate(SIZES):
        a = chance.standard_normal((rows, depth)).astype(BF16)
        b = chance.standard_normal((depth, columns)).astype(BF16)
        inputs.append((f"a{number}", [f"m{number}" if number % 2 else rows, depth]))
        feeds[f"a{number}"] = a
        if number % 3:
            constants.append(constant(f"b{number}", b))
        else:
            inputs.append((f"b{number}", [depth, columns]))
            feeds[f"b{number}"] = b
        nodes.append(helper.make_node("MatMul", [f"a{number}", f"b{number}"], [f"y{number}"]))
        outputs.append(f"y{number}")
        wide = a.astype(np.float64), b.astype(np.float64)
        expected.append((wide[0] @ wide[1], np.abs(wide[0]) @ np.abs(wide[1])))
    model = compiled(tmp_path, nodes, inputs, constants, outputs, cpu)
    for y, (product, magnitudes) in zip(model.run(None, feeds), expected):
        check(y, product, magnitudes)


@CPUS
def test_infinities_beyond_the_depth(tmp_path, cpu):
    """What fills a last pair does not make infinities NaN."""
    a = np.array([[1, 2, np.inf]], BF16)
    b = np.array([[1] * 40, [1] * 40, [2] * 40], BF16)
    model = compiled(tmp_path, [helper.make_node("MatMul", ["a", "b"], ["y"])],
                     [("a", [1, 3])], [constant("b", b)], ["y"], cpu)
    assert np.isposinf(np.asarray(model.run(None, {"a": a})[0], np.float32)).all()


@pytest.mark.parametrize("channels, pads", [(1, 0), (3, 1), (4, 1), (5, 0), (5, 1), (8, 1)])
@CPUS
def test_convolutions(tmp_path, channels, pads, cpu):
    chance = np.random.default_rng(channels)
    x = chance.standard_normal((1, channels, 9, 14)).astype(BF16)
    w = chance.standard_normal((40, channels, 3, 3)).astype(BF16)
    model = compiled(tmp_path, [helper.make_node("Conv", ["x", "w"], ["y"], pads=[pads] * 4)],
                     [("x", x.shape)], [constant("w", w)], ["y"], cpu)
    (y,) = model.run(None, {"x": x})

    def convolved(x, w):
        x = np.pad(x, [(0, 0), (0, 0), (pads, pads), (pads, pads)])
        size = x.shape[2] - 2, x.shape[3] - 2
        return sum(np.einsum("nchw,oc->nohw", x[:, :, i:i + size[0], j:j + size[1]], w[:, :, i, j])
                   for i in range(3) for j in range(3))

    wide = x.astype(np.float64), w.astype(np.float64)
    check(y, convolved(*wide), convolved(np.abs(wide[0]), np.abs(wide[1])))


@CPUS
def test_tied_table(tmp_path, cpu):
    """Rows of a table whose transpose is a right-hand side, read from its panels."""
    words, width = 1003, 25
    table = np.random.default_rng(2).standard_normal((words, width)).astype(BF16)
    nodes = [helper.make_node("Gather", ["table", "ids"], ["rows"]),
             helper.make_node("Transpose", ["table"], ["columns"], perm=[1, 0]),
             helper.make_node("MatMul", ["rows", "columns"], ["y"]),
             helper.make_node("MatMul", ["x", "columns"], ["z"])]
    graph = helper.make_graph(
        nodes, "tied",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [5]),
         helper.make_tensor_value_info("x", TensorProto.BFLOAT16, [64, width])],
        [helper.make_tensor_value_info(n, TensorProto.BFLOAT16, None) for n in "yz"],
        [constant("table", table)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10),
              tmp_path / "m.onnx")
    library = tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", cpu=cpu)
    assert library.stat().st_size < 1.9 * table.nbytes
    ids = np.array([0, words - 1, -1, -words, 17])
    x = np.zeros((64, width), BF16)
    y, _ = tessera.load(library).run(None, {"ids": ids, "x": x})
    rows, columns = table.astype(np.float64)[ids], table.astype(np.float64).T
    check(y, rows @ columns, np.abs(rows) @ np.abs(columns))


def test_pairs_are_used_where_they_gain(tmp_path):
    b = np.ones((64, 48), BF16)
    nodes = [helper.make_node("MatMul", ["a", "b"], ["y"])]
    compiled(tmp_path, nodes, [("a", [32, 64])], [constant("b", b)], ["y"])
    for cpu, has in [("znver4", True), ("emeraldrapids", False)]:
        tessera.compile(tmp_path / "m.onnx", tmp_path / "m.s", emit="asm", cpu=cpu)
        assert ("vdpbf16ps" in (tmp_path / "m.s").read_text()) == has


@pytest.mark.parametrize("rows", [45, "m"])
def test_epilogues(tmp_path, rows):
    """What follows a product is computed on its f32 sums, in blocks of rows and columns that the
    sizes do not fill."""
    chance = np.random.default_rng(8)
    depth, columns = 96, 80
    x = chance.standard_normal((45, depth)).astype(BF16)
    w = (chance.standard_normal((depth, columns)) / 8).astype(BF16)
    bias = chance.standard_normal(columns).astype(BF16)
    residual = chance.standard_normal((45, columns)).astype(BF16)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]),
             helper.make_node("Add", ["p", "bias"], ["b"]),
             helper.make_node("Gelu", ["b"], ["g"]),
             helper.make_node("Add", ["g", "residual"], ["y"]),
             helper.make_node("Transpose", ["y"], ["t"], perm=[1, 0])]
    model = compiled(tmp_path, nodes, [("x", [rows, depth]), ("residual", [rows, columns])],
                     [constant("w", w), constant("bias", bias)], ["y", "t"])
    y, t = model.run(None, {"x": x, "residual": residual})
    erf = np.vectorize(math.erf)
    p = x.astype(np.float64) @ w.astype(np.float64) + bias.astype(np.float64)
    wanted = p * 0.5 * (1 + erf(p / np.sqrt(2))) + residual.astype(np.float64)
    # Each of the four results is rounded to bf16.
    np.testing.assert_allclose(np.asarray(y, np.float64), wanted, atol=0.06, rtol=2.0**-7)
    np.testing.assert_array_equal(np.asarray(t, np.float32), np.asarray(y, np.float32).T)


def test_threads_give_the_same_bits(tmp_path):
    chance = np.random.default_rng(9)
    x = chance.standard_normal((150, 512)).astype(BF16)
    w = chance.standard_normal((512, 700)).astype(BF16)
    compiled(tmp_path, [helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", x.shape)],
             [constant("w", w)], ["y"])
    one, two = (tessera.load(tmp_path / "m.so", threads=threads).run(None, {"x": x})[0]
                for threads in (1, 3))
    np.testing.assert_array_equal(np.asarray(one, np.float32), np.asarray(two, np.float32))
    check(one, x.astype(np.float64) @ w.astype(np.float64),
          np.abs(x.astype(np.float64)) @ np.abs(w.astype(np.float64)))
