"""What the pages name exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
FOLDERS = "dialects|docs|examples|include|lib|python|test|tools"


def links(text):
    return re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", re.sub(r"```.*?```", "", text, flags=re.S))


def anchors(path):
    """As code hosts make them of headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in links(text):
        assert (page.parent / target).exists(), f"links {target}"
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", text):
        there = page.parent / target if target else page
        assert anchor in anchors(there), f"links {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths_in_the_text_exist(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for path in re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", prose):
        found = list(ROOT.glob(path.rstrip("/"))) + list(ROOT.glob(path + ".*"))
        assert found, f"names {path}"


def test_every_page_is_in_the_index():
    listed = {(ROOT / "docs" / target).resolve() for target in links((ROOT / "docs/README.md").read_text())}
    missing = [page for page in PAGES[1:] if page.name != "README.md" and page.resolve() not in listed]
    assert not missing
