"""Arrays on their way to the worker and back, a little in every turn of the event loop.

The functions are generators: each ``yield`` is the end of a turn, after about ``TURN_S`` on a disk that keeps
up.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any, Dict, Generator, Tuple

import numpy as np
from slicer.i18n import tr as _

from LiverSegLib.errors import OutputError, WorkerError, write_failure
from LiverSegLib.sentences import restored, with_identity
from LiverSegLib.worker import protocol

TURN_S = 0.015
"""A turn ends after the slab during which this has passed."""

SLAB_BYTES = 1 << 22
"""How much is written or read at a time."""

SPARE_BYTES = 1 << 26
"""Room that must be left on the disk besides an array: the result goes there too."""

Portions = Generator[float, None, Any]
"""Yields the fraction done."""


def writeArray(path: Path, array: np.ndarray) -> Portions:
    """Write an array as .npy, uncompressed, so that the worker can map it into memory.

    Args:
        path: In the private folder.
        array: Any shape (z, ...); it is not copied as a whole.

    Raises:
        OutputError: The disk is full or cannot be written to.
    """
    place = path.parent.parent
    try:
        _checkRoom(path.parent, array.nbytes)
        with open(path, "wb") as file:
            header = np.lib.format.header_data_from_array_1_0(array[:0])
            header.update(shape=array.shape, fortran_order=False)
            np.lib.format.write_array_header_1_0(file, header)
            for first, last, done in _slabs(array.shape, array.nbytes):
                file.write(np.ascontiguousarray(array[first:last]))
                if done is not None:
                    yield done
    except OSError as error:
        raise write_failure(error, place, "write.scan-over") from error


def readArray(path: Path) -> Portions:
    """Read a .npy file into memory of its own; the generator returns the array.

    Raises:
        WorkerError: The file is not as the worker should have written it.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"version {version} of the .npy format")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            if fortran or dtype.hasobject:
                raise ValueError(f"unexpected array of {dtype}")
            array = np.empty(shape, dtype)
            for first, last, done in _slabs(shape, array.nbytes):
                if file.readinto(array[first:last]) != array[first:last].nbytes:
                    raise EOFError("the file is too short")
                if done is not None:
                    yield done
            return array
    except (OSError, ValueError, EOFError) as error:
        raise WorkerError(_("The worker's result could not be read."), repr(error)) from error


def readSurfaces(
    reply: protocol.SegmentResult,
) -> Generator[float, None, Dict[str, Tuple[np.ndarray, np.ndarray]]]:
    """Read a result's surfaces: label key -> points float32 (n, 3) LPS mm and triangles int32 (m, 3)."""
    surfaces = {}
    for files in reply.surfaces:
        points = yield from readArray(resultFile(reply.folder, files.points))
        triangles = yield from readArray(resultFile(reply.folder, files.triangles))
        surfaces[files.key] = (points, triangles)
    return surfaces


def readSummary(folder: str, name: str) -> Dict[str, Any]:
    """Read a result's summary: "name", "measurements", "provenance", "warnings".

    Raises:
        WorkerError: It is not one.
    """
    try:
        summary = restored(json.loads(resultFile(folder, name).read_text(encoding="utf-8")))
        if not {"name", "measurements", "provenance", "warnings"} <= set(summary):
            raise ValueError(f"keys {sorted(summary)}")
        return summary
    except (OSError, ValueError, TypeError) as error:
        raise WorkerError(_("The worker's result could not be read."), repr(error)) from error


def writeSummary(path: Path, summary: Dict[str, Any]) -> None:
    """Write a summary for the worker to read.

    Raises:
        OutputError: The disk is full or cannot be written to.
    """
    try:
        path.write_text(json.dumps(with_identity(summary)), encoding="utf-8")
    except OSError as error:
        raise write_failure(error, path.parent.parent, "write.numbers-over") from error


def resultFile(folder: str, name: str) -> Path:
    """The path of a file that the worker named in its result.

    Raises:
        WorkerError: The name leads out of the result's folder.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise WorkerError(_("The worker's result could not be read."), f"file name {name!r}")
    return Path(folder) / name


def resultFolder(folder: str, privateFolder: Path) -> Path:
    """The folder of a result, which must lie in the private one: it is going to be removed.

    Raises:
        WorkerError: It lies elsewhere.
    """
    path = Path(folder)
    if path.parent != Path(privateFolder) or path.name in ("", ".", ".."):
        raise WorkerError(_("The worker's result could not be read."), f"folder {folder!r}")
    return path


def _checkRoom(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(str(folder)).free
    if free < needed + SPARE_BYTES:
        text = _("The disk that holds {folder} is nearly full: {free} MB free, {needed} MB needed.")
        megabytes = {"free": free // 1_000_000, "needed": (needed + SPARE_BYTES) // 1_000_000}
        raise OutputError(text.format(folder=folder.parent, **megabytes))


def _slabs(shape: Tuple[int, ...], nbytes: int) -> Generator[Tuple[int, int, Any], None, None]:
    """First and last index along the first axis of each slab, and the fraction done where a turn is over."""
    count = shape[0] if shape else 0
    thickness = max(1, int(SLAB_BYTES * count / max(1, nbytes)))
    start = time.perf_counter()
    for first in range(0, count, thickness):
        last = min(count, first + thickness)
        over = time.perf_counter() - start > TURN_S
        yield first, last, (last / count if over else None)
        if over:
            start = time.perf_counter()
