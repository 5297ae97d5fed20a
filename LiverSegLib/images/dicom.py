"""DICOM headers: which files are images, and what their headers say of each slice.

pydicom reads a fixed list of tags; nothing that names the patient is among them. Pixels are read elsewhere
(``pixels``).
"""

import os
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, Callable, Iterator, List, Optional, Tuple

import numpy as np

from ..errors import is_out_of_memory

Check = Callable[[], None]
"""Called between files; raises to cancel."""

HEAD_BYTES = 132
"""So much of a file tells whether it is DICOM."""

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
    "ContrastBolusAgentSequence",
    "ConvolutionKernel",
    "SeriesInstanceUID",
    "SeriesNumber",
    "AcquisitionNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "TemporalPositionIdentifier",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "LossyImageCompression",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "RescaleIntercept",
    "RescaleSlope",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]

_ALWAYS_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
"""Transfer syntaxes JPEG baseline and extended, JPEG-LS near-lossless: also without a word in the header."""

PARSE_ERRORS = (
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
"""What pydicom raises on damaged files; its own InvalidDicomError cannot occur, as reading is forced."""


@dataclass(frozen=True)
class Slice:
    """One slice: a file, or one frame of a multi-frame file.

    ``frame`` is 0-based, ``None`` for a single-frame file. ``spacing`` is mm (x, y). ``position`` is the
    centre of the first voxel, ``orientation`` the direction cosines of x then y, both LPS; ``None`` where the
    header lacks them. ``kvp`` is the tube voltage in kV, ``None`` if it is not stated; ``contrast`` the agent
    named, or empty. ``stack`` is the Stack ID of an enhanced image's frame; ``is_lossy`` says that what is
    stored is not what the scanner made.
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
    stack: str = ""
    photometric: str = ""
    is_lossy: bool = False


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


def slices_of(path: str, data: Any) -> List[Slice]:
    """The slices of a header that is read already, a pydicom data set; empty if it is no image.

    Args:
        path: where its file lies, or what stands for it.
        data: the header, with or without pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(_frames(path, data))
    except PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        return []


def is_dicom(path: str) -> bool:
    """Whether the file starts like DICOM, with or without the usual preamble."""
    return _sniff(path) == "dicom"


def is_directory(path: str) -> bool:
    """Whether a file is the directory of a DICOM medium, by its name."""
    return os.path.basename(path).upper() == "DICOMDIR"


def walk(folder: str) -> List[str]:
    """All plain files of a folder and the folders in it, sorted; hidden files and DICOMDIR left out."""
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(root, name)
            for name in sorted(names)
            if not name.startswith(".") and not is_directory(name)
        ]
    return [path for path in found if os.path.isfile(path)]


class _HeaderError(Exception):
    """A header that pydicom cannot parse."""


def _sniff(path: str) -> str:
    with open(path, "rb") as file:
        return kind_of(file.read(HEAD_BYTES), path)


def kind_of(head: bytes, name: str) -> str:
    """Return "dicom", "damaged" (only its name is one of DICOM) or "other" of a file.

    Args:
        head: its first ``HEAD_BYTES`` bytes.
        name: of the file.
    """
    if head[128:] == b"DICM":
        return "dicom"
    extension = os.path.splitext(name)[1].lower()
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
    except PARSE_ERRORS as error:
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
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", "")
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
        image_type=_image_type(data, sources),
        body_part=_text(data, "BodyPartExamined").upper(),
        kernel=_words(_find(sources, "CTReconstructionSequence", "ConvolutionKernel")).upper(),
        size=(_integer(data, "Columns") or 0, _integer(data, "Rows") or 0),
        samples=_integer(data, "SamplesPerPixel") or 1,
        # DICOM gives the distance between rows (y) first.
        spacing=(row_column[1], row_column[0]) if row_column else None,
        thickness=_float(_find(sources, "PixelMeasuresSequence", "SliceThickness")),
        position=_floats(_find(sources, "PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=_floats(_find(sources, "PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        slope=_float(_find(sources, "PixelValueTransformationSequence", "RescaleSlope")) or 1.0,
        intercept=_float(_find(sources, "PixelValueTransformationSequence", "RescaleIntercept")) or 0.0,
        acquisition=_of_frame(sources, "FrameAcquisitionNumber") or _text(data, "AcquisitionNumber"),
        temporal=_of_frame(sources, "TemporalPositionIndex") or _text(data, "TemporalPositionIdentifier"),
        time=_of_frame(sources, "FrameAcquisitionDateTime") or _text(data, "AcquisitionTime"),
        kvp=_float(_find(sources, "CTXRayDetailsSequence", "KVP")) or None,
        contrast=_contrast(data),
        stack=_of_frame(sources, "StackID"),
        photometric=_text(data, "PhotometricInterpretation").upper(),
        is_lossy=_text(data, "LossyImageCompression") == "01" or str(syntax) in _ALWAYS_LOSSY,
    )


def _image_type(data: Any, sources: List[Any]) -> Tuple[str, ...]:
    """Image type of the file, with what the frame's own adds to it: one may be a localizer among others."""
    own = _words(_find(sources, "CTImageFrameTypeSequence", "FrameType"))
    own = own or _words(_find(sources, "MRImageFrameTypeSequence", "FrameType"))
    words = [part.strip().upper() for part in _text(data, "ImageType").split("\\") + own.split("\\")]
    return tuple(dict.fromkeys(word for word in words if word))


def _contrast(data: Any) -> str:
    """The contrast agent in words; enhanced images have a code for it."""
    codes = getattr(data, "ContrastBolusAgentSequence", None) or []
    meanings = [_text(code, "CodeMeaning") for code in codes]
    return _text(data, "ContrastBolusAgent") or ", ".join(meaning for meaning in meanings if meaning)


def _of_frame(sources: List[Any], keyword: str) -> str:
    return _words(_find(sources, "FrameContentSequence", keyword))


def _find(sources: List[Any], sequence: str, keyword: str) -> Any:
    """The value of ``keyword`` in a functional group's sequence or in the data set itself."""
    for source in sources:
        inner = getattr(source, sequence, None)
        value = getattr(inner[0] if inner else source, keyword, None)
        if value is not None:
            return value
    return None


def _text(data: Any, keyword: str) -> str:
    return _words(getattr(data, keyword, None))


def _words(value: Any) -> str:
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
    numbers = tuple(number for number in map(_float, value) if number is not None)
    return numbers if len(numbers) == count else None
