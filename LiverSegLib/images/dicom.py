"""DICOM headers: which files are images, and which of them form one stack of slices.

pydicom reads a fixed list of tags; nothing that names the patient is among them. Pixels are read elsewhere
(``stack``).
"""

import os
import struct
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from ..errors import is_out_of_memory

Check = Callable[[], None]
"""Called between files; raises to cancel."""

_TAGS = [
    "SpecificCharacterSet",
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "AcquisitionTime",
    "Modality",
    "SeriesDescription",
    "BodyPartExamined",
    "SliceThickness",
    "KVP",
    "ContrastBolusAgent",
    "ConvolutionKernel",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]

_PARSE_ERRORS = (
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    struct.error,
)
"""What pydicom raises on damaged files; its own InvalidDicomError cannot occur, as reading is forced."""

_ORIENTATION_TOLERANCE = 0.01
"""Direction cosines that differ by less belong to one stack (0.6 degrees)."""

SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one position."""


@dataclass(frozen=True)
class Slice:
    """One slice: a file, or one frame of a multi-frame file.

    ``frame`` is 0-based, ``None`` for a single-frame file. ``spacing`` is mm (x, y). ``position`` is the
    centre of the first voxel, ``orientation`` the direction cosines of x then y, both LPS; ``None`` where the
    header lacks them. ``kvp`` is the tube voltage in kV, ``None`` if it is not stated; ``contrast`` the agent
    named, or empty.
    """

    path: str
    frame: Optional[int]
    uid: str
    instance_uid: str
    class_uid: str
    modality: str
    description: str
    number: Optional[int]
    instance: Optional[int]
    date: str
    image_type: Tuple[str, ...]
    body_part: str
    kernel: str
    size: Tuple[int, int]
    samples: int
    spacing: Optional[Tuple[float, float]]
    thickness: Optional[float]
    position: Optional[Tuple[float, ...]]
    orientation: Optional[Tuple[float, ...]]
    slope: float
    intercept: float
    acquisition: str
    temporal: str
    time: str
    kvp: Optional[float]
    contrast: str


@dataclass(frozen=True)
class Folder:
    """The slices found, and the files that look like DICOM but cannot be read."""

    slices: Tuple[Slice, ...]
    damaged: Tuple[str, ...]


def read_headers(files: List[str], check: Optional[Check] = None) -> Folder:
    """Read the image headers among ``files``; what is no DICOM is passed over, DICOM without an image too."""
    slices: List[Slice] = []
    damaged: List[str] = []
    for path in files:
        if check:
            check()
        try:
            kind = _sniff(path)
        except OSError:
            kind = "damaged"
        if kind == "dicom":
            try:
                slices.extend(_slices_of(path))
            except _HeaderError:
                kind = "damaged"
        if kind == "damaged":
            damaged.append(path)
    return Folder(tuple(slices), tuple(damaged))


def is_dicom(path: str) -> bool:
    """Whether the file starts like DICOM, with or without the usual preamble."""
    return _sniff(path) == "dicom"


def has_all_pixels(path: str) -> bool:
    """Whether uncompressed pixel data is as long as the header says; older GDCM reads less without a word."""
    import pydicom

    keywords = ["PixelData", "BitsAllocated", "Rows", "Columns", "SamplesPerPixel", "NumberOfFrames"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, force=True, specific_tags=keywords)
            syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
            if "PixelData" not in data:
                return False
            if syntax is not None and (syntax.is_compressed or syntax.is_deflated):
                return True  # the decoder notices
            expected = (data.BitsAllocated // 8) * data.Rows * data.Columns
            expected *= (_integer(data, "SamplesPerPixel") or 1) * (_integer(data, "NumberOfFrames") or 1)
            return len(data.PixelData) >= expected
    except _PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        return False


def walk(folder: str) -> List[str]:
    """All plain files of a folder and the folders in it, sorted; hidden files and DICOMDIR left out."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(root, name)
            for name in sorted(names)
            if not name.startswith(".") and name != "DICOMDIR"
        ]
    return [path for path in found if os.path.isfile(path)]


def stacks(slices: Tuple[Slice, ...]) -> List[List[Slice]]:
    """Group slices into stacks: one series, size, spacing and orientation each, sorted along the normal.

    A series that passes the same positions several times (two phases in one series) is split by acquisition
    number, temporal position or acquisition time, whichever gives stacks without repetition. Identical
    instances stored twice count once.
    """
    groups: Dict[tuple, List[List[Slice]]] = {}
    for item in _without_copies(slices):
        key = (
            item.uid,
            item.modality,
            item.class_uid,
            item.size,
            _rounded(item.spacing),
            "LOCALIZER" in item.image_type,
        )
        alike = groups.setdefault(key, [])
        for group in alike:
            if _same_orientation(group[0], item):
                group.append(item)
                break
        else:
            alike.append([item])
    result = []
    for alike in groups.values():
        for group in alike:
            result += _split_repeats(group)
    return [in_order(group) for group in result]


def copies(slices: Tuple[Slice, ...]) -> int:
    """How many slices are second copies of an instance that is there already."""
    return len(slices) - len(_without_copies(slices))


def normal(item: Slice) -> Optional[np.ndarray]:
    """Unit normal of the slice plane (3,), LPS; ``None`` without a usable orientation."""
    if item.orientation is None:
        return None
    cross = np.cross(item.orientation[:3], item.orientation[3:])
    length = np.linalg.norm(cross)
    return cross / length if length > 0.5 else None


def in_order(slices: List[Slice]) -> List[Slice]:
    """Slices sorted by their place along the normal, or by instance number where the header has no
    position.
    """
    places = places_mm(slices)
    if places is None:
        return sorted(slices, key=lambda item: (item.instance or 0, item.path, item.frame or 0))
    # Equal positions fall back to path and frame, so that the order never depends on the file system.
    order = sorted(
        range(len(slices)), key=lambda i: (round(float(places[i]), 3), slices[i].path, slices[i].frame or 0)
    )
    return [slices[i] for i in order]


def places_mm(slices: List[Slice]) -> Optional[np.ndarray]:
    """Distance of each slice along the common normal (n,), mm; ``None`` if a header lacks position or
    orientation.
    """
    axis = normal(slices[0])
    if axis is None or any(item.position is None for item in slices):
        return None
    return np.array([item.position for item in slices]) @ axis


class _HeaderError(Exception):
    """A header that pydicom cannot parse."""


def _sniff(path: str) -> str:
    with open(path, "rb") as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return "dicom"
    extension = os.path.splitext(path)[1].lower()
    # Without preamble a file starts with group 0002 or 0008, little endian, then an even element number.
    if len(head) >= 8 and head[:2] in (b"\x02\x00", b"\x08\x00") and head[2] % 2 == 0 and head[3] == 0:
        return "dicom"
    return "damaged" if extension in (".dcm", ".dicom", ".ima") else "other"


def _slices_of(path: str) -> List[Slice]:
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd but harmless values; the geometry is checked afterwards
            data = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=_TAGS)
            return list(_frames(path, data))
    except _PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise _HeaderError(path) from error


def _frames(path: str, data: Any) -> Iterator[Slice]:
    if not _integer(data, "Rows") or not _integer(data, "Columns"):
        return  # a report, a DICOMDIR, a plan
    shared = (getattr(data, "SharedFunctionalGroupsSequence", None) or [None])[0]
    per_frame = getattr(data, "PerFrameFunctionalGroupsSequence", None) or []
    count = _integer(data, "NumberOfFrames") or 1
    if count == 1 and not per_frame:
        yield _slice(path, None, data, [data])
        return
    for frame in range(count):
        own = per_frame[frame] if frame < len(per_frame) else None
        yield _slice(path, frame, data, [group for group in (own, shared, data) if group is not None])


def _slice(path: str, frame: Optional[int], data: Any, sources: List[Any]) -> Slice:
    """Make one slice; ``sources`` are where per-frame values are looked for, first hit wins."""
    row_column = _floats(_find(sources, "PixelMeasuresSequence", "PixelSpacing"), 2)
    return Slice(
        path=path,
        frame=frame,
        uid=_text(data, "SeriesInstanceUID"),
        instance_uid=_text(data, "SOPInstanceUID"),
        class_uid=_text(data, "SOPClassUID"),
        modality=_text(data, "Modality").upper(),
        description=_text(data, "SeriesDescription"),
        number=_integer(data, "SeriesNumber"),
        instance=_integer(data, "InstanceNumber"),
        date=_text(data, "SeriesDate") or _text(data, "AcquisitionDate") or _text(data, "StudyDate"),
        image_type=tuple(part.strip().upper() for part in _text(data, "ImageType").split("\\")),
        body_part=_text(data, "BodyPartExamined").upper(),
        kernel=_text(data, "ConvolutionKernel").upper(),
        size=(_integer(data, "Columns") or 0, _integer(data, "Rows") or 0),
        samples=_integer(data, "SamplesPerPixel") or 1,
        # DICOM gives the distance between rows (y) first.
        spacing=(row_column[1], row_column[0]) if row_column else None,
        thickness=_float(_find(sources, "PixelMeasuresSequence", "SliceThickness")),
        position=_floats(_find(sources, "PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_floats(_find(sources, "PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        slope=_float(_find(sources, "PixelValueTransformationSequence", "RescaleSlope")) or 1.0,
        intercept=_float(_find(sources, "PixelValueTransformationSequence", "RescaleIntercept")) or 0.0,
        acquisition=_text(data, "AcquisitionNumber"),
        temporal=_text(data, "TemporalPositionIdentifier"),
        time=_text(data, "AcquisitionTime"),
        kvp=_float(_find(sources, "CTXRayDetailsSequence", "KVP")) or None,
        contrast=_text(data, "ContrastBolusAgent"),
    )


def _find(sources: List[Any], sequence: str, keyword: str) -> Any:
    """The value of ``keyword`` in a functional group's sequence or in the data set itself."""
    for source in sources:
        inner = getattr(source, sequence, None)
        value = getattr(inner[0] if inner else source, keyword, None)
        if value is not None:
            return value
    return None


def _text(data: Any, keyword: str) -> str:
    value = getattr(data, keyword, None)
    if value is None:
        return ""
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return "\\".join(str(part) for part in value)
    return str(value).strip()


def _integer(data: Any, keyword: str) -> Optional[int]:
    value = _float(getattr(data, keyword, None))
    return None if value is None else int(value)


def _float(value: Any) -> Optional[float]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _floats(value: Any, count: int) -> Optional[Tuple[float, ...]]:
    if value is None or isinstance(value, str) or not hasattr(value, "__len__") or len(value) != count:
        return None
    numbers = tuple(_float(part) for part in value)
    return None if any(number is None for number in numbers) else numbers  # type: ignore[return-value]


def _rounded(spacing: Optional[Tuple[float, float]]) -> Optional[Tuple[float, ...]]:
    return None if spacing is None else tuple(round(value, 3) for value in spacing)


def _same_orientation(one: Slice, other: Slice) -> bool:
    if one.orientation is None or other.orientation is None:
        return one.orientation is other.orientation
    return max(abs(a - b) for a, b in zip(one.orientation, other.orientation)) < _ORIENTATION_TOLERANCE


def _without_copies(slices: Tuple[Slice, ...]) -> List[Slice]:
    kept: Dict[tuple, Slice] = {}
    for item in slices:
        identity = (item.instance_uid, item.frame) if item.instance_uid else (item.path, item.frame)
        kept.setdefault((item.uid,) + identity, item)
    return list(kept.values())


def repeats(slices: List[Slice]) -> int:
    """How many slices lie where another slice of the stack lies already."""
    places = places_mm(slices)
    if places is None or len(slices) < 2:
        return 0
    return int(np.count_nonzero(np.diff(np.sort(places)) < SAME_POSITION_MM))


def _split_repeats(slices: List[Slice]) -> List[List[Slice]]:
    if not repeats(slices):
        return [slices]
    for attribute in ("acquisition", "temporal", "image_type", "kernel", "time"):
        parts: Dict[object, List[Slice]] = {}
        for item in slices:
            parts.setdefault(getattr(item, attribute), []).append(item)
        # Parts of one slice each are no stacks, only a different time for every slice.
        if (
            len(parts) > 1
            and not any(repeats(part) for part in parts.values())
            and len(slices) >= 3 * len(parts)
        ):
            return list(parts.values())
    return [slices]
