"""A few graphs and mutants of fixed seeds, so that the fuzzers themselves do not rot.

They find nothing new: differential.py and mutate_models.py run for hours do.
"""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import differential  # noqa: E402
import mutate_models  # noqa: E402
import numpy as np  # noqa: E402
import wide_reference  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402
from pool import run_isolated  # noqa: E402
from shrink import shrink  # noqa: E402

from tessera._library import find_in_builds  # noqa: E402

SEED = "check"
GRAPHS, MUTANTS = 8, 10
JOBS = min(2, os.cpu_count())
TIMEOUT_SECONDS = 200


@pytest.fixture(scope="module")
def tool():
    program = find_in_builds("bin/tessera")
    if not program:
        pytest.skip("the compiler is not built")
    return Path(program).resolve()


def run(work, count):
    names = [f"{SEED}:{number}" for number in range(count)]
    return {name: result for name, result, _ in run_isolated(names, work, JOBS, TIMEOUT_SECONDS)}


def test_random_graphs_agree_with_the_references(tool):
    results = run(lambda name: differential.fuzz(name, tool, None), GRAPHS)
    verdicts = {name: result[0] for name, result in results.items()}
    assert not {name: v for name, v in verdicts.items() if isinstance(v, str) or v.is_find}
    # Most graphs are valid, and of what the compiler supports.
    agreed = [verdict for verdict in verdicts.values() if verdict.state == "agreed"]
    assert len(agreed) > 0.6 * GRAPHS


def test_mutants_are_compiled_or_refused(tool):
    seeds = mutate_models.Seeds(pattern="^test_", nodes=False)
    report = mutate_models.Report()
    work = lambda name: mutate_models.judge(name, seeds, tool, None)  # noqa: E731
    for name, result in run(work, MUTANTS).items():
        report.add(name, result)
    assert not report.problems
    assert report.share("parsed") >= 0.5
    assert report.share("ran") > 0


def test_a_name_gives_one_graph():
    model, sets = differential.build(f"{SEED}:1")
    again, sets_again = differential.build(f"{SEED}:1")
    assert model.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    for inputs, others in zip(sets, sets_again):
        for name, array in inputs.items():
            np.testing.assert_array_equal(array, others[name])


def chain():
    """x -> Exp -> Neg -> Sin, of which Neg is the fault; and an idle output."""
    nodes = [
        helper.make_node("Exp", ["x"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Sin", ["b"], ["c"]),
        helper.make_node("Abs", ["x"], ["d"]),
    ]
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4])  # noqa: E731
    graph = helper.make_graph(nodes, "chain", [value("x")], [value("c"), value("d")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def test_shrinking_leaves_the_node_at_fault():
    def fails(model, sets):
        return any(node.op_type == "Neg" for node in model.graph.node)

    sets = [{"x": np.ones((size, 4), np.float32)} for size in (3, 5)]
    model, sets = shrink(chain(), sets, fails, 30)
    assert [node.op_type for node in model.graph.node] == ["Neg"]
    [inputs] = sets
    assert [array.shape for array in inputs.values()] == [(1, 1)]


def test_tolerance_sees_faults_and_forgives_rounding():
    x = np.linspace(-3, 3, 20, dtype=np.float32).reshape(5, 4)
    expected = wide_reference.WideModel(chain()).expect({"x": x})
    exact, limit = expected["c"]
    rounded = np.sin(-np.exp(x))
    assert wide_reference.difference(rounded, exact, limit, TensorProto.FLOAT) is None
    wrong = rounded.copy()
    wrong[2, 1] += 1e-4
    message = wide_reference.difference(wrong, exact, limit, TensorProto.FLOAT)
    assert message.startswith("1 of 20 elements differ, first at [2, 1]")
    wrong[2, 1] = np.nan
    assert wide_reference.difference(wrong, exact, limit, TensorProto.FLOAT)


def test_tolerance_forgives_roundings_of_equal_addends():
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    node = helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "sum", [value("x", [3000])], [value("y", [])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    x = np.full(3000, 0.83086103, np.float32)
    exact, limit = wide_reference.WideModel(model).expect({"x": x})["y"]
    one_by_one = np.cumsum(x)[-1]
    assert abs(one_by_one - exact) > 1e-5 * exact
    assert wide_reference.difference(one_by_one, exact, limit, TensorProto.FLOAT) is None
    assert wide_reference.difference(one_by_one * np.float32(1.001), exact, limit, TensorProto.FLOAT)


def test_tolerance_leaves_products_open_whose_parts_overflow():
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)  # noqa: E731
    node = helper.make_node("ReduceProd", ["x"], ["y"], keepdims=0)
    graph = helper.make_graph([node], "product", [value("x", [200])], [value("y", [])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    wide = wide_reference.WideModel(model)
    for factor, is_open in [(1.01, False), (30.0, True)]:
        x = np.array([factor, 1 / factor] * 100, np.float32)
        exact, limit = wide.expect({"x": x})["y"]
        assert bool(np.isinf(limit)) == is_open


def resized(x, scale, **attributes):
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], axes=[0], **attributes)
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [None])  # noqa: E731
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [1], [scale])
    graph = helper.make_graph([node], "resized", [value("x")], [value("y")], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)])
    return wide_reference.WideModel(model).expect({"x": x})["y"]


def test_sizes_are_scaled_in_f32():
    x = np.arange(40, dtype=np.float32)
    assert resized(x, 2.3, mode="cubic")[0].shape == (92,)


def test_the_only_element_of_pytorch_half_pixel_is_at_0():
    exact, _ = resized(np.array([3, 5], np.float32), 0.75, mode="linear",
                       coordinate_transformation_mode="pytorch_half_pixel")
    np.testing.assert_array_equal(exact, [3])


def test_tolerance_forgives_places_in_f32():
    x = np.sin(np.arange(64, dtype=np.float32))
    exact, limit = resized(x, 11 / 64, mode="cubic")
    steepest = np.abs(np.diff(x)).max()
    assert 0 < limit.max() < 20 * 64 * 2.0**-23 * steepest
