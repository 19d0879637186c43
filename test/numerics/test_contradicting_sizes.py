"""Every operator with sizes that contradict: an error that names the node or an input.

All operators are nodes of one model for each opset, which is compiled once for each level;
a run changes the sizes of one. Inputs and results end where a page begins, or begin where
one ends, that must not be touched; a run is in a child process, which may die of it.
"""

import ctypes
import mmap
import multiprocessing
import pathlib
import re

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper, numpy_helper
from size_contradictions import CASES, OF_ONE_TENSOR, SHIFT

TRANSLATORS = pathlib.Path(__file__).parents[2] / "lib/Importer/Onnx/Translators"
OPSETS = sorted({case.opset for case in CASES})
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """An array of `shape` that ends at a page without access, or begins behind one."""

    def __init__(self, shape, dtype, at_end=True):
        count = int(np.prod(shape))
        size = count * np.dtype(dtype).itemsize
        pages = -(-size // PAGE) + 2
        self.memory = mmap.mmap(-1, pages * PAGE)
        start = (pages - 1) * PAGE - size if at_end else PAGE
        self.array = np.frombuffer(self.memory, dtype, count, start).reshape(shape)
        address = self.array.__array_interface__["data"][0] - start
        for page in (0, pages - 1):
            where = ctypes.c_void_p(address + page * PAGE)
            assert libc.mprotect(where, ctypes.c_size_t(PAGE), 0) == 0


def guarded(array, at_end=True):
    copy = Guarded(array.shape, array.dtype, at_end)
    copy.array[...] = array
    return copy.array


def element_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def port(case, name):
    return f"{case.name}_{name}"


def node_of(case, name, constants):
    """The node, whose inputs stand in the order of the schema: constants last."""
    known = {**{p: None for p in case.inputs}, **case.constants}
    order = list(case.inputs) + list(case.constants)
    if case.operator in ("Resize", "RNN", "GRU", "LSTM"):
        order = {"Resize": ["x", "r", "c", "s"]}.get(
            case.operator, ["x", "w", "r", "bias", "s", "l", "h", "e"])
        order = [p for p in order if p in known]
    inputs = []
    for p in order:
        is_omitted = p in case.constants and case.constants[p] is None
        inputs.append("" if is_omitted else f"{name}_{p}")
    outputs = [f"{name}_out{i}" for i in range(case.outputs)]
    constants.update({f"{name}_{p}": v for p, v in case.constants.items() if v is not None})
    return helper.make_node(case.operator, inputs, outputs, name=name, **case.attributes)


def save(path, opset, nodes, inputs, constants):
    read = {i for node in nodes for i in node.input}
    outputs = [o for node in nodes for o in node.output if o not in read]
    graph = helper.make_graph(
        nodes, "contradictions",
        [helper.make_tensor_value_info(n, element_type(t), s) for n, (t, s) in inputs.items()],
        [onnx.ValueInfoProto(name=o) for o in outputs],
        [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)],
                                ir_version=11), path)


def computed(name, dims, constants):
    """Nodes that give `name` the numbers that are sizes of its `_source`, less SHIFT."""
    constants[f"{name}_shift"] = np.array([SHIFT])
    result = f"{name}_list" if not dims else name
    yield helper.make_node("Shape", [f"{name}_source"], [f"{name}_shape"])
    yield helper.make_node("Sub", [f"{name}_shape", f"{name}_shift"], [result])
    if not dims:
        yield helper.make_node("Squeeze", [result], [name])


def open_model(folder, opset, level):
    nodes, inputs, constants = [], {}, {}
    for case in CASES:
        if case.opset != opset or not case.is_open:
            continue
        for p, (dtype, dims) in case.inputs.items():
            name = port(case, p)
            if p in case.computed:
                nodes.extend(computed(name, dims, constants))
                inputs[f"{name}_source"] = (
                    np.uint8, [f"{name}_{i}" for i in range(dims[0] if dims else 1)])
            else:
                inputs[name] = (dtype, [d if isinstance(d, int) else port(case, d) for d in dims])
        nodes.append(node_of(case, case.name, constants))
    path = folder / f"open{opset}-{level}.onnx"
    save(path, opset, nodes, inputs, constants)
    return tessera.compile(path, opt_level=level)


def feeds(case, change, at_end):
    """The inputs of `case` after `change`."""
    given = {}
    for p in case.inputs:
        array, name = case.array(p, change), port(case, p)
        if p in case.computed:
            name, array = f"{name}_source", np.zeros(np.atleast_1d(array) + SHIFT, np.uint8)
        given[name] = guarded(array, at_end)
    return given


def run_all(connection, path, cases, runs, done):
    """In a child: sends for each run what it raised, or None."""
    session = tessera.load(path, threads=1)
    fitting = {end: {n: a for case in cases for n, a in feeds(case, {}, end).items()}
               for end in (True, False)}
    for case, change in runs[done:]:
        said = None
        fits = case is None or change in case.good
        try:
            for at_end in (True, False) if fits else (True,):
                given = {**fitting[at_end], **(feeds(case, change, at_end) if case else {})}
                results = session.run(None, given)
                if fits:
                    own = case.name if case else ""
                    outputs = {p.name: Guarded(r.shape, r.dtype, at_end).array
                               for p, r in zip(session.get_outputs(), results)
                               if p.name.startswith(own)}
                    session.run(list(outputs), given, outputs)
        except tessera.TesseraError as error:
            said = str(error)
        connection.send(said)
    connection.close()


def outcomes(path, cases, runs):
    """What each run raised, None, or "died"."""
    found, fork = [], multiprocessing.get_context("fork")
    while len(found) < len(runs):
        mine, theirs = fork.Pipe(duplex=False)
        child = fork.Process(target=run_all, args=(theirs, path, cases, runs, len(found)))
        child.start()
        theirs.close()
        try:
            while len(found) < len(runs):
                found.append(mine.recv())
        except EOFError:
            found.append("died")
        child.join()
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contradictions")


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("opset", OPSETS)
def test_open_sizes(folder, opset, level):
    path = open_model(folder, opset, level)
    cases = [c for c in CASES if c.opset == opset and c.is_open]
    runs = [(None, {})] + [(c, change) for c in cases for change in c.good + c.bad]
    wrong = []
    for (case, change), said in zip(runs, outcomes(path, cases, runs)):
        fits = case is None or change in case.good
        if fits and said is not None or not fits and (said is None or case.name not in said):
            wrong.append(f"{case and case.name} {change}: {said}")
    assert not wrong, "\n" + "\n".join(wrong)


@pytest.mark.parametrize("opset", OPSETS)
def test_known_sizes(folder, opset):
    """What is read as numbers is constant. All nodes are named by one compilation."""
    nodes, inputs, constants = [], {}, {}
    for case in CASES:
        for number, change in enumerate(case.bad if case.opset == opset else []):
            name = f"{case.name}_{number}_"
            nodes.append(node_of(case, name, constants))
            for p, (dtype, _) in case.inputs.items():
                if p in case.values and p in case.computed:
                    constants[f"{name}_{p}"] = case.array(p, change)
                else:
                    inputs[f"{name}_{p}"] = (dtype, case.shape(p, change))
    if not nodes:
        return
    path = folder / f"known{opset}.onnx"
    save(path, opset, nodes, inputs, constants)
    with pytest.raises(tessera.CompileError) as refusal:
        tessera.compile(path)
    said = str(refusal.value)
    missing = [node.name for node in nodes if f"'{node.name}'" not in said]
    assert not missing, "\n" + "\n".join(missing)


def test_every_operator_is_here():
    named = {name for source in TRANSLATORS.glob("*.cpp")
             for name in re.findall(r'table\.add\("(\w+)"', source.read_text())}
    assert named <= OF_ONE_TENSOR | {case.operator for case in CASES}
