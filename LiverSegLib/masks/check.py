"""Is an image a mask of LiverSeg?"""

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..labels import BACKGROUND, LABELS
from ..sentences import Sentence, in_commas


def check_labels(labels: sitk.Image) -> sitk.Image:
    """Return the mask as uint8.

    Raises:
        InputError: it is not a scalar image of integers, or holds values that are no labels.
    """
    if labels.GetNumberOfComponentsPerPixel() != 1 or labels.GetPixelID() in (
        sitk.sitkFloat32,
        sitk.sitkFloat64,
    ):
        raise InputError(Sentence("mask.type", type=labels.GetPixelIDTypeAsString()))
    check_values(sitk.GetArrayViewFromImage(labels))
    return labels if labels.GetPixelID() == sitk.sitkUInt8 else sitk.Cast(labels, sitk.sitkUInt8)


def check_values(values: np.ndarray) -> None:
    """Look at the values of a mask, integers (z, y, x).

    Raises:
        InputError: it holds values that are no labels.
    """
    lowest = BACKGROUND if values.dtype.kind == "u" else int(values.min(initial=BACKGROUND))
    if int(values.max(initial=BACKGROUND)) > max(LABELS) or lowest < BACKGROUND:
        found = sorted({int(value) for plane in values for value in np.unique(plane)} - {BACKGROUND, *LABELS})
        words = {label.value: Sentence(f"organ.{label.key}") for label in LABELS.values()}
        known = in_commas([Sentence("mask.label", value=value, name=name) for value, name in words.items()])
        values_found = ", ".join(map(str, found[:8]))
        raise InputError(
            Sentence("mask.unknown-labels", values=values_found, background=BACKGROUND, known=known)
        )
