"""The files of the recovery journal: where they lie, whose they are, what stands in them.

Each process that corrects has a private folder with a lock file, which the operating system lets go of when
the process ends, however that is; what lies in a folder that nobody holds is left over. A journal is a zip
archive: the segments' voxels as bits, compressed, and ``header.json``, which is written last. It never holds
the scan.
"""

import contextlib
import json
import os
import platform
import zipfile
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple
from uuid import uuid4

import numpy as np
import qt
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError
from LiverSegLib.images.grid import Grid
from LiverSegLib.locks import HeldFile, hold, holder, is_held, is_left_over

FOLDER_VARIABLE = "LIVERSEG_RECOVERY"
"""Environment variable that replaces the user's folder of journals."""
FORMAT = "liverseg-slicer-journal-1"
SUFFIX = ".liverseg-journal"
LOCK_NAME = "lock"
HEADER = "header.json"

MOST_VOXELS = 1 << 31
"""A segment with more voxels is none of ours: nothing so large is unpacked."""
_ATTEMPTS = 3
_LEVEL = 1
"""zlib's fastest: masks are compressed well by any."""


@dataclass(frozen=True)
class StoredSegment:
    """A segment in a journal.

    Attributes:
        segmentID, name: as in Slicer.
        color: red, green, blue, 0 to 1.
        terminology: in Slicer's text form; empty without one.
        extent: of its label map, first and last index along i, j, k.
        matrix: 16 numbers, row by row: from the label map's indices to RAS mm of the scan's own space.
        slab: so many slices are packed together.
        automatic: it is one of the automatic result.
    """

    segmentID: str
    name: str
    color: Tuple[float, ...]
    terminology: str
    extent: Tuple[int, ...]
    matrix: Tuple[float, ...]
    slab: int
    automatic: bool

    @property
    def shape(self) -> Tuple[int, int, int]:
        """Of the label map, (z, y, x)."""
        i, j, k = (max(0, self.extent[axis * 2 + 1] - self.extent[axis * 2] + 1) for axis in range(3))
        return k, j, i


@dataclass(frozen=True)
class Entry:
    """A journal on the disk.

    Attributes:
        path: of the file.
        problem: a sentence on why it cannot be restored, with nothing else known of it; empty if it can be.
        scanName, segmentationName: their names in the scene.
        seriesUID: of the scan's DICOM series; empty if it is not known.
        grid: of the scan; None if there is a problem.
        checksum: of the scan's voxels.
        time: when it was written, ISO with zone.
        edits: how many edits it holds.
        pid, host: the process that wrote it, and its computer.
        node: attributes and texts of the segmentation, by role, as the scene keeps them.
        segments: what stands in it.
    """

    path: Path
    problem: str = ""
    scanName: str = ""
    segmentationName: str = ""
    seriesUID: str = ""
    grid: Optional[Grid] = None
    checksum: int = 0
    time: str = ""
    edits: int = 0
    pid: int = 0
    host: str = ""
    node: Any = None
    segments: Tuple[StoredSegment, ...] = ()


def recoveryFolder() -> Path:
    """Return the folder of all journals of this user; it need not exist."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    place = qt.QStandardPaths.writableLocation(qt.QStandardPaths.AppLocalDataLocation)
    return Path(place or os.path.expanduser("~")) / "LiverSeg" / "recovery"


def makeSession(folder: Path) -> Tuple[Path, HeldFile]:
    """Make a private folder for the journals of this process, and hold its lock.

    Raises:
        OSError: it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for _attempt in range(_ATTEMPTS):
        session = folder / uuid4().hex
        session.mkdir(mode=0o700)
        held = hold(session / LOCK_NAME)
        if held is not None:
            return session, held
        # another Slicer, looking for what was left over, had it in this moment
    raise OSError("the lock of a new folder is held")


def writeJournal(entry: Entry, slabs: Iterable[Tuple[int, bytes]]) -> Iterator[None]:
    """Write a journal in pieces, into its place at the end; what is not finished leaves nothing.

    Args:
        entry: what to write.
        slabs: index of a segment of the entry, and a piece of its voxels as packed bits, in order.

    Raises:
        OSError: the disk is full, or cannot be written to.
    """
    part = entry.path.with_suffix(".part")
    try:
        handle = os.open(str(part), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        with (
            os.fdopen(handle, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive,
        ):
            yield from _writeSlabs(archive, slabs)
            archive.writestr(HEADER, json.dumps(_header(entry)))
        # not flushed to the disk, which may take long: the journal outlives the process, not a power cut
        os.replace(str(part), str(entry.path))
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def readEntry(path: Path) -> Entry:
    """Return what stands in a journal without reading its voxels; never raises."""
    try:
        with zipfile.ZipFile(str(path)) as archive:
            data = json.loads(archive.read(HEADER).decode("utf-8"))
            entry = _entry(path, data)
            names = set(archive.namelist())
        if not all(_name(index) in names or 0 in item.shape for index, item in enumerate(entry.segments)):
            raise ValueError("a segment is missing")
        return entry
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError):
        text = _("The recovery journal {name} is damaged, or not one of LiverSeg: it cannot be restored.")
        return Entry(path, problem=text.format(name=path.name))


def readVoxels(entry: Entry, index: int) -> Iterator[None]:
    """Read the voxels of a segment of a journal, in pieces.

    Returns:
        bool (z, y, x).

    Raises:
        InputError: the file is damaged or gone.
    """
    item = entry.segments[index]
    voxels = np.zeros(item.shape, bool)
    depth, height, width = item.shape
    try:
        if voxels.size:
            with zipfile.ZipFile(str(entry.path)) as archive, archive.open(_name(index)) as stream:
                for first in range(0, depth, item.slab):
                    slab = voxels[first : first + item.slab]
                    bits = np.frombuffer(stream.read((slab.size + 7) // 8), np.uint8)
                    slab[:] = np.unpackbits(bits, count=slab.size).astype(bool).reshape(slab.shape)
                    yield
                if stream.read(1):
                    raise ValueError("more voxels than the header says")
        return voxels
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        text = _("The recovery journal {name} is damaged: it cannot be restored.")
        raise InputError(text.format(name=entry.path.name), repr(error)) from error


def leftOverEntries(folder: Path) -> List[Entry]:
    """Return the journals of processes that no longer run, the newest first; never raises."""
    found: List[Entry] = []
    with contextlib.suppress(OSError):
        for session in sorted(folder.iterdir()):
            if session.is_dir() and _isLeftOver(session / LOCK_NAME):
                paths = sorted(session.glob("*" + SUFFIX))
                found += [readEntry(path) for path in paths]
                if not paths:
                    removeSession(session)
    return sorted(found, key=lambda entry: entry.time, reverse=True)


def removeEntry(entry: Entry) -> bool:
    """Remove a journal, and its folder when that was the last one; returns whether it is gone."""
    with contextlib.suppress(OSError):
        entry.path.unlink()
    if not entry.path.exists() and not any(entry.path.parent.glob("*" + SUFFIX)):
        removeSession(entry.path.parent)
    return not entry.path.exists()


def removeSession(session: Path) -> None:
    """Remove a folder of journals with its own files; if there is anything else in it, it stays."""
    if not (session / LOCK_NAME).exists():  # not ours, or already gone
        with contextlib.suppress(OSError):
            session.rmdir()
        return
    with contextlib.suppress(OSError):
        for path in session.iterdir():
            if path.suffix in (SUFFIX, ".part"):
                path.unlink()
        (session / LOCK_NAME).unlink()
        session.rmdir()


def _isLeftOver(lock: Path) -> bool:
    """Whether the process that made a lock file has ended."""
    if is_left_over(lock):
        return True
    owner = holder(lock)
    if is_held(lock) or os.name == "nt" or owner is None or owner[1] != platform.node():
        return False
    try:  # on a disk without locks; signal 0 only asks (not on Windows, where it would end the process)
        os.kill(owner[0], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _writeSlabs(archive: zipfile.ZipFile, slabs: Iterable[Tuple[int, bytes]]) -> Iterator[None]:
    """Write the pieces of each segment into a member of its own."""
    index: Optional[int] = None
    stream: Any = None
    try:
        for number, data in slabs:
            if number != index:
                if stream is not None:
                    stream.close()
                index, stream = number, archive.open(_name(number), "w", force_zip64=True)
            stream.write(data)
            yield
    finally:
        if stream is not None:
            stream.close()


def _name(index: int) -> str:
    return f"segment-{index}"


def _header(entry: Entry) -> Dict[str, Any]:
    data = {key: value for key, value in asdict(entry).items() if key not in ("path", "problem")}
    return {"format": FORMAT, **data}


def _entry(path: Path, data: Dict[str, Any]) -> Entry:
    """Return the entry of a header.

    Raises:
        ValueError, TypeError, KeyError: it is not one of ours.
    """
    if data.pop("format") != FORMAT:
        raise ValueError("another format")
    grid = Grid(**{key: tuple(value) for key, value in data.pop("grid").items()})
    if len(grid.size) != 3 or len(grid.origin) != 3 or len(grid.spacing) != 3 or len(grid.direction) != 9:
        raise ValueError("not a grid")
    segments = tuple(map(_segment, data.pop("segments")))
    if not isinstance(data["node"], dict):
        raise ValueError("no attributes")
    texts = ("scanName", "segmentationName", "seriesUID", "time", "host")
    numbers = ("checksum", "edits", "pid")
    if not all(isinstance(data[key], str) for key in texts) or not all(
        isinstance(data[key], int) for key in numbers
    ):
        raise ValueError("values of another type")
    return replace(Entry(path, grid=grid, segments=segments), **data)


def _segment(data: Dict[str, Any]) -> StoredSegment:
    lists = {key: tuple(data[key]) for key in ("color", "extent", "matrix")}
    item = StoredSegment(**{**data, **lists})
    voxels = int(np.prod([float(n) for n in item.shape]))
    if len(item.extent) != 6 or len(item.matrix) != 16 or len(item.color) != 3 or item.slab < 1:
        raise ValueError("not a segment")
    if voxels > MOST_VOXELS or not np.isfinite(item.matrix).all():
        raise ValueError("not a label map")
    return item
