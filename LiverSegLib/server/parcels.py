"""A result on the wire: a zip file with the worker's message, its summary and its arrays."""

import io
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

import numpy as np

from ..errors import ServerError
from ..sentences import Sentence, restored
from ..worker import protocol
from ..worker.messages import SegmentResult

MESSAGE = "result.json"
"""The worker's message within the zip file; it names the others."""

LEVEL = 1
"""Of the compression: masks shrink to some percent at any."""

ROOM = 1 << 24
"""Bytes that a zip file has beside its arrays at most."""

_LONGEST_TEXT = 1 << 25


@dataclass(frozen=True)
class Parcel:
    """What a server computed.

    Attributes:
        labels: uint8 (z, y, x).
        summary: as the worker writes it, with its sentences.
        probability: uint8 (z, y, x), 255 = 1.0; None if it was not asked for.
        structures: uint8 or uint16 (z, y, x); None if there are none.
    """

    labels: np.ndarray
    summary: Dict[str, Any]
    probability: Optional[np.ndarray] = None
    structures: Optional[np.ndarray] = None


def pack(result: SegmentResult, path: Path) -> None:
    """Write the zip file of a result, whose surfaces are left out: who has the mask can make them.

    Raises:
        OSError: the disk is full.
    """
    folder = Path(result.folder)
    names = (result.labels, result.summary, result.probability, result.structures)
    message = replace(result, folder=".", surfaces=())  # no path of this machine
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as file:
        file.writestr(MESSAGE, protocol.encode(message))
        for name in filter(None, names):
            file.write(folder / name, name)


def most_bytes(shape: Tuple[int, int, int]) -> int:
    """How long the zip file of a result on a scan of this shape (z, y, x) can be, in bytes."""
    return 4 * int(np.prod(shape, dtype=np.int64)) + ROOM


def unpack(data: bytes, shape: Tuple[int, int, int]) -> Parcel:
    """Read the zip file of a result on a scan of this shape (z, y, x).

    Raises:
        ServerError: it is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            message = protocol.decode(_member(file, MESSAGE, protocol.MAX_LINE_BYTES))
            if not isinstance(message, SegmentResult):
                raise ValueError(f"{type(message).__name__} instead of a result")
            summary = restored(json.loads(_member(file, message.summary, _LONGEST_TEXT)))
            if not isinstance(summary, dict):
                raise ValueError("the summary is no object")
            return Parcel(
                _array(file, message.labels, shape, "u1"),
                summary,
                None if message.probability is None else _array(file, message.probability, shape, "u1"),
                None if message.structures is None else _array(file, message.structures, shape, "u1", "u2"),
            )
    except (zipfile.BadZipFile, protocol.ProtocolError, KeyError, ValueError, EOFError, OSError) as error:
        raise ServerError(Sentence("server.damaged-result"), repr(error)) from error


def _member(file: zipfile.ZipFile, name: str, most: int) -> bytes:
    """One file of the zip file, unpacked; at most so many bytes. Raises ValueError, KeyError."""
    if file.getinfo(name).file_size > most:
        raise ValueError(f"{name} is too long")
    return file.read(name)


def _array(file: zipfile.ZipFile, name: str, shape: Tuple[int, int, int], *kinds: str) -> np.ndarray:
    """An array of this shape and one of these types. Raises ValueError, KeyError."""
    data = _member(file, name, most_bytes(shape))
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    if array.shape != shape or array.dtype.str[1:] not in kinds:
        raise ValueError(f"{name}: {array.dtype} {array.shape}, scan {shape}")
    return array
