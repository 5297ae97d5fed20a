"""Which mesh files are ours: the comment of each holds a seal and the grid of the mask that it was made from.

The seal is a hash of the file itself, so a mesh that was edited since, or made by another program, is not
taken for ours. The grid tells the meshes of two scans apart; a mask that was corrected keeps its grid.
"""

import hashlib
import re
import struct
from pathlib import Path
from typing import Optional

import SimpleITK as sitk

from ..errors import OutputError
from ..sentences import Sentence

DIGITS = 12
"""Hexadecimal digits of either hash: the header of an STL file has room for 80 bytes in all."""
UNKNOWN = "0" * DIGITS
"""Stands for a grid that is not known, and for the seal while it is computed."""

_HEAD_BYTES = 600
_MARK = re.compile(rb"LiverSeg surface;[^\r\n]*; grid ([0-9a-f]{12}) seal ([0-9a-f]{12})")


def grid_hash(labels: sitk.Image) -> str:
    """DIGITS hexadecimal digits that stand for size, spacing, origin and direction of an image."""
    numbers = labels.GetSpacing() + labels.GetOrigin() + labels.GetDirection()
    data = struct.pack(f"<{len(labels.GetSize())}q", *labels.GetSize())
    # Rounded: a corrected mask may come back in a format that stores the grid in single precision.
    data += "".join(f"{round(value, 3) + 0.0:.3f};" for value in numbers).encode()
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def unsealed(text: str, grid: str) -> str:
    """The comment of a mesh file that ``seal`` will complete."""
    return f"{text}; grid {grid} seal {UNKNOWN}"


def seal(path: str) -> None:
    """Put the hash of a mesh file into its comment, which was made by ``unsealed``."""
    data = Path(path).read_bytes()
    found = _MARK.search(data[:_HEAD_BYTES])
    if found is None:
        raise OSError(f"{path} has no comment to be sealed")
    with open(path, "r+b") as file:
        file.seek(found.start(2))
        file.write(_hash(data).encode())


def refuse_to_replace(path: Path, labels: Optional[sitk.Image] = None) -> None:
    """Refuse a place where something lies that is not a mesh of ours of the same scan.

    Args:
        path: where a mesh is to be written.
        labels: the mask that it is made from; its grid stands for the scan.

    Raises:
        OutputError: Something is there that LiverSeg did not write, that was changed since or cannot be read,
            or the mesh of another scan.
    """
    if not path.exists() and not path.is_symlink():
        return
    found, data = None, b""
    if path.is_file():
        try:
            data = path.read_bytes()
        except OSError as error:
            raise OutputError(Sentence("mesh.not-ours", path=str(path)), str(error)) from error
        found = _MARK.search(data[:_HEAD_BYTES])
    if found is None or _hash(_with_blank_seal(data, found)) != found.group(2).decode():
        raise OutputError(Sentence("mesh.not-ours", path=str(path)))
    if labels is not None and found.group(1).decode() != grid_hash(labels):
        raise OutputError(Sentence("mesh.another-scan", path=str(path)))


def _with_blank_seal(data: bytes, found: "re.Match[bytes]") -> bytes:
    return data[: found.start(2)] + UNKNOWN.encode() + data[found.end(2) :]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]
