#!/usr/bin/env python3
"""Compiles the kernel texts of the device tests to PTX and launch data."""

import argparse
import pathlib
import subprocess
import sys

from kernels import KERNELS, files

INPUTS = pathlib.Path(__file__).resolve().parent.parent / "Target" / "Inputs"


def compile_kernel(tools, text, schedule, base):
    kernel = (INPUTS / f"{text}.mlir").read_text()
    if schedule:
        kernel = kernel.replace("attributes {", f"attributes {{schedules = [{schedule}], ", 1)
    binary = subprocess.run(
        [tools / "tessera-opt", "--kernel-choose-schedules=target=ptx", "--ptx-pipeline"],
        input=kernel.encode(), check=True, capture_output=True).stdout
    for flag, suffix in (("--gpu-binary-to-ptx", ".ptx"),
                         ("--gpu-binary-to-launches", ".json")):
        printed = subprocess.run(
            [tools / "tessera-translate", flag], input=binary, check=True,
            capture_output=True).stdout
        pathlib.Path(f"{base}{suffix}").write_bytes(printed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=pathlib.Path, required=True,
                        help="folder of tessera-opt and tessera-translate")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for kernel in KERNELS:
        for name, schedule in kernel.schedules.items():
            base = arguments.out / files(kernel, name)
            try:
                compile_kernel(arguments.tools, kernel.text, schedule, base)
            except subprocess.CalledProcessError as error:
                sys.exit(f"{base.name}: {error.stderr.decode()[:2000]}")


if __name__ == "__main__":
    main()
