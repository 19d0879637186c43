"""Changes of an ONNX model at random, each in one place."""

import onnx
from onnx import AttributeProto, TensorProto, helper

INTEGERS = [-(2**31), -100, -2, -1, 0, 1, 2, 3, 7, 16, 1000, 2**31, 2**40, 2**62]
SIZES = ["n", "m", None, -1, 0, 1, 2, 3, 5, 64, 10**6, 2**40]
FLOATS = [0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"), 0.5]
TYPES = [
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64,
    TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8, TensorProto.BOOL,
    TensorProto.BFLOAT16, TensorProto.STRING, TensorProto.UINT32, TensorProto.INT4,
    TensorProto.FLOAT8E4M3FN, TensorProto.COMPLEX64, TensorProto.UNDEFINED, 77,
]  # fmt: skip
NAMES = ["", "x", "main", "a/b::c.0", "\u00e9\u4e16", "with space", "quote'\"<>", "n" * 300, "%0", "@w"]
# Attributes that many operators have, to be added where they do not belong too.
EXTRA = {
    "axis": INTEGERS, "keepdims": [0, 1, 2], "to": [0, 1, 7, 9, 10, 11, 77], "group": INTEGERS,
    "ceil_mode": [0, 1], "noop_with_empty_axes": [0, 1], "allowzero": [0, 1], "epsilon": FLOATS,
    "alpha": FLOATS, "axes": [[0], [-1, 0], [], [5]], "perm": [[0], [1, 0], [0, 0]],
    "pads": [[-1, 1], [0] * 4, [2**40] * 4], "strides": [[0, 1], [1], [-1, 2]],
    "dilations": [[0], [2, 2], [2**40, 1]], "kernel_shape": [[0], [3, 3], [2**31, 1]],
    "auto_pad": [b"SAME_LOWER", b"VALID", b"?"], "mode": [b"linear", b"reflect", b"cubic"],
    "block_size": INTEGERS, "start": INTEGERS, "end": INTEGERS, "num_outputs": INTEGERS,
}  # fmt: skip


def mutate_bytes(data, chance):
    """The bytes of a model cut off, or with a few of them changed."""
    data = bytearray(data)
    if chance.random() < 0.4:
        return bytes(data[: chance.randrange(len(data))])
    for _ in range(chance.choice([1, 2, 8])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


class Mutator:
    """Changes a model in one place; returns what it did, or None."""

    def __init__(self, model, chance, operators):
        self.model, self.graph = model, model.graph
        self.chance, self.operators = chance, operators

    def mutate(self):
        kinds = [
            self.attribute, self.attribute, self.size, self.size, self.rank, self.type,
            self.edge, self.edge, self.omit, self.operator, self.constant, self.constant,
            self.remove, self.duplicate, self.opset, self.output, self.added_attribute,
            self.attribute_type, self.initializer, self.external, self.name, self.declaration,
            self.function, self.function, self.in_function, self.inner_size,
        ]
        return self.chance.choice(kinds)()

    def pick(self, items):
        return self.chance.choice(list(items)) if len(items) else None

    def values(self):
        names = [value.name for value in self.graph.input]
        names += [tensor.name for tensor in self.graph.initializer]
        return names + [name for node in self.graph.node for name in node.output if name]

    def attribute(self):
        node = self.pick(self.graph.node)
        attribute = self.pick(node.attribute) if node else None
        if attribute is None:
            return None
        if attribute.type == AttributeProto.INT:
            attribute.i = self.chance.choice(INTEGERS)
        elif attribute.type == AttributeProto.FLOAT:
            attribute.f = self.chance.choice(FLOATS)
        elif attribute.type == AttributeProto.INTS:
            if attribute.ints and self.chance.random() < 0.7:
                attribute.ints[self.chance.randrange(len(attribute.ints))] = self.chance.choice(
                    INTEGERS
                )
            elif self.chance.random() < 0.5:
                attribute.ints.append(self.chance.choice(INTEGERS))
            else:
                del attribute.ints[-1:]
        elif attribute.type == AttributeProto.STRING:
            attribute.s = self.chance.choice([b"", b"linear", b"SAME_UPPER", b"\xff", b"VALID"])
        else:
            node.attribute.remove(attribute)
        return f"attribute of {node.op_type}"

    def shape(self):
        value = self.pick(self.graph.input)
        return value.type.tensor_type if value and value.type.HasField("tensor_type") else None

    def size(self):
        tensor = self.shape()
        dim = self.pick(tensor.shape.dim) if tensor else None
        if dim is None:
            return None
        size = self.chance.choice(SIZES)
        dim.Clear()
        if isinstance(size, str):
            dim.dim_param = size
        elif size is not None:
            dim.dim_value = size
        return f"size {size}"

    def rank(self):
        tensor = self.shape()
        if tensor is None:
            return None
        if tensor.shape.dim and self.chance.random() < 0.5:
            del tensor.shape.dim[self.chance.randrange(len(tensor.shape.dim))]
        elif self.chance.random() < 0.9:
            tensor.shape.dim.add().dim_value = self.chance.choice([0, 1, 2, 3])
        else:
            tensor.ClearField("shape")
        return "rank"

    def type(self):
        tensor = self.shape()
        if tensor is None:
            return None
        tensor.elem_type = self.chance.choice(TYPES)
        return f"type {tensor.elem_type}"

    def edge(self):
        node = self.pick(self.graph.node)
        if node is None or not node.input:
            return None
        node.input[self.chance.randrange(len(node.input))] = self.pick(self.values())
        return f"edge to {node.op_type}"

    def omit(self):
        node = self.pick(self.graph.node)
        if node is None or not node.input:
            return None
        if self.chance.random() < 0.5:
            node.input[self.chance.randrange(len(node.input))] = ""
        else:
            del node.input[-1]
        return f"input of {node.op_type} omitted"

    def operator(self):
        node = self.pick(self.graph.node)
        if node is None:
            return None
        node.op_type = self.chance.choice(self.operators)
        return f"operator {node.op_type}"

    def constant(self):
        """Another number in a constant, which may be a shape or axes; or an
        input that becomes a constant."""
        tensor = self.pick(self.graph.initializer)
        if tensor is None or self.chance.random() < 0.3:
            value = self.pick(self.graph.input)
            kind = value.type.tensor_type if value else None
            if kind is None or kind.elem_type not in (TensorProto.INT64, TensorProto.INT32):
                return None
            dims = [dim.dim_value for dim in kind.shape.dim]
            if len(dims) > 1 or sum(dims) > 8:
                return None
            count = dims[0] if dims else 1
            numbers = [self.chance.choice([-1, 0, 1, 2, 3, 4]) for _ in range(count)]
            self.graph.initializer.append(
                onnx.helper.make_tensor(value.name, kind.elem_type, dims, numbers)
            )
            self.graph.input.remove(value)
            return "input made constant"
        if self.chance.random() < 0.3:
            tensor.dims.append(self.chance.choice([0, 1, 2]))
        elif tensor.data_type == TensorProto.INT64 and len(tensor.raw_data) >= 8:
            at = 8 * self.chance.randrange(len(tensor.raw_data) // 8)
            number = self.chance.choice(INTEGERS).to_bytes(8, "little", signed=True)
            tensor.raw_data = tensor.raw_data[:at] + number + tensor.raw_data[at + 8 :]
        elif tensor.int64_data:
            tensor.int64_data[0] = self.chance.choice(INTEGERS)
        else:
            tensor.data_type = self.chance.choice(TYPES)
        return f"constant {tensor.name}"

    def remove(self):
        node = self.pick(self.graph.node)
        if node is None or len(self.graph.node) < 2:
            return None
        self.graph.node.remove(node)
        return f"{node.op_type} removed"

    def duplicate(self):
        """A second node on the first one's result."""
        node = self.pick(self.graph.node)
        if node is None or not node.output or not node.output[0]:
            return None
        copy = self.graph.node.add()
        copy.CopyFrom(node)
        copy.name = node.name + "_again"
        if copy.input:
            copy.input[0] = node.output[0]
        for position, name in enumerate(node.output):
            copy.output[position] = name and name + "_again"
        output = self.graph.output.add()
        output.CopyFrom(self.graph.output[0])
        output.name = copy.output[0]
        return f"{node.op_type} doubled"

    def opset(self):
        imports = self.model.opset_import
        if self.chance.random() < 0.1:
            self.model.ir_version = self.chance.choice([0, 1, 3, 7, 9, 13, 2**40])
        elif self.chance.random() < 0.1:
            imports.add(domain=self.chance.choice(["", "ai.onnx.ml", "local"]), version=1)
        elif imports:
            imports[0].version = self.chance.choice([0, 1, 7, 9, 11, 13, 17, 18, 21, 23, 25, 999])
        return "opset"

    def added_attribute(self):
        node = self.pick(self.graph.node)
        if node is None:
            return None
        name = self.chance.choice(list(EXTRA))
        for attribute in list(node.attribute):
            if attribute.name == name:
                node.attribute.remove(attribute)
        value = self.chance.choice(EXTRA[name])
        kind = AttributeProto.INTS if isinstance(value, list) else None
        node.attribute.append(helper.make_attribute(name, value, attr_type=kind))
        return f"{name} of {node.op_type}"

    def attribute_type(self):
        node = self.pick(self.graph.node)
        attribute = self.pick(node.attribute) if node else None
        if attribute is None:
            return None
        attribute.type = self.chance.choice(list(range(0, 15)))
        return f"type of {attribute.name} of {node.op_type}"

    def initializer(self):
        """Sizes, type, contents or name that do not fit the rest."""
        tensor = self.pick(self.graph.initializer)
        if tensor is None:
            return None
        kind = self.chance.choice(["dims", "dims", "type", "remove", "double", "cut", "rank"])
        if kind == "dims" and tensor.dims:
            tensor.dims[self.chance.randrange(len(tensor.dims))] = self.chance.choice(INTEGERS)
        elif kind == "rank" and tensor.dims:
            del tensor.dims[-1]
        elif kind == "type":
            tensor.data_type = self.chance.choice(TYPES)
        elif kind == "remove":
            self.graph.initializer.remove(tensor)
        elif kind == "double":
            self.graph.initializer.add().CopyFrom(tensor)
        elif tensor.raw_data:
            tensor.raw_data = tensor.raw_data[: self.chance.randrange(len(tensor.raw_data))]
        return f"initializer {tensor.name}: {kind}"

    def external(self):
        """Another place, offset or length of external data; or data moved out."""
        tensor = self.pick([t for t in self.graph.initializer if t.external_data] or self.graph.initializer)
        if tensor is None:
            return None
        if not tensor.external_data:
            if not tensor.raw_data:
                return None
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights.bin")
        key = self.chance.choice(["location", "offset", "length", "checksum"])
        if key == "location":
            text = self.chance.choice(["", "missing.bin", "../weights.bin", "/dev/zero", ".", "model.onnx"])
        else:
            text = self.chance.choice(["", "x", "-1", "0", "1", "64", "4096", str(2**62), str(2**64)])
        for entry in list(tensor.external_data):
            if entry.key == key:
                tensor.external_data.remove(entry)
        tensor.external_data.add(key=key, value=text)
        return f"{key} of {tensor.name}: {text}"

    def name(self):
        """A value, node, input or output under another name, perhaps a used one."""
        new = self.chance.choice([*NAMES, *self.values()[:40]])
        kind = self.chance.choice(["node", "result", "input", "output", "everywhere"])
        if kind == "everywhere":
            old = self.pick(self.values())
            for node in self.graph.node:
                for names in (node.input, node.output):
                    names[:] = [new if name == old else name for name in names]
            for item in [*self.graph.input, *self.graph.output, *self.graph.initializer]:
                if item.name == old:
                    item.name = new
        elif kind in ("input", "output"):
            value = self.pick(getattr(self.graph, kind))
            if value is None:
                return None
            value.name = new
        else:
            node = self.pick(self.graph.node)
            if node is None or not node.output:
                return None
            if kind == "node":
                node.name = new
            else:
                node.output[self.chance.randrange(len(node.output))] = new
        return f"{kind} called {new[:20]}"

    def declaration(self):
        """A type for an inner value or an output that need not be its own."""
        name = self.pick(self.values())
        if name is None:
            return None
        dims = [self.chance.choice(SIZES) for _ in range(self.chance.randrange(5))]
        made = helper.make_tensor_value_info(name, self.chance.choice(TYPES), dims)
        output = self.pick(self.graph.output)
        if output is not None and self.chance.random() < 0.5:
            output.type.CopyFrom(made.type)
            return f"type of output {output.name}"
        self.graph.value_info.append(made)
        return f"type of {name}"

    def function(self):
        """A node becomes a call of a function that holds it."""
        node = self.pick(self.graph.node)
        if node is None or not node.output:
            return None
        name = f"Local{len(self.model.functions)}"
        body = onnx.NodeProto.FromString(node.SerializeToString())
        inputs = [f"i{at}" for at in range(len(node.input))]
        outputs = [f"o{at}" for at in range(len(node.output))]
        body.input[:], body.output[:] = inputs, outputs
        imports = [helper.make_opsetid(o.domain, o.version) for o in self.model.opset_import]
        made = helper.make_function("local", name, inputs, outputs, [body], imports)
        self.model.functions.append(made)
        node.op_type, node.domain = name, "local"
        if self.chance.random() < 0.5:
            del node.attribute[:]
        if not any(o.domain == "local" for o in self.model.opset_import):
            self.model.opset_import.add(domain="local", version=1)
        return f"{body.op_type} in a function"

    def in_function(self):
        """Something wrong within a function."""
        function = self.pick(self.model.functions)
        if function is None or not function.node:
            return None
        kind = self.chance.choice(["itself", "input", "output", "reference", "extra", "imports"])
        body = self.pick(function.node)
        if kind == "itself":
            body.op_type, body.domain = function.name, function.domain
        elif kind == "input" and function.input:
            del function.input[-1]
        elif kind == "output" and function.output:
            function.output[0] = self.chance.choice(["i0", "nothing", ""])
        elif kind == "reference" and body.attribute:
            attribute = self.pick(body.attribute)
            made = AttributeProto(name=attribute.name, type=attribute.type, ref_attr_name="given")
            body.attribute.remove(attribute)
            body.attribute.append(made)
            function.attribute.append("given")
        elif kind == "extra":
            self.model.functions.add().CopyFrom(function)
        else:
            del function.opset_import[:]
        return f"function {function.name}: {kind}"

    def inner_size(self):
        """A number in a Constant node."""
        tensors = [
            attribute.t
            for node in self.graph.node
            if node.op_type == "Constant"
            for attribute in node.attribute
            if attribute.type == AttributeProto.TENSOR
            and attribute.t.data_type == TensorProto.INT64
            and len(attribute.t.raw_data) >= 8
        ]
        tensor = self.pick(tensors)
        if tensor is None:
            return None
        at = 8 * self.chance.randrange(len(tensor.raw_data) // 8)
        number = self.chance.choice(INTEGERS).to_bytes(8, "little", signed=True)
        tensor.raw_data = tensor.raw_data[:at] + number + tensor.raw_data[at + 8 :]
        return f"number in {tensor.name or 'a constant'}"

    def output(self):
        name = self.pick(self.values())
        output = self.graph.output.add()
        output.CopyFrom(self.graph.output[0])
        output.name = name
        return f"output {name}"
