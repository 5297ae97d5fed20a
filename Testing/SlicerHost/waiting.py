"""Letting the event loop turn: for a time, until something is so, and how long it ever stood still."""

import time
from typing import Any, Callable, List

from PySide6 import QtCore, QtWidgets

TURN = 0.002
"""Seconds of sleep between turns of the loop while waiting."""
LEAST_TURNS = 15
"""What one event sets off, timers and redrawing among it, takes a handful of turns."""


def settle(seconds: float = 0.05) -> None:
    """Lets the event loop turn for some time, deferred deletions included, also on a busy machine."""
    end = time.monotonic() + seconds
    turns = 0
    while turns < LEAST_TURNS or time.monotonic() < end:
        turn()
        turns += 1
        time.sleep(TURN)


def turn() -> None:
    """One turn of the event loop."""
    QtWidgets.QApplication.processEvents()
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.DeferredDelete.value)


def wait_for(condition: Callable[[], Any], timeout: float = 60.0) -> Any:
    """Lets the event loop turn until the condition holds; returns its value.

    Raises:
        AssertionError: it did not hold in `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not so within {timeout} s: {getattr(condition, '__name__', condition)}")
        turn()
        time.sleep(TURN)


class GapMeter:
    """How long the event loop stood still at most, in seconds, while the meter was on.

    A timer ticks every few milliseconds; a tick that comes late shows a turn of the loop that took long.

        with GapMeter() as meter:
            settle(2)
        assert meter.longest < 0.1
    """

    INTERVAL_MS = 4

    def __init__(self) -> None:
        self.gaps: List[float] = []
        self._timer = QtCore.QTimer()
        self._timer.setTimerType(QtCore.Qt.PreciseTimer)
        self._timer.setInterval(self.INTERVAL_MS)
        self._timer.timeout.connect(self._on_tick)
        self._last = 0.0

    def __enter__(self) -> "GapMeter":
        self.gaps = []
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._on_tick()
        self._timer.stop()

    def _on_tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now

    @property
    def longest(self) -> float:
        """The longest time between two turns, in seconds."""
        return max(self.gaps, default=0.0)
