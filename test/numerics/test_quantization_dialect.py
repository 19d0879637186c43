"""Operations of the quantization dialect, as text, against NumPy: blocks that do not
divide, groups, ranges, tables and products in blocks; NaN, ties and ends of ranges."""

import numpy as np
import pytest
import tessera

KINDS = {np.dtype(np.float32): "f32", np.dtype(np.int8): "i8", np.dtype(np.uint8): "i8",
         np.dtype(np.int32): "i32"}


def type_of(array):
    return f"tensor<{''.join(f'{size}x' for size in array.shape)}{KINDS[array.dtype]}>"


def run(folder, body, inputs, outputs, opt_level=3):
    """`body` with %name for each input and for each output, whose `outputs` are like."""
    arguments = ", ".join(
        f'%{name}: {type_of(x)} {{graph.name = "{name}", graph.dims = {list(x.shape)}'
        + (", graph.element_type = ui8" if x.dtype == np.uint8 else "") + "}"
        for name, x in inputs.items())
    results = ", ".join(
        f'{type_of(x)} {{graph.name = "{name}"'
        + (", graph.element_type = ui8" if x.dtype == np.uint8 else "") + "}"
        for name, x in outputs.items())
    types = ", ".join(type_of(x) for x in outputs.values())
    (folder / "m.mlir").write_text(
        f"func.func @main({arguments}) -> ({results}) {{\n{body}\n"
        f"  return {', '.join('%' + name for name in outputs)} : {types}\n}}\n")
    tessera.compile(folder / "m.mlir", folder / "m.so", cpu="native", opt_level=opt_level)
    return tessera.load(folder / "m.so").run(None, inputs)


def steps(x, scale, zero, dtype):
    info = np.iinfo(dtype)
    with np.errstate(invalid="ignore"):
        q = np.round(x / scale).astype(np.float32) + zero.astype(np.float32)
        return np.where(np.isnan(q), info.min, np.clip(q, info.min, info.max)).astype(dtype)


@pytest.fixture(params=[0, 3], ids=["O0", "O3"])
def level(request):
    return request.param


def test_rules_of_one_tensor(tmp_path, level):
    """A1 and A2: ties, NaN, infinities, what saturates."""
    x = np.array([0.25, 0.75, 1.25, -0.25, np.nan, np.inf, -np.inf, 1e9, -1e9, 63.4, 0.0],
                 np.float32)
    s, z = np.array(0.5, np.float32), np.array(3, np.uint8)
    q = steps(x, s, z, np.uint8)
    y = (q.astype(np.int32) - z).astype(np.float32) * s
    body = ("  %q = quantization.quantize %x scale %s zero %z as u8\n"
            "    : tensor<11xf32>, tensor<f32> zero tensor<i8> -> tensor<11xi8>\n"
            "  %y = quantization.dequantize %q scale %s zero %z as u8\n"
            "    : tensor<11xi8>, tensor<f32> zero tensor<i8> -> tensor<11xf32>")
    got = run(tmp_path, body, {"x": x, "s": s, "z": z}, {"q": q, "y": y}, level)
    np.testing.assert_array_equal(got[0], q)
    np.testing.assert_array_equal(got[1], y)


@pytest.mark.parametrize("grouped", [False, True], ids=["blocks", "groups"])
def test_several_scales(tmp_path, level, grouped):
    chance = np.random.default_rng(1)
    w = chance.integers(-128, 128, (19, 6)).astype(np.int8)
    s = chance.uniform(0.1, 2, (3, 6)).astype(np.float32)
    z = chance.integers(0, 16, (3, 6)).astype(np.int8)
    which = chance.integers(0, 3, 19).astype(np.int32) if grouped else np.arange(19) // 8
    y = ((w & 15).astype(np.int32) - z[which]).astype(np.float32) * s[which]
    inputs = {"w": w, "s": s, "z": z}
    if grouped:
        inputs["g"] = which
    body = ("  %y = quantization.dequantize %w scale %s zero %z "
            + ("groups %g as u4 axis 0" if grouped else "as u4 axis 0 block 8")
            + "\n    : tensor<19x6xi8>, tensor<3x6xf32> zero tensor<3x6xi8> "
            + ("groups tensor<19xi32> " if grouped else "") + "-> tensor<19x6xf32>")
    np.testing.assert_array_equal(run(tmp_path, body, inputs, {"y": y}, level)[0], y)


@pytest.mark.parametrize("part,symmetric", [("tensor", False), ("row", False), ("row", True),
                                            ("block of 8", True), ("block of 8", False)])
def test_ranges(tmp_path, level, part, symmetric):
    """A6. One row is 0, one has no negative numbers, one no positive ones."""
    x = np.random.default_rng(2).standard_normal((4, 19)).astype(np.float32)
    x[0], x[1], x[2] = 0, np.abs(x[1]), -np.abs(x[2])
    if part == "tensor":
        cut = x.reshape(1, 1, -1)
    else:
        block = 19 if part == "row" else 8
        cut = np.pad(x, [(0, 0), (0, -19 % block)]).reshape(4, -1, block)
    least, largest = np.minimum(cut.min(-1), 0), np.maximum(cut.max(-1), 0)
    if symmetric:
        scale = np.maximum(-least, largest) / np.float32(127)
    else:
        scale = (largest - least) / np.float32(255)
    scale = np.where(scale == 0, np.float32(1), scale)
    zero = (np.zeros(scale.shape, np.int8) if symmetric
            else np.clip(np.round(0 - least / scale), 0, 255).astype(np.uint8))
    if part == "tensor":
        scale, zero = scale.reshape(()), zero.reshape(())
    body = (f"  %s, %z = quantization.range %x per {part} "
            + ("symmetric as i8" if symmetric else "as u8")
            + f" : tensor<4x19xf32> -> {type_of(scale)}, {type_of(zero)}")
    got = run(tmp_path, body, {"x": x}, {"s": scale, "z": zero}, level)
    np.testing.assert_array_equal(got[0], scale)
    np.testing.assert_array_equal(got[1], zero)


def test_lookup(tmp_path, level):
    q = np.arange(256).astype(np.uint8).reshape(16, 16)[::-1].copy()
    table = np.random.default_rng(3).standard_normal(256).astype(np.float32)
    body = ("  %y = quantization.lookup %q, %t\n"
            "    : tensor<16x16xi8>, tensor<256xf32> -> tensor<16x16xf32>")
    got = run(tmp_path, body, {"q": q, "t": table}, {"y": table[q]}, level)
    np.testing.assert_array_equal(got[0], table[q])


@pytest.mark.parametrize("depth", [24, 19])
def test_block_product(tmp_path, level, depth):
    chance = np.random.default_rng(depth)
    blocks = -(-depth // 8)
    a = chance.integers(-127, 128, (5, depth)).astype(np.int8)
    b = chance.integers(0, 16, (depth, 7)).astype(np.int8)
    z = chance.integers(0, 16, (blocks, 7)).astype(np.int8)
    sa = chance.uniform(0.1, 2, (5, blocks)).astype(np.float32)
    sb = chance.uniform(0.1, 2, (blocks, 7)).astype(np.float32)
    which = np.arange(depth) // 8
    y = ((a * sa.astype(np.float64)[:, which])
         @ ((b - z.astype(np.float64)[which]) * sb.astype(np.float64)[which])).astype(np.float32)
    body = ("  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 8\n"
            f"    : {type_of(a)}, {type_of(sa)}, {type_of(b)}, {type_of(sb)} zero {type_of(z)}"
            " -> tensor<5x7xf32>")
    got = run(tmp_path, body, {"a": a, "sa": sa, "b": b, "sb": sb, "z": z}, {"y": y}, level)
    # Sums of blocks are exact; they are rounded when they join.
    np.testing.assert_allclose(got[0], y, rtol=1e-5, atol=1e-2)
