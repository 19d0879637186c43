"""The operations of the graph dialect that move or order elements by index, for
graph_state.py: plain loops over NumPy arrays."""

import re

import numpy as np

JOINS = {
    0: lambda old, new: new, 1: lambda old, new: old + new,
    2: lambda old, new: old * new, 3: min, 4: max,
}
NAMES = {"replace": 0, "add": 1, "multiply": 2, "min": 3, "max": 4}


def combination(attributes):
    text = attributes["combination"]
    number = re.match(r"\d+", text)
    return int(number[0]) if number else NAMES[re.search(r"(\w+)>?$", text)[1]]


def point(position, indices, dimensions, shape):
    """The index that `position` stands for, and whether it is inside."""
    vector = iter(indices[position[:indices.ndim - 1]])
    result, is_inside = [], True
    for dimension, size in zip(dimensions, shape):
        if dimension >= 0:
            result.append(position[dimension])
            continue
        index = int(next(vector))
        index += size if index < 0 else 0
        is_inside &= 0 <= index < size
        result.append(index)
    return tuple(result), is_inside


def gather(data, indices, dimensions, shape):
    result = np.zeros(shape, data.dtype)
    for position in np.ndindex(*shape):
        place, _ = point(position, indices, dimensions, data.shape)
        if data.size:
            place = tuple(np.clip(place, 0, np.array(data.shape) - 1))
            result[position] = data[place]
    return result


def scatter(data, indices, updates, dimensions, join):
    result = data.copy()
    for position in np.ndindex(*updates.shape):
        place, is_inside = point(position, indices, dimensions, data.shape)
        if is_inside:
            result[place] = JOINS[join](result[place], updates[position])
    return result


def top_indices(source, axis, count, is_max):
    keys = np.argsort(source, axis, kind="stable")
    if is_max:  # stable: of equal elements the first one
        flipped = np.flip(source, axis)
        order = np.flip(np.argsort(flipped, axis, kind="stable"), axis)
        keys = source.shape[axis] - 1 - order
    return np.take(keys, np.arange(count), axis).astype(np.int64)


def cumulative(source, axis, is_sum, exclusive, reverse):
    if reverse:
        source = np.flip(source, axis)
    join = np.cumsum if is_sum else np.cumprod
    result = join(source, axis, dtype=source.dtype)
    if exclusive and source.shape[axis]:
        first = np.full_like(np.take(source, [0], axis), 0 if is_sum else 1)
        rest = np.take(result, np.arange(source.shape[axis] - 1), axis)
        result = np.concatenate([first, rest], axis)
    return np.flip(result, axis) if reverse else result
