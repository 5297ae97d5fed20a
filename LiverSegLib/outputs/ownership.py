"""Who holds a lock or a temporary folder, and is that process still alive?

An owner is written as JSON into the lock or folder. A later run reads it and takes over what a dead process
left.
"""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from typing import Optional


@dataclass(frozen=True)
class Owner:
    """One process on one computer.

    ``born`` is the process's start time in the system's own ticks, ``space`` its namespace of process numbers
    (containers have their own); both None where the system does not tell. Process numbers are reused, start
    times are not.
    """

    pid: int
    host: str
    born: Optional[str] = None
    space: Optional[str] = None

    @classmethod
    def current(cls) -> "Owner":
        """This process."""
        return cls(os.getpid(), platform.node(), _birth(os.getpid()), _namespace())

    @classmethod
    def parse(cls, text: str) -> Optional["Owner"]:
        """The owner written by ``to_text``; None if the text is damaged, as after a crash while it was
        written."""
        try:
            fields = json.loads(text)
            return cls(int(fields["pid"]), str(fields["host"]), fields.get("born"), fields.get("space"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def to_text(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    def is_here(self) -> bool:
        """Whether the process ran on this computer, so that ``is_dead`` can tell."""
        return self.host == platform.node() and self.space == _namespace()

    def is_dead(self) -> bool:
        """Whether the process has certainly ended. False for one on another computer, which cannot be
        asked."""
        if not self.is_here():
            return False
        return not process_exists(self.pid) or (self.born is not None and _birth(self.pid) != self.born)


def process_exists(pid: int) -> bool:
    """Whether a process of that number runs on this computer (one that has ended but was not reaped does
    not)."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _process_exists_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat_field(pid, 0) not in ("Z", "X")


def _process_exists_on_windows(pid: int) -> bool:
    import ctypes

    still_active, query_limited_information = 259, 0x1000
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(query_limited_information, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return code.value == still_active


def _birth(pid: int) -> Optional[str]:
    return _stat_field(pid, 19)


def _namespace() -> Optional[str]:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def _stat_field(pid: int, index: int) -> Optional[str]:
    """Field ``index`` after the command name of Linux's /proc/PID/stat (0: state, 19: start time); None
    elsewhere."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[index]
    except (OSError, IndexError):
        return None
