"""Products on the tile unit (AMX): bytes against NumPy in i64, bf16 against double precision.

Run where the CPU has tiles; that their loops have no spills is seen in the assembly anywhere.
The error of bf16: sums are f32, 3e-7 of the sum of the magnitudes."""

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


def schedule(kind, task_rows=64, task_panels=2, prefetch=0):
    return (f"#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = {task_rows}, "
            f"taskPanels = {task_panels}, prefetchRows = {prefetch}, accumulate = {kind}_tiles>")


def shape(*sizes):
    return "x".join("?" if isinstance(size, str) else str(size) for size in sizes)


def size_map(symbols, sizes):
    return f"affine_map<()[{', '.join(symbols)}] -> ({', '.join(map(str, sizes))})>"


def product(kind, left, right, epilogue=""):
    """A kernel of left [batch, rows, depth] times right [batch, depth, columns]; sizes that are
    names are known at run time."""
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
    tensors = {"x": f"tensor<{shape(*left)}x{element}>", "w": f"tensor<{shape(*right)}x{element}>",
               "out": f"tensor<{shape(*result)}x{total}>"}
    arguments = [f"%{name}: {kind}" for name, kind in tensors.items()]
    arguments += [f"%{name}: index" for name in symbols]
    shapes = ", ".join(size_map(symbols, sizes) for sizes in (left, right, result))
    zero = "0.0" if kind == "bf16" else "0"
    return f"""
      kernel.func @k({', '.join(arguments)}) -> {tensors['out']}
          attributes {{outputs = 1 : i64, schedules = [{schedule(kind)}], shapes = [{shapes}]}} {{
        %zero = arith.constant {zero} : {total}
        %f = linalg.fill ins(%zero : {total}) outs(%out : {tensors['out']}) -> {tensors['out']}
        %p = linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = [{kinds}]}}
            ins(%x, %w : {tensors['x']}, {tensors['w']}) outs(%f : {tensors['out']}) {{
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


def run(compiled, x, w):
    # Types of kernels have no sign.
    return compiled(x.view(np.int8) if x.dtype == np.uint8 else x, w)[0]


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
