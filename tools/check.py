"""Runs the tests of a build folder and sums them up: the second half of
tools/check, which see for the parts. Ends with "N passed, N failed, N skipped"
and exits with 1 if anything failed or a named part is missing."""

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from dataclasses import dataclass
from pathlib import Path

import lint

# Seconds after which a test process counts as hanging.
TIMEOUT_SECONDS = 1200


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def report(name, output, lines=60):
    """Prints a failure: its name and the end of what the test printed."""
    print(f"-- FAILED: {name}")
    shown = output.rstrip().splitlines()
    if len(shown) > lines:
        print(f"   | ({len(shown) - lines} lines before)")
    for line in shown[-lines:]:
        print(f"   | {line}")
    sys.stdout.flush()


def run(command, environment, cwd):
    """Returns (how it ended, all that it printed); how is None when it exited
    with 0, else in words."""
    try:
        process = subprocess.run(
            command,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        return f"hung for {TIMEOUT_SECONDS} s", output
    output = process.stdout.decode(errors="replace")
    if process.returncode == 0:
        return None, output
    if process.returncode < 0:
        return f"killed by {signal.Signals(-process.returncode).name}", output
    return f"exit status {process.returncode}", output


class Checks:
    def __init__(self, source, build, models):
        self.source = source
        self.build = build
        self.models = models
        self.results = build / "test-results"
        self.results.mkdir(exist_ok=True)
        self.environment = dict(os.environ)
        self.environment["PATH"] = os.pathsep.join(
            [str(build / "bin"), str(build / "venv/bin"), os.environ["PATH"]]
        )
        self.environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(source / "python"), os.environ.get("PYTHONPATH")])
        )
        self.environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self.environment["TESSERA_BUILD_DIR"] = str(build)
        self.python_environment = self.environment
        if self.setting("TESSERA_SANITIZER_RUNTIME"):
            self.set_sanitizer_options()

    def set_sanitizer_options(self):
        # LLVM's libraries are not instrumented: they use memory of allocators that
        # our code, inlined from LLVM's headers, has marked as unused. A report ends
        # the process by a signal: no test takes that for an error that it expects.
        # Results that no memory holds are such an error.
        options = "allow_user_poisoning=0:abort_on_error=1:allocator_may_return_null=1"
        self.environment["ASAN_OPTIONS"] = options
        self.environment["UBSAN_OPTIONS"] = "print_stacktrace=1"
        # Python must load the sanitizers' runtime first, and its own leaks are not
        # ours. Its objects come from malloc, so that what we do with them is seen.
        self.python_environment = dict(self.environment)
        self.python_environment["LD_PRELOAD"] = self.setting("TESSERA_SANITIZER_RUNTIME")
        self.python_environment["ASAN_OPTIONS"] = options + ":detect_leaks=0"
        self.python_environment["PYTHONMALLOC"] = "malloc"

    def setting(self, name):
        """The value of a variable in the build's CMake cache, or None."""
        cache = (self.build / "CMakeCache.txt").read_text()
        found = re.search(rf"^{name}:\w+=(.+)$", cache, re.MULTILINE)
        return found.group(1) if found else None

    def lint(self):
        counts = Counts()
        for rule in lint.RULES:
            findings = rule(self.source, self.build)
            if findings:
                report(f"{rule.__name__}: {rule.__doc__.splitlines()[0]}", "\n".join(findings))
                counts.failed += 1
            else:
                counts.passed += 1
        return counts

    def lit(self):
        output_file = self.results / "lit.json"
        output_file.unlink(missing_ok=True)
        ended, output = run(
            [self.setting("TESSERA_LIT"), "--quiet", "--output", str(output_file), str(self.build / "test")],
            self.environment,
            self.build,
        )
        counts = Counts()
        if output_file.exists():
            for test in json.loads(output_file.read_text())["tests"]:
                code = test["code"]
                if code in ("PASS", "XFAIL", "FLAKYPASS"):
                    counts.passed += 1
                elif code in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                    counts.skipped += 1
                else:
                    counts.failed += 1
                    report(f"{test['name']} ({code})", test["output"])
        if ended and not counts.failed or not counts.passed + counts.failed:
            counts.failed += 1
            report(f"lit ({ended or 'found no test'})", output)
        return counts

    def unit(self):
        # Those of the current build.ninja: the folder may hold older ones.
        ninja = (self.build / "build.ninja").read_text()
        counts = Counts()
        for name in re.findall(r"^build bin/unit/(\S+):", ninja, re.MULTILINE):
            counts += self.unit_test(self.build / "bin/unit" / name)
        return counts

    def unit_test(self, path):
        """Counts by the lines GoogleTest prints as it goes, so that a crash
        leaves the count of what ran before."""
        if not path.exists():
            report(path.name, "was not built")
            return Counts(failed=1)
        ended, output = run([str(path), "--gtest_color=no"], self.environment, self.build)

        def tests(mark):
            return re.findall(rf"\[{mark}\] (\S+).* \(\d+ ms\)$", output, re.MULTILINE)

        # What started and is in neither list failed or ended the process.
        passed, skipped = tests(" {7}OK "), tests("  SKIPPED ")
        started = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)
        failed = [name for name in started if name not in passed + skipped]
        counts = Counts(len(passed), len(failed), len(skipped))
        # A leak report or a crash outside of the tests.
        if ended and not failed:
            counts.failed = 1
        if ended:
            report(f"{path.name} {' '.join(failed)} ({ended})", output)
        return counts

    def pytest_file(self, path):
        """One process for each file: a crash costs one file's count only."""
        name = path.relative_to(self.source / "test").as_posix()
        results = self.results / (name.replace("/", "-") + ".xml")
        results.unlink(missing_ok=True)
        ended, output = run(
            [sys.executable, "-m", "pytest", "-q", "-rs", "--disable-warnings", "-p", "no:cacheprovider"]
            + [f"--junitxml={results}", str(path)],
            self.python_environment,
            self.source,
        )
        counts = Counts()
        if results.exists():
            for suite in xml.etree.ElementTree.parse(results).iter("testsuite"):
                failed = int(suite.get("failures")) + int(suite.get("errors"))
                skipped = int(suite.get("skipped"))
                passed = int(suite.get("tests")) - failed - skipped
                counts += Counts(passed, failed, skipped)
        # Exit status 5: no test collected, as after an importorskip.
        if ended and ended != "exit status 5":
            counts.failed = max(counts.failed, 1)
            report(f"{name} ({ended})", output)
        return counts

    def pytest_files(self, paths):
        counts = Counts()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in pool.map(self.pytest_file, paths):
                counts += result
        return counts

    def test_files(self):
        return sorted((self.source / "test").rglob("test_*.py"))

    def python(self):
        # models/ is a part of its own; device/ needs an accelerator.
        apart = {self.source / "test/models", self.source / "test/device"}
        return self.pytest_files(
            [path for path in self.test_files() if apart.isdisjoint(path.parents)]
        )

    def models_part(self):
        paths = [p for p in self.test_files() if self.source / "test/models" in p.parents]
        has_torch = not run(
            [sys.executable, "-c", "import torch"], self.environment, self.source
        )[0]
        if self.models or has_torch:
            return self.pytest_files(paths)
        tests = sum(len(re.findall(r"^def test_", p.read_text(), re.MULTILINE)) for p in paths)
        if tests:
            print("   no PyTorch in the environment: see tools/check --models")
        return Counts(skipped=tests)


def main():
    parser = argparse.ArgumentParser(prog="tools/check")
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--models", action="store_true")
    parser.add_argument("parts", nargs="*")
    arguments = parser.parse_args()
    checks = Checks(arguments.source.resolve(), arguments.build.resolve(), arguments.models)
    parts = {
        "lint": checks.lint,
        "lit": checks.lit,
        "unit": checks.unit,
        "python": checks.python,
        "models": checks.models_part,
    }
    unknown = [part for part in arguments.parts if part not in parts]
    if unknown:
        parser.error(f"unknown part {unknown[0]}; expects {', '.join(parts)}")
    total = Counts()
    for name in arguments.parts or parts:
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        counts = parts[name]()
        print(f"   {counts} in {time.monotonic() - begin:.0f} s", flush=True)
        total += counts
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
