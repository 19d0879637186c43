"""Libraries with code for several CPUs. This machine may have AVX-512 or not."""

import json
import re

import numpy as np
import pytest
import tessera
from models import save_tower

CPUS = ("x86-64-v3", "x86-64-v4")


@pytest.fixture(scope="module")
def folder(tool, tmp_path_factory):
    """tower.so for both CPUs, and one library for each."""
    folder = tmp_path_factory.mktemp("targets")
    save_tower(folder / "tower.onnx", 2, width=200)
    tool("compile", "tower.onnx", "--cpu=" + ",".join(CPUS), cwd=folder)
    for cpu in CPUS:
        tool("compile", "tower.onnx", "--cpu", cpu, "-o", f"{cpu}.so", cwd=folder)
    return folder


def features_of(text):
    """What each target needs, in the order of the library: [(cpu, features)]."""
    found = re.findall(r"^(?:needs|or)\s+x86-64 with (\S+) \(compiled for (\S+)\)", text, re.MULTILINE)
    return [(cpu, features) for features, cpu in found]


def taken(tool, library):
    return re.findall(r"compiled for (\S+)\), taken on this machine", tool("inspect", library))


def has_avx512():
    with open("/proc/cpuinfo") as info:
        return "avx512vl" in info.read()


def test_both_targets_are_listed(tool, folder):
    text = tool("inspect", folder / "tower.so")
    assert [cpu for cpu, _ in features_of(text)] == list(CPUS)
    assert [features for _, features in features_of(text)] == [
        features
        for cpu in CPUS
        for _, features in features_of(tool("inspect", folder / f"{cpu}.so"))
    ]


def test_the_page_names_both_and_says_whose_kernels_it_shows(tool, folder):
    tool("inspect", "tower.so", "--html", "page.html", cwd=folder)
    text = (folder / "page.html").read_text()
    data = json.loads(re.search(r'<script [^>]*id="model">(.*?)</script>', text, re.DOTALL)[1])
    best = taken(tool, folder / "tower.so")
    assert data["targets"] == [cpu + " (shown)" if cpu in best else cpu for cpu in CPUS]


def test_the_best_for_this_machine_is_taken(tool, folder):
    best = CPUS[1] if has_avx512() else CPUS[0]
    assert taken(tool, folder / "tower.so") == [best]
    session = tessera.load(folder / "tower.so")
    alone = tessera.load(folder / f"{best}.so")
    assert json.loads(session.manifest) == json.loads(alone.manifest)
    assert json.loads(session.manifest)["machine"]["cpu"] == best
    x = np.random.default_rng(0).standard_normal((7, 200), np.float32)
    np.testing.assert_array_equal(session.run(None, {"x": x})[0], alone.run(None, {"x": x})[0])


def test_the_order_does_not_matter(tool, folder):
    tool(
        "compile", "tower.onnx", "--cpu", CPUS[1], "--cpu", CPUS[0], "-o", "turned.so", cwd=folder
    )
    assert taken(tool, folder / "turned.so") == taken(tool, folder / "tower.so")


def test_weights_of_one_layout_are_stored_once(folder):
    sizes = {name: (folder / f"{name}.so").stat().st_size for name in (*CPUS, "tower")}
    weights = 4 * sum((200 + layer) * (200 + layer + 1) for layer in range(2))
    assert weights < sizes[CPUS[0]]
    assert sizes["tower"] < sizes[CPUS[0]] + weights / 2 + sizes[CPUS[1]] - weights


def test_compiling_twice_gives_the_same_bytes(tool, folder):
    tool("compile", "tower.onnx", "--cpu=" + ",".join(CPUS), "-o", "again.so", cwd=folder)
    assert (folder / "again.so").read_bytes() == (folder / "tower.so").read_bytes()


def test_weights_in_a_file(tool, folder):
    tool("compile", "tower.onnx", "--cpu=" + ",".join(CPUS), "--weights=file",
         "-o", "file.so", cwd=folder)
    session = tessera.load(folder / "file.so", verify="full")
    x = np.ones((2, 200), np.float32)
    np.testing.assert_array_equal(
        session.run(None, {"x": x})[0], tessera.load(folder / "tower.so").run(None, {"x": x})[0]
    )


def test_a_machine_that_lacks_all_targets_is_refused(tool, folder, tmp_path):
    forged = tmp_path / "forged.so"
    content = (folder / "tower.so").read_bytes()
    assert content.count(b",fma,") >= 2
    forged.write_bytes(content.replace(b",fma,", b",tbm,"))
    with pytest.raises(tessera.TesseraError) as refused:
        tessera.load(forged)
    text = str(refused.value)
    assert "forged.so': has no code for this machine" in text
    for cpu in CPUS:
        assert re.search(rf"compiled for {cpu}, it needs CPU features that .* lacks: .*tbm", text)
    assert "has no code for this machine" in tool("run", forged, code=6)
    assert taken(tool, forged) == []


def test_another_target_is_taken_where_one_is_lacking(tool, folder, tmp_path):
    """The newer one forged away, where this machine has it."""
    content = (folder / "tower.so").read_bytes()
    assert content.count(b",avx512vl") >= 1
    forged = tmp_path / "forged.so"
    forged.write_bytes(content.replace(b",avx512vl", b",avx512vX"))
    assert taken(tool, forged) == [CPUS[0]]


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--cpu=x86-64-v3,x86-64-v3"], "names x86-64-v3 twice"),
        (["--cpu=x86-64-v3,pentium"], "unknown CPU 'pentium'"),
        (["--cpu=x86-64-v3,x86-64-v4", "--emit=asm"], "only a library has code for several CPUs"),
    ],
)
def test_wrong_lists_are_refused(tool, folder, flags, message):
    assert message in tool("compile", "tower.onnx", "-o", "wrong.so", *flags, code=2, cwd=folder)
    assert not (folder / "wrong.so").exists()


def test_a_machine_file_is_for_one(tool, folder):
    (folder / "machine.json").write_text('{"base": "x86-64-v3"}')
    text = tool("compile", "tower.onnx", "--cpu=x86-64-v3,x86-64-v4", "--machine=machine.json",
                code=2, cwd=folder)
    assert "--machine describes one CPU, but --cpu names 2" in text


def test_states_are_saved_for_each(tool, folder, tmp_path):
    tool("compile", folder / "tower.onnx", "-o", tmp_path / "t.so", "--cpu=" + ",".join(CPUS),
         f"--save-states={tmp_path}/states", f"--report={tmp_path}/report.json")
    names = {path.name for path in (tmp_path / "states").iterdir()}
    assert {"graph.mlir", "kernel.x86-64-v3.mlir", "kernel.x86-64-v4.mlir"} <= names
    targets = json.loads((tmp_path / "report.json").read_text())["targets"]
    assert [target["machine"]["cpu"] for target in targets] == list(CPUS)
