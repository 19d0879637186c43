"""Shapes of quantized files whose writers are not here: changes of files that are."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MICROSOFT = "com.microsoft"


def initializer_of(model, name):
    return next((t for t in model.graph.initializer if t.name == name), None)


def array_of(model, name):
    return numpy_helper.to_array(initializer_of(model, name))


def replace(model, name, array, element_type=None):
    tensor = initializer_of(model, name)
    made = numpy_helper.from_array(array, name)
    if element_type:
        made = helper.make_tensor(name, element_type, array.shape, array)
    tensor.CopyFrom(made)


def set_opset(model, version):
    for opset in model.opset_import:
        if not opset.domain:
            opset.version = max(opset.version, version)
    model.ir_version = max(model.ir_version, 13 if version >= 25 else 10)


def add_domain(model, domain):
    if all(opset.domain != domain for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(domain, 1))


def attributes_of(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def unpacked(array, bits):
    """Elements of `bits` bits, low ones first, as bytes along the last axis."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    split = (array[..., None] >> shifts) & np.uint8((1 << bits) - 1)
    return split.reshape(*array.shape[:-1], -1)


def products_of_blocks(model):
    return [node for node in model.graph.node if node.op_type == "MatMulNBits"]


def make_zero_points_float(model):
    """Packed zero points of MatMulNBits in the type of its input."""
    for node in products_of_blocks(model):
        bits = attributes_of(node)["bits"]
        blocks = array_of(model, node.input[2]).reshape(attributes_of(node)["N"], -1).shape[1]
        packed = array_of(model, node.input[3]).reshape(attributes_of(node)["N"], -1)
        replace(model, node.input[3], unpacked(packed, bits)[:, :blocks].astype(np.float32))


def use_blocked_dequantization(model):
    """MatMulNBits as DequantizeLinear of blocks along axis 0 and MatMul."""
    bits = 8
    for node in products_of_blocks(model):
        facts = attributes_of(node)
        bits, block, depth, columns = (facts[k] for k in ("bits", "block_size", "K", "N"))
        element = {2: TensorProto.UINT2, 4: TensorProto.UINT4, 8: TensorProto.UINT8}[bits]
        levels = unpacked(array_of(model, node.input[1]).reshape(columns, -1), bits)
        replace(model, node.input[1], levels[:, :depth].T.copy(), element)
        scales = array_of(model, node.input[2]).reshape(columns, -1)
        replace(model, node.input[2], scales.T.copy())
        if len(node.input) > 3:
            packed = array_of(model, node.input[3]).reshape(columns, -1)
            zero_points = unpacked(packed, bits)[:, : scales.shape[1]].T.copy()
            replace(model, node.input[3], zero_points, element)
            zero_name = node.input[3]
        else:
            zero_name = node.input[1] + "_middle"
            middle = np.full(scales.T.shape, 1 << (bits - 1), np.uint8)
            model.graph.initializer.append(
                helper.make_tensor(zero_name, element, middle.shape, middle))
        place = list(model.graph.node).index(node)
        weight = node.input[1] + "_float"
        made = [
            helper.make_node("DequantizeLinear", [node.input[1], node.input[2], zero_name],
                             [weight], axis=0, block_size=block, name=weight),
            helper.make_node("MatMul", [node.input[0], weight], list(node.output), name=node.name),
        ]
        model.graph.node.remove(node)
        for each in reversed(made):
            model.graph.node.insert(place, each)
    set_opset(model, 25 if bits == 2 else 21)


def gathered_table(bits, has_zero_points):
    """A table of tokens as GatherBlockQuantized reads it, in blocks of 32 along rows."""

    def write(model, path):
        block = 32
        node = next(n for n in model.graph.node if n.op_type == "Gather")
        table = array_of(model, node.input[0])
        blocks = table.reshape(table.shape[0], -1, block)
        low, high = blocks.min(-1), blocks.max(-1)
        top = (1 << bits) - 1
        middle = 1 << (bits - 1)
        if has_zero_points:
            scale = ((high - low) / top).astype(np.float32)
            zero = np.rint(-low / scale).clip(0, top).astype(np.uint8)
        else:
            scale = (np.abs(blocks).max(-1) / (middle - 1)).astype(np.float32)
            zero = np.full(scale.shape, middle, np.uint8)
        levels = np.rint(blocks / scale[..., None] + zero[..., None]).clip(0, top)
        levels = levels.reshape(table.shape).astype(np.uint8)
        names = [node.input[0] + end for end in ("_levels", "_scales", "_zeros")]
        kind = TensorProto.UINT4 if bits == 4 else TensorProto.UINT8
        tensors = [
            helper.make_tensor(names[0], kind, levels.shape, levels),
            numpy_helper.from_array(scale, names[1]),
            helper.make_tensor(names[2], kind, zero.shape, zero),
        ]
        model.graph.initializer.extend(tensors)
        inputs = [names[0], node.input[1], names[1], names[2]]
        facts = {"gather_axis": 0, "quantize_axis": 1, "block_size": block}
        if bits == 8:
            facts["bits"] = 8
        made = helper.make_node("GatherBlockQuantized", inputs, list(node.output),
                                domain=MICROSOFT, name=node.name, **facts)
        node.CopyFrom(made)
        set_opset(model, 21)
        add_domain(model, MICROSOFT)
        onnx.save(model, path)

    return write


def insert_before(model, node, made):
    place = list(model.graph.node).index(node)
    for each in reversed(made):
        model.graph.node.insert(place, each)


def quantizers(model, *op_types):
    return [n for n in model.graph.node if n.op_type in (op_types or ("QuantizeLinear", "DequantizeLinear"))]


def torch_eager(model):
    """As torch's eager quantization exports: scales behind Identity, zero points behind
    Cast, and a Cast between Quantize and Dequantize."""
    for node in quantizers(model):
        if len(node.input) < 3 or initializer_of(model, node.input[2]).data_type == TensorProto.INT32:
            continue
        scale, zero = (f"{node.output[0]}_{part}" for part in ("scale", "zero"))
        wide = node.input[2] + "_wide"
        kind = initializer_of(model, node.input[2]).data_type
        if not initializer_of(model, wide):
            values = array_of(model, node.input[2]).astype(np.int64)
            model.graph.initializer.append(numpy_helper.from_array(values, wide))
        made = [
            helper.make_node("Identity", [node.input[1]], [scale], name=scale),
            helper.make_node("Cast", [wide], [zero], to=kind, name=zero),
        ]
        insert_before(model, node, made)
        node.input[1], node.input[2] = scale, zero
        if node.op_type == "DequantizeLinear" and not initializer_of(model, node.input[0]):
            cast = node.input[0] + "_cast_" + node.output[0]
            insert_before(model, node, [
                helper.make_node("Cast", [node.input[0]], [cast], to=kind, name=cast)])
            node.input[0] = cast


def decomposed(model):
    """Quantization of whole tensors as Div, Round, Add, Clip and Cast, dequantization as
    Cast, Sub and Mul."""
    for node in quantizers(model):
        zero_tensor = initializer_of(model, node.input[2]) if len(node.input) > 2 else None
        if zero_tensor is None or zero_tensor.dims or zero_tensor.data_type == TensorProto.INT32:
            continue
        kind = zero_tensor.data_type
        limits = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
        constants = {
            f"{node.input[2]}_f32": array_of(model, node.input[2]).astype(np.float32),
            f"low_{kind}": np.float32(limits.min), f"high_{kind}": np.float32(limits.max),
        }
        zero, low, high = constants
        for name, array in constants.items():
            if not initializer_of(model, name):
                model.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
        step = lambda number: f"{node.output[0]}_step{number}"
        if node.op_type == "QuantizeLinear":
            chain = [("Div", [node.input[0], node.input[1]]), ("Round", [step(0)]),
                     ("Add", [step(1), zero]), ("Clip", [step(2), low, high]), ("Cast", [step(3)])]
        else:
            chain = [("Cast", [node.input[0]]), ("Sub", [step(0), zero]),
                     ("Mul", [step(1), node.input[1]])]
        made = [helper.make_node(kind_of, inputs, [step(i)], name=step(i))
                for i, (kind_of, inputs) in enumerate(chain)]
        made[-1].output[0] = node.output[0]
        for each in made:
            if each.op_type == "Cast":
                to = kind if node.op_type == "QuantizeLinear" else TensorProto.FLOAT
                each.attribute.append(helper.make_attribute("to", to))
        insert_before(model, node, made)
        model.graph.node.remove(node)


def float_weights(model):
    """Weights as ModelOpt writes them: floats that the file quantizes and dequantizes."""
    for node in quantizers(model, "DequantizeLinear"):
        levels = initializer_of(model, node.input[0])
        if levels is None or levels.data_type == TensorProto.INT32:
            continue
        axis = attributes_of(node).get("axis", 1)
        scale = array_of(model, node.input[1])
        values = array_of(model, node.input[0]).astype(np.float32)
        if scale.ndim:
            scale = scale.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
        source, made = node.input[0] + "_source", node.input[0] + "_made"
        if not initializer_of(model, source):
            model.graph.initializer.append(
                numpy_helper.from_array((values * scale).astype(np.float32), source))
            attributes = {"axis": axis} if scale.ndim else {}
            insert_before(model, node, [helper.make_node(
                "QuantizeLinear", [source, *node.input[1:]], [made], name=made, **attributes)])
        node.input[0] = made


def transposed_weights(model):
    """Weights as tf2onnx writes them: channels last, with a Transpose between the
    dequantization and what reads it."""
    for node in quantizers(model, "DequantizeLinear"):
        levels = initializer_of(model, node.input[0])
        if levels is None or len(levels.dims) not in (2, 4):
            continue
        order = [1, 0] if len(levels.dims) == 2 else [2, 3, 1, 0]
        turned = node.input[0] + "_turned"
        if not initializer_of(model, turned):
            model.graph.initializer.append(
                numpy_helper.from_array(array_of(model, node.input[0]).transpose(order).copy(), turned))
        for attribute in node.attribute:
            if attribute.name == "axis":
                attribute.i = order.index(attribute.i)
        node.input[0] = turned
        result, node.output[0] = node.output[0], node.output[0] + "_turned"
        place = list(model.graph.node).index(node)
        model.graph.node.insert(place + 1, helper.make_node(
            "Transpose", [node.output[0]], [result], perm=list(np.argsort(order)), name=result))


def integer_operators_only(model):
    """As NNCF quantizes: Quantize stands only where a product reads, results and biases
    stay floats."""
    products = {"Conv", "MatMul", "Gemm"}
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    renamed = {}
    for node in quantizers(model, "DequantizeLinear"):
        tensor = initializer_of(model, node.input[0])
        if tensor is not None and tensor.data_type == TensorProto.INT32:
            values = array_of(model, node.input[0]) * array_of(model, node.input[1])
            name = node.input[0] + "_float"
            if not initializer_of(model, name):
                model.graph.initializer.append(
                    numpy_helper.from_array(values.astype(np.float32), name))
            renamed[node.output[0]] = name
        elif tensor is None:
            quantizer = next((n for n in model.graph.node if node.input[0] in n.output), None)
            if all(reader.op_type not in products for reader in readers.get(node.output[0], [])):
                renamed[node.output[0]] = quantizer.input[0]
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            while node.input[i] in renamed:
                node.input[i] = renamed[node.input[i]]
    outputs = {value.name for value in model.graph.output}
    for node in list(model.graph.node):
        if node.output[0] in renamed and node.output[0] in outputs:
            made = helper.make_node("Identity", [renamed[node.output[0]]], [node.output[0]],
                                    name=node.name)
            node.CopyFrom(made)


CHANGES = (torch_eager, decomposed, float_weights, transposed_weights, integer_operators_only)
