"""Files that one process holds.

The operating system keeps the lock and ends it with the process, however that ends; so a lock file which
nobody holds is left over, whatever stands in it.
"""

import contextlib
import errno
import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Optional, Tuple

if sys.platform == "win32":  # the type checker knows this comparison
    import msvcrt
else:
    import fcntl

_ATTEMPTS = 100
_LOCKED_AT = 1 << 30
"""The byte that is locked on Windows, where locked bytes cannot be read: far behind the text."""
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}
"""How some network disks say that they have no locks."""


@dataclass(frozen=True)
class HeldFile:
    """A lock file of this process; it holds one line of JSON with the process's number and computer."""

    path: Path
    file: IO[bytes]

    def release(self) -> None:
        """Remove the file and end the lock; on a disk that became read-only the file stays."""
        if sys.platform == "win32":  # an open file cannot be removed
            self.file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.file.close()


def hold(path: Path) -> Optional[HeldFile]:
    """Make ``path``, or take what a dead process left, and lock it; None if another process holds it.

    On a disk without locks it is held without one.

    Raises:
        OSError: The file cannot be written.
    """
    for _ in range(_ATTEMPTS):
        file = open(path, "a+b", buffering=0)  # noqa: SIM115 (it stays open as long as it is held)
        try:
            if _lock(file) is False:
                break
            if _is_still(path, file):
                return _signed(HeldFile(path, file))
        except BaseException:
            file.close()
            raise
        file.close()  # its holder removed it in this moment
    file.close()
    return None


def is_left_over(path: Path) -> bool:
    """Whether ``path`` is there and certainly nobody holds it."""
    try:
        with open(path, "r+b", buffering=0) as file:
            return _lock(file) is True
    except OSError:
        return False


def is_held(path: Path) -> bool:
    """Whether ``path`` is there and certainly somebody holds it; without locks on its disk: False."""
    try:
        with open(path, "r+b", buffering=0) as file:
            return _lock(file) is False
    except OSError:
        return False


def holder(path: Path) -> Optional[Tuple[int, str]]:
    """Number and computer of the process that wrote ``path``; None if that cannot be told."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return int(fields["pid"]), str(fields["host"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _signed(held: HeldFile) -> HeldFile:
    """The same file with this process's number and computer in it."""
    try:
        held.file.truncate(0)
        held.file.write(json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
    except BaseException:
        held.release()
        raise
    return held


def _lock(file: IO[bytes]) -> Optional[bool]:
    """Whether this handle now has the lock; None if the disk has no locks."""
    try:
        if sys.platform == "win32":
            file.seek(_LOCKED_AT)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _is_still(path: Path, file: IO[bytes]) -> bool:
    """Whether ``path`` is the file that was opened, not one that came after it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
