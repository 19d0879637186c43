"""Products on the tile unit (AMX): bytes against NumPy in i64, bf16 against double precision.

Run where the CPU has tiles; that their loops have no spills is seen in the assembly anywhere.
The error of bf16: sums are f32, 3e-7 of the sum of the magnitudes."""

import itertools
import re

import kernels
import ml_dtypes
import numpy as np
import pytest

BF16 = ml_dtypes.bfloat16
FLAGS = open("/proc/cpuinfo").read()
needs_tiles = pytest.mark.skipif(
    "amx_bf16" not in FLAGS or "amx_int8" not in FLAGS, reason="the CPU has no tiles")
ELEMENTS = {"bf16": (BF16, "f32"), "u8s8": (np.uint8, "i32")}
GROUPS = {"bf16": 2, "u8s8": 4}


def schedule(kind, task_rows=64, task_panels=2, prefetch=0):
    return (f"#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = {task_rows}, "
            f"taskPanels = {task_panels}, prefetchRows = {prefetch}, accumulate = {kind}_tiles>")


def shape(*sizes):
    return "x".join("?" if isinstance(size, str) else str(size) for size in sizes)


def size_map(symbols, sizes):
    return f"affine_map<()[{', '.join(symbols)}] -> ({', '.join(map(str, sizes))})>"


def panels_of(kind, depth, columns):
    return -(-columns // 32), -(-depth // GROUPS[kind]), 32, GROUPS[kind]


def packed_product(kind, left, columns):
    """A kernel of left [rows, depth] and panels [ceil(columns / 32), groups, 32, group]."""
    return product(kind, left, (left[1], columns), panels_of(kind, left[1], columns))


def unpacked(kind, panels, depth, columns):
    """The lines that make %matrix of the panels %w."""
    element = "bf16" if kind == "bf16" else "i8"
    matrix = f"tensor<{depth}x{columns}x{element}>"
    return f"""%into = tensor.empty() : {matrix}
        %matrix = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0]
          inner_tiles = [32, {GROUPS[kind]}] into %into
          : tensor<{shape(*panels)}x{element}> -> {matrix}"""


def packed(kind, w):
    depth, columns = w.shape
    panels, groups, _, group = panels_of(kind, depth, columns)
    padded = np.zeros((groups * group, panels * 32), w.dtype)
    padded[:depth, :columns] = w
    return np.ascontiguousarray(
        padded.reshape(groups, group, panels, 32).transpose(2, 0, 3, 1))


def product(kind, left, right, panels=None):
    """A kernel of left [batch, rows, depth] times right [batch, depth, columns], or its panels;
    sizes that are names are known at run time."""
    element = "bf16" if kind == "bf16" else "i8"
    total = ELEMENTS[kind][1]
    result = (*left[:-1], right[-1])
    symbols = [size for size in dict.fromkeys(left + right) if isinstance(size, str)]
    dims = [f"d{i}" for i in range(len(left) - 2)]
    maps = [f"affine_map<({', '.join([*dims, 'm', 'n', 'k'])}) -> ({', '.join([*dims, *ends])})>"
            for ends in ("mk", "kn", "mn")]
    kinds = ", ".join(['"parallel"'] * (len(left)) + ['"reduction"'])
    widen = ("%c = arith.extf %a : bf16 to f32\n%d = arith.extf %b : bf16 to f32\n"
             "%q = arith.mulf %c, %d : f32\n%s = arith.addf %sum, %q : f32" if kind == "bf16" else
             "%c = arith.extui %a : i8 to i32\n%d = arith.extsi %b : i8 to i32\n"
             "%q = arith.muli %c, %d : i32\n%s = arith.addi %sum, %q : i32")
    given = panels or right
    tensors = {"x": f"tensor<{shape(*left)}x{element}>", "w": f"tensor<{shape(*given)}x{element}>",
               "out": f"tensor<{shape(*result)}x{total}>"}
    matrix = f"tensor<{shape(*right)}x{element}>"
    arguments = [f"%{name}: {of}" for name, of in tensors.items()]
    arguments += [f"%{name}: index" for name in symbols]
    shapes = ", ".join(size_map(symbols, sizes) for sizes in (left, given, result))
    zero = "0.0" if kind == "bf16" else "0"
    return f"""
      kernel.func @k({', '.join(arguments)}) -> {tensors['out']}
          attributes {{outputs = 1 : i64, schedules = [{schedule(kind)}], shapes = [{shapes}]}} {{
        %zero = arith.constant {zero} : {total}
        %f = linalg.fill ins(%zero : {total}) outs(%out : {tensors['out']}) -> {tensors['out']}
        {unpacked(kind, panels, *right) if panels else ''}
        %p = linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{kinds}]}}
            ins(%x, {'%matrix' if panels else '%w'} : {tensors['x']}, {matrix}) outs(%f : {tensors['out']}) {{
        ^bb0(%a: {element}, %b: {element}, %sum: {total}):
          {widen}
          linalg.yield %s : {total}
        }} -> {tensors['out']}
        kernel.yield %p : {tensors['out']}
      }}"""


def numbers(chance, kind, left, right):
    if kind == "bf16":
        return (chance.standard_normal(left).astype(BF16),
                chance.standard_normal(right).astype(BF16))
    return (chance.integers(0, 256, left).astype(np.uint8),
            chance.integers(-128, 128, right).astype(np.int8))


def run(compiled, x, w, packed=None):
    # Types of kernels have no sign.
    left = x.view(np.int8) if x.dtype == np.uint8 else x
    return compiled(left, w if packed is None else packed)[0]


def check(kind, y, x, w):
    if kind != "bf16":
        np.testing.assert_array_equal(
            y, (x.astype(np.int64) @ w.astype(np.int64)).astype(np.int32))
        return
    x, w = x.astype(np.float64), w.astype(np.float64)
    assert (np.abs(y - x @ w) <= 3e-7 * (np.abs(x) @ np.abs(w)) + 1e-30).all()


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("rows", [1, 5, 16, 17, 31, 32, 33, 47, 49, 64, 100])
def test_rows(kind, rows):
    chance = np.random.default_rng(rows)
    for depth, columns in ((64, 32), (128, 40), (70, 33), (192, 96)):
        x, w = numbers(chance, kind, (rows, depth), (depth, columns))
        y = run(kernels.compile(product(kind, x.shape, w.shape)), x, w)
        check(kind, y, x, w)


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
def test_dynamic_sizes(kind):
    chance = np.random.default_rng(1)
    compiled = kernels.compile(product(kind, ("m", 128), (128, "n")))
    for rows, columns in ((1, 1), (15, 32), (16, 31), (17, 33), (40, 100), (130, 7), (0, 5), (5, 0)):
        x, w = numbers(chance, kind, (rows, 128), (128, columns))
        check(kind, run(compiled, x, w), x, w)


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("depth", [1, 3, 31, 32, 33, 63, 64, 65, 100, 352])
def test_depths(kind, depth):
    chance = np.random.default_rng(depth)
    x, w = numbers(chance, kind, (37, depth), (depth, 50))
    check(kind, run(kernels.compile(product(kind, x.shape, w.shape)), x, w), x, w)


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
def test_batches(kind):
    chance = np.random.default_rng(3)
    for left, right in (((3, 20, 64), (3, 64, 40)), ((5, 7, 33), (5, 33, 20))):
        x, w = numbers(chance, kind, left, right)
        check(kind, run(kernels.compile(product(kind, left, right)), x, w), x, w)


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
def test_deep_rows(kind):
    """Rows that are copied in parts, where there are less than 16; and those in place."""
    chance = np.random.default_rng(4)
    compiled = kernels.compile(packed_product(kind, ("m", 2048), 72))
    for rows in (1, 15, 16, 45):
        x, w = numbers(chance, kind, (rows, 2048), (2048, 72))
        check(kind, run(compiled, x, w, packed=packed(kind, w)), x, w)


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("depth", [64, 70, 96, 576])
def test_packed_panels(kind, depth):
    chance = np.random.default_rng(depth)
    for rows, columns in ((33, 96), (64, 40), (5, 32)):
        x, w = numbers(chance, kind, (rows, depth), (depth, columns))
        compiled = kernels.compile(packed_product(kind, x.shape, columns))
        check(kind, run(compiled, x, w, packed=packed(kind, w)), x, w)


def convolved(x, w, strides, dilations, pads, groups):
    """x [batch, height, width, channels], w [height, width, channels, outputs]."""
    x = np.pad(x, [(0, 0), (pads[0][0], pads[1][0]), (pads[0][1], pads[1][1]), (0, 0)])
    size = [(x.shape[1 + i] - dilations[i] * (w.shape[i] - 1) - 1) // strides[i] + 1
            for i in range(2)]
    channels, outputs = w.shape[2], w.shape[3] // groups
    y = np.zeros((x.shape[0], *size, w.shape[3]), np.result_type(x, np.int64))
    for group, i, j in itertools.product(range(groups), range(w.shape[0]), range(w.shape[1])):
        top, left = i * dilations[0], j * dilations[1]
        taps = x[:, top:top + strides[0] * (size[0] - 1) + 1:strides[0],
                 left:left + strides[1] * (size[1] - 1) + 1:strides[1],
                 group * channels:(group + 1) * channels]
        columns = slice(group * outputs, (group + 1) * outputs)
        y[..., columns] += np.tensordot(taps, w[i, j, :, columns], 1)
    return y


# Image, channels, outputs, groups, kernel, strides, dilations, pads.
CONVOLUTIONS = [
    ((6, 40), 64, 32, 1, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((5, 37), 32, 40, 1, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((9, 14), 3, 20, 1, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((9, 33), 64, 33, 1, (3, 3), (2, 2), (1, 1), ((1, 0), (2, 1))),
    ((9, 20), 32, 32, 1, (3, 3), (1, 1), (2, 2), ((2, 2), (2, 2))),
    ((4, 18), 24, 18, 1, (2, 5), (1, 1), (2, 1), ((0, 4), (0, 4))),
    ((3, 70), 64, 32, 1, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((6, 17), 128, 64, 2, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((7, 7), 512, 32, 1, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    ((7, 9), 512, 32, 1, (1, 3), (1, 1), (1, 2), ((0, 2), (0, 2))),
    ((8, 9), 96, 40, 1, (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0))),
    ((8, 9), 40, 40, 1, (1, 1), (2, 2), (1, 1), ((0, 0), (0, 0))),
]


def convolution(kind, case, result, filters, is_packed):
    image, channels, outputs, groups, kernel, strides, dilations, pads = case
    element, total = ("bf16", "f32") if kind == "bf16" else ("i8", "i32")
    depth, columns = filters[0] * filters[1] * filters[2], filters[3]
    panels = panels_of(kind, depth, columns)
    arrays = {"x": ((2, *image, channels), element),
              "w": (panels if is_packed else filters, element), "out": (result, total)}
    tensors = {name: f"tensor<{shape(*sizes)}x{of}>" for name, (sizes, of) in arrays.items()}
    maps = ", ".join(size_map((), sizes) for sizes, _ in arrays.values())
    signature = ", ".join(f"%{name}: {of}" for name, of in tensors.items())
    filter_type = f"tensor<{shape(*filters)}x{element}>"
    unpack = f"""{unpacked(kind, panels, depth, columns)}
        %f = tensor.expand_shape %matrix [[0, 1, 2], [3]] output_shape {list(filters)}
          : tensor<{depth}x{columns}x{element}> into {filter_type}"""
    return f"""
      kernel.func @k({signature}) -> {tensors['out']} attributes {{
            outputs = 1 : i64, schedules = [{schedule(kind)}], shapes = [{maps}]}} {{
        {unpack if is_packed else ''}
        %y = graph.conv %x, {'%f' if is_packed else '%w'} strides {list(strides)}
          dilations {list(dilations)} pads {list(pads[0])}, {list(pads[1])} groups {groups}
          {'unsigned' * (kind != 'bf16')}
          : {tensors['x']}, {filter_type} -> {tensors['out']}
        kernel.yield %y : {tensors['out']}
      }}"""


@needs_tiles
@pytest.mark.parametrize("kind", ELEMENTS)
@pytest.mark.parametrize("is_packed", [False, True], ids=["filters", "panels"])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolutions(kind, is_packed, case):
    image, channels, outputs, groups, kernel, strides, dilations, pads = case
    chance = np.random.default_rng(channels)
    x, w = numbers(chance, kind, (2, *image, channels),
                   (*kernel, channels // groups, outputs * groups))
    wide = (np.int64 if kind != "bf16" else np.float64)
    expected = convolved(x.astype(wide), w.astype(wide), strides, dilations, pads, groups)
    # Filters that no task could copy are packed.
    is_packed |= w.itemsize * w.shape[0] * w.shape[1] * w.shape[2] > 256
    text = convolution(kind, case, expected.shape, w.shape, is_packed)
    y = run(kernels.compile(text), x, w,
            packed=packed(kind, w.reshape(-1, w.shape[-1])) if is_packed else None)
    if kind != "bf16":
        np.testing.assert_array_equal(y, expected.astype(np.int32))
        return
    magnitudes = convolved(*(np.abs(a.astype(wide)) for a in (x, w)), strides, dilations, pads,
                           groups)
    assert (np.abs(y - expected) <= 3e-7 * magnitudes + 1e-30).all()


def loops_with(assembly, instruction):
    """Bodies of the innermost loops that have `instruction`."""
    lines = assembly.splitlines()
    labels = {}
    for number, line in enumerate(lines):
        if match := re.match(r"(\.L\w+):", line):
            labels[match[1]] = number
        elif (match := re.match(r"\s+j\w+\s+(\.L\w+)", line)) and match[1] in labels:
            body = lines[labels[match[1]]:number]
            inner = [line for line in body[1:] if re.match(r"\.L\w+:", line)]
            if any(instruction in line for line in body) and not inner:
                yield "\n".join(body)


@pytest.mark.parametrize("kind, instruction", [("bf16", "tdpbf16ps"), ("u8s8", "tdpbusd")])
def test_loops_keep_their_tiles(kind, instruction):
    depth = 512 if kind == "bf16" else 1024
    assembly = kernels.assembly(product(kind, (64, depth), (depth, 64)), "sapphirerapids")
    loops = list(loops_with(assembly, instruction))
    assert loops
    for loop in loops:
        assert loop.count(instruction) % 4 == 0
        assert not re.search("tilestored|ldtilecfg|tilezero", loop)
