"""What reading yields: the scan, where it came from, its fingerprint and one line of facts."""

import hashlib
import os
import struct
from dataclasses import dataclass, field
from typing import Iterable, Optional, Tuple, Union

import numpy as np
import SimpleITK as sitk

from .lean import Lean
from .modality import CT, MR

FileState = Tuple[str, int, int]
"""Path, size in bytes and modification time in ns of one file; a vanished file has size and time -1."""

PHASE_WORDS = {
    "unenhanced": "unenhanced",
    "arterial": "arterial phase",
    "portal": "portal venous phase",
    "late": "delayed phase",
}
"""Phase key -> how a line of facts says it; an unknown phase is not mentioned."""


@dataclass(frozen=True)
class DicomFiles:
    """The DICOM files that a scan was read from.

    Attributes:
        files: paths, in slice order; one path where one multi-frame file holds all slices.
        frames: of a multi-frame file, the 0-based frame of each slice, in slice order; empty if every file is
            a slice, or the frames are not known and the scan has all of them.
        kept: as long as it lives, the files are there: an unpacked archive. None if they are the user's own.
    """

    files: Tuple[str, ...]
    frames: Tuple[int, ...] = ()
    kept: Optional[object] = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SeriesInfo:
    """One stack of slices in a DICOM folder. Nothing that names the patient is ever read into it.

    ``uid`` is the Series Instance UID; where one series holds several stacks (two phases, a localiser among
    the slices), the second and further ones end in ``:2``, ``:3``. ``size`` is (x, y, slices), ``spacing`` mm
    (x, y, z); ``files`` are in slice order; ``phase_hint`` is what the description says ("unenhanced",
    "arterial", "portal", "late") or ``None``; ``suitable`` tells whether it can be an abdominal CT to segment
    and ``reason`` why not; ``date`` is YYYYMMDD or empty. ``kvp`` is the tube voltage in kV, ``None``
    where the header does not state one for all slices; ``contrast`` the contrast agent named, or empty.
    ``frames`` are the 0-based frames of the slices in a multi-frame file, empty where each file is a slice.
    ``part`` tells it from the other stacks of its series, such as "acquisition 2".
    """

    uid: str
    description: str
    modality: str
    size: Tuple[int, int, int]
    spacing: Tuple[float, float, float]
    files: Tuple[str, ...]
    phase_hint: Optional[str] = None
    suitable: bool = True
    reason: str = ""
    number: Optional[int] = None
    date: str = ""
    kvp: Optional[float] = None
    contrast: str = ""
    frames: Tuple[int, ...] = ()
    part: str = ""

    @property
    def name(self) -> str:
        """What to choose it by: the series number, with the number of the stack where there are several."""
        number = "-" if self.number is None else str(self.number)
        return number + ("" if ":" not in self.uid else self.uid[self.uid.index(":") :])

    @property
    def told(self) -> str:
        """The description, with what tells it from the other stacks of its series."""
        return f"{self.description or 'no description'}" + (f" ({self.part})" if self.part else "")

    def line(self) -> str:
        """One line to choose by: number, description, size and spacing."""
        return f"{self.name}: {self.told}, {size_words(self.size, self.spacing)}"


@dataclass(frozen=True)
class Scan:
    """A CT or MR that passed the checks.

    ``image`` is 3-D scalar int16 or float32 on the grid it came with, in HU, or for MR as it was stored.
    ``name`` is a stem for output names. ``modality`` is as the header or the user says, None where nobody
    has said; ``kind`` is "CT" then. ``fingerprint`` is the SHA-256 (hex) of voxels and grid. ``files`` is the
    state of every file read, at the time of reading. ``kept`` keeps the files of ``series`` there as long as
    the scan lives, if they were unpacked from an archive. ``lean`` is how the slices of a tilted gantry were
    moved into the grid of ``image``; None for other scans.
    """

    image: sitk.Image
    path: Optional[str]
    name: str
    modality: Optional[str]
    series: Optional[SeriesInfo]
    warnings: Tuple[str, ...]
    fingerprint: str
    files: Tuple[FileState, ...] = ()
    kept: Optional[object] = field(default=None, repr=False, compare=False)
    lean: Optional[Lean] = field(default=None, repr=False, compare=False)

    @property
    def dicom_files(self) -> Optional[DicomFiles]:
        """The DICOM files that it was read from; None if it came from another kind of file."""
        if self.series is None or not self.series.files:
            return None
        return DicomFiles(self.series.files, self.series.frames, self.kept)

    @property
    def kind(self) -> str:
        """ "CT" or "MR"."""
        return MR if self.modality == MR else CT


def fingerprint(image: sitk.Image) -> str:
    """SHA-256 (hex) over the voxels in memory order and size, spacing, origin and direction; streamed without
    a copy.
    """
    digest = hashlib.sha256()
    digest.update(image.GetPixelIDTypeAsString().encode())
    digest.update(struct.pack(f"<{image.GetDimension()}q", *image.GetSize()))
    # Adding zero turns -0.0 into 0.0: the same grid must not have two fingerprints.
    grid = [value + 0.0 for value in image.GetSpacing() + image.GetOrigin() + image.GetDirection()]
    digest.update(struct.pack(f"<{len(grid)}d", *grid))
    for part in np.atleast_2d(sitk.GetArrayViewFromImage(image)):
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()


def file_state(path: Union[str, os.PathLike, Iterable[str]]) -> Tuple[FileState, ...]:
    """Size and modification time of one file, or of several, to detect later that the input changed
    meanwhile.
    """
    paths = [os.fspath(path)] if isinstance(path, (str, os.PathLike)) else list(path)
    return tuple(_one_state(item) for item in paths)


def unchanged(scan: Scan) -> bool:
    """Whether every file the scan was read from is still there with the size and time it had. In-memory
    images always are.
    """
    return file_state(state[0] for state in scan.files) == scan.files


def facts(scan: Scan, phase: Optional[str] = None) -> str:
    """One line like "512 × 512 × 110, 0.78 × 0.78 × 2.5 mm, portal venous phase".

    Args:
        phase: An estimated phase key; without it, what the DICOM series description says.
    """
    line = size_words(scan.image.GetSize(), scan.image.GetSpacing())
    word = PHASE_WORDS.get(phase or (scan.series.phase_hint if scan.series else None) or "")
    return f"{line}, {word}" if word else line


def size_words(size: Tuple[int, ...], spacing: Tuple[float, ...]) -> str:
    """Size and spacing in words: "512 × 512 × 110, 0.78 × 0.78 × 2.5 mm"."""
    return (
        " × ".join(str(n) for n in size)
        + ", "
        + " × ".join(f"{s:.2f}".rstrip("0").rstrip(".") for s in spacing)
        + " mm"
    )


def _one_state(path: str) -> FileState:
    try:
        status = os.stat(path)
    except OSError:
        return (path, -1, -1)
    return (path, status.st_size, status.st_mtime_ns)
