"""The highlight image: liver grey, tumours white, the rest black. Readers use it to search for lesions."""

import numpy as np
import SimpleITK as sitk

from ..images.grid import check_same_grid
from ..labels import HIGHLIGHT_GREYS
from ..masks.check import check_labels


def highlight(image: sitk.Image, labels: sitk.Image) -> sitk.Image:
    """Return the highlight image of a segmented scan.

    Args:
        image: the scan; only its grid is used.
        labels: the mask on the same grid, integer, values as in :mod:`LiverSegLib.labels`.

    Returns:
        uint8 image on the grid of ``labels``: parenchyma 128, tumours 255, the rest (the spleen too) 0.

    Raises:
        ImageGeometryError: the two do not lie on the same grid.
        InputError: the mask holds values that are no labels.

    >>> labels = sitk.GetImageFromArray(np.array([[[0, 1, 2, 3]]], np.uint8))
    >>> sitk.GetArrayFromImage(highlight(labels, labels)).tolist()
    [[[0, 128, 0, 255]]]
    """
    check_same_grid(labels, image)
    labels = check_labels(labels)
    greys = np.zeros(256, dtype=np.uint8)
    greys[list(HIGHLIGHT_GREYS)] = list(HIGHLIGHT_GREYS.values())
    result = sitk.GetImageFromArray(greys[sitk.GetArrayViewFromImage(labels)])
    result.CopyInformation(labels)
    return result
