"""Work in Slicer's own process that would keep the window waiting, done piece by piece."""

from typing import Any, Callable, Iterator, Optional

import qt

from LiverSegLib.errors import LiverSegError

from .. import slots

Pieces = Iterator[None]
"""A generator that yields after each piece; what it returns is the result."""
Done = Callable[[Any, Optional[LiverSegError]], None]


class Turns:
    """Does one piece in each turn of the event loop. At most one work goes on: a new one ends the other."""

    def __init__(self) -> None:
        self._work: Optional[Pieces] = None
        self._done: Optional[Done] = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", slots.guarded(self._onTurn))

    def isRunning(self) -> bool:
        """Whether work goes on."""
        return self._work is not None

    def start(self, work: Pieces, done: Done) -> None:
        """Begin with the next turn; ``done(result, error)`` is called once, unless the work is stopped."""
        self.stop()
        self._work, self._done = work, done
        self._timer.start()

    def stop(self) -> None:
        """Leave the work as it is; nobody is told."""
        self._timer.stop()
        work, self._work, self._done = self._work, None, None
        if work is not None:
            work.close()

    def finish(self) -> None:
        """Do what is left of the work at once; ``done`` is called as ever."""
        while self.isRunning():
            self._timer.stop()
            self._onTurn()

    def _onTurn(self) -> None:
        work, done = self._work, self._done
        if work is None or done is None:
            return
        result, error = None, None
        try:
            next(work)
            self._timer.start()
            return
        except StopIteration as stop:
            result = stop.value
        except Exception as failure:  # noqa: BLE001 (whoever waits is told, whatever it is)
            error = slots.explained(failure)
        finally:
            if not self._timer.isActive():
                self._work = self._done = None
        done(result, error)


def doAtOnce(work: Pieces) -> Any:
    """Do all of the work now and return its result.

    Raises:
        LiverSegError: as the work does.
    """
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value
