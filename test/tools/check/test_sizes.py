"""tools/sizes.py and tools/messages.py, and the rules of lint.py that hold them."""

import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"
sys.path.insert(0, str(TOOLS))
import lint  # noqa: E402
import messages  # noqa: E402
import sizes  # noqa: E402

SEVEN = "int64_t a, const Value &b, ArrayRef<std::pair<int, int>> c, T *d, int e = f(1, 2), bool g, X h"


@pytest.mark.parametrize("text, found", [
    (f"void narrow(int a, int b);\nstatic LogicalResult wide({SEVEN}) {{", [("wide", 7)]),
    (f"Wide::Wide({SEVEN})\n    : a(a) {{}}", [("Wide::Wide", 7)]),
    (f"auto f = [&]({SEVEN}) {{ return a; }};", [("lambda", 7)]),
    ("void unnamed(int, int b, int c, int d, int e, int f, int g);", [("unnamed", 7)]),
    ("call(a, b, c, d, e, f, g);\nother(a + b, c * 2, \"x\", d, e, f, g(h));", []),
    (f"// void wide({SEVEN});\n/* void wide({SEVEN}); */", []),
    # Given by TableGen.
    (f"LogicalResult A::verify(function_ref<InFlightDiagnostic()> emitError, {SEVEN}) {{", []),
    (f"void Op::build(OpBuilder &builder, OperationState &state, {SEVEN}) {{", []),
])
def test_wide_functions_of_cpp(text, found):
    wide = [(name, count) for name, _, count in sizes.cpp_functions(text)
            if count > sizes.MOST_PARAMETERS]
    assert wide == found


def test_functions_of_python_count_what_a_call_must_give():
    text = "class A:\n def f(self, a, b, c=1, *, d, e=2): pass\n"
    assert list(sizes.python_functions(text)) == [("f", 2, 3)]


def test_percentile():
    assert sizes.percentile(range(1, 11), 90) == 9
    assert sizes.percentile([7], 90) == 7


@pytest.fixture
def source(tmp_path):
    for folder in (*sizes.FOLDERS, "lib/Importer"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    return tmp_path


def test_a_long_file_is_found(source):
    (source / "lib/Long.cpp").write_text("\n" * 451)
    (source / "test/long.txt").write_text("\n" * 451)  # data
    findings = lint.files_are_short(source, None)
    assert findings[0] == "lib/Long.cpp: 451 lines, at most 450"
    (source / "lib/Long.cpp").write_text("\n" * 300)
    assert lint.files_are_short(source, None) == []


def test_a_sixth_wide_function_is_found(source):
    declared = [f"void wide{i}({SEVEN});\n" for i in range(6)]
    (source / "lib/Wide.h").write_text("".join(declared[:5]))
    # Defined elsewhere, but the same.
    (source / "lib/Wide.cpp").write_text("".join(declared[:5]))
    assert lint.functions_are_narrow(source, None) == []
    (source / "lib/Wide.h").write_text("".join(declared))
    assert len(lint.functions_are_narrow(source, None)) == 6


def test_a_message_without_a_test_is_found(source):
    (source / "lib/Importer/A.cpp").write_text(
        'return node.error("size " + Twine(n) +\n " does not "\n "fit");\n'
        'return node.error(isIn ? "the first of both" : "the second of both");\n'
        'return node.error("said in two places");\n'
        'return node.error("said in two places");\n')
    (source / "test/a.onnxtxt").write_text(
        "# CHECK: size 3 does not fit\n# CHECK: the first of both\n# CHECK: said in two places\n")
    assert messages.untested(source) == [
        ("lib/Importer/A.cpp", 4, "the second of both"),
        ("lib/Importer/A.cpp", 6, "said in two places"),
    ]
    assert len(lint.importer_messages_have_tests(source, None)) == 2
