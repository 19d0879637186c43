"""The numbers of kernel calls: those of program order, in observers and manifest."""

import ctypes
import json

import numpy as np
import pytest
import tessera
from tessera import _session
from test_caches import HEADS, WIDTH, empty_past, save_decoder

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


@pytest.fixture
def observed(monkeypatch):
    """Loads a library; gives its session and the list of the numbers it tells."""
    calls = []
    observer = FUNCTION(lambda _, call: calls.append(call))

    class Options(_session.SessionOptions):
        _fields_ = [("after_call", ctypes.c_void_p), ("observer", ctypes.c_void_p)]

        def __init__(self, **fields):
            super().__init__(**fields)
            self.after_call = ctypes.cast(observer, ctypes.c_void_p).value

    monkeypatch.setattr(_session, "SessionOptions", Options)

    def load(path):
        session = tessera.load(path, threads=1)
        session.keep = observer
        return session, calls

    return load


@pytest.mark.parametrize("axis", [1, 2], ids=["positions-first", "heads-first"])
def test_a_cache_that_is_not_copied_leaves_its_number_out(observed, tmp_path, axis):
    session, told = observed(tessera.compile(save_decoder(tmp_path / "m.onnx", axis)))
    [calls] = json.loads(session.manifest)["calls"].values()
    numbers = {port.name: i for i, port in enumerate(session.get_inputs())}
    caches = [["input", numbers[name]] for name in ("in_k", "in_v")]
    copies = {i for i, call in enumerate(calls)
              if len(call["arguments"]) == 2 and call["arguments"][0] in caches}
    assert len(copies) == 2 and len(calls) > max(copies) + 1

    x = np.ones((1, 1, HEADS * WIDTH), np.float32)
    past = {name: empty_past(axis, 1, 3) for name in ("in_k", "in_v")}
    session.run(None, {"x": x, **past})
    assert told == [-1, *range(len(calls))]

    # Nothing is in place before the first token is.
    caches = session.make_caches(8, b=1)
    session.run(None, {"x": x}, caches=caches)
    told.clear()
    session.run(None, {"x": x}, caches=caches)
    assert told == [-1, *(i for i in range(len(calls)) if i not in copies)]
