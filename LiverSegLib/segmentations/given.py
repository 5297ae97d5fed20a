"""One way in for every kind of segmentation that somebody else made, or LiverSeg itself earlier."""

import os
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..errors import InputError, UnreadableImageError
from ..images import Scan, dicom
from ..images.grid import Grid, bounding_box, check_same_grid
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..masks.check import check_labels
from ..sentences import Sentence
from . import dicom_seg, rtstruct
from .belonging import check_belongs
from .label_images import LabelImage, read_label_image
from .naming import Segment, labels_of
from .placing import pasted

Path = Union[str, "os.PathLike[str]"]
Check = Callable[[], None]

SEG, RTSTRUCT, IMAGE = "DICOM Segmentation", "DICOM RT Structure Set", "label image"
"""What a segmentation was."""

OVERLAP_ML = 1.0
"""Liver and spleen that share more than this get a warning."""
LEFT_OUT_SHARE = 0.5
"""A liver that holds less than this part of its tumors was drawn without them."""
LOOSE_ML = 0.01
"""Tumor of more than this that does not touch the liver gets a warning."""
_IMAGES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


@dataclass(frozen=True)
class GivenMask:
    """A segmentation that was given, as a mask of LiverSeg.

    Attributes:
        labels: uint8, values of ``LiverSegLib.labels``, on the grid of the scan.
        kind: what the file was: ``SEG``, ``RTSTRUCT`` or ``IMAGE``.
        used: which of its segments became which structure: name (or value) and key of the label.
        left_out: names (or values) of the other segments.
        warnings: sentences on what is doubtful in the file or its fit.
        is_named: whether the file or the user named the segments, so that a structure without one is unknown.
    """

    labels: sitk.Image
    kind: str
    used: Tuple[Tuple[str, str], ...]
    left_out: Tuple[str, ...] = ()
    warnings: Tuple[str, ...] = ()
    is_named: bool = True


def names_its_segments(path: Path) -> bool:
    """Whether a file is a DICOM Segmentation, an RT Structure Set or a .seg.nrrd, or a folder of DICOM."""
    text = os.fspath(path)
    if os.path.isdir(text) or text.lower().endswith(".seg.nrrd"):
        return True
    return os.path.isfile(text) and not _is_image(text)


def read_mask(
    path: Path, scan: Scan, *, segments: Optional[Mapping[str, str]] = None, check: Check = lambda: None
) -> GivenMask:
    """Read a segmentation as a mask on the grid of a scan.

    Args:
        path: a NIfTI, NRRD or MetaImage file with LiverSeg's values (1 liver, 2 spleen, 3 liver tumor), a
            .seg.nrrd of 3D Slicer, a DICOM Segmentation or RT Structure Set, or a folder with one such file.
        scan: what it was drawn on.
        segments: segment name, number or value -> "liver", "spleen", "tumor" or "none", where codes and names
            in the file do not say it.
        check: called often; may raise to cancel.

    Raises:
        UnreadableImageError: the file is missing, damaged or no segmentation.
        InputError: it is of another scan, has nothing of the liver in it, or lies elsewhere.
        UsageError: ``segments`` names what is not there.
    """
    file = _the_file(os.path.abspath(os.path.expanduser(os.fspath(path))))
    told = dict(segments or {})
    grid, name = Grid.of(scan.image), os.path.basename(file)
    slices = grid if scan.lean is None else scan.lean.source  # where others saw the slices
    if _is_image(file):
        return _from_image(read_label_image(file), scan, told)
    if _class_of(file) == rtstruct.CLASS:
        structures = rtstruct.read_structure_set(file)
        warnings = list(check_belongs(structures.reference, scan, name))
        labels, rest = labels_of(structures.segments, told, name)
        masks, outside, said = rtstruct.onto(structures, labels, slices, check)
        masks = _straightened(masks, scan)
        warnings += said
        if outside:
            warnings.append(Sentence("segmentation.planes-outside", name=name, count=outside))
        return mask_of(masks, grid, RTSTRUCT, structures.segments, labels, rest, warnings, name)
    seg = dicom_seg.read_seg(file)
    warnings = list(check_belongs(seg.reference, scan, name))
    labels, rest = labels_of(seg.segments, told, name)
    if seg.is_fractional:
        warnings.append(Sentence("segmentation.fractional", name=name))
    masks, total, beyond, is_resampled = dicom_seg.onto(seg, labels, slices, check)
    masks = _straightened(masks, scan)
    if is_resampled:
        warnings.append(Sentence("segmentation.resampled", name=name))
    if beyond and beyond < total:
        warnings.append(
            Sentence("segmentation.outside", name=name, percent=max(1, round(100 * beyond / total)))
        )
    return mask_of(masks, grid, SEG, seg.segments, labels, rest, warnings, name)


def read_mask_alone(path: Path, *, segments: Optional[Mapping[str, str]] = None) -> GivenMask:
    """Read a segmentation on its own grid, where no scan is at hand; see :func:`read_mask` for arguments and
    errors. An RT structure set has no grid of its own.
    """
    file = _the_file(os.path.abspath(os.path.expanduser(os.fspath(path))))
    name, told = os.path.basename(file), dict(segments or {})
    if _is_image(file):
        return _from_image(read_label_image(file), None, told)
    if _class_of(file) == rtstruct.CLASS:
        raise InputError(Sentence("segmentation.needs-scan", name=name))
    seg = dicom_seg.read_seg(file)
    labels, rest = labels_of(seg.segments, told, name)
    grid, masks = dicom_seg.alone(seg, labels, lambda: None)
    return mask_of(masks, grid, SEG, seg.segments, labels, rest, [], name)


def _from_image(file: LabelImage, scan: Optional[Scan], told: Mapping[str, str]) -> GivenMask:
    """The mask of an image file: as it is if the values are LiverSeg's, else by names or as told."""
    warnings: List[str] = []
    if file.is_named or told:
        labels, rest = labels_of(file.segments, told, file.name)
        masks: Dict[int, np.ndarray] = {}
        for number, label in labels.items():
            masks[label] = file.of(number) | masks.get(label, False)
        array = _merged(masks, file.grid, warnings)
    else:
        own = file.grid.image(np.asarray(file.layers[0], file.layers[0].dtype))
        array = sitk.GetArrayFromImage(check_labels(own))
        labels, rest = {segment.number: segment.number for segment in file.segments}, ()
    grid = file.grid if scan is None else Grid.of(scan.image)
    if scan is not None and not file.grid.coincides(grid):
        placed = pasted(array, file.grid, grid)
        if placed is None and scan.lean is not None:
            slices = pasted(array, file.grid, scan.lean.source)
            placed = None if slices is None else scan.lean.straightened(slices)
        if placed is None:
            check_same_grid(file.grid.image(array), scan.image)  # which says how they differ
            raise InputError(Sentence("segmentation.elsewhere", name=file.name))
        if array.any() and not placed.any():
            raise InputError(Sentence("segmentation.elsewhere", name=file.name))
        array = placed
    names = _names(file.segments, labels, rest)
    return GivenMask(grid.image(array), IMAGE, *names, tuple(warnings), file.is_named or bool(told))


def _straightened(masks: Dict[int, np.ndarray], scan: Scan) -> Dict[int, np.ndarray]:
    """Masks on the slices as they were acquired, moved with them if the gantry was tilted."""
    if scan.lean is None:
        return masks
    return {label: scan.lean.straightened(mask) for label, mask in masks.items()}


def mask_of(
    masks: Mapping[int, np.ndarray],
    grid: Grid,
    kind: str,
    segments: Sequence[Segment],
    labels: Mapping[int, int],
    rest: Sequence[Segment],
    warnings: List[str],
    name: str,
) -> GivenMask:
    """Return masks of structures, bool (z, y, x) by their label, as one; ``warnings`` gets more of them.

    Raises:
        InputError: there is not a voxel.
    """
    if not any(mask.any() for mask in masks.values()):
        raise InputError(Sentence("segmentation.elsewhere", name=name))
    array = _merged(masks, grid, warnings)
    return GivenMask(grid.image(array), kind, *_names(segments, labels, rest), tuple(warnings))


def _merged(masks: Mapping[int, np.ndarray], grid: Grid, warnings: List[str]) -> np.ndarray:
    """One label for each voxel, uint8 (z, y, x): tumors before liver before spleen."""
    result = np.zeros(grid.shape, np.uint8)
    for label in (SPLEEN, LIVER, TUMOUR):
        if label in masks:
            result[masks[label]] = label
    if LIVER in masks and SPLEEN in masks:
        ml = float(np.count_nonzero(masks[LIVER] & masks[SPLEEN])) * grid.voxel_ml
        if ml > OVERLAP_ML:
            warnings.append(Sentence("segmentation.overlap", ml=ml))
    if LIVER in masks and TUMOUR in masks:
        warnings += _tumours_in_liver(masks[LIVER], masks[TUMOUR], grid)
    return result


def _tumours_in_liver(liver: np.ndarray, tumour: np.ndarray, grid: Grid) -> List[str]:
    """What to say of a liver, bool (z, y, x), that leaves its tumors out, and of tumors away from it."""
    box = bounding_box(tumour)
    if box is None or not liver.any():
        return []
    z, y, x = (slice(max(0, part.start - 1), part.stop + 1) for part in box)
    liver, tumour = liver[z, y, x], tumour[z, y, x]
    outside = tumour & ~liver
    said: List[str] = []
    if np.count_nonzero(outside) > LEFT_OUT_SHARE * np.count_nonzero(tumour):
        said.append(Sentence("segmentation.liver-without-tumors"))
    lesions, _count = ndimage.label(tumour, structure=np.ones((3, 3, 3)))
    touching = np.unique(lesions[ndimage.binary_dilation(liver, np.ones((3, 3, 3))) & tumour])
    loose = float(np.count_nonzero(tumour & ~np.isin(lesions, touching))) * grid.voxel_ml
    if loose > LOOSE_ML:
        said.append(Sentence("segmentation.loose-tumors", ml=loose))
    return said


def _names(
    segments: Sequence[Segment], labels: Mapping[int, int], rest: Sequence[Segment]
) -> Tuple[Tuple[Tuple[str, str], ...], Tuple[str, ...]]:
    used = tuple(
        (s.name or str(s.number), LABELS[labels[s.number]].key) for s in segments if s.number in labels
    )
    return used, tuple(segment.name or str(segment.number) for segment in rest)


def _the_file(path: str) -> str:
    """The file itself, or the only DICOM file of a folder."""
    if os.path.isdir(path):
        files = [file for file in dicom.walk(path) if dicom.is_dicom(file)]
        if len(files) != 1:
            raise UnreadableImageError(Sentence("segmentation.folder", path=path))
        return files[0]
    if not os.path.isfile(path):
        raise UnreadableImageError(Sentence("read.missing", path=path))
    return path


def _is_image(path: str) -> bool:
    return path.lower().endswith(_IMAGES) or os.path.getsize(path) == 0 or not dicom.is_dicom(path)


def _class_of(path: str) -> str:
    """The SOP class of a segmentation or structure set.

    Raises:
        UnreadableImageError: the file cannot be read, or is something else.
    """
    import pydicom

    name = os.path.basename(path)
    try:
        data = pydicom.dcmread(
            path, force=True, stop_before_pixels=True, specific_tags=["SOPClassUID", "Modality"]
        )
        found, modality = (str(getattr(data, key, "") or "") for key in ("SOPClassUID", "Modality"))
    except dicom.PARSE_ERRORS as error:
        raise UnreadableImageError(Sentence("segmentation.damaged", name=name), repr(error)) from error
    if found not in (*dicom_seg.CLASSES, rtstruct.CLASS):
        raise UnreadableImageError(Sentence("segmentation.other-class", name=name, modality=modality or "?"))
    return found
