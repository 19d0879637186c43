"""Kernels of the generic route against NumPy and ONNX's reference evaluator.

Results are compared bit by bit where nothing is rounded, else within a few units
in the last place of the accumulation: the route sums in the order of the loops,
NumPy in another.
"""

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import kernels

RNG = np.random.default_rng(7)
ELEMENT = {"f32": np.float32, "f16": np.float16, "i64": np.int64, "i32": np.int32,
           "i8": np.int8}


def tensor(shape, element):
    return "tensor<" + "".join(f"{'?' if d is None else d}x" for d in shape) + element + ">"


def kernel(arguments, result, symbols, body, yields="%y"):
    """A kernel.func: `arguments` and `result` are (name, sizes, element type),
    a size that is a string is an expression of %s0, %s1, ... `symbols` of them."""
    def dims(sizes):
        return [None if isinstance(d, str) else d for d in sizes]

    def shape(sizes):
        names = ", ".join(f"s{i}" for i in range(symbols))
        return f"affine_map<()[{names}] -> ({', '.join(map(str, sizes))})>"

    all_arguments = arguments + [("out", *result)]
    typed = [f"%{n}: {tensor(dims(s), e)}" for n, s, e in all_arguments]
    typed += [f"%s{i}: index" for i in range(symbols)]
    out = tensor(dims(result[0]), result[1])
    return f"""
      kernel.func @k({', '.join(typed)}) -> {out}
          attributes {{outputs = 1 : i64, schedules = [#kernel.generic],
                       shapes = [{', '.join(shape(s) for _, s, _ in all_arguments)}]}} {{
        {body}
        kernel.yield {yields} : {out}
      }}"""


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def onnx_op(op, inputs, **attributes):
    names = [f"x{i}" for i in range(len(inputs))]
    node = helper.make_node(op, names, ["y"], **attributes)
    return ReferenceEvaluator(node).run(None, dict(zip(names, inputs)))[0]


@pytest.mark.parametrize("rows", [0, 1, 5, 300])
def test_elementwise_with_broadcast(rows):
    run = kernels.compile(kernel(
        [("x", ("s0", 37), "f32"), ("b", (37,), "f32")], (("s0", 37), "f32"), 1, """
        %b1 = graph.broadcast_to %b sizes(%s0) : tensor<37xf32> -> tensor<?x37xf32>
        %a = arith.addf %x, %b1 : tensor<?x37xf32>
        %y = arith.mulf %a, %a : tensor<?x37xf32>"""))
    x, b = normal(rows, 37), normal(37)
    np.testing.assert_array_equal(run(x, b)[0], (x + b) * (x + b))


@pytest.mark.parametrize("source", [1, 6])
def test_broadcast_decided_at_run_time(source):
    run = kernels.compile(kernel(
        [("x", ("s0",), "f32"), ("like", ("s1",), "f32")], (("s1",), "f32"), 2, """
        %b = graph.broadcast_to %x sizes(%s1) : tensor<?xf32> -> tensor<?xf32>
        %y = arith.addf %b, %like : tensor<?xf32>"""))
    x, like = normal(source), normal(6)
    np.testing.assert_array_equal(run(x, like)[0], x + like)


def test_booleans_are_bytes():
    run = kernels.compile(kernel(
        [("x", ("s0",), "f32"), ("m", ("s0",), "i8")], (("s0",), "i8"), 1, """
        %b = arith.trunci %m : tensor<?xi8> to tensor<?xi1>
        %c = arith.cmpf olt, %x, %x : tensor<?xf32>
        %n = arith.ori %b, %c : tensor<?xi1>
        %y = arith.extui %n : tensor<?xi1> to tensor<?xi8>"""))
    x, m = normal(70), RNG.integers(0, 2, 70).astype(np.int8)
    np.testing.assert_array_equal(run(x, m)[0], m)


@pytest.mark.parametrize("rows, columns", [(0, 3), (1, 1), (7, 30), (200, 513)])
@pytest.mark.parametrize("axis", [0, 1])
def test_sums(rows, columns, axis):
    kept = f"s{1 - axis}"
    run = kernels.compile(kernel(
        [("x", ("s0", "s1"), "f32")], ((kept,), "f32"), 2, f"""
        %zero = arith.constant 0.0 : f32
        %e = tensor.empty(%{kept}) : tensor<?xf32>
        %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
        %y = linalg.reduce {{ arith.addf }} ins(%x : tensor<?x?xf32>)
          outs(%f : tensor<?xf32>) dimensions = [{axis}]"""))
    x = normal(rows, columns)
    np.testing.assert_allclose(run(x)[0], x.sum(axis), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("rows", [1, 65])
def test_product_with_packed_weights(rows):
    run = kernels.compile(kernel(
        [("x", ("s0", 48), "f32"), ("w", (3, 48, 16), "f32")], (("s0", 40), "f32"), 1, """
        %zero = arith.constant 0.0 : f32
        %u = tensor.empty() : tensor<48x40xf32>
        %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1]
          inner_tiles = [16] into %u : tensor<3x48x16xf32> -> tensor<48x40xf32>
        %e = tensor.empty(%s0) : tensor<?x40xf32>
        %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x40xf32>) -> tensor<?x40xf32>
        %y = linalg.matmul ins(%x, %b : tensor<?x48xf32>, tensor<48x40xf32>)
          outs(%f : tensor<?x40xf32>) -> tensor<?x40xf32>"""))
    x, w = normal(rows, 48), normal(48, 48)
    packed = np.ascontiguousarray(w.reshape(48, 3, 16).transpose(1, 0, 2))
    np.testing.assert_allclose(run(x, packed)[0], x @ w[:, :40], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("index_type", ["i32", "i64"])
def test_gather_wraps_and_clamps(index_type):
    run = kernels.compile(kernel(
        [("d", (3, "s0", 4), "f32"), ("i", (2, 5), index_type)], ((3, 2, 5, 4), "f32"), 1, f"""
        %y = graph.gather %d[%i] axis 1
          : tensor<3x?x4xf32>, tensor<2x5x{index_type}> -> tensor<3x2x5x4xf32>"""))
    data = normal(3, 6, 4)
    index = np.array([[0, 5, -1, -6, 3], [7, -9, 2, 1, 4]], ELEMENT[index_type])
    expected = np.clip(np.where(index < 0, index + 6, index), 0, 5)
    np.testing.assert_array_equal(run(data, index)[0], np.take(data, expected, 1))


def test_gather_from_panels():
    """Rows of a table whose transpose is packed, too large for the stack."""
    run = kernels.compile(kernel(
        [("p", (63, 24, 16), "f32"), ("i", ("s0",), "i64")], (("s0", 24), "f32"), 1, """
        %c_e = tensor.empty() : tensor<24x1003xf32>
        %c = linalg.unpack %p outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16]
          into %c_e : tensor<63x24x16xf32> -> tensor<24x1003xf32>
        %t_e = tensor.empty() : tensor<1003x24xf32>
        %t = linalg.transpose ins(%c : tensor<24x1003xf32>) outs(%t_e : tensor<1003x24xf32>)
          permutation = [1, 0]
        %y = graph.gather %t[%i] axis 0
          : tensor<1003x24xf32>, tensor<?xi64> -> tensor<?x24xf32>"""))
    table = np.zeros((63 * 16, 24), np.float32)
    table[:1003] = normal(1003, 24)
    panels = table.reshape(63, 16, 24).transpose(0, 2, 1)
    index = np.array([0, 1002, -1, -1003, 17, 500])
    np.testing.assert_array_equal(run(panels, index)[0], table[:1003][index])


@pytest.mark.parametrize(
    "how", ["#kernel.generic", "#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>"])
@pytest.mark.parametrize("taps, channels", [(1, 7), (2, 5)])
def test_panels_of_groups(how, taps, channels):
    """Groups of 4 channels, the last one not full, in panels of 32 columns."""
    groups, columns = -(-channels // 4), 40
    panels = (2, groups, 32, 4) if taps == 1 else (2, taps, groups, 32, 4)
    shape = (channels, columns) if taps == 1 else (taps, channels, columns)
    packed = "x".join(map(str, panels)) + "xi8"
    plain = "x".join(map(str, shape)) + "xi8"
    order, inner = ("[1, 0]", "[1, 0]") if taps == 1 else ("[2, 0, 1]", "[2, 1]")
    run = kernels.compile(kernel([("p", panels, "i8")], (shape, "i8"), 0, f"""
        %e = tensor.empty() : tensor<{plain}>
        %u = linalg.unpack %p outer_dims_perm = {order} inner_dims_pos = {inner}
          inner_tiles = [32, 4] into %e : tensor<{packed}> -> tensor<{plain}>
        %y = arith.addi %u, %u : tensor<{plain}>""").replace("#kernel.generic", how))
    w = RNG.integers(-128, 128, (taps, channels, columns)).astype(np.int8)
    full = np.zeros((taps, groups * 4, 64), np.int8)
    full[:, :channels, :columns] = w
    p = full.reshape(taps, groups, 4, 2, 32).transpose(3, 0, 1, 4, 2)
    p = np.ascontiguousarray(p.reshape(panels))
    np.testing.assert_array_equal(run(p)[0], (w + w).reshape(shape))


def test_reverse_and_iota():
    run = kernels.compile(kernel(
        [("x", ("s0", 5), "i64")], (("s0", 5), "i64"), 1, """
        %r = graph.reverse %x [0, 1] : tensor<?x5xi64>
        %i = graph.iota 1 sizes(%s0) : tensor<?x5xi64>
        %y = arith.addi %r, %i : tensor<?x5xi64>"""))
    x = RNG.integers(-9, 9, (7, 5))
    np.testing.assert_array_equal(run(x)[0], x[::-1, ::-1] + np.arange(5))


@pytest.mark.parametrize("rows", [0, 4])
def test_reshape(rows):
    run = kernels.compile(kernel(
        [("x", ("s0", 6), "f32")], ((3, "s0 * 2"), "f32"), 1, """
        %two = arith.constant 2 : index
        %n = arith.muli %s0, %two : index
        %y = graph.reshape %x sizes(%n) : tensor<?x6xf32> -> tensor<3x?xf32>"""))
    x = normal(rows, 6)
    np.testing.assert_array_equal(run(x)[0], x.reshape(3, rows * 2))


def test_join():
    run = kernels.compile(kernel(
        [("a", ("s0", 4), "f32"), ("b", ("s0", 3), "f32")], (("s0", 7), "f32"), 1, """
        %y = tensor.concat dim(1) %a, %b
          : (tensor<?x4xf32>, tensor<?x3xf32>) -> tensor<?x7xf32>"""))
    a, b = normal(11, 4), normal(11, 3)
    np.testing.assert_array_equal(run(a, b)[0], np.concatenate([a, b], 1))


def test_transpose_of_slice():
    run = kernels.compile(kernel(
        [("x", ("s0", 9), "f32")], ((4, "s0"), "f32"), 1, """
        %s = tensor.extract_slice %x[0, 1] [%s0, 4] [1, 2] : tensor<?x9xf32> to tensor<?x4xf32>
        %e = tensor.empty(%s0) : tensor<4x?xf32>
        %y = linalg.transpose ins(%s : tensor<?x4xf32>) outs(%e : tensor<4x?xf32>)
          permutation = [1, 0]"""))
    x = normal(70, 9)
    np.testing.assert_array_equal(run(x)[0], x[:, 1:9:2].T)


def test_padding():
    run = kernels.compile(kernel(
        [("x", ("s0", 3), "f32")], (("s0 + 3", 4), "f32"), 1, """
        %v = arith.constant 2.5 : f32
        %y = tensor.pad %x low[1, 0] high[2, 1] {
        ^bb0(%i: index, %j: index):
          tensor.yield %v : f32
        } : tensor<?x3xf32> to tensor<?x4xf32>"""))
    x = normal(5, 3)
    expected = np.pad(x, ((1, 2), (0, 1)), constant_values=2.5)
    np.testing.assert_array_equal(run(x)[0], expected)


def test_softmax_on_the_stack():
    run = kernels.compile(kernel([("x", (6, 33), "f32")], ((6, 33), "f32"), 0, """
        %e = tensor.empty() : tensor<6x33xf32>
        %y = linalg.softmax dimension(1) ins(%x : tensor<6x33xf32>)
          outs(%e : tensor<6x33xf32>) -> tensor<6x33xf32>"""))
    x = normal(6, 33) * 20
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    np.testing.assert_allclose(run(x)[0], e / e.sum(1, keepdims=True), rtol=2e-6, atol=1e-9)


@pytest.mark.parametrize("kind, last", [("max", False), ("max", True), ("min", False)])
def test_arg_reduce(kind, last):
    run = kernels.compile(kernel(
        [("x", ("s0", "s1"), "f32")], (("s0",), "i64"), 2, f"""
        %y = graph.arg_reduce {kind} %x dimension 1 {"last" if last else ""}
          : tensor<?x?xf32> -> tensor<?xi64>"""))
    x = RNG.integers(0, 4, (9, 40)).astype(np.float32)
    x[3, 7] = np.nan
    x[3, 20] = np.nan
    by = {"max": np.argmax, "min": np.argmin}[kind]
    expected = 39 - by(x[:, ::-1], 1) if last else by(x, 1)
    np.testing.assert_array_equal(run(x)[0], expected)


def to_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("pads, strides, dilations", [
    ([0, 0, 0, 0], [1, 1], [1, 1]), ([1, 2, 0, 1], [2, 1], [1, 2])])
def test_convolution(groups, pads, strides, dilations):
    size = [f"(s0 + {pads[0] + pads[2] - 2 * dilations[0] - 1}) floordiv {strides[0]} + 1",
            10 + pads[1] + pads[3] - dilations[1]]
    run = kernels.compile(kernel(
        [("x", (2, "s0", 10, 6), "f32"), ("w", (3, 2, 6 // groups, 12), "f32")],
        ((2, *size, 12), "f32"), 1, f"""
        %y = graph.conv %x, %w strides {strides} dilations {dilations}
          pads {pads[:2]}, {pads[2:]} groups {groups}
          : tensor<2x?x10x6xf32>, tensor<3x2x{6 // groups}x12xf32> -> tensor<2x?x{size[1]}x12xf32>"""))
    x, w = normal(2, 6, 9, 10), normal(12, 6 // groups, 3, 2)
    expected = onnx_op("Conv", [x, w], group=groups, pads=pads, strides=strides,
                       dilations=dilations)
    got = run(to_last(x), np.ascontiguousarray(w.transpose(2, 3, 1, 0)))[0]
    np.testing.assert_allclose(got, to_last(expected), rtol=1e-5, atol=1e-5)


def test_narrow_convolution_accumulates_in_f32():
    run = kernels.compile(kernel(
        [("x", (1, 40, 64), "f16"), ("w", (3, 64, 8), "f16")], ((1, 38, 8), "f32"), 0, """
        %y = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
          : tensor<1x40x64xf16>, tensor<3x64x8xf16> -> tensor<1x38x8xf32>"""))
    x, w = normal(1, 64, 40, dtype=np.float16), normal(8, 64, 3, dtype=np.float16)
    expected = onnx_op("Conv", [x.astype(np.float64), w.astype(np.float64)])
    got = run(to_last(x), np.ascontiguousarray(w.transpose(2, 1, 0)))[0]
    np.testing.assert_allclose(got, to_last(expected), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", ["max", "average", "average_with_padding"])
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("element", ["f32", "f16"])
def test_pooling(kind, ceil, element):
    out = 6 if ceil else 5
    run = kernels.compile(kernel(
        [("x", (2, 10, 9, 5), element)], ((2, out, 9, 5), element), 0, f"""
        %y = graph.pool {kind} %x kernel [3, 3] strides [2, 1] dilations [1, 1]
          pads [1, 1], [1, 1] {"ceil" if ceil else ""}
          : tensor<2x10x9x5x{element}> -> tensor<2x{out}x9x5x{element}>"""))
    x = normal(2, 5, 10, 9, dtype=ELEMENT[element])
    window = dict(kernel_shape=[3, 3], strides=[2, 1], pads=[1, 1, 1, 1], ceil_mode=int(ceil))
    if kind == "max":
        expected = onnx_op("MaxPool", [x.astype(np.float32)], **window)
    else:
        expected = onnx_op("AveragePool", [x.astype(np.float32)],
                           count_include_pad=int(kind != "average"), **window)
    tolerance = dict(rtol=1e-3, atol=1e-4) if element == "f16" else dict(rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(to_last(x))[0], to_last(expected), **tolerance)


def test_size_split_in_two_unknown_ones():
    run = kernels.compile(kernel(
        [("x", ("s0 * s1", 5), "f32")], (("s1", "s0", 5), "f32"), 2, """
        %e = tensor.expand_shape %x [[0, 1], [2]] output_shape [%s0, %s1, 5]
          : tensor<?x5xf32> into tensor<?x?x5xf32>
        %i = tensor.empty(%s1, %s0) : tensor<?x?x5xf32>
        %y = linalg.transpose ins(%e : tensor<?x?x5xf32>) outs(%i : tensor<?x?x5xf32>)
          permutation = [1, 0, 2]"""))
    x = normal(12, 5)
    result = run(x, sizes={0: 3, 1: 4})[0]
    np.testing.assert_array_equal(result, x.reshape(3, 4, 5).transpose(1, 0, 2))


def test_gather_of_booleans():
    run = kernels.compile(kernel(
        [("m", ("s0", 3), "i8"), ("i", ("s1",), "i64")], (("s1",), "i8"), 2, """
        %b = arith.trunci %m : tensor<?x3xi8> to tensor<?x3xi1>
        %c = tensor.collapse_shape %b [[0, 1]] : tensor<?x3xi1> into tensor<?xi1>
        %g = graph.gather %c[%i] axis 0 : tensor<?xi1>, tensor<?xi64> -> tensor<?xi1>
        %y = arith.extui %g : tensor<?xi1> to tensor<?xi8>"""))
    m = RNG.integers(0, 2, (40, 3)).astype(np.int8)
    i = RNG.integers(0, 120, 77)
    np.testing.assert_array_equal(run(m, i)[0], m.reshape(-1)[i])


BYTES = "%b = arith.trunci %m : tensor<?x3xi8> to tensor<?x3xi1>\n"
MOVED_BOOLEANS = {
    "broadcast decided at run time": ("""
        %c = tensor.collapse_shape %b [[0, 1]] : tensor<?x3xi1> into tensor<?xi1>
        %n = graph.broadcast_to %c sizes(%s0, %s1) : tensor<?xi1> -> tensor<?x?xi1>""",
        ("s0", "s1"), lambda m, i: np.broadcast_to(m.reshape(-1), (len(m), len(i)))),
    "points": ("""
        %e = tensor.expand_shape %i [[0, 1]] output_shape [%s1, 1] : tensor<?xi64> into tensor<?x1xi64>
        %n = graph.gather_points %b[%e] dimensions [-1, 1] sizes(%s1)
          : tensor<?x3xi1>, tensor<?x1xi64> -> tensor<?x3xi1>""",
        ("s1", 3), lambda m, i: m[i]),
    "reverse": ("%n = graph.reverse %b [0] : tensor<?x3xi1>",
                ("s0", 3), lambda m, i: m[::-1]),
    "slice": ("""
        %c = tensor.extract_slice %b[1, 0] [2, 3] [1, 1] : tensor<?x3xi1> to tensor<2x3xi1>
        %f = tensor.collapse_shape %c [[0, 1]] : tensor<2x3xi1> into tensor<6xi1>
        %n = graph.gather %f[%i] axis 0 : tensor<6xi1>, tensor<?xi64> -> tensor<?xi1>""",
        ("s1",), lambda m, i: m[1:3].reshape(-1)[i]),
}


@pytest.mark.parametrize("name", MOVED_BOOLEANS)
def test_booleans_move_as_bytes(name):
    """At unknown sizes, where an intermediate has no place."""
    body, sizes, expected = MOVED_BOOLEANS[name]
    dims = [None if isinstance(d, str) else d for d in sizes]
    run = kernels.compile(kernel(
        [("m", ("s0", 3), "i8"), ("i", ("s1",), "i64")], (sizes, "i8"), 2, BYTES + body + f"""
        %y = arith.extui %n : {tensor(dims, "i1")} to {tensor(dims, "i8")}"""))
    m = RNG.integers(0, 2, (4, 3)).astype(np.int8)
    i = RNG.integers(0, 4, 12)
    np.testing.assert_array_equal(run(m, i)[0], expected(m, i))


@pytest.mark.parametrize("n", [1, 4])
def test_product_of_a_stepped_slice(tmp_path, n):
    """The rows of the slice lie apart, and the product merges two dimensions of it."""
    value = helper.make_tensor_value_info
    constants = {"first": [1], "last": [12], "axis": [2], "step": [2]}
    graph = helper.make_graph(
        [helper.make_node("Slice", ["x", "first", "last", "axis", "step"], ["part"]),
         helper.make_node("MatMul", ["part", "w"], ["y"])], "g",
        [value("x", TensorProto.INT64, [3, "n", 13]), value("w", TensorProto.INT64, [6, 2])],
        [value("y", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.array(numbers), name) for name, numbers in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)],
                                ir_version=8), tmp_path / "m.onnx")
    session = tessera.load(tessera.compile(tmp_path / "m.onnx"))
    x, w = RNG.integers(-9, 9, (3, n, 13)), RNG.integers(-9, 9, (6, 2))
    [y] = session.run(None, {"x": x, "w": w})
    np.testing.assert_array_equal(y, x[:, :, 1:12:2] @ w)
