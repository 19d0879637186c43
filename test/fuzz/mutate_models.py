"""Compiles mutated models, looking for crashes of the compiler.

    python test/fuzz/mutate_models.py build/bin/tessera --seconds 900 --keep found

Seeds are ONNX's own node tests and, where it is installed, Magika's model. Each
is changed in one to four places (attributes, types, sizes, edges, operators,
contents of constants) and compiled in a process with a limit on time and address
space. A model that is refused with a message is fine; an end by a signal, an
internal error or a run out of time is not, and is kept with what was said. Prints
how far the models came. Exits with 1 if a compilation crashed.
"""

import argparse
import collections
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import onnx
from onnx import AttributeProto, TensorProto

LIMIT_SECONDS = 20
LIMIT_BYTES = 4 << 30
LARGEST_SEED_BYTES = 8 << 20
STATES = ["graph", "kernel", "buffer", "cpu"]
INTEGERS = [-(2**31), -100, -2, -1, 0, 1, 2, 3, 7, 16, 1000, 2**31, 2**40, 2**62]
SIZES = ["n", "m", None, -1, 0, 1, 2, 3, 5, 64, 10**6, 2**40]
FLOATS = [0.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"), 0.5]
TYPES = [
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT64,
    TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8, TensorProto.BOOL,
    TensorProto.BFLOAT16, TensorProto.STRING, TensorProto.UINT32,
]


def seeds():
    data = Path(onnx.__file__).parent / "backend/test/data/node"
    paths = sorted(data.glob("*/model.onnx"))
    try:
        import magika

        paths += sorted(Path(magika.__file__).parent.glob("models/*/model.onnx")) * 20
    except ImportError:
        pass
    return [path for path in paths if path.stat().st_size <= LARGEST_SEED_BYTES]


class Mutator:
    """Changes a model in one place; returns what it did, or None."""

    def __init__(self, model, chance, operators):
        self.model, self.graph = model, model.graph
        self.chance, self.operators = chance, operators

    def mutate(self):
        kinds = [
            self.attribute, self.attribute, self.size, self.size, self.rank, self.type,
            self.edge, self.edge, self.omit, self.operator, self.constant, self.constant,
            self.remove, self.duplicate, self.opset, self.output,
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
        self.model.opset_import[0].version = self.chance.choice([7, 9, 11, 13, 17, 18, 21, 23])
        return "opset"

    def output(self):
        name = self.pick(self.values())
        output = self.graph.output.add()
        output.CopyFrom(self.graph.output[0])
        output.name = name
        return f"output {name}"


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS + 5))


def compile_model(tool, model, folder, level):
    """(exit code or None for a timeout, the last state, what was said)."""
    for path in folder.glob("*"):
        path.unlink()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    try:
        done = subprocess.run(
            [tool, "compile", "model.onnx", f"-O{level}", "--save-states", "."],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=limit, timeout=2 * LIMIT_SECONDS,
        )
        code, text = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired:
        code, text = None, "out of time"
    if (folder / "model.so").exists():
        return code, "library", text
    reached = [state for state in STATES if (folder / f"{state}.mlir").exists()]
    return code, reached[-1] if reached else "import", text


def is_crash(code, text):
    return code is None or code < 0 or code == 70 or "linking failed" in text


def cause(text):
    """The message without names and numbers, to tell crashes apart."""
    return re.sub(r"'[^']*'|\d+", "*", text.splitlines()[0] if text else "")[:150]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--filter", default="", help="only seeds whose folder matches this")
    parser.add_argument("--keep", type=Path, help="folder for models that crash")
    return parser.parse_args()


def main():
    arguments = parse()
    chance = random.Random(arguments.seed)
    paths = [path for path in seeds() if re.search(arguments.filter, path.parent.name)]
    operators = sorted({node.op_type for path in set(paths) for node in onnx.load(path).graph.node})
    reached, codes, crashes = collections.Counter(), collections.Counter(), {}
    end = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            path = chance.choice(paths)
            model = onnx.load(path)
            mutator = Mutator(model, chance, operators)
            changes = [mutator.mutate() for _ in range(chance.randint(1, 4))]
            level = chance.choice([0, 3, 3])
            code, state, text = compile_model(
                arguments.tool.resolve(), model, Path(folder), level
            )
            reached[state] += 1
            codes[code] += 1
            if not is_crash(code, text):
                continue
            key = (state, cause(text))
            crashes.setdefault(key, []).append(path.parent.name)
            if len(crashes[key]) <= 5:
                print(f"-O{level} {path.parent.name} {[c for c in changes if c]}: {text.strip()[:400]}")
                sys.stdout.flush()
            if arguments.keep and len(crashes[key]) <= 5:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                name = f"{state}-{sum(map(len, crashes.values()))}-O{level}-{path.parent.name}"
                (arguments.keep / f"{name}.onnx").write_bytes(model.SerializeToString())
                (arguments.keep / f"{name}.txt").write_text(f"{changes}\n{text}")
    total = sum(reached.values())
    print(f"{total} models")
    for state in ["import", *STATES, "library"]:
        print(f"  ended after {state:8} {reached[state]:6} {100 * reached[state] / max(total, 1):5.1f} %")
    print("exit codes:", ", ".join(f"{code}: {count}" for code, count in codes.most_common()))
    for (state, text), names in crashes.items():
        print(f"{len(names)} crashes after {state}: {text}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
