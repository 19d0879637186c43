"""Reads graph-state IR in MLIR's generic form, one function without control flow,
for graph_state.py. Nothing of the compiler is used but the text that it prints."""

import re

import ml_dtypes
import numpy as np

DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64,
    "bf16": ml_dtypes.bfloat16, "i1": np.bool_, "i8": np.int8, "i16": np.int16,
    "i32": np.int32, "i64": np.int64, "index": np.int64, "i4": ml_dtypes.int4,
}


def parse_type(text):
    """(shape or None for a scalar, dtype); dynamic sizes are None."""
    text = text.strip()
    if not text.startswith("tensor<"):
        return None, DTYPES[text]
    parts = text[len("tensor<"):-1].split("x")
    return [None if p == "?" else int(p) for p in parts[:-1]], DTYPES[parts[-1]]


def split_top(text, separator=","):
    """Splits at separators that stand in no bracket or string."""
    parts, depth, start, in_string = [], 0, 0, False
    for i, c in enumerate(text):
        if c == '"':
            in_string = not in_string
        elif in_string:
            continue
        elif c in "<([{":
            depth += 1
        elif c in ")]}" or (c == ">" and text[i - 1] != "-"):
            depth -= 1
        elif c == separator and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    parts.append(text[start:].strip())
    return [p for p in parts if p]


def parse_number(text, dtype):
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("0x") and not np.issubdtype(dtype, np.integer):
        bits = np.dtype(dtype).itemsize
        return np.frombuffer(int(text, 16).to_bytes(bits, "little"), dtype)[0]
    return dtype(float(text)) if "." in text or "e" in text else dtype(int(text))


def parse_dense(text, type_text):
    shape, dtype = parse_type(type_text)
    body = text[len("dense<"):-1]
    if body.startswith('"0x'):
        raw = bytes.fromhex(body[3:-1])
        return np.frombuffer(raw, dtype).reshape(shape).copy()
    numbers = [parse_number(t, dtype)
               for t in re.findall(r"[^\s,\[\]]+", body)]
    flat = np.array(numbers, dtype)
    if flat.size == 1 and "[" not in body:
        return np.full(shape, flat[0], dtype)
    return flat.reshape(shape)


def parse_integers(text):
    """array<i64: 1, 2> or an integer with its type."""
    match = re.match(r"array<i64(?::(.*))?>", text)
    if match:
        return [int(t) for t in (match[1] or "").split(",") if t.strip()]
    return int(text.split(":")[0])


class Operation:
    HEAD = re.compile(r'(?:(%[\w#]+)(?::\d+)? = )?"([\w.]+)"\(([^)]*)\)')

    def __init__(self, line, region):
        match = self.HEAD.match(line)
        self.result, self.name = match[1], match[2]
        self.operands = [o for o in re.split(r",\s*", match[3]) if o]
        rest = line[match.end():]
        self.attributes = {}
        if rest.strip().startswith("<{"):
            begin = rest.index("<{") + 2
            end, depth, in_string = begin, 1, False
            while depth:
                c = rest[end]
                in_string ^= c == '"'
                if not in_string:
                    depth += (c == "{") - (c == "}")
                end += 1
            for part in split_top(rest[begin:end - 1]):
                key, _, value = part.partition(" = ")
                self.attributes[key] = value
            rest = rest[end:]
        self.region = region
        self.result_type = rest.rsplit("-> ", 1)[1] if "-> " in rest else None


class ModuleText:
    """What the text of a module says."""

    def __init__(self):
        self.weights, self.operations, self.aliases = {}, [], {}
        self.arguments, self.names, self.dims = [], [], []

    def resolve(self, text):
        """`text` with its attribute aliases (#map) spelled out."""
        return re.sub(r"#\w+", lambda m: self.aliases.get(m[0], m[0]), text)


def read(text, module):
    """Fills `module` from `text` and returns it."""
    lines = iter(text.splitlines())
    for line in lines:
        line = line.strip()
        alias = re.match(r"(#\w+) = (affine_map<.*>)$", line)
        if alias:
            module.aliases[alias[1]] = alias[2]
        elif '"graph.weights"' in line:
            parse_weights(module, line)
        elif '"func.func"' in line:
            names = re.search(r"arg_attrs = \[(.*?)\], function_type", line)
            for attributes in split_top(names[1] if names else ""):
                module.names.append(
                    re.search(r'graph.name = "([^"]*)"', attributes)[1])
                dims = re.search(r"graph.dims = \[(.*?)\]", attributes)[1]
                module.dims.append([d.strip('"') for d in split_top(dims)])
        elif line.startswith("^bb0("):
            if not module.operations and not module.arguments:
                module.arguments = re.findall(r"(%\w+): ", line)
        elif Operation.HEAD.match(line) and '"builtin.module"' not in line:
            region = []
            if line.endswith("({"):
                for inner in lines:
                    if inner.strip().startswith("})"):
                        line = line[:-2] + inner.strip()[2:]
                        break
                    region.append(inner.strip())
            if "graph.symbol" not in line:
                module.operations.append(Operation(line, region))
    return module


def parse_weights(module, line):
    name = re.search(r'sym_name = "([^"]*)"', line)[1]
    type_text = re.search(r"[ {]type = (tensor<[^>]*>)", line)[1]
    shape, dtype = parse_type(type_text)
    file = re.search(r'source = #graph.file<"([^"]*)", (\d+), (\d+)>', line)
    if file:
        with open(file[1], "rb") as source:
            source.seek(int(file[2]))
            value = np.frombuffer(source.read(int(file[3])), dtype)
    else:
        dense = re.search(r"source = (dense<.*?>) : (tensor<[^>]*>)", line)
        value = parse_dense(dense[1], dense[2])
    packed = re.search(r"recipe = \[#graph.unpack_bits<(\d), ", line)
    if packed:
        bits = int(packed[1])
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        parts = (value.view(np.uint8)[:, None] >> shifts) & np.uint8((1 << bits) - 1)
        value = parts.reshape(-1)[: np.prod(shape)].view(np.int8)
    module.weights[name] = value.reshape(shape)
