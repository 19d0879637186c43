"""Makes a failing model small: fewer outputs, nodes, runs and elements."""

import time

import numpy as np
import onnx
from onnx import helper, numpy_helper

from wide_reference import WideModel, narrow


def copy_of(model):
    return onnx.ModelProto.FromString(model.SerializeToString())


def shrink(model, sets, still_fails, seconds):
    """The smallest (model, sets) that was found in the time. `still_fails` takes
    the two and says whether they show the same fault."""
    end = time.monotonic() + seconds
    progress = True
    while progress and time.monotonic() < end:
        progress = False
        for smaller in smaller_cases(model, sets):
            if time.monotonic() > end:
                break
            candidate = without_unused(*smaller)
            if candidate[0].graph.node and still_fails(*candidate):
                model, sets = candidate
                progress = True
                break
    return model, sets


def smaller_cases(model, sets):
    """Cases that are smaller in one respect, the boldest first."""
    if len(sets) > 1:
        yield from ((model, [inputs]) for inputs in sets)
    if len(model.graph.output) > 1:
        for output in model.graph.output:
            smaller = copy_of(model)
            del smaller.graph.output[:]
            smaller.graph.output.append(output)
            yield smaller, sets
    yield from shorter_cases(model, sets)
    if len(sets) == 1:
        static = with_numbers(model, sets[0])
        if static is not None:
            yield static, sets
        else:
            yield from cases_of_smaller_sizes(model, sets[0])


def shorter_cases(model, sets):
    """A value that becomes an output in place of the others, an input, or one of
    the inputs of its node."""
    wide = WideModel(model)
    try:
        runs = [wide.run(inputs) for inputs in sets]
    except Exception:
        return
    inner = [name for node in model.graph.node for name in node.output if name]
    outputs = {output.name for output in model.graph.output}
    for name in inner:
        if name not in outputs:
            smaller = copy_of(model)
            del smaller.graph.output[:]
            rank = runs[0][name].ndim
            smaller.graph.output.append(
                helper.make_tensor_value_info(name, wide.types[name], [None] * rank)
            )
            yield smaller, sets
    for name in reversed(inner):
        if name not in outputs:
            yield with_input(model, name, wide.types[name], sets, [run[name] for run in runs])
    for node in model.graph.node:
        for source in dict.fromkeys(node.input):
            result = node.output[0]
            if source and same_kind(runs, wide.types, source, result) and result not in outputs:
                smaller = copy_of(model)
                for user in smaller.graph.node:
                    for at, name in enumerate(user.input):
                        if name == result:
                            user.input[at] = source
                yield smaller, sets


def same_kind(runs, types, a, b):
    return types[a] == types[b] and all(run[a].shape == run[b].shape for run in runs)


def with_input(model, name, elem_type, sets, arrays):
    """The model with a new input in place of an inner value."""
    smaller = copy_of(model)
    for node in smaller.graph.node:
        for at, output in enumerate(node.output):
            if output == name:
                node.output[at] = f"{name}_before"
    dims = [array.shape for array in arrays]
    shape = [sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*dims)]
    smaller.graph.input.append(helper.make_tensor_value_info(name, elem_type, shape))
    return smaller, [
        {**inputs, name: narrow(array, elem_type)} for inputs, array in zip(sets, arrays)
    ]


def with_numbers(model, inputs):
    """The model with the sizes of these inputs, or None if it has them already."""
    static, changed = copy_of(model), False
    for value in static.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, inputs[value.name].shape):
            if not dim.HasField("dim_value"):
                dim.dim_value = size
                changed = True
    return static if changed else None


def cases_of_smaller_sizes(model, inputs):
    """Every occurrence of one size, made smaller: in inputs, in constants, and
    among the numbers of integer constants."""
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    arrays = {**inputs, **constants}
    for size in sorted({s for array in arrays.values() for s in array.shape}, reverse=True):
        for less in sorted({1, 2, size // 2, size - 1}):
            if not 0 < less < size:
                continue
            cut = {name: resized(array, size, less) for name, array in arrays.items()}
            smaller = copy_of(model)
            for tensor in smaller.graph.initializer:
                tensor.CopyFrom(numpy_helper.from_array(cut[tensor.name], tensor.name))
            for value in smaller.graph.input:
                for dim in value.type.tensor_type.shape.dim:
                    if dim.dim_value == size:
                        dim.dim_value = less
            yield smaller, [{name: cut[name] for name in inputs}]


def resized(array, size, less):
    if array.dtype == np.int64 and array.ndim == 1:
        array = np.where(array == size, less, array)
    return array[tuple(slice(less if s == size else s) for s in array.shape)]


def without_unused(model, sets):
    """Without nodes, constants and inputs that no output depends on."""
    model = copy_of(model)
    graph = model.graph
    needed = {output.name for output in graph.output}
    nodes = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.insert(0, onnx.NodeProto.FromString(node.SerializeToString()))
            needed.update(node.input)
    del graph.node[:]
    graph.node.extend(nodes)
    for items in (graph.input, graph.initializer):
        kept = [item for item in items if item.name in needed]
        kept = [type(item).FromString(item.SerializeToString()) for item in kept]
        del items[:]
        items.extend(kept)
    names = {value.name for value in graph.input}
    return model, [{k: v for k, v in inputs.items() if k in names} for inputs in sets]
