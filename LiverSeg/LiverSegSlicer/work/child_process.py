"""One worker process on QProcess with its private folder: messages in and out, notice of its end, its log."""

import os
import signal
import time
from collections import deque
from pathlib import Path
from typing import Callable, Deque, Optional, Sequence

import qt
from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError, WorkerError
from LiverSegLib.worker import protocol, scratch

from ..places import coreFolder
from ..slots import guarded

FAILED_TO_START = 0
"""QProcess::FailedToStart: the only error after which ``finished`` does not come."""
CRASHED = 1
"""QProcess::CrashExit."""
LAUNCHER_TELLS_CRASH = "exit abnormally"
"""PythonSlicer, which launches the interpreter, itself ends in order when that crashes, and writes this."""
NOT_RUNNING = 0
"""QProcess::NotRunning."""

MAX_STRAY_BYTES = 1 << 22
"""A process that writes more than this without one message of ours is no worker."""

LOGGED_STRAY_BYTES = 1 << 14
"""How much of it is worth a place in the log."""

MAX_LINES = 1000
"""Lines kept of the log; older ones are forgotten."""
MAX_LINE = 2000
"""Characters kept of a line of it."""

_TAIL = 4000


class WorkerLog:
    """The last lines of what the worker and its start said, each with the time of day, for the log window: in
    memory only, as it may name a patient's files.
    """

    def __init__(self) -> None:
        self._lines: Deque[str] = deque(maxlen=MAX_LINES)

    def add(self, text: str) -> None:
        """Note one or several lines."""
        now = time.strftime("%H:%M:%S")
        self._lines.extend(f"{now} {line[:MAX_LINE]}" for line in text.splitlines() if line.strip())

    def text(self) -> str:
        """All lines kept, oldest first."""
        return "\n".join(self._lines)


class ChildProcess:
    """A worker process from its start to its end. It is started once; ``error`` says why it is no longer
    there.

    Args:
        command: Program and arguments.
        onMessage: Called with this object and every message that the process sends.
        onEnd: Called once, with this object, when the process has ended, however that came; its folder is
            gone by then.
        log: Takes what it writes besides.

    Raises:
        OutputError: The private folder cannot be made.
    """

    def __init__(
        self,
        command: Sequence[str],
        onMessage: Callable[["ChildProcess", protocol.Message], None],
        onEnd: Callable[["ChildProcess"], None],
        log: WorkerLog,
    ) -> None:
        self.folder: Path = scratch.make_private_folder()
        self.error: Optional[LiverSegError] = None
        self.pid: Optional[int] = None
        self._onMessage = onMessage
        self._onEnd = onEnd
        self._log = log
        self._lines = protocol.LineBuffer()
        self._stray = 0
        self._lastWords = ""
        self._process = _process()
        self._process.connect("readyReadStandardOutput()", guarded(self._readOutput))
        self._process.connect("readyReadStandardError()", guarded(self._readErrors))
        self._process.connect("errorOccurred(QProcess::ProcessError)", guarded(self._onError))
        self._process.connect("finished(int,QProcess::ExitStatus)", guarded(self._onFinished))
        log.add(f"Starting {' '.join(command)}")
        self._process.start(command[0], list(command[1:]))

    def hasEnded(self) -> bool:
        """Whether the process is gone and said so."""
        return self._process is None

    def send(self, message: protocol.Message) -> None:
        """Write a message; one to a process that has ended is dropped, as ``onEnd`` tells of that."""
        if self._process is not None:
            self._process.write(protocol.encode(message))

    def end(self, error: LiverSegError) -> None:
        """Kill the process, because of ``error``."""
        if self.error is None:
            self.error = error
        self._kill()

    def close(self, error: LiverSegError) -> None:
        """Ask the process to end by itself, because of ``error``."""
        if self.error is None:
            self.error = error
        self.send(protocol.Shutdown("shutdown"))

    def waitForMessages(self, milliseconds: int) -> None:
        """Take in what the process says, waiting for it if there is nothing: for where no event loop runs."""
        process = self._process
        # lint: allow blocking only a blocking run asks for it, in small portions
        if process is not None and not process.waitForReadyRead(milliseconds):
            self._finishIfDead()

    def waitForEnd(self, milliseconds: int) -> bool:
        """Wait until the process has ended; whether it has."""
        process = self._process
        if process is not None:
            # lint: allow blocking Slicer is about to exit
            process.waitForFinished(milliseconds)
            self._finishIfDead()
        return self.hasEnded()

    # ---- QProcess's signals

    def _readOutput(self) -> None:
        if self._process is None:
            return
        data = bytes(self._process.readAllStandardOutput().data())
        self._stray += len(data)
        for line in self._lines.feed(data):
            self._takeLine(line)
        if self._stray > MAX_STRAY_BYTES and self.error is None:
            self.end(
                WorkerError(_("The program that was started is not LiverSeg's worker."), self._lastWords)
            )

    def _takeLine(self, line: bytes) -> None:
        try:
            message = protocol.decode(line)
        except protocol.ProtocolError as error:
            self.end(error)
            return
        if message is None:
            if self._stray < LOGGED_STRAY_BYTES:
                self._log.add(line.decode("utf-8", "replace"))
            return
        self._stray = 0
        if isinstance(message, protocol.HelloReply):
            self.pid = message.pid
        if isinstance(message, protocol.Log):
            self._log.add(message.text)
        self._onMessage(self, message)

    def _readErrors(self) -> None:
        if self._process is None:
            return
        text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        self._lastWords = (self._lastWords + text)[-_TAIL:]
        self._log.add(text)

    def _onError(self, code: int) -> None:
        if int(code) == FAILED_TO_START and self._process is not None:
            reason = self._process.errorString()
            self._ended(WorkerError(_("LiverSeg's worker could not be started."), reason))

    def _onFinished(self, exitCode: int, status: int) -> None:
        if self._process is None:
            return
        self._readOutput()
        self._readErrors()
        crashed = int(status) == CRASHED or LAUNCHER_TELLS_CRASH in self._lastWords
        how = (
            _("it crashed, was killed, or memory ran out") if crashed else _("exit status %d") % int(exitCode)
        )
        text = _("LiverSeg's worker ended unexpectedly ({how}); please run again.").format(how=how)
        self._ended(WorkerError(text, self._lastWords))

    def _finishIfDead(self) -> None:
        """Without an event loop nobody may have told."""
        if self._process is not None and int(self._process.state()) == NOT_RUNNING:
            self._onFinished(self._process.exitCode(), self._process.exitStatus())

    def _ended(self, error: LiverSegError) -> None:
        process, self._process = self._process, None
        if self.error is None:
            self.error = error
        self._log.add(f"The worker has ended: {self.error}")
        scratch.remove_private_folder(self.folder)
        # the object has to outlive the signal that it may be in the middle of
        qt.QTimer.singleShot(0, guarded(lambda: process.deleteLater()))
        self._onEnd(self)

    def _kill(self) -> None:
        if self._process is None:
            return
        started = int(self._process.processId())
        self._process.kill()
        if self.pid not in (None, os.getpid(), started):
            # PythonSlicer is a launcher: what it launched may outlive it
            try:
                os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            except OSError:
                pass  # it has ended already


def _process() -> "qt.QProcess":
    """A QProcess in this process's environment, in which Python finds the core that came with this module."""
    process = qt.QProcess()
    environment = qt.QProcessEnvironment.systemEnvironment()
    paths = [str(coreFolder()), environment.value("PYTHONPATH", "")]
    environment.insert("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    process.setProcessEnvironment(environment)
    # python -m looks into the current folder first, where a user may keep a file that bears a library's name
    process.setWorkingDirectory(str(coreFolder()))
    return process
