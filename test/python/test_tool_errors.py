"""What the tool does with bad input and in bad surroundings: a message that
names what is wrong, an exit code that docs/troubleshooting.md explains, nothing
left behind, and never a crash."""

import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from models import save_lookup, save_product, save_square, save_tower

SUCCESS, USAGE, INVALID, UNSUPPORTED, CANNOT_WRITE, OUT_OF_MEMORY = 0, 2, 3, 4, 5, 71


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "lookup.onnx"
    save_lookup(path)
    return path.read_bytes()


# --- Models


@pytest.mark.parametrize("part", [0, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99])
def test_truncated_models(tool, tmp_path, good, part):
    (tmp_path / "cut.onnx").write_bytes(good[: int(len(good) * part)])
    for command in ("compile", "check", "run"):
        text = tool(command, "cut.onnx", code=INVALID, cwd=tmp_path)
        assert "error: 'cut.onnx': " in text, text
    assert names(tmp_path) == ["cut.onnx"]


def test_damaged_models(tool, tmp_path, good):
    """Any byte may be wrong; what is still a model may compile."""
    chance = random.Random(0)
    for number in range(12):
        damaged = bytearray(good)
        for _ in range(1 + number % 3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        text = tool(
            "compile", "damaged.onnx", code=(SUCCESS, INVALID, UNSUPPORTED), cwd=tmp_path
        )
        assert "internal error" not in text


@pytest.mark.parametrize("content", [b"\xff" * 1000, bytes(range(256)) * 8, b"text\n", b"\0" * 99])
def test_random_files(tool, tmp_path, content):
    (tmp_path / "random.onnx").write_bytes(content)
    assert "error: 'random.onnx'" in tool("compile", "random.onnx", code=INVALID, cwd=tmp_path)


def test_no_file(tool, tmp_path):
    for command in ("compile", "check", "run", "inspect"):
        assert "none.onnx'" in tool(command, "none.onnx", code=INVALID, cwd=tmp_path)
        text = tool(command, tmp_path, code=INVALID)
        assert str(tmp_path) in text, text


def test_missing_external_data(tool, tmp_path):
    save_product(tmp_path / "model.onnx", 64, 64, external="model.data")
    data = tmp_path / "model.data"
    content = data.read_bytes()
    data.write_bytes(content[:-1])
    text = tool("compile", "model.onnx", code=INVALID, cwd=tmp_path)
    assert "'w'" in text and "model.data" in text, text
    data.unlink()
    text = tool("compile", "model.onnx", code=INVALID, cwd=tmp_path)
    assert "'w'" in text and "model.data" in text, text
    assert names(tmp_path) == ["model.onnx"]


def test_unsupported_nodes_are_named(tool, tmp_path):
    from models import helper, model_of, onnx, value

    nodes = [helper.make_node("Foo", ["x"], ["y"], name="strange", domain="custom")]
    model = model_of(nodes, [value("x", "f4", [2])], [value("y", "f4", [2])])
    model.opset_import.append(helper.make_opsetid("custom", 1))
    onnx.save(model, tmp_path / "model.onnx")
    for command in ("compile", "check", "run"):
        text = tool(command, "model.onnx", code=UNSUPPORTED, cwd=tmp_path)
        assert "node 'strange' (custom.Foo, opset 1)" in text, text


# --- Output


def test_output_folder_is_missing(tool, tmp_path):
    save_square(tmp_path / "model.onnx", "f4")
    for output in ("none/model.so", "model.onnx/model.so"):
        text = tool("compile", "model.onnx", "-o", output, code=CANNOT_WRITE, cwd=tmp_path)
        assert "cannot write" in text and os.path.dirname(output) in text, text
    text = tool(
        "compile", "model.onnx", "--emit=kernel", "-o", "none/a.mlir", code=CANNOT_WRITE,
        cwd=tmp_path,
    )
    assert "cannot write 'none/a.mlir'" in text
    text = tool("compile", "model.onnx", "-o", tmp_path, code=CANNOT_WRITE, cwd=tmp_path)
    assert "cannot write" in text and str(tmp_path) in text
    assert names(tmp_path) == ["model.onnx"]


def test_devices_are_not_replaced(tool, tmp_path):
    save_square(tmp_path / "model.onnx", "f4")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = tool("compile", "model.onnx", "-o", pipe, code=CANNOT_WRITE, cwd=tmp_path)
    assert "not a regular file" in text
    assert pipe.is_fifo()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_is_read_only(tool, tmp_path):
    save_square(tmp_path / "model.onnx", "f4")
    tmp_path.chmod(0o555)
    text = tool("compile", "model.onnx", code=CANNOT_WRITE, cwd=tmp_path)
    assert "Permission denied" in text


def limit_file_size(limit):
    """A limit on the size of files stands for a full disk: writes fail half-way."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


@pytest.mark.parametrize("weights", ["section", "file"])
def test_disk_is_full(tool, tmp_path, weights):
    """At every limit up to the largest file that is written, whatever is written
    at that size: the object, the library, the weights."""
    save_product(tmp_path / "model.onnx", 256, 256)
    output = tmp_path / "model.so"
    sizes = []
    for option in ("--emit=object", "--weights=none", f"--weights={weights}"):
        tool("compile", "model.onnx", option, "-o", output, cwd=tmp_path)
        sizes += [path.stat().st_size for path in tmp_path.glob("model.so*")]
        for path in tmp_path.glob("model.so*"):
            path.unlink()
    largest = max(sizes)
    # The weights alone are larger than the code.
    assert largest > max(sizes[:2]) + 4096
    limits = {1, 100, *(size - 1 for size in sizes), *range(5000, largest, largest // 4)}

    output.write_text("the old one")
    before = names(tmp_path)
    for limit in sorted(limits):
        text = tool(
            "compile", "model.onnx", f"--weights={weights}", code=CANNOT_WRITE, cwd=tmp_path,
            preexec_fn=limit_file_size(limit),
        )
        # One line: no stack of the linker's, nothing of the compiler's own form.
        assert "cannot write '" in text and text.count("\n") <= 2, (limit, text)
        assert "Stack dump" not in text and "graph." not in text, (limit, text)
        assert names(tmp_path) == before, limit
        assert output.read_text() == "the old one"
    tool(
        "compile", "model.onnx", f"--weights={weights}", cwd=tmp_path,
        preexec_fn=limit_file_size(largest),
    )


def test_disk_is_full_for_texts(tool, tmp_path):
    save_product(tmp_path / "model.onnx", 8, 8)
    before = names(tmp_path)
    for arguments in (
        ("--emit=kernel", "-o", "kernel.mlir"), ("--emit=llvm", "-o", "code.ll"),
        ("--save-states", "."), ("--report=report.json", "--emit=asm", "-o", "/dev/stdout"),
    ):
        text = tool(
            "compile", "model.onnx", *arguments, code=CANNOT_WRITE, cwd=tmp_path,
            preexec_fn=limit_file_size(99),
        )
        assert "error: cannot write '" in text, (arguments, text)
        assert names(tmp_path) == before


@pytest.mark.parametrize("command", ["check m.onnx", "run m.onnx", "inspect m.so", "inspect m.so --manifest"])
def test_standard_output_is_full(tool, tmp_path, command):
    save_square(tmp_path / "m.onnx", "f4")
    tool("compile", "m.onnx", cwd=tmp_path)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [tool.program, *command.split()], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == CANNOT_WRITE
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"


def test_disk_is_full_for_results(tool, tmp_path):
    save_square(tmp_path / "model.onnx", "f4")
    tool("compile", "model.onnx", cwd=tmp_path)
    for output in ("out.npz", "out"):
        text = tool(
            "run", "model.so", "--shape", "n=64", "--output", output, code=CANNOT_WRITE,
            cwd=tmp_path,
            preexec_fn=limit_file_size(999),
        )
        assert "cannot write" in text
    assert not (tmp_path / "out.npz").exists() and names(tmp_path / "out") == []


# --- Signals and memory


def processes_with(text):
    """Command lines of running processes that name `text`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if text.encode() in line:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.05, 0.3, 0.8, 1.5, 2.0])
def test_signals(tool, tmp_path, number, delay):
    save_tower(tmp_path / "tower.onnx", 24)
    process = subprocess.Popen(
        [tool.program, "compile", "tower.onnx", "-o", tmp_path / "tower.so"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    time.sleep(delay)
    process.send_signal(number)
    text, _ = process.communicate(timeout=60)
    time.sleep(0.1)
    assert not processes_with(str(tmp_path / "tower.so"))
    if process.returncode == 0:
        pytest.skip("it was done before the signal came")
    # A process that was still starting has no handler yet.
    assert process.returncode in (128 + number, -number), text
    assert "internal error" not in text
    if names(tmp_path) == ["tower.onnx", "tower.so"]:
        # It came after the library had its name: whole, then.
        tool("inspect", "tower.so", code=0, cwd=tmp_path)
        (tmp_path / "tower.so").unlink()
    assert names(tmp_path) == ["tower.onnx"]


def test_a_killed_tool_takes_its_child_along(tool, tmp_path):
    save_tower(tmp_path / "tower.onnx", 24)
    process = subprocess.Popen(
        [tool.program, "compile", "tower.onnx", "-o", tmp_path / "tower.so"], cwd=tmp_path
    )
    time.sleep(0.5)
    process.kill()
    process.wait()
    for _ in range(50):
        if not processes_with(str(tmp_path / "tower.so")):
            break
        time.sleep(0.1)
    assert not processes_with(str(tmp_path / "tower.so"))
    assert names(tmp_path) == ["tower.onnx"]


def test_out_of_memory(tool, is_sanitized, tmp_path):
    """At some limit on the address space, beyond what loading the program's
    libraries takes, a compilation has too little."""
    if is_sanitized:
        pytest.skip("sanitizers take the address space")
    save_tower(tmp_path / "tower.onnx", 24)
    seen = set()
    for megabytes in range(280, 700, 20):
        limit = megabytes << 20
        done = subprocess.run(
            [tool.program, "compile", "tower.onnx"], cwd=tmp_path,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        if done.returncode == 127:  # the libraries do not fit
            continue
        seen.add(done.returncode)
        if done.returncode == OUT_OF_MEMORY:
            assert "error: out of memory" in done.stdout
            assert names(tmp_path) == ["tower.onnx"]
        assert "internal error" not in done.stdout, (megabytes, done.stdout)
        if done.returncode == 0:
            break
    assert OUT_OF_MEMORY in seen, seen


# --- Command line


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "no command is given; expects compile, run, check, inspect"),
        (["complie", "m.onnx"], "unknown command 'complie'; did you mean 'compile'?"),
        (["compile"], "model is required"),
        (["compile", "m.onnx", "--sahpe=a=1"], "unknown option '--sahpe'; did you mean '--shape'?"),
        (["compile", "m.onnx", "x"], "unexpected argument 'x'"),
        (["compile", "m.onnx", "--emit=kernl"], "unknown state 'kernl'; did you mean 'kernel'?"),
        (["compile", "m.onnx", "-O7"], "not in range 0 to 3"),
        (["compile", "m.onnx", "--shape", "n"], "--shape n: expects SYMBOL=SIZE"),
        (["compile", "m.onnx", "--shape", "n=8:4"], "expects SYMBOL=SIZE"),
        (["compile", "m.onnx", "--shape", "k=8"], "no size is named 'k'; "),
        (["compile", "m.onnx", "--shape", "nn=8"], "'nn'; did you mean 'n'?"),
        (["compile", "m.onnx", "--cpu", "znver44"], "unknown CPU 'znver44'; did you mean 'znver4'?"),
        (["compile", "m.onnx", "--weights", "fiel"], "fiel not in {section,file,none}"),
        (["run", "m.onnx", "--threads=-1"], "not in range"),
        (["run", "m.onnx", "--tolerance=-1"], "tolerance"),
    ],
)
def test_wrong_command_lines(tool, tmp_path, arguments, message):
    save_square(tmp_path / "m.onnx", "f4")
    text = tool(*arguments, code=USAGE, cwd=tmp_path)
    assert "error: " in text and message in text, text


def test_help_and_version(tool):
    for command in ("compile", "run", "check", "inspect"):
        text = tool(command, "--help")
        assert f"Examples:\n  tessera {command} " in text
        assert command in tool("--help")
    text = tool("--version")
    assert "LLVM 22" in text and "ai.onnx 7 to" in text and "znver4" in text


def test_no_colour_and_no_progress_in_files(tool, tmp_path):
    save_square(tmp_path / "m.onnx", "f4")
    assert tool("compile", "m.onnx", cwd=tmp_path, env={**os.environ, "TERM": "xterm"}) == ""
    assert "\x1b" not in tool("compile", "none.onnx", code=INVALID, cwd=tmp_path)


@pytest.mark.parametrize("no_color", [None, "1"])
def test_colour_on_a_terminal(tool, tmp_path, no_color):
    main, end = os.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    if no_color:
        environment["NO_COLOR"] = no_color
    subprocess.run(
        [tool.program, "compile", "none.onnx"], cwd=tmp_path, stderr=end, env=environment
    )
    text = os.read(main, 10000).decode()
    os.close(end)
    os.close(main)
    assert "none.onnx" in text
    assert ("\x1b[1;31merror:" in text) == (not no_color)
