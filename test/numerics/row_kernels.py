"""Builds kernels of the row emitter as text, runs them, and compares."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import tessera

import kernels

ROWS = "#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>"
RNG = np.random.default_rng(11)
NUMPY = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i8": np.int8,
         "i16": np.int16, "i32": np.int32, "i64": np.int64}


def tensor(sizes, element):
    return "tensor<" + "".join(f"{'?' if isinstance(s, str) else s}x" for s in sizes) + f"{element}>"


def kernel(arguments, outputs, body, yields, symbols=0, schedule=ROWS):
    """`arguments` and `outputs`: (name, sizes, element type); a size that is a string
    is an expression of s0, s1, ..."""
    everything = arguments + outputs
    names = ", ".join(f"s{i}" for i in range(symbols))
    shapes = [f"affine_map<()[{names}] -> ({', '.join(map(str, s))})>" for _, s, _ in everything]
    typed = [f"%{n}: {tensor(s, e)}" for n, s, e in everything]
    typed += [f"%s{i}: index" for i in range(symbols)]
    results = ", ".join(tensor(s, e) for _, s, e in outputs)
    return f"""
      kernel.func @k({', '.join(typed)}) -> ({results})
          attributes {{outputs = {len(outputs)} : i64, schedules = [{schedule}],
                       shapes = [{', '.join(shapes)}]}} {{
        {body}
        kernel.yield {', '.join(yields)} : {results}
      }}"""


@functools.lru_cache(maxsize=None)
def compiled(text):
    """The kernel at one and at two threads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.so"
        kernels.compile_to(text, path, "--wrap", "--cpu=native", "--passes=tessera-cpu")
        return [kernels.Kernel(tessera.load(path, threads=n)) for n in (1, 2)]


def run(text, *inputs):
    """The outputs, which must have the same bits at one and two threads."""
    one, two = (session(*inputs) for session in compiled(text))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, two))
    return one


def normal(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def dynamic(sizes):
    """The sizes as arguments of tensor.empty and sizes(...)."""
    return ", ".join(f"%{s}" for s in sizes if isinstance(s, str))


def sized(op, sizes):
    return f"{op} sizes({dynamic(sizes)})" if dynamic(sizes) else op


# What reduce() takes.
SUM = ("arith.addf", 0.0)
MAXIMUM = ("arith.maximumf", "0xFF800000")


def reduce(name, how, x, sizes, axes, element):
    """linalg.reduce of %x along `axes`, as %name; `how` is an operation and what it
    begins with."""
    operation, init = how
    kept = [s for i, s in enumerate(sizes) if i not in axes]
    row = tensor(kept, element)
    return f"""
        %{name}_0 = arith.constant {init} : {element}
        %{name}_e = tensor.empty({dynamic(kept)}) : {row}
        %{name}_i = linalg.fill ins(%{name}_0 : {element}) outs(%{name}_e : {row}) -> {row}
        %{name} = linalg.reduce {{ {operation} }} ins(%{x} : {tensor(sizes, element)})
          outs(%{name}_i : {row}) dimensions = {list(axes)}"""


def spread(name, row, sizes, axes, element):
    """%row, which lacks `axes`, repeated along them."""
    kept = [s for i, s in enumerate(sizes) if i not in axes]
    ones = [1 if i in axes else s for i, s in enumerate(sizes)]
    groups, pending = [], []
    for i in range(len(sizes)):
        if i in axes:
            (groups[-1] if groups else pending).append(i)
        else:
            groups.append(pending + [i])
            pending = []
    shape = ", ".join(f"%{s}" if isinstance(s, str) else str(s) for s in ones)
    one, full = tensor(ones, element), tensor(sizes, element)
    return f"""
        %{name}_1 = tensor.expand_shape %{row} {groups if kept else '[]'}
          output_shape [{shape}] : {tensor(kept, element)} into {one}
        %{name} = {sized(f'graph.broadcast_to %{name}_1', sizes)} : {one} -> {full}"""


def reduced_sizes(sizes, axes):
    return tuple(s for i, s in enumerate(sizes) if i not in axes)


def close(result, expected, terms=1, unit=1e-6):
    assert result.shape == expected.shape
    if result.size:
        error = np.abs(result.astype(np.float64) - expected).max()
        assert error <= unit * np.sqrt(terms) * max(1, np.abs(expected).max())
