"""How far the results of a file of the suite are from those of the float graph, beside
ONNX Runtime's on the same file."""

import dataclasses
import functools
import tempfile

import numpy as np
import onnx
from float_graphs import float_graphs
from quantized_files import recipes
from tessera._reference import reference_session

# Distance to f32 that is allowed: so many times ONNX Runtime's, and so much more.
FACTOR, SLACK = 1.05, 1e-4


@functools.cache
def float_graph(name):
    return float_graphs()[name]


@functools.cache
def float_results(name):
    """Names of the outputs and their values, of the float graph in ONNX Runtime."""
    graph = float_graph(name)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(graph.model, file.name)
        session = reference_session(file.name, threads=1)
    return [output.name for output in session.get_outputs()], session.run(None, graph.judged())


def distance(arrays, references):
    """The norm of the difference over that of the reference, the largest of all outputs."""
    return max(
        float(np.linalg.norm(a.astype(np.float64) - b) / np.linalg.norm(b.astype(np.float64)))
        for a, b in zip(arrays, references, strict=True)
    )


@dataclasses.dataclass
class Verdict:
    """Distances of the results to those of the float graph, and of ours to ONNX
    Runtime's."""

    ours: float
    theirs: float
    between: float

    def is_right(self):
        return self.ours <= FACTOR * self.theirs + SLACK

    def __str__(self):
        return (f"expects a distance of at most {FACTOR} * {self.theirs:.5f} + {SLACK} "
                f"but got {self.ours:.5f}")


def judge(name, path, run):
    """The verdict on `run`, which gives the outputs of the given names for inputs, of the
    file `name` at `path`."""
    graph_name, _ = recipes()[name]
    names, expected = float_results(graph_name)
    inputs = float_graph(graph_name).judged()
    theirs = reference_session(path, threads=1).run(names, inputs)
    ours = run(names, inputs)
    assert [a.shape for a in ours] == [a.shape for a in theirs]
    return Verdict(distance(ours, expected), distance(theirs, expected), distance(ours, theirs))
