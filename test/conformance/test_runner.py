"""The runner of the conformance suite: what crashes, hangs or is wrong costs one
case only."""

import os
import signal
import time

import numpy as np
import pytest

pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402

import attempt  # noqa: E402
import forms  # noqa: E402
import page  # noqa: E402
from cases import Case  # noqa: E402
from pool import run_isolated  # noqa: E402


def work(task):
    if task == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "hang":
        time.sleep(1000)
    return ("passed", task)


def test_crashes_and_hangs_cost_one_task():
    tasks = ["a", "crash", "b", "hang", "c"]
    results = {task: result for task, result, _ in run_isolated(tasks, work, 2, timeout=2)}
    assert [results[task] for task in "abc"] == [("passed", task) for task in "abc"]
    assert results["crash"] == ("crashed", "the run ended by SIGKILL")
    assert results["hang"][0] == "timeout"


def relu_case(expected):
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "relu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.array([-1, 2], np.float32)
    return Case("test_relu", "node", model, [([x], [expected])], 1e-3, 1e-7, "Relu")


@pytest.mark.parametrize("form", forms.FORMS)
def test_results_are_compared(form, tmp_path):
    right = np.array([0, 2], np.float32)
    assert attempt.attempt(relu_case(right), form, tmp_path / "a.so") == ("passed", "")
    state, reason = attempt.attempt(relu_case(right + 1), form, tmp_path / "b.so")
    assert (state, reason) == ("wrong", "output 0: 2 of 2 elements differ")
    state, reason = attempt.attempt(relu_case(right.astype(np.float64)), form, tmp_path / "c.so")
    assert state == "wrong" and "expects float64 (2,)" in reason


def test_forms_change_inputs_only():
    case = relu_case(np.zeros(2, np.float32))
    [value] = forms.dynamic_form(case).graph.input
    [dim] = value.type.tensor_type.shape.dim
    assert not dim.HasField("dim_value")
    constant = forms.constant_form(case).graph
    assert not constant.input and [t.name for t in constant.initializer] == ["x"]


def test_refusals_carry_the_reason(tmp_path):
    case = relu_case(np.zeros(2, np.float32))
    case.model.graph.node[0].op_type = "NoSuchOperator"
    state, reason = attempt.attempt(case, "static", tmp_path / "a.so")
    assert state == "refused" and "NoSuchOperator" in reason
    assert str(tmp_path) not in reason


def test_page_names_reasons_once():
    record = {"operator": "Relu", "opset": 17, "form": "static", "case": "a"}
    records = [
        {**record, "state": "passed", "reason": ""},
        {**record, "opset": 6, "state": "refused", "reason": "error: node 'x' (Relu, opset 6): no | luck"},
        {**record, "form": "dynamic", "state": "wrong", "reason": "output 0"},
    ]
    text = page.render(records)
    assert "| static | 1 | 2 | 0 | 1 | 0 | 0 |" in text
    assert r"| Relu | 6-17 | 1/2 | 0/1 | - | (Relu, opset 6): no \| luck (static); wrong: output 0 (dynamic) |" in text


def test_page_leaves_files_out():
    record = {"operator": "Relu", "opset": 6, "case": "a", "state": "refused"}
    records = [
        {**record, "form": form, "reason": f"error: '{number}.onnx': opset 6 is too old"}
        for number, form in enumerate(["static", "dynamic"])
    ]
    assert page.render(records).count("opset 6 is too old") == 1
    assert ".onnx'" not in page.render(records)
