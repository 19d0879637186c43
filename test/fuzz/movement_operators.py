"""Generators of nodes that move elements: shapes, slices, joins, indexing.

As elementwise_operators.py.
"""

import numpy as np

from elementwise_operators import ANY
from graph_builder import BOOL, F32, F64, I32, I64, Invalid, is_constant, is_one

LARGEST = 2**63 - 1


def distinct_axes(g, x, least=1):
    count = g.random.randint(least, max(least, min(x.rank, 3)))
    return g.random.sample(range(x.rank), count)


def maybe_negative(g, axis, rank):
    return axis - rank if g.chance(0.4) else axis


def edited_dims(g, dims):
    """The sizes after a few joins and cuts; products of assignments stay."""
    dims = list(dims)
    for _ in range(g.random.choice([1, 1, 2, 3])):
        edit = g.random.choice(["join", "join", "split", "split", "one", "drop", "flat"])
        at = g.random.randrange(len(dims)) if dims else 0
        if edit == "join" and at + 1 < len(dims):
            dims[at : at + 2] = [tuple(a * b for a, b in zip(dims[at], dims[at + 1]))]
        elif edit == "split" and dims and min(dims[at]) > 0:
            divisors = [d for d in range(1, 66) if all(size % d == 0 for size in dims[at])]
            divisor = g.random.choice(divisors)
            rest = tuple(size // divisor for size in dims[at])
            parts = [g.constant_dim(divisor), rest]
            dims[at : at + 1] = parts if g.chance(0.5) else parts[::-1]
        elif edit == "one" and len(dims) < 5:
            dims.insert(at, g.constant_dim(1))
        elif edit == "drop" and dims and is_one(dims[at]):
            del dims[at]
        elif edit == "flat" and dims and g.chance(0.3):
            dims = [tuple(int(np.prod(sizes)) for sizes in zip(*dims))]
    return dims


def reshape(g):
    x = g.pick(ANY)
    dims = edited_dims(g, x.dims)
    empty = any(0 in dim for dim in x.dims)
    entries, inferred = [], empty
    for at, dim in enumerate(dims):
        same = at < x.rank and x.dims[at] == dim and not (empty and 0 in dim)
        if is_constant(dim) and not (same and g.chance(0.3)):
            entries.append(dim[0])
        elif same and g.chance(0.6):
            entries.append(0)
        elif not inferred:
            entries.append(-1)
            inferred = True
        else:
            entries.append(None)
    if None in entries:
        shape = g.dims_input(dims)
    else:
        if not inferred and entries and g.chance(0.4):
            entries[g.random.randrange(len(entries))] = -1
        shape = g.parameter(entries)
    g.add("Reshape", [x, shape])


def flatten(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    g.add("Flatten", [x], axis=g.random.randint(-x.rank, x.rank))


def squeeze(g):
    x = g.pick(ANY, where=lambda v: any(map(is_one, v.dims)), reuse=0.95)
    ones = [axis for axis, dim in enumerate(x.dims) if is_one(dim)]
    axes = g.random.sample(ones, g.random.randint(1, len(ones)))
    g.add("Squeeze", [x, g.parameter([maybe_negative(g, axis, x.rank) for axis in axes])])


def unsqueeze(g):
    x = g.pick(ANY, rank=[0, 1, 2, 3])
    axes = g.random.sample(range(x.rank + 2), 2) if g.chance(0.3) else [g.random.randint(0, x.rank)]
    rank = x.rank + len(axes)
    g.add("Unsqueeze", [x, g.parameter([maybe_negative(g, axis, rank) for axis in axes])])


def transpose(g):
    x = g.pick(ANY, rank=[2, 3, 4, 5])
    order = list(range(x.rank))
    g.random.shuffle(order)
    g.add("Transpose", [x], perm=None if g.chance(0.2) else order)


def slice_(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    axes = distinct_axes(g, x)
    starts, ends, steps = [], [], []
    for axis in axes:
        size = max(min(x.dims[axis]), 1)
        step = g.random.choices([1, 2, 3, -1, -2], [10, 3, 1, 3, 1])[0]
        low, high = g.random.randint(0, size - 1), g.random.randint(1, size)
        start = g.random.choice([0, low, low - size, -size])
        end = g.random.choice([high, high - size, size, LARGEST, size + 5, -1])
        if step < 0:
            start, end = g.random.choice([-1, size - 1, LARGEST]), g.random.choice([-size - 1, -LARGEST - 1, low])
        starts.append(start), ends.append(end), steps.append(step)
    given = [[maybe_negative(g, axis, x.rank) for axis in axes], steps]
    if all(step == 1 for step in steps) and g.chance(0.5):
        given.pop()
        if axes == list(range(len(axes))) and g.chance(0.5):
            given.pop()
    elem = I64 if max(map(abs, starts + ends)) >= 2**31 else g.random.choice([I64, I64, I32])
    g.add("Slice", [x, *[g.parameter(values, elem) for values in (starts, ends, *given)]])


def slice_by_size(g):
    """x[:, :size of another value], as exported attention masks have it."""
    x = g.pick(ANY, rank=[1, 2, 3])
    axis = g.random.randrange(x.rank)
    sources = [
        dim
        for v in g.values
        for dim in v.dims
        if not is_constant(dim) and all(a <= b for a, b in zip(dim, x.dims[axis]))
    ]
    if not sources:
        raise Invalid("no smaller size")
    end = g.size_piece(g.random.choice(sources))
    g.add("Slice", [x, g.parameter([0]), end, g.parameter([axis])])


def concat(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    axis = g.random.randrange(x.rank)

    def joins(v):
        return v.elem == x.elem and v.rank == x.rank and all(
            a == b for at, (a, b) in enumerate(zip(v.dims, x.dims)) if at != axis
        )

    parts = [x]
    for _ in range(g.random.choice([1, 1, 2, 3])):
        fits = [v for v in g.values if joins(v)]
        if g.chance(0.6):
            parts.append(g.random.choice(fits))
        else:
            dims = list(x.dims)
            dims[axis] = g.random.choice(g.settings.palette)
            parts.append(g.fresh(x.elem, dims))
    g.random.shuffle(parts)
    g.add("Concat", parts, axis=maybe_negative(g, axis, x.rank))


def split(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    axis = g.random.randrange(x.rank)
    dim = x.dims[axis]
    named = maybe_negative(g, axis, x.rank)
    if is_constant(dim) and dim[0] >= 2 and g.chance(0.6):
        cuts = sorted(g.random.sample(range(dim[0] + 1), min(g.random.choice([1, 2]), dim[0])))
        sizes = np.diff([0, *cuts, dim[0]])
        g.add("Split", [x, g.parameter(sizes)], outputs=len(sizes), axis=named)
    else:
        outputs = g.random.choice([2, 3])
        if g.settings.opset >= 18:
            if not all(size >= outputs for size in dim):
                raise Invalid("fewer elements than parts")
            g.add("Split", [x], outputs=outputs, axis=named, num_outputs=outputs)
        elif all(size % outputs == 0 for size in dim):
            g.add("Split", [x], outputs=outputs, axis=named)
        else:
            raise Invalid("no equal parts")


def indices(g, least, dims):
    """Indices of an axis whose smallest size is `least`."""
    if least < 1:
        raise Invalid("nothing to index")
    kind = g.random.choice(["natural", "index"])
    return g.fresh(g.random.choice([I64, I64, I32]), dims, kind, below=least)


def gather(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    axis = g.random.randrange(x.rank)
    if g.chance(0.2):
        index = g.parameter(g.random.randrange(max(min(x.dims[axis]), 1)))
    else:
        index = indices(g, min(x.dims[axis]), g.random_dims(g.random.choice([0, 1, 1, 2])))
    g.add("Gather", [x, index], axis=maybe_negative(g, axis, x.rank))


def gather_elements(g):
    x = g.pick(ANY, rank=[1, 2, 3])
    axis = g.random.randrange(x.rank)
    dims = list(x.dims)
    dims[axis] = g.random.choice(g.settings.palette)
    g.add("GatherElements", [x, indices(g, min(x.dims[axis]), dims)], axis=axis)


def gather_points(g):
    x = g.pick(ANY, rank=[1, 2, 3])
    length = g.random.randint(1, x.rank)
    least = min(min(dim) for dim in x.dims[:length])
    index = indices(g, least, [*g.random_dims(1), g.constant_dim(length)])
    if index.elem != I64:
        raise Invalid("int64 only")
    g.add("GatherND", [x, index])


def scatter(g):
    x = g.pick([F32, F64, I32, I64], rank=[1, 2, 3])
    axis = g.random.randrange(x.rank)
    dims = [g.constant_dim(min(g.random.randint(1, 4), min(dim))) for dim in x.dims]
    least = min(x.dims[axis])
    reduction = g.random.choice(["add", "max", "min", "mul", None])
    if reduction is None:
        dims[axis] = g.constant_dim(1)  # no two at one place
    elif g.settings.opset < 18:
        reduction = "add"
    index = indices(g, least, dims)
    g.add("ScatterElements", [x, index, g.fresh(x.elem, dims)], axis=axis, reduction=reduction)


def expand(g):
    x = g.pick(ANY, rank=[0, 1, 2, 3])
    dims = [g.random.choice(g.settings.palette) if is_one(d) and g.chance(0.8) else d for d in x.dims]
    dims = g.random_dims(g.random.choice([0, 0, 1, 2])) + dims
    if x.rank and g.chance(0.2):
        dims = dims[1:]
    g.add("Expand", [x, g.dims_input(dims)])


def pad(g):
    x = g.pick([F32, F64, I32, I64, *g.settings.float_types], rank=[1, 2, 3, 4])
    mode = g.random.choices(["constant", "reflect", "edge"], [4, 1, 1])[0]
    if mode != "constant" and any(0 in dim for dim in x.dims):
        raise Invalid("nothing to repeat")
    bound = [2 if mode != "reflect" else max(min(min(dim) - 1, 2), 0) for dim in x.dims]
    pads = [g.random.randint(0, most) if g.chance(0.6) else 0 for most in bound * 2]
    value = None
    if mode == "constant" and g.chance(0.5):
        value = g.fresh(x.elem, [], constant=True)
    g.add("Pad", [x, g.parameter(pads), value], mode=mode)


def tile(g):
    x = g.pick(ANY, rank=[1, 2, 3])
    g.add("Tile", [x, g.parameter([g.random.choice([1, 1, 2, 3]) for _ in range(x.rank)])])


def sizes(g):
    x = g.pick(ANY, rank=[1, 2, 3, 4])
    if g.chance(0.3):
        g.add("Size", [x])
    else:
        g.add("Shape", [x], start=g.random.choice([None, 0, 1, -1]), end=g.random.choice([None, -1, 2]))


def constant_of_shape(g):
    import onnx

    dims = g.pick(ANY, rank=[1, 2, 3]).dims
    elem = g.random.choice([F32, I64, BOOL, F64])
    tensor = onnx.helper.make_tensor("value", elem, [1], [g.random.choice([0, 1])])
    g.add("ConstantOfShape", [g.dims_input(dims)], value=tensor)


def positions(g):
    """0, 1, … up to the size of some dimension."""
    x = g.pick(ANY, rank=[1, 2, 3])
    axis = g.random.randrange(x.rank)
    size = g.add("Gather", [g.add("Shape", [x]), g.parameter(axis)], axis=0)
    g.add("Range", [g.parameter(0), size, g.parameter(1)])


def one_hot(g):
    if g.settings.special:
        raise Invalid("the reference multiplies infinities by 0")
    depth = g.random.choice([2, 3, 5, 8])
    index = indices(g, depth, g.random_dims(g.random.choice([1, 2])))
    values = g.fresh(g.elem_of([F32, F64, I64, I32]), [g.constant_dim(2)])
    given = g.parameter(depth)
    g.add("OneHot", [index, given, values], axis=g.random.choice([None, -1, 0]))


def trilu(g):
    x = g.pick([F32, F64, I32, I64, BOOL], rank=[2, 3])
    k = g.parameter(g.random.choice([-2, -1, 0, 1, 2])) if g.chance(0.7) else None
    g.add("Trilu", [x, k], upper=g.random.choice([0, 1]))


def blocks(g):
    block = g.random.choice([2, 2, 3])
    to_depth = g.chance(0.5)
    c = g.random.choice([1, 2, 3])
    dims = g.random_dims(1)
    side = lambda: g.constant_dim(g.random.choice([1, 2, 3, 5]) * (block if to_depth else 1))  # noqa: E731
    dims += [g.constant_dim(c * (1 if to_depth else block * block)), side(), side()]
    x = g.fresh(g.elem_of([F32, F64]), dims)
    if to_depth:
        g.add("SpaceToDepth", [x], blocksize=block)
    else:
        g.add("DepthToSpace", [x], blocksize=block, mode=g.random.choice(["DCR", "CRD"]))


def reverse_sequence(g):
    x = g.pick([F32, F64, I32, I64], rank=[2, 3])
    time, batch = g.random.choice([(0, 1), (1, 0)])
    least = min(x.dims[time])
    if least < 1:
        raise Invalid("empty")
    lengths = g.add("Add", [g.fresh(I64, [x.dims[batch]], "natural", below=least), g.parameter(1)])
    g.add("ReverseSequence", [x, lengths], time_axis=time, batch_axis=batch)


GENERATORS = [
    (9, reshape), (2, flatten), (3, squeeze), (4, unsqueeze), (8, transpose), (7, slice_),
    (2, slice_by_size), (6, concat), (4, split), (4, gather), (2, gather_elements),
    (1.5, gather_points), (1.5, scatter), (5, expand), (4, pad), (2, tile), (1.5, sizes),
    (1.5, constant_of_shape), (1.5, positions), (1, one_hot), (1, trilu), (1, blocks),
    (0.7, reverse_sequence),
]  # fmt: skip
