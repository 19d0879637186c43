"""A fixed part of ONNX's backend suite: what is recorded as passing must pass.

Of each form every n-th recorded case, and all of `once-failed.txt`: cases that
once gave wrong results or crashed something. run.py runs all of them.
"""

import os

import pytest

pytest.importorskip("onnx")

import run  # noqa: E402
from cases import load_cases  # noqa: E402
from forms import FORMS  # noqa: E402

# So that the three forms together take about a minute on two cores.
CASES_PER_FORM = 90


@pytest.fixture(scope="module")
def cases():
    return load_cases()


def chosen_names(form):
    names = sorted(run.recorded(form))
    step = max(1, len(names) // CASES_PER_FORM)
    once_failed = set((run.FOLDER / "once-failed.txt").read_text().split())
    return set(names[::step]) | once_failed & set(names)


@pytest.mark.parametrize("form", FORMS)
def test_recorded_cases_pass(cases, form):
    names = chosen_names(form)
    chosen = [case for case in cases if case.name in names]
    missing = names - {case.name for case in chosen}
    assert not missing, f"the suite has no case {sorted(missing)}"
    records = run.run_cases(chosen, form, os.cpu_count())
    assert len(records) == len(chosen)
    assert not run.regressions(records, form)
