"""Compiling in a child process, which a fatal error of LLVM cannot take along."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ._library import TesseraError, find_in_builds

COMPILER_VARIABLE = "TESSERA_COMPILER"


class CompileError(TesseraError):
    """The compiler refused or crashed. `exit_code` is negative for a signal."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


def find_compiler():
    """The `tessera` program: named by the environment, beside this package, in a
    build folder of the repository, or in PATH."""
    named = os.environ.get(COMPILER_VARIABLE)
    if named:
        return named
    beside = Path(__file__).resolve().parent / "bin/tessera"
    if beside.is_file():
        return str(beside)
    found = find_in_builds("bin/tessera") or shutil.which("tessera")
    if not found:
        raise TesseraError(
            "the compiler 'tessera' was not found: install the wheel tessera, build "
            f"the target tessera, or name the program in {COMPILER_VARIABLE}"
        )
    return str(found)


# The exit code of the dynamic loader when a program does not start.
NOT_STARTED = 127
MISSING_LIBRARIES = (
    "the compiler cannot start: {}; it needs the shared libraries of LLVM and MLIR 22 "
    "(Debian: apt-get install libmlir-22 libzip4, and lld-22 to link)"
)


def message_of(code, output):
    """What went wrong, by exit code and output of the compiler."""
    marker = "error while loading shared libraries: "
    if code == NOT_STARTED and marker in output:
        return MISSING_LIBRARIES.format(output.split(marker, 1)[1].strip())
    return output.strip() or f"the compiler ended with code {code}"


def main():
    """The program `tessera` of the wheel."""
    program = find_compiler()
    done = subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode == NOT_STARTED:
        sys.exit("error: " + message_of(done.returncode, done.stdout.decode("utf-8", "replace")))
    os.execv(program, ["tessera", *sys.argv[1:]])


def flags_of(options):
    """Command line flags: shape={"seq": 128} is --shape seq=128, opt_level=3 is
    -O3, emit="so" is --emit=so, verbose=True is --verbose; lists repeat."""
    flags = []
    for name, value in options.items():
        if value is None or value is False:
            continue
        flag = "--" + name.replace("_", "-")
        if name == "opt_level":
            flags.append(f"-O{value}")
        elif value is True:
            flags.append(flag)
        elif isinstance(value, dict):
            flags += [f"{flag}={key}={item}" for key, item in value.items()]
        elif isinstance(value, (list, tuple)):
            flags += [f"{flag}={item}" for item in value]
        else:
            flags.append(f"{flag}={os.fspath(value) if isinstance(value, os.PathLike) else value}")
    return flags


def compile(path, output=None, flags=(), timeout=None, **options):
    """Compiles an ONNX model; returns the path of the library.

    output: where to write it; None: the model's path with the ending `.so`.
    flags: flags of `tessera compile` as they are.
    timeout: seconds after which the compiler is ended and TimeoutError raised.
    options: flags by name: shape={"seq": 128}, cpu="znver4", opt_level=3.
    """
    path = Path(path)
    output = Path(output) if output is not None else path.with_suffix(".so")
    command = [find_compiler(), "compile", str(path), "-o", str(output)]
    command += [*flags_of(options), *flags]
    # A temporary file, not a pipe: its grandchild would keep that open.
    with tempfile.TemporaryFile() as messages, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=messages, stderr=subprocess.STDOUT
    ) as process:
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.terminate()  # it passes this on to the process that compiles
            process.wait()
            raise TimeoutError(f"compiling '{path}' took more than {timeout} s") from None
        except BaseException:
            process.terminate()
            raise
        messages.seek(0)
        message = messages.read().decode("utf-8", "replace")
    if code != 0:
        raise CompileError(message_of(code, message), code)
    return output
