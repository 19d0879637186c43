"""Booleans of unknown sizes that are joined and padded where every operation is a
kernel of its own (-O0), so that none has a place for an intermediate."""

import numpy as np
import onnx
import pytest
import tessera
from onnx.reference import ReferenceEvaluator

RNG = np.random.default_rng(5)
MODELS = {
    "joined": "g (bool[n, m] x, bool[n, k] y) => (bool[n, l] z) { z = Concat<axis = 1>(x, y) }",
    "joined after an operation": """g (bool[n, m] x, bool[n, k] y) => (bool[n, l] z)
        { a = Not(x) z = Concat<axis = -1>(a, y, x) }""",
    "padded": """g (bool[n, m] x, bool[n, k] y) => (bool[a, b] z)
        <int64[4] pads = {0, 1, 2, 3}, bool yes = {1}>
        { p = Pad(x, pads, yes) q = Pad(y, pads) z = Concat<axis = 1>(p, q) }""",
}


@pytest.mark.parametrize("opt_level", [0, 3])
@pytest.mark.parametrize("name", MODELS)
def test_booleans(tmp_path, name, opt_level):
    model = onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 18]>' + MODELS[name])
    onnx.save(model, tmp_path / "model.onnx")
    inputs = {"x": RNG.random((7, 33)) < 0.5, "y": RNG.random((7, 5)) < 0.5}
    library = tessera.compile(tmp_path / "model.onnx", opt_level=opt_level)
    [z] = tessera.load(library).run(None, inputs)
    np.testing.assert_array_equal(z, ReferenceEvaluator(model).run(None, inputs)[0])
