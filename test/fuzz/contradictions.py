"""Inputs whose sizes contradict each other or the model.

A run of such inputs must end with an error that names a node or an input, unless the
sizes happen to fit another way, as a size of 1 does that broadcasts.
"""

import numpy as np

# What they read depends on the numbers in an input: an index that is outside gives an
# element that is inside (docs/numerics.md) where the references fail.
INDEXING = {
    "Gather", "GatherElements", "GatherND", "ScatterElements", "ScatterND", "OneHot",
    "ReverseSequence", "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss",
}  # fmt: skip

# The references take sizes that the operator's text does not: a size of 1 for any, say.
LENIENT = {"Einsum", "GridSample", "PRelu", "Pad", "ScatterND"}
# What the reference cannot do with no elements, though it has a meaning.
OPEN = ("cannot reshape array of size 0", "zero-size array to reduction operation", "Issues with types")


def open_axes(model):
    """(input, axis) of every dimension that is no number, and whose name, if it has
    one, no other dimension has: nothing but a node can object to its size."""
    dims = [
        (value.name, axis, dim)
        for value in model.graph.input
        for axis, dim in enumerate(value.type.tensor_type.shape.dim)
        if not dim.HasField("dim_value")
    ]
    names = [dim.dim_param for _, _, dim in dims]
    return [(name, axis) for name, axis, dim in dims if not dim.dim_param or names.count(dim.dim_param) == 1]


def draw(random, model, inputs):
    """Sets of inputs like `inputs`, each with one size changed: at most two."""
    axes = open_axes(model)
    sets = []
    for name, axis in random.sample(axes, min(2, len(axes))):
        size = inputs[name].shape[axis]
        others = sorted({0, 1, size - 1, size + 1, 2 * size, size + 13} - {size, -1})
        sets.append({**inputs, name: with_size(inputs[name], axis, random.choice(others))})
    return sets


def with_size(array, axis, size):
    """The array with its elements repeated, or cut, along an axis."""
    if array.shape[axis] == 0:
        shape = [size if at == axis else s for at, s in enumerate(array.shape)]
        return np.ones(shape, array.dtype)
    return array.take(np.arange(size) % array.shape[axis], axis)


def of_declaration(model, inputs):
    """Whether the inputs contradict what the model says of their sizes."""
    sizes = {}
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape):
            if dim.HasField("dim_value"):
                known = dim.dim_value
            else:
                known = sizes.setdefault(dim.dim_param, size) if dim.dim_param else size
            if known != size:
                return True
    return False


def names_of(model):
    """What an error may name."""
    graph = model.graph
    nodes = [name for node in graph.node for name in (node.name, *node.output) if name]
    return [*nodes, *(value.name for value in [*graph.input, *graph.output])]
