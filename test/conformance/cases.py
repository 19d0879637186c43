"""The cases of ONNX's own backend suite: models with inputs and outputs."""

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")


@dataclass
class Case:
    """`sets` has a pair (inputs, outputs) for each run: lists of NumPy arrays,
    or of what is no tensor (a list, None), in the order of the graph's inputs."""

    name: str
    kind: str
    model: onnx.ModelProto
    sets: list
    rtol: float
    atol: float
    operator: str = ""
    opset: int = field(init=False)

    def __post_init__(self):
        self.opset = next((o.version for o in self.model.opset_import if not o.domain), 0)


def load_cases(kinds=KINDS):
    """All cases of these kinds, sorted by kind and name; the cases of the node
    kind are made when they are loaded, which takes seconds."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests

        loaded = [case for kind in kinds for case in load_model_tests(kind=kind)]
    cases = [_from_memory(case) if case.model is not None else _from_folder(case) for case in loaded]
    cases.sort(key=lambda case: (KINDS.index(case.kind), case.name))
    _name_operators(cases)
    return cases


def _from_memory(case):
    sets = [([*map(_to_array, inputs)], [*map(_to_array, outputs)]) for inputs, outputs in case.data_sets]
    return Case(case.name, case.kind, case.model, sets, case.rtol, case.atol)


def _to_array(value):
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return np.asarray(value) if isinstance(value, np.generic) else value


def _from_folder(case):
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    sets = []
    for data in sorted(folder.glob("test_data_set_*")):
        sets.append(
            tuple(
                [
                    _read_value(data / f"{role}_{index}.pb", value.type)
                    for index, value in enumerate(values)
                ]
                for role, values in (("input", _fed_inputs(model)), ("output", model.graph.output))
            )
        )
    return Case(case.name, case.kind, model, sets, case.rtol, case.atol)


def _fed_inputs(model):
    """Old models list their initializers among the inputs; nothing feeds them."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def _read_value(path, value_type):
    kind = value_type.WhichOneof("value")
    if kind == "sequence_type":
        proto = onnx.SequenceProto.FromString(path.read_bytes())
        return numpy_helper.to_list(proto)
    if kind == "optional_type":
        proto = onnx.OptionalProto.FromString(path.read_bytes())
        return numpy_helper.to_optional(proto)
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def input_names(model):
    """Names of the inputs that a run gives, in order."""
    return [value.name for value in _fed_inputs(model)]


def _name_operators(cases):
    """The operator that a case is about: its only node; of a function written
    out in nodes ("..._expanded") that of the case before the expansion; else the
    last node."""
    single = {case.name: case.model.graph.node[0].op_type for case in cases if len(case.model.graph.node) == 1}
    for case in cases:
        base = re.sub(r"_expanded.*$", "", case.name)
        case.operator = single.get(case.name) or single.get(base) or case.model.graph.node[-1].op_type
