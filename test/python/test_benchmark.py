"""tessera.benchmark: its table and errors; never its numbers."""

import io

import pytest
from models import save_tower
from tessera import benchmark

pytest.importorskip("onnxruntime")


@pytest.fixture
def short_blocks(monkeypatch):
    monkeypatch.setattr(benchmark, "BLOCK_SECONDS", 0)
    monkeypatch.setattr(benchmark, "PAUSE_SECONDS", 0)


def test_a_line_for_each_number_of_threads(tmp_path, short_blocks):
    save_tower(tmp_path / "tower.onnx", 1, width=8)
    out = io.StringIO()
    arguments = [str(tmp_path / "tower.onnx"), "--size", "n=5", "--threads", "1,2", "--blocks", "1"]
    assert benchmark.main(arguments, out) == 0
    head, first, second = out.getvalue().splitlines()
    assert head.split() == ["threads", "ours", "ms", "ORT", "ms", "ratio"]
    assert first.split()[0] == "1" and second.split()[0] == "2"
    assert all(float(number) > 0 for number in first.split()[1:3])


def test_an_unknown_size_is_named(tmp_path, short_blocks, capsys):
    save_tower(tmp_path / "tower.onnx", 1, width=8)
    assert benchmark.main([str(tmp_path / "tower.onnx"), "--size", "m=5"]) == 2
    assert "no size is named 'm'; the model has 'n'" in capsys.readouterr().err
