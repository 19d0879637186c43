"""Sizes that contradict in operators that compute: an error that names the node or an
input, where the sizes are known only when the model runs."""

import re

import numpy as np
import onnx
import pytest
import tessera
from onnx import helper

F, U8, I8, I32, I64, B = np.float32, np.uint8, np.int8, np.int32, np.int64, bool


class Case:
    """A node named 'n' with inputs of these types and sizes; those in `known` are
    declared, the others are open. `wrong`: sizes of one input that contradict the
    others."""

    def __init__(self, op, inputs, wrong, known=(), opset=23, outputs=1, **attributes):
        self.op, self.inputs, self.wrong = op, inputs, wrong
        self.known, self.opset, self.outputs, self.attributes = known, opset, outputs, attributes

    def model(self):
        ports = []
        for name, (dtype, shape) in self.inputs.items():
            known = self.known[name] if name in self.known else range(0)
            dims = [size if i in known else f"{name}{i}" for i, size in enumerate(shape)]
            ports.append(helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), dims))
        names = [name if not name.startswith("_") else "" for name in self.inputs]
        results = [f"r{i}" for i in range(self.outputs)]
        node = helper.make_node(self.op, names, results, name="n", **self.attributes)
        graph = helper.make_graph(
            [node], "g", [p for p in ports if not p.name.startswith("_")],
            [onnx.ValueInfoProto(name=r) for r in results])
        return helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)

    def feed(self, **sizes):
        return {name: np.ones(sizes.get(name, shape), dtype)
                for name, (dtype, shape) in self.inputs.items() if not name.startswith("_")}


def every(names, size):
    """One wrong shape for each of the inputs."""
    return [{name: size} for name in names]


ALL = range(9)
ATTENTION = dict(q=(F, (2, 4, 3, 8)), k=(F, (2, 2, 6, 8)), v=(F, (2, 2, 6, 8)))
HEADS = dict(q=[1, 3], k=[3], v=[3])
RECURRENT = dict(x=(F, (2, 3, 5)), w=(F, (1, 16, 5)), r=(F, (1, 16, 4)), b=(F, (1, 32)),
                 lengths=(I32, (3,)), h=(F, (1, 3, 4)), c=(F, (1, 3, 4)), p=(F, (1, 12)))
CASES = {
    "matmul": Case("MatMul", dict(a=(F, (2, 3, 4)), b=(F, (2, 4, 5))),
                   [dict(b=(3, 4, 5)), dict(b=(2, 5, 5))]),
    "matmul_integer": Case(
        "MatMulInteger", dict(a=(U8, (3, 4)), b=(U8, (4, 5)), az=(U8, (3,)), bz=(U8, (5,))),
        [dict(a=(3, 40)), dict(b=(400000, 5)), dict(az=(4,)), dict(bz=(6,)), dict(a=(1, 4))]),
    "qlinear_matmul": Case(
        "QLinearMatMul",
        dict(a=(U8, (3, 4)), s=(F, ()), z=(U8, ()), b=(I8, (4, 5)), t=(F, (5,)), y=(I8, (5,)),
             u=(F, ()), v=(U8, ())),
        [dict(a=(3, 40)), dict(b=(40000, 5)), dict(t=(4,)), dict(y=(6,)), dict(b=(4, 1))]),
    "conv_integer": Case(
        "ConvInteger",
        dict(x=(U8, (1, 2, 5, 5)), w=(U8, (3, 2, 3, 3)), z=(U8, (1,)), y=(U8, (3,))),
        [dict(x=(1, 3, 5, 5)), dict(z=(2,)), dict(y=(2,))], dict(w=ALL)),
    "qlinear_conv": Case(
        "QLinearConv",
        dict(x=(U8, (1, 2, 5, 5)), s=(F, (1,)), z=(U8, (1,)), w=(I8, (3, 2, 3, 3)), t=(F, (3,)),
             y=(I8, (3,)), u=(F, ()), v=(U8, ()), b=(I32, (3,))),
        [dict(x=(1, 3, 5, 5)), dict(s=(2,)), dict(z=(3,)), dict(t=(2,)), dict(y=(4,)),
         dict(b=(2,)), dict(b=(1,))], dict(w=ALL)),
    "dequantize_axis": Case(
        "DequantizeLinear", dict(x=(I8, (2, 3)), s=(F, (3,)), z=(I8, (3,))),
        [dict(s=(2,)), dict(z=(2,)), dict(s=(4,), z=(4,)), dict(x=(2, 1))]),
    "dequantize_blocks": Case(
        "DequantizeLinear", dict(x=(I8, (8, 3)), s=(F, (2, 3))),
        [dict(s=(3, 3)), dict(s=(2, 2)), dict(s=(2, 1)), dict(x=(9, 3))], axis=0, block_size=4),
    "quantize_axis": Case(
        "QuantizeLinear", dict(x=(F, (2, 3)), s=(F, (3,)), z=(I8, (3,))),
        [dict(s=(2,)), dict(z=(2,)), dict(s=(4,), z=(4,)), dict(x=(2, 1))]),
    "gemm": Case("Gemm", dict(a=(F, (2, 3)), b=(F, (3, 4)), c=(F, (1, 4))),
                 [dict(b=(5, 4)), dict(c=(1, 3)), dict(c=(3, 4)), dict(b=(3, 1))]),
    "einsum": Case("Einsum", dict(a=(F, (2, 3)), b=(F, (3, 4))), [dict(b=(4, 4)), dict(a=(2, 1))],
                   equation="ij,jk->ik"),
    "einsum_batch": Case("Einsum", dict(a=(F, (5, 2, 3)), b=(F, (5, 3, 4))),
                         [dict(b=(6, 3, 4)), dict(b=(5, 4, 4))], equation="bij,bjk->bik"),
    "einsum_product": Case("Einsum", dict(a=(F, (2, 3)), b=(F, (3,))), [dict(b=(4,))],
                           equation="ij,j->ij"),
    "conv": Case("Conv", dict(x=(F, (1, 2, 5, 5)), w=(F, (3, 2, 3, 3)), b=(F, (3,))),
                 [dict(x=(1, 3, 5, 5)), dict(b=(2,)), dict(b=(1,)), dict(x=(1, 2, 1, 5))],
                 dict(w=ALL)),
    "conv_groups": Case("Conv", dict(x=(F, (1, 4, 5)), w=(F, (6, 2, 3))), [dict(x=(1, 2, 5))],
                        dict(w=ALL), group=2),
    "conv_transpose": Case(
        "ConvTranspose", dict(x=(F, (1, 2, 5, 5)), w=(F, (2, 3, 3, 3)), b=(F, (3,))),
        [dict(x=(1, 3, 5, 5)), dict(b=(2,))], dict(w=ALL)),
    "batch_norm": Case(
        "BatchNormalization",
        dict(x=(F, (2, 3, 4)), s=(F, (3,)), b=(F, (3,)), m=(F, (3,)), v=(F, (3,))),
        every("sbmv", (2,)) + every("sbmv", (1,))),
    "instance_norm": Case("InstanceNormalization",
                          dict(x=(F, (2, 3, 4)), s=(F, (3,)), b=(F, (3,))),
                          every("sb", (2,)) + every("sb", (1,))),
    "group_norm": Case("GroupNormalization", dict(x=(F, (2, 4, 3)), s=(F, (4,)), b=(F, (4,))),
                       every("sb", (2,)) + every("sb", (1,)), dict(x=[1]), num_groups=2),
    "layer_norm": Case("LayerNormalization", dict(x=(F, (2, 3)), s=(F, (3,)), b=(F, (3,))),
                       [*every("sb", (2,)), dict(x=(2, 1))]),
    "rms_norm": Case("RMSNormalization", dict(x=(F, (2, 3)), s=(F, (3,))),
                     [dict(s=(2,)), dict(x=(2, 1))]),
    "prelu": Case("PRelu", dict(x=(F, (2, 3)), s=(F, (3,))), [dict(s=(2,)), dict(x=(2, 1))]),
    "lstm": Case(
        "LSTM", RECURRENT,
        [dict(w=(1, 16, 4)), dict(w=(1, 12, 5)), dict(r=(1, 12, 4)), dict(r=(1, 16, 5)),
         dict(b=(1, 16)), dict(lengths=(2,)), dict(h=(1, 2, 4)), dict(h=(1, 3, 5)),
         dict(c=(1, 2, 4)), dict(c=(1, 3, 3)), dict(p=(1, 8)), dict(w=(2, 16, 5))],
        dict(x=[0]), outputs=3, hidden_size=4),
    "gru": Case(
        "GRU", dict(x=(F, (2, 3, 5)), w=(F, (2, 12, 5)), r=(F, (2, 12, 4)), b=(F, (2, 24))),
        [dict(w=(2, 12, 6)), dict(w=(1, 12, 5)), dict(r=(2, 9, 4)), dict(b=(2, 12))],
        dict(x=[0]), hidden_size=4, direction="bidirectional"),
    "rnn_batch_first": Case(
        "RNN",
        dict(x=(F, (3, 2, 5)), w=(F, (1, 4, 5)), r=(F, (1, 4, 4)), _b=(F, ()), _l=(I32, ()),
             h=(F, (3, 1, 4))),
        [dict(w=(1, 4, 6)), dict(r=(1, 5, 4)), dict(h=(1, 3, 4))],
        dict(x=[1]), hidden_size=4, layout=1),
    "grid_sample": Case("GridSample", dict(x=(F, (2, 3, 4, 5)), g=(F, (2, 2, 2, 2))),
                        [dict(g=(3, 2, 2, 2)), dict(g=(1, 2, 2, 2)), dict(g=(2, 2, 2, 3)),
                         dict(x=(2, 3, 0, 5))]),
    "attention": Case(
        "Attention", {**ATTENTION, "m": (F, (2, 4, 3, 6))},
        [dict(k=(2, 2, 5, 8)), dict(v=(2, 2, 5, 8)), dict(k=(3, 2, 6, 8)), dict(v=(1, 2, 6, 8)),
         dict(v=(2, 4, 6, 8)), dict(k=(2, 3, 6, 8), v=(2, 3, 6, 8)), dict(m=(2, 4, 3, 5)),
         dict(m=(2, 4, 2, 6)), dict(m=(2, 3, 3, 6)), dict(m=(3, 4, 3, 6))], HEADS),
    "attention_past": Case(
        "Attention",
        {**ATTENTION, "_m": (F, ()), "pk": (F, (2, 2, 5, 8)), "pv": (F, (2, 2, 5, 8))},
        [dict(pk=(2, 2, 4, 8)), dict(pv=(2, 2, 4, 8)), dict(pk=(3, 2, 5, 8)),
         dict(pv=(2, 1, 5, 8))],
        {**HEADS, "pk": [3], "pv": [3]}, outputs=3),
    "attention_lengths": Case(
        "Attention",
        {**ATTENTION, "_m": (F, ()), "_pk": (F, ()), "_pv": (F, ()), "l": (I64, (2,))},
        [dict(l=(3,)), dict(l=(1,))], HEADS, opset=24),
    "attention_rank_3": Case(
        "Attention", dict(q=(F, (2, 3, 32)), k=(F, (2, 6, 16)), v=(F, (2, 6, 16))),
        [dict(k=(2, 5, 16)), dict(v=(1, 6, 16)), dict(k=(2, 6, 18)), dict(q=(2, 3, 34))],
        q_num_heads=4, kv_num_heads=2),
    "attention_shorter_mask": Case(
        "Attention", {**ATTENTION, "m": (F, (3, 5))}, [dict(m=(3, 7)), dict(m=(2, 5))],
        opset=24),
    "cross_entropy": Case(
        "SoftmaxCrossEntropyLoss", dict(x=(F, (4, 3, 6)), l=(I64, (4, 6)), w=(F, (3,))),
        [dict(l=(4, 5)), dict(l=(3, 6)), dict(l=(1, 6)), dict(w=(2,)), dict(w=(1,))]),
    "likelihood": Case(
        "NegativeLogLikelihoodLoss", dict(x=(F, (4, 3, 6)), l=(I64, (4, 6)), w=(F, (3,))),
        [dict(l=(4, 5)), dict(l=(3, 6)), dict(l=(1, 6)), dict(w=(2,)), dict(w=(1,))]),
    "rotary": Case(
        "RotaryEmbedding",
        dict(x=(F, (2, 3, 4, 8)), cos=(F, (10, 4)), sin=(F, (10, 4)), ids=(I64, (2, 4))),
        [dict(cos=(10, 3)), dict(sin=(9, 4)), dict(sin=(10, 1)), dict(ids=(2, 5)),
         dict(ids=(1, 4))], dict(x=[1, 3])),
    "rotary_without_ids": Case(
        "RotaryEmbedding", dict(x=(F, (2, 3, 4, 8)), cos=(F, (2, 4, 4)), sin=(F, (2, 4, 4))),
        [dict(cos=(1, 4, 4)), dict(sin=(2, 3, 4)), dict(sin=(2, 4, 1))], dict(x=[1, 3])),
    "swi_glu": Case("SwiGLU", dict(a=(F, (2, 3)), b=(F, (2, 3))),
                    [dict(b=(2, 1)), dict(a=(1, 3)), dict(b=(2, 4))], opset=28),
}


def load(model, folder, **options):
    onnx.save(model, folder / "model.onnx")
    return tessera.load(tessera.compile(folder / "model.onnx", **options))


@pytest.mark.parametrize("name", CASES)
def test_contradicting_sizes(name, tmp_path):
    case = CASES[name]
    session = load(case.model(), tmp_path)
    session.run(None, case.feed())
    said = "'n'|input '(" + "|".join(case.inputs) + ")'"
    for sizes in case.wrong:
        with pytest.raises(tessera.TesseraError) as caught:
            session.run(None, case.feed(**sizes))
        assert re.search(said, str(caught.value)), f"{sizes}: {caught.value}"


@pytest.mark.parametrize("name", ["matmul_integer", "einsum", "attention", "lstm"])
def test_the_oracle_checks_too(name, tmp_path):
    case = CASES[name]
    session = load(case.model(), tmp_path, flags=["-O0"])
    session.run(None, case.feed())
    for sizes in case.wrong:
        with pytest.raises(tessera.TesseraError, match="'"):
            session.run(None, case.feed(**sizes))


def parsed(text):
    return onnx.parser.parse_model(text)


def test_nothing_runs_before_all_checks(tmp_path):
    session = load(parsed('''
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[n, k] x, float[l, m] y) => (float[n, k] e, float[n, m] z) {
          e = Exp(x)
          [product] z = MatMul(x, y)
        }'''), tmp_path)
    feed = {"x": np.ones((2, 3), F), "y": np.ones((4, 2), F)}
    e = np.zeros((2, 3), F)
    with pytest.raises(tessera.TesseraError, match=r"node 'product' \(MatMul\): inner sizes differ"):
        session.run(None, feed, outputs={"e": e})
    assert not e.any()


@pytest.mark.parametrize("call, subject", [("[call]", "'call'"), ("", "of output 'z'")])
def test_values_of_a_local_function(call, subject, tmp_path):
    """Inlining makes nodes of it whose names the model does not have."""
    session = load(parsed(f'''
        <ir_version: 10, opset_import: ["" : 17, "local" : 1]>
        g (float[n, k] x, float[l, m] y) => (float[n, m] z) {{
          {call} z = local.outer (x, y)
        }}
        <domain: "local", opset_import: ["" : 17, "local" : 1]>
        outer (a, b) => (c) {{
          [inner] t = local.product (a, b)
          c = Relu(t)
        }}
        <domain: "local", opset_import: ["" : 17]>
        product (a, b) => (c) {{
          [innermost] c = MatMul(a, b)
        }}'''), tmp_path)
    x = np.ones((2, 3), F)
    np.testing.assert_array_equal(session.run(None, {"x": x, "y": np.ones((3, 1), F)})[0], [[3], [3]])
    message = f"node {subject} \\(outer\\): in its function body: MatMul: inner sizes differ"
    with pytest.raises(tessera.TesseraError, match=message):
        session.run(None, {"x": x, "y": np.ones((4, 1), F)})


def test_theta_of_an_affine_grid(tmp_path):
    session = load(parsed('''
        <ir_version: 10, opset_import: ["" : 20]>
        g (float[a, b, c] theta) => (float[i, j, k, l] y) {
          size = Constant<value = int64[4] {2, 3, 4, 5}>()
          [n] y = AffineGrid(theta, size)
        }'''), tmp_path)
    [y] = session.run(None, {"theta": np.ones((2, 2, 3), F)})
    assert y.shape == (2, 4, 5, 2)
    for shape in (3, 2, 3), (1, 2, 3), (2, 1, 3), (2, 2, 2):
        with pytest.raises(tessera.TesseraError, match="'n'|input 'theta'"):
            session.run(None, {"theta": np.ones(shape, F)})


def test_values_of_a_standard_function_body(tmp_path):
    """Its nodes have no names."""
    case = CASES["rotary"]
    session = load(case.model(), tmp_path)
    message = r"node 'n' \(RotaryEmbedding\): in its function body: Gather: "
    with pytest.raises(tessera.TesseraError, match=message):
        session.run(None, case.feed(cos=(0, 4), sin=(0, 4)))


def test_results_that_are_too_large(tmp_path):
    session = load(parsed('''
        <ir_version: 8, opset_import: ["" : 17]>
        g (float[n] x, float[k] other) => (float[a, b] y) {
          size = Shape(other)
          many = Constant<value = int64[2] {1, 1099511627776}>()
          shape = Mul(size, many)
          [wide] y = Expand(x, shape)
        }'''), tmp_path)
    for size in 64, 2**20:
        with pytest.raises(tessera.TesseraError, match="output 'y' of node 'wide'"):
            session.run(None, {"x": np.ones(1, F), "other": np.ones(size, F)})
