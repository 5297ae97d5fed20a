"""Measure a segmented scan: organs, lesions, tumour burden, liver-to-spleen attenuation."""

from dataclasses import replace
from typing import List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import UsageError
from ..images.files import hu_in_box
from ..images.grid import Box, Grid, bounding_box, check_same_grid, grow_box
from ..images.modality import CT
from ..labels import LABELS, LIVER, SPLEEN, TUMOUR
from ..masks.check import check_labels, check_values
from ..masks.components import box_within
from ..sentences import Sentence
from . import warnings
from .borders import FIELD_OF_VIEW, padding_value, touched_borders
from .lesions import measure_lesions
from .measurements import Lesion, Measurements, Organ
from .volumes import ScanContext, Structure, attenuation, structure_in


def measure(
    labels: sitk.Image,
    image: sitk.Image,
    *,
    probability: Optional[np.ndarray] = None,
    phase: Optional[str] = None,
    left_out: Sequence[str] = (),
    aorta_hu: Optional[float] = None,
    modality: str = CT,
    not_segmented: Sequence[str] = (),
) -> Measurements:
    """Measure a segmented scan.

    Liver volume is parenchyma and tumours together; tumour burden is tumour / (liver with tumours), by
    volume. The liver-to-spleen ratio and difference compare the mean HU of parenchyma and spleen (Piekarski
    et al., Radiology 1980;137:727-729); on unenhanced scans a low value means fat.

    Args:
        labels: the mask, integer, values as in :mod:`LiverSegLib.labels`.
        image: the scan in HU on the same grid, of any orientation.
        probability: uint8 (z, y, x) on that grid, 255 = 1.0: the network's probability of the label of each
            voxel.
        phase: contrast phase of the scan, if known: "unenhanced", "arterial", "portal", "late", "unknown".
        left_out: sentences on lesions that were left out of the mask; they go with the tumours' volume and
            the burden.
        aorta_hu: attenuation of the aorta, if known: a lesion as dense as enhanced blood gets a sentence.
        modality: "CT" or "MR"; without HU, MR gets no attenuation, and no warning that is told by it.
        not_segmented: keys of organs that the model does not know: without a voxel they are no measurement.

    Raises:
        ImageGeometryError: mask and scan do not lie on the same grid.
        InputError: the mask holds values that are no labels.
        NotCTError: a voxel of a structure has no finite value.
        UsageError: the probability is not uint8 of the mask's shape.

    >>> array = np.zeros((4, 4, 4), np.uint8)
    >>> array[1:3, 1:3, 1:3] = LIVER
    >>> labels = sitk.GetImageFromArray(array)
    >>> found = measure(labels, sitk.Cast(labels, sitk.sitkInt16) * 60, phase="unenhanced")
    >>> found.organ("liver").volume_ml, found.organ("liver").mean_hu, found.lesions
    (0.008, 60.0, ())
    """
    grid = check_same_grid(labels, image)
    labels = check_labels(labels)
    mask = sitk.GetArrayViewFromImage(labels)
    values = sitk.GetArrayViewFromImage(image)
    if probability is not None and (probability.shape != mask.shape or probability.dtype != np.uint8):
        raise UsageError(
            f"The probability must be uint8 of shape {mask.shape}, not that of shape {probability.shape}."
        )
    return measure_arrays(
        mask,
        grid.box,
        values,
        grid,
        probability=probability,
        phase=phase,
        left_out=left_out,
        aorta_hu=aorta_hu,
        modality=modality,
        not_segmented=not_segmented,
    )


def measure_arrays(
    mask: np.ndarray,
    box: Box,
    values: np.ndarray,
    grid: Grid,
    *,
    probability: Optional[np.ndarray] = None,
    phase: Optional[str] = None,
    left_out: Sequence[str] = (),
    aorta_hu: Optional[float] = None,
    modality: str = CT,
    not_segmented: Sequence[str] = (),
) -> Measurements:
    """Measure labels that are given as an array, or those in a box of the scan alone.

    Args:
        mask: uint8 (z, y, x) of the box's shape, values as in :mod:`LiverSegLib.labels`.
        box: of the scan's array; what lies outside is background.
        values: HU (z, y, x) of the whole scan, int16 or float32; may be a memory map, of which little more
            than the box is read.
        grid: of the scan.
        probability, phase, left_out, aorta_hu, modality, not_segmented: as for :func:`measure`.

    Raises:
        InputError: the mask holds values that are no labels.
        NotCTError: a voxel of a structure has no finite value.
    """
    inner = bounding_box(mask)
    if inner is not None:
        mask, box = mask[inner], box_within(box, inner)
        check_values(mask)
    liver = None if inner is None else structure_in(mask, box, (LIVER, TUMOUR))
    spleen = None if inner is None else structure_in(mask, box, (SPLEEN,))
    parenchyma, tumour = _parts_of_liver(mask, box, liver)
    scan = ScanContext(
        grid,
        values,
        has_hu=modality == CT,
        padding=padding_value(values) if modality == CT else None,
        probability=probability,
        blood_hu=warnings.enhanced_blood(phase, aorta_hu),
        warnings=warnings.thick_slices(grid.slice_spacing),
    )
    liver_organ = _organ(LIVER, liver, parenchyma, scan, warnings.NO_LIVER)
    spleen_organ = _known(_organ(SPLEEN, spleen, spleen, scan, warnings.NO_SPLEEN), not_segmented)
    tumour_organ = _known(_organ(TUMOUR, tumour, tumour, scan, None), not_segmented)
    lesions: Tuple[Lesion, ...] = ()
    if tumour is not None and liver is not None:
        meets_padding = FIELD_OF_VIEW in liver_organ.touches  # without it, no lesion does either
        lesions = measure_lesions(tumour, liver, scan if meets_padding else replace(scan, padding=None))
    dense = [lesion.volume_ml for lesion in lesions if warnings.too_dense(lesion.mean_hu, scan.blood_hu)]
    doubts = (*left_out, *warnings.dense_lesions(len(lesions), dense, scan.blood_hu))
    if tumour_organ.segmented:
        tumour_organ = _with_tumour_warnings(tumour_organ, liver_organ, phase, doubts)
    found = _put_together(liver_organ, spleen_organ, tumour_organ, parenchyma, lesions, phase, doubts, grid)
    return found if modality == CT else replace(found, modality=modality)


def hu_around_labels(voxels: np.ndarray, mask: np.ndarray, box: Box, kind: np.dtype) -> np.ndarray:
    """Return HU (z, y, x) for :func:`measure_arrays`, of which only what it looks at is converted: around the
    labels and in the corners of the scan. Elsewhere stands 0.

    Args:
        voxels: the scan (z, y, x) in HU, of any type; may be a memory map.
        mask: uint8, the labels in ``box``.
        box: of the scan.
        kind: int16 or float32, the type that ``images.read_scan`` gives this scan.
    """
    if voxels.dtype == kind:
        return np.asarray(voxels)
    values = np.zeros(voxels.shape, kind)  # pages that nobody writes to take no memory
    ends = [(slice(0, 1), slice(count - 1, count)) for count in voxels.shape]
    places: List[Box] = [(z, y, x) for z in ends[0] for y in ends[1] for x in ends[2]]
    inner = bounding_box(mask)
    if inner is not None:
        places.append(grow_box(box_within(box, inner), (1, 1, 1), voxels.shape))
    for place in places:
        values[place] = hu_in_box(voxels, place, kind)
    return values


def _parts_of_liver(
    mask: np.ndarray, box: Box, liver: Optional[Structure]
) -> Tuple[Optional[Structure], Optional[Structure]]:
    """Return parenchyma and tumour, which lie in the liver's box; ``mask`` are the labels in ``box``."""
    if liver is None:
        return None, None
    z, y, x = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(liver.box, box))
    part = mask[z, y, x]
    return structure_in(part, liver.box, (LIVER,)), structure_in(part, liver.box, (TUMOUR,))


def _organ(
    label: int,
    structure: Optional[Structure],
    measured: Optional[Structure],
    scan: ScanContext,
    absent: Optional[str],
) -> Organ:
    """Measure one organ: the volume of ``structure``, the attenuation of ``measured``; ``absent`` is the
    sentence to give if there is no such voxel.
    """
    info = LABELS[label]
    if structure is None:
        return Organ(info.key, info.name, 0.0, reliable=absent is None, warnings=(absent,) if absent else ())
    touches = touched_borders(structure.mask, structure.box, scan.grid, scan.values, scan.padding)
    hu = (
        attenuation(scan.values[measured.box][measured.mask])
        if measured is not None and scan.has_hu
        else None
    )
    return Organ(
        key=info.key,
        name=info.name,
        volume_ml=structure.voxels * scan.grid.voxel_ml,
        mean_hu=None if hu is None else hu.mean_hu,
        sd_hu=None if hu is None else hu.sd_hu,
        median_hu=None if hu is None else hu.median_hu,
        voxels=structure.voxels,
        truncated=bool(touches),
        touches=touches,
        reliable=not touches,
        warnings=warnings.cut_off("volume.cut-off", touches, organ=Sentence(f"organ.{info.key}"))
        + scan.warnings,
    )


def _known(organ: Organ, not_segmented: Sequence[str]) -> Organ:
    """Return the organ; if the model does not know it, and there is none, as one that was not segmented."""
    if organ.voxels or organ.key not in not_segmented:
        return organ
    return Organ(organ.key, organ.name, 0.0, segmented=False)


def _with_tumour_warnings(tumour: Organ, liver: Organ, phase: Optional[str], doubts: Sequence[str]) -> Organ:
    """Return the tumour with what also makes it doubtful: a liver cut off, a scan without contrast medium,
    and the ``doubts`` about its lesions.
    """
    more: Tuple[str, ...] = ()
    if liver.truncated:
        more += (warnings.TUMOURS_OF_CUT_LIVER,)
    if phase == "unenhanced":
        more += (warnings.UNENHANCED_TUMOURS,)
    more += tuple(doubts)
    return replace(tumour, warnings=tumour.warnings + more, reliable=tumour.reliable and not more)


def _put_together(
    liver: Organ,
    spleen: Organ,
    tumour: Organ,
    parenchyma: Optional[Structure],
    lesions: Tuple[Lesion, ...],
    phase: Optional[str],
    doubts: Tuple[str, ...],
    grid: Grid,
) -> Measurements:
    ratio, difference = _liver_and_spleen(liver, spleen)
    ratio_warnings = () if difference is None else warnings.ratio_phase(phase)
    burden_warnings = _warnings_of_burden(liver, phase, doubts) if tumour.segmented else ()
    organs, has_burden = (liver, spleen, tumour), tumour.segmented
    parenchyma_ml = parenchyma.voxels * grid.voxel_ml if parenchyma is not None else 0.0
    return Measurements(
        organs=organs,
        lesions=lesions,
        tumour_burden_percent=100.0 * tumour.voxels / liver.voxels if liver.voxels and has_burden else None,
        parenchyma_ml=parenchyma_ml if has_burden else None,
        liver_spleen_ratio=ratio,
        liver_minus_spleen_hu=difference,
        phase=phase,
        warnings=warnings.each_once(
            [sentence for organ in organs for sentence in organ.warnings] + list(burden_warnings)
        ),
        burden_warnings=burden_warnings,
        liver_spleen_warnings=ratio_warnings,
        axial_axis=grid.axial_axis,
        voxel_ml=grid.voxel_ml,
    )


def _liver_and_spleen(liver: Organ, spleen: Organ) -> Tuple[Optional[float], Optional[float]]:
    """Return ratio and difference of mean HU, None where there is none."""
    if liver.mean_hu is None or spleen.mean_hu is None:
        return None, None
    # A ratio to zero or to a negative number of HU says nothing.
    ratio = liver.mean_hu / spleen.mean_hu if spleen.mean_hu > 0 else None
    return ratio, liver.mean_hu - spleen.mean_hu


def _warnings_of_burden(liver: Organ, phase: Optional[str], doubts: Tuple[str, ...]) -> Tuple[str, ...]:
    if not liver.voxels:
        return ()
    cut = (warnings.BURDEN_OF_CUT_LIVER,) if liver.truncated else ()
    return cut + ((warnings.UNENHANCED_TUMOURS,) if phase == "unenhanced" else ()) + doubts
