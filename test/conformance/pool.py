"""Runs tasks in processes that may crash or hang without harm to the others."""

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import wait


class Worker:
    """A forked process that answers one task after another."""

    def __init__(self, context, work):
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=self._serve, args=(theirs, work), daemon=True)
        self.process.start()
        theirs.close()
        self.task = self.begin = None

    @staticmethod
    def _serve(pipe, work):
        os.setpgid(0, 0)  # children, too, end with the group
        while True:
            try:
                task = pipe.recv()
            except EOFError:
                return
            pipe.send(work(task))

    def give(self, task):
        self.task, self.begin = task, time.monotonic()
        self.pipe.send(task)

    def end(self):
        """Kills the process and what it started; returns its exit code."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.join()
        self.pipe.close()
        return self.process.exitcode


def run_isolated(tasks, work, jobs, timeout):
    """Yields (task, result, seconds) of each task as it ends, in any order.

    result: what `work(task)` returned, or ("crashed", reason) or ("timeout",
    reason). `timeout` in seconds bounds each task."""
    context = multiprocessing.get_context("fork")
    pending = list(reversed(tasks))
    busy, idle = [], []
    try:
        while pending or busy:
            while pending and len(busy) < jobs:
                worker = idle.pop() if idle else Worker(context, work)
                worker.give(pending.pop())
                busy.append(worker)
            wait([worker.pipe for worker in busy], timeout=1)
            for worker in list(busy):
                seconds = time.monotonic() - worker.begin
                result = None
                if worker.pipe.poll():
                    try:
                        result = worker.pipe.recv()
                        idle.append(worker)
                    except EOFError:
                        worker.process.join(5)
                        code = worker.process.exitcode
                        worker.end()
                        result = ("crashed", f"the run {_ending(code)}")
                elif seconds > timeout:
                    worker.end()
                    result = ("timeout", f"no end after {timeout} s")
                if result is not None:
                    busy.remove(worker)
                    yield worker.task, result, seconds
    finally:
        for worker in busy + idle:
            worker.end()


def _ending(code):
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with code {code}"
