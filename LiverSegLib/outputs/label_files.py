"""Label images as files: NIfTI, NRRD, MetaImage and 3D Slicer's segmentation (.seg.nrrd), all compressed.

NIfTI is written here and not by ITK: ITK's writer says nothing when the disk fills up and leaves a truncated
file, and it silently turns a sheared direction into a perpendicular one. The others are written by ITK and
read back once, voxel for voxel, before they count.
"""

import gzip
import struct
from pathlib import Path
from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import OutputError
from ..labels import LABELS, LIVER, TUMOUR, Code, LabelInfo
from ..sentences import Sentence
from ..structures import Structure

LABEL_FORMATS: Tuple[str, ...] = ("nii.gz", "nrrd", "mha", "seg.nrrd")
"""File name endings that ``write_labels`` knows."""

COMPRESSION_LEVEL = 1
"""Masks are long runs of equal bytes: higher levels take more time and save next to nothing."""

_BLOCK_BYTES = 1 << 24
_ORTHONORMAL_TOLERANCE = 1e-4
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_NOWHERE = (0, -1) * 3
"""The extent of a segment without voxels, as VTK writes empty ones."""
_SEGMENTATION = {
    "Segmentation_SourceRepresentation": "Binary labelmap",
    "Segmentation_MasterRepresentation": "Binary labelmap",  # the same field's name before Slicer 5.4
    "Segmentation_ContainedRepresentationNames": "Binary labelmap|Closed surface|",
    "Segmentation_ReferenceImageExtentOffset": "0 0 0",
}
_NIFTI_TYPES = {sitk.sitkUInt8: (2, 8), sitk.sitkUInt16: (512, 16), sitk.sitkFloat32: (16, 32)}
"""Pixel type -> the code of a NIfTI type and its bits."""


def write_labels(
    path: Path,
    labels: sitk.Image,
    label_format: str,
    check: Callable[[], None] = lambda: None,
    structures: Optional[Sequence[Structure]] = None,
) -> None:
    """Write a mask to ``path`` in one of ``LABEL_FORMATS``.

    Args:
        path: the file.
        labels: uint8 or uint16.
        label_format: ending of the file's name.
        check: called now and then; may raise to cancel.
        structures: what its values mean, for 3D Slicer; LiverSeg's own labels if not given.

    Raises:
        OSError, RuntimeError: It could not be written (``errors.write_failure`` puts that in words).
        OutputError: The format cannot hold the image, or the file differs from it.
    """
    if label_format == "nii.gz":
        write_nifti(path, labels, check)
        return
    if label_format == "seg.nrrd":
        fields = segment_metadata(labels) if structures is None else structure_metadata(labels, structures)
        labels = _with_fields(labels, fields)
    sitk.WriteImage(labels, str(path), useCompression=True, compressionLevel=COMPRESSION_LEVEL)
    _check_voxels(path, labels)


def write_nifti(path: Path, image: sitk.Image, check: Callable[[], None] = lambda: None) -> None:
    """Write a 3-D image of uint8, uint16 or float32 as NIfTI-1 (.nii.gz) with its exact grid, even a sheared
    one (then without qform).

    The same image always gives the same bytes. ``check`` is called between blocks; it may raise to cancel.
    """
    if max(image.GetSize()) > np.iinfo(np.int16).max:
        raise OutputError(Sentence("write.too-large", size=str(image.GetSize())))
    array = sitk.GetArrayViewFromImage(image).reshape(-1)
    voxels = memoryview(array.astype(array.dtype.newbyteorder("<"), copy=False).view(np.uint8))
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", COMPRESSION_LEVEL, raw, mtime=0) as file:
        file.write(_nifti_header(image))
        for start in range(0, len(voxels), _BLOCK_BYTES):
            check()
            file.write(voxels[start : start + _BLOCK_BYTES])


def segment_metadata(labels: sitk.Image) -> Dict[str, str]:
    """The ``Segmentation_*`` and ``SegmentN_*`` fields with which Slicer reads a label image as a
    segmentation.

    All labels are listed, also those without a voxel, so that a file always has the same segments.
    """
    extents = _extents(labels, LABELS)
    fields = dict(_SEGMENTATION)
    for index, info in enumerate(LABELS.values()):
        tags = f"TerminologyEntry:{terminology_entry(info)}|"
        facts = (info.value, info.key, info.name, info.colour)
        fields.update(_one_segment(f"Segment{index}_", *facts, extents[info.value], tags))
    return fields


def structure_metadata(labels: sitk.Image, structures: Sequence[Structure]) -> Dict[str, str]:
    """The same fields for structures of a model of another program, of those that have voxels."""
    extents = _extents(labels, [item.value for item in structures])
    found = [item for item in structures if extents[item.value] != _NOWHERE]
    fields = dict(_SEGMENTATION)
    for index, item in enumerate(found):
        facts = (item.value, item.key, item.name, item.colour)
        fields.update(_one_segment(f"Segment{index}_", *facts, extents[item.value], ""))
    return fields


def _one_segment(
    prefix: str,
    value: int,
    key: str,
    name: str,
    colour: Tuple[int, int, int],
    extent: Tuple[int, ...],
    tags: str,
) -> Dict[str, str]:
    return {
        prefix + "ID": key,
        prefix + "Name": name,
        prefix + "NameAutoGenerated": "0",
        prefix + "Color": " ".join(f"{channel / 255:.6f}" for channel in colour),
        prefix + "ColorAutoGenerated": "0",
        prefix + "LabelValue": str(value),
        prefix + "Layer": "0",
        prefix + "Extent": " ".join(str(bound) for bound in extent),
        prefix + "Tags": tags,
    }


def terminology_entry(info: LabelInfo) -> str:
    """Slicer's one-line form of a label's terminology: context, category, type, modifier, anatomic context,
    region, modifier."""
    region: Optional[Code] = LABELS[LIVER].type if info.value == TUMOUR else None
    parts = (
        "Segmentation category and type - 3D Slicer General Anatomy list",
        _triplet(info.category),
        _triplet(info.type),
        _triplet(None),
        "Anatomic codes - DICOM master list",
        _triplet(region),
        _triplet(None),
    )
    return "~".join(parts)


def _triplet(code: Optional[Code]) -> str:
    return "^^" if code is None else "^".join(code)


def _with_fields(labels: sitk.Image, fields: Dict[str, str]) -> sitk.Image:
    image = sitk.Image(labels)
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    for key, value in fields.items():
        image.SetMetaData(key, value)
    return image


def _extents(labels: sitk.Image, values: Iterable[int]) -> Dict[int, Tuple[int, ...]]:
    """Label value -> first and last index along x, y, z; ``_NOWHERE`` for a label without voxels."""
    from scipy.ndimage import find_objects

    wanted = list(values)
    boxes = find_objects(sitk.GetArrayViewFromImage(labels), max_label=max(wanted, default=0))
    extents: Dict[int, Tuple[int, ...]] = {}
    for value in wanted:
        box = boxes[value - 1]
        ends = () if box is None else [(side.start, side.stop - 1) for side in reversed(box)]
        extents[value] = tuple(index for pair in ends for index in pair) or _NOWHERE
    return extents


def _check_voxels(path: Path, labels: sitk.Image) -> None:
    back = sitk.ReadImage(str(path))
    if not np.array_equal(sitk.GetArrayViewFromImage(back), sitk.GetArrayViewFromImage(labels)):
        details = "the file's voxels differ from the result's"
        raise OutputError(Sentence("write.incomplete", name=path.name), details)


def _nifti_header(image: sitk.Image) -> bytes:
    """The 348 bytes of a NIfTI-1 header and the 4 that say "no extension", little-endian (nifti1.h)."""
    spacing = np.array(image.GetSpacing())
    direction = _LPS_TO_RAS @ np.reshape(image.GetDirection(), (3, 3))
    origin = _LPS_TO_RAS @ np.array(image.GetOrigin())
    handedness, quaternion = _quaternion(direction)
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, *image.GetSize(), 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, *_NIFTI_TYPES[image.GetPixelID()])
    struct.pack_into("<8f", header, 76, handedness, *spacing, 0, 0, 0, 0)
    struct.pack_into("<3f", header, 108, 352, 1, 0)  # voxels start here; slope and intercept
    struct.pack_into("<B", header, 123, 2)  # millimetres
    struct.pack_into(
        "<2h", header, 252, 0 if quaternion is None else 1, 1
    )  # qform and sform: scanner coordinates
    if quaternion is not None:
        struct.pack_into("<6f", header, 256, *quaternion, *origin)
    struct.pack_into("<12f", header, 280, *np.column_stack([direction * spacing, origin]).ravel())
    header[344:348] = b"n+1\0"
    return bytes(header)


def _quaternion(direction: np.ndarray) -> Tuple[float, Optional[Tuple[float, float, float]]]:
    """The handedness (1 or -1) and the vector part (b, c, d) of a 3 x 3 direction's unit quaternion; None if
    it is sheared."""
    from scipy.spatial.transform import Rotation

    handedness = 1.0 if np.linalg.det(direction) > 0 else -1.0
    if np.abs(direction.T @ direction - np.eye(3)).max() > _ORTHONORMAL_TOLERANCE:
        return handedness, None
    b, c, d, _ = Rotation.from_matrix(direction * (1, 1, handedness)).as_quat(canonical=True)
    return handedness, (float(b), float(c), float(d))
