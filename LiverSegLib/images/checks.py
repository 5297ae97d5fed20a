"""Can this CT in Hounsfield units, or this MR, be segmented? One clear sentence for each reason why not."""

from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, NotCTError
from ..sentences import Sentence
from .grid import are_thick_slices
from .integrity import SHEAR_TOLERANCE, shear
from .modality import CT, MODALITIES, MR

MINIMUM_SLICES = 3
"""Fewer slices than this along any axis are no volume."""

SPACING_RANGE_MM = (0.1, 20.0)
"""Smallest and largest believable distance between voxels, any axis. Clinical abdominal CT has 0.5 to 10
mm.
"""

MAXIMUM_IN_PLANE_MM = 10.0
"""The two finer axes of an image must be finer than this."""

MAXIMUM_SIZE = 4096
"""Most voxels along one axis; and ``MAXIMUM_VOXELS`` in all (a 1024 x 1024 x 2000 scan fits)."""

MAXIMUM_VOXELS = 1 << 31

MAXIMUM_TILT_DEGREES = 45.0
"""Axes sheared by more than this are not worked with; CT gantries tilt by at most 30 degrees."""

_LABEL_MAP_VALUES = 64
_HISTOGRAM_RANGE = (-1100, 3100)


@dataclass(frozen=True)
class ValueSummary:
    """What the checks need to know about the voxels: taken in one pass, slice by slice.

    ``histogram`` counts a regular sample of the voxels in 10 HU bins from -1100 to 3100 HU, values beyond in
    the outermost bins.
    """

    minimum: float
    maximum: float
    non_finite: int
    distinct: int
    integral: bool
    histogram: np.ndarray

    def share(self, low: float, high: float) -> float:
        """Share of the sampled voxels between ``low`` and ``high`` HU (multiples of 10)."""
        first, last = (int((value - _HISTOGRAM_RANGE[0]) // 10) for value in (low, high))
        return float(self.histogram[max(0, first) : max(0, last)].sum() / max(1, self.histogram.sum()))


def check_image(image: sitk.Image, modality: Optional[str] = None) -> Tuple[str, ...]:
    """Check that an image is a CT volume in HU, or a volume of MR if it is said to be one.

    MR has no scale, so nothing is asked of its values but that they are finite and show something. Stored
    padding outside the reconstruction circle of a CT (-2000, -3024, -32768 ...) is fine: all that computes
    clips at -1000 HU or above.

    Args:
        image: Any SimpleITK image.
        modality: DICOM modality where it is known, or what the user says; None is taken for CT.

    Returns:
        Warnings, a sentence each, about what makes the scan doubtful though usable.

    Raises:
        NotCTError: No CT in HU: other modality, colour, vector, complex, a label map, constant, non-finite,
        values not in HU. ImageGeometryError: Not a volume, or size, spacing, origin or direction that cannot
        be worked with.
    """
    kind = modality.upper() if modality else CT
    if kind not in MODALITIES:
        raise NotCTError(modality_sentence(kind))
    _check_pixel_type(image)
    warnings = check_grid(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())
    values = summarise(image)
    if kind == MR:
        _check_signal(values)
        return tuple(warnings)
    return tuple(warnings + _check_values(values))


def check_grid(size: tuple, spacing: tuple, origin: tuple, direction: tuple) -> List[str]:
    """Check size and geometry alone, so that an absurd file is refused before its voxels are loaded; returns
    warnings.
    """
    if len(size) != 3:
        if len(size) < 3:
            raise ImageGeometryError(Sentence("refused.single-slice"))
        raise ImageGeometryError(Sentence("refused.dimensions-frames", count=len(size), frames=size[3]))
    if min(size) < MINIMUM_SLICES:
        key = "refused.one-slice" if min(size) == 1 else "refused.few-slices"
        raise ImageGeometryError(Sentence(key, count=int(min(size)), least=MINIMUM_SLICES))
    if max(size) > MAXIMUM_SIZE or np.prod(size, dtype=np.int64) > MAXIMUM_VOXELS:
        raise ImageGeometryError(Sentence("refused.too-large", x=size[0], y=size[1], z=size[2]))
    if not np.isfinite(spacing + origin + direction).all():
        raise ImageGeometryError(Sentence("refused.place"))
    _check_spacing(spacing)
    return _grid_warnings(size, spacing, np.reshape(direction, (3, 3)))


def summarise(image: sitk.Image) -> ValueSummary:
    """Look at every voxel once (extremes, non-finite) and at a sample of them more closely."""
    array = sitk.GetArrayViewFromImage(image)
    low, high, non_finite, integral, distinct = np.inf, -np.inf, 0, True, np.zeros(0, array.dtype)
    first, last = _HISTOGRAM_RANGE
    histogram = np.zeros((last - first) // 10, np.int64)
    step = max(1, min(array.shape[1:]) // 128)
    for plane in array:
        if array.dtype.kind == "f":
            bad = plane.size - int(np.count_nonzero(np.isfinite(plane)))
            if bad:
                non_finite += bad
                continue
        low, high = min(low, float(plane.min())), max(high, float(plane.max()))
        sample = plane[::step, ::step]
        if array.dtype.kind == "f" and integral:
            integral = bool((sample == np.rint(sample)).all())
        if distinct.size <= _LABEL_MAP_VALUES:
            distinct = np.union1d(distinct, sample)
        bins = (np.clip(sample, first, last - 1).astype(np.float32) - first) // 10
        histogram += np.bincount(bins.astype(np.int64).ravel(), minlength=histogram.size)
    return ValueSummary(low, high, non_finite, int(distinct.size), integral, histogram)


def several_values_sentence(count: int) -> str:
    """The sentence for an image with ``count`` values per voxel."""
    return Sentence("refused.colour" if count in (3, 4) else "refused.several-values", count=count)


def modality_sentence(modality: Optional[str]) -> str:
    """The sentence for an image of a modality other than CT, or of none that is stated."""
    if not modality:
        return Sentence("refused.modality-not-stated")
    return Sentence("refused.modality", modality=modality)


def _check_pixel_type(image: sitk.Image) -> None:
    if image.GetNumberOfComponentsPerPixel() > 1:
        raise NotCTError(several_values_sentence(image.GetNumberOfComponentsPerPixel()))
    if "complex" in image.GetPixelIDTypeAsString():
        raise NotCTError(Sentence("refused.complex"))
    if "label" in image.GetPixelIDTypeAsString():
        raise NotCTError(Sentence("refused.label-map"))


def _check_spacing(spacing: tuple) -> None:
    ordered = sorted(spacing)
    sides = dict(zip("xyz", (float(value) for value in spacing)))
    if ordered[0] < SPACING_RANGE_MM[0]:
        raise ImageGeometryError(Sentence("refused.spacing-small", **sides))
    if ordered[2] > SPACING_RANGE_MM[1] or ordered[1] > MAXIMUM_IN_PLANE_MM:
        raise ImageGeometryError(Sentence("refused.spacing-coarse", **sides))


def _grid_warnings(size: tuple, spacing: tuple, direction: np.ndarray) -> List[str]:
    warnings: List[str] = []
    if abs(np.linalg.det(direction)) < np.cos(np.radians(MAXIMUM_TILT_DEGREES)):
        raise ImageGeometryError(Sentence("refused.axes"))
    if shear(direction) > SHEAR_TOLERANCE:
        angle = np.degrees(np.arcsin(min(1.0, shear(direction))))
        warnings.append(Sentence("scan.sheared", degrees=float(angle)))
    if are_thick_slices(max(spacing)):
        warnings.append(Sentence("scan.thick-slices", mm=float(max(spacing))))
    if tuple(spacing) == (1.0, 1.0, 1.0) and max(size) >= 512:
        warnings.append(Sentence("scan.spacing-lost"))
    return warnings


def _check_signal(values: ValueSummary) -> None:
    """Check the values of an MR, which are in no unit."""
    if values.non_finite:
        raise NotCTError(Sentence("refused.not-numbers", count=values.non_finite))
    if values.minimum == values.maximum:
        raise NotCTError(Sentence("refused.empty", value=values.minimum))
    if _is_like_label_map(values):
        raise NotCTError(Sentence("refused.like-label-map-mr"))


def _is_like_label_map(values: ValueSummary) -> bool:
    few = values.integral and values.distinct <= _LABEL_MAP_VALUES
    return few and values.minimum >= 0 and values.maximum <= 255


def _check_values(values: ValueSummary) -> List[str]:
    if values.non_finite:
        raise NotCTError(Sentence("refused.not-numbers", count=values.non_finite))
    if values.minimum == values.maximum:
        raise NotCTError(Sentence("refused.empty", value=values.minimum))
    if _is_like_label_map(values):
        raise NotCTError(Sentence("refused.like-label-map"))
    if _is_offset_ct(values):
        raise NotCTError(Sentence("refused.offset"))
    ends = {"low": values.minimum, "high": values.maximum}
    if values.maximum - values.minimum < 100 or values.share(-1100, -50) < 0.005:
        raise NotCTError(Sentence("refused.no-air", **ends))
    if values.share(-150, 300) < 0.01:
        raise NotCTError(Sentence("refused.no-tissue", **ends))
    if values.maximum < 350 and values.minimum > -500:
        return [Sentence("scan.clipped", **ends)]
    return []


def _is_offset_ct(values: ValueSummary) -> bool:
    """Unsigned CT as stored: air near 0 and a hump of soft tissue near 1024 with a valley between (MR has
    none there).
    """
    hump, valley = values.share(870, 1250), values.share(400, 800)
    return values.minimum >= 0 and values.maximum > 1200 and hump > 0.1 and valley < 0.3 * hump
