"""A scan in a NIfTI, NRRD or MetaImage file: refused for what it is not, checked for completeness, read."""

import math
import os
import re
from typing import Callable, List, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, NotCTError, UnreadableImageError, is_out_of_memory
from ..sentences import Sentence
from . import integrity
from .checks import check_grid, check_image, several_values_sentence
from .grid import Box
from .modality import MR

FORMATS = Sentence("read.formats")
"""What can be read, in words."""

VOLUMES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".7z", ".rar")

Check = Callable[[], None]

_INT16_EXACT = (sitk.sitkInt8, sitk.sitkUInt8)
_WIDE_INTEGERS = (sitk.sitkUInt16, sitk.sitkInt32, sitk.sitkUInt32, sitk.sitkInt64, sitk.sitkUInt64)


def read_volume(
    path: str, data_path: str, check: Optional[Check] = None
) -> Tuple[sitk.Image, Tuple[str, ...]]:
    """Read a volume file.

    Args:
        path: the file.
        data_path: the file with its voxels, the same one unless the header is detached.
        check: called between the pieces of a NIfTI file; may raise to cancel.

    Returns:
        The image, not yet checked for what it shows, and warnings about its header.

    Raises:
        UnreadableImageError: the file is damaged or incomplete.
        ImageGeometryError, NotCTError: it is no volume of single values.
    """
    name = os.path.basename(path)
    if name.lower().endswith((".nii", ".nii.gz")):
        return _read_nifti(path, name, check)
    if name.lower().endswith((".mha", ".mhd")):
        integrity.check_metaimage(path, data_path)
    return _read_with_itk(path, name), ()


def refuse_by_name(path: str) -> None:
    """Raise UnreadableImageError or NotCTError for an empty file and for a name of no volume format."""
    name = os.path.basename(path)
    lower = name.lower()
    if os.path.getsize(path) == 0:
        raise UnreadableImageError(Sentence("read.empty", name=name))
    if lower.endswith(PICTURES):
        raise NotCTError(Sentence("read.picture", name=name, formats=FORMATS))
    if lower.endswith(_ARCHIVES):
        raise UnreadableImageError(Sentence("read.archive", name=name))
    if not lower.endswith(VOLUMES):
        raise UnreadableImageError(Sentence("read.unknown-kind", name=name, formats=FORMATS))


def files_of(path: str) -> List[str]:
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


def _read_nifti(path: str, name: str, check: Optional[Check]) -> Tuple[sitk.Image, Tuple[str, ...]]:
    """The image and warnings about its header."""
    header = integrity.read_header(path)
    shape = header.shape + (1,) * (3 - len(header.shape))
    if header.dtype is None:
        return _read_with_itk(path, name), ()
    if len(shape) > 4:  # NIfTI keeps vectors in dimension 5
        raise NotCTError(several_values_sentence(int(np.prod(shape[4:]))))
    if len(shape) > 3:
        raise ImageGeometryError(Sentence("read.frames", count=shape[3]))
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
        return image, (Sentence("scan.two-spacings"),)
    return image, ()


def _read_with_itk(path: str, name: str) -> sitk.Image:
    reader = _reader(path)
    try:
        reader.ReadImageInformation()
        components, size = reader.GetNumberOfComponents(), reader.GetSize()
        if components == 1 and len(size) > 3 and max(size[3:]) > 1:
            raise ImageGeometryError(Sentence("read.frames", count=size[3]))
        return one_frame(reader.Execute())
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("read.damaged", name=name), str(error)) from error


def _reader(path: str) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetFileName(path)
    reader.LoadPrivateTagsOff()
    return reader


def one_frame(image: sitk.Image) -> sitk.Image:
    """A four-dimensional image of one frame as a volume; others unchanged.

    Raises:
        ImageGeometryError: Several frames.
    """
    if image.GetDimension() != 4:
        return image
    if image.GetSize()[3] > 1:
        raise ImageGeometryError(Sentence("read.frames", count=image.GetSize()[3]))
    return sitk.Extract(
        image, image.GetSize()[:3] + (0,), (0, 0, 0, 0), sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOSUBMATRIX
    )


def as_checked(image: sitk.Image, modality: Optional[str]) -> Tuple[sitk.Image, Tuple[str, ...]]:
    """Check an image, then make it int16 where that loses nothing that is HU, or of an MR nothing at all,
    else float32.
    """
    warnings = check_image(image, modality)
    convert = _as_signal if modality == MR else _as_hu
    return convert(_without_patient(image)), warnings


def hu_in_box(values: np.ndarray, box: Box, kind: np.dtype) -> np.ndarray:
    """Return HU in a box of a scan as ``as_checked`` would make them of the whole.

    Args:
        values: (z, y, x) as they were handed over; may be a memory map.
        box: of the scan.
        kind: int16 or float32, the type that ``as_checked`` gave this scan.
    """
    part = values[box]
    if part.dtype == kind:
        return np.asarray(part)
    return np.clip(part, -32768, 32767).astype(kind) if kind == np.int16 else part.astype(kind)


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
        converted.CopyInformation(image)
        return converted
    return image if pixel == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def _as_signal(image: sitk.Image) -> sitk.Image:
    """An MR as int16 where all its values fit, else float32: what CT clips as metal may be fat here."""
    if all(_whole_hu(plane) for plane in sitk.GetArrayViewFromImage(image)):
        return _as_hu(image)
    return image if image.GetPixelID() == sitk.sitkFloat32 else sitk.Cast(image, sitk.sitkFloat32)


def _whole_hu(plane: np.ndarray) -> bool:
    return bool((plane == np.rint(plane)).all() and plane.min() >= -32768 and plane.max() <= 32767)


def _without_patient(image: sitk.Image) -> sitk.Image:
    """Drop DICOM metadata that SimpleITK attaches to an image read from one file: it names the patient."""
    keys = [key for key in image.GetMetaDataKeys() if re.match(r"[0-9a-f]{4}\|[0-9a-f]{4}$", key)]
    for key in keys:
        image.EraseMetaData(key)
    return image
