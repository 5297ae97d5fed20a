"""The highlight image."""

import numpy as np
import pytest
import SimpleITK as sitk
from measure_shapes import ct_of, empty_labels, turned

from LiverSegLib.errors import ImageGeometryError, InputError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.outputs.highlight import highlight


def test_liver_is_grey_tumours_white_and_all_else_black_on_the_same_grid():
    labels = empty_labels((8, 9, 10), (0.7, 0.8, 5.0), tuple(turned(20, 0).ravel()), (1.0, 2.0, 3.0))
    labels[1, 1, 1], labels[2, 2, 2], labels[3, 3, 3] = LIVER, SPLEEN, TUMOUR
    image = highlight(ct_of(labels), labels)
    assert image.GetPixelID() == sitk.sitkUInt8
    assert (image[1, 1, 1], image[2, 2, 2], image[3, 3, 3], image[0, 0, 0]) == (128, 0, 255, 0)
    assert np.unique(sitk.GetArrayViewFromImage(image)).tolist() == [0, 128, 255]
    for attribute in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(image, attribute)() == getattr(labels, attribute)()


def test_another_grid_or_unknown_values_are_refused():
    labels = empty_labels((6, 6, 6))
    with pytest.raises(ImageGeometryError):
        highlight(ct_of(empty_labels((6, 6, 7))), labels)
    labels[1, 1, 1] = 5
    with pytest.raises(InputError, match="no labels: 5"):
        highlight(ct_of(empty_labels((6, 6, 6))), labels)
