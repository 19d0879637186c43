"""tessera.compare over the hand-written model and its ONNX twin."""

import io

import numpy as np
import pytest
from conftest import WEIGHTS, save_twin
from tessera import compare
from tessera._random_inputs import index_ranges, random_array, size_sets

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def run(*arguments):
    out = io.StringIO()
    return compare.main([str(argument) for argument in arguments], out), out.getvalue()


def test_equal_models_agree(add_model, tmp_path):
    code, text = run(save_twin(tmp_path / "twin.onnx"), "--library", add_model)
    assert code == 0, text
    assert "n=8" in text and "n=1 " in text
    assert text.count(" ok") == 4


def test_another_model_is_wrong(add_model, tmp_path):
    twin = save_twin(tmp_path / "twin.onnx", WEIGHTS + np.float32(0.01))
    code, text = run(twin, "--library", add_model)
    assert code == 1
    assert "WRONG: above the tolerance of 0.0001" in text
    assert run(twin, "--library", add_model, "--tolerance", "0.1")[0] == 0


def test_given_inputs(add_model, tmp_path):
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.ones((3, 4), np.float32), y=np.zeros((3, 4), np.float32))
    code, text = run(
        save_twin(tmp_path / "twin.onnx"), "--library", add_model, "--inputs", inputs
    )
    assert code == 0 and "inputs.npz" in text and "3x4" in text


def test_inputs_that_the_reference_refuses_are_no_success(add_model, tmp_path):
    inputs = tmp_path / "inputs.npz"
    np.savez(inputs, x=np.ones((3, 4), np.float64))
    code, text = run(
        save_twin(tmp_path / "twin.onnx"), "--library", add_model, "--inputs", inputs
    )
    assert code == 2 and "skipped: ONNX Runtime" in text


def test_missing_model_is_an_error(tmp_path, capsys):
    assert run(tmp_path / "none.onnx", "--library", tmp_path / "none.so")[0] == 2
    assert "none.so" in capsys.readouterr().err


@pytest.mark.parametrize(
    "ours, problem",
    [
        (np.float32([1, 2, 3]), None),
        (np.float32([1, 2, 3.0001]), None),
        (np.float32([1, 2, 3.001]), "above the tolerance of 0.0001"),
        (np.float32([1, 2, np.nan]), "1 infinities or NaNs differ"),
        (np.float32([1, 2, -np.inf]), "1 infinities or NaNs differ"),
        (np.float64([1, 2, 3]), "expects float32 (3,) but got float64 (3,)"),
        (np.float32([1, 2]), "expects float32 (3,) but got float32 (2,)"),
    ],
)
def test_difference_of_floats(ours, problem):
    assert compare.Difference(ours, np.float32([1, 2, 3])).problem == problem


def test_difference_where_the_reference_is_not_finite():
    reference = np.float32([np.nan, np.inf, -np.inf, 1])
    assert compare.Difference(reference, reference).problem is None
    assert compare.Difference(-reference, reference).problem == "2 infinities or NaNs differ"
    all_nan = np.float32([np.nan])
    assert compare.Difference(all_nan, all_nan).problem is None


def test_difference_of_integers_is_exact():
    difference = compare.Difference(np.int64([1, 2, 4]), np.int64([1, 2, 3]))
    assert difference.problem == "1 of 3 elements differ"
    assert compare.Difference(np.array([True]), np.array([True])).problem is None


def test_size_sets_respect_ranges():
    random = np.random.default_rng(0)
    symbols = {"batch": (0, 1, 2**63 - 1), "seq": (16, 128, 512), "fixed": (7, 7, 7)}
    sets = size_sets(symbols, 20, random)
    assert sets[0] == {"batch": 1, "seq": 128, "fixed": 7}
    assert sets[1] == {"batch": 1, "seq": 16, "fixed": 7}
    assert len(sets) > 10
    for sizes in sets:
        for name, size in sizes.items():
            assert symbols[name][0] <= size <= symbols[name][2]
    assert size_sets({}, 5, random) == [{}]


def test_ranges_can_be_given():
    assert compare.parse(["m.onnx", "--range", "a=b=7"])[0].range == [("a=b", 7)]
    with pytest.raises(SystemExit):
        compare.parse(["m.onnx", "--range", "ids"])


def test_token_ids_stay_within_their_table(tmp_path):
    ids = helper.make_tensor_value_info("ids", TensorProto.INT32, ["seq"])
    mask = helper.make_tensor_value_info("mask", TensorProto.INT64, ["seq"])
    code = helper.make_tensor_value_info("code", TensorProto.INT64, ["seq"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    table = numpy_helper.from_array(np.zeros((50, 2), np.float32), "table")
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["ids"], ["wide"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "wide"], ["out"]),
            helper.make_node("Identity", ["mask"], ["unused"]),
            helper.make_node("OneHot", ["code", "depth", "off_on"], ["hot"]),
        ],
        "embedding",
        [ids, mask, code],
        [out],
        [
            table,
            numpy_helper.from_array(np.array([257]), "depth"),
            numpy_helper.from_array(np.array([0, 1]), "off_on"),
        ],
    )
    path = tmp_path / "embedding.onnx"
    onnx.save(helper.make_model(graph), path)
    ranges = index_ranges(path)
    assert ranges == {"ids": 50, "code": 257}

    class IdsPort:
        name, shape, dtype = "ids", ["seq"], np.dtype(np.int32)

    array = random_array(IdsPort, {"seq": 1000}, ranges, np.random.default_rng(0))
    assert array.dtype == np.int32 and array.min() == 0 and array.max() == 49
