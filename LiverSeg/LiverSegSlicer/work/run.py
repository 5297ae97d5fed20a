"""Work that takes turns with the event loop, and one notice of its end: a run with the worker's help, or what
Slicer's own process computes piece by piece so that the window need not wait.

The steps of a run are a generator. It yields ``None`` to let the event loop have its turn and goes on in the
next one, a :class:`Pause`, or an :class:`Ask`, and then gets the worker's reply. What it returns is the
result; what it raises, the error; one from outside (cancelled, input removed, worker died) is raised at the
``yield`` where it waits, so that its ``finally`` blocks tidy up.
"""

from dataclasses import dataclass
from typing import Any, Callable, Generator, Iterator, Optional, Union

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, LiverSegError, explain
from LiverSegLib.worker import protocol, scratch

from ..slots import explained, guarded
from .child_process import ChildProcess
from .files import resultFolder
from .worker_process import Request, WorkerProcess

Progress = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and what is being done, in words."""

Completed = Callable[[Any, Optional[LiverSegError]], None]
"""Called once: with the result and None, or with None and an error whose text is a sentence."""

_WAIT_MS = 10
"""A run that waits for the worker looks so often whether it is free."""

Pieces = Iterator[None]
"""A generator that yields after each piece; what it returns is the result."""


@dataclass(frozen=True)
class Ask:
    """A request to the worker that a step waits for.

    Attributes:
        message: The request.
        begin, end: The fractions of the run between which the request lies.
        words: Stage of the worker's progress -> text for people; the worker's own text where it has none.
    """

    message: protocol.Message
    begin: float = 0.0
    end: float = 1.0
    words: Callable[[str, str], str] = lambda stage, text: text


@dataclass(frozen=True)
class Pause:
    """The next turn comes after so many milliseconds."""

    milliseconds: int


Wanted = Union[None, float, Ask, Pause]

Steps = Generator[Wanted, Any, Any]


class Run:
    """One run, from ``start`` until ``completed`` is called, exactly once and never from within ``start``.

    Args:
        worker: The worker to keep for this run.
        steps: Called with this run when it starts; returns the generator.
        progress: See ``Progress``. An exception in it ends the run.
        completed: See ``Completed``.
        blocking: ``wait`` will be called: turns are not left to the event loop.
        givesWay: another run that wants the worker ends this one, as if it had been cancelled.
        isBrief: another run that wants the worker waits for the end of this one.
    """

    def __init__(
        self,
        worker: WorkerProcess,
        steps: Callable[["Run"], Steps],
        *,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
        blocking: bool = False,
        givesWay: bool = False,
        isBrief: bool = False,
    ) -> None:
        self.worker = worker
        self.givesWay = givesWay
        self.isBrief = isBrief
        self.child: Optional[ChildProcess] = None
        self.result: Any = None
        self.error: Optional[LiverSegError] = None
        self._steps = steps
        self._progress = progress
        self._completed = completed
        self._blocking = blocking
        self._generator: Optional[Steps] = None
        self._running = True
        self._occupies = False
        self._stepping = False
        self._due = False
        self._ask: Optional[Ask] = None
        self._value: Any = None
        self._failure: Optional[LiverSegError] = None
        self._stopped: Optional[LiverSegError] = None

    # ---- for everybody

    def isRunning(self) -> bool:
        """Whether ``completed`` is still to come."""
        return self._running

    def cancel(self) -> None:
        """Stop; ``completed`` gets a CancelledError within a second. Nothing happens if it is too late."""
        self.stop(CancelledError(_("Cancelled.")))

    # ---- for those who make runs and for steps

    def start(self) -> "Run":
        """Begin in the next turn of the event loop. If the worker has a run that neither gives way nor is
        brief, this one fails, then."""
        self._takeWorker()
        self._later()
        return self

    def stop(self, error: LiverSegError) -> None:
        """End the run with ``error``, unless it is at its last step or something else ends it already."""
        if not self._running or self._stopped is not None:
            return
        self._stopped = error
        if self._ask is not None:
            self.worker.cancel()
        else:
            self._later()

    def tell(self, fraction: float, text: str) -> None:
        """Report progress."""
        if self._progress is None or not self._running:
            return
        try:
            self._progress(min(1.0, max(0.0, fraction)), text)
        except (Exception, KeyboardInterrupt) as error:  # what the caller's function raised ends the run
            self.stop(explain(error))

    def wait(self) -> Any:
        """Take the turns here until the run has ended; return its result or raise its error.

        A window stays alive meanwhile. What its user does may start, cancel or close anything: a second run
        is refused, as everywhere.
        """
        withWindow = slicer.util.mainWindow() is not None
        try:
            while self._running:
                self._turn()
                if self._running and not (self._due and self._occupies):
                    self.worker.pump(20 if withWindow else 100)
                if withWindow:
                    # lint: allow reentry a step is never entered twice, and the worker has one run at a time
                    slicer.app.processEvents()
        except BaseException:
            self._abandon()
            raise
        if self.error is not None:
            raise self.error
        return self.result

    # ---- turns

    def _takeWorker(self) -> None:
        """Occupy the worker, or see to it that whoever has it ends soon."""
        other = self.worker.occupant
        # without a window no event loop runs, and the other would never end
        canWait = not self._blocking or slicer.util.mainWindow() is not None
        if canWait and other is not None and (other.givesWay or other.isBrief):
            if other.givesWay:
                other.cancel()
            return
        try:
            self.worker.occupy(self)
            self._occupies = True
        except LiverSegError as error:
            self._stopped = error

    def _later(self, milliseconds: int = 0) -> None:
        self._due = True
        if not self._blocking:
            qt.QTimer.singleShot(milliseconds, guarded(self._turn))

    def _turn(self) -> None:
        """Go on, if it is time and we are not in the middle of a step that lets events happen."""
        if not self._due or self._stepping or not self._running:
            return
        self._due = False
        if not self._occupies and self._stopped is None:
            self._takeWorker()
            if not self._occupies and self._stopped is None:
                self._later(_WAIT_MS)
                return
        error, self._failure = self._stopped or self._failure, None
        if error is None and self.child is not None and self.child.error is not None:
            error = self.child.error
        value, self._value = self._value, None
        try:
            wanted = self._step(value, error)
        except StopIteration as end:
            self._finish(end.value, None)
        except Exception as caught:  # noqa: BLE001 (whatever a step raises is how the run ends)
            self._finish(None, self._stopped or explain(caught))
        else:
            self._wantsNext(wanted)

    def _step(self, value: Any, error: Optional[LiverSegError]) -> Wanted:
        if self._generator is None:
            if error is not None:
                raise error
            self._generator = self._steps(self)
        self._stepping = True
        try:
            return self._generator.throw(error) if error is not None else self._generator.send(value)
        finally:
            self._stepping = False

    def _wantsNext(self, wanted: Wanted) -> None:
        if isinstance(wanted, Pause) and self._stopped is None:
            if self._blocking:
                self.worker.pump(wanted.milliseconds)
            self._later(wanted.milliseconds)
            return
        if not isinstance(wanted, Ask) or self._stopped is not None:
            self._later()
            return
        self._ask = wanted
        self.worker.ask(self.child, Request(wanted.message, self._onProgress, self._onAnswer))

    # ---- the worker's voice

    def _onProgress(self, message: protocol.Progress) -> None:
        ask = self._ask
        if ask is not None and self._stopped is None:
            fraction = ask.begin + (ask.end - ask.begin) * message.fraction
            self.tell(fraction, ask.words(message.stage, message.text))

    def _onAnswer(self, reply: Optional[protocol.Message], error: Optional[LiverSegError]) -> None:
        self._ask = None
        if isinstance(reply, protocol.ReportResult) or getattr(reply, "page", None):
            self._stopped = None  # it is in the user's folder: too late to cancel
        elif reply is not None and self._stopped is not None:
            self._discard(reply)
        self._value, self._failure = reply, error
        self._later()

    def _discard(self, reply: Any) -> None:
        """Remove a result that came after all."""
        try:
            scratch.remove_tree(resultFolder(reply.folder, self.child.folder))
        except LiverSegError as error:
            self.worker.log.add(f"{error} {error.details}")

    # ---- the end

    def _finish(self, result: Any, error: Optional[LiverSegError]) -> None:
        self._running = False
        self.result, self.error = result, error
        if self._occupies:
            self.worker.release(self)
        if error is not None:
            self.worker.log.add(f"{type(error).__name__}: {error}\n{error.details or ''}")
        if self._completed is not None:
            self._completed(result, error)

    def _abandon(self) -> None:
        """Ctrl-C, or an exception in somebody's slot: leave no trace and tell whoever waits."""
        if not self._running:
            return
        self._stopped = CancelledError(_("Cancelled."))
        if self._ask is not None:
            self.worker.stop()
        if self._generator is not None and not self._stepping:
            self._generator.close()
        self._finish(None, self._stopped)


class Turns:
    """Does one piece in each turn of the event loop. At most one work goes on: a new one ends the other."""

    def __init__(self) -> None:
        self._work: Optional[Pieces] = None
        self._done: Optional[Completed] = None
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.connect("timeout()", guarded(self._onTurn))

    def isRunning(self) -> bool:
        """Whether work goes on."""
        return self._work is not None

    def start(self, work: Pieces, done: Completed) -> None:
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
            error = explained(failure)
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
