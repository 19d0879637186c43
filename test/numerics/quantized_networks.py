"""Small float networks with random weights, and what ONNX Runtime's quantizer makes of
them, for tests of quantized models."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static)


class Network:
    """Nodes and weights by name; a method for each kind of layer gives its output."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []

    def weight(self, *shape, scale=None):
        # Columns of different ranges, as trained weights have them.
        fan_in = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        array = self.random.standard_normal(shape) * (scale or fan_in ** -0.5)
        if scale is None:
            spread = self.random.uniform(0.3, 2.0, shape[0] if len(shape) == 4 else shape[-1])
            array *= spread.reshape(-1, *[1] * (len(shape) - 1)) if len(shape) == 4 else spread
        return self.constant(array.astype(np.float32))

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, kind, *inputs, **attributes):
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, x, inputs, outputs, kernel=3, groups=1, **attributes):
        pad = kernel // 2
        return self.add("Conv", x, self.weight(outputs, inputs // groups, kernel, kernel),
                        self.weight(outputs, scale=0.3), pads=[pad] * 4, group=groups,
                        **attributes)

    def dense(self, x, inputs, outputs):
        return self.add("Add", self.add("MatMul", x, self.weight(inputs, outputs)),
                        self.weight(outputs, scale=0.3))

    def norm(self, x, size):
        return self.add("LayerNormalization", x, self.weight(size, scale=1.0),
                        self.weight(size, scale=0.3))

    def save(self, path, shape, output):
        graph = helper.make_graph(
            self.nodes, "network", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.save(onnx.shape_inference.infer_shapes(model), path)


def convolutional(path):
    """Stem, inverted residual with a depthwise convolution, and a classifier."""
    net = Network(1)
    x = net.add("Relu", net.conv("x", 3, 16, strides=[2, 2]))
    wide = net.add("Clip", net.conv(x, 16, 32, kernel=1), net.constant(np.float32(0)),
                   net.constant(np.float32(6)))
    wide = net.add("Clip", net.conv(wide, 32, 32, groups=32), net.constant(np.float32(0)),
                   net.constant(np.float32(6)))
    x = net.add("Add", x, net.conv(wide, 32, 16, kernel=1))
    x = net.add("Relu", net.conv(x, 16, 24))
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    y = net.add("Gemm", x, net.weight(10, 24), net.weight(10, scale=0.3), transB=1)
    net.save(path, [1, 3, 18, 18], y)
    return [1, 3, 18, 18]


def mixed(path):
    """Layers that quantization moves through, and convolutions of other forms."""
    net = Network(3)
    x = net.add("LeakyRelu", net.conv("x", 3, 16), alpha=0.1)
    left = net.conv(x, 16, 16, groups=4)
    right = net.add("Sigmoid", net.conv(x, 16, 16, kernel=1))
    x = net.add("Concat", left, net.add("Mul", right, x), axis=1)
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    low = net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    x = net.add("Conv", net.add("Pad", x, low), net.weight(24, 32, 3, 3), net.weight(24, scale=0.3),
                dilations=[2, 2], pads=[0, 1, 1, 0])
    x = net.add("ConvTranspose", x, net.weight(24, 8, 2, 2), net.weight(8, scale=0.3),
                strides=[2, 2])
    x = net.add("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1])
    first = net.add("Slice", x, *(net.constant(np.array([n], np.int64)) for n in (0, 4, 1)))
    x = net.add("Add", x, net.add("Concat", first, first, axis=1))
    x = net.add("Reshape", x, net.constant(np.array([2, 8, -1], np.int64)))
    x = net.add("Conv", x, net.weight(12, 8, 5), net.weight(12, scale=0.3), strides=[3])
    x = net.add("Transpose", x, perm=[0, 2, 1])
    x = net.add("MatMul", x, net.weight(12, 10))
    x = net.add("ReduceMean", net.add("Softmax", x, axis=-1), axes=[1], keepdims=0)
    y = net.add("Gemm", x, net.weight(10, 7), net.weight(7, scale=0.3), alpha=0.5)
    net.save(path, [2, 3, 14, 14], y)
    return [2, 3, 14, 14]


def encoder(path, heads=2, size=32, length=9):
    """One layer of a transformer."""
    net, depth = Network(2), size // heads
    split = net.constant(np.array([0, length, heads, depth], np.int64))
    joined = net.constant(np.array([0, length, size], np.int64))
    normed = net.norm("x", size)

    def part(order):
        y = net.add("Reshape", net.dense(normed, size, size), split)
        return net.add("Transpose", y, perm=order)

    scores = net.add("MatMul", part([0, 2, 1, 3]), part([0, 2, 3, 1]))
    scores = net.add("Mul", scores, net.constant(np.float32(depth ** -0.5)))
    y = net.add("MatMul", net.add("Softmax", scores, axis=-1), part([0, 2, 1, 3]))
    y = net.add("Reshape", net.add("Transpose", y, perm=[0, 2, 1, 3]), joined)
    x = net.add("Add", "x", net.dense(y, size, size))
    y = net.dense(net.norm(x, size), size, 2 * size)
    erf = net.add("Erf", net.add("Mul", y, net.constant(np.float32(2 ** -0.5))))
    y = net.add("Mul", net.add("Mul", y, net.add("Add", erf, net.constant(np.float32(1)))),
                net.constant(np.float32(0.5)))
    net.save(path, [2, length, size], net.add("Add", x, net.dense(y, 2 * size, size)))
    return [2, length, size]


def samples(shape, count, seed=0):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape).astype(np.float32) for _ in range(count)]


class Calibration(CalibrationDataReader):
    def __init__(self, shape):
        self.left = iter([{"x": x} for x in samples(shape, 8, seed=5)])

    def get_next(self):
        return next(self.left, None)


def quantize(source, target, shape, form="QDQ", activations="U8", per_channel=True, weights="S8",
             **options):
    """`form`: QDQ, QOperator or dynamic."""
    types = {"U8": QuantType.QUInt8, "S8": QuantType.QInt8}
    if form == "dynamic":
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=per_channel)
        return
    quantize_static(source, target, Calibration(shape), quant_format=QuantFormat[form],
                    activation_type=types[activations], weight_type=types[weights],
                    per_channel=per_channel, **options)


def taken_apart(source, target):
    """The model with quantization of bytes spelled as arithmetic, as some exporters do."""
    model = onnx.load(source)
    values = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    nodes = []

    def add(kind, inputs, output=None, **attributes):
        output = output or f"apart{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(array):
        name = f"part{len(model.graph.initializer)}"
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array, np.float32), name))
        return name

    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            nodes.append(node)
            continue
        scale, zero = (values[name] for name in node.input[1:3])
        if scale.ndim and scale.size > 1:
            axis = helper.get_node_attr_value(node, "axis")
            rank = values[node.input[0]].ndim
            scale = scale.reshape([-1 if i == axis else 1 for i in range(rank)])
        if node.op_type == "DequantizeLinear":
            x = add("Cast", [node.input[0]], to=TensorProto.FLOAT)
            if zero.any():
                x = add("Sub", [x, constant(zero)])
            add("Mul", [x, constant(scale)], node.output[0])
            continue
        x = add("Round", [add("Div", [node.input[0], constant(scale)])])
        if zero.any():
            x = add("Add", [x, constant(zero)])
        limits = np.iinfo(zero.dtype)
        x = add("Clip", [x, constant(limits.min), constant(limits.max)])
        add("Cast", [x], node.output[0], to=helper.np_dtype_to_tensor_dtype(zero.dtype))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, target)
