"""--tap: intermediate values as outputs, compared with ONNX Runtime's."""

import io

import numpy as np
import pytest
import tessera
from models import save_tower
from tessera import compare

pytest.importorskip("onnxruntime")


def names_of(session):
    return [port.name for port in session.get_outputs()]


def test_tapped_values_follow_the_outputs(tmp_path):
    save_tower(tmp_path / "tower.onnx", 3, width=8)
    library = tessera.compile(tmp_path / "tower.onnx", tap=["m1", "t0"])
    session = tessera.load(library)
    assert names_of(session) == ["t2", "m1", "t0"]
    x = np.random.default_rng(0).standard_normal((5, 8), np.float32)
    last, product, first = session.run(None, {"x": x})
    assert product.shape == (5, 10) and first.shape == (5, 9) and last.shape == (5, 11)


def test_all_values_agree_with_the_reference(tmp_path):
    model = tmp_path / "tower.onnx"
    save_tower(model, 3, width=8)
    out = io.StringIO()
    code = compare.main([str(model), "--sizes", "2", "--tap", "all"], out)
    assert code == 0, out.getvalue()
    for name in ["m0", "t0", "m1", "t1", "m2", "t2"]:
        assert f" {name} " in out.getvalue()


def test_an_unknown_value_is_named(tmp_path):
    save_tower(tmp_path / "tower.onnx", 1, width=8)
    with pytest.raises(tessera.CompileError, match="no value to tap is named 'nothing'"):
        tessera.compile(tmp_path / "tower.onnx", tap="nothing")
