"""pip in a process of its own, so that Slicer's window stays alive: how far it is, what went wrong."""

import os
import re
import shutil
import signal
import sys
from typing import List, Optional, Sequence

import qt
from slicer.i18n import tr as _

from .machine import installedVersion, numbers

NOT_RUNNING = 0
"""QProcess::NotRunning."""

TIMEOUT_S, RETRIES = 20, 2
"""How long and how often pip tries a connection: without internet it must say so soon."""

RAW_PROGRESS = (24, 1)
"""Oldest pip that can write its progress as numbers."""

_RUN_PIP = (
    "import os, runpy, sys; print('pid', os.getpid(), flush=True); "
    "sys.argv[0] = 'pip'; runpy.run_module('pip', run_name='__main__', alter_sys=True)"
)
"""Says who it is first: PythonSlicer is a launcher, and what it launches may outlive it."""

_DOWNLOADING, _INSTALLING = 0.05, 0.85
"""The fractions at which these begin."""

_TAIL = 8000
"""Characters of pip's output that are kept."""


def pythonCommand() -> List[str]:
    """Slicer's own Python, ready to run pip; outside Slicer this Python."""
    return [shutil.which("PythonSlicer") or sys.executable, "-c", _RUN_PIP]


class PipProcess:
    """``pip install`` of a requirement without its dependencies, from its start to its end.

    Args:
        requirement: such as "openvino==2025.3.0".

    Attributes:
        output: what pip said.
        isInstalling: whether files are being written already.
    """

    def __init__(self, requirement: str) -> None:
        self.output = ""
        self.isInstalling = False
        self._downloaded = 0.0
        self._pid: Optional[int] = None
        command = pythonCommand()
        self._process = qt.QProcess()
        self._process.setProcessChannelMode(qt.QProcess.MergedChannels)
        self._process.start(command[0], [*command[1:], *pipArguments(requirement)])

    def isRunning(self) -> bool:
        """Take in what pip says; whether it is still at work."""
        # lint: allow blocking a millisecond, in which Qt notices the end where no event loop runs
        self._process.waitForFinished(1)
        self._take(bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace"))
        return int(self._process.state()) != NOT_RUNNING

    def hasSucceeded(self) -> bool:
        """Whether pip ended well."""
        return int(self._process.exitStatus()) == 0 and int(self._process.exitCode()) == 0 and bool(self._pid)

    def fraction(self) -> float:
        """How far it is, 0 to 1."""
        return _INSTALLING if self.isInstalling else _DOWNLOADING + 0.8 * self._downloaded

    def stage(self) -> str:
        """What it does, in words, without the name of what is installed."""
        return _("Installing {name}") if self.isInstalling else _("Downloading {name}")

    def whatFailed(self) -> str:
        """What pip said, or why it was not started."""
        return self.output[-_TAIL:] or self._process.errorString()

    def close(self) -> None:
        """Kill pip if it is still at work, and let go of the process."""
        if int(self._process.state()) != NOT_RUNNING:
            started = int(self._process.processId())
            self._process.kill()
            if self._pid not in (None, os.getpid(), started):
                try:
                    os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))
                except OSError:
                    pass  # it has ended already
            # lint: allow blocking a killed process ends at once
            self._process.waitForFinished(1000)
        self._process.deleteLater()

    def _take(self, text: str) -> None:
        for number in re.findall(r"^pid (\d+)", text, re.MULTILINE):
            self._pid = int(number)
        for done, total in re.findall(r"^Progress (\d+) of (\d+)", text, re.MULTILINE):
            self._downloaded = min(1.0, int(done) / max(1, int(total)))
        if "Installing collected packages" in text:
            self.isInstalling = True
        kept = [line for line in text.splitlines(True) if not line.startswith(("Progress ", "pid "))]
        self.output = (self.output + "".join(kept))[-4 * _TAIL :]


def pipArguments(requirement: str) -> Sequence[str]:
    """What pip is told: this package alone, as a wheel, without questions."""
    arguments = ["install", "--no-deps", "--only-binary=:all:", "--no-input", "--no-color"]
    arguments += ["--disable-pip-version-check", "--no-warn-script-location"]
    arguments += ["--timeout", str(TIMEOUT_S), "--retries", str(RETRIES)]
    arguments += [
        "--progress-bar",
        "raw" if numbers(installedVersion("pip") or "0") >= RAW_PROGRESS else "off",
    ]
    return [*arguments, requirement]
