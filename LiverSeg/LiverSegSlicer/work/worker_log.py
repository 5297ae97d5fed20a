"""What the worker and its start said, for the log window: bounded, in memory only, as it may name a patient's
files."""

import time
from collections import deque
from typing import Deque

MAX_LINES = 1000
"""Lines kept; older ones are forgotten."""

MAX_LINE = 2000
"""Characters kept of a line."""


class WorkerLog:
    """The last lines, each with the time of day."""

    def __init__(self) -> None:
        self._lines: Deque[str] = deque(maxlen=MAX_LINES)

    def add(self, text: str) -> None:
        """Note one or several lines."""
        now = time.strftime("%H:%M:%S")
        self._lines.extend(f"{now} {line[:MAX_LINE]}" for line in text.splitlines() if line.strip())

    def text(self) -> str:
        """All lines kept, oldest first."""
        return "\n".join(self._lines)
