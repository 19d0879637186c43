"""tools/check counts what test processes say, and what those leave unsaid that
crash."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"


def load(name):
    sys.path.insert(0, str(TOOLS))
    try:
        spec = importlib.util.spec_from_file_location(f"tools_{name}", TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.pop(0)


check = load("check")
lint = load("lint")


@pytest.fixture
def folders(tmp_path):
    """An empty source and build folder."""
    source, build = tmp_path / "source", tmp_path / "build"
    for folder in ("dialects", "lib", "include", "python", "tools", "test/unit"):
        (source / folder).mkdir(parents=True)
    (build / "bin/unit").mkdir(parents=True)
    (build / "CMakeCache.txt").write_text("")
    return source, build


def unit(folders, scripts):
    source, build = folders
    for name, script in scripts.items():
        path = build / "bin/unit" / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
    rules = "".join(f"build bin/unit/{name}: link\n" for name in [*scripts, "NotBuilt"])
    (build / "build.ninja").write_text(rules)
    return check.Checks(source, build, models=False).unit()


PASSES = """
echo '[ RUN      ] A.One'
echo '[       OK ] A.One (0 ms)'
echo '[ RUN      ] A.Two'
echo '[  SKIPPED ] A.Two (0 ms)'
"""
FAILS = """
echo '[ RUN      ] A.Three'
echo '[  FAILED  ] A.Three (0 ms)'
"""
BEGINS = "echo '[ RUN      ] A.Four'\n"


@pytest.mark.parametrize(
    "script, expected",
    [
        (PASSES, (1, 0, 1)),
        (PASSES + FAILS + "exit 1", (1, 1, 1)),
        (PASSES + BEGINS + "kill -SEGV $$", (1, 1, 1)),
        (PASSES + FAILS + BEGINS + "kill -ABRT $$", (1, 2, 1)),
        # After the last test, as a leak report does.
        (PASSES + "exit 23", (1, 1, 1)),
        ("kill -SEGV $$", (0, 1, 0)),
    ],
    ids=["passes", "fails", "crashes", "fails-and-crashes", "leaks", "crashes-at-once"],
)
def test_unit_counts(folders, script, expected):
    passed, failed, skipped = expected
    # One more failure: NotBuilt.
    assert unit(folders, {"SomeTest": script}) == check.Counts(passed, failed + 1, skipped)


def test_old_executables_do_not_count(folders):
    source, build = folders
    old = build / "bin/unit/Renamed"
    old.write_text("#!/bin/sh\n" + PASSES)
    old.chmod(0o755)
    assert unit(folders, {}) == check.Counts(failed=1)


def test_python_counts(folders):
    source, build = folders
    (source / "test/test_some.py").write_text(
        "import pytest\n"
        "def test_passes(): pass\n"
        "def test_fails(): assert False\n"
        "def test_skips(): pytest.skip('reason')\n"
    )
    (source / "test/test_crashes.py").write_text(
        "import os\ndef test_crashes(): os.abort()\n"
    )
    (source / "test/test_skips_all.py").write_text(
        "import pytest\npytest.importorskip('no_such_module')\n"
    )
    counts = check.Checks(source, build, models=False).python()
    assert counts == check.Counts(1, 2, 2)


def test_lint_finds_a_pass_without_a_test(folders):
    source, build = folders
    (source / "lib/Passes.td").write_text('def Fold : Pass<"graph-fold", "func"> {}')
    (source / "test/other.mlir").write_text("// RUN: tessera-opt --graph-fold-constants")
    assert len(lint.passes_have_tests(source, build)) == 1
    (source / "test/fold.mlir").write_text("// RUN: tessera-opt --graph-fold %s")
    assert lint.passes_have_tests(source, build) == []


def test_lint_finds_an_unlisted_source(folders):
    source, build = folders
    (source / "lib/A").mkdir()
    (source / "lib/A/One.cpp").write_text("")
    (source / "lib/A/CMakeLists.txt").write_text("tessera_library(A SOURCES AnotherOne.cpp)")
    assert lint.sources_are_listed(source, build) == ["lib/A/One.cpp: in no CMakeLists.txt"]
    (source / "lib/A/CMakeLists.txt").write_text("tessera_library(A SOURCES One.cpp)")
    assert lint.sources_are_listed(source, build) == []


def test_lint_finds_a_second_mlir(folders):
    source, build = folders
    (build / "build.ninja").write_text("build bin/x: link /usr/lib/libMLIR.so libMLIRIR.a")
    [finding] = lint.one_copy_of_mlir(source, build)
    assert "libMLIRIR.a" in finding
