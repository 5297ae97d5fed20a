"""Private temporary folders that do not outlive their owners.

A folder is made with mode 0700 and holds the file ``owner``, which the process that made it keeps locked:
only a folder with that file is ever removed, so a wrong path in a message can do no harm. Folders of
processes that were killed are swept away when the next one is made.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Dict, Optional, Union

from .errors import write_failure
from .locks import HeldFile, hold, is_left_over

PREFIX = "liverseg-"
"""How the names of private folders begin."""

OWNER_FILE = "owner"
"""Name of the file that marks a private folder; locked as long as the folder's maker lives."""

_held: Dict[Path, HeldFile] = {}
"""The marks of the folders that this process made. They are held until it ends or removes the folder."""


def make_private_folder(parent: Optional[Union[str, "os.PathLike[str]"]] = None) -> Path:
    """Make a private folder in ``parent`` (the system's temporary folder if None) and sweep away those of
    dead processes.

    Raises:
        OutputError: The folder cannot be made: full disk, read-only.
    """
    base = Path(parent) if parent is not None else Path(tempfile.gettempdir())
    sweep(base)
    folder: Optional[Path] = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=str(base)))  # mkdtemp sets mode 0700
        held = hold(folder / OWNER_FILE)
    except OSError as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise write_failure(error, base, "write.temporary-folder") from error
    if held is None:  # another process's sweep came between the two lines and removes the folder
        return make_private_folder(parent)
    _held[folder] = held
    return folder


def remove_private_folder(folder: Union[str, "os.PathLike[str]"]) -> None:
    """Remove a private folder with everything in it; nothing happens if it is gone or is not one."""
    path = Path(folder)
    held = _held.pop(path, None)
    if held is not None:
        held.file.close()
    if is_private(path):
        _remove(path)


def sweep(base: Union[str, "os.PathLike[str]"]) -> None:
    """Remove the private folders in ``base`` whose processes, of this user, are dead."""
    try:
        candidates = [Path(entry.path) for entry in os.scandir(base) if entry.name.startswith(PREFIX)]
    except OSError:
        return
    for folder in candidates:
        if is_private(folder) and is_left_over(folder / OWNER_FILE):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Contents first and the owner's mark last, so that an interrupted removal can be taken up again."""
    for entry in list(folder.iterdir()) if folder.is_dir() else []:
        if entry.name == OWNER_FILE:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # gone, or held open on Windows: the next sweep takes it
                entry.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def is_private(folder: Path) -> bool:
    """Whether it is a private folder of this user."""
    if folder.is_symlink() or not folder.is_dir() or not (folder / OWNER_FILE).is_file():
        return False
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()
