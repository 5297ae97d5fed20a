"""The folder of results as the only memory of a cohort: which cases are done, failed, open.

A case's folder is written elsewhere on the same disk, flushed, and renamed into place: it is complete or not
there. ``cases/NAME`` are those that are done, ``failed/NAME`` those that cannot be done; ``.cohort`` holds
what only a running cohort needs. The operating system keeps the lock of a case for the process that computes
it, so that no two ever do, not even those of a run that was killed and of the one after it.
"""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional, Set
from uuid import uuid4

from ..errors import OutputError, UsageError, write_failure
from ..locks import hold, is_held
from ..outputs.atomic import flush_to_disk
from ..outputs.file_set import finite
from .case import Options, differences

DONE, FAILED, OPEN = "done", "failed", "open"
"""What a case is."""

ROW = "case.json"
"""The file of a case's folder with its row of the tables."""

_CASES, _FAILED, _PRIVATE = "cases", "failed", ".cohort"
_SETTINGS = "settings.json"


class Ledger:
    """The cases of one folder of results.

    Args:
        folder: of the results.

    Attributes:
        folder: as given.
        cases, failed: folders of the cases that are done and of those that are not.
        private: what only a running cohort needs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.cases = self.folder / _CASES
        self.failed = self.folder / _FAILED
        self.private = self.folder / _PRIVATE

    def prepare(self) -> None:
        """Make the folders.

        Raises:
            OutputError: they cannot be made.
        """
        try:
            for path in (self.cases, self.failed, *(self.private / n for n in ("locks", "started", "work"))):
                path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(error, self.folder) from error

    def done(self) -> Set[str]:
        """Names of the cases that are done."""
        return _names(self.cases)

    def failures(self) -> Set[str]:
        """Names of the cases that failed."""
        return _names(self.failed)

    def state(self, name: str) -> str:
        """What a case is: DONE, FAILED or OPEN."""
        if (self.cases / name).exists():
            return DONE
        return FAILED if (self.failed / name).exists() else OPEN

    def folder_of(self, name: str, state: str) -> Path:
        """Where a case that is done, or failed, lies."""
        return (self.cases if state == DONE else self.failed) / name

    @contextmanager
    def turn(self, name: str) -> Iterator[Optional[Path]]:
        """Hold a case; gives an empty folder to write it into, or None if another process holds the case.

        Raises:
            OSError: the folder of results cannot be written to.
        """
        lock = hold(self.private / "locks" / name)
        if lock is None:
            yield None
            return
        place = self.private / "work" / name
        try:
            shutil.rmtree(place, ignore_errors=True)  # of a process that was killed
            staging = place / uuid4().hex[:8]
            staging.mkdir(parents=True)
            yield staging
        finally:
            shutil.rmtree(place, ignore_errors=True)
            lock.release()

    def commit(self, staging: Path, name: str, state: str, row: Mapping[str, Any]) -> None:
        """Put a case's folder into place, with its row; the case is DONE or FAILED from then on.

        Raises:
            OSError: it cannot be written; nothing is there then.
        """
        text = json.dumps(finite(row), ensure_ascii=False, allow_nan=False)
        (staging / ROW).write_text(text + "\n", encoding="utf-8")
        flush_to_disk(staging / ROW)
        flush_to_disk(staging)
        place = self.folder_of(name, state)
        os.replace(staging, place)
        flush_to_disk(place.parent)

    def row(self, name: str, state: str) -> Dict[str, Any]:
        """The row of a case that is done or failed.

        Raises:
            OutputError: somebody has damaged its folder.
        """
        path = self.folder_of(name, state) / ROW
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{path} cannot be read: remove the folder {path.parent}, and the case is computed again.",
                str(error),
            ) from error
        return dict(content)

    def forget_failures(self) -> int:
        """Make all failed cases open again; how many there were."""
        names = self.failures()
        for name in names:
            aside = self.private / "work" / f"{name}.{uuid4().hex[:8]}"
            try:
                os.replace(self.failed / name, aside)
            except OSError as error:
                raise write_failure(error, self.folder) from error
            shutil.rmtree(aside, ignore_errors=True)
        return len(names)

    def count_start(self, name: str, run: str) -> int:
        """Note that a process begins a case; how often one began it in this run and never ended it."""
        path = self.private / "started" / name
        before = 0
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            before = int(content["times"]) if content["run"] == run else 0
        except (OSError, ValueError, KeyError, TypeError):
            before = 0
        path.write_text(json.dumps({"run": run, "times": before + 1}), encoding="utf-8")
        return before

    def count_end(self, name: str) -> None:
        """Note that the process that began a case has ended it."""
        (self.private / "started" / name).unlink(missing_ok=True)

    def settle(self, options: Options) -> None:
        """Keep the options of the folder's first run; refuse others.

        Raises:
            UsageError: the cases that are there were made with other options.
            OutputError: the folder cannot be written to.
        """
        path, now = self.private / _SETTINGS, options.that_matter()
        before = _content(path)
        if before is not None and (self.done() or self.failures()):
            found = differences(before, now)
            if found:
                raise UsageError(
                    f"The cases in {self.folder} were made with other options ({'; '.join(found)}): "
                    f"use the same, or another folder."
                )
        elif before is None and any(_names(self.cases)):
            raise OutputError(f"{self.cases} was not made by a cohort of LiverSeg: use another folder.")
        try:
            self._write(path, json.dumps(now, indent=2, ensure_ascii=False))
        except OSError as error:
            raise write_failure(error, self.folder) from error

    def tidy(self) -> None:
        """Remove what killed processes left behind, as far as no process holds it."""
        for place in (self.private / "work").iterdir():
            lock = self.private / "locks" / place.name
            if not is_held(lock):
                shutil.rmtree(place, ignore_errors=True)
        for lock in (self.private / "locks").iterdir():
            held = hold(lock)
            if held is not None:
                held.release()

    def secret(self) -> bytes:
        """Random bytes of this folder, made once; names of anonymous cases come from them.

        Raises:
            OutputError: they cannot be kept.
        """
        path = self.private / "secret"
        try:
            if not path.exists():
                self._write(path, os.urandom(32).hex(), mode=0o600)
            return bytes.fromhex(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} cannot be read.", str(error)) from error

    def has_secret(self) -> bool:
        """Whether the secret is still there."""
        return (self.private / "secret").exists()

    def destroy_secret(self) -> None:
        """Remove the secret: from then on nobody can tell which name belongs to which scan."""
        (self.private / "secret").unlink(missing_ok=True)

    def _write(self, path: Path, text: str, mode: int = 0o644) -> None:
        temporary = path.with_name(f"{path.name}.{uuid4().hex[:8]}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        flush_to_disk(temporary)
        os.replace(temporary, path)


def _names(folder: Path) -> Set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except OSError:
        return set()


def _content(path: Path) -> Optional[Dict[str, Any]]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
