"""Generators of operators that have modes, borders and alignments: each draws all of
them, as elementwise_operators.py.
"""

from elementwise_operators import FLOAT_TYPES
from graph_builder import BOOL, F16, F32, F64, I8, I16, I32, I64, INTEGERS, U8, Invalid, is_constant

LAYERS = [F32, F16, F64]
COORDINATES = [
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
    "tf_crop_and_resize",
]  # fmt: skip
ROUNDINGS = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def since(g, opset):
    if g.settings.opset < opset:
        raise Invalid("not in the opset")


def finite(g):
    if g.settings.special:
        raise Invalid("weights may or may not be multiplied by zeros")


# Sampling ------------------------------------------------------------------------


def resize(g):
    """By scales or to sizes, of all axes or of some."""
    finite(g)
    x = g.pick([*LAYERS, U8, I8, I32], rank=[2, 3, 4])
    if any(0 in dim for dim in x.dims):
        raise Invalid("nothing to sample")
    mode = g.random.choice(["nearest", "linear", "cubic"])
    axes = sorted(g.random.sample(range(x.rank), g.random.choice([1, 1, 2])))
    coordinates = g.random.choice(COORDINATES[: 5 if g.chance(0.8) else 6])
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    if mode == "nearest":
        attributes["nearest_mode"] = g.random.choice(ROUNDINGS)
    if mode == "cubic":
        attributes["cubic_coeff_a"] = g.random.choice([None, -0.5])
    partial = g.settings.opset >= 18 and g.chance(0.4)
    places = axes if partial else range(x.rank)
    if partial:
        attributes["axes"] = axes
    region = None
    if coordinates == "tf_crop_and_resize":
        attributes["extrapolation_value"] = g.random.choice([None, 7.0])
        bounds = [(0.1, 0.8), (0.4, 1.3), (0.0, 1.0)]
        drawn = [g.random.choice(bounds) if at in axes else (0.0, 1.0) for at in places]
        region = g.parameter([low for low, _ in drawn] + [high for _, high in drawn], F32)
    if g.chance(0.6):
        drawn = [g.random.choice([0.5, 0.6, 0.75, 1.5, 2, 3, 2.3]) if at in axes else 1 for at in places]
        y = g.add("Resize", [x, region, g.parameter(drawn, F32)], **attributes)
    elif not partial and not all(is_constant(x.dims[at]) for at in range(x.rank)):
        raise Invalid("sizes of an unknown axis")
    else:
        drawn = [g.random.choice([1, 2, 3, 5, 8, 11]) if at in axes else x.dims[at][0] for at in places]
        if partial and g.chance(0.3) and coordinates != "tf_crop_and_resize":
            attributes["keep_aspect_ratio_policy"] = g.random.choice(["not_larger", "not_smaller"])
        y = g.add("Resize", [x, region, None, g.parameter(drawn)], **attributes)
    if coordinates == "pytorch_half_pixel" and any(1 in y.dims[axis] for axis in axes):
        raise Invalid("the reference compares another size with 1")


def grid_sample(g):
    finite(g)
    spatial = g.random.choice([2, 2, 2, 3])
    side = lambda: g.constant_dim(g.random.choice([1, 2, 3, 5, 7]))  # noqa: E731
    batch, elem = g.random.choice(g.settings.palette), g.elem_of([F32, F64])
    x = g.fresh(elem, [batch, side(), *[side() for _ in range(spatial)]])
    grid = g.fresh(elem, [batch, *[side() for _ in range(spatial)], g.constant_dim(spatial)])
    border = g.random.choice(["zeros", "border", "reflection"])
    mode = g.random.choice(["linear", "nearest", "cubic"] if spatial == 2 else ["linear", "nearest"])
    if mode == "cubic" and border == "border":
        raise Invalid("the reference clamps the point, not its neighbours")
    if g.settings.opset < 20:
        mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
        if spatial == 3:
            raise Invalid("not in the opset")
    g.add(
        "GridSample", [x, grid], mode=mode, padding_mode=border, align_corners=g.random.choice([0, 1])
    )


def affine_grid(g):
    since(g, 20)
    spatial = g.random.choice([2, 3])
    batch, elem = g.random.choice(g.settings.palette), g.elem_of([F32, F64])
    theta = g.fresh(elem, [batch, g.constant_dim(spatial), g.constant_dim(spatial + 1)])
    align = g.random.choice([0, 1])
    # With corners aligned, the function body divides by a size less 1.
    sizes = [g.constant_dim(g.random.choice([2, 3, 5] if align else [1, 2, 3, 5])) for _ in range(spatial + 1)]
    g.add("AffineGrid", [theta, g.dims_input([batch, *sizes])], align_corners=align)


def pad(g):
    """Every mode, of some axes, and pads that cut."""
    x = g.pick([*LAYERS, *INTEGERS, BOOL], rank=[1, 2, 3, 4])
    mode = g.random.choice(["constant", "reflect", "edge", "wrap"])
    if mode == "wrap":
        since(g, 19)
    axes = list(range(x.rank))
    if g.settings.opset >= 18 and g.chance(0.5):
        axes = g.random.sample(axes, g.random.randint(1, x.rank))
    least = {"reflect": 1, "wrap": 0}
    bound = [min(min(x.dims[axis]) - least.get(mode, 0), 3) for axis in axes]
    if mode != "constant" and min(bound) < 0:
        raise Invalid("nothing to repeat")
    pads = [g.random.choice([0, g.random.randint(0, max(most, 0))]) for most in bound * 2]
    if g.chance(0.2):
        at = g.random.randrange(len(pads))
        pads[at] = -min(1, min(x.dims[axes[at % len(axes)]]))
    value = None
    if mode == "constant" and g.chance(0.5):
        value = g.fresh(x.elem, [], constant=True)
    chosen = None if len(axes) == x.rank and axes == sorted(axes) else g.parameter(axes)
    g.add("Pad", [x, g.parameter(pads), value, chosen], mode=mode)


# Pools ---------------------------------------------------------------------------


def pool_of_bytes(g):
    """Max pooling of 8-bit integers, and of floats with indices, all attributes."""
    elem = g.random.choice([U8, I8, F32, F64])
    spatial = g.random.choice([1, 2])
    dims = [*g.random_dims(1), g.constant_dim(g.random.choice([1, 3, 4, 16]))]
    if g.chance(0.3):
        dims += g.random_dims(spatial)
    else:
        dims += [g.constant_dim(g.random.choice([3, 5, 7, 8])) for _ in range(spatial)]
    x = g.fresh(elem, dims)
    if min(min(dim) for dim in x.dims[2:]) < 1:
        raise Invalid("nothing to pool")
    kernel = [g.random.choice([1, 2, 3]) for _ in range(spatial)]
    attributes = {"kernel_shape": kernel, "strides": [g.random.choice([1, 2]) for _ in kernel]}
    if g.chance(0.5):
        attributes["pads"] = [g.random.randint(0, k - 1) for k in kernel] * 2
    if g.chance(0.3):
        attributes["dilations"] = [g.random.choice([1, 2]) for _ in kernel]
    if g.chance(0.3):
        attributes["ceil_mode"] = 1
    g.add("MaxPool", [x], **attributes)


def lp(g):
    finite(g)
    if g.chance(0.5):
        x = g.pick([F32, F64], rank=[2, 3])
        g.add("LpNormalization", [x], axis=g.random.choice([-1, 0]), p=g.random.choice([1, 2]))
        return
    dims = [*g.random_dims(1), g.constant_dim(2), *[g.constant_dim(g.random.choice([3, 5, 6])) for _ in range(2)]]
    kernel = [g.random.choice([1, 2, 3]) for _ in range(2)]
    g.add(
        "LpPool", [g.fresh(F32, dims)], kernel_shape=kernel, p=g.random.choice([1, 2, 3]),
        strides=[g.random.choice([1, 2]) for _ in kernel],
    )  # fmt: skip


# Indexing ------------------------------------------------------------------------


def gather_batches(g):
    x = g.pick([*LAYERS, *INTEGERS, BOOL], rank=[2, 3, 4])
    batches = g.random.randint(1, x.rank - 1)
    length = g.random.randint(1, x.rank - batches)
    least = min(min(dim) for dim in x.dims[batches : batches + length])
    if least < 1:
        raise Invalid("nothing to index")
    dims = [*x.dims[:batches], *g.random_dims(g.random.choice([0, 1])), g.constant_dim(length)]
    g.add("GatherND", [x, g.fresh(I64, dims, "index", below=least)], batch_dims=batches)


def scatter_points(g):
    x = g.pick([F32, F64, *INTEGERS], rank=[1, 2, 3])
    length = g.random.randint(1, x.rank)
    least = min(min(dim) for dim in x.dims[:length])
    if least < 1:
        raise Invalid("nothing to index")
    reduction = g.random.choice([None, "add", "mul", "max", "min"])
    if reduction in ("max", "min"):
        since(g, 18)
    count = g.constant_dim(1) if reduction is None else g.random_dims(1)[0]
    indices = g.fresh(I64, [count, g.constant_dim(length)], "index", below=least)
    updates = g.fresh(x.elem, [count, *x.dims[length:]])
    g.add("ScatterND", [x, indices, updates], reduction=reduction)


def scatter_elements(g):
    """Of integers of every sign and width."""
    x = g.pick(INTEGERS, rank=[1, 2, 3])
    axis = g.random.randrange(x.rank)
    if min(min(dim) for dim in x.dims) < 1:
        raise Invalid("nothing to index")
    dims = [g.constant_dim(min(g.random.randint(1, 4), min(dim))) for dim in x.dims]
    since(g, 18)
    indices = g.fresh(g.random.choice([I32, I64]), dims, "index", below=min(x.dims[axis]))
    reduction = g.random.choice(["add", "mul", "max", "min"])
    g.add("ScatterElements", [x, indices, g.fresh(x.elem, dims)], axis=axis, reduction=reduction)


def center_crop_pad(g):
    since(g, 18)
    x = g.pick([F32, F64, *INTEGERS], rank=[1, 2, 3])
    axes = g.random.sample(range(x.rank), g.random.randint(1, x.rank))
    sizes = [g.random.choice([1, 2, 3, 4, 7, 10]) for _ in axes]
    g.add("CenterCropPad", [x, g.parameter(sizes)], axes=axes)


# Integers ------------------------------------------------------------------------


def power_of_integers(g):
    x = g.pick([I32, I64], kind="any")
    y = g.broadcast_partner(x, g.random.choice([I32, I64, I8, U8]), kind="positive")
    if not y.all(lambda a: a < 16):
        raise Invalid("overflows")
    g.add("Pow", [x, y])


def quotient_of_signs(g):
    """Quotients and remainders of negative numbers, and of numbers with the sign bit."""
    x = g.pick(INTEGERS)
    y = g.broadcast_partner(x)
    if not y.all(lambda a: a != 0):
        raise Invalid("by zero")
    if g.chance(0.5):
        g.add("Div", [x, y])
    else:
        g.add("Mod", [x, y], fmod=g.random.choice([0, 1]))


def cast_of_integers(g):
    """To every type and back."""
    x = g.pick([*INTEGERS, BOOL])
    y = g.add("Cast", [x], to=g.random.choice([*INTEGERS, *FLOAT_TYPES, BOOL]))
    if g.chance(0.5):
        g.add("Cast", [y], to=g.random.choice([*INTEGERS, F32, BOOL]))


def quantize(g):
    """Dynamic, to 16 bits, and products of quantized data."""
    finite(g)
    kind = g.random.choice(["dynamic", "wide", "product", "convolution"])
    if kind == "dynamic":
        q, scale, zero = g.add("DynamicQuantizeLinear", [g.pick([F32])], outputs=3)
        g.add("DequantizeLinear", [q, scale, zero])
    elif kind == "wide":
        since(g, 21)
        x, elem = g.pick([F32]), g.random.choice([I16, U8, I8])
        scale, zero = g.fresh(F32, [], "positive", constant=True), g.fresh(elem, [], constant=True)
        q = g.add("QuantizeLinear", [x, scale, zero])
        g.add("DequantizeLinear", [q, scale, zero])
    elif kind == "product":
        a = g.pick([U8, I8], rank=[2, 3])
        b = g.fresh(g.random.choice([U8, I8]), [a.dims[-1], *g.random_dims(1)])
        out = g.random.choice([U8, I8])
        scales = [g.fresh(F32, [], "positive", constant=True) for _ in range(3)]
        zeros = [g.fresh(elem, [], constant=True) for elem in (a.elem, b.elem, out)]
        g.add("QLinearMatMul", [a, scales[0], zeros[0], b, scales[1], zeros[1], scales[2], zeros[2]])
    else:
        channels, side = g.random.choice([1, 3, 4]), g.constant_dim(g.random.choice([3, 5]))
        x = g.fresh(g.random.choice([U8, I8]), [*g.random_dims(1), g.constant_dim(channels), side, side])
        w = g.fresh(g.random.choice([U8, I8]), [g.constant_dim(n) for n in (2, channels, 3, 3)])
        zeros = [g.fresh(v.elem, [], constant=True) if g.chance(0.7) else None for v in (x, w)]
        g.add("ConvInteger", [x, w, *zeros], pads=[g.random.choice([0, 1])] * 4)


# Networks ------------------------------------------------------------------------


def loss(g):
    finite(g)
    elem = g.elem_of(LAYERS)
    classes = g.random.choice([2, 3, 5])
    dims = [*g.random_dims(1), g.constant_dim(classes), *g.random_dims(g.random.choice([0, 0, 1]))]
    scores = g.fresh(elem, dims)
    labels = g.fresh(g.random.choice([I32, I64]), [dims[0], *dims[2:]], "natural", below=classes)
    weight = g.fresh(elem, [g.constant_dim(classes)], "positive") if g.chance(0.4) else None
    attributes = {"reduction": g.random.choice(["none", "sum", "mean"])}
    if g.chance(0.4):
        attributes["ignore_index"] = g.random.choice([0, 1, -1])
    operator = g.random.choice(["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
    g.add(operator, [scores, labels, weight], **attributes)


def rotary(g):
    since(g, 23)
    elem, batch, length = g.float_type(), *g.random_dims(2)
    heads, depth = g.random.choice([1, 2]), g.random.choice([4, 8])
    x = g.fresh(elem, [batch, g.constant_dim(heads), length, g.constant_dim(depth)])
    part = g.random.choice([0, depth // 2]) if depth == 8 else 0
    half = g.constant_dim((part or depth) // 2)
    tables = [g.fresh(elem, [batch, length, half]) for _ in range(2)]
    g.add(
        "RotaryEmbedding", [x, *tables], interleaved=g.random.choice([0, 1]), rotary_embedding_dim=part or None
    )


def attention_modes(g):
    """Heads in three dimensions, pasts, masks of both kinds, caps."""
    since(g, 23)
    elem, (batch, queries, keys) = g.float_type(), g.random_dims(3)
    key_heads = g.random.choice([1, 2])
    heads = key_heads * g.random.choice([1, 2])
    depth = g.random.choice([4, 8])
    attributes = {"is_causal": g.random.choice([0, 1]), "softcap": g.random.choice([None, 2.0])}
    if g.chance(0.4):
        q, k, v = (
            g.fresh(elem, [batch, length, g.constant_dim(n * depth)])
            for length, n in ((queries, heads), (keys, key_heads), (keys, key_heads))
        )
        attributes |= {"q_num_heads": heads, "kv_num_heads": key_heads}
    else:
        q = g.fresh(elem, [batch, g.constant_dim(heads), queries, g.constant_dim(depth)])
        k, v = (g.fresh(elem, [batch, g.constant_dim(key_heads), keys, g.constant_dim(depth)]) for _ in "kv")
    mask, pasts, outputs = None, [None, None], 1
    if g.chance(0.3):
        past = g.random_dims(1)[0]
        pasts = [g.fresh(elem, [batch, g.constant_dim(key_heads), past, g.constant_dim(depth)]) for _ in "kv"]
        outputs = 3
    elif g.chance(0.5):
        mask = g.fresh(g.random.choice([elem, BOOL]), [queries, keys])
    g.add("Attention", [q, k, v, mask, *pasts], outputs=outputs, **attributes)


def recurrence(g):
    """Every direction, with sequence lengths and initial states."""
    finite(g)
    elem = g.elem_of([e for e in g.settings.float_types if e in LAYERS])
    steps, hidden, inputs = (g.random.choice([1, 2, 4]) for _ in range(3))
    batch = g.random.choice(g.settings.palette)
    operator, gates = g.random.choice([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    direction = g.random.choice(["forward", "reverse", "bidirectional"])
    count = 2 if direction == "bidirectional" else 1
    dim = g.constant_dim
    x = g.fresh(elem, [dim(steps), batch, dim(inputs)])
    w = g.fresh(elem, [dim(count), dim(gates * hidden), dim(inputs)])
    r = g.fresh(elem, [dim(count), dim(gates * hidden), dim(hidden)])
    b = g.fresh(elem, [dim(count), dim(2 * gates * hidden)]) if g.chance(0.5) else None
    lengths = None
    initial = g.fresh(elem, [dim(count), batch, dim(hidden)]) if g.chance(0.5) else None
    attributes = {"linear_before_reset": g.random.choice([0, 1])} if operator == "GRU" else {}
    g.add(
        operator, [x, w, r, b, lengths, initial], outputs=3 if operator == "LSTM" else 2,
        hidden_size=hidden, direction=direction, **attributes,
    )  # fmt: skip


def einsum(g):
    """Batches without rows, columns or depth; ellipses; an index twice."""
    equation = g.random.choice([
        "bd,bkd->bk", "bd,bdk->bk", "bk,bk->b", "bi,bj->bij", "i,j->ij", "...ij,...jk->...ik", "b...d,bd->b...",
        "bhd,bhkd->bhk", "bhqk,bhkd->bqhd", "ii->i", "bii->bi", "ij,ij->", "bij,bj,bi->b", "ij->", "abc,cd,de->abe",
    ])  # fmt: skip
    elem, dims = g.elem_of(LAYERS), {}
    inputs = []
    for term in equation.split("->")[0].split(","):
        sizes = []
        for letter in term.replace("...", "z"):
            sizes.append(dims.setdefault(letter, g.random_dims(1)[0]))
        inputs.append(g.fresh(elem, sizes))
    g.add("Einsum", inputs, equation=equation)


GENERATORS = [
    (4, resize), (2.5, grid_sample), (0.7, affine_grid), (4, pad), (3, pool_of_bytes), (1, lp),
    (1.5, gather_batches), (2, scatter_points), (1.5, scatter_elements), (1, center_crop_pad),
    (1, power_of_integers), (2, quotient_of_signs), (3, cast_of_integers),
    (3, quantize), (2, loss), (1.5, rotary), (2, attention_modes), (1, recurrence), (3, einsum),
]  # fmt: skip
