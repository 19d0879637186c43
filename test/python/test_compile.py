"""tessera.compile: flags, and errors of the child process."""

import io
import os

import pytest
import tessera
from conftest import save_twin
from tessera import compare
from tessera._compile import flags_of
from tessera._library import find_in_builds


def test_options_become_flags():
    options = {
        "shape": {"seq": 128, "batch": "1:8:64"},
        "cpu": "znver4",
        "opt_level": 3,
        "max_threads": 2,
        "verbose": True,
        "quiet": False,
        "machine": None,
        "tap": ["a", "b"],
    }
    assert flags_of(options) == [
        "--shape=seq=128",
        "--shape=batch=1:8:64",
        "--cpu=znver4",
        "-O3",
        "--max-threads=2",
        "--verbose",
        "--tap=a",
        "--tap=b",
    ]


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """Makes a stand-in for the compiler of a shell script."""

    def make(script):
        path = tmp_path / "compiler"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        monkeypatch.setenv("TESSERA_COMPILER", str(path))

    return make


def test_command_line(compiler, tmp_path):
    compiler(f'echo "$@" > {tmp_path}/arguments')
    output = tessera.compile(tmp_path / "net.onnx", cpu="znver4")
    assert output == tmp_path / "net.so"
    expected = f"compile {tmp_path}/net.onnx -o {tmp_path}/net.so --cpu=znver4\n"
    assert (tmp_path / "arguments").read_text() == expected
    assert tessera.compile("a.onnx", "b.so") == type(output)("b.so")


def test_refusal_carries_the_message(compiler):
    compiler("echo \"node 'a' (Foo): not supported\" >&2; exit 1")
    with pytest.raises(tessera.CompileError, match=r"node 'a' \(Foo\): not supported") as caught:
        tessera.compile("net.onnx")
    assert caught.value.exit_code == 1


def test_crash_is_an_error(compiler):
    compiler("kill -9 $$")
    with pytest.raises(tessera.CompileError, match="ended with code -9") as caught:
        tessera.compile("net.onnx")
    assert caught.value.exit_code == -9


def test_missing_compiler(monkeypatch, tmp_path):
    monkeypatch.setenv("TESSERA_BUILD_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("TESSERA_COMPILER", raising=False)
    with pytest.raises(tessera.TesseraError, match="compiler 'tessera' was not found"):
        tessera.compile("net.onnx")


def test_compiled_model_agrees_with_onnx_runtime(tmp_path):
    """The whole way: compile, load, run, compare."""
    pytest.importorskip("onnxruntime")
    if not find_in_builds("bin/tessera"):
        pytest.skip("the compiler is not built")
    out = io.StringIO()
    model = save_twin(tmp_path / "twin.onnx")
    assert compare.main([str(model), "--shape=n=1:8:1000"], out) == 0, out.getvalue()
    assert out.getvalue().count(" ok") == 4
    [port, _] = tessera.load(tessera.compile(model, shape={"n": 4})).get_inputs()
    assert port.shape == [4, 4]


def test_a_compiler_that_hangs_is_ended(compiler):
    compiler("exec sleep 1000")
    with pytest.raises(TimeoutError, match="more than 0.2 s"):
        tessera.compile("net.onnx", "net.so", timeout=0.2)


@pytest.mark.parametrize(
    "state, begin", [("graph", "module"), ("llvm", "; ModuleID"), ("asm", "\t.")]
)
def test_text_goes_to_standard_output(tool, tmp_path, state, begin):
    save_twin(tmp_path / "twin.onnx")
    text = tool("compile", "twin.onnx", "--emit", state, "-o", "-", cwd=tmp_path)
    assert text.startswith(begin) or f"\n{begin}" in text
    assert [path.name for path in tmp_path.iterdir()] == ["twin.onnx"]


def test_a_report_may_follow_the_text(tool, tmp_path):
    save_twin(tmp_path / "twin.onnx")
    text = tool("compile", "twin.onnx", "--emit=asm", "-o", "-", "--report", cwd=tmp_path)
    code, report = text.split("1 kernels: ")
    assert "\t.text\n" in code and report.startswith("builder 0, rows 1")


@pytest.mark.parametrize("state", ["object", "so"])
def test_code_does_not(tool, tmp_path, state):
    save_twin(tmp_path / "twin.onnx")
    text = tool("compile", "twin.onnx", "--emit", state, "-o", "-", code=2, cwd=tmp_path)
    assert "only text goes to standard output" in text
    assert [path.name for path in tmp_path.iterdir()] == ["twin.onnx"]
