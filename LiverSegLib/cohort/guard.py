"""A case that takes too long or too much memory ends the process that computes it, and nothing else.

Networks and filters cannot be stopped from outside within one process, and memory that they took need not
come back; so the process ends, after it has written why. Dask starts another in its place.
"""

import os
import threading
import time
from typing import Callable, Optional, Type

from ..errors import LiverSegError, OutOfMemoryError

INTERVAL_S = 0.1
"""Seconds between two looks at clock and memory."""

ENDED_ON_PURPOSE = 75
"""Exit code of a process that gave its case up."""


class TookTooLongError(LiverSegError):
    """A case took longer than the time limit of the cohort."""

    code = "time-limit"


class Guard:
    """Watches one case in a ``with`` block.

    Args:
        time_limit: seconds; 0: none.
        memory_limit: bytes of the whole process; 0: none.
        give_up: writes why the case is given up; called in the guard's thread, then the process ends.

    Attributes:
        writing: held while a case's folder is put into place; afterwards the guard does nothing more.
    """

    def __init__(
        self, time_limit: float, memory_limit: int, give_up: Callable[[LiverSegError], None]
    ) -> None:
        self._time_limit, self._memory_limit, self._give_up = time_limit, memory_limit, give_up
        self._ended = threading.Event()
        self.writing = threading.Lock()

    def __enter__(self) -> "Guard":
        self._start = time.monotonic()
        if self._time_limit or self._memory_limit:
            threading.Thread(target=self._watch, name="guard of a case", daemon=True).start()
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: object
    ) -> None:
        self._ended.set()

    def over(self) -> None:
        """The case is in place: called while ``writing`` is held."""
        self._ended.set()

    def _watch(self) -> None:
        import psutil

        process = psutil.Process()
        while not self._ended.wait(INTERVAL_S):
            reason = self._reason(process.memory_info().rss)
            if reason is None:
                continue
            with self.writing:
                if self._ended.is_set():
                    return
                try:
                    self._give_up(reason)
                finally:
                    os._exit(ENDED_ON_PURPOSE)

    def _reason(self, resident: int) -> Optional[LiverSegError]:
        if self._time_limit and time.monotonic() - self._start > self._time_limit:
            return TookTooLongError(
                f"The case took longer than {in_words(self._time_limit)} and was given up."
            )
        if self._memory_limit and resident > self._memory_limit:
            return OutOfMemoryError(
                f"The case took more memory than the {self._memory_limit / 1e9:.1f} GB that a case may take, "
                f"and was given up."
            )
        return None


def in_words(seconds: float) -> str:
    """A duration in words.

    >>> in_words(45), in_words(90), in_words(7200)
    ('45 s', '1.5 min', '2 h')
    """
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"
