"""An output folder that gets a complete new set of results or keeps the old one.

Everything is first written into a hidden folder inside the output folder (so on the same disk), flushed to
the disk, and only then renamed into place. While the renaming goes on, the hidden folder also holds the
replaced files and a journal: an error or Ctrl-C in between puts the old set back at once, and after ``kill
-9`` or a power cut the next run does. A lock keeps a second run out, see ``locks``.
"""

import errno
import json
import os
import platform
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Mapping, Optional, Sequence, Union
from uuid import uuid4

from ..errors import OutputError, write_failure
from ..locks import HeldFile, hold, holder
from ..sentences import Sentence
from .signals import signals_deferred, sigterm_as_exit

PathLike = Union[str, "os.PathLike[str]"]

LOCK_NAME = ".liverseg-lock"
"""The lock file of an output folder."""

_STAGING_PREFIX = ".liverseg-new-"
_JOURNAL = "journal.json"


class Reservation:
    """An output folder that this process alone may write to, until the ``with`` block of ``reserve`` ends.

    Attributes:
        folder: The output folder (absolute).
        staging: The hidden folder to write the new set into.
    """

    def __init__(self, folder: Path, staging: Path, lock: HeldFile) -> None:
        self.folder = folder
        self.staging = staging
        self._lock = lock

    def end(self) -> None:
        """Remove the staging folder and the lock. A journal that is still there means that putting back
        failed: the next run tries again."""
        if not (self.staging / _JOURNAL).exists():
            shutil.rmtree(self.staging, ignore_errors=True)
        self._lock.release()

    def commit(self, names: Sequence[str], remove: Sequence[str] = ()) -> None:
        """Move the files ``names`` from ``staging`` into the folder, replacing those there, and remove the
        files ``remove``.

        Either all of that happens or nothing. Ctrl-C and SIGTERM wait until it is done.

        Raises:
            OutputError: Something could not be moved; the old set is back in place.
        """
        with signals_deferred():
            try:
                for path in (*(self.staging / name for name in names), self.staging):
                    flush_to_disk(path)
                _swap(self.folder, self.staging, names, remove)
            except OSError as error:
                raise write_failure(error, self.folder) from error


@contextmanager
def reserve(folder: PathLike) -> Iterator[Reservation]:
    """Hold ``folder`` (made if missing, with its parents) for writing; what is not committed leaves no trace.

    Also puts right what a killed run left behind. SIGTERM inside the block ends the program the orderly way
    (``SystemExit``) if nobody else handles it.

    Raises:
        OutputError: Not a folder, not writable, full disk, or another run holds it.
    """
    path = Path(os.path.abspath(folder))
    made: List[Path] = []
    reservation: Optional[Reservation] = None
    with sigterm_as_exit():
        try:
            with signals_deferred():
                made = _make_folders(path)
                reservation = _take(path)
            yield reservation
        finally:
            with signals_deferred():
                if reservation is not None:
                    reservation.end()
                _remove_empty(made)


def check_room(reservation: Reservation, needed_bytes: int) -> None:
    """Try to write into the reserved folder and look at the free space of its disk.

    Raises:
        OutputError: Not writable, or less than ``needed_bytes`` free.
    """
    probe = reservation.staging / "probe"
    try:
        probe.write_bytes(b"probe")
        probe.unlink()
        free = shutil.disk_usage(str(reservation.folder)).free
    except OSError as error:
        raise write_failure(error, reservation.folder) from error
    if free < needed_bytes:
        sizes = {"free": free / 1e6, "needed": needed_bytes / 1e6}
        raise OutputError(Sentence("write.nearly-full", folder=str(reservation.folder), **sizes))


def flush_to_disk(path: Path) -> None:
    """Make sure that a file's data or a folder's entries survive a power cut."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(str(path), os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # some network disks cannot; then there is nothing to wait for
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def _make_folders(path: Path) -> List[Path]:
    """Make ``path`` and its missing parents; return those made, deepest first. Undone if it fails
    half-way."""
    missing: List[Path] = []
    current = path
    while not current.exists() and not current.is_symlink():
        missing.append(current)
        current = current.parent
    if not current.is_dir():
        raise OutputError(Sentence("write.is-a-file", path=str(path), file=str(current)))
    made: List[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            made.insert(0, folder)
    except OSError as error:
        _remove_empty(made)
        raise write_failure(error, current, "write.folder", path=str(path)) from error
    return made


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, deepest first, as long as they are empty: only those of a run that left no result
    are."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _take(path: Path) -> Reservation:
    """Lock the folder, put right what a killed run left, and make the staging folder."""
    try:
        lock = hold(path / LOCK_NAME)
        if lock is None:
            raise OutputError(_taken_sentence(path, path / LOCK_NAME))
        try:
            _recover(path)
            staging = path / (_STAGING_PREFIX + uuid4().hex[:12])
            staging.mkdir(mode=0o700)
        except BaseException:
            lock.release()
            raise
    except OSError as error:
        raise write_failure(error, path) from error
    return Reservation(path, staging, lock)


def _taken_sentence(folder: Path, lock: Path) -> str:
    places, found = {"folder": str(folder), "lock": str(lock)}, holder(lock)
    if found is None:
        return Sentence("write.taken", **places)
    pid, host = found
    key = "write.taken-here" if host == platform.node() else "write.taken-elsewhere"
    return Sentence(key, pid=pid, host=host, **places)


def _recover(folder: Path) -> None:
    """With the lock held, nothing hidden of ours belongs here: finish putting back, then remove it."""
    for leftover in sorted(folder.glob(_STAGING_PREFIX + "*")):
        if (leftover / _JOURNAL).exists():
            _put_back(folder, leftover)
        shutil.rmtree(leftover, ignore_errors=True)


def _swap(folder: Path, staging: Path, names: Sequence[str], remove: Sequence[str]) -> None:
    """Journal, old files aside, new files in place; on any error everything back. Removing the journal is the
    moment of success."""
    old = staging / "old"
    old.mkdir(exist_ok=True)
    leaving = [name for name in dict.fromkeys([*names, *remove]) if os.path.lexists(str(folder / name))]
    _write_journal(staging, {"new": list(names), "old": leaving})
    try:
        for name in leaving:
            os.replace(str(folder / name), str(old / name))
        for name in names:
            os.replace(str(staging / name), str(folder / name))
        flush_to_disk(folder)
        (staging / _JOURNAL).unlink()
    except BaseException:
        _put_back(folder, staging)
        raise


def _write_journal(staging: Path, journal: Mapping[str, Sequence[str]]) -> None:
    temporary = staging / "journal.tmp"
    temporary.write_text(json.dumps(journal), encoding="utf-8")
    flush_to_disk(temporary)
    os.replace(str(temporary), str(staging / _JOURNAL))
    flush_to_disk(staging)


def _put_back(folder: Path, staging: Path) -> None:
    """Undo a swap from wherever it stopped. May itself be stopped and repeated."""
    journal = json.loads((staging / _JOURNAL).read_text(encoding="utf-8"))
    for name in journal["new"]:
        arrived = not os.path.lexists(str(staging / name))
        if arrived and os.path.lexists(str(folder / name)):
            os.replace(str(folder / name), str(staging / name))
    for name in journal["old"]:
        if os.path.lexists(str(staging / "old" / name)):
            os.replace(str(staging / "old" / name), str(folder / name))
    flush_to_disk(folder)
    (staging / _JOURNAL).unlink()
