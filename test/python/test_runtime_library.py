"""What the runtime library asks of a system and what it gives."""

import re
import shutil
import subprocess

import pytest
from tessera._library import find_library

# Since 2013; newer versions of symbols are replaced in lib/Runtime/OldGlibc.cpp.
NEWEST_GLIBC = (2, 18)
ALLOWED_LIBRARIES = {
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "ld-linux-x86-64.so.2",
}


@pytest.fixture(scope="module")
def dynamic_table():
    readelf = shutil.which("llvm-readelf") or shutil.which("readelf")
    if not readelf:
        pytest.skip("neither readelf nor llvm-readelf is in PATH")
    text = subprocess.run(
        [readelf, "--wide", "--dynamic", "--dyn-syms", str(find_library())],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    if "__asan" in text:
        pytest.skip("built with sanitizers")
    return text


def test_needs_only_the_c_library(dynamic_table):
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic_table))
    assert needed and needed <= ALLOWED_LIBRARIES


def test_needs_no_newer_glibc(dynamic_table):
    versions = re.findall(r"@GLIBC_(\d+)\.(\d+)", dynamic_table)
    assert versions
    assert max((int(major), int(minor)) for major, minor in versions) <= NEWEST_GLIBC


def test_exports_only_the_api(dynamic_table):
    symbols = re.findall(r"(?:GLOBAL|WEAK)\s+\S+\s+\d+ (\S+)", dynamic_table)
    exported = [name for name in symbols if name.startswith("tessera_")]
    assert "tessera_session_run" in exported
    assert [name for name in symbols if "@GLIBC" not in name and name not in exported] == []
