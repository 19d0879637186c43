"""Evaluates graph-state IR with NumPy: the oracle of the importer's tests.

Computes the results of a module that graph_text.py has read, the slow and plain
way. Nothing of the compiler is used but the text that it prints.

    module = graph_state.parse(text)
    outputs = module.run({"x": array})
"""

import re

import numpy as np

import graph_points
from graph_text import ModuleText, parse_dense, parse_integers, parse_number, parse_type, read

DYNAMIC = -(2**63)


class Module(ModuleText):
    def run(self, inputs):
        self.sizes = {}
        values = self.values = {}
        for argument, name, dims in zip(self.arguments, self.names, self.dims):
            values[argument] = inputs[name]
            for dim, size in zip(dims, inputs[name].shape):
                if dim.startswith("@"):
                    known = self.sizes.setdefault(dim, size)
                    assert known == size, f"{dim} is {known} and {size}"
        for operation in self.operations:
            operands = [values[o] for o in operation.operands]
            if operation.name == "func.return":
                return operands
            if operation.name == "graph.assert":
                assert operands[0], operation.attributes["message"]
                continue
            with np.errstate(all="ignore"):
                value = evaluate(self, operation, operands)
            if operation.result is None:
                continue
            shape, dtype = parse_type(operation.result_type)
            value = np.asarray(value)
            assert value.dtype == dtype, (operation.name, value.dtype, dtype)
            if shape is not None:
                assert value.ndim == len(shape), (operation.name, value.shape)
                for have, want in zip(value.shape, shape):
                    assert want in (None, have), (operation.name, value.shape)
            values[operation.result] = value
        raise AssertionError("no return")


def parse(text):
    return read(text, Module())


# Operations.

def erf(x):
    import math
    return np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype)


UNSIGNED = {np.dtype(f"i{n}"): np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


def as_unsigned(x):
    return x.view(UNSIGNED[x.dtype]) if x.dtype in UNSIGNED else x


def truncated_division(a, b):
    quotient = np.abs(a) // np.where(b == 0, 1, np.abs(b))
    return (np.sign(a) * np.sign(b) * quotient).astype(a.dtype)


def on_unsigned(function):
    return lambda a, b: np.asarray(
        function(as_unsigned(a), as_unsigned(b))).view(a.dtype)


BINARY = {
    "addf": np.add, "subf": np.subtract, "mulf": np.multiply,
    "divf": np.divide, "remf": np.fmod, "addi": np.add, "subi": np.subtract,
    "muli": np.multiply, "divsi": truncated_division,
    "divui": on_unsigned(np.floor_divide), "remui": on_unsigned(np.mod),
    "remsi": lambda a, b: (a - truncated_division(a, b) * b).astype(a.dtype),
    "maximumf": np.maximum, "minimumf": np.minimum, "maxsi": np.maximum,
    "maxnumf": np.fmax, "minnumf": np.fmin,
    "minsi": np.minimum, "maxui": on_unsigned(np.maximum),
    "minui": on_unsigned(np.minimum), "andi": np.bitwise_and,
    "ori": np.bitwise_or, "xori": np.bitwise_xor, "shli": np.left_shift,
    "shrui": on_unsigned(np.right_shift),
    "shrsi": np.right_shift, "powf": np.power, "ipowi": np.power,
    "floordivsi": np.floor_divide,
    "ceildivsi": lambda a, b: -np.floor_divide(-a, b),
}
UNARY = {
    "negf": np.negative, "absf": np.abs, "absi": np.abs, "sqrt": np.sqrt,
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "sin": np.sin,
    "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "erf": erf,
    "ceil": np.ceil, "floor": np.floor, "roundeven": np.round,
    "rsqrt": lambda x: (1 / np.sqrt(x)).astype(x.dtype),
}
CASTS = {"extf", "truncf", "sitofp", "fptosi", "extsi", "trunci", "index_cast"}
FLOAT_PREDICATES = {
    0: lambda a, b: np.zeros(a.shape, bool), 1: np.equal, 2: np.greater,
    3: np.greater_equal, 4: np.less, 5: np.less_equal,
    6: lambda a, b: (a != b) & ~np.isnan(a) & ~np.isnan(b),
    7: lambda a, b: ~np.isnan(a) & ~np.isnan(b), 9: lambda a, b: ~(a <= b),
    13: np.not_equal, 14: lambda a, b: np.isnan(a) | np.isnan(b),
}
INTEGER_PREDICATES = [
    np.equal, np.not_equal, np.less, np.less_equal, np.greater,
    np.greater_equal, np.less, np.less_equal, np.greater, np.greater_equal,
]
REDUCERS = {"addf": np.add, "addi": np.add, "mulf": np.multiply,
            "muli": np.multiply, "maximumf": np.maximum, "maxsi": np.maximum,
            "minimumf": np.minimum, "minsi": np.minimum}


def evaluate(module, operation, operands):
    dialect, name = operation.name.split(".", 1)
    if dialect in ("arith", "math"):
        return evaluate_scalar(operation, name, operands)
    return globals()[f"{dialect}_{name}"](module, operation, *operands)


def evaluate_scalar(operation, name, operands):
    attributes = operation.attributes
    _, dtype = parse_type(operation.result_type)
    if name == "constant":
        value = attributes["value"]
        if value.startswith("dense"):
            return parse_dense(*value.split(" : "))
        return np.array(parse_number(value.split(" : ")[0], dtype), dtype)
    if name in BINARY:
        return np.asarray(BINARY[name](*operands)).astype(dtype)
    if name in UNARY:
        return UNARY[name](operands[0])
    if name in CASTS:
        return operands[0].astype(dtype)
    if name == "bitcast":
        return operands[0].view(dtype)
    if name in ("uitofp", "extui"):
        return as_unsigned(operands[0]).astype(dtype)
    if name == "fptoui":
        return operands[0].astype(np.uint64).astype(dtype)
    if name == "cmpf":
        return FLOAT_PREDICATES[parse_integers(attributes["predicate"])](
            *operands)
    if name == "cmpi":
        predicate = parse_integers(attributes["predicate"])
        if predicate >= 6:
            operands = [as_unsigned(o) for o in operands]
        return INTEGER_PREDICATES[predicate](*operands)
    if name == "select":
        return np.where(*operands).astype(dtype)
    raise NotImplementedError(operation.name)


def result_shape(operation, sizes):
    shape, dtype = parse_type(operation.result_type)
    sizes = iter(sizes)
    return [int(next(sizes)) if s is None else s for s in shape], dtype


def attention_sdpa(module, operation, *operands):
    from attention_reference import attention
    attributes = operation.attributes
    sizes = re.search(r"array<i32: ([^>]*)>", attributes["operandSegmentSizes"])[1]
    given, operands = {}, iter(operands)
    names = ["q", "k", "v", "bias", "mask", "key_lengths", "offset"]
    for name, count in zip(names, sizes.split(",")):
        if int(count):
            given[name] = next(operands)

    def number(name):
        return float(attributes[name].split(" : ")[0]) if name in attributes else None

    result, _ = attention(
        **given, scale=number("scale"), softcap=number("softcap"),
        causal="causal" in attributes,
        window=parse_integers(attributes["window"]) if "window" in attributes else None,
        masked_rows=re.search(r"(nan|zero)>", attributes["masked_rows"])[1])
    return result.astype(given["q"].dtype)


def graph_size(module, operation):
    return np.int64(module.sizes[operation.attributes["symbol"].replace('"', "")])


def graph_weight(module, operation):
    return module.weights[operation.attributes["weights"].strip('@"')]


def graph_broadcast_to(module, operation, source, *sizes):
    shape, _ = result_shape(operation, sizes)
    return np.broadcast_to(source, shape)


def graph_reshape(module, operation, source, *sizes):
    shape, _ = result_shape(operation, sizes)
    return source.reshape(shape)


def graph_iota(module, operation, *sizes):
    shape, dtype = result_shape(operation, sizes)
    dimension = parse_integers(operation.attributes["dimension"])
    return np.broadcast_to(
        np.arange(shape[dimension], dtype=dtype).reshape(
            [-1 if i == dimension else 1 for i in range(len(shape))]), shape)


def graph_gather(module, operation, data, indices):
    return np.take(data, indices, parse_integers(operation.attributes["axis"]))


def graph_gather_points(module, operation, data, indices, *sizes):
    shape, _ = result_shape(operation, sizes)
    return graph_points.gather(
        data, indices, parse_integers(operation.attributes["dimensions"]), shape)


def graph_scatter_points(module, operation, data, indices, updates):
    attributes = operation.attributes
    is_unsigned = "is_unsigned" in attributes
    arrays = [as_unsigned(a) if is_unsigned else a for a in (data, updates)]
    return graph_points.scatter(
        arrays[0], indices, arrays[1], parse_integers(attributes["dimensions"]),
        graph_points.combination(attributes)).view(data.dtype)


def graph_top_indices(module, operation, source, *sizes):
    attributes = operation.attributes
    shape, _ = result_shape(operation, sizes)
    axis = parse_integers(attributes["dimension"])
    if "is_unsigned" in attributes:
        source = as_unsigned(source)
    kind = attributes["kind"]
    return graph_points.top_indices(
        source, axis, shape[axis], "max" in kind or kind.startswith("0"))


def graph_cumulative(module, operation, source):
    attributes = operation.attributes
    return graph_points.cumulative(
        source, parse_integers(attributes["dimension"]),
        graph_points.combination(attributes) == 1,
        "exclusive" in attributes, "reverse" in attributes)


def graph_assert(module, operation, condition):
    assert condition, operation.attributes["message"]


def graph_reverse(module, operation, source):
    return np.flip(source, parse_integers(operation.attributes["dimensions"]))


def graph_arg_reduce(module, operation, source):
    attributes = operation.attributes
    axis = parse_integers(attributes["dimension"])
    if "is_unsigned" in attributes:
        source = as_unsigned(source)
    pick = np.argmax if "max" in attributes["kind"] else np.argmin
    if "select_last" in attributes:
        return source.shape[axis] - 1 - pick(np.flip(source, axis), axis)
    return pick(source, axis)


def windows(array, operation, kernel, fill, padding):
    """Yields (index of the kernel element, elements it meets). `padding` is
    around the array, `fill` beyond it, where rounding up reaches."""
    get = lambda key: parse_integers(operation.attributes[key])
    strides, dilations = get("strides"), get("dilations")
    low, high = get("pad_low"), get("pad_high")
    counts, beyond = [], []
    for n, k, s, d, p, q in zip(array.shape[1:-1], kernel, strides, dilations,
                                low, high):
        room = n + p + q - d * (k - 1) - 1
        count = room // s + 1
        if "ceil_mode" in operation.attributes and room % s and count * s < n + p:
            count += 1
        counts.append(count)
        beyond.append(max(0, (count - 1) * s - room))
    padded = np.pad(array, [(0, 0), *zip(low, high), (0, 0)],
                    constant_values=padding)
    padded = np.pad(padded, [(0, 0), *((0, e) for e in beyond), (0, 0)],
                    constant_values=fill)
    for index in np.ndindex(*kernel):
        cut = tuple(slice(i * d, i * d + (count - 1) * s + 1, s)
                    for i, d, count, s in zip(index, dilations, counts, strides))
        yield index, padded[(slice(None), *cut, slice(None))]


def graph_conv(module, operation, array, weights):
    groups = parse_integers(operation.attributes["groups"])
    _, dtype = parse_type(operation.result_type)
    if "unsigned_input" in operation.attributes:
        array = as_unsigned(array)
    array, weights = array.astype(dtype), weights.astype(dtype)
    kernel = weights.shape[:-2]
    per_input = array.shape[-1] // groups
    per_output = weights.shape[-1] // groups
    parts = []
    for g in range(groups):
        total = 0
        inputs = array[..., g * per_input:(g + 1) * per_input]
        for index, met in windows(inputs, operation, kernel, 0, 0):
            total = total + met @ weights[index][
                :, g * per_output:(g + 1) * per_output]
        parts.append(total)
    return np.concatenate(parts, -1)


def graph_pool(module, operation, array):
    kind = operation.attributes["kind"]
    kernel = parse_integers(operation.attributes["kernel"])
    is_max = "max" in kind or kind.startswith("0")
    counts_padding = "with_padding" in kind or kind.startswith("2")
    if is_max:
        lowest = -np.inf if array.dtype.kind == "f" else np.iinfo(array.dtype).min
        return np.max([met for _, met in windows(array, operation, kernel, lowest,
                                                 lowest)], 0)
    total = sum(met for _, met in windows(array, operation, kernel, 0, 0))
    count = sum(met for _, met in windows(np.ones_like(array), operation, kernel,
                                          0, int(counts_padding)))
    return (total / count).astype(array.dtype)


def linalg_fill(module, operation, value, destination):
    return np.full_like(destination, value)


def accumulate(operation, equation, lhs, rhs, start):
    return start + np.einsum(equation, lhs.astype(start.dtype),
                             rhs.astype(start.dtype)).astype(start.dtype)


def linalg_matmul(module, operation, lhs, rhs, start):
    return accumulate(operation, "mk,kn->mn", lhs, rhs, start)


def linalg_contract(module, operation, lhs, rhs, start):
    maps = re.findall(r"-> \(([^)]*)\)", module.resolve(
        operation.attributes["indexing_maps"]))
    letters = [re.sub(r"d(\d+)", lambda m: chr(97 + int(m[1])), part)
               .replace(",", "").replace(" ", "") for part in maps]
    return accumulate(operation, f"{letters[0]},{letters[1]}->{letters[2]}",
                      lhs, rhs, start)


def linalg_generic(module, operation, lhs, rhs, start):
    """A product of integers, each extended with a sign or without one."""
    casts = re.findall(r'"arith\.(\w+)"', " ".join(operation.region))
    assert set(casts[:2]) <= {"extui", "extsi"} and casts[2:] == ["muli", "addi"]
    operands = [as_unsigned(x) if cast == "extui" else x
                for x, cast in zip((lhs, rhs), casts)]
    return linalg_contract(module, operation, *operands, start)


def linalg_reduce(module, operation, source, start):
    axes = tuple(parse_integers(operation.attributes["dimensions"]))
    text = " ".join(operation.region)
    name = re.search(r'"arith\.(\w+)"', text)[1]
    if name in ("maxui", "minui"):
        reducer = np.maximum if name == "maxui" else np.minimum
        if not source.size:
            return start
        whole = reducer.reduce(as_unsigned(source), axes)
        return reducer(whole, as_unsigned(start)).view(source.dtype)
    whole = REDUCERS[name].reduce(source, axes, dtype=source.dtype) \
        if source.size else start
    return REDUCERS[name](whole, start).astype(start.dtype)


def linalg_transpose(module, operation, source, destination):
    return source.transpose(parse_integers(operation.attributes["permutation"]))


def linalg_softmax(module, operation, source, destination):
    axis = parse_integers(operation.attributes["dimension"])
    e = np.exp(source - source.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def tensor_empty(module, operation, *sizes):
    shape, dtype = result_shape(operation, sizes)
    return np.zeros(shape, dtype)


def tensor_cast(module, operation, source):
    return source


def tensor_extract(module, operation, source, *indices):
    return source[tuple(int(i) for i in indices)]


def tensor_dim(module, operation, source, index):
    return np.int64(source.shape[int(index)])


def tensor_from_elements(module, operation, *scalars):
    shape, dtype = parse_type(operation.result_type)
    return np.array(scalars, dtype).reshape(shape)


def tensor_expand_shape(module, operation, source, *sizes):
    static = parse_integers(operation.attributes["static_output_shape"])
    sizes = iter(sizes)
    return source.reshape([int(next(sizes)) if s == DYNAMIC else s for s in static])


def tensor_collapse_shape(module, operation, source):
    groups = re.findall(r"\[([^\[\]]+)\]", operation.attributes["reassociation"])
    shape = []
    for group in groups:
        dims = [int(t) for t in re.findall(r"(\d+)(?: : i64)?", group)]
        shape.append(int(np.prod([source.shape[d] for d in dims])))
    return source.reshape(shape)


def tensor_extract_slice(module, operation, source, *dynamic):
    dynamic = iter(dynamic)
    lists = [[int(next(dynamic)) if s == DYNAMIC else s for s in
              parse_integers(operation.attributes[f"static_{key}"])]
             for key in ("offsets", "sizes", "strides")]
    for offset, size, stride, length in zip(*lists, source.shape):
        assert size == 0 or 0 <= offset + (size - 1) * stride < length
    return source[tuple(slice(o, o + n * s, s) for o, n, s in zip(*lists))]


def tensor_concat(module, operation, *parts):
    return np.concatenate(parts, parse_integers(operation.attributes["dim"]))


def tensor_pad(module, operation, source, *dynamic):
    lists = [parse_integers(operation.attributes[f"static_{key}"])
             for key in ("low", "high")]
    count = sum(s == DYNAMIC for part in lists for s in part)
    values = iter(dynamic[:count])
    low, high = [[int(next(values)) if s == DYNAMIC else s for s in part]
                 for part in lists]
    # The region yields a value from above.
    fill = re.search(r'"tensor.yield"\((%\w+)\)', " ".join(operation.region))[1]
    return np.pad(source, list(zip(low, high)),
                  constant_values=module.values[fill])
