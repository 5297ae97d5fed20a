"""A model's files: read within limits, and put in place so that they appear whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import Any, Union

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.sentences import Sentence

PathLike = Union[str, "os.PathLike[str]"]
Buffer = Union[bytes, bytearray, memoryview]

MAX_WEIGHTS_BYTES = 2 * 1024**3
"""Largest weights file that is read: four times the largest published nnU-Net preset in single precision."""
MAX_TEXT_BYTES = 1024**2
"""Largest manifest, licence or read-me file."""

INCOMING = ".incoming-"
"""Prefix of a folder that is being filled."""
OUTGOING = ".outgoing-"
"""Prefix of a folder that steps aside for its successor: ``.outgoing-<8 hex digits>-<name>``."""


def quoted(value: Any) -> str:
    """``value`` as it can be printed anywhere, cut to a length that a sentence can bear."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def printable(text: str, longest: int = 400) -> str:
    """A stranger's text as it can be shown: on one line, without control characters, of bearable length."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(plain.split())[:longest]


def sha256(data: Buffer) -> str:
    """SHA-256 of ``data`` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: PathLike) -> str:
    """SHA-256 of a file's bytes, read piece by piece.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()


def read_within(path: PathLike, limit: int) -> bytearray:
    """Return the bytes of a regular file, read once, so that what was checked is also what is used.

    Args:
        path: the file.
        limit: most bytes that are accepted.

    Raises:
        ModelCorruptError: missing, no regular file (a pipe would block for ever), unreadable, too long, or of
            another length once it was read.
    """
    name = os.path.basename(os.fspath(path))
    try:
        with open(path, "rb", opener=_open_without_blocking) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelCorruptError(Sentence("model.no-ordinary-file", name=name), os.fspath(path))
            if status.st_size > limit:
                text = Sentence("model.too-long", name=name, bytes=status.st_size, limit=limit)
                raise ModelCorruptError(text, os.fspath(path))
            data = bytearray(status.st_size)
            count = stream.readinto(data)
            changed = count != status.st_size or bool(stream.read(1))
    except FileNotFoundError as error:
        raise ModelCorruptError(Sentence("model.lacks-file", name=name), str(error)) from error
    except OSError as error:
        text = Sentence("model.unreadable", name=name, reason=str(error.strerror))
        raise ModelCorruptError(text, str(error)) from error
    if changed:
        raise ModelCorruptError(Sentence("model.changed", name=name), os.fspath(path))
    return data


def write_synced(path: PathLike, *chunks: Buffer) -> None:
    """Write ``chunks`` to ``path`` and wait until the disk has them.

    Raises:
        OSError: the disk is full, the folder read-only or missing.
    """
    with open(path, "wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())


def make_incoming(parent: Path) -> Path:
    """Make an empty hidden folder in ``parent``, to be filled and then handed to :func:`publish_folder`."""
    folder = parent / f"{INCOMING}{uuid.uuid4().hex}"
    folder.mkdir()
    return folder


def publish_folder(incoming: Path, target: Path) -> None:
    """Rename ``incoming`` to ``target`` on the same disk; an older ``target`` is replaced.

    An existing ``target`` steps aside first and comes back when the renaming fails; a process killed between
    the two renamings leaves it whole under its OUTGOING name.

    Raises:
        OSError: the renaming failed; ``target`` is then as it was before.
    """
    aside = target.with_name(f"{OUTGOING}{uuid.uuid4().hex[:8]}-{target.name}")
    try:
        if os.path.lexists(target):
            os.rename(target, aside)
        os.rename(incoming, target)
    except BaseException:
        if os.path.lexists(aside) and not os.path.lexists(target):
            os.rename(aside, target)
        raise
    sync_folder(target.parent)
    delete_folder(aside)


def withdraw_folder(folder: Path) -> None:
    """Delete a folder, which is gone at once: it gets a hidden name first, and whoever looks sees it whole or
    not.

    Raises:
        OSError: it cannot be renamed; it is then as it was.
    """
    aside = folder.with_name(f"{OUTGOING}{uuid.uuid4().hex[:8]}-{folder.name}")
    os.rename(folder, aside)
    sync_folder(folder.parent)
    delete_folder(aside)


def delete_folder(folder: Path) -> None:
    """Delete a folder as far as the system allows; of a link only the link."""
    if folder.is_symlink():
        _unlink_quietly(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Ask the disk to remember ``folder``'s renamings; Windows cannot be asked."""
    if os.name == "nt":
        return
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_without_blocking(path: str, flags: int) -> int:
    """Open a file; a named pipe without a writer is opened too, to be refused, instead of waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unlink_quietly(path: PathLike) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
