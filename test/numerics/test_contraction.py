"""Kernels of the contraction builder against NumPy in double precision.

The error allowed is 2e-5 of the largest result: f32 sums of up to some hundred
products of normal numbers, in another order than the reference's.
"""

import itertools

import numpy as np
import pytest

import kernels

TOLERANCE = 2e-5
WIDTH = 16  # columns of a packed panel
TYPES = {"f32": np.float32, "f16": np.float16}


def schedule(rows=6, vectors=2, lanes=8, task_rows=60, task_panels=4, prefetch=0):
    return (f"#kernel.contraction<rows = {rows}, vectors = {vectors}, lanes = {lanes}, "
            f"taskRows = {task_rows}, taskPanels = {task_panels}, "
            f"prefetchRows = {prefetch}>")


def tensor(*sizes, element="f32"):
    return "tensor<" + "".join(f"{'?' if s is None else s}x" for s in sizes) + element + ">"


def shape_map(symbols, sizes):
    names = ", ".join(f"s{i}" for i in range(symbols))
    return f"affine_map<()[{names}] -> ({', '.join(map(str, sizes))})>"


def kernel(arguments, symbols, body, result, how=None, outputs=1):
    """A kernel.func; `arguments`: (name, type, sizes over s0, s1 ...)."""
    signature = [f"%{name}: {kind}" for name, kind, _ in arguments]
    signature += [f"%s{i}: index" for i in range(symbols)]
    shapes = ", ".join(shape_map(symbols, sizes) for _, _, sizes in arguments)
    return (f"kernel.func @k({', '.join(signature)}) -> {result}\n"
            f"    attributes {{outputs = {outputs} : i64, schedules = [{how or schedule()}],\n"
            f"                shapes = [{shapes}]}} {{\n"
            f"  %zero = arith.constant 0.0 : f32\n{body}}}\n")


def pack(matrix):
    """[rows, columns] to panels [ceil(columns / WIDTH), rows, WIDTH]."""
    rows, columns = matrix.shape
    panels = -(-columns // WIDTH)
    padded = np.zeros((rows, panels * WIDTH), matrix.dtype)
    padded[:, :columns] = matrix
    return np.ascontiguousarray(padded.reshape(rows, panels, WIDTH).transpose(1, 0, 2))


def unpack(rows, columns, element="f32"):
    packed = tensor(-(-columns // WIDTH), rows, WIDTH, element=element)
    matrix = tensor(rows, columns, element=element)
    return packed, (
        f"  %into = tensor.empty() : {matrix}\n"
        f"  %matrix = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] "
        f"inner_tiles = [{WIDTH}] into %into : {packed} -> {matrix}\n")


def check(result, expected):
    assert result.shape == expected.shape
    error = np.abs(result.astype(np.float64) - expected).max()
    assert error <= TOLERANCE * np.abs(expected).max()


def normal(*shape, element="f32"):
    return np.random.default_rng(7).standard_normal(shape).astype(TYPES[element])


def dense(columns, depth, rows=None, how=None, element="f32"):
    """x * w + bias, w packed; `rows` None: dynamic."""
    packed, body = unpack(depth, columns, element)
    size, symbols = ("s0", 1) if rows is None else (rows, 0)
    sizes = "(%s0)" if symbols else "()"
    out = tensor(rows, columns)
    lhs = tensor(rows, depth, element=element)
    return kernel(
        [("x", lhs, [size, depth]), ("w", packed, [-(-columns // WIDTH), depth, WIDTH]),
         ("bias", tensor(columns), [columns]), ("out", out, [size, columns])],
        symbols,
        body + f"""\
  %empty = tensor.empty{sizes} : {out}
  %init = linalg.fill ins(%zero : f32) outs(%empty : {out}) -> {out}
  %product = linalg.matmul ins(%x, %matrix : {lhs}, {tensor(depth, columns, element=element)}) outs(%init : {out}) -> {out}
  %biases = graph.broadcast_to %bias {"sizes(%s0)" if symbols else ""} : {tensor(columns)} -> {out}
  %sum = arith.addf %product, %biases : {out}
  kernel.yield %sum : {out}
""", out, how)


@pytest.mark.parametrize("columns, depth", [(40, 48), (100, 77), (5, 1)])
@pytest.mark.parametrize("vectors, rows", [(2, 6), (3, 4), (1, 3)])
def test_dynamic_rows(columns, depth, vectors, rows):
    run = kernels.compile(dense(columns, depth, how=schedule(rows, vectors)))
    w, bias = normal(depth, columns), normal(columns)
    for count in (1, 2, 3, 5, 6, 7, 11, 12, 13, 59, 61, 125):
        x = normal(count, depth)
        [y] = run(x, pack(w), bias)
        check(y, x.astype(np.float64) @ w + bias)


@pytest.mark.parametrize("rows", [1, 7, 13, 64])
def test_static_rows(rows):
    x, w, bias = normal(rows, 20), normal(20, 100), normal(100)
    [y] = kernels.compile(dense(100, 20, rows))(x, pack(w), bias)
    check(y, x.astype(np.float64) @ w + bias)


def test_half_precision_accumulates_in_f32():
    x, w, bias = normal(13, 300, element="f16"), normal(300, 40, element="f16"), normal(40)
    [y] = kernels.compile(dense(40, 300, element="f16"))(x, pack(w), bias)
    check(y, x.astype(np.float64) @ w.astype(np.float64) + bias)


def test_same_bits_on_any_number_of_threads():
    text = dense(100, 77, how=schedule(task_rows=6, task_panels=1))
    x, w, bias = normal(61, 77), pack(normal(77, 100)), normal(100)
    [one] = kernels.compile(text, threads=1)(x, w, bias)
    [two] = kernels.compile(text, threads=2)(x, w, bias)
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("m, n, k", [(1, 5, 3), (7, 40, 11), (30, 33, 64)])
def test_dynamic_sizes_of_both_operands(m, n, k):
    a, b, out = tensor(None, None), tensor(None, None), tensor(None, None)
    text = kernel(
        [("a", a, ["s0", "s2"]), ("b", b, ["s2", "s1"]), ("out", out, ["s0", "s1"])], 3, f"""\
  %empty = tensor.empty(%s0, %s1) : {out}
  %init = linalg.fill ins(%zero : f32) outs(%empty : {out}) -> {out}
  %product = linalg.matmul ins(%a, %b : {a}, {b}) outs(%init : {out}) -> {out}
  kernel.yield %product : {out}
""", out)
    x, y = normal(m, k), normal(k, n)
    [z] = kernels.compile(text)(x, y)
    check(z, x.astype(np.float64) @ y)


def test_accumulates_on_init_with_prologue_and_transposed_result():
    m, n, k = 13, 21, 17
    lhs, rhs, product, out = tensor(None, k), tensor(k, n), tensor(None, n), tensor(n, None)
    text = kernel(
        [("a", lhs, ["s0", k]), ("b", rhs, [k, n]), ("c", tensor(n), [n]), ("out", out, [n, "s0"])],
        1, f"""\
  %one = arith.constant dense<0.0> : tensor<1xf32>
  %zeros = graph.broadcast_to %one sizes(%s0) : tensor<1xf32> -> {lhs}
  %relu = arith.maximumf %a, %zeros : {lhs}
  %init = graph.broadcast_to %c sizes(%s0) : {tensor(n)} -> {product}
  %product = linalg.matmul ins(%relu, %b : {lhs}, {rhs}) outs(%init : {product}) -> {product}
  %into = tensor.empty(%s0) : {out}
  %y = linalg.transpose ins(%product : {product}) outs(%into : {out}) permutation = [1, 0]
  kernel.yield %y : {out}
""", out)
    a, b, c = normal(m, k), normal(k, n), normal(n)
    [y] = kernels.compile(text)(a, b, c)
    check(y, (np.maximum(a, 0).astype(np.float64) @ b + c).T)


@pytest.mark.parametrize("columns", [1, 3, 12])
def test_reshaped_results(columns):
    """The product, the same through a reshape there and back, and its rows as one."""
    x, w, out = tensor(None, None, 5), tensor(None, 5, columns), tensor(None, None, columns)
    split, joined = tensor(None, 1, None, columns), tensor(None, None)
    maps = ", ".join(f"affine_map<(b, r, c, k) -> (b, {sizes})>"
                     for sizes in ("r, k", "k, c", "r, c"))
    sizes = ["s0", "s1", columns]
    run = kernels.compile(kernel(
        [("x", x, ["s0", "s1", 5]), ("w", w, ["s0", 5, columns]), ("out", out, sizes),
         ("other", out, sizes), ("line", joined, ["s0", f"s1 * {columns}"])], 2, f"""\
  %empty = tensor.empty(%s0, %s1) : {out}
  %init = linalg.fill ins(%zero : f32) outs(%empty : {out}) -> {out}
  %product = linalg.contract indexing_maps = [{maps}] ins(%x, %w : {x}, {w}) outs(%init : {out}) -> {out}
  %there = tensor.expand_shape %product [[0], [1, 2], [3]] output_shape [%s0, 1, %s1, {columns}] : {out} into {split}
  %back = tensor.collapse_shape %there [[0, 1], [2], [3]] : {split} into {out}
  %copy = linalg.copy ins(%back : {out}) outs(%empty : {out}) -> {out}
  %rows = tensor.collapse_shape %product [[0], [1, 2]] : {out} into {joined}
  %negated = arith.negf %rows : {joined}
  kernel.yield %product, %copy, %negated : {out}, {out}, {joined}
""", f"({out}, {out}, {joined})", schedule(rows=3, vectors=1), outputs=3))
    for rows in (1, 2, 7, 13):
        left, right = normal(2, rows, 5), normal(2, 5, columns)
        expected = left.astype(np.float64) @ right
        product, copy, negated = run(left, right)
        check(product, expected)
        assert np.array_equal(copy, product)
        assert np.array_equal(negated, -product.reshape(2, -1))


@pytest.mark.parametrize("length, head", [(37, 16), (9, 24), (50, 20)])
def test_attention_products(length, head):
    batch, heads = 2, 3
    maps = ("[affine_map<(b, h, m, n, k) -> (b, h, m, k)>, affine_map<(b, h, m, n, k) -> (b, h, k, n)>, "
            "affine_map<(b, h, m, n, k) -> (b, h, m, n)>]")
    tokens, keys = tensor(None, None, heads, head), tensor(None, heads, head, None)
    split, scores = tensor(None, heads, None, head), tensor(None, heads, None, None)
    token_sizes = ["s0", "s1", heads, head]
    transposed = f"""\
  %qi = tensor.empty(%s0, %s1) : {split}
  %qt = linalg.transpose ins(%q : {tokens}) outs(%qi : {split}) permutation = [0, 2, 1, 3]
"""
    text = kernel(
        [("q", tokens, token_sizes), ("key", tokens, token_sizes),
         ("out", scores, ["s0", heads, "s1", "s1"])], 2, transposed + f"""\
  %ki = tensor.empty(%s0, %s1) : {keys}
  %kt = linalg.transpose ins(%key : {tokens}) outs(%ki : {keys}) permutation = [0, 2, 3, 1]
  %empty = tensor.empty(%s0, %s1, %s1) : {scores}
  %init = linalg.fill ins(%zero : f32) outs(%empty : {scores}) -> {scores}
  %y = linalg.contract indexing_maps = {maps} ins(%qt, %kt : {split}, {keys}) outs(%init : {scores}) -> {scores}
  kernel.yield %y : {scores}
""", scores)
    q, k = normal(batch, length, heads, head), normal(batch, length, heads, head) + 1
    [s] = kernels.compile(text)(q, k)
    check(s, np.einsum("bmhd,bnhd->bhmn", q.astype(np.float64), k))

    joined = tensor(None, None, heads * head)
    text = kernel(
        [("p", scores, ["s0", heads, "s1", "s1"]), ("q", tokens, token_sizes),
         ("out", joined, ["s0", "s1", heads * head])], 2, transposed + f"""\
  %empty = tensor.empty(%s0, %s1) : {split}
  %init = linalg.fill ins(%zero : f32) outs(%empty : {split}) -> {split}
  %y = linalg.contract indexing_maps = {maps} ins(%p, %qt : {scores}, {split}) outs(%init : {split}) -> {split}
  %ti = tensor.empty(%s0, %s1) : {tokens}
  %t = linalg.transpose ins(%y : {split}) outs(%ti : {tokens}) permutation = [0, 2, 1, 3]
  %z = tensor.collapse_shape %t [[0], [1], [2, 3]] : {tokens} into {joined}
  kernel.yield %z : {joined}
""", joined)
    [o] = kernels.compile(text)(s, q)
    check(o, np.einsum("bhmn,bnhd->bmhd", s.astype(np.float64), q)
          .reshape(batch, length, heads * head))


def convolution(input_sizes, channels, outputs, taps, strides, dilations, low, high, groups,
                packed, dynamic, how):
    """relu(conv + bias) and the output sizes; the batch is dynamic."""
    rank = len(taps)
    sizes = [(n + a + b - d * (k - 1) - 1) // s + 1 for n, a, b, d, k, s
             in zip(input_sizes, low, high, dilations, taps, strides)]
    symbols = 1 + rank * dynamic
    filter_type = tensor(*taps, channels // groups, outputs)
    depth = int(np.prod(taps)) * channels // groups
    x = tensor(None, *([None] * rank if dynamic else input_sizes), channels)
    out = tensor(None, *([None] * rank if dynamic else sizes), outputs)
    in_sizes = [f"s{i + 1}" if dynamic else n for i, n in enumerate(input_sizes)]
    grow = [a + b - d * (k - 1) - 1 for a, b, d, k in zip(low, high, dilations, taps)]
    out_sizes = [f"(s{i + 1} + {g}) floordiv {s} + 1" if dynamic else n
                 for i, (n, g, s) in enumerate(zip(sizes, grow, strides))]
    body, weights, name = "", filter_type, "%w"
    if packed:
        weights, body = unpack(depth, outputs)
        groups_text = f"[[{', '.join(map(str, range(rank + 1)))}], [{rank + 1}]]"
        shape = [*taps, channels // groups, outputs]
        body += (f"  %filter = tensor.expand_shape %matrix {groups_text} output_shape {shape} : "
                 f"{tensor(depth, outputs)} into {filter_type}\n")
        name = "%filter"
    given = "%s0"
    if dynamic:
        for i, (g, s) in enumerate(zip(grow, strides)):
            body += (f"  %o{i} = affine.apply affine_map<()[s0] -> ((s0 + {g}) floordiv {s} + 1)>"
                     f"()[%s{i + 1}]\n")
            given += f", %o{i}"
    body += f"""\
  %c = graph.conv %x, {name} strides {strides} dilations {dilations} pads {low}, {high} groups {groups} : {x}, {filter_type} -> {out}
  %biases = graph.broadcast_to %bias sizes({given}) : {tensor(outputs)} -> {out}
  %sum = arith.addf %c, %biases : {out}
  %one = arith.constant dense<0.0> : tensor<1xf32>
  %zeros = graph.broadcast_to %one sizes({given}) : tensor<1xf32> -> {out}
  %y = arith.maximumf %sum, %zeros : {out}
  kernel.yield %y : {out}
"""
    weight_sizes = ([-(-outputs // WIDTH), depth, WIDTH] if packed
                    else [*taps, channels // groups, outputs])
    return kernel([("x", x, ["s0", *in_sizes, channels]), ("w", weights, weight_sizes),
                   ("bias", tensor(outputs), [outputs]), ("out", out, ["s0", *out_sizes, outputs])],
                  symbols, body, out, how), sizes


def convolve(x, w, strides, dilations, low, high, groups, sizes):
    rank = len(sizes)
    padded = np.pad(x.astype(np.float64), [(0, 0), *zip(low, high), (0, 0)])
    channels, outputs = x.shape[-1] // groups, w.shape[-1] // groups
    y = np.zeros([x.shape[0], *sizes, w.shape[-1]])
    for tap in itertools.product(*map(range, w.shape[:rank])):
        window = padded[(slice(None), *(
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, n, s in zip(tap, dilations, sizes, strides)))]
        for g in range(groups):
            out = slice(g * outputs, (g + 1) * outputs)
            y[..., out] += window[..., g * channels:(g + 1) * channels] @ w[tap][:, out]
    return y


@pytest.mark.parametrize(
    "sizes, channels, outputs, taps, options", [
        ([9], 8, 20, [3], dict(low=[1])),
        ([130], 8, 20, [3], dict(low=[1], how=schedule(task_rows=30))),
        ([14, 14], 8, 32, [3, 3], dict(low=[1, 1], how=schedule(task_panels=1))),
        ([7, 7], 16, 40, [3, 3], dict(low=[1, 1])),
        ([15, 13], 3, 20, [7, 7], dict(low=[3, 3], strides=[2, 2])),
        ([9, 9], 6, 18, [3, 3], dict(low=[0, 0], high=[1, 1], strides=[2, 2])),
        ([8, 8], 16, 40, [1, 1], {}),
        ([8, 8], 16, 40, [1, 1], dict(strides=[2, 2])),
        ([100, 1], 8, 24, [5, 1], {}),
        ([40, 1], 8, 24, [5, 1], dict(low=[2, 0])),
        ([10, 12], 8, 16, [3, 3], dict(low=[2, 2], dilations=[2, 2])),
        ([5, 6, 7], 4, 16, [3, 3, 3], dict(low=[1, 1, 1])),
        ([9, 9], 16, 32, [3, 3], dict(low=[1, 1], groups=2)),
        ([9, 9], 8, 24, [3, 3], dict(low=[1, 1], groups=4)),
        ([12, 12], 20, 20, [3, 3], dict(low=[1, 1], groups=20, how=schedule(rows=4))),
        ([12, 12], 24, 24, [3, 3],
         dict(low=[1, 1], groups=24, strides=[2, 2], how=schedule(rows=4))),
    ])
@pytest.mark.parametrize("packed, dynamic", [(True, False), (False, False), (True, True)])
def test_convolution(sizes, channels, outputs, taps, options, packed, dynamic):
    rank = len(taps)
    strides = options.get("strides", [1] * rank)
    dilations = options.get("dilations", [1] * rank)
    low = options.get("low", [0] * rank)
    high = options.get("high", low)
    groups = options.get("groups", 1)
    text, out_sizes = convolution(sizes, channels, outputs, taps, strides, dilations, low, high,
                                  groups, packed, dynamic, options.get("how"))
    x, bias = normal(2, *sizes, channels), normal(outputs)
    w = normal(*taps, channels // groups, outputs)
    [y] = kernels.compile(text)(x, pack(w.reshape(-1, outputs)) if packed else w, bias)
    check(y, np.maximum(
        convolve(x, w, strides, dilations, low, high, groups, out_sizes) + bias, 0))


@pytest.mark.parametrize("taps, low", [(1, 0), (3, 1)])
def test_convolution_of_every_width(taps, low):
    """All numbers of pixels that full tiles and smaller ones can leave."""
    x, w = normal(1, 3, 40, 8), normal(taps, taps, 8, 20)
    text, _ = convolution([3, 40], 8, 20, [taps, taps], [1, 1], [1, 1], [low, low], [low, low],
                          1, True, True, schedule(rows=14, vectors=1, lanes=16, task_rows=28))
    kernel = kernels.compile(text)
    bias = normal(20)
    for width in range(1, 41):
        image = np.ascontiguousarray(x[:, :, :width])
        [y] = kernel(image, pack(w.reshape(-1, 20)), bias)
        check(y, np.maximum(convolve(image, w, [1, 1], [1, 1], [low, low], [low, low], 1,
                                     [3, width]) + bias, 0))


def test_avx512_tile_stays_in_registers():
    """24 accumulators of 8 x 48 columns and no vector on the stack."""
    lines = kernels.assembly(dense(768, 64, how=schedule(8, 3, 16, 64, 4)),
                             "x86-64-v4").splitlines()
    products = [line for line in lines if "vfmadd" in line and "zmm" in line]
    assert len({line.split("#")[0].rsplit(",", 1)[1].strip() for line in products}) >= 24
    assert not [line for line in lines
                if "zmm" in line and "(%rsp" in line]
