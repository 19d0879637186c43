"""Models as tools leave them behind: names and texts that are no UTF-8, data that
was loaded from elsewhere."""

import json
import subprocess

import numpy as np
import pytest
from models import helper, model_of, numpy_helper, onnx, save_product, value

UNSUPPORTED, INVALID = 4, 3
SPELLED = r"a\xff\xfez"


def save_odd(path, model):
    """With bytes that protobuf's Python would not write in the place of QQ."""
    path.write_bytes(model.SerializeToString().replace(b"QQ", b"\xff\xfe"))


def odd_model(nodes, *initializers):
    x, y = value("aQQz", np.float32, ["aQQz", 4]), value("y", np.float32, None)
    model = model_of(nodes, [x], [y], initializers)
    return model


def test_names_that_are_no_utf8(tool, tmp_path):
    """The same name everywhere, and one that can be typed."""
    from tessera import load

    node = helper.make_node("Add", ["aQQz", "bQQ"], ["y"], name="aQQz")
    save_odd(tmp_path / "m.onnx", odd_model([node], numpy_helper.from_array(np.ones(4, np.float32), "bQQ")))
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "x.npy", x)
    for arguments in (
        ("check", "m.onnx"), ("compile", "m.onnx", f"--shape={SPELLED}=2", "--report"),
        ("inspect", "m.so"), ("run", "m.so", "--input", f"{SPELLED}=x.npy", "--output", "y.npz"),
    ):
        assert "\ufffd" not in tool(*arguments, cwd=tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npz")["y"], x + 1)
    manifest = json.loads(tool("inspect", "m.so", "--manifest", cwd=tmp_path))
    assert manifest["kernels"][0]["nodes"] == [SPELLED]
    assert load(tmp_path / "m.so").get_inputs()[0].name == SPELLED


@pytest.mark.parametrize(
    "node, said",
    [
        (dict(op_type="FooQQ"), r"Foo\xff\xfe"),
        (dict(op_type="Foo", domain="dQQ"), r"d\xff\xfe"),
        (dict(op_type="Resize", inputs=["aQQz", "", "s"], mode="mQQ"), r"mode 'm\xff\xfe'"),
        (dict(op_type="Add", inputs=["aQQz", "cQQ"]), r"input 'c\xff\xfe' is made by no node"),
    ],
    ids=["operator", "domain", "attribute", "input"],
)
def test_messages_are_utf8(tool, tmp_path, node, said):
    node = {"inputs": ["aQQz"], "outputs": ["y"], "name": "aQQz", **node}
    scales = numpy_helper.from_array(np.ones(2, np.float32), "s")
    save_odd(tmp_path / "m.onnx", odd_model([helper.make_node(**node)], scales))
    for arguments in (("compile", "m.onnx"), ("check", "m.onnx"), ("check", "m.onnx", "--json")):
        text = tool(*arguments, code=(UNSUPPORTED, INVALID), cwd=tmp_path)
        assert "\ufffd" not in text
        text = text.replace("\\\\", "\\") if "--json" in arguments else text
        assert said in text and f"'{SPELLED}'" in text.replace('"', "'"), text


def test_paths_in_messages_are_utf8(tool, tmp_path):
    save_product(tmp_path / "m.onnx", 8, 8, external="wQQ.bin")
    model = (tmp_path / "m.onnx").read_bytes()
    (tmp_path / "m.onnx").write_bytes(model.replace(b"QQ", b"\xff\xfe"))
    for arguments in (("compile", "m.onnx"), ("check", "m.onnx"), ("check", "m.onnx", "--json")):
        text = tool(*arguments, code=INVALID, cwd=tmp_path)
        assert "\ufffd" not in text and r"w\xff\xfe.bin" in text.replace("\\\\", "\\"), text
    # A file may have such a name all the same.
    data = tmp_path / "wQQ.bin"
    data.rename(bytes(data).replace(b"QQ", b"\xff\xfe").decode(errors="surrogateescape"))
    tool("compile", "m.onnx", cwd=tmp_path)
    text = tool("compile", b"none\xff.onnx".decode(errors="surrogateescape"), code=INVALID)
    assert r"none\xff.onnx" in text


# --- Data


def expect_product(tool, folder, w):
    x = np.random.default_rng(0).standard_normal((3, w.shape[0]), np.float32)
    np.savez(folder / "inputs.npz", x=x)
    np.savez(folder / "expected.npz", y=x @ w)
    tool("run", "model.onnx", "--input", "inputs.npz", "--compare", "expected.npz", cwd=folder)
    assert tool("check", "model.onnx", cwd=folder).startswith("supported"), "no remarks"


def test_external_data_that_was_loaded(tool, tmp_path):
    """onnx.load leaves data_location = DEFAULT behind, and the tools that load so."""
    w = np.random.default_rng(1).standard_normal((40, 30), np.float32)
    save_product(tmp_path / "outside.onnx", 40, 30, external="w.bin", array=w)
    model = onnx.load(tmp_path / "outside.onnx")
    assert model.graph.initializer[0].HasField("data_location")
    onnx.save(model, tmp_path / "model.onnx")
    expect_product(tool, tmp_path, w)
    # Some leave the entries, too.
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "w.bin"
    onnx.save(model, tmp_path / "model.onnx")
    (tmp_path / "w.bin").unlink()
    # onnx.save would write such a tensor outside.
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    expect_product(tool, tmp_path, w)


def test_constants_that_were_loaded(tool, tmp_path):
    w = np.random.default_rng(1).standard_normal((40, 30), np.float32)
    tensor = numpy_helper.from_array(w, "w")
    tensor.data_location = onnx.TensorProto.DEFAULT
    nodes = [
        helper.make_node("Constant", [], ["w"], value=tensor),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    model = model_of(nodes, [value("x", "f4", ["n", 40])], [value("y", "f4", ["n", 30])])
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    expect_product(tool, tmp_path, w)


def test_a_model_from_a_pipe(tool, tmp_path):
    """It can be read once only: nothing refers to it afterwards."""
    w = np.random.default_rng(1).standard_normal((40, 30), np.float32)
    save_product(tmp_path / "model.onnx", 40, 30, array=w)
    subprocess.run(
        ["bash", "-c", f"'{tool.program}' compile <(cat model.onnx) -o piped.so"],
        cwd=tmp_path, check=True,
    )
    tool("compile", "model.onnx", cwd=tmp_path)
    assert (tmp_path / "piped.so").read_bytes() == (tmp_path / "model.so").read_bytes()
