"""Measures row kernels against memcpy and ONNX Runtime, in GB/s read and written.

    taskset -c 0 python test/models/measure_rows.py
    taskset -c 0 python test/models/measure_rows.py softmax --cpu x86-64-v3

Each is a model of its own, compiled for the sizes that it runs at and for rows of
unknown number. All four run in alternating blocks on the same memory; the numbers
are medians of the blocks. A run of one row is taken for the cost of a call.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import onnx
import tessera
from onnx import TensorProto, helper
from tessera.benchmark import block
from tessera._reference import reference_session

FLOAT = TensorProto.FLOAT


def softmax(x):
    return [helper.make_node("Softmax", [x], ["out"], axis=-1)]


def layer_norm(x):
    return [helper.make_node("LayerNormalization", [x, "scale", "bias"], ["out"], axis=-1)]


def rms_norm(x):
    return [helper.make_node("Mul", [x, x], ["square"]),
            helper.make_node("ReduceMean", ["square", "last"], ["mean"]),
            helper.make_node("Add", ["mean", "epsilon"], ["above"]),
            helper.make_node("Sqrt", ["above"], ["root"]),
            helper.make_node("Div", [x, "root"], ["normal"]),
            helper.make_node("Mul", ["normal", "scale"], ["out"])]


def gelu(approximate):
    return lambda x: [helper.make_node("Add", [x, "bias"], ["sum"]),
                      helper.make_node("Gelu", ["sum"], ["out"], approximate=approximate)]


def chain(x):
    return [helper.make_node("Mul", [x, "two"], ["scaled"]),
            helper.make_node("Add", ["scaled", "two"], ["sum"]),
            helper.make_node("Relu", ["sum"], ["positive"]),
            helper.make_node("Add", ["positive", "y"], ["out"])]


def reduce(operator):
    return lambda x: [helper.make_node(operator, [x, "last"], ["out"])]


CASES = [("softmax", softmax, 1536, 128), ("softmax", softmax, 6144, 512), ("softmax", softmax, 2048, 2048),
         ("layer_norm", layer_norm, 128, 768), ("layer_norm", layer_norm, 4096, 768), ("layer_norm", layer_norm, 32768, 768),
         ("rms_norm", rms_norm, 4096, 768),
         ("gelu_erf", gelu("none"), 128, 3072), ("gelu_tanh", gelu("tanh"), 128, 3072),
         ("chain", chain, 384, 1024), ("chain", chain, 16384, 1024),
         ("sum", reduce("ReduceSum"), 4096, 768), ("mean", reduce("ReduceMean"), 32768, 768)]


def make_model(nodes, rows, columns):
    inputs = {name for node in nodes for name in node.input} - {name for node in nodes for name in node.output}
    random = np.random.default_rng(1)
    weights = {"scale": random.standard_normal(columns), "bias": random.standard_normal(columns),
               "two": np.array(2.0), "epsilon": np.array(1e-5)}
    initializers = [helper.make_tensor(name, FLOAT, value.shape, value.flatten())
                    for name, value in weights.items() if name in inputs]
    if "last" in inputs:
        initializers.append(helper.make_tensor("last", TensorProto.INT64, [1], [-1]))
    ports = [helper.make_tensor_value_info(name, FLOAT, [rows, columns])
             for name in ("x", "y") if name in inputs]
    out = helper.make_tensor_value_info("out", FLOAT, [rows, 1 if nodes[-1].input[-1] == "last" else columns])
    graph = helper.make_graph(nodes, "rows", ports, [out], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def aligned(*shape):
    bytes_ = 4 * int(np.prod(shape))
    room = np.zeros(bytes_ + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start:start + bytes_].view(np.float32).reshape(shape)


def bind(path, inputs, outputs):
    """A run of ONNX Runtime on this memory."""
    session = reference_session(path, threads=1)
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_input(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    for name, array in outputs.items():
        binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return lambda: session.run_with_iobinding(binding)


def measure(nodes, rows, columns, folder, arguments):
    runs, inputs = {}, {}
    for kind, count in (("fixed", rows), ("dynamic", "rows")):
        path = folder / f"{kind}.onnx"
        onnx.save(make_model(nodes, count, columns), path)
        library = tessera.compile(path, folder / f"{kind}.so", flags=["--cpu", arguments.cpu])
        session = tessera.load(library, threads=arguments.threads)
        if not inputs:
            inputs = {port.name: aligned(rows, columns) for port in session.get_inputs()}
            outputs = {"out": aligned(rows, session.get_outputs()[0].shape[1])}
            for array in inputs.values():
                array[:] = np.random.default_rng(2).standard_normal(array.shape)
        runs[kind] = lambda s=session: s.run(None, inputs, outputs)
    bytes_ = sum(array.nbytes for array in [*inputs.values(), *outputs.values()])
    source, target = aligned(bytes_ // 8), aligned(bytes_ // 8)
    one_in, one_out = ({n: a[:1] for n, a in arrays.items()} for arrays in (inputs, outputs))
    call = block(lambda: session.run(None, one_in, one_out))
    runs["memcpy"] = lambda: np.copyto(target, source)
    if not arguments.no_reference:
        runs["ORT"] = bind(folder / "dynamic.onnx", inputs, outputs)
        reference_call = block(bind(folder / "dynamic.onnx", one_in, one_out))
    for run in runs.values():
        run()
    seconds = {name: [] for name in runs}
    for _ in range(arguments.blocks):
        for name, run in runs.items():
            seconds[name].append(block(run))
    costs = {"fixed": call, "dynamic": call, "memcpy": 0, "ORT": 0 if arguments.no_reference else reference_call}
    return bytes_, {name: bytes_ / (statistics.median(times) - costs[name]) * 1e-9
                    for name, times in seconds.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="kernels to measure; none: all")
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--no-reference", action="store_true", help="without ONNX Runtime")
    arguments = parser.parse_args()
    print(f"{'kernel':<24}{'MB':>8}{'fixed':>9}{'dynamic':>9}{'memcpy':>9}{'ORT':>9}")
    for name, make, rows, columns in CASES:
        if arguments.names and name not in arguments.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            bytes_, rates = measure(make("x"), rows, columns, Path(folder), arguments)
        print(f"{name + f' {rows}x{columns}':<24}{bytes_ * 1e-6:>8.1f}"
              + "".join(f"{rate:>9.1f}" for rate in rates.values()), flush=True)


if __name__ == "__main__":
    main()
