"""The reader's corrections, worked off one after the other in the order in which they were asked for."""

from collections import deque
from functools import partial
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, LiverSegError
from LiverSegLib.worker.correct_messages import StrokeLine

from ..scene.edits import Writer
from ..work.run import Run
from ..work.worker_process import WorkerProcess, sharedWorker
from .steps import Asked, Corrected, EditedCase, correctSteps

Done = Callable[[Optional[Corrected], Optional[LiverSegError]], None]
"""Called once: with what was done and None, or with None and an error."""

MOST_EARLIER = 200
"""So many clicks and strokes of a segment are remembered, the latest."""


class _Waiting(NamedTuple):
    case: EditedCase
    asked: Asked
    writer: Writer
    done: Done


class Corrector:
    """Asks the worker for one correction at a time; clicks that come meanwhile wait.

    Args:
        worker: returns the worker.
    """

    def __init__(self, worker: Callable[[], WorkerProcess] = sharedWorker) -> None:
        self._worker = worker
        self._waiting: Deque[_Waiting] = deque()
        self._run: Optional[Run] = None
        self._earlier: Dict[Tuple[str, str], List[StrokeLine]] = {}
        self._listeners: List[Callable[[], None]] = []

    def isBusy(self) -> bool:
        """Whether a correction is being computed or waits."""
        return self._run is not None or bool(self._waiting)

    def addListener(self, listener: Callable[[], None]) -> None:
        """Have ``listener`` called when work begins and when it has ended."""
        self._listeners.append(listener)

    def removeListener(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def ask(self, case: EditedCase, asked: Asked, writer: Writer, done: Done) -> None:
        """Do a correction when those before it are done; ``done`` is called once."""
        self._waiting.append(_Waiting(case, asked, writer, done))
        self._next()

    def correct(self, case: EditedCase, asked: Asked, writer: Writer) -> Corrected:
        """Do a correction now and wait for it.

        Raises:
            LiverSegError: With a sentence; the segments are as they were.
        """
        steps = partial(correctSteps, case, asked, self._told(case), writer)
        corrected = Run(self._worker(), steps, blocking=True, isBrief=True).start().wait()
        self._remember(case, corrected)
        return corrected

    def stop(self) -> None:
        """Let go of everything that waits, and of what is being computed."""
        waiting, self._waiting = list(self._waiting), deque()
        if self._run is not None:
            self._run.cancel()
        for item in waiting:
            item.done(None, CancelledError(_("Cancelled.")))

    def _next(self) -> None:
        if self._run is not None or not self._waiting:
            return
        item = self._waiting.popleft()
        steps = partial(correctSteps, item.case, item.asked, self._told(item.case), item.writer)
        ended = partial(self._onEnded, item)
        self._run = Run(self._worker(), steps, completed=ended, isBrief=True)
        self._run.start()
        self._tell()

    def _onEnded(self, item: _Waiting, result: Any, error: Optional[LiverSegError]) -> None:
        self._run = None
        if error is None:
            self._remember(item.case, result)
        try:
            item.done(result, error)
        finally:
            self._next()
            if self._run is None:
                self._tell()

    def _told(self, case: EditedCase) -> Tuple[StrokeLine, ...]:
        return tuple(self._earlier.get(_key(case), ()))

    def _remember(self, case: EditedCase, corrected: Corrected) -> None:
        if corrected.edit is not None:
            lines = [*self._told(case), *corrected.asked.lines()]
            self._earlier[_key(case)] = lines[-MOST_EARLIER:]

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()


def _key(case: EditedCase) -> Tuple[str, str]:
    node = case.segmentationNode  # another may get the address of one that is gone
    return f"{node.GetID()} {node.GetAddressAsString('vtkMRMLNode')}", case.roles.segmentID


_shared: List[Corrector] = []


def sharedCorrector() -> Corrector:
    """Return the corrector that all of this Slicer shares, as it has one worker."""
    if not _shared:
        _shared.append(Corrector())
    return _shared[0]
