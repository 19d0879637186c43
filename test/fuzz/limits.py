"""Runs programs and functions that may crash, hang or eat memory."""

import os
import pickle
import resource
import select
import signal
import subprocess
import time

LIMIT_SECONDS = 20
LIMIT_BYTES = 4 << 30


def address_space():
    """Bytes of addresses that this process has mapped."""
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[0]) * resource.getpagesize()


def limit_process():
    """Of the process that calls it: CPU time and address space; no core files."""
    if address_space() < LIMIT_BYTES:  # a sanitizer has taken terabytes
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_SECONDS, LIMIT_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_limited(command, folder):
    """(exit code, what was said) of a program; the code is negative for a signal,
    None after three times the limit by the clock."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=limit_process,
    )
    try:
        text = process.communicate(timeout=3 * LIMIT_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.terminate()  # passed on to the process that compiles
        process.communicate()
        return None, "out of time"
    return process.returncode, text.decode(errors="replace")


def ending(code):
    """Words for an exit code."""
    if code is None:
        return "out of time"
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"


class Crash(Exception):
    """The process that did the work ended by itself, in words."""


def in_child(work):
    """The result of work(), done in a forked process with limits. Raises Crash if
    that ends by a signal or hangs, and RuntimeError with its words for any other
    exception of work()."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer(work, write)
    os.close(write)
    answer = _read_all(read, 3 * LIMIT_SECONDS)
    os.close(read)
    if answer is None:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not answer:
        raise Crash("out of time" if answer is None else ending(code))
    done, result = pickle.loads(answer)
    if not done:
        raise RuntimeError(result)
    return result


def _answer(work, write):
    try:
        limit_process()
        answer = True, work()
    except BaseException as error:
        answer = False, f"{type(error).__name__}: {error}"
    try:
        with os.fdopen(write, "wb") as pipe:
            pipe.write(pickle.dumps(answer))
    finally:
        os._exit(0)


def _read_all(descriptor, seconds):
    """All that is written until the other end closes; None after the time."""
    end = time.monotonic() + seconds
    chunks = []
    while True:
        ready = select.select([descriptor], [], [], max(0, end - time.monotonic()))[0]
        if not ready:
            return None
        chunk = os.read(descriptor, 1 << 20)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
