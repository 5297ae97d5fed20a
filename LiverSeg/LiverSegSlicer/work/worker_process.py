"""The warm worker: one child process for all panels of one Slicer, started when it is needed, ended when it
is idle for long or Slicer exits."""

import shutil
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Tuple

import qt
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import ERROR_TYPES, CancelledError, LiverSegError, UsageError, WorkerError
from LiverSegLib.sentences import restored
from LiverSegLib.worker import protocol

from ..slots import guarded
from .child_process import ChildProcess, WorkerLog

START_S = 60.0
"""How long a worker may take to say hello: Python and SimpleITK from a cold disk."""

OBEY_S = 0.8
"""A worker that has not obeyed a cancel by then is killed; a report, which tidies up a folder of the user's,
has longer."""
OBEY_REPORT_S = 10.0

END_S = 3.0
"""A worker that was asked to end and has not by then is killed."""

IDLE_MINUTES = 10
"""How long an idle worker is kept if nothing else was set."""

_TICK_MS = 100
_QUIT_MS = 700

ATTRIBUTE = "liverSegWorker"
"""Where ``slicer.modules`` keeps the shared worker: reloading our module must not start a second one."""


def sharedWorker() -> "WorkerProcess":
    """The worker of this Slicer; made on the first call, not started."""
    worker = getattr(slicer.modules, ATTRIBUTE, None)
    if worker is None:
        worker = WorkerProcess()
        setattr(slicer.modules, ATTRIBUTE, worker)
        slicer.app.connect("aboutToQuit()", guarded(worker.quit))
    return worker


def endSharedWorker() -> None:
    """Stop the worker of this Slicer, if there is one; the next call of ``sharedWorker`` makes a new one."""
    worker = getattr(slicer.modules, ATTRIBUTE, None)
    if worker is not None:
        worker.quit()
        delattr(slicer.modules, ATTRIBUTE)


def workerCommand() -> List[str]:
    """Slicer's own Python on the worker that can also ask a server; outside Slicer this Python."""
    return [shutil.which("PythonSlicer") or sys.executable, "-m", "LiverSegLib.server"]


@dataclass(eq=False)
class Request:
    """A message to the worker and what waits for its answer.

    Attributes:
        message: the request; its ``id`` is that of the answer.
        onProgress: called with each ``protocol.Progress``.
        onAnswer: called once, with the reply and None or with None and an error.
        isCancelled: whether the worker was asked to stop it.
    """

    message: protocol.Message
    onProgress: Callable[[protocol.Progress], None]
    onAnswer: Callable[[Optional[protocol.Message], Optional[LiverSegError]], None]
    isCancelled: bool = False


class WorkerProcess:
    """Starts the worker, gives it one request at a time, and looks after the time it takes.

    Args:
        command: Program and arguments; ``workerCommand()`` if None.

    Attributes:
        occupant: the run that has the worker; None if it is free.
        keptScan: see ``scan_files``.
    """

    def __init__(self, command: Optional[Sequence[str]] = None) -> None:
        self.log = WorkerLog()
        self.occupant: Any = None
        self.keptScan: Any = None
        self._command = command
        self._child: Optional[ChildProcess] = None
        self._ending: List[Tuple[ChildProcess, float]] = []
        self._ready = False
        self._deadline: Optional[float] = None
        self._request: Optional[Request] = None
        self._warm: Optional[Tuple[str, ...]] = None
        self._idleMinutes = IDLE_MINUTES
        self._ticker = qt.QTimer()
        self._ticker.setInterval(_TICK_MS)
        self._ticker.connect("timeout()", guarded(self.checkTime))
        self._idleTimer = qt.QTimer()
        self._idleTimer.setSingleShot(True)
        self._idleTimer.connect("timeout()", guarded(self.stopIfIdle))

    # ---- what others ask

    def isRunning(self) -> bool:
        """Whether there is a worker process, be it still starting."""
        return self._child is not None

    def isReady(self) -> bool:
        """Whether the worker has said hello."""
        return self._ready

    def isWarmFor(self, model: str, device: str, tumors: Optional[str] = None) -> bool:
        """Whether the worker has this model, or these two, in memory."""
        return self._ready and self._warm == (model, device, tumors)

    def logText(self) -> str:
        """What the worker and its start said lately."""
        return self.log.text()

    def setIdleMinutes(self, minutes: int) -> None:
        """End the worker after so many idle minutes; 0: never."""
        self._idleMinutes = max(0, int(minutes))
        self._restIdleTimer()

    # ---- starting and ending

    def start(
        self, model: Optional[str] = None, device: str = "auto", tumors: Optional[str] = None
    ) -> ChildProcess:
        """Start the worker if there is none, and return its process, which need not be ready yet.

        Args:
            model, tumors: A model to load right away, and one for the tumors.
            device: What to load it for.

        Raises:
            OutputError: Its private folder cannot be made.
        """
        if self._child is None:
            self._ready, self._warm = False, None
            command = self._command if self._command is not None else workerCommand()
            child = ChildProcess(command, self._onMessage, self._onEnd, self.log)
            self._child = child
            self._deadline = time.monotonic() + START_S
            child.send(protocol.Hello("hello", str(child.folder), model, device, tumors))
            self._ticker.start()
            if child.hasEnded():  # it failed to start before we knew it
                self._onEnd(child)
        self._restIdleTimer()
        return child if self._child is None else self._child

    def stop(self) -> None:
        """Ask the worker to end; what it works on fails. Returns at once."""
        child = self._child
        if child is None:
            return
        child.close(CancelledError(_("LiverSeg's worker was ended.")))
        self._endBy(child, END_S)
        self._leave(child)

    def stopIfIdle(self) -> None:
        """End the worker unless something uses it."""
        if self.occupant is None and self._request is None:
            self.stop()

    def quit(self) -> None:
        """End the worker now: Slicer is about to exit."""
        self.stop()
        children, self._ending = [child for child, _deadline in self._ending], []
        for child in children:
            if not child.waitForEnd(_QUIT_MS):
                child.end(child.error or CancelledError(_("LiverSeg's worker was ended.")))
                child.waitForEnd(_QUIT_MS)
        self._ticker.stop()
        self._idleTimer.stop()

    # ---- one user at a time

    def occupy(self, occupant: Any) -> None:
        """Keep the worker for one run.

        Raises:
            UsageError: Another run has it.
        """
        if self.occupant is not None:
            raise UsageError(_("LiverSeg is still at work; wait until it is done, or cancel it."))
        self.occupant = occupant
        self._idleTimer.stop()

    def release(self, occupant: Any) -> None:
        """Let the worker go."""
        if self.occupant is occupant:
            self.occupant = None
            self._restIdleTimer()

    # ---- requests

    def ask(self, child: ChildProcess, request: Request) -> None:
        """Give ``request`` to the worker: at once, or when it has said hello.

        ``child`` is what ``start`` returned when the request's files were written: they are gone if it is.
        """
        self._request = request
        if child is not self._child:
            self._answer(
                None, child.error or WorkerError(_("LiverSeg's worker was ended; please run again."))
            )
        elif self._ready:
            self._send(request)

    def cancel(self) -> None:
        """Stop the request in work; it is answered soon, at the latest by the death of the worker."""
        request = self._request
        if request is None or request.isCancelled or self._child is None:
            return
        request.isCancelled = True
        if not self._ready:  # it was not sent yet
            self._answer(None, CancelledError(_("Cancelled.")))
            return
        patience = OBEY_REPORT_S if isinstance(request.message, protocol.Report) else OBEY_S
        self._deadline = time.monotonic() + patience
        self._ticker.start()
        self._child.send(protocol.Cancel(f"{request.message.id}-c", request.message.id))

    def pump(self, milliseconds: int) -> None:
        """Do what the event loop would: for where none runs."""
        if self._child is not None:
            self._child.waitForMessages(milliseconds)
        else:
            # lint: allow blocking only a blocking run asks for it, in small portions
            time.sleep(milliseconds / 1000)
        self.checkTime()

    def checkTime(self) -> None:
        """End what takes too long."""
        now = time.monotonic()
        for child, deadline in list(self._ending):
            if child.hasEnded():
                self._ending.remove((child, deadline))
            elif now > deadline:
                child.end(child.error)
        if self._child is not None and self._deadline is not None and now > self._deadline:
            self._deadline = None
            self._tooLate(self._child)
        if self._deadline is None and not self._ending:
            self._ticker.stop()

    # ---- the child's voice

    def _onMessage(self, child: ChildProcess, message: protocol.Message) -> None:
        if child is not self._child:
            return  # the last words of one that was told to end
        if isinstance(message, protocol.HelloReply):
            self._ready, self._deadline = True, None
            if self._request is not None:
                self._send(self._request)
            return
        request = self._request
        if isinstance(message, protocol.Failure) and not self._ready:
            child.end(_errorOf(message))
        elif request is None or getattr(message, "id", None) != request.message.id:
            if isinstance(message, protocol.Failure):
                self.log.add(message.message)
        elif isinstance(message, protocol.Progress):
            request.onProgress(message)
        elif isinstance(message, protocol.Failure):
            self._answer(None, _errorOf(message))
        else:
            if isinstance(request.message, protocol.Segment) and request.message.server is None:
                self._warm = _models(request.message)
            self._answer(message, None)

    def _onEnd(self, child: ChildProcess) -> None:
        if child is self._child:
            self._leave(child)

    def _leave(self, child: ChildProcess) -> None:
        """The current process is no longer ours: its request fails."""
        self._child, self._ready, self._warm, self._deadline = None, False, None, None
        self.keptScan = None  # its folder goes with the process
        if self._request is not None:
            self._answer(None, child.error)

    def _send(self, request: Request) -> None:
        if isinstance(request.message, protocol.Segment) and request.message.server is None:
            wanted = _models(request.message)
            self._warm = self._warm if self._warm == wanted else None
        self._child.send(request.message)

    def _answer(self, reply: Optional[protocol.Message], error: Optional[LiverSegError]) -> None:
        request, self._request = self._request, None
        self._deadline = None if self._ready else self._deadline
        request.onAnswer(reply, error)

    def _tooLate(self, child: ChildProcess) -> None:
        """The worker did not say hello, or did not obey, in time."""
        disobeyed = self._request.message if self._ready and self._request is not None else None
        if disobeyed is not None:
            self.log.add("The worker did not obey a cancel in time and is ended.")
            child.end(CancelledError(_("Cancelled."), "the worker did not obey in time and was ended"))
        else:
            text = _("LiverSeg's worker did not start within {seconds} s.").format(seconds=int(START_S))
            child.end(WorkerError(text, self.logText()))
        self._endBy(child, END_S)
        self._leave(child)
        if isinstance(disobeyed, protocol.Segment):
            self._startAgain(disobeyed)

    def _startAgain(self, request: protocol.Segment) -> None:
        """Have a warm worker ready for the next run, in place of the one that had to be killed."""
        here = (request.model, request.device, request.tumours) if request.server is None else ()
        try:
            self.start(*here)
        except LiverSegError as error:
            self.log.add(str(error))

    def _endBy(self, child: ChildProcess, seconds: float) -> None:
        self._ending.append((child, time.monotonic() + seconds))
        self._ticker.start()

    def _restIdleTimer(self) -> None:
        self._idleTimer.stop()
        if self._idleMinutes and self._child is not None and self.occupant is None:
            self._idleTimer.start(self._idleMinutes * 60_000)


def _models(request: protocol.Segment) -> Tuple[Any, ...]:
    """What a run keeps in the worker's memory."""
    return request.model, request.device, request.tumours


def _errorOf(failure: protocol.Failure) -> LiverSegError:
    """The exception that the worker caught, as the class of its code."""
    error = ERROR_TYPES.get(failure.code, LiverSegError)(
        restored(failure.sentence) if failure.sentence else failure.message
    )
    error.details = failure.details
    return error
