#!/usr/bin/env python3
"""Compiles and runs ONNX's own backend suite.

    test/conformance/run.py --form static --jobs 2
    test/conformance/run.py --form dynamic --filter 'test_(add|sub)_' --out results.json
    test/conformance/run.py --form all --record --page docs/onnx-coverage.md

Each case runs in a process of its own that may crash or hang. Ends with 0 if
every case passed that the recorded list of its form (passing-FORM.txt) names.
"""

import argparse
import collections
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from attempt import attempt
from cases import KINDS, load_cases
from forms import FORMS
from pool import run_isolated

FOLDER = Path(__file__).resolve().parent
TIMEOUT_SECONDS = 60


def recorded(form):
    """Names of the cases that pass in this form, as recorded."""
    path = FOLDER / f"passing-{form}.txt"
    return set(path.read_text().split()) if path.exists() else set()


def run_cases(cases, form, jobs, opt_level=3, timeout=TIMEOUT_SECONDS):
    """A record of each case, as the JSON file has them, sorted by name. The form
    that does not exist for a case gives none."""
    by_name = {case.name: case for case in cases}
    records = []
    with tempfile.TemporaryDirectory(prefix="tessera-conformance-") as folder:

        def work(name):
            library = Path(folder) / f"{os.getpid()}.so"
            return attempt(by_name[name], form, library, opt_level, timeout)

        # The pool's own limit is above the compiler's, and for the run.
        for name, result, seconds in run_isolated(list(by_name), work, jobs, 2 * timeout):
            state, reason = result
            case = by_name[name]
            if state != "skipped":
                records.append(
                    {
                        "case": name,
                        "kind": case.kind,
                        "operator": case.operator,
                        "opset": case.opset,
                        "form": form,
                        "state": state,
                        "reason": reason,
                        "seconds": round(seconds, 2),
                    }
                )
    return sorted(records, key=lambda record: record["case"])


def generalize(reason):
    """A reason without names and numbers, so that equal causes are equal."""
    reason = re.sub(r"^\S*?: ?error: |^error: ", "", reason)
    reason = re.sub(r"node '[^']*' ", "node ", reason)
    return re.sub(r"\d+", "N", reason)


def summarize(records, form, out):
    states = collections.Counter(record["state"] for record in records)
    print(f"{form}: {len(records)} cases: " + ", ".join(f"{n} {s}" for s, n in states.most_common()), file=out)
    causes = collections.Counter(
        (record["state"], generalize(record["reason"])) for record in records if record["state"] != "passed"
    )
    for (state, cause), count in causes.most_common():
        print(f"{count:5} {state:8} {cause[:200]}", file=out)


def regressions(records, form):
    """Lines on the recorded cases that did not pass."""
    expected = recorded(form)
    return [
        f"{form} {record['case']}: {record['state']}: {record['reason']}"
        for record in records
        if record["state"] != "passed" and record["case"] in expected
    ]


def record_passing(records, form):
    names = [record["case"] for record in records if record["state"] == "passed"]
    (FOLDER / f"passing-{form}.txt").write_text("".join(f"{name}\n" for name in names))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=[*FORMS, "all"], default="static")
    parser.add_argument("--kind", choices=KINDS, action="append", help="may be repeated (default: all)")
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count())
    parser.add_argument("--filter", default="", help="regular expression to find in the names")
    parser.add_argument("--operator", help="regular expression that operators match")
    parser.add_argument("--opt-level", type=int, default=3)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds for a compilation")
    parser.add_argument("--out", type=Path, help="JSON file for the records")
    parser.add_argument("--record", action="store_true", help="write passing-FORM.txt; not with a filter")
    parser.add_argument("--page", type=Path, help="write the page of coverage; with --form all")
    arguments = parser.parse_args(argv)
    if arguments.record and (arguments.filter or arguments.operator or arguments.kind):
        parser.error("--record needs all cases")
    if arguments.page and arguments.form != "all":
        parser.error("--page needs --form all")
    return arguments


def main(argv=None):
    arguments = parse(argv)
    cases = [
        case
        for case in load_cases(arguments.kind or KINDS)
        if re.search(arguments.filter, case.name)
        and (not arguments.operator or re.fullmatch(arguments.operator, case.operator))
    ]
    records, lost = [], []
    for form in FORMS if arguments.form == "all" else [arguments.form]:
        begin = time.monotonic()
        found = run_cases(cases, form, arguments.jobs, arguments.opt_level, arguments.timeout)
        lost += regressions(found, form)
        summarize(found, form, sys.stdout)
        print(f"{form}: {time.monotonic() - begin:.0f} s", flush=True)
        if arguments.record:
            record_passing(found, form)
        records += found
    if arguments.out:
        arguments.out.write_text(json.dumps(records, indent=1) + "\n")
    if arguments.page:
        import page

        arguments.page.write_text(page.render(records))
    for line in lost:
        print(f"REGRESSION {line}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
