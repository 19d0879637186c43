"""Builds random ONNX models that are valid, knowing the values of all they compute.

A graph is built for several assignments of its symbolic sizes at once. Each value
has, for each assignment, the array that the reference evaluator computed when its
node was added: so sizes are never derived by hand, a node that does not fit its
inputs is taken back at once, and a generator can ask for inputs by their numbers
(positive ones for a logarithm, indices below a length).
"""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wide_reference import NodeEvaluator, dtype_of, is_float, narrow, widen

F16, BF16, F32, F64 = (
    TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT, TensorProto.DOUBLE,
)  # fmt: skip
I8, I16, I32, I64 = TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64
U8, U16, U32, U64 = TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64
BOOL = TensorProto.BOOL
FLOATS = [F32, F16, F64]
SIGNED = [I32, I64, I8, I16]
UNSIGNED = [U8, U32, U16, U64]
INTEGERS = [*SIGNED, *UNSIGNED]
NUMBERS = [*FLOATS, *INTEGERS]

# Magnitudes beyond which a value is not built upon, so that no type overflows.
LARGEST_MAGNITUDE = {F16: 1e3, BF16: 1e6, F32: 1e6, F64: 1e12}
LARGEST_ELEMENTS = 6000
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 24, 31, 32, 33, 40, 64, 65]
ROWS = [100, 129, 257, 500]


class Invalid(Exception):
    """The node that a generator wanted does not fit; nothing of it is kept."""


@dataclass(eq=False)
class Value:
    """A value of the graph with its array for each assignment of the symbols, in
    float64 if the element type is a float."""

    name: str
    elem: int
    arrays: list
    constant: bool = False
    uses: int = 0
    is_input: bool = False

    @property
    def rank(self):
        return self.arrays[0].ndim

    @property
    def dims(self):
        """For each dimension its size in every assignment."""
        return [tuple(array.shape[axis] for array in self.arrays) for axis in range(self.rank)]

    def all(self, predicate):
        """Whether every element of every array satisfies it."""
        return all(bool(np.all(predicate(array))) for array in self.arrays)


def is_constant(dim):
    return min(dim) == max(dim)


def is_one(dim):
    return min(dim) == max(dim) == 1


@dataclass
class Settings:
    """What a graph is like; drawn at random by `draw_settings`."""

    opset: int
    symbols: dict  # name to the size in each assignment
    palette: list  # sizes that new inputs have, each a tuple of one per assignment
    float_types: list
    constant_share: float  # chance that new data is an initializer
    unnamed: bool  # leave sizes of inputs without a name
    special: bool  # infinities, NaNs and zeros with signs among the data


def draw_settings(random):
    """`random`: a random.Random."""
    kind = random.choices(["static", "dynamic", "constant"], [35, 55, 10])[0]
    assignments = 3 if kind == "dynamic" else 1
    symbols = {}
    for name in ["n", "m", "k"][: random.choice([1, 1, 2, 3]) if kind == "dynamic" else 0]:
        sizes = random.sample([*SIZES, random.choice(ROWS)], assignments)
        if random.random() < 0.06:
            sizes[-1] = 0
        if tuple(sizes) not in symbols.values():
            symbols[name] = tuple(sizes)
    sizes = random.sample(SIZES, random.choice([2, 3, 3, 4]))
    if random.random() < 0.08:
        sizes[0] = random.choice(ROWS)
    if random.random() < 0.04:
        sizes[-1] = 0
    palette = [(size,) * assignments for size in sizes] + [(1,) * assignments]
    return Settings(
        opset=random.choice([17, 18, 20, 21, 22, 23, 24]),
        symbols=symbols,
        palette=palette + 2 * list(symbols.values()),
        float_types=random.choices([[F32], [F32, F16], [F16], [F32, F64], [BF16, F32]], [60, 14, 10, 10, 6])[0],
        constant_share={"static": 0.3, "dynamic": 0.3, "constant": 1.0}[kind],
        unnamed=random.random() < 0.25,
        special=random.random() < 0.04,
    )


@dataclass
class GraphBuilder:
    random: object
    settings: Settings
    nodes: list = field(default_factory=list)
    values: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    count: int = 0

    @property
    def assignments(self):
        return len(self.settings.palette[0])

    def chance(self, share):
        return self.random.random() < share

    # New data ------------------------------------------------------------------

    def fresh_name(self, kind):
        self.count += 1
        return f"{kind}{self.count}"

    def constant_dim(self, size):
        return (size,) * self.assignments

    def expression(self, dim):
        """A size as the model can write it: a number, a symbol, or None."""
        if is_constant(dim):
            return dim[0]
        return next((name for name, sizes in self.settings.symbols.items() if sizes == dim), None)

    def fresh(self, elem, dims, kind="any", below=None, constant=None):
        """New data of these sizes: a constant or an input. kind: any, positive,
        unit (within -1 and 1), index (from -below to below - 1), natural (index
        from 0) or distinct (integers or floats of which no two are equal)."""
        if any(self.expression(dim) is None for dim in dims):
            raise Invalid("a size that no input can have")
        shapes = [tuple(dim[n] for dim in dims) for n in range(self.assignments)]
        if max(int(np.prod(shape, dtype=np.int64)) for shape in shapes) > LARGEST_ELEMENTS:
            raise Invalid("too large")
        static = all(is_constant(dim) for dim in dims)
        if constant is None:
            constant = self.chance(self.settings.constant_share)
        constant = constant and static
        if constant:
            arrays = [self.data(elem, shapes[0], kind, below)] * self.assignments
        else:
            arrays = [self.data(elem, shape, kind, below) for shape in shapes]
        value = Value(self.fresh_name("c" if constant else "x"), elem, arrays, constant)
        value.is_input = not constant
        (self.constants if constant else self.inputs).append(value)
        self.values.append(value)
        return value

    def data(self, elem, shape, kind, below):
        numbers = np.random.default_rng(self.random.getrandbits(63))
        if kind in ("index", "natural"):
            return numbers.integers(-below if kind == "index" else 0, below, shape, dtype_of(elem))
        if elem == BOOL:
            return numbers.random(shape) < 0.5
        count = int(np.prod(shape, dtype=np.int64))
        if kind == "distinct":
            array = numbers.permutation(count).reshape(shape)
        elif is_float(elem):
            array = self.floats(numbers, shape, kind)
        else:
            array = self.integers(numbers, elem, shape, kind)
        return narrow(array, elem).astype(np.float64) if is_float(elem) else array.astype(dtype_of(elem))

    def integers(self, numbers, elem, shape, kind):
        """Small numbers, or now and then any that the type holds."""
        if kind == "any" and self.chance(0.3):
            limits = np.iinfo(dtype_of(elem))
            return numbers.integers(limits.min, limits.max, shape, dtype_of(elem), endpoint=True)
        low = 0 if kind == "positive" or elem in UNSIGNED else -9
        return numbers.integers(low + (kind == "positive"), 10, shape)

    def floats(self, numbers, shape, kind):
        array = numbers.standard_normal(shape)
        if kind == "unit":
            return np.tanh(array) * 0.95
        if self.chance(0.15):
            array = np.round(array * 2)  # ties and zeros
        array = array * self.random.choice([1, 1, 1, 0.1, 4])
        if kind == "positive":
            return np.abs(array) + 0.05
        if self.settings.special and array.size:
            spots = numbers.random(shape)
            for number, at in ((np.nan, 0.04), (np.inf, 0.07), (-np.inf, 0.1), (-0.0, 0.13)):
                array = np.where((spots < at) & (spots >= at - 0.03), number, array)
        return array

    def parameter(self, array, elem=I64):
        """A constant that says how to compute."""
        array = widen(np.asarray(array).astype(dtype_of(elem)), elem)
        value = Value(self.fresh_name("p"), elem, [array] * self.assignments, True)
        self.constants.append(value)
        return value

    def fresh_scalar(self, elem, number):
        """A constant of rank 0."""
        return self.parameter(number, elem)

    # Existing values -----------------------------------------------------------

    def float_type(self):
        return self.random.choice(self.settings.float_types)

    def random_dims(self, rank=None):
        if rank is None:
            rank = self.random.choices([0, 1, 2, 3, 4, 5], [4, 15, 30, 30, 18, 3])[0]
        return [self.random.choice(self.settings.palette) for _ in range(rank)]

    def elem_of(self, elems):
        """One of the types, a float of the graph's own more often than not."""
        floats = [elem for elem in elems if elem in self.settings.float_types]
        others = [elem for elem in elems if not is_float(elem)]
        if floats and (not others or self.chance(0.75)):
            return self.random.choice(floats)
        if not others:
            raise Invalid("no type in common")
        return self.random.choice(others)

    def pick(self, elems, rank=None, where=None, kind="any", reuse=0.8):
        """A value of one of these types and (one of) these ranks; an existing one
        if there is any, most of the time."""
        ranks = None if rank is None else {rank} if isinstance(rank, int) else set(rank)
        fits = [
            value
            for value in self.values
            if value.elem in elems
            and (ranks is None or value.rank in ranks)
            and (where is None or where(value))
        ]
        if fits and self.chance(reuse):
            # Later ones, and those that nothing uses yet, more often.
            weights = [(1 + at) * (3 if not value.uses else 1) for at, value in enumerate(fits)]
            return self.random.choices(fits, weights)[0]
        rank = self.random.choice(sorted(ranks)) if ranks else None
        value = self.fresh(self.elem_of(elems), self.random_dims(rank), kind)
        if where is not None and not where(value):
            raise Invalid("new data does not fit either")
        return value

    def broadcast_partner(self, x, elem=None, kind="any", reuse=0.6):
        """A value that broadcasts with x."""
        elem = x.elem if elem is None else elem
        fits = [v for v in self.values if v.elem == elem and broadcasts(v.dims, x.dims)]
        if kind == "positive":
            fits = [v for v in fits if v.all(lambda a: a > 0)]
        if fits and self.chance(reuse):
            return self.random.choice(fits)
        dims = x.dims[self.random.randint(0, x.rank) if self.chance(0.4) else 0 :]
        one = self.constant_dim(1)
        dims = [one if self.expression(d) is None or self.chance(0.25) else d for d in dims]
        return self.fresh(elem, dims, kind)

    # Nodes ---------------------------------------------------------------------

    def add(self, operator, inputs, outputs=1, **attributes):
        """Adds a node and returns its results: one, or a list of them. Raises
        Invalid if the node does not fit or gives what cannot be built upon."""
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        names = [value.name if value else "" for value in inputs]
        results = [self.fresh_name("v") for _ in range(outputs)]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(operator, names, results, name=f"{operator}_{self.count}", **attributes)
        distinct = list({value.name: value for value in inputs if value}.values())
        types = self.result_types(node, distinct)
        arrays = self.evaluate(node, distinct, types)
        made = [Value(name, elem, list(a)) for name, elem, a in zip(results, types, arrays)]
        for value in made:
            self.require_sound(value)
        for value in distinct:
            value.uses += 1
        self.nodes.append(node)
        self.values += made
        return made[0] if outputs == 1 else made

    def result_types(self, node, inputs):
        try:
            schema = onnx.defs.get_schema(node.op_type, self.settings.opset)
            types = {v.name: helper.make_tensor_type_proto(v.elem, v.arrays[0].shape) for v in inputs}
            data = {
                v.name: numpy_helper.from_array(narrow(v.arrays[0], v.elem), v.name)
                for v in inputs
                if v.constant
            }
            found = onnx.shape_inference.infer_node_outputs(
                schema, node, types, data, opset_imports=[helper.make_opsetid("", self.settings.opset)]
            )
            return [found[name].tensor_type.elem_type for name in node.output]
        except Exception as error:  # ONNX raises several classes
            raise Invalid(str(error)) from None

    def evaluate(self, node, inputs, types):
        """For each result its arrays, one for each assignment."""
        try:
            evaluator = NodeEvaluator(node, self.settings.opset, [v.elem for v in inputs], types)
            runs = [evaluator([v.arrays[n] for v in inputs]) for n in range(self.assignments)]
        except Exception as error:  # whatever NumPy raises at inputs that do not fit
            raise Invalid(f"{node.op_type}: {error}") from None
        return zip(*runs)

    def require_sound(self, value):
        if len({array.ndim for array in value.arrays}) > 1:
            raise Invalid("the rank depends on the sizes")
        if max(array.size for array in value.arrays) > LARGEST_ELEMENTS:
            raise Invalid("too large")
        if not is_float(value.elem) or self.settings.special:
            return
        limit = LARGEST_MAGNITUDE[value.elem]
        if not value.all(lambda array: np.abs(array) <= limit):  # a NaN is not
            raise Invalid("too large a number")

    def dims_input(self, dims):
        """int64 values for these sizes, as exporters compute them: a constant, or
        joined of the sizes of other values."""
        if all(is_constant(dim) for dim in dims) and not self.chance(0.15):
            return self.parameter([dim[0] for dim in dims])
        pieces = [self.size_piece(dim) for dim in dims]
        return self.add("Concat", pieces, axis=0) if len(pieces) != 1 else pieces[0]

    def size_piece(self, dim):
        """The size as an int64 value of rank 1."""
        sources = [(v, axis) for v in self.values for axis, d in enumerate(v.dims) if d == dim]
        if not sources or is_constant(dim) and self.chance(0.8):
            if not is_constant(dim):
                raise Invalid("a size that no value has")
            return self.parameter([dim[0]])
        value, axis = self.random.choice(sources)
        if self.chance(0.5):
            return self.add("Shape", [value], start=axis, end=axis + 1)
        shape = self.add("Shape", [value])
        if self.chance(0.5):
            return self.add("Gather", [shape, self.parameter([axis])], axis=0)
        scalar = self.add("Gather", [shape, self.parameter(axis)], axis=0)
        return self.add("Unsqueeze", [scalar, self.parameter([0])])

    def attempt(self, generate):
        """Runs a generator; on Invalid everything it added is taken back."""
        marks = len(self.nodes), len(self.values), len(self.inputs), len(self.constants)
        uses = [(value, value.uses) for value in self.values]
        try:
            generate(self)
            return None
        except Invalid as error:
            lists = self.nodes, self.values, self.inputs, self.constants
            for items, length in zip(lists, marks):
                del items[length:]
            for value, count in uses:
                value.uses = count
            return str(error)

    # The model -----------------------------------------------------------------

    def choose_outputs(self):
        """All that nothing uses, and now and then something that is used."""
        made = [value for value in self.values if not value.is_input and not value.constant]
        outputs = [v for v in made if not v.uses or self.chance(0.12)]
        self.random.shuffle(outputs)
        return outputs[:6]

    def finish(self):
        """(model, a dictionary of inputs for each assignment)."""
        outputs = self.choose_outputs()
        if not outputs:
            raise Invalid("no node")
        needed = {value.name for value in outputs}
        nodes = []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                nodes.insert(0, node)
                needed.update(node.input)
        inputs = [v for v in self.inputs if v.name in needed or self.chance(0.2)]
        constants = [
            numpy_helper.from_array(narrow(v.arrays[0], v.elem), v.name)
            for v in self.constants
            if v.name in needed
        ]
        infos = [helper.make_tensor_value_info(v.name, v.elem, self.input_shape(v)) for v in inputs]
        results = [helper.make_tensor_value_info(v.name, v.elem, [None] * v.rank) for v in outputs]
        graph = helper.make_graph(nodes, "fuzz", infos, results, constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.settings.opset)], ir_version=10
        )
        onnx.checker.check_model(model, full_check=True)
        sets = [{v.name: narrow(v.arrays[n], v.elem) for v in inputs} for n in range(self.assignments)]
        return model, sets

    def input_shape(self, value):
        shape = [self.expression(dim) for dim in value.dims]
        if self.settings.unnamed:
            shape = [size if isinstance(size, int) else None for size in shape]
        return shape


def broadcasts(a, b):
    """Whether sizes broadcast, whatever the assignment."""
    return all(x == y or is_one(x) or is_one(y) for x, y in zip(reversed(a), reversed(b)))
