"""Three float graphs with fixed weights, which the suite quantizes.

Weights are random of the magnitude of trained ones, widths odd where that costs no
meaning: heads of 24, an inner width of 150, so that blocks of 16, 32 and 128 end short.
"""

import dataclasses

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
WIDTH, HEADS, HEAD_DIM, INNER, VOCABULARY, CLASSES = 96, 4, 24, 150, 211, 10
LENGTH, PAST = 12, 5


class Builder:
    """Appends nodes by operator name: b.Add(x, y) gives the name of the result."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.initializers = [], []

    def constant(self, array):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, *shape):
        depth = int(np.prod(shape[1:])) if len(shape) > 2 else shape[0]
        return self.constant((self.random.standard_normal(shape) / depth**0.5).astype(np.float32))

    def vector(self, size, mean=0.0):
        return self.constant((mean + 0.1 * self.random.standard_normal(size)).astype(np.float32))

    def shape(self, *sizes):
        return self.constant(np.array(sizes, np.int64))

    def node(self, op_type, inputs, outputs=1, **attributes):
        names = [f"{op_type.lower()}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(
            helper.make_node(op_type, inputs, names, name=f"{op_type}_{len(self.nodes)}", **attributes)
        )
        return names if outputs > 1 else names[0]

    def __getattr__(self, op_type):
        return lambda *inputs, **attributes: self.node(op_type, inputs, **attributes)

    def model(self, inputs, outputs):
        for name, result in outputs.items():
            self.nodes.append(helper.make_node("Identity", [result[0]], [name], name=f"to_{name}"))
        port = lambda name, kind, shape: helper.make_tensor_value_info(name, kind, shape)
        graph = helper.make_graph(
            self.nodes, "float",
            [port(name, *which) for name, which in inputs.items()],
            [port(name, TensorProto.FLOAT, shape) for name, (_, shape) in outputs.items()],
            self.initializers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
        )
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        return model


def convolutional():
    """Stem, depthwise block with swish, Concat of two branches, Resize, both pools, a
    residual, a classifier."""
    b = Builder(1)

    def conv(x, inputs, outputs, kernel=1, stride=1, group=1):
        pad = kernel // 2
        return b.Conv(
            x, b.weight(outputs, inputs // group, kernel, kernel), b.vector(outputs),
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, group=group,
        )

    stem = b.Relu(conv("image", 3, 16, kernel=3, stride=2))
    deep = conv(stem, 16, 16, kernel=3, group=16)
    deep = conv(b.Mul(deep, b.Sigmoid(deep)), 16, 16)
    residual = b.Add(deep, stem)
    small = b.MaxPool(residual, kernel_shape=[2, 2], strides=[2, 2])
    small = b.LeakyRelu(conv(small, 16, 24, kernel=3), alpha=0.1)
    large = b.Resize(
        small, "", b.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="floor",
    )
    joined = b.Concat(large, residual, axis=1)
    joined = b.Clip(conv(joined, 40, 32), b.constant(np.float32(0)), b.constant(np.float32(6)))
    joined = b.AveragePool(joined, kernel_shape=[2, 2], strides=[2, 2])
    pooled = b.Flatten(b.GlobalAveragePool(conv(joined, 32, 48)))
    logits = b.Gemm(pooled, b.weight(48, CLASSES), b.vector(CLASSES))
    return b.model(
        {"image": (TensorProto.FLOAT, ["batch", 3, 24, 20])},
        {"logits": (logits, ["batch", CLASSES])},
    )


def layer_norm(b, x):
    return b.LayerNormalization(x, b.vector(WIDTH, mean=1), b.vector(WIDTH), axis=-1)


def dense(b, x, inputs, outputs):
    return b.Add(b.MatMul(x, b.weight(inputs, outputs)), b.vector(outputs))


def gelu(b, x):
    half = b.constant(np.float32(0.5))
    erf = b.Erf(b.Div(x, b.constant(np.float32(2**0.5))))
    return b.Mul(b.Mul(x, b.Add(erf, b.constant(np.float32(1)))), half)


def heads(b, x, order):
    split = b.Reshape(x, b.shape(0, 0, HEADS, HEAD_DIM))
    return b.Transpose(split, perm=order)


def attend(b, query, key_transposed, value, mask=None):
    scores = b.Mul(b.MatMul(query, key_transposed), b.constant(np.float32(HEAD_DIM**-0.5)))
    if mask:
        scores = b.Add(scores, mask)
    context = b.MatMul(b.Softmax(scores, axis=-1), value)
    return b.Reshape(b.Transpose(context, perm=[0, 2, 1, 3]), b.shape(0, 0, WIDTH))


def feed_forward(b, x):
    return dense(b, gelu(b, dense(b, x, WIDTH, INNER)), INNER, WIDTH)


def encoder():
    """A post-norm layer and a classifier on the first token."""
    b = Builder(2)
    query, key, value = (dense(b, "tokens", WIDTH, WIDTH) for _ in range(3))
    mixed = attend(
        b, heads(b, query, [0, 2, 1, 3]), heads(b, key, [0, 2, 3, 1]),
        heads(b, value, [0, 2, 1, 3]),
    )
    x = layer_norm(b, b.Add(dense(b, mixed, WIDTH, WIDTH), "tokens"))
    x = layer_norm(b, b.Add(feed_forward(b, x), x))
    first = b.Gather(x, b.constant(np.int64(0)), axis=1)
    logits = b.Gemm(first, b.weight(WIDTH, CLASSES), b.vector(CLASSES))
    return b.model(
        {"tokens": (TensorProto.FLOAT, ["batch", "length", WIDTH])},
        {"logits": (logits, ["batch", CLASSES])},
    )


def decoder():
    """A pre-norm layer with a key/value cache, from token numbers to logits."""
    b = Builder(3)
    x = b.Gather(b.weight(VOCABULARY, WIDTH), "ids", axis=0)
    x = b.Mul(x, b.constant(np.float32(8)))
    inner = layer_norm(b, x)
    query, key, value = (
        heads(b, dense(b, inner, WIDTH, WIDTH), [0, 2, 1, 3]) for _ in range(3)
    )
    key = b.Concat("past_key", key, axis=2)
    value = b.Concat("past_value", value, axis=2)
    mixed = attend(b, query, b.Transpose(key, perm=[0, 1, 3, 2]), value, "mask")
    x = b.Add(x, dense(b, mixed, WIDTH, WIDTH))
    x = b.Add(x, feed_forward(b, layer_norm(b, x)))
    logits = b.MatMul(layer_norm(b, x), b.weight(WIDTH, VOCABULARY))
    cache = lambda length: ["batch", HEADS, length, HEAD_DIM]
    return b.model(
        {
            "ids": (TensorProto.INT64, ["batch", "length"]),
            "mask": (TensorProto.FLOAT, ["batch", 1, "length", "total"]),
            "past_key": (TensorProto.FLOAT, cache("past")),
            "past_value": (TensorProto.FLOAT, cache("past")),
        },
        {
            "logits": (logits, ["batch", "length", VOCABULARY]),
            "key": (key, cache("total")),
            "value": (value, cache("total")),
        },
    )


def convolutional_inputs(random, batch):
    return {"image": random.standard_normal((batch, 3, 24, 20), np.float32)}


def encoder_inputs(random, batch):
    return {"tokens": random.standard_normal((batch, LENGTH, WIDTH), np.float32)}


def decoder_inputs(random, batch):
    causal = np.triu(np.full((LENGTH, LENGTH + PAST), -12, np.float32), PAST + 1)
    cache = lambda: random.standard_normal((batch, HEADS, PAST, HEAD_DIM), np.float32)
    return {
        "ids": random.integers(0, VOCABULARY, (batch, LENGTH)),
        "mask": np.broadcast_to(causal, (batch, 1, *causal.shape)).copy(),
        "past_key": cache(),
        "past_value": cache(),
    }


@dataclasses.dataclass
class FloatGraph:
    """A float model and a maker of inputs, from a NumPy generator and a batch size."""

    model: onnx.ModelProto
    inputs: callable

    def calibration(self):
        random = np.random.default_rng(10)
        return [self.inputs(random, batch=2) for _ in range(4)]

    def judged(self):
        """So many that distances are those of the model, not of one input."""
        return self.inputs(np.random.default_rng(20), batch=32)

    def timed(self):
        return self.inputs(np.random.default_rng(30), batch=2)


def float_graphs():
    return {
        "convolutional": FloatGraph(convolutional(), convolutional_inputs),
        "encoder": FloatGraph(encoder(), encoder_inputs),
        "decoder": FloatGraph(decoder(), decoder_inputs),
    }
