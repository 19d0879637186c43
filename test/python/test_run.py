"""tessera run: inputs, outputs, NumPy's files, comparison, exit codes."""

import io
import re
import zipfile

import numpy as np
import pytest
from models import BIAS, FLAG, IDS, OUT, TABLE_ROWS, save_lookup, save_square


@pytest.fixture(scope="module")
def lookup(tool, tmp_path_factory):
    """The compiled model and its parameters."""
    folder = tmp_path_factory.mktemp("lookup")
    parameters = save_lookup(folder / "lookup.onnx")
    tool("compile", "lookup.onnx", "--shape", "batch=1:2:8", "--shape", "seq=1:5:9", cwd=folder)
    return folder / "lookup.so", *parameters


@pytest.fixture
def inputs():
    random = np.random.default_rng(3)
    return {
        IDS: random.integers(0, TABLE_ROWS, (3, 4)),
        BIAS: random.standard_normal((3, 4, 4), np.float32),
        FLAG: np.array([True, False, True]),
    }


def expected(lookup, inputs):
    _, table, w = lookup
    return {OUT: table[inputs[IDS]] @ w + inputs[BIAS], "notflag": ~inputs[FLAG]}


def test_random_inputs_have_typical_sizes_and_valid_indices(tool, lookup, tmp_path):
    text = tool("run", lookup[0], "--output", tmp_path / "out.npz")
    assert f"input  {IDS}: int64 (2, 5)" in text
    assert "bool (2,)" in text and "(0 NaN, 0 infinite)" in text
    first = text
    assert tool("run", lookup[0]) == first
    assert tool("run", lookup[0], "--seed", 1) != first
    ids = [int(n) for n in re.search(r"int64 \(2, 5\)  ([\d, ]+),", text).group(1).split(",")]
    assert max(ids) > 1 and max(ids) < TABLE_ROWS


def test_sizes_of_random_inputs(tool, lookup):
    text = tool("run", lookup[0], "--shape", "batch=3", "--shape", "seq=7")
    assert f"output {OUT}: float32 (3, 7, 4)" in text
    error = tool("run", lookup[0], "--shape", "batsh=3", code=2)
    assert "no size 'batsh'; did you mean 'batch'?" in error
    assert "compiled for 1 to 8" in tool("run", lookup[0], "--shape", "batch=9", code=2)


def test_a_model_is_compiled_first(tool, tmp_path):
    save_lookup(tmp_path / "lookup.onnx")
    text = tool(
        "run", "lookup.onnx", "--shape", "seq=1:6:8", "--repeat", 3, "--threads", 1, cwd=tmp_path
    )
    assert "(1, 6, 4)" in text
    assert re.search(r"median .* min .* p90 .* over 3 runs on 1 threads", text)
    assert [path.name for path in tmp_path.iterdir()] == ["lookup.onnx"]


def test_inputs_of_an_archive_and_comparison(tool, lookup, inputs, tmp_path):
    np.savez_compressed(tmp_path / "in.npz", extra=np.zeros(3), **inputs)
    np.savez(tmp_path / "reference.npz", **expected(lookup, inputs))
    arguments = ["run", lookup[0], "--input", tmp_path / "in.npz"]
    text = tool(*arguments, "--compare", tmp_path / "reference.npz", "--output",
                tmp_path / "out.npz")
    assert text.count(", ok") == 2
    with np.load(tmp_path / "out.npz") as outputs:
        for name, array in expected(lookup, inputs).items():
            assert outputs[name].dtype == array.dtype
            np.testing.assert_allclose(outputs[name], array, rtol=1e-5, atol=1e-5)

    wrong = expected(lookup, inputs)
    wrong[OUT] = wrong[OUT] + np.float32(0.1)
    np.savez(tmp_path / "wrong.npz", **wrong)
    text = tool(*arguments, "--compare", tmp_path / "wrong.npz", code=1)
    assert f"compare {OUT}: absolute 0.1" in text and "WRONG: above the tolerance" in text
    tool(*arguments, "--compare", tmp_path / "wrong.npz", "--tolerance", 0.5)
    np.savez(tmp_path / "other.npz", a=np.zeros(1))
    assert "no array called as an output" in tool(
        *arguments, "--compare", tmp_path / "other.npz", code=3
    )


def test_inputs_one_by_one(tool, lookup, inputs, tmp_path):
    """Split at the last '=' behind which a file is named."""
    (tmp_path / "x=y").mkdir()
    np.save(tmp_path / "x=y" / "ids=1.npy", inputs[IDS])
    np.save(tmp_path / "bias.npy", np.asfortranarray(inputs[BIAS]))
    np.savez(tmp_path / "flags.npz", **{FLAG: inputs[FLAG]})
    folder = tmp_path / "results" / "deep"
    tool(
        "run", lookup[0],
        "--input", f"{IDS}={tmp_path}/x=y/ids=1.npy",
        "--input", f"{BIAS}={tmp_path}/bias.npy",
        "--input", f"{FLAG}={tmp_path}/flags.npz",
        "--output", folder,
    )
    assert sorted(path.name for path in folder.iterdir()) == ["notflag.npy", "out_0_x.npy"]
    outputs = expected(lookup, inputs)
    np.testing.assert_allclose(np.load(folder / "out_0_x.npy"), outputs[OUT], atol=1e-5)
    np.testing.assert_array_equal(np.load(folder / "notflag.npy"), outputs["notflag"])


def test_given_inputs_bind_the_sizes_of_random_ones(tool, lookup, inputs, tmp_path):
    np.save(tmp_path / "ids.npy", inputs[IDS])
    text = tool("run", lookup[0], "--input", f"{IDS}={tmp_path}/ids.npy")
    assert f"input  {BIAS}: float32 (3, 4, 4)" in text


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "u1", "i8"])
def test_types_go_through_files(tool, tmp_path, dtype):
    save_square(tmp_path / "square.onnx", dtype)
    x = np.arange(-6, 6).reshape(3, 4).astype(dtype)
    np.save(tmp_path / "x.npy", x)
    tool("run", "square.onnx", "--input", "x.npy", "--output", "y.npz", cwd=tmp_path)
    y = np.load(tmp_path / "y.npz")["y"]
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x * x)


@pytest.mark.parametrize("level", [0, 3])
def test_bfloat16_goes_through_files(tool, tmp_path, level):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    save_square(tmp_path / "square.onnx", ml_dtypes.bfloat16)
    x = np.arange(-12, 15).reshape(9, 3).astype(ml_dtypes.bfloat16)
    x[0, 0] = np.nan
    np.save(tmp_path / "x.npy", x)
    run = ["run", "square.onnx", f"-O{level}"]
    text = tool(*run, "--input", "x=x.npy", "--output", "out", cwd=tmp_path)
    assert "output y: bfloat16 (9, 3)  nan, 121, 100, 81" in text and "(1 NaN, 0 inf" in text
    y = np.load(tmp_path / "out/y.npy").view(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(y.astype("f4"), (x * x).astype("f4"))
    # The code uses nothing of a compiler's runtime library on other CPUs either.
    for cpu in ("x86-64-v3", "x86-64-v4", "znver4"):
        tool("compile", "square.onnx", f"-O{level}", "--cpu", cpu, cwd=tmp_path)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("nodes", [
    "y = Transpose<perm = [0, 2, 1]>(x)",
    "y = GlobalMaxPool(x)",
    "y = ReduceMin<keepdims = 1>(x)",
    "y = Concat<axis = 1>(x, x)",
])
def test_bfloat16_moves_without_helpers(tool, tmp_path, nodes, level):
    """Phis, shuffles and single elements of bf16 link, on CPUs without bf16 too."""
    onnx = pytest.importorskip("onnx")
    text = f"<ir_version: 10, opset_import: ['' : 22]> g (bfloat16[1, 17, 17] x) => (bfloat16[a, b, c] y) {{ {nodes} }}"
    onnx.save(onnx.parser.parse_model(text.replace("'", '"')), tmp_path / "move.onnx")
    for cpu in ("x86-64-v3", "x86-64-v4"):
        tool("compile", "move.onnx", f"-O{level}", "--cpu", cpu, cwd=tmp_path)


@pytest.mark.parametrize("level", [0, 3])
def test_no_elements_beside_an_unknown_size(tool, tmp_path, level):
    onnx = pytest.importorskip("onnx")
    text = '<ir_version: 10, opset_import: ["" : 21]> g (float[0, m] x) => (float[0, m] y) { y = Celu(x) }'
    onnx.save(onnx.parser.parse_model(text), tmp_path / "empty.onnx")
    assert "output y: float32 (0, 3)" in tool(
        "run", "empty.onnx", f"-O{level}", "--shape", "m=3", cwd=tmp_path
    )


@pytest.mark.parametrize("level", [0, 3])
def test_a_constant_mask(tool, tmp_path, level):
    onnx = pytest.importorskip("onnx")
    text = """<ir_version: 10, opset_import: ["" : 21]>
      g (float[2, 3] x) => (float[2, 3] y, bool[3] z) <bool[3] m = {1, 0, 1}, bool[3] n = {0, 0, 1}> {
        w = Neg(x) y = Where(m, x, w) z = Xor(m, n) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "mask.onnx")
    x = np.arange(6, dtype="f4").reshape(2, 3)
    np.save(tmp_path / "x.npy", x)
    tool("run", "mask.onnx", f"-O{level}", "--input", "x=x.npy", "--output", "out.npz", cwd=tmp_path)
    out = np.load(tmp_path / "out.npz")
    np.testing.assert_array_equal(out["y"], x * [1, -1, 1])
    np.testing.assert_array_equal(out["z"], [True, False, False])


@pytest.fixture(scope="module")
def square(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("square")
    save_square(folder / "square.onnx", "f4")
    tool("compile", "square.onnx", cwd=folder)
    return folder / "square.so"


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


GOOD = npy_bytes(np.zeros((3, 4), np.float32))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "no .npy file"),
        (b"\x93NUMPX" + GOOD[6:], "no .npy file"),
        (GOOD[:7], "no .npy file"),
        (GOOD[:9], "header is truncated"),
        (GOOD[:50], "header is truncated"),
        (GOOD[:-1], r"truncated: \(3, 4\) needs 48 bytes but 47 are there"),
        (GOOD[:6] + b"\x09" + GOOD[7:], "format version is 9"),
        (GOOD.replace(b"'descr'", b"'dexcr'"), "no 'descr'"),
        (GOOD.replace(b"(3, 4)", b"(3, x)"), "the size 'x'"),
        (GOOD.replace(b"(3, 4)", b"(-3,4)"), "the size '-3'"),
        (GOOD.replace(b"(3, 4), }  ", b"(9999999999, 9999999999), }"), "truncated|too large"),
        (npy_bytes(np.zeros((3, 4), ">f4")), "big-endian"),
        (npy_bytes(np.array(["text"])), "type '<U4', which no model takes"),
        (npy_bytes(np.zeros(3, [("a", "f4")])), "records"),
        (npy_bytes(np.zeros(3, "c8")), "type '<c8'"),
    ],
)
def test_bad_npy_files(tool, square, tmp_path, content, message):
    (tmp_path / "bad.npy").write_bytes(content)
    error = tool("run", square, "--input", "x=bad.npy", code=3, cwd=tmp_path)
    assert "error: cannot read 'bad.npy'" in error
    assert re.search(message, error), error


def test_bad_archives(tool, lookup, inputs, tmp_path):
    archive = tmp_path / "in.npz"
    np.savez_compressed(archive, **inputs)
    content = archive.read_bytes()
    run = ["run", lookup[0], "--input", archive]
    archive.write_bytes(content[: len(content) // 2])
    assert "cannot open" in tool(*run, code=3)
    damaged = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        offset = members.getinfo(BIAS + ".npy").header_offset
    damaged[offset + 100] ^= 0xFF
    archive.write_bytes(damaged)
    assert f"cannot read array '{BIAS}'" in tool(*run, code=3)
    np.savez(archive, other=np.zeros(3))
    assert "no array called as an input" in tool(*run, code=3)
    error = tool("run", lookup[0], "--input", f"{FLAG}={archive}", code=3)
    assert f"has no array '{FLAG}'" in error


@pytest.mark.parametrize(
    "change, message",
    [
        ({IDS: np.zeros((3, 4), np.int32)}, f"input '{IDS}' expects int64 but got int32"),
        ({IDS: np.zeros(4, np.int64)}, f"input '{IDS}' expects rank 2"),
        ({BIAS: np.zeros((3, 4, 5), "f4")}, f"input '{BIAS}' expects size 4 in dimension 2"),
        ({FLAG: np.zeros(2, bool)}, f"input '{FLAG}' has size 2 in dimension 0 .batch. but "
                                    f"input '{IDS}' gave 3"),
    ],
)
def test_wrong_inputs(tool, lookup, inputs, tmp_path, change, message):
    np.savez(tmp_path / "in.npz", **{**inputs, **change})
    error = tool("run", lookup[0], "--input", tmp_path / "in.npz", code=3)
    assert re.search(message, error), error


def test_wrong_arguments(tool, lookup, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    run = ["run", lookup[0]]
    assert "no input 'flagg'; did you mean 'flag'?" in tool(
        *run, "--input", f"flagg={tmp_path}/x.npy", code=2
    )
    assert "expects NAME=FILE.npy" in tool(*run, "--input", tmp_path / "x.npy", code=2)
    assert "No such file" in tool(*run, "--input", f"flag={tmp_path}/none.npy", code=3)
    assert "given twice" in tool(
        *run, *2 * ["--input", f"flag={tmp_path}/x.npy"], code=2
    )
    assert "no such file" in tool("run", tmp_path / "none.so", code=3)
