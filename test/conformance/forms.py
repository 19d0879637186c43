"""The forms in which a case's model is compiled.

static    as it is
dynamic   no size of an input is known, only ranks
constant  the inputs are initializers: a model without inputs

A form is None where it does not exist for a case: no size to forget, no input
to make constant, or an input that is no tensor of numbers.
"""

import numpy as np
import onnx
from onnx import numpy_helper

from cases import input_names


def static_form(case):
    """The model and its inputs' names, for each set of inputs the same model."""
    return case.model


def dynamic_form(case):
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    forgotten = 0
    fed = set(input_names(model))
    for value in model.graph.input:
        if value.name in fed and value.type.WhichOneof("value") == "tensor_type":
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
                forgotten += 1
    if not forgotten:
        return None
    del model.graph.value_info[:]
    for value in model.graph.output:
        if value.type.WhichOneof("value") == "tensor_type":
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()
    return model


def constant_form(case):
    """Of the first set of inputs."""
    arrays = case.sets[0][0]
    names = input_names(case.model)
    if not names or not all(isinstance(a, np.ndarray) and a.dtype != object for a in arrays):
        return None
    model = onnx.ModelProto.FromString(case.model.SerializeToString())
    for name, array in zip(names, arrays):
        model.graph.initializer.append(numpy_helper.from_array(array, name))
        model.graph.input.remove(next(v for v in model.graph.input if v.name == name))
    return model


FORMS = {"static": static_form, "dynamic": dynamic_form, "constant": constant_form}
