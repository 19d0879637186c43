"""Generators of products, convolutions, pools, norms, attention, and of what
exporters make of these, which the compiler's fusions look for.

As elementwise_operators.py.
"""

from elementwise_operators import FLOAT_TYPES, positive
from graph_builder import F16, F32, F64, I8, I32, I64, U8, Invalid, is_constant

LAYERS = [F32, F16, F64]


def matmul(g):
    x = g.pick([*FLOAT_TYPES, I32, I64], rank=[1, 2, 3, 4])
    inner = x.dims[-1]
    fits = [
        v
        for v in g.values
        if v.elem == x.elem
        and v.rank >= 1
        and v.dims[max(v.rank - 2, 0)] == inner
        and batches_match(v, x)
    ]
    if fits and g.chance(0.5):
        y = g.random.choice(fits)
    else:
        batch = x.dims[:-2] if g.chance(0.3) else []
        columns = [] if g.chance(0.12) else g.random_dims(1)
        y = g.fresh(x.elem, [*(batch if columns else []), inner, *columns])
    if g.chance(0.15) and x.rank >= 2:
        # The other way round: y^T x^T.
        order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
        if y.rank == 2:
            y, x = g.add("Transpose", [x], perm=order), g.add("Transpose", [y], perm=[1, 0])
            g.add("MatMul", [x, y])
            return
    product = g.add("MatMul", [x, y])
    if g.chance(0.4) and product.rank and product.elem in LAYERS:
        activation(g, add_bias(g, product, product.dims[-1]))


def batches_match(a, b):
    """Whether the dimensions before the last two broadcast."""
    pairs = zip(a.dims[:-2][::-1], b.dims[:-2][::-1])
    return all(x == y or set(x) == {1} or set(y) == {1} for x, y in pairs)


def add_bias(g, x, dim):
    return g.add("Add", [x, g.fresh(x.elem, [dim])])


def activation(g, x):
    kind = g.random.choice(["Relu", "Sigmoid", "Tanh", "gelu", "silu", "none"])
    if kind == "silu":
        return g.add("Mul", [x, g.add("Sigmoid", [x])])
    if kind == "gelu":
        y = g.add("Erf", [g.add("Mul", [x, g.fresh_scalar(x.elem, 0.70710678)])])
        y = g.add("Mul", [g.add("Add", [y, g.fresh_scalar(x.elem, 1.0)]), x])
        return g.add("Mul", [y, g.fresh_scalar(x.elem, 0.5)])
    return x if kind == "none" else g.add(kind, [x])


def gemm(g):
    x = g.pick(LAYERS, rank=2)
    turned = g.chance(0.3)
    inner = x.dims[0 if turned else 1]
    columns = g.random_dims(1)[0]
    transposed = g.chance(0.5)
    y = g.fresh(x.elem, [columns, inner] if transposed else [inner, columns])
    rows = x.dims[1 if turned else 0]
    one = g.constant_dim(1)
    bias_dims = g.random.choice([None, [], [columns], [one, columns], [rows, columns], [rows, one]])
    bias = None
    if bias_dims is not None and all(g.expression(dim) is not None for dim in bias_dims):
        bias = g.fresh(x.elem, bias_dims)
    flags = {"transA": int(turned), "transB": int(transposed)}
    flags["alpha"] = g.random.choice([None, None, 0.5, 2.0])
    flags["beta"] = g.random.choice([None, None, 0.0, 0.3])
    g.add("Gemm", [x, y, bias], **flags)


def einsum(g):
    equation, ranks = g.random.choice([
        ("bij,bjk->bik", 3), ("ij,jk->ik", 2), ("ij,kj->ki", 2), ("bij,bkj->bik", 3), ("bhid,bhjd->bhij", 4),
        ("ij->ji", 2), ("ij->i", 2), ("bij,jk->bki", 3),
    ])  # fmt: skip
    left = equation.split("->")[0].split(",")
    x = g.pick(LAYERS, rank=ranks)
    dims = dict(zip(left[0], x.dims))
    inputs = [x]
    if len(left) > 1:
        for letter in left[1]:
            dims.setdefault(letter, g.random_dims(1)[0])
        inputs.append(g.fresh(x.elem, [dims[letter] for letter in left[1]]))
    g.add("Einsum", inputs, equation=equation)


def quantized_product(g):
    elem = g.random.choice([I8, U8])
    x = g.pick([elem], rank=[2, 3])
    y = g.fresh(g.random.choice([I8, U8]), [x.dims[-1], *g.random_dims(1)])
    zeros = [g.fresh(v.elem, []) if g.chance(0.7) else None for v in (x, y)]
    g.add("MatMulInteger", [x, y, *zeros])


# Windows -------------------------------------------------------------------------


def image(g, channels=None):
    """Data [batch, channels, spatial …]; channels and space are numbers."""
    if g.settings.special:
        raise Invalid("weights may or may not be multiplied by zeros of the padding")

    def fits(v):
        return all(map(is_constant, v.dims[1:])) and min(d[0] for d in v.dims[1:]) > 0

    if channels is None and g.chance(0.5):
        return g.pick(LAYERS, rank=[3, 4], where=fits)
    spatial = g.random.choice([1, 2, 2, 2])
    sides = [g.random.choice([1, 3, 4, 5, 7, 8, 11]) for _ in range(spatial)]
    dims = g.random_dims(1) + [g.constant_dim(channels or g.random.choice([1, 2, 3, 4, 6, 8, 16]))]
    if g.chance(0.25):
        return g.fresh(g.float_type(), dims + [g.random.choice(g.settings.palette) for _ in sides])
    return g.fresh(g.float_type(), dims + [g.constant_dim(side) for side in sides])


def window(g, x, dilations=True):
    spatial = x.rank - 2
    least = [min(dim) for dim in x.dims[2:]]
    kernel = [g.random.choice([k for k in (1, 2, 3, 3, 5) if k <= side + 1] or [1]) for side in least]
    attributes = {"kernel_shape": kernel}
    if g.chance(0.5):
        attributes["strides"] = [g.random.choice([1, 2, 3]) for _ in range(spatial)]
    if dilations and g.chance(0.25):
        attributes["dilations"] = [g.random.choice([1, 2]) for _ in range(spatial)]
    if g.chance(0.2):
        attributes["auto_pad"] = g.random.choice(["SAME_UPPER", "SAME_LOWER", "VALID"])
        # Whether a window that is shorter than its stride begins inside is not defined.
        attributes["strides"] = [min(s, k) for s, k in zip(attributes.get("strides", [1] * spatial), kernel)]
    elif g.chance(0.7):
        attributes["pads"] = [g.random.randint(0, min(k - 1, 2)) for k in kernel] * 2
    return attributes


def convolution(g):
    x = image(g)
    channels = x.dims[1][0]
    groups = g.random.choice([n for n in (1, 1, 1, 2, channels) if channels % n == 0])
    out = groups * g.random.choice([1, 2, 3, 4, 8])
    attributes = window(g, x)
    kernel = [g.constant_dim(size) for size in attributes["kernel_shape"]]
    weight = g.fresh(x.elem, [g.constant_dim(out), g.constant_dim(channels // groups), *kernel])
    bias = g.fresh(x.elem, [g.constant_dim(out)]) if g.chance(0.6) else None
    y = g.add("Conv", [x, weight, bias], group=groups, **attributes)
    if g.chance(0.3):
        y = normalize_batch(g, y)
    if g.chance(0.3):
        activation(g, y)


def transposed_convolution(g):
    x = image(g)
    channels = x.dims[1][0]
    attributes = window(g, x)
    attributes.pop("auto_pad", None)
    kernel = [g.constant_dim(size) for size in attributes["kernel_shape"]]
    weight = g.fresh(x.elem, [g.constant_dim(channels), g.constant_dim(g.random.choice([1, 2, 3])), *kernel])
    g.add("ConvTranspose", [x, weight], **attributes)


def pool(g):
    x = image(g)
    operator = g.random.choice(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"])
    if operator.startswith("Global"):
        g.add(operator, [x])
        return
    attributes = window(g, x, dilations=operator == "MaxPool")
    if g.chance(0.2):
        attributes["ceil_mode"] = 1
    if operator == "AveragePool" and g.chance(0.4):
        attributes["count_include_pad"] = 1
    g.add(operator, [x], **attributes)


# Norms ---------------------------------------------------------------------------


def normalize_batch(g, x):
    c = [x.dims[1]]
    parameters = [g.fresh(x.elem, c, kind, constant=True) for kind in ("any", "any", "any", "positive")]
    return g.add("BatchNormalization", [x, *parameters])


def norm(g):
    operator = g.random.choice(
        ["batch", "InstanceNormalization", "LayerNormalization", "GroupNormalization", "LRN", "RMSNormalization"]
    )
    if operator in ("LayerNormalization", "RMSNormalization"):
        if operator == "RMSNormalization" and g.settings.opset < 23:
            raise Invalid("not in the opset")
        x = g.pick(LAYERS, rank=[1, 2, 3, 4])
        axis = g.random.choice([-1, -1, g.random.randrange(x.rank)])
        dims = x.dims[axis % x.rank :]
        scale = g.fresh(x.elem, dims)
        bias = [g.fresh(x.elem, dims)] if operator[0] == "L" and g.chance(0.7) else []
        g.add(operator, [x, scale, *bias], axis=axis, epsilon=g.random.choice([None, 1e-3]))
        return
    x = image(g)
    c = [x.dims[1]]
    if operator == "batch":
        normalize_batch(g, x)
    elif operator == "LRN":
        g.add("LRN", [x], size=g.random.choice([3, 5]))
    elif operator == "GroupNormalization":
        groups = g.random.choice([n for n in (1, 2, 3, 4) if c[0][0] % n == 0])
        if g.settings.opset < 21:
            raise Invalid("another operator before")
        g.add(operator, [x, g.fresh(x.elem, c), g.fresh(x.elem, c)], num_groups=groups)
    else:
        g.add(operator, [x, g.fresh(x.elem, c), g.fresh(x.elem, c)])


def norm_of_parts(g):
    """Layer or root-mean-square normalization as exporters write it."""
    x = g.pick(LAYERS, rank=[2, 3])
    axes = g.parameter([-1])

    def mean(v):
        if g.settings.opset >= 18:
            return g.add("ReduceMean", [v, axes])
        return g.add("ReduceMean", [v], axes=[-1])

    centred = g.add("Sub", [x, mean(x)]) if g.chance(0.7) else x
    square = g.add("Pow", [centred, g.fresh_scalar(x.elem, 2.0)]) if g.chance(0.5) else g.add("Mul", [centred, centred])
    root = g.add("Sqrt", [g.add("Add", [mean(square), g.fresh_scalar(x.elem, 1e-3)])])
    y = g.add("Div", [centred, root])
    g.add("Mul", [y, g.fresh(x.elem, [x.dims[-1]])])


# Attention -----------------------------------------------------------------------


def attention(g):
    if g.settings.opset < 23:
        raise Invalid("not in the opset")
    elem, batch = g.float_type(), g.random_dims(1)
    heads = g.random.choice([1, 2, 3])
    key_heads = g.random.choice([n for n in (1, heads) if heads % n == 0])
    queries, keys = g.random_dims(2)
    depth, value_depth = (g.constant_dim(g.random.choice([1, 4, 8, 16])) for _ in range(2))
    q = g.fresh(elem, [*batch, g.constant_dim(heads), queries, depth])
    k = g.fresh(elem, [*batch, g.constant_dim(key_heads), keys, depth])
    v = g.fresh(elem, [*batch, g.constant_dim(key_heads), keys, value_depth])
    mask = g.fresh(elem, [queries, keys]) if g.chance(0.4) else None
    g.add("Attention", [q, k, v, mask], is_causal=g.random.choice([None, 0, 1]), scale=g.random.choice([None, 0.3]))


def attention_of_parts(g):
    """softmax(q k^T * scale + mask) v with heads cut out of the last dimension."""
    elem, batch = g.float_type(), g.random_dims(1)[0]
    heads, depth = g.random.choice([1, 2, 4]), g.random.choice([1, 4, 8])
    length = g.random_dims(1)[0]
    x = g.fresh(elem, [batch, length, g.constant_dim(heads * depth)])

    def head(order):
        w = g.fresh(elem, [g.constant_dim(heads * depth)] * 2)
        y = g.add("MatMul", [x, w])
        if g.chance(0.5):
            y = add_bias(g, y, y.dims[-1])
        y = g.add("Reshape", [y, g.parameter([0, 0, heads, depth])])
        return g.add("Transpose", [y], perm=order)

    q, k, v = head([0, 2, 1, 3]), head([0, 2, 3, 1]), head([0, 2, 1, 3])
    scale = g.fresh_scalar(elem, depth**-0.5)
    if g.chance(0.5):
        q = g.add("Mul", [q, scale])
        scores = g.add("MatMul", [q, k])
    else:
        scores = g.add("Mul", [g.add("MatMul", [q, k]), scale])
    if g.chance(0.5):
        mask = g.fresh(elem, g.random.choice([[length, length], [batch, g.constant_dim(1), g.constant_dim(1), length]]))
        scores = g.add("Add", [scores, mask])
    y = g.add("MatMul", [g.add("Softmax", [scores], axis=-1), v])
    y = g.add("Transpose", [y], perm=[0, 2, 1, 3])
    g.add("Reshape", [y, g.parameter([0, 0, heads * depth])])


def pooling_of_tokens(g):
    """The mean over the tokens that a mask leaves, as sentence encoders end."""
    x = g.pick(LAYERS, rank=3)
    mask = g.fresh(I64, x.dims[:2], "natural", below=2)
    wide = g.add("Cast", [g.add("Unsqueeze", [mask, g.parameter([-1])])], to=x.elem)
    if g.chance(0.5):
        wide = g.add("Expand", [wide, g.dims_input(x.dims)])
    total = g.add("ReduceSum", [g.add("Mul", [x, wide]), g.parameter([1])], keepdims=0)
    count = g.add("ReduceSum", [wide, g.parameter([1])], keepdims=0)
    least = g.add("Clip", [count, g.fresh_scalar(x.elem, 0.5)])
    mean = g.add("Div", [total, least])
    if g.chance(0.5) and positive(mean):
        g.add("Sqrt", [mean])


def resize(g):
    x = image(g)
    scales = g.parameter([1, 1] + [g.random.choice([1, 2, 3]) for _ in range(x.rank - 2)], F32)
    mode = g.random.choice(["nearest", "linear"])
    kind = g.random.choice(["asymmetric", "half_pixel"])
    nearest = "floor" if kind == "asymmetric" else "round_prefer_floor"
    g.add(
        "Resize", [x, None, scales], mode=mode, coordinate_transformation_mode=kind,
        nearest_mode=nearest if mode == "nearest" else None,
    )  # fmt: skip


def recurrence(g):
    steps, batch, inputs, hidden = (g.constant_dim(g.random.choice([1, 2, 3, 5])) for _ in range(4))
    if g.chance(0.4):
        batch = g.random.choice(g.settings.palette)
    operator, gates = g.random.choice([("RNN", 1), ("GRU", 3), ("LSTM", 4)])
    elem = g.elem_of([e for e in g.settings.float_types if e in LAYERS])
    x = g.fresh(elem, [steps, batch, inputs])
    one = g.constant_dim(1)
    rows = g.constant_dim(gates * hidden[0])
    w, r = g.fresh(elem, [one, rows, inputs]), g.fresh(elem, [one, rows, hidden])
    b = g.fresh(elem, [one, g.constant_dim(2 * gates * hidden[0])]) if g.chance(0.5) else None
    g.add(operator, [x, w, r, b], outputs=3 if operator == "LSTM" else 2, hidden_size=hidden[0])


GENERATORS = [
    (12, matmul), (5, gemm), (2, einsum), (1.5, quantized_product), (7, convolution),
    (1.5, transposed_convolution), (5, pool), (6, norm), (4, norm_of_parts), (2, attention),
    (3, attention_of_parts), (2, pooling_of_tokens), (1, resize), (0.7, recurrence),
]  # fmt: skip
