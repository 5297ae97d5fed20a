"""One way in for every kind of scan: file, DICOM folder, or image in memory."""

import math
import os
import re
from typing import List, Optional, Tuple, Union

import numpy as np
import SimpleITK as sitk

from ..errors import (
    ImageGeometryError,
    InputChangedError,
    NotCTError,
    OutOfMemoryError,
    UnreadableImageError,
    UsageError,
    is_out_of_memory,
)
from ..sentences import Sentence, key_of
from . import dicom, integrity
from .checks import check_grid, check_image, modality_sentence, several_values_sentence
from .scan import FileState, Scan, SeriesInfo, file_state, fingerprint
from .series import Stack, choose, judge, wrong_kind
from .stack import read_stack, stack_geometry

Source = Union[str, os.PathLike, sitk.Image]

FORMATS = Sentence("read.formats")
"""What can be read, in words."""

_VOLUMES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar")

_CONTRADICTION = Sentence("scan.two-spacings")

_INT16_EXACT = (sitk.sitkInt8, sitk.sitkUInt8)
_WIDE_INTEGERS = (sitk.sitkUInt16, sitk.sitkInt32, sitk.sitkUInt32, sitk.sitkInt64, sitk.sitkUInt64)


def read_scan(source: Source, series: Optional[str] = None, *, check: Optional[dicom.Check] = None) -> Scan:
    """Read a scan and check that it is a CT that can be segmented.

    Args:
        source: A NIfTI, NRRD or MetaImage file, a DICOM folder (searched deeply), one DICOM file (its series
        is taken from its folder), or
            a SimpleITK image.
        series: For DICOM: series UID, number or description, where the folder holds several.
        check: Called before each file of a series and between the pieces of a NIfTI file; may raise to
        cancel.

    Returns:
        The scan on its own grid, int16 where its values allow it, else float32.

    Raises:
        UnreadableImageError, NotCTError, ImageGeometryError, SeriesChoiceError: With a sentence each.
        OutOfMemoryError: The scan does not fit into memory.
        InputChangedError: The files changed while they were read.
        UsageError: The source is of another type.
    """
    if isinstance(source, sitk.Image):
        return _from_memory(source)
    if not isinstance(source, (str, os.PathLike)):
        raise UsageError(Sentence("read.type", type=type(source).__name__))
    path = os.path.abspath(os.path.expanduser(os.fspath(source)))
    if not os.path.exists(path):
        raise UnreadableImageError(Sentence("read.missing", path=path))
    try:
        if os.path.isdir(path):
            return _from_dicom(path, dicom.walk(path), series, check)
        if _is_dicom_file(path):
            return _from_dicom_file(path, series, check)
        return _from_file(path, check)
    except PermissionError as error:
        text = Sentence("read.forbidden", path=os.fspath(error.filename or path))
        raise UnreadableImageError(text, str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise _out_of_memory(path, error) from error
    except OSError as error:
        if is_out_of_memory(error):
            raise _out_of_memory(path, error) from error
        text = Sentence("read.failed", name=os.path.basename(path))
        raise UnreadableImageError(text, str(error)) from error


def _out_of_memory(path: str, error: BaseException) -> OutOfMemoryError:
    return OutOfMemoryError(Sentence("failed.memory-reading", name=os.path.basename(path)), str(error))


def list_series(folder: Union[str, os.PathLike]) -> List[SeriesInfo]:
    """All image series of a DICOM folder (searched deeply), suitable or not, by series number.

    Raises:
        UnreadableImageError: The folder does not exist or holds no DICOM image.
    """
    path = os.path.abspath(os.path.expanduser(os.fspath(folder)))
    if not os.path.isdir(path):
        raise UnreadableImageError(Sentence("read.no-folder", path=path))
    return [info for info, _ in _stacks(path, dicom.walk(path))[0]]


def _from_memory(image: sitk.Image) -> Scan:
    modality = image.GetMetaData("0008|0060").strip() if image.HasMetaDataKey("0008|0060") else None
    # A SimpleITK copy shares the voxels until one side writes, so the caller may go on changing the original.
    checked, warnings = _checked(_one_frame(sitk.Image(image)), modality)
    return Scan(checked, None, "scan", modality, None, warnings, fingerprint(checked))


def _from_file(path: str, check: Optional[dicom.Check]) -> Scan:
    name = os.path.basename(path)
    _refuse_by_name(path, name)
    state = file_state(_files_of(path))
    if any(size < 0 for _, size, _ in state):
        missing = os.path.basename(next(item for item, size, _ in state if size < 0))
        raise UnreadableImageError(Sentence("read.lacks-data", name=name, data=missing))
    if name.lower().endswith((".nii", ".nii.gz")):
        image, found = _read_nifti(path, name, check)
    else:
        if name.lower().endswith((".mha", ".mhd")):
            integrity.check_metaimage(path, state[-1][0])
        image, found = _read_with_itk(path, name), ()
    image, warnings = _checked(image, None)
    return _scan(image, path, _stem(name), None, None, found + warnings, state)


def _from_dicom_file(path: str, series: Optional[str], check: Optional[dicom.Check]) -> Scan:
    own = dicom.read_headers([path])
    if not own.slices:
        raise UnreadableImageError(Sentence("dicom.no-image", name=os.path.basename(path)))
    folder = os.path.dirname(path)
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    uid = own.slices[0].uid
    candidates, warnings = _stacks(folder, [item for item in files if os.path.isfile(item)], check)
    same = [pair for pair in candidates if pair[1][0].uid == uid]
    holding = [pair for pair in same if path in pair[0].files]
    return _scan_of_stack(
        path,
        _stem(os.path.basename(path)),
        choose(same, series) if series else (holding or same)[0],
        warnings,
        check,
    )


def _from_dicom(path: str, files: List[str], series: Optional[str], check: Optional[dicom.Check]) -> Scan:
    candidates, warnings = _stacks(path, files, check)
    name = os.path.basename(path) or "scan"
    return _scan_of_stack(path, name, _choose(candidates, series), warnings, check)


def _choose(candidates: List[Stack], series: Optional[str]) -> Stack:
    """Choose; what the folder holds besides one CT, or instead of it, needs no list to choose from.

    A folder's only CT is taken even if it is low, thick or not axial: its own checks speak then.
    """
    if series is not None:
        return choose(candidates, series)
    if not any(info.modality == "CT" for info, _ in candidates):
        kinds = ", ".join(sorted({info.modality or "unknown" for info, _ in candidates}))
        raise NotCTError(Sentence("dicom.no-ct", kinds=kinds))
    suitable = [pair for pair in candidates if pair[0].suitable]
    usable = [pair for pair in candidates if not wrong_kind(pair[1])]
    if not suitable and len(usable) == 1:
        return usable[0]
    if not usable and len(candidates) == 1:
        raise NotCTError(Sentence("dicom.only-series", reason=wrong_kind(candidates[0][1])))
    return choose(candidates)


def _stacks(
    path: str, files: List[str], check: Optional[dicom.Check] = None
) -> Tuple[List[Stack], List[str]]:
    found = dicom.read_headers(files, check)
    if not found.slices:
        raise UnreadableImageError(_nothing_found(path, files, len(found.damaged)))
    warnings = []
    if found.damaged:
        warnings.append(Sentence("scan.damaged-files", count=len(found.damaged)))
    copies = dicom.copies(found.slices)
    if copies:
        warnings.append(Sentence("scan.copies", count=copies))
    return judge(dicom.stacks(found.slices)), warnings


def _nothing_found(path: str, files: List[str], damaged: int) -> str:
    name = os.path.basename(path) or path
    volumes = [os.path.basename(item) for item in files if item.lower().endswith(_VOLUMES)]
    if volumes:
        return Sentence("dicom.nothing-but-volume", name=name, volume=volumes[0])
    return Sentence("dicom.all-damaged" if damaged else "dicom.nothing", name=name)


def _scan_of_stack(
    path: str, name: str, stack: Stack, warnings: List[str], check: Optional[dicom.Check]
) -> Scan:
    info, slices = stack
    if info.modality != "CT":
        raise NotCTError(modality_sentence(info.modality))
    state = file_state(info.files)
    geometry = stack_geometry(slices)
    check_grid(geometry.size, geometry.spacing, geometry.origin, tuple(geometry.direction.ravel()))
    image, more = _checked(read_stack(slices, geometry, check), info.modality)
    if any(key_of(item) == "scan.tilted" for item in geometry.warnings):
        more = tuple(item for item in more if key_of(item) != "scan.sheared")
    return _scan(image, path, name, info.modality, info, tuple(warnings) + geometry.warnings + more, state)


def _scan(
    image: sitk.Image,
    path: str,
    name: str,
    modality: Optional[str],
    series: Optional[SeriesInfo],
    warnings: Tuple[str, ...],
    state: Tuple[FileState, ...],
) -> Scan:
    scan = Scan(image, path, name, modality, series, warnings, fingerprint(image), state)
    if file_state(item[0] for item in state) != state:
        raise InputChangedError(Sentence("read.changed", name=name))
    return scan


def _refuse_by_name(path: str, name: str) -> None:
    lower = name.lower()
    if os.path.getsize(path) == 0:
        raise UnreadableImageError(Sentence("read.empty", name=name))
    if lower.endswith(_PICTURES):
        raise NotCTError(Sentence("read.picture", name=name, formats=FORMATS))
    if lower.endswith(_ARCHIVES):
        raise UnreadableImageError(Sentence("read.archive", name=name))
    if not lower.endswith(_VOLUMES):
        raise UnreadableImageError(Sentence("read.unknown-kind", name=name, formats=FORMATS))


def _is_dicom_file(path: str) -> bool:
    return (
        not path.lower().endswith(_VOLUMES + _PICTURES) and os.path.getsize(path) > 0 and dicom.is_dicom(path)
    )


def _files_of(path: str) -> List[str]:
    """The file and, for detached headers (.mhd, .nhdr), the data file that it names."""
    if not path.lower().endswith((".mhd", ".nhdr")):
        return [path]
    with open(path, "rb") as file:
        text = file.read(65536).decode("latin-1")
    match = re.search(
        r"^(?:ElementDataFile\s*=|data file:|datafile:)\s*(\S[^\r\n]*?)\s*$",
        text,
        re.MULTILINE | re.IGNORECASE,
    )
    data = match.group(1) if match else ""
    if not data or data.upper().startswith(("LOCAL", "LIST")) or "%" in data:
        return [path]
    return [path, os.path.join(os.path.dirname(path), data)]


def _read_nifti(path: str, name: str, check: Optional[dicom.Check]) -> Tuple[sitk.Image, Tuple[str, ...]]:
    """The image and warnings about its header."""
    header = integrity.read_header(path)
    shape = header.shape + (1,) * (3 - len(header.shape))
    if header.dtype is None:
        return _read_with_itk(path, name), ()
    if len(shape) > 4:  # NIfTI keeps vectors in dimension 5
        raise NotCTError(several_values_sentence(int(np.prod(shape[4:]))))
    if len(shape) > 3:
        raise ImageGeometryError(_frames_sentence(shape[3]))
    if not all(math.isfinite(value) and value != 0 for value in header.spacing[: len(header.shape)]):
        raise ImageGeometryError(Sentence("read.spacing", name=name))
    check_grid(shape, (1.0,) * 3, (0.0,) * 3, tuple(np.eye(3).ravel()))  # before memory is taken
    integrity.check_nifti(path, header, check)
    if header.is_sheared:
        return integrity.read_as_stated(path, header), ()
    try:
        image = _read_with_itk(path, name)
    except UnreadableImageError as error:  # all bytes are there: it is the geometry that ITK refuses
        if header.affine is None:
            raise ImageGeometryError(Sentence("read.geometry", name=name), error.details) from error
        return integrity.read_as_stated(path, header), ()
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    if header.has_two_spacings:
        integrity.place(image, header)
        return image, (_CONTRADICTION,)
    return image, ()


def _read_with_itk(path: str, name: str) -> sitk.Image:
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
        components, size = reader.GetNumberOfComponents(), reader.GetSize()
        if components == 1 and len(size) > 3 and max(size[3:]) > 1:
            raise ImageGeometryError(_frames_sentence(size[3]))
        return _one_frame(reader.Execute())
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("read.damaged", name=name), str(error)) from error


def _reader(path: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.LoadPrivateTagsOff()
    return reader


def _one_frame(image: sitk.Image) -> sitk.Image:
    """A four-dimensional image of one frame as a volume; others unchanged.

    Raises:
        ImageGeometryError: Several frames.
    """
    if image.GetDimension() != 4:
        return image
    if image.GetSize()[3] > 1:
        raise ImageGeometryError(_frames_sentence(image.GetSize()[3]))
    return sitk.Extract(
        image, image.GetSize()[:3] + (0,), (0, 0, 0, 0), sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOSUBMATRIX
    )


def _frames_sentence(count: int) -> str:
    return Sentence("read.frames", count=count)


def _checked(image: sitk.Image, modality: Optional[str]) -> Tuple[sitk.Image, Tuple[str, ...]]:
    """Check an image, then make it int16 where that loses nothing that is HU, else float32."""
    warnings = check_image(image, modality)
    return _as_hu(_without_patient(image)), warnings


def _as_hu(image: sitk.Image) -> sitk.Image:
    pixel = image.GetPixelID()
    if pixel == sitk.sitkInt16:
        return image
    if pixel in _INT16_EXACT:
        return sitk.Cast(image, sitk.sitkInt16)
    array = sitk.GetArrayViewFromImage(image)
    if pixel in _WIDE_INTEGERS or all(_whole_hu(plane) for plane in array):
        result = np.empty(array.shape, np.int16)
        for source, target in zip(array, result):  # slice by slice: no wide copy of the whole
            target[...] = np.clip(source, -32768, 32767)
        converted = sitk.GetImageFromArray(result)
        converted.SetSpacing(image.GetSpacing())
        converted.SetOrigin(image.GetOrigin())
        converted.SetDirection(image.GetDirection())
        return converted
    return image if pixel == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def _whole_hu(plane: np.ndarray) -> bool:
    return bool((plane == np.rint(plane)).all() and plane.min() >= -32768 and plane.max() <= 32767)


def _without_patient(image: sitk.Image) -> sitk.Image:
    """Drop DICOM metadata that SimpleITK attaches to an image read from one file: it names the patient."""
    keys = [key for key in image.GetMetaDataKeys() if re.match(r"[0-9a-f]{4}\|[0-9a-f]{4}$", key)]
    for key in keys:
        image.EraseMetaData(key)
    return image


def _stem(name: str) -> str:
    for extension in _VOLUMES:
        if name.lower().endswith(extension):
            return name[: -len(extension)] or "scan"
    return os.path.splitext(name)[0] or "scan"
