"""The highlight image: liver grey, tumours white, the rest black. Readers use it to search for lesions."""

import numpy as np
import SimpleITK as sitk

from ..images.grid import check_same_grid
from ..labels import LIVER, TUMOUR
from ..masks.check import check_labels

LIVER_GREY = 128
"""Grey value of liver parenchyma."""
TUMOUR_WHITE = 255
"""Grey value of liver tumours."""


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
    """
    check_same_grid(labels, image)
    labels = check_labels(labels)
    greys = np.zeros(256, dtype=np.uint8)
    greys[LIVER] = LIVER_GREY
    greys[TUMOUR] = TUMOUR_WHITE
    result = sitk.GetImageFromArray(greys[sitk.GetArrayViewFromImage(labels)])
    result.CopyInformation(labels)
    return result
