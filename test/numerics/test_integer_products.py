"""MatMulInteger, ConvInteger and the QLinear forms against NumPy in i64, wrapped to i32:
all signs and forms of zero points, sizes that fill no tile, group or vector, and
numbers at the ends of their ranges, which narrower sums would saturate."""

import itertools

import numpy as np
import onnx
import pytest
import tessera
from onnx import TensorProto, helper, numpy_helper

ELEMENT = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}
SIGNS = list(itertools.product([np.uint8, np.int8], repeat=2))
# Rows, depth, columns.
SIZES = [(1, 1, 1), (3, 2, 5), (7, 17, 33), (13, 31, 70), (1, 64, 16), (33, 5, 1), (2, 0, 3),
         (65, 70, 47), (24, 260, 96), (5, 4100, 9)]


def numbers(chance, dtype, shape):
    info = np.iinfo(dtype)
    x = chance.integers(info.min, info.max + 1, shape)
    # Ends of the range in half of the elements.
    ends = chance.choice([info.min, info.max], shape)
    return np.where(chance.random(shape) < 0.5, ends, x).astype(dtype)


def build(path, nodes, inputs, constants, outputs, kind=TensorProto.INT32):
    graph = helper.make_graph(
        nodes, "products",
        [helper.make_tensor_value_info(name, ELEMENT[dtype], shape) for name, dtype, shape in inputs],
        [helper.make_tensor_value_info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9),
              path)


# The second has no instruction for bytes.
CPUS = ["native", "x86-64-v3"]


def run(tmp_path, feeds, opt_level=3, cpu="native"):
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", opt_level=opt_level, cpu=cpu)
    return tessera.load(tmp_path / "m.so").run(None, feeds)


def wrapped(product):
    return product.astype(np.int64).astype(np.int32)


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("zeros", ["none", "one", "each", "given"])
@pytest.mark.parametrize("signs", SIGNS, ids=lambda s: "x".join(t.__name__ for t in s))
def test_products(tmp_path, signs, zeros, cpu):
    left, right = signs
    chance = np.random.default_rng(len(zeros))
    nodes, inputs, constants, outputs, feeds, expected = [], [], [], [], {}, []
    for number, (rows, depth, columns) in enumerate(SIZES):
        a, b = numbers(chance, left, (rows, depth)), numbers(chance, right, (depth, columns))
        za = numbers(chance, left, rows if zeros == "each" else ())
        zb = numbers(chance, right, columns if zeros == "each" else ())
        names = [f"a{number}", f"b{number}"]
        inputs.append((names[0], left, [f"m{number}" if number % 2 else rows, depth]))
        feeds[names[0]] = a
        # Right operands that are weights, and some that are not.
        if number % 3:
            constants.append((names[1], b))
        else:
            inputs.append((names[1], right, [depth, columns]))
            feeds[names[1]] = b
        if zeros == "none":
            za, zb = left(0), right(0)
        else:
            names += [f"za{number}", f"zb{number}"]
            for name, value, dtype in zip(names[2:], (za, zb), signs):
                if zeros == "given":
                    inputs.append((name, dtype, []))
                    feeds[name] = value
                else:
                    constants.append((name, value))
        nodes.append(helper.make_node("MatMulInteger", names, [f"y{number}"]))
        outputs.append(f"y{number}")
        za = np.reshape(za, (-1, 1)) if np.ndim(za) else za
        expected.append(wrapped((a.astype(np.int64) - za) @ (b.astype(np.int64) - zb)))
    build(tmp_path / "m.onnx", nodes, inputs, constants, outputs)
    for number, (y, wanted) in enumerate(zip(run(tmp_path, feeds, cpu=cpu), expected)):
        np.testing.assert_array_equal(y, wanted, err_msg=str(SIZES[number]))


@pytest.mark.parametrize("opt_level", [3, 0])
@pytest.mark.parametrize("signs", SIGNS, ids=lambda s: "x".join(t.__name__ for t in s))
def test_batches(tmp_path, signs, opt_level):
    chance = np.random.default_rng(3)
    shapes = [((2, 3, 9, 7), (7, 18)), ((2, 3, 9, 7), (2, 3, 7, 18)), ((3, 9, 7), (2, 1, 7, 18)),
              ((7,), (7, 18)), ((4, 9, 7), (7,))]
    nodes, inputs, feeds, expected = [], [], {}, []
    za, zb = signs[0](100), signs[1](90)
    for number, (left, right) in enumerate(shapes):
        feeds[f"a{number}"] = a = numbers(chance, signs[0], left)
        feeds[f"b{number}"] = b = numbers(chance, signs[1], right)
        inputs += [(f"a{number}", signs[0], left), (f"b{number}", signs[1], right)]
        nodes.append(helper.make_node("MatMulInteger", [f"a{number}", f"b{number}", "za", "zb"],
                                      [f"y{number}"]))
        expected.append(wrapped((a.astype(np.int64) - za) @ (b.astype(np.int64) - zb)))
    build(tmp_path / "m.onnx", nodes, inputs, [("za", np.array(za)), ("zb", np.array(zb))],
          [f"y{i}" for i in range(len(shapes))])
    for y, wanted in zip(run(tmp_path, feeds, opt_level), expected):
        np.testing.assert_array_equal(y, wanted)


def convolved(x, w, strides, dilations, pads, groups):
    """x [batch, channels, h, w], centred, in i64."""
    low, high = pads[:2], pads[2:]
    x = np.pad(x, [(0, 0), (0, 0), (low[0], high[0]), (low[1], high[1])])
    outputs, channels, kh, kw = w.shape
    size = [(x.shape[2 + i] - dilations[i] * (w.shape[2 + i] - 1) - 1) // strides[i] + 1
            for i in range(2)]
    y = np.zeros((x.shape[0], outputs, *size), np.int64)
    for group in range(groups):
        part = x[:, group * channels:(group + 1) * channels]
        filters = slice(group * outputs // groups, (group + 1) * outputs // groups)
        for i in range(kh):
            for j in range(kw):
                top, begin = i * dilations[0], j * dilations[1]
                taps = part[:, :, top:top + strides[0] * (size[0] - 1) + 1:strides[0],
                            begin:begin + strides[1] * (size[1] - 1) + 1:strides[1]]
                y[:, filters] += np.einsum("nchw,oc->nohw", taps, w[filters, :, i, j])
    return y


# Channels, outputs, groups, kernel, strides, dilations, pads.
WINDOWS = [
    (3, 20, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    (8, 33, 1, (3, 3), (2, 2), (1, 1), (1, 0, 2, 1)),
    (16, 16, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    (5, 7, 1, (1, 1), (2, 1), (1, 1), (0, 0, 0, 0)),
    (4, 18, 1, (2, 5), (1, 1), (2, 1), (0, 4, 0, 4)),
    (12, 32, 2, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    (6, 6, 6, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    (40, 40, 40, (3, 3), (2, 2), (1, 1), (0, 0, 1, 1)),
    (20, 40, 20, (5, 2), (1, 1), (1, 2), (2, 1, 2, 1)),
    # Channels that fill no group, beside panels that are full, and groups that are panels.
    (5, 40, 1, (3, 3), (1, 1), (1, 1), (1, 1, 1, 1)),
    (5, 32, 1, (3, 3), (1, 1), (1, 1), (0, 0, 0, 0)),
    (6, 64, 2, (3, 2), (1, 2), (1, 1), (1, 1, 1, 0)),
    (3, 64, 1, (7, 7), (2, 2), (1, 1), (3, 3, 3, 3)),
    (1, 9, 1, (5, 1), (1, 1), (1, 1), (0, 0, 0, 0)),
    (1, 40, 1, (3, 3), (1, 1), (1, 1), (0, 0, 0, 0)),
    (1, 9, 1, (2, 7), (1, 2), (1, 1), (0, 3, 0, 3)),
    (3, 33, 1, (5, 1), (1, 1), (1, 1), (2, 0, 2, 0)),
]


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("zeros", ["none", "one", "each"])
@pytest.mark.parametrize("signs", SIGNS, ids=lambda s: "x".join(t.__name__ for t in s))
def test_convolutions(tmp_path, signs, zeros, cpu):
    chance = np.random.default_rng(5)
    nodes, inputs, constants, feeds, expected = [], [], [], {}, []
    for number, (channels, outputs, groups, kernel, strides, dilations, pads) in enumerate(WINDOWS):
        x = numbers(chance, signs[0], (2, channels, 9, 14))
        w = numbers(chance, signs[1], (outputs, channels // groups, *kernel))
        zx, zw = signs[0](0), signs[1](0)
        names = [f"x{number}", f"w{number}"]
        if zeros != "none":
            zx = signs[0](77)
            zw = numbers(chance, signs[1], outputs if zeros == "each" else ())
            names += [f"zx{number}", f"zw{number}"]
            constants += [(names[2], np.array(zx)), (names[3], np.array(zw))]
        inputs.append((names[0], signs[0], x.shape))
        feeds[names[0]] = x
        constants.append((names[1], w))
        nodes.append(helper.make_node(
            "ConvInteger", names, [f"y{number}"], group=groups, strides=strides,
            dilations=dilations, pads=pads))
        centred = w.astype(np.int64) - np.reshape(zw, (-1, 1, 1, 1))
        expected.append(wrapped(convolved(x.astype(np.int64) - zx, centred, strides, dilations,
                                          pads, groups)))
    build(tmp_path / "m.onnx", nodes, inputs, constants, [f"y{i}" for i in range(len(WINDOWS))])
    for number, (y, wanted) in enumerate(zip(run(tmp_path, feeds, cpu=cpu), expected)):
        np.testing.assert_array_equal(y, wanted, err_msg=str(WINDOWS[number]))


@pytest.mark.parametrize("cpu", ["native", "x86-64-v3"])
@pytest.mark.parametrize("channels, groups, pads", [
    (5, 1, 0), (5, 1, 1), (8, 1, 0), (3, 1, 0), (10, 2, 0), (10, 2, 1), (1, 1, 1)])
def test_channels_last(tmp_path, channels, groups, pads, cpu):
    """The channels of neighbouring taps are one range of memory where no window leaves
    the input: groups of four reach from one tap to the next there, and nowhere else."""
    chance = np.random.default_rng(channels)
    x, w = numbers(chance, np.uint8, (2, 9, 14, channels)), numbers(
        chance, np.int8, (3, 3, channels // groups, 64))
    w.tofile(tmp_path / "w")
    shape = lambda array: "x".join(map(str, array.shape)) + "xi8"
    result = f"tensor<2x{7 + 2 * pads}x{12 + 2 * pads}x64xi32>"
    (tmp_path / "m.mlir").write_text(f"""
      graph.weights @w : tensor<{shape(w)}> from #graph.file<"{tmp_path}/w", 0, {w.nbytes}>
        as tensor<{shape(w)}>
      func.func @main(%x: tensor<{shape(x)}> {{graph.name = "x", graph.element_type = ui8}})
          -> ({result} {{graph.name = "y"}}) {{
        %w = graph.weight @w : tensor<{shape(w)}>
        %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [{pads}, {pads}],
          [{pads}, {pads}] groups {groups} unsigned
          : tensor<{shape(x)}>, tensor<{shape(w)}> -> {result}
        return %y : {result}
      }}""")
    tessera.compile(tmp_path / "m.mlir", tmp_path / "m.so", cpu=cpu)
    [y] = tessera.load(tmp_path / "m.so").run(None, {"x": x})
    wanted = convolved(x.transpose(0, 3, 1, 2).astype(np.int64),
                       w.transpose(3, 2, 0, 1).astype(np.int64), (1, 1), (1, 1), [pads] * 4, groups)
    np.testing.assert_array_equal(y, wrapped(wanted).transpose(0, 2, 3, 1))


def test_reads_of_constant_weights(tmp_path):
    """Their columns are summed at compile time: only the product reads them, in quads."""
    chance = np.random.default_rng(1)
    b = numbers(chance, np.int8, (70, 45))
    build(tmp_path / "m.onnx", [helper.make_node("MatMulInteger", ["a", "b", "za"], ["y"])],
          [("a", np.uint8, [13, 70]), ("za", np.uint8, [])], [("b", b)], ["y"])
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.mlir", emit="kernel", cpu="znver4")
    text = (tmp_path / "m.mlir").read_text()
    packed = [line for line in text.splitlines() if "xi8> from" in line]
    assert len(packed) == 1 and "tensor<2x18x32x4xi8>" in packed[0]
    assert text.count("graph.reduce") == 1 and "linalg.reduce" not in text
    assert "linalg.pack" not in text and text.count("linalg.unpack") == 1


def test_one_layout_for_each_machine(tmp_path):
    """A machine without quads reads plain bytes, beside one that has them."""
    chance = np.random.default_rng(2)
    a, b = numbers(chance, np.uint8, (9, 70)), numbers(chance, np.int8, (70, 45))
    build(tmp_path / "m.onnx", [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
          [("a", np.uint8, a.shape)], [("b", b)], ["y"])
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.so", cpu="x86-64-v3,znver4")
    [y] = tessera.load(tmp_path / "m.so").run(None, {"a": a})
    np.testing.assert_array_equal(y, wrapped(a.astype(np.int64) @ b.astype(np.int64)))


def test_leaves_the_generic_route(tmp_path):
    """On a machine with such a multiply-accumulate; its code can be made anywhere."""
    constants = [("b", np.ones((64, 48), np.int8))]
    build(tmp_path / "m.onnx", [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
          [("a", np.uint8, [32, 64])], constants, ["y"])
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.s", emit="asm", cpu="znver4")
    assert "vpdpbusd" in (tmp_path / "m.s").read_text()


@pytest.mark.parametrize("rows, opt_level, has", [(32, 3, True), (2, 3, False), (32, 0, False)])
def test_tiles_of_many_rows(tmp_path, rows, opt_level, has):
    """Few rows wait for the memory; without optimisation tiles would be configured anew before
    each instruction."""
    build(tmp_path / "m.onnx", [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
          [("a", np.uint8, [rows, 64])], [("b", np.ones((64, 48), np.int8))], ["y"])
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.s", emit="asm", cpu="sapphirerapids",
                    opt_level=opt_level)
    assert ("tdpbusd" in (tmp_path / "m.s").read_text()) == has


@pytest.mark.parametrize("channels, outputs, has",
                         [(64, 32, True), (24, 128, True), (24, 32, False), (3, 32, False)])
def test_tiles_of_images(tmp_path, channels, outputs, has):
    """Copying the taps of few channels takes longer than multiplying them with few filters."""
    build(tmp_path / "m.onnx", [helper.make_node("ConvInteger", ["x", "w"], ["y"], pads=[1] * 4)],
          [("x", np.uint8, [1, channels, 32, 32])],
          [("w", np.ones((outputs, channels, 3, 3), np.int8))], ["y"])
    tessera.compile(tmp_path / "m.onnx", tmp_path / "m.s", emit="asm", cpu="sapphirerapids")
    assert ("tdpbusd" in (tmp_path / "m.s").read_text()) == has
