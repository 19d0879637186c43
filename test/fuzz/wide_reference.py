"""ONNX's reference evaluator in float64, with an estimate of what rounding does.

Every float type is replaced by float64, so that the result is what a model means
before rounding. How far rounding may move it is measured, not guessed: the model is
evaluated again several times with each node's inputs and results changed at random
by about one unit in the last place of their own type. Where the results spread, a
correct compiler may spread as far; where they flip (a comparison of nearly equal
numbers, an index of the largest of them), nothing is known and nothing is compared.
"""

import functools
import warnings

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import reference_operators

# The relative distance of neighbouring numbers.
EPSILON = {
    TensorProto.FLOAT: 2.0**-23,
    TensorProto.FLOAT16: 2.0**-10,
    TensorProto.BFLOAT16: 2.0**-7,
    TensorProto.DOUBLE: 2.0**-50,  # of the reference too, which computes in the same type
}
# The least number that keeps its relative precision, and the largest.
SMALLEST = {
    TensorProto.FLOAT: 1.2e-38,
    TensorProto.FLOAT16: 6.1e-5,
    TensorProto.BFLOAT16: 1.2e-38,
    TensorProto.DOUBLE: 2.3e-308,
}
LARGEST = {
    TensorProto.FLOAT: 3.4e38,
    TensorProto.FLOAT16: 65504.0,
    TensorProto.BFLOAT16: 3.38e38,
    TensorProto.DOUBLE: 1.79e308,
}
# Errors of many roundings stay below this multiple of the largest spread.
SPREAD_FACTOR = 32
# The sizes of the errors in each sample, in units of the last place. The large ones
# find the elements that flip; what they spread is divided by them.
SAMPLES = [1] * 4 + [6] * 10

# Results are elements of the inputs, or exact in any type.
EXACT = {
    "Abs", "Ceil", "Concat", "ConstantOfShape", "Constant", "DepthToSpace", "Expand", "Flatten",
    "Floor", "Gather", "GatherElements", "GatherND", "GlobalMaxPool", "Identity", "Max", "MaxPool",
    "Min", "Neg", "Not", "OneHot", "Pad", "ReduceMax", "ReduceMin", "Relu", "Reshape", "Round",
    "ScatterElements", "ScatterND", "Shape", "Sign", "Size", "Slice", "SpaceToDepth", "Split",
    "Squeeze", "Tile", "TopK", "Transpose", "Trilu", "Unsqueeze", "Where", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "ArgMax", "ArgMin", "IsNaN", "IsInf", "EyeLike",
    "Hardmax", "Clip", "ReverseSequence",
}  # fmt: skip
# One rounding of the exact result of their inputs.
ROUNDED_ONCE = {"Add", "Sub", "Mul", "Div", "Sqrt", "Reciprocal", "Cast", "CastLike", "LeakyRelu"}
# One rounding for each addend. Of equal addends all may go the same way: the sum of n
# is then n / 4 units off, which random errors do not find.
SUMS = {"ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "GlobalAveragePool"}
# Right to a unit of the last place of the number 1 only, as exp(x) - 1 near 0 is.
ABSOLUTE = {
    "Gelu", "Softplus", "Mish", "Elu", "Celu", "Selu", "LogSoftmax", "ReduceLogSumExp",
    "ReduceLogSum", "Log", "Acos", "Asin", "Acosh", "Asinh", "Atanh", "Sinh", "Tan", "Sin", "Cos",
    "AffineGrid", "SoftmaxCrossEntropyLoss", "HardSwish", "Swish", "Tanh", "Erf", "Shrink", "Sigmoid", "RNN", "GRU", "LSTM",
}  # fmt: skip
# Their float attributes and defaults, such as 0.01, are doubles to some.
FLOAT_ATTRIBUTES = {
    "LeakyRelu", "Elu", "Celu", "Selu", "HardSigmoid", "HardSwish", "Swish", "ThresholdedRelu",
    "Shrink", "Gemm", "LRN", "BatchNormalization", "InstanceNormalization", "LayerNormalization",
    "GroupNormalization", "RMSNormalization", "Attention", "Gelu",
}  # fmt: skip
# Attributes that name an element type.
TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "stash_type", "softmax_precision"}


def is_float(elem_type):
    return elem_type in EPSILON


def dtype_of(elem_type):
    return helper.tensor_dtype_to_np_dtype(elem_type)


def widen(array, elem_type):
    return np.asarray(array).astype(np.float64) if is_float(elem_type) else np.asarray(array)


def narrow(array, elem_type):
    """The array in its own type."""
    with np.errstate(all="ignore"):
        return np.asarray(array).astype(dtype_of(elem_type))


def widened_node(node):
    """The node with float64 where an attribute names or holds another float."""
    wide = onnx.NodeProto.FromString(node.SerializeToString())
    for attribute in wide.attribute:
        if attribute.type == AttributeProto.INT and attribute.name in TYPE_ATTRIBUTES:
            if is_float(attribute.i):
                attribute.i = TensorProto.DOUBLE
        elif attribute.type == AttributeProto.TENSOR and is_float(attribute.t.data_type):
            array = widen(numpy_helper.to_array(attribute.t), attribute.t.data_type)
            attribute.t.CopyFrom(numpy_helper.from_array(array, attribute.t.name))
    return wide


def evaluator_of(node, opset):
    """A function from the node's present inputs to its results."""
    names = list(dict.fromkeys(name for name in node.input if name))
    # Names of optional results that are not wanted must not be empty here.
    outputs = [name for name in node.output if name]
    values = [helper.make_value_info(name, onnx.TypeProto()) for name in names]
    results = [helper.make_value_info(name, onnx.TypeProto()) for name in outputs]
    graph = helper.make_graph([node], "node", values, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    reference = ReferenceEvaluator(model, new_ops=reference_operators.OPERATORS)

    def evaluate(inputs):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return reference.run(None, dict(zip(names, inputs)))

    return evaluate


class NodeEvaluator:
    """One node with the element types of its inputs and results. Arrays of a float
    type are float64 on both sides."""

    def __init__(self, node, opset, input_types, output_types):
        self.node, self.input_types, self.output_types = node, input_types, output_types
        self.opset = opset
        self.wide = evaluator_of(widened_node(node), opset)
        self.is_wide = True

    @functools.cached_property
    def own(self):
        return evaluator_of(self.node, self.opset)

    def __call__(self, inputs):
        """`inputs`: arrays of the distinct names that are not empty, in order."""
        if self.node.op_type == "Cast" and not is_float(self.output_types[0]):
            self._require_in_range(inputs[0])
        if self.is_wide:
            try:
                return [*map(self._checked, self.wide(inputs), self.output_types)]
            except Exception:  # some operators are not implemented for float64
                self.is_wide = False
        results = self.own([narrow(a, t) for a, t in zip(inputs, self.input_types)])
        return [widen(self._checked(a, t), t) for a, t in zip(results, self.output_types)]

    def _accumulates(self):
        """Whether updates are added or multiplied."""
        return any(a.name == "reduction" and a.s in (b"add", b"mul") for a in self.node.attribute)

    def _require_in_range(self, array):
        """What a float out of an integer's range becomes is not defined."""
        dtype = dtype_of(self.output_types[0])
        if is_float(self.input_types[0]) and dtype.kind in "iu":
            whole, info = np.trunc(array), np.iinfo(dtype)
            if not np.all((whole >= info.min) & (whole <= min(info.max, 2.0**62))):
                raise ValueError(f"no {dtype} for all of the elements")

    @staticmethod
    def _checked(array, elem_type):
        array = np.asarray(array)
        if not is_float(elem_type) and array.dtype != dtype_of(elem_type):
            raise TypeError(f"expects {dtype_of(elem_type)} but the evaluator gave {array.dtype}")
        return array.astype(np.float64) if is_float(elem_type) else array

    def perturbed(self, inputs, random, size=1):
        """As __call__, with rounding errors of this size at random."""
        operator = self.node.op_type
        if operator in EXACT and not self._accumulates():
            return self(inputs)
        if operator == "Resize":  # scales are what its sizes are made of
            inputs = [perturb(inputs[0], self.input_types[0], random, size), *inputs[1:]]
        elif operator not in ROUNDED_ONCE:
            inputs = [perturb(a, t, random, size) for a, t in zip(inputs, self.input_types)]
        if any(a.name == "is_causal" and a.i for a in self.node.attribute):
            # What NaN and infinities in hidden keys do is not known.
            inputs = [a if a.dtype.kind != "f" else np.where(np.isfinite(a), a, 0.0) for a in inputs]
        least = 1.0 if operator in ABSOLUTE else 0.0
        types = self.output_types
        if operator in FLOAT_ATTRIBUTES:
            types = [TensorProto.FLOAT if t == TensorProto.DOUBLE else t for t in types]
        # Places are float32 for narrower types too.
        place_type = TensorProto.DOUBLE if TensorProto.DOUBLE in self.input_types else TensorProto.FLOAT
        with reference_operators.places_rounded(random, size * EPSILON[place_type]):
            results = self(inputs)
        if operator in SUMS and results[0].size:
            addends = inputs[0].size / results[0].size
            size *= max(1, addends / 4 / SPREAD_FACTOR)
        if operator == "ReduceProd" and may_overflow(inputs[0], types[0]):
            return [np.full_like(a, np.nan) for a in results]
        return [perturb(a, t, random, size, least) for a, t in zip(results, types)]


def may_overflow(factors, elem_type):
    """Whether a product of some of the factors, in some order, leaves the range."""
    if not is_float(elem_type):
        return False
    with np.errstate(all="ignore"):
        return np.log2(np.maximum(np.abs(factors), 1)).sum() > np.log2(LARGEST[elem_type])


def perturb(array, elem_type, random, size, least=0.0):
    """Changes floats by half to all of `size` units in the last place, up or down;
    as if they were `least` at least. What is too large for the type may be an infinity,
    and what is too small 0, or not, where it is held in a wider type."""
    if not is_float(elem_type):
        return array
    change = size * EPSILON[elem_type] * random.uniform(0.5, 1, array.shape)
    change = np.where(random.random(array.shape) < 0.5, change, -change)
    magnitude = np.maximum(np.abs(array), least)
    is_finite = np.isfinite(array)
    with np.errstate(all="ignore"):
        changed = array + np.where(is_finite, magnitude, 0.0) * change
    too_large = is_finite & (np.abs(array) > LARGEST[elem_type])
    # Half of the least number that there is.
    too_small = (array != 0) & (np.abs(array) <= SMALLEST[elem_type] * EPSILON[elem_type] / 2)
    if not (too_large | too_small).any():
        return changed
    in_own_type = random.random(array.shape) < 0.5
    changed = np.where(too_large & in_own_type, np.copysign(np.inf, array), changed)
    return np.where(too_small & in_own_type, np.copysign(0.0, array), changed)


class WideModel:
    """A model whose nodes are in order, without functions and subgraphs."""

    def __init__(self, model):
        self.model = model
        self.opset = next(o.version for o in model.opset_import if not o.domain)
        self.types = element_types(model)
        self.constants = {
            tensor.name: widen(numpy_helper.to_array(tensor), tensor.data_type)
            for tensor in model.graph.initializer
        }
        self.nodes = []
        for node in model.graph.node:
            names = list(dict.fromkeys(name for name in node.input if name))
            outputs = [name for name in node.output if name]
            evaluator = NodeEvaluator(
                node, self.opset, [self.types[n] for n in names], [self.types[n] for n in outputs]
            )
            self.nodes.append((names, outputs, evaluator))

    def run(self, inputs, random=None, size=1):
        """Every value by name. `random`: a generator, for one sample of roundings."""
        values = dict(self.constants)
        for name, array in inputs.items():
            values[name] = widen(array, self.types[name])
        for names, outputs, evaluator in self.nodes:
            arrays = [values[name] for name in names]
            results = evaluator.perturbed(arrays, random, size) if random else evaluator(arrays)
            values.update(zip(outputs, results))
        return values

    def expect(self, inputs, seed=0):
        """(array, tolerance) of each output by name: the tolerance is an array,
        infinite where the outcome depends on rounding."""
        exact = self.run(inputs)
        samples = [
            self.run(inputs, np.random.default_rng([seed, n]), size) for n, size in enumerate(SAMPLES)
        ]
        expected = {}
        for output in self.model.graph.output:
            name = output.name
            expected[name] = exact[name], tolerance(
                exact[name], [sample[name] for sample in samples], self.types[name]
            )
        return expected

    def expect_surely(self, inputs, times=8):
        """As expect, of so many times as many samples."""
        expected = self.expect(inputs)
        for seed in range(1, times):
            for name, (_, more) in self.expect(inputs, seed).items():
                exact, limit = expected[name]
                expected[name] = exact, np.maximum(limit, more)
        return expected


def element_types(model):
    """The element type of every value, by ONNX's shape inference."""
    inferred = onnx.shape_inference.infer_shapes(model)
    graph = inferred.graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for value in [*graph.input, *graph.value_info, *graph.output]:
        types[value.name] = value.type.tensor_type.elem_type
    return types


def tolerance(exact, samples, elem_type):
    """How far each element may be from `exact`."""
    if any(sample.shape != exact.shape for sample in samples):
        return np.full(exact.shape, np.inf)
    if not is_float(elem_type):
        differs = np.zeros(exact.shape, bool)
        for sample in samples:
            differs |= sample != exact
        return np.where(differs, np.inf, 0.0)
    spread = np.zeros(exact.shape)
    with np.errstate(all="ignore"):
        for sample, size in zip(samples, SAMPLES):
            same = (sample == exact) | (np.isnan(sample) & np.isnan(exact))
            away = np.where(same, 0.0, np.abs(sample - exact)) / size
            spread = np.maximum(spread, np.where(np.isnan(away), np.inf, away))
        limit = SPREAD_FACTOR * spread
        limit += 4 * EPSILON[elem_type] * np.where(np.isfinite(exact), np.abs(exact), 0.0)
        limit += 4 * SMALLEST[elem_type]  # some results are flushed to 0
        # Close to the largest number, some roundings give an infinity.
        overflows = np.isfinite(exact) & (np.abs(exact) + limit > LARGEST[elem_type])
    return np.where(overflows, np.inf, limit)


def difference(actual, exact, limit, elem_type):
    """What is wrong with an output, in words, or None."""
    dtype = dtype_of(elem_type)
    if actual.dtype != dtype or actual.shape != exact.shape:
        return f"expects {dtype} {exact.shape} but got {actual.dtype} {actual.shape}"
    if not is_float(elem_type):
        wrong = (actual != exact) & (limit == 0)
    else:
        wide = actual.astype(np.float64)
        with np.errstate(all="ignore"):
            same = (wide == exact) | (np.isnan(wide) & np.isnan(exact))
            far = ~(np.abs(wide - exact) <= limit)
        wrong = ~same & far & (limit != np.inf)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return (
        f"{np.count_nonzero(wrong)} of {exact.size} elements differ, first at {list(at)}: "
        f"expects {exact[at]} within {limit[at]:.3g} but got {actual[at]}"
    )
