"""Zip archives from somebody else, unpacked into a folder of our own: only what is needed, within limits.

The whole list of members is looked at before anything is written. One that leads out of the archive, a link,
an encrypted or oddly compressed one, too many, or more bytes than a model has refuse the archive; so does one
that grows beyond what it says while it is unpacked.
"""

import re
import shutil
import stat
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Iterator, List, NoReturn, Sequence

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models.files import PathLike, quoted
from LiverSegLib.sentences import Sentence

MAX_MEMBERS = 20_000
MAX_BYTES = 24 * 1024**3
"""Unpacked: five folds of the largest preset with their optimizers' states."""
MAX_RATIO = 100
"""Unpacked bytes per packed byte: weights hardly shrink, a bomb grows a thousandfold."""
FREE_RATIO_BYTES = 1024**2
"""Text may shrink as much as it likes up to this size."""
MAX_DEPTH = 12
PIECE = 1 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_ODD = re.compile(r"[\x00-\x1f\x7f<>:\"|?*\\]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


@contextmanager
def unpacked(archive: PathLike, folder: Path, wanted: Sequence[str]) -> Iterator[Path]:
    """Unpack the members of an archive whose file names are wanted.

    Args:
        archive: a zip file.
        folder: an empty one, which is removed with all that is in it in the end.
        wanted: file names without folders.

    Raises:
        ModelCorruptError: the archive is damaged or hostile; the sentence says how.
        OSError: the disk is full.
    """
    name = Path(archive).name
    try:
        with _opened(archive, name) as opened:
            for member in _checked(opened, name):
                if PurePosixPath(member.filename).name in wanted:
                    _unpack(opened, member, folder, name)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(archive: PathLike, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ModelCorruptError(Sentence("add.no-archive", name=name), str(error)) from error


def _checked(opened: zipfile.ZipFile, name: str) -> List[zipfile.ZipInfo]:
    """All members that are files, once every one was looked at."""
    members = opened.infolist()
    if len(members) > MAX_MEMBERS:
        _refuse(name, f"it has {len(members)} members")
    seen, total = set(), 0
    for member in members:
        _check_place(member, name)
        mode = member.external_attr >> 16
        if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or not stat.S_IFMT(mode)):
            _refuse(name, f"{quoted(member.filename)} is a link or another special file")
        if member.flag_bits & 0x1:
            _refuse(name, "it is encrypted")
        if member.compress_type not in METHODS:
            _refuse(name, f"{quoted(member.filename)} is compressed in an unusual way")
        if member.file_size > max(FREE_RATIO_BYTES, MAX_RATIO * member.compress_size):
            _refuse(name, f"{quoted(member.filename)} would grow to {member.file_size} bytes")
        if member.filename.lower() in seen:
            _refuse(name, f"it holds {quoted(member.filename)} twice")
        seen.add(member.filename.lower())
        total += member.file_size
    if total > MAX_BYTES:
        _refuse(name, f"it would grow to {total} bytes")
    return [member for member in members if not member.is_dir()]


def _check_place(member: zipfile.ZipInfo, name: str) -> None:
    """Raise unless a member lies within the archive's own folders, on every operating system."""
    path = member.filename
    parts = path.rstrip("/").split("/")
    if path.startswith("/") or len(parts) > MAX_DEPTH or len(path) > 500:
        _refuse(name, f"{quoted(path)} leads out of it")
    for part in parts:
        if part in ("", ".", "..") or _ODD.search(part) or _RESERVED.fullmatch(part) or part[-1] in " .":
            _refuse(name, f"{quoted(path)} is no plain name")


def _unpack(opened: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, name: str) -> None:
    """Write one member, and no more bytes than it said."""
    target = folder.joinpath(*member.filename.split("/"))
    target.parent.mkdir(parents=True, exist_ok=True)
    left = member.file_size
    try:
        with opened.open(member) as source, open(target, "xb") as stream:
            for piece in iter(lambda: source.read(PIECE), b""):
                left -= len(piece)
                if left < 0:
                    _refuse(name, f"{quoted(member.filename)} is longer than it says")
                stream.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        _refuse(name, "it is damaged")
    if left:
        _refuse(name, f"{quoted(member.filename)} ends too early")


def _refuse(name: str, reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("add.archive-refused", name=name, reason=reason))
