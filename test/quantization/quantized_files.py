"""Quantizes the float graphs with quantizers that people use.

`recipes()` names every file of the suite: name -> (float graph, writer(model, path)).
A writer raises `Unavailable` where its quantizer is not installed.
"""

import itertools
import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime import quantization as ort
from onnxruntime.quantization import quant_utils

import hand_written
from float_graphs import float_graphs

GRAPHS = ("convolutional", "encoder", "decoder")
TYPES = {
    "u8s8": (ort.QuantType.QUInt8, ort.QuantType.QInt8),
    "s8s8": (ort.QuantType.QInt8, ort.QuantType.QInt8),
    "u8u8": (ort.QuantType.QUInt8, ort.QuantType.QUInt8),
    "a16w8": (ort.QuantType.QUInt16, ort.QuantType.QInt8),
}
RANGES = ("asymmetric", "symmetric", "reduced")


class Unavailable(Exception):
    """Why a file cannot be made here."""


class Calibration(ort.CalibrationDataReader):
    def __init__(self, samples):
        self.samples = iter(samples)

    def get_next(self):
        return next(self.samples, None)


def static(graph, form, types, per_channel, ranges):
    """As ORT's quantizer writes it, in the form QDQ or QOperator."""
    activations, weights = TYPES[types]
    # Without it attention's products would be left out, whose operands are both computed.
    options = {"MatMulConstBOnly": False, "WeightSymmetric": weights != ort.QuantType.QUInt8}
    if ranges == "symmetric":
        options |= {"ActivationSymmetric": True, "WeightSymmetric": True}

    def write(model, path):
        ort.quantize_static(
            model, path, Calibration(float_graphs()[graph].calibration()),
            quant_format=ort.QuantFormat[form], per_channel=per_channel,
            reduce_range=ranges == "reduced", activation_type=activations,
            weight_type=weights, extra_options=options,
        )

    return write


def dynamic(weights):
    def write(model, path):
        ort.quantize_dynamic(model, path, weight_type=weights)

    return write


def weight_only(bits, block, zero_points, level, form):
    """`zero_points`: none, packed, or float. ORT's quantizer writes the first two, in
    operators; blocked DequantizeLinear of 4 bits only, so that of the others is made of
    its operators."""

    def write(model, path):
        try:
            from onnxruntime.quantization import matmul_nbits_quantizer as of_ort
        except ImportError as error:
            raise Unavailable(f"{error.name} is not installed") from error
        config = of_ort.DefaultWeightOnlyQuantConfig(
            block_size=block, is_symmetric=zero_points == "none", bits=bits,
            accuracy_level=level or None,
        )
        quantizer = of_ort.MatMulNBitsQuantizer(model, algo_config=config)
        quantizer.process()
        made = quantizer.model.model
        if zero_points == "float":
            hand_written.make_zero_points_float(made)
        if form == "blocked":
            hand_written.use_blocked_dequantization(made)
        onnx.save(made, path)

    return write


def nncf(graph, preset):
    def write(model, path):
        try:
            import nncf as compressor
        except ImportError as error:
            raise Unavailable("nncf is not installed (tools/requirements-quantizers.txt)") from error
        logging.getLogger("nncf").setLevel(logging.ERROR)
        options = {"preset": compressor.QuantizationPreset.PERFORMANCE}
        if preset == "mixed":
            options["preset"] = compressor.QuantizationPreset.MIXED
        elif preset == "transformer":
            options = {"model_type": compressor.ModelType.TRANSFORMER}
        samples = float_graphs()[graph].calibration()
        onnx.save(
            compressor.quantize(model, compressor.Dataset(samples), subset_size=len(samples), **options),
            path,
        )

    return write


def transform(change):
    """A file of ORT's quantizer, per channel, as another exporter would have written it."""

    def write(model, path, graph):
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / "plain.onnx"
            static(graph, "QDQ", "s8s8", True, "symmetric")(model, plain)
            made = onnx.load(plain)
        change(made)
        onnx.save(made, path)

    return write


def static_recipes():
    """Every combination, of one graph each."""
    combinations = itertools.product(("QDQ", "QOperator"), TYPES, (False, True), RANGES)
    for number, (form, types, per_channel, ranges) in enumerate(combinations):
        if form == "QOperator" and types == "a16w8":
            continue  # which the quantizer refuses
        graph = GRAPHS[(number + number // 3) % 3]
        name = f"{form}-{types}-{'channel' if per_channel else 'tensor'}-{ranges}"
        yield f"{name}-{graph}", (graph, static(graph, form, types, per_channel, ranges))


def weight_only_recipes():
    """Each pair of choices at least once."""
    chosen = [
        (4, 32, "packed", 0, "operator"), (4, 16, "none", 4, "operator"),
        (4, 128, "float", 0, "operator"), (4, 32, "none", 0, "blocked"),
        (4, 16, "packed", 0, "blocked"), (4, 128, "packed", 4, "operator"),
        (8, 32, "packed", 4, "operator"), (8, 16, "none", 0, "operator"),
        (8, 128, "packed", 0, "blocked"), (2, 32, "packed", 0, "operator"),
        (2, 16, "none", 0, "blocked"), (2, 128, "none", 0, "operator"),
        (8, 32, "none", 4, "operator"), (2, 16, "float", 0, "operator"),
    ]
    for number, choice in enumerate(chosen):
        bits, block, zero_points, level, form = choice
        graph = GRAPHS[1 + number % 2]
        name = f"weights-{bits}bit-{block}-{zero_points}-level{level}-{form}-{graph}"
        yield name, (graph, weight_only(*choice))


def recipes():
    made = dict(static_recipes())
    for graph in GRAPHS:
        for name, weights in (("s8", ort.QuantType.QInt8), ("u8", ort.QuantType.QUInt8)):
            made[f"dynamic-{name}-{graph}"] = (graph, dynamic(weights))
    made |= dict(weight_only_recipes())
    for bits, zero_points in ((4, True), (4, False), (8, True)):
        name = f"gathered-{bits}bit-{'zero-points' if zero_points else 'symmetric'}-decoder"
        made[name] = ("decoder", hand_written.gathered_table(bits, zero_points))
    for preset, graph in zip(("performance", "mixed", "transformer"), GRAPHS):
        made[f"nncf-{preset}-{graph}"] = (graph, nncf(graph, preset))
    for change in hand_written.CHANGES:
        for graph in GRAPHS[:2]:
            write = transform(change)
            made[f"{change.__name__}-{graph}".replace("_", "-")] = (
                graph, lambda model, path, write=write, graph=graph: write(model, path, graph))
    return made


def write_file(name, path):
    """Makes the file `name` at `path`; returns its float graph."""
    logging.getLogger().setLevel(logging.ERROR)
    graph_name, write = recipes()[name]
    graph = float_graphs()[graph_name]
    model = onnx.ModelProto.FromString(graph.model.SerializeToString())
    # What quantizers ask for; without it they warn.
    quant_utils.add_pre_process_metadata(model)
    write(model, path)
    return graph
