"""Assembles every .ptx of a folder and reports spills, stack frames, warnings."""

import pathlib
import re
import subprocess
import sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ptx")):
    run = subprocess.run(
        ["ptxas", "-v", "-arch=sm_90a", path, "-o", "/dev/null"],
        capture_output=True, text=True)
    problems = [line for line in run.stderr.splitlines()
                if "warning" in line or "error" in line]
    for count in re.findall(
            r"(\d+) bytes (?:stack frame|spill stores|spill loads)",
            run.stderr):
        if int(count):
            problems.append(f"{count} bytes of stack or spills")
    if run.returncode:
        problems.append(f"exit status {run.returncode}")
    print(f"{path.stem}: {'; '.join(problems) or 'ok'}")
    if problems:
        sys.exit(1)
