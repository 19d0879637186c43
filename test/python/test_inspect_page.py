"""tessera inspect --html and the profiles of tessera run."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from models import model_of, onnx, save_lookup, save_tower, value

LAYERS = 6


class Page(HTMLParser):
    """Open elements, attributes and the text of scripts."""

    VOID = {"meta", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.scripts, self.attributes = [], {}, []
        self.feed(text)
        self.close()
        assert not self.open
        self.data = json.loads(self.scripts["model"])

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        if tag not in self.VOID:
            self.open.append((tag, dict(attributes).get("id", "")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script":
            self.scripts[self.open[-1][1]] = self.scripts.get(self.open[-1][1], "") + data


@pytest.fixture(scope="module")
def tower(tool, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tower")
    save_tower(folder / "tower.onnx", LAYERS)
    tool("compile", "tower.onnx", "--shape", "n=1:8:64", cwd=folder)
    return folder / "tower.so"


@pytest.fixture
def page_of(tool, tmp_path):
    def make(library, *arguments):
        tool("inspect", library, "--html", tmp_path / "page.html", *arguments)
        return Page((tmp_path / "page.html").read_text())

    return make


def test_it_needs_nothing_else(tool, tower, tmp_path):
    tool("inspect", tower, "--html", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert not re.search(r"https?:|//[\w-]+\.\w|\burl\(|@import|fetch\(|XMLHttp", text)
    assert not {"src", "href", "srcset", "action"} & {name for name, _ in Page(text).attributes}


def test_it_has_every_kernel_call_and_node(tool, tower, page_of):
    data = page_of(tower).data
    manifest = json.loads(tool("inspect", tower, "--manifest"))
    assert data["kernels"] == manifest["kernels"]
    assert len(data["calls"]) >= LAYERS
    assert {call["kernel"] for call in data["calls"]} == set(range(len(data["kernels"])))
    weights = 0
    for call in data["calls"]:
        kernel = data["kernels"][call["kernel"]]
        assert len(call["arguments"]) == len(kernel["arguments"])
        assert call["arguments"][-1][0] in ("value", "output") and kernel["outputs"] == 1
        assert call["nodes"]
        weights += sum(place[2] for place in call["arguments"] if place[0] == "weights")
    assert data["weights"] * 0.9 <= weights <= data["weights"]


def test_storage_is_that_of_the_sizes(tower, page_of):
    for n in (1, 64):
        data = page_of(tower, "--shape", f"n={n}").data
        assert data["symbols"] == [
            {"name": "n", "size": n, "min": 1, "typical": 8, "max": 64}
        ]
        assert data["inputs"][0]["shape"] == [n, 64] and data["inputs"][0]["bytes"] == n * 256
        values = data["values"]
        assert len(values) >= LAYERS - 1
        assert max(v["offset"] + v["bytes"] for v in values) <= data["arena"]
        for i, a in enumerate(values):
            assert a["bytes"] == n * 4 * (65 + i)
            for b in values[:i]:
                together = a["first"] <= b["last"] and b["first"] <= a["last"]
                apart = (a["offset"] >= b["offset"] + b["bytes"]
                         or b["offset"] >= a["offset"] + a["bytes"])
                assert apart or not together


def test_a_profile_has_the_time_of_each_call(tool, tower, page_of, tmp_path):
    profile = tmp_path / "profile.json"
    tool("run", tower, "--shape", "n=3", "--threads", 1, "--repeat", 4, "--profile", profile)
    written = json.loads(profile.read_text())
    assert (written["threads"], written["runs"], written["symbols"]) == (1, 4, {"n": 3})
    data = page_of(tower, "--profile", profile).data
    assert data["profile"] == written and data["symbols"][0]["size"] == 3
    assert len(written["calls"]) == len(data["calls"])
    assert all(seconds > 0 for seconds in written["calls"])
    assert sum(written["calls"]) > 0 and written["seconds"] > 0


def test_the_oracle_is_profiled_too(tool, page_of, tmp_path):
    save_lookup(tmp_path / "m.onnx")
    tool("compile", "m.onnx", "-O0", cwd=tmp_path)
    profile = tmp_path / "profile.json"
    tool("run", tmp_path / "m.so", "--shape", "batch=2", "--profile", profile)
    data = page_of(tmp_path / "m.so", "--profile", profile).data
    assert data["profile"]["runs"] == 10
    nodes = {node for call in data["calls"] for node in call["nodes"]}
    assert {"lookup", "project", "shift"} <= nodes


def test_names_do_not_break_the_page(tool, page_of, tmp_path):
    name = '</script><b a="&lt;'
    model = model_of(
        [onnx.helper.make_node("Tanh", ["x"], ["y"], name=name)],
        [value("x", np.float32, ["n"])], [value("y", np.float32, ["n"])],
    )
    onnx.save(model, tmp_path / "m.onnx")
    tool("compile", "m.onnx", cwd=tmp_path)
    assert page_of(tmp_path / "m.so").data["calls"][0]["nodes"] == [name]


def test_what_is_wrong_is_said(tool, tower, add_model, tmp_path):
    page, other = tmp_path / "page.html", tmp_path / "other.json"
    arguments = ["inspect", tower, "--html", page]
    assert "did you mean 'n'" in tool(*arguments, "--shape", "m=3", code=2)
    assert "compiled for 1 to 64" in tool(*arguments, "--shape", "n=65", code=2)
    assert "expects SYMBOL=SIZE" in tool(*arguments, "--shape", "n", code=2)
    other.write_text("{}")
    assert "is no profile" in tool(*arguments, "--profile", other, code=3)
    other.write_text('{"threads": 1, "symbols": {}, "calls": [1.0]}')
    assert "profile of another model" in tool(*arguments, "--profile", other, code=3)
    assert "--html" in tool("inspect", tower, "--shape", "n=1", code=2)
    # Made by hand, without calls.
    assert "compile it again" in tool("inspect", add_model, "--html", page, code=3)
    assert "compile it again" in tool("run", add_model, "--profile", other, code=3)
    assert not page.exists()
    missing = tmp_path / "missing/page.html"
    assert "cannot write" in tool("inspect", tower, "--html", missing, code=5)
