"""How long the rest of a cohort will take, from how fast its last cases ended."""

import time
from collections import deque
from typing import Callable, Deque, Optional

REMEMBERED = 200
"""Cases from whose ends the pace is taken: those at the beginning load models and are slower."""

LEAST = 2
"""Ends without which nobody can tell."""


class Pace:
    """Remembers when cases ended.

    Args:
        clock: seconds; only differences count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: Deque[float] = deque([clock()], maxlen=REMEMBERED + 1)

    def ended(self) -> None:
        """A case has ended now."""
        self._ends.append(self._clock())

    def between_ends(self) -> Optional[float]:
        """Seconds from the end of one case to that of the next; None if that cannot be told yet."""
        if len(self._ends) <= LEAST:
            return None
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)

    def remaining(self, cases: int) -> Optional[float]:
        """Seconds that so many cases will take; None if that cannot be told yet."""
        if len(self._ends) <= LEAST:
            return None
        passed = self._clock() - self._ends[0]
        return cases * passed / (len(self._ends) - 1)
