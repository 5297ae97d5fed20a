"""Ctrl-C and SIGTERM: once ends the work at its next safe point, twice at once, three times the hard way."""

import os
import signal
import threading
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Dict, Iterator

from ..errors import CancelledError

CANCELLED = "Cancelled; nothing was written."


JUDGING = ("LiverSegLib.steatosis.assess", "LiverSegLib.outputs")
PICTURES = ("LiverSegLib.report.roi_pictures",)
SURFACES = (
    "LiverSegLib.surfaces.organs",
    "LiverSegLib.surfaces.rendering",
    "LiverSegLib.surfaces.files",
    "vtkmodules.util.numpy_support",
    "vtkmodules.vtkFiltersCore",
)
"""What the end of a command loads: to judge and write, to draw slices, to make surfaces."""


def load(*names: str) -> None:
    """Load modules, as far as they are installed.

    A compiled module that is interrupted while it loads can take the process down, so that no clean-up runs:
    this comes before the block in which Ctrl-C interrupts at once.
    """
    for name in names:
        try:
            import_module(name)
        except Exception:  # noqa: BLE001, S112 (whoever needs it says so)
            continue


class Interrupts:
    """While entered, counts Ctrl-C and SIGTERM.

    The first only makes ``requested`` true, which the work polls. Inside ``at_once``, and from the second
    on, they raise ``KeyboardInterrupt``, so that clean-up still runs. The third kills the process, for
    clean-up that hangs.
    """

    def __init__(self) -> None:
        self._count = 0
        self._at_once = False
        self._previous: Dict[int, Any] = {}

    def requested(self) -> bool:
        """Whether the user asked to stop."""
        return self._count > 0

    def check(self) -> None:
        """Raise CancelledError if the user asked to stop."""
        if self.requested():
            raise CancelledError(CANCELLED)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A block whose own clean-up may start at any moment: the first request interrupts it.

        Raises:
            CancelledError: The user had asked before.
        """
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup: the caller does not want it
                    self._previous[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _arrived(self, number: int, _frame: Any) -> None:
        self._count += 1
        if self._count == 1 and not self._at_once:
            return
        if self._count > 2:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise KeyboardInterrupt
