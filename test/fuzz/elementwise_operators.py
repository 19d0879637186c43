"""Generators of elementwise nodes, casts and reductions, for graph_builder.py.

Each generator takes a GraphBuilder and adds a node or a few; it may raise Invalid.
GENERATORS has (weight, generator).
"""

import numpy as np

from graph_builder import (
    BF16, BOOL, F16, F32, F64, I8, I16, I32, I64, INTEGERS, NUMBERS, SIGNED, U8, U16, U32, U64, Invalid, is_constant,
)  # fmt: skip

FLOAT_TYPES = [F32, F16, F64, BF16]
ANY = [*NUMBERS, BF16, BOOL]

# Operators of one float by where they are defined.
EVERYWHERE = [
    "Abs", "Neg", "Exp", "Sigmoid", "Tanh", "Relu", "Elu", "Selu", "Celu", "LeakyRelu", "Softplus",
    "Softsign", "HardSigmoid", "HardSwish", "Mish", "Erf", "Floor", "Ceil", "Round", "Sign", "Sin",
    "Cos", "Atan", "Asinh", "Sinh", "Cosh", "Identity", "ThresholdedRelu", "Shrink", "Gelu", "Tan",
]  # fmt: skip
POSITIVE = ["Log", "Sqrt", "Reciprocal"]
UNIT = ["Acos", "Asin", "Atanh"]
SINCE = {"Gelu": 20, "Mish": 18, "HardSwish": 14, "Swish": 24}


def positive(value):
    return value.all(lambda array: array > 1e-3)


def unit(value):
    return value.all(lambda array: np.abs(array) < 0.99)


def supported(g, operator):
    if SINCE.get(operator, 1) > g.settings.opset:
        raise Invalid(f"{operator} is not in the opset")


def unary(g):
    operator = g.random.choice(EVERYWHERE)
    supported(g, operator)
    attributes = {}
    if operator in ("Elu", "Celu", "LeakyRelu", "ThresholdedRelu") and g.chance(0.5):
        attributes["alpha"] = g.random.choice([0.01, 0.3, 1.5])
    if operator == "Gelu" and g.chance(0.5):
        attributes["approximate"] = "tanh"
    if operator == "Shrink":
        attributes = {"lambd": 0.4, "bias": g.random.choice([0.0, 0.2])}
    g.add(operator, [g.pick(FLOAT_TYPES)], **attributes)


def unary_limited(g):
    if g.chance(0.6):
        x = g.pick(FLOAT_TYPES, where=positive, kind="positive")
        g.add(g.random.choice(POSITIVE), [x])
    elif g.chance(0.8):
        g.add(g.random.choice(UNIT), [g.pick(FLOAT_TYPES, where=unit, kind="unit")])
    else:
        x = g.pick(FLOAT_TYPES, where=lambda v: v.all(lambda a: a >= 0), kind="positive")
        g.add("Acosh", [g.add("Add", [x, g.fresh_scalar(x.elem, 1.0)])])


def unary_integer(g):
    operator = g.random.choice(["Abs", "Neg", "Sign", "BitwiseNot", "Identity"])
    if operator == "BitwiseNot" and g.settings.opset < 18:
        operator = "Abs"
    g.add(operator, [g.pick(SIGNED if operator == "Neg" else [*SIGNED, U8, U32])])


def binary(g):
    operator = g.random.choice(["Add", "Add", "Sub", "Mul", "Mul", "Div", "Max", "Min"])
    x = g.pick(NUMBERS + [BF16])
    if operator == "Div":
        y = g.broadcast_partner(x, kind="positive")
    else:
        y = g.broadcast_partner(x)
    g.add(operator, [x, y] if operator == "Div" or g.chance(0.6) else [y, x])


def power(g):
    x = g.pick(FLOAT_TYPES, where=positive, kind="positive")
    if g.chance(0.5):
        exponent = g.random.choice([0.0, 0.5, 1.0, 2.0, 3.0, -1.0, -0.5, 1.5])
        if exponent in (1.0, 2.0, 3.0):
            x = g.pick(FLOAT_TYPES)
        g.add("Pow", [x, g.fresh_scalar(x.elem, exponent)])
    else:
        g.add("Pow", [x, g.broadcast_partner(x)])


def variadic(g):
    operator = g.random.choice(["Sum", "Mean", "Max", "Min"])
    x = g.pick(FLOAT_TYPES if operator in ("Sum", "Mean") else NUMBERS)
    g.add(operator, [x] + [g.broadcast_partner(x) for _ in range(g.random.randint(0, 3))])


def remainder(g):
    if g.chance(0.7):
        x = g.pick([*SIGNED, U8, U32])
        y = g.broadcast_partner(x, kind="positive")
        g.add("Mod", [x, y], fmod=g.random.choice([None, 0, 1]))
    else:
        x = g.pick(FLOAT_TYPES)
        g.add("Mod", [x, g.broadcast_partner(x, kind="positive")], fmod=1)


def bitwise(g):
    if g.chance(0.3):
        x = g.pick([U8, U32])
        y = g.broadcast_partner(x)
        if not y.all(lambda a: a < 8):
            raise Invalid("shifts by too much")
        g.add("BitShift", [x, y], direction=g.random.choice(["LEFT", "RIGHT"]))
    else:
        if g.settings.opset < 18:
            raise Invalid("BitwiseAnd is not in the opset")
        x = g.pick([*SIGNED, U8, U32])
        g.add(g.random.choice(["BitwiseAnd", "BitwiseOr", "BitwiseXor"]), [x, g.broadcast_partner(x)])


def compare(g):
    x = g.pick([*NUMBERS, BF16])
    operators = ["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"]
    g.add(g.random.choice(operators), [x, g.broadcast_partner(x)])


def logical(g):
    x = g.pick([BOOL])
    if g.chance(0.25):
        g.add("Not", [x])
    else:
        g.add(g.random.choice(["And", "Or", "Xor", "Equal"]), [x, g.broadcast_partner(x)])


def classify(g):
    g.add(g.random.choice(["IsNaN", "IsInf"]), [g.pick([F32, F64, F16])])


def where(g):
    x = g.pick(ANY)
    condition = g.broadcast_partner(x, BOOL)
    y = g.broadcast_partner(x)
    g.add("Where", [condition, x, y] if g.chance(0.5) else [condition, y, x])


def clip(g):
    x = g.pick([F32, F16, F64, I32, I64, I8, U8])
    low, high = (-1, 2) if x.elem not in (U8,) else (1, 5)
    low = g.fresh_scalar(x.elem, low) if g.chance(0.7) else None
    high = g.fresh_scalar(x.elem, high) if g.chance(0.7) else None
    g.add("Clip", [x, low, high])


def cast(g):
    x = g.pick(ANY)
    to = g.random.choice([*g.settings.float_types, F32, F16, F64, I64, I32, I8, U8, U32, BOOL])
    if g.chance(0.1) and to in (F32, F64, BOOL):
        like = g.pick([to])
        g.add("CastLike", [x, like])
    else:
        g.add("Cast", [x], to=to)


def prelu(g):
    x = g.pick([F32, F16, F64], rank=[1, 2, 3, 4])
    slope = g.broadcast_partner(x)
    if slope.rank > x.rank:
        raise Invalid("broadcasts in one direction only")
    g.add("PRelu", [x, slope])


# Reductions ----------------------------------------------------------------------

REDUCTIONS = {
    "ReduceSum": NUMBERS, "ReduceMean": FLOAT_TYPES, "ReduceMax": NUMBERS, "ReduceMin": NUMBERS,
    "ReduceProd": [F32, F64, I32, I64], "ReduceL1": FLOAT_TYPES, "ReduceL2": FLOAT_TYPES,
    "ReduceSumSquare": FLOAT_TYPES, "ReduceLogSumExp": [F32, F64, F16],
    "ReduceLogSum": [F32, F64],
}  # fmt: skip
REDUCTION_WEIGHTS = [6, 5, 4, 3, 1, 1, 2, 2, 1, 1]


def axes_of(g, x, least=0):
    count = g.random.randint(min(least, x.rank), x.rank)
    if g.chance(0.5):
        count = min(count, 1)
    axes = sorted(g.random.sample(range(x.rank), count))
    if g.chance(0.3):
        g.random.shuffle(axes)
    return [axis - x.rank if g.chance(0.4) else axis for axis in axes]


def reduction(g):
    operator = g.random.choices(list(REDUCTIONS), REDUCTION_WEIGHTS)[0]
    allowed = [elem for elem in REDUCTIONS[operator] if elem not in (I8, U8) or "M" in operator]
    allowed = [elem for elem in allowed if not (elem == U32 and g.settings.opset < 18)]
    if operator == "ReduceLogSum":
        x = g.pick(allowed, where=positive, kind="positive")
    else:
        x = g.pick(allowed)
    axes = axes_of(g, x)
    keep = g.random.choice([None, 0, 1])
    if operator == "ReduceSum" or g.settings.opset >= 18:
        noop = g.random.choice([None, None, 0, 1])
        given = g.parameter(axes) if axes or g.chance(0.3) else None
        g.add(operator, [x, given], keepdims=keep, noop_with_empty_axes=noop)
    else:
        g.add(operator, [x], axes=axes or None, keepdims=keep)


def arg_reduction(g):
    x = g.pick([F32, F64, F16, I32, I8, U8], rank=[1, 2, 3, 4])
    axis = g.random.randint(-x.rank, x.rank - 1)
    last = g.random.choice([None, None, 0, 1])
    operator = g.random.choice(["ArgMax", "ArgMin"])
    g.add(operator, [x], axis=axis, keepdims=g.random.choice([None, 0, 1]), select_last_index=last)


def cumulative(g):
    x = g.pick([F32, F64, I32, I64], rank=[1, 2, 3])
    axis = g.parameter(g.random.randint(-x.rank, x.rank - 1), g.random.choice([I32, I64]))
    flags = {name: g.random.choice([None, 0, 1]) for name in ("exclusive", "reverse")}
    g.add("CumSum", [x, axis], **flags)


def softmax(g):
    x = g.pick(FLOAT_TYPES, rank=[1, 2, 3, 4])
    operator = g.random.choice(["Softmax", "Softmax", "LogSoftmax", "Hardmax"])
    if operator == "Hardmax" and not x.all(np.isfinite):
        raise Invalid("undefined")
    g.add(operator, [x], axis=g.random.choice([None, -1, g.random.randint(-x.rank, x.rank - 1)]))


def top_k(g):
    x = g.pick([F32, F64, F16, *INTEGERS], rank=[1, 2, 3], where=lambda v: v.all(np.isfinite))
    axis = g.random.randint(-x.rank, x.rank - 1)
    least = min(x.dims[axis])
    if not least:
        raise Invalid("empty")
    k = g.parameter([g.random.randint(1, min(least, 6))])
    g.add("TopK", [x, k], outputs=2, axis=axis, largest=g.random.choice([0, 1]), sorted=1)


def quantization(g):
    x = g.pick([F32, F16], where=lambda v: v.all(np.isfinite))
    elem = g.random.choice([I8, U8])
    per_axis = x.rank > 0 and g.chance(0.4)
    axis = g.random.randrange(x.rank) if per_axis else None
    dims = [x.dims[axis]] if per_axis else []
    if per_axis and not is_constant(dims[0]):
        raise Invalid("scales of an unknown number")
    scale = g.fresh(x.elem, dims, "positive", constant=True)
    zero = g.fresh(elem, dims, constant=True) if g.chance(0.7) else None
    if zero is None:
        elem = U8
    if g.settings.opset < 19 and x.elem != F32:
        raise Invalid("not in the opset")
    q = g.add("QuantizeLinear", [x, scale, zero], axis=axis)
    if g.chance(0.8):
        g.add("DequantizeLinear", [q, scale, zero], axis=axis)


GENERATORS = [
    (12, unary), (5, unary_limited), (2, unary_integer), (16, binary), (2, power), (3, variadic),
    (1.5, remainder), (1.5, bitwise), (4, compare), (3, logical), (1, classify), (4, where), (2, clip),
    (6, cast), (1, prelu), (10, reduction), (2, arg_reduction), (2, cumulative), (4, softmax),
    (3, top_k), (2, quantization),
]  # fmt: skip
