"""The least size of a lesion: pieces of tumour below it are relabelled as liver."""

from dataclasses import replace
from typing import Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError, UsageError
from ..images.grid import bounding_box
from ..labels import LABELS, LIVER, TUMOUR
from .cleanup_report import CleanupReport, CleanupStep
from .components import Box
from .runs import find_runs

MINIMUM_LESION_ML = 0.065
"""Default least size of a lesion: a ball of 5 mm, see MINIMUM_LESION_MM in ``measure.lesions``."""
ROUNDING_ML = 1e-9
"""A volume of a limit's size, computed with rounding, is not below it."""


TOO_NARROW = ("narrow-tumours", "Tumors too narrow to be told were relabeled as liver.")
UNLIKELY = ("unlikely-tumours", "Tumors that are none on a second look were relabeled as liver.")
"""Why pieces of tumour are left out: the rule of the report's step, and its sentence."""


def leave_out_tumours(
    labels: np.ndarray,
    pieces: Sequence[Tuple[Box, np.ndarray]],
    voxel_ml: float,
    report: CleanupReport,
    reason: Tuple[str, str] = TOO_NARROW,
) -> Tuple[np.ndarray, CleanupReport]:
    """Turn given pieces of tumour into liver.

    Args:
        labels: uint8 (z, y, x), as :func:`clean` returned it; it is not changed.
        pieces: box and bool mask in it of each piece.
        voxel_ml: volume of a voxel.
        report: as :func:`clean` returned it.
        reason: why, one of the constants above.

    Returns:
        The mask (the one given without pieces) and the report with what was left out as its step of the
        reason's rule.
    """
    if not pieces:
        return labels, report
    result = labels.copy()
    for box, mask in pieces:
        result[box][mask] = LIVER
    voxels = sum(int(np.count_nonzero(mask)) for _, mask in pieces)
    step = CleanupStep(*reason, voxels, voxels * voxel_ml)
    return result, replace(report, steps=(*report.steps, step))


def leave_out_small_tumours(
    labels: np.ndarray,
    voxel_ml: float,
    minimum_lesion_ml: float,
    report: CleanupReport,
) -> Tuple[np.ndarray, CleanupReport, Tuple[float, ...]]:
    """Turn the small tumours of a clean mask into liver: a second, stricter look for scans that ask for it.

    Args:
        labels: uint8 (z, y, x), as :func:`clean` returned it; it is not changed.
        voxel_ml: volume of a voxel in ml.
        minimum_lesion_ml: 26-connected tumours below this size become parenchyma.
        report: as :func:`clean` returned it.

    Returns:
        The mask (the one given if nothing is small), the report with what was left out as its step
        "doubtful-tumours", and the volumes in ml of what was left out.

    Raises:
        UsageError: an argument has the wrong type, shape or range.
        InputError: the mask holds values that are no labels.
    """
    check_arguments(labels, voxel_ml, minimum_lesion_ml, 0.0, None)
    report = replace(report, minimum_lesion_ml=minimum_lesion_ml)
    tumour = labels == TUMOUR
    box = bounding_box(tumour)
    if box is None:
        return labels, report, ()
    small, sizes = small_tumours(tumour[box], minimum_lesion_ml, voxel_ml)
    if not len(sizes):
        return labels, report, ()
    result = labels.copy()
    result[box][small] = LIVER
    text = f"Tumors below {minimum_lesion_ml:g} ml were relabeled as liver: doubtful in this contrast phase."
    volumes = tuple(float(size) * voxel_ml for size in sizes)
    step = CleanupStep("doubtful-tumours", text, int(sizes.sum()), sum(volumes))
    return result, replace(report, steps=(*report.steps, step)), volumes


def small_tumours(tumour: np.ndarray, minimum_ml: float, voxel_ml: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return the pieces of tumour (bool) below a volume as bool of its shape, and their sizes in voxels."""
    runs = find_runs(tumour)
    sizes = runs.sums(tumour)
    small = below(sizes, minimum_ml, voxel_ml)
    return runs.numbered(small) > 0, sizes[small]


def below(sizes: np.ndarray, minimum_ml: float, voxel_ml: float) -> np.ndarray:
    """Tell which sizes in voxels are below a volume."""
    return sizes * voxel_ml < minimum_ml - ROUNDING_ML


def check_arguments(
    labels: np.ndarray,
    voxel_ml: float,
    minimum_lesion_ml: float,
    maximum_hole_ml: float,
    probability: Optional[np.ndarray],
) -> None:
    """Raise UsageError for what cleaning cannot use, InputError for a mask with values that are no labels."""
    if labels.ndim != 3 or labels.dtype != np.uint8:
        raise UsageError(f"The mask must be uint8 with three axes, not {labels.dtype} with {labels.ndim}.")
    if not (np.isfinite(voxel_ml) and voxel_ml > 0):
        raise UsageError(f"The volume of a voxel must be a positive number of ml, not {voxel_ml}.")
    for name, value in (("minimum lesion size", minimum_lesion_ml), ("maximum hole size", maximum_hole_ml)):
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(f"The {name} must be 0 ml or more, not {value}.")
    if probability is not None and (probability.shape != labels.shape or probability.dtype != np.uint8):
        raise UsageError(
            f"The probability must be uint8 of shape {labels.shape}, not of shape {probability.shape}."
        )
    if labels.max(initial=0) > max(LABELS):
        raise InputError(f"The mask holds the value {labels.max()}, which is no label.")
