"""The host's own threads for the parallel loops of a session."""

from ctypes import CFUNCTYPE, c_int64, c_void_p, cast

from ._library import TesseraError

_TASK = CFUNCTYPE(None, c_void_p, c_int64, c_int64)
_PARALLEL_FOR = CFUNCTYPE(None, c_void_p, c_void_p, c_void_p, c_int64)


class HostPool:
    """`parallel_for(tasks, run)` calls run(task, worker) once for each task from 0
    to tasks-1, on any threads, and returns when all have ended; `worker` is below
    `workers`, and no two tasks run at once with the same one."""

    def __init__(self, parallel_for, workers):
        if workers is None or workers < 1:
            raise TesseraError(f"expects workers of at least 1 with parallel_for but got {workers}")
        self._parallel_for = parallel_for
        self._errors = []
        self._callback = _PARALLEL_FOR(self._loop)  # must live as long as the session
        self.workers = workers

    def address(self):
        return cast(self._callback, c_void_p)

    def _loop(self, pool, task, captures, tasks):
        call = _TASK(task)
        try:
            self._parallel_for(tasks, lambda index, worker: call(captures, index, worker))
        except BaseException as error:  # cannot pass through the model's code
            self._errors.append(error)

    def raise_error(self):
        """Raises what parallel_for raised since the last call, if anything."""
        if self._errors:
            raise self._errors.pop()
