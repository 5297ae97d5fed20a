"""A zip archive of DICOM files, as an image archive or a portal hands it out, unpacked into a private folder.

The list of members is looked at before anything is written: a link, a name that leads out of the archive,
encryption, too many members or too many bytes refuse the whole. Then only members that begin like DICOM are
written, under names of our own, and no more bytes than the list said. The folder is removed when nobody needs
its files any more, at the latest when the process ends; that of a killed process by the next one.
"""

import os
import re
import shutil
import stat
import weakref
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Tuple

from ..errors import LiverSegError, OutputError, UnreadableImageError, write_failure
from ..private_folders import make_private_folder, remove_private_folder
from ..sentences import Sentence
from .dicom import HEAD_BYTES, is_directory, kind_of
from .scan import FileState, file_state

Check = Callable[[], None]

EXTENSION = ".zip"
MAX_MEMBERS = 200_000
"""More than the largest studies have."""
MAX_BYTES = 32 * 1024**3
"""Unpacked, all DICOM files together; a CT of 3000 slices has 1.5 GB."""
MAX_RATIO = 100
"""Unpacked bytes per packed byte, all together: real images shrink to a third, a bomb to a thousandth."""
FREE_RATIO_BYTES = 64 * 1024**2
"""What may grow to no more than this may grow as much as it likes."""
SPARE_BYTES = 256 * 1024**2
"""So much of the disk must stay free."""
PIECE = 1 << 20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What image archives pack with; other ways fail in other ways, and not every Python has them."""
NESTED = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What zipfile raises on damaged archives; RuntimeError for want of a password is met earlier."""


@dataclass(frozen=True, eq=False)
class Unpacked:
    """The DICOM files of an archive, which are there as long as this object lives.

    Attributes:
        folder: private.
        files: paths in it, in the order of the archive.
    """

    folder: Path
    files: Tuple[str, ...]

    def __post_init__(self) -> None:
        weakref.finalize(self, remove_private_folder, self.folder)


_alive: "weakref.WeakValueDictionary[Tuple[FileState, ...], Unpacked]" = weakref.WeakValueDictionary()
"""Archives that are unpacked now: one that is read twice in a row is unpacked once."""


def is_archive(path: str) -> bool:
    """Whether a file's name says that it is a zip archive."""
    return path.lower().endswith(EXTENSION)


def unpack(path: str, check: Optional[Check] = None) -> Unpacked:
    """Unpack the DICOM files of a zip archive.

    Args:
        path: the archive.
        check: called between pieces; may raise to cancel.

    Raises:
        UnreadableImageError: it is damaged, encrypted or hostile, or holds no DICOM.
        OutputError: the disk of the temporary folder is full.
    """
    state = file_state(path)
    known = _alive.get(state)
    if known is not None:
        return known
    name = os.path.basename(path)
    check = check or (lambda: None)
    with _opened(path, name) as archive:
        members = _dicom_members(archive, name, check)
        folder = make_private_folder()
        try:
            _check_room(sum(member.file_size for member in members), folder, name)
            files = [_write(archive, member, folder, number, check) for number, member in enumerate(members)]
        except BaseException as error:
            remove_private_folder(folder)
            if isinstance(error, OSError):
                raise write_failure(error, folder.parent, "zip.not-unpacked", name=name) from error
            raise
    found = Unpacked(folder, tuple(files))
    _alive[state] = found
    return found


@contextmanager
def _opened(path: str, name: str) -> Iterator[zipfile.ZipFile]:
    """The open archive; what zipfile finds wrong with it becomes a sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except LiverSegError:
        raise
    except _DAMAGE as error:
        raise UnreadableImageError(Sentence("zip.damaged", name=name), repr(error)) from error


def _dicom_members(archive: zipfile.ZipFile, name: str, check: Check) -> List[zipfile.ZipInfo]:
    """The members that begin like DICOM, once every member was looked at.

    Raises:
        UnreadableImageError: the archive is refused, or there are none.
    """
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > MAX_MEMBERS:
        raise _refusal("zip.too-many", name, count=len(members), most=MAX_MEMBERS)
    for member in members:
        _check_member(member, name)
    total = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if total > max(FREE_RATIO_BYTES, MAX_RATIO * packed):
        raise _refusal("zip.bomb", name, most=MAX_RATIO)
    found = []
    for member in members:
        check()
        if _is_dicom(archive, member):
            found.append(member)
    if not found:
        raise _nothing(members, name)
    wanted = sum(member.file_size for member in found)
    if wanted > MAX_BYTES:
        raise _refusal("zip.too-large", name, gb=wanted / 1024**3, most=MAX_BYTES / 1024**3)
    return found


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    """Raise UnreadableImageError for what no honest archive of images has, or what cannot be read."""
    parts = re.split(r"[/\\]", member.filename)  # some programs of Windows write backslashes
    if ".." in parts or not parts[0] or re.match(r"[A-Za-z]:", member.filename):
        raise _refusal("zip.leads-out", name, member=_shown(member))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind and kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise _refusal("zip.link", name, member=_shown(member))
    if member.flag_bits & 0x1:
        raise _refusal("zip.encrypted", name)
    if member.compress_type not in METHODS:
        raise _refusal("zip.method", name)


def _is_dicom(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    if is_directory(_base(member)):
        return False
    with archive.open(member) as stream:
        return kind_of(stream.read(HEAD_BYTES), _base(member)) != "other"


def _nothing(members: List[zipfile.ZipInfo], name: str) -> UnreadableImageError:
    """What to say of an archive without DICOM."""
    nested = [member for member in members if _base(member).lower().endswith(NESTED)]
    if nested:
        return _refusal("zip.nested", name, member=_shown(nested[0]))
    return _refusal("zip.no-dicom", name)


def _check_room(needed: int, folder: Path, name: str) -> None:
    """Raise OutputError if the disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        sizes = {"needed": needed / 1e9, "free": free / 1e9}
        raise OutputError(Sentence("zip.no-room", name=name, folder=str(folder.parent), **sizes))


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, number: int, check: Check) -> str:
    """Write one member, and no more bytes than the list said; returns its path."""
    # A number before the name: members of two folders may share it, and a disk may not tell a from A.
    target = folder / f"{number:06d}-{re.sub(r'[^A-Za-z0-9._-]', '_', _base(member))[-60:]}"
    left = member.file_size
    with archive.open(member) as source, open(target, "xb") as stream:
        for piece in iter(lambda: source.read(PIECE), b""):
            check()
            left -= len(piece)
            if left < 0:
                raise zipfile.BadZipFile("a member is longer than the list says")
            stream.write(piece)
    if left:
        raise zipfile.BadZipFile("a member ends too early")
    return str(target)


def _base(member: zipfile.ZipInfo) -> str:
    return re.split(r"[/\\]", member.filename)[-1]


def _shown(member: zipfile.ZipInfo) -> str:
    """The name as a sentence can show it: control characters and the like are marked."""
    return ascii(member.filename[:80])


def _refusal(key: str, name: str, **facts: Any) -> UnreadableImageError:
    return UnreadableImageError(Sentence(key, name=name, **facts))
