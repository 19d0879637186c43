"""`tessera check` and `tessera compile` agree on every model, in what they say and in
the exit code, and `check` names what will be slow."""

import json

import numpy as np
import pytest
from models import helper, model_of, numpy_helper, onnx, save_square, value

from onnx import TensorProto

SUCCESS, USAGE, INVALID, UNSUPPORTED = 0, 2, 3, 4

X, Y = value("x", np.float32, ["n", 4]), value("y", np.float32, ["n", 4])
RELU = helper.make_node("Relu", ["x"], ["y"], name="relu")


def port(name, type_proto):
    return helper.make_value_info(name, type_proto)


def of_type(type_proto):
    node = helper.make_node("Identity", ["o"], ["y"])
    return model_of([node], [port("o", type_proto)], [Y])


def with_opset(version):
    model = model_of([RELU], [X], [Y])
    model.opset_import[0].version = version
    return model


def sparse(name):
    return helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(3, np.float32), name),
        numpy_helper.from_array(np.array([0, 1, 2])),
        [4],
    )


def with_sparse_initializer():
    model = model_of([helper.make_node("Add", ["x", "w"], ["y"])], [X], [Y])
    model.graph.sparse_initializer.append(sparse("w"))
    return model


def with_constant(**attribute):
    nodes = [
        helper.make_node("Constant", [], ["c"], name="constant", **attribute),
        helper.make_node("Add", ["x", "c"], ["y"]),
    ]
    return model_of(nodes, [X], [Y])


tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
text = helper.make_tensor("c", TensorProto.STRING, [1], [b"text"])
sequence_node = helper.make_node("SequenceConstruct", ["x"], ["s"])

UNSUPPORTED_MODELS = {
    "string": (of_type(helper.make_tensor_type_proto(TensorProto.STRING, [2])), "element type string"),
    "complex": (of_type(helper.make_tensor_type_proto(TensorProto.COMPLEX64, [2])), "complex64"),
    "unknown": (
        of_type(helper.make_tensor_type_proto(99, [2])),
        "element type unknown type 99 is not supported",
    ),
    "sequence": (of_type(helper.make_sequence_type_proto(tensor)), "it is a sequence"),
    "map": (of_type(helper.make_map_type_proto(TensorProto.INT64, tensor)), "it is a map"),
    "optional": (of_type(helper.make_optional_type_proto(tensor)), "it is optional"),
    "sparse": (
        of_type(helper.make_sparse_tensor_type_proto(TensorProto.FLOAT, [2])), "a sparse tensor"
    ),
    "rank": (model_of([RELU], [value("x", np.float32, None)], [Y]), "number of dimensions"),
    "opset 6": (with_opset(6), "the model uses opset 6"),
    "opset 99": (with_opset(99), "the model uses opset 99"),
    "sparse initializer": (
        with_sparse_initializer(), "sparse initializers are not supported; make 'w' dense"
    ),
    "sparse constant": (with_constant(sparse_value=sparse("c")), "only dense numbers"),
    "string constant": (with_constant(value=text), "string"),
    "string attribute": (with_constant(value_string=b"text"), "only dense numbers"),
    "string output": (
        model_of([RELU], [X], [Y, value("t", np.float32, [1])], [
            helper.make_tensor("t", TensorProto.STRING, [1], [b"text"])]),
        "element type string",
    ),
    "sequence inside": (
        model_of([sequence_node, helper.make_node("SequenceLength", ["s"], ["y"])], [X], [Y]),
        "SequenceConstruct",
    ),
}


def without_type():
    model = model_of([RELU], [X], [Y])
    model.graph.input[0].ClearField("type")
    return model


INVALID_MODELS = {
    "no type": (without_type(), "input 'x': it has no type"),
    "cycle": (
        model_of([helper.make_node("Add", ["x", "y"], ["y"])], [X], [Y]),
        "depends on a node that depends on it",
    ),
    "made by none": (
        model_of([helper.make_node("Add", ["x", "z"], ["y"])], [X], [Y]), "'z' is made by no node"
    ),
    "made twice": (
        model_of([RELU, helper.make_node("Neg", ["x"], ["t", "y"])], [X], [Y, value("t", "f4", [1])]),
        "'y' has the name of another value",
    ),
    "no output": (model_of([RELU], [X], [value("z", "f4", [1])]), "'z' is made by no node"),
    "two inputs": (model_of([RELU], [X, X], [Y]), "two inputs have the name 'x'"),
    "cut off": (
        with_constant(value=TensorProto(name="c", data_type=1, dims=[4], raw_data=b"12345678")),
        "expects 16 bytes of data by its dims and type but got 8",
    ),
}

MODELS = {
    **{name: (*given, UNSUPPORTED) for name, given in UNSUPPORTED_MODELS.items()},
    **{name: (*given, INVALID) for name, given in INVALID_MODELS.items()},
}


@pytest.mark.parametrize("name", MODELS)
def test_refusals(tool, tmp_path, name):
    model, message, code = MODELS[name]
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    for command in (("compile", "model.onnx"), ("check", "model.onnx")):
        said = tool(*command, code=code, cwd=tmp_path)
        assert message in said, said
    report = json.loads(tool("check", "model.onnx", "--json", code=code, cwd=tmp_path))
    assert not report["supported"]
    assert message in json.dumps(report, ensure_ascii=False)


def test_outputs_that_are_listed_again(tool, tmp_path):
    """They are one output: of a node, an input and a constant."""
    w = value("w", np.float32, [3])
    weight = numpy_helper.from_array(np.ones(3, np.float32), "w")
    model = model_of([RELU], [X], [Y, X, w, Y, w, X], [weight])
    onnx.save(model, tmp_path / "model.onnx")
    text = tool("check", "model.onnx", cwd=tmp_path)
    assert "note: output 'y' is listed again; it is one output" in text
    np.savez(tmp_path / "inputs.npz", x=np.array([[-1, 2, -3, 4]], np.float32))
    for level in ("-O0", "-O3"):
        tool(
            "run", "model.onnx", level, "--input", "inputs.npz", "--output", "out.npz",
            cwd=tmp_path,
        )
        out = np.load(tmp_path / "out.npz")
        assert {name: out[name].ravel().tolist() for name in out} == {
            "y": [0, 2, 0, 4], "x": [-1, 2, -3, 4], "w": [1, 1, 1],
        }


@pytest.mark.parametrize("dtype", ["i1", "u1", "i4", "u4", "i8", "f8", "f2"])
@pytest.mark.parametrize("version", [23, 24])
def test_attention_with_a_bias_of_another_type(tool, tmp_path, dtype, version):
    """Numbers are added to the scores, whatever their type."""
    random = np.random.default_rng(0)
    q, k, v = (random.standard_normal((1, 2, n, 8), np.float32) for n in (4, 6, 6))
    bias = random.integers(0, 3, (4, 6)).astype(dtype)
    inputs = dict(q=q, k=k, v=v, bias=bias)
    node = helper.make_node("Attention", list(inputs), ["y"])
    ports = [value(name, array.dtype, array.shape) for name, array in inputs.items()]
    model = model_of([node], ports, [value("y", np.float32, q.shape)])
    model.opset_import[0].version = version
    onnx.save(model, tmp_path / "model.onnx")
    scores = q @ k.swapaxes(2, 3) / np.sqrt(8) + bias.astype(np.float32)
    weights = np.exp(scores - scores.max(3, keepdims=True))
    np.savez(tmp_path / "expected.npz", y=weights / weights.sum(3, keepdims=True) @ v)
    np.savez(tmp_path / "inputs.npz", **inputs)
    for level in ("-O0", "-O3"):
        tool(
            "run", "model.onnx", level, "--input", "inputs.npz", "--compare", "expected.npz",
            cwd=tmp_path,
        )


def test_options_are_those_of_compile(tool, tmp_path):
    save_square(tmp_path / "model.onnx", "f4")
    for option, message in (("k=8", "no size is named 'k'"), ("n", "expects SYMBOL=SIZE")):
        for command in ("compile", "check"):
            said = tool(command, "model.onnx", "--shape", option, code=USAGE, cwd=tmp_path)
            assert message in said, said
    assert "supported; 1 kernels, 0 by the generic route\n" == tool(
        "check", "model.onnx", "--shape", "n=8", cwd=tmp_path
    )
    assert "1 kernels, 1 by the generic" in tool("check", "model.onnx", "-O0", cwd=tmp_path)


def test_what_takes_the_generic_route_is_named(tool, tmp_path):
    """TopK has loops of its own and no other route."""
    nodes = [
        helper.make_node("TopK", ["x", "k"], ["most", "where"], name="pick"),
        helper.make_node("Relu", ["most"], ["y"], name="after"),
    ]
    outputs = [value("y", np.float32, ["n", 2]), value("where", np.int64, ["n", 2])]
    model = model_of(nodes, [X], outputs, [numpy_helper.from_array(np.array([2]), "k")])
    onnx.save(model, tmp_path / "model.onnx")
    text = tool("check", "model.onnx", cwd=tmp_path)
    assert "note: the generic route takes node 'pick'" in text
    assert "'after'" not in text and text.splitlines()[-1].endswith("1 by the generic route")
    report = json.loads(tool("check", "model.onnx", "--json", cwd=tmp_path))
    assert report["supported"] and report["kernels"] == 2
    assert [kernel["nodes"] for kernel in report["generic"]] == [["pick"]]
    assert report["generic"][0]["reason"]
