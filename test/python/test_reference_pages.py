"""docs/dialects and docs/passes.md are what the definitions say."""

import re
from pathlib import Path

import pytest
from reference_pages import ROOT, pages


@pytest.fixture(scope="module")
def made(settings):
    tablegen = Path(settings["MLIR_DIR"]).parents[2] / "bin/mlir-tblgen"
    if not tablegen.exists():
        pytest.skip("no mlir-tblgen")
    return tablegen, pages(tablegen)


def test_the_pages_are_up_to_date(made):
    tablegen, texts = made
    for path, text in texts.items():
        assert path.read_text() == text, f"run: python test/python/reference_pages.py {tablegen}"


def test_every_pass_and_dialect_has_its_place(made):
    _, texts = made
    everything = "\n".join(texts.values())
    for path in [*ROOT.glob("lib/**/Passes.td"), *ROOT.glob("dialects/**/Passes.td")]:
        for name in re.findall(r'\bPass<\s*"([a-z0-9-]+)"', path.read_text()):
            assert f"### `{name}`" in everything, path
    for path in ROOT.glob("dialects/*/IR/*Ops.td"):
        assert f"{path.parents[1].name.lower()}.md" in {page.name for page in texts}


def test_every_operation_and_pass_is_described(made):
    _, texts = made
    for path, text in texts.items():
        assert text.count("\n```") % 2 == 0
        for heading, body in re.findall(r"^### (`.*?`)\n(.*?)(?=^##|\Z)", text, re.M | re.S):
            words = re.sub(r"```.*?```|^(?:Traits|Interfaces):.*$|^_.*_$|Syntax:", "", body,
                           flags=re.S | re.M).split()
            assert len(words) >= 4 or "```mlir" in body, f"{path.name}: {heading} has no description"
