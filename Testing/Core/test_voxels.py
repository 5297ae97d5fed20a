"""One volume of a voxel and one limit of thick slices, wherever the core needs them."""

import numpy as np
import phantom
import pytest
import SimpleITK as sitk

from LiverSegLib.images.checks import check_image
from LiverSegLib.images.grid import Grid
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.images.voxels import THICK_SLICES_MM, are_thick_slices, voxel_volume_ml
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.cleanup import clean, leave_out_small_tumours
from LiverSegLib.measure.warnings import thick_slices, too_small

TILT = np.radians(28.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, float(np.sin(TILT)), 0.0, 0.0, float(np.cos(TILT)))
SPACING = (1.0, 1.0, 2.0)


def tilted_image():
    image = sitk.Image([8, 7, 6], sitk.sitkInt16)
    image.SetSpacing(SPACING)
    image.SetDirection(TILTED)
    return image


def test_a_voxel_of_a_tilted_gantry_is_smaller_by_the_cosine_and_the_same_everywhere():
    image = tilted_image()
    expected = 0.002 * np.cos(TILT)
    assert voxel_volume_ml(SPACING, TILTED) == pytest.approx(expected)
    assert Grid.of(image).voxel_ml == pytest.approx(expected)
    assert patient_order(image).voxel_ml == pytest.approx(expected)


def test_cleaning_measures_lesions_with_the_volume_of_a_tilted_voxel():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:25, 5:25, 5:25] = LIVER
    labels[12:14, 12:17, 12:17] = TUMOUR  # 50 voxels: 0.100 ml upright, 0.088 ml tilted
    upright, report = clean(labels, SPACING, minimum_lesion_ml=0.095)
    tilted, _ = clean(labels, SPACING, minimum_lesion_ml=0.095, direction=TILTED)
    assert (upright == TUMOUR).sum() == 50
    assert (tilted == TUMOUR).sum() == 0
    _, _, kept = leave_out_small_tumours(upright, SPACING, 0.095, report)
    _, _, left_out = leave_out_small_tumours(upright, SPACING, 0.095, report, direction=TILTED)
    assert kept == () and left_out == pytest.approx((0.1 * np.cos(TILT),))


@pytest.mark.parametrize("spacing, thick", [(5.0, False), (5.0004, False), (5.5, True)])
def test_reading_measuring_and_recist_agree_on_what_a_thick_slice_is(spacing, thick):
    image, _ = phantom.patient((80, 58, 36), (4.0, 4.0, spacing))
    assert THICK_SLICES_MM == 5.0
    assert are_thick_slices(spacing) == thick
    assert any("mm apart" in text for text in check_image(image)) == thick
    assert bool(thick_slices(spacing)) == thick
    assert bool(too_small(10.5, spacing)) == thick  # twice the thickness is asked of thick slices only
