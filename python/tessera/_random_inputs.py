"""Random inputs that a model accepts, at several sizes."""

import argparse

import numpy as np

# Largest random size of a symbol without a typical value to go by.
LARGEST_RANDOM_SIZE = 33
# What an integer input may hold if it is no index: valid as mask and as flag.
FLAG_RANGE = 2
# Operators that hand their first input's elements on.
MOVING_OPERATORS = {
    "Cast",
    "Concat",
    "Expand",
    "Flatten",
    "Identity",
    "Reshape",
    "Slice",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
}


def size_sets(symbols, count, random):
    """Sizes to try, as dicts of all symbols: the typical ones, the least ones
    above 0, then random ones, where symbols differ from each other. `symbols`
    is what Session.get_symbols() gives."""
    if not symbols:
        return [{}]
    sets = [
        {name: typical for name, (_, typical, _) in symbols.items()},
        {name: min(max(least, 1), largest) for name, (least, _, largest) in symbols.items()},
    ]
    while len(sets) < count:
        sizes = {}
        for name, (least, typical, largest) in symbols.items():
            high = min(largest, max(2 * typical, LARGEST_RANDOM_SIZE, least))
            sizes[name] = int(random.integers(max(least, min(2, high)), high + 1))
        sets.append(sizes)
    unique = []
    for sizes in sets[:count]:
        if sizes not in unique:
            unique.append(sizes)
    return unique


def index_ranges(model_path):
    """How many values each input of the model may have where it is an index
    (token ids): the rows of the constant tables that it reads or the depth of its
    one-hot code, found by following it to Gather and OneHot operators."""
    try:
        import onnx
    except ImportError:
        return {}
    graph = onnx.load(model_path, load_external_data=False).graph
    shapes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    integers = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
    depths = {
        tensor.name: int(onnx.numpy_helper.to_array(tensor).ravel()[0])
        for tensor in graph.initializer
        if list(tensor.dims) in ([], [1])
        and tensor.data_type in integers
        and tensor.data_location != tensor.EXTERNAL
    }
    consumers = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            consumers.setdefault(name, []).append((node, position))
    ranges = {}
    for graph_input in graph.input:
        pending, seen = [graph_input.name], set()
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for node, position in consumers.get(name, []):
                if node.op_type == "Gather" and position == 1 and node.input[0] in shapes:
                    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
                    rows = shapes[node.input[0]][axis]
                    ranges[graph_input.name] = min(rows, ranges.get(graph_input.name, rows))
                elif node.op_type == "OneHot" and position == 0 and node.input[1] in depths:
                    depth = depths[node.input[1]]
                    ranges[graph_input.name] = min(depth, ranges.get(graph_input.name, depth))
                elif node.op_type in MOVING_OPERATORS and (
                    position == 0 or node.op_type == "Concat"
                ):
                    pending += node.output
    return ranges


def random_array(port, sizes, ranges, random):
    """An array for the port at the given sizes: normal floats, integers below
    the input's range, fair booleans."""
    shape = [sizes[size] if isinstance(size, str) else size for size in port.shape]
    if port.dtype.kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if port.dtype.kind in "iu":
        return random.integers(0, ranges.get(port.name, FLAG_RANGE), shape).astype(port.dtype)
    return random.standard_normal(shape, np.float32).astype(port.dtype)


def named_number(text, least=0):
    """("seq", 128) of "seq=128", an argument of the command line."""
    name, _, number = text.rpartition("=")
    if not name or not number.isdigit() or int(number) < least:
        raise argparse.ArgumentTypeError(
            f"expects a name, '=' and a number of at least {least} but got '{text}'"
        )
    return name, int(number)


def named_count(text):
    return named_number(text, least=1)
