"""What is measured in an ROI: parts of voxels, noise, what lies in it, what is suspicious."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import AXIAL, centre_of, turned
from roi_patients import LIVER_AT, SPLEEN_AT, masked_patient, points_of, scan_of, with_hu

from LiverSegLib.errors import InputError
from LiverSegLib.images.grid import Grid
from LiverSegLib.steatosis.placement import place
from LiverSegLib.steatosis.roi import OrganStatistics, Roi, RoiValues
from LiverSegLib.steatosis.roi_statistics import RoiMeter
from LiverSegLib.steatosis.roi_weights import voxel_weights

OBLIQUE = tuple((turned(25, 0) @ turned(-35, 2)).ravel())
LEFT_HANDED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, np.sin(0.3), 0.0, 0.0, np.cos(0.3))
SIDE = (10.0, 10.0, 10.0)

millimetres = st.floats(-20.0, 20.0)
sides = st.floats(4.0, 22.0)


def grid_of(spacing, direction=AXIAL):
    return Grid((40, 40, 20), spacing, (5.0, -3.0, 8.0), direction)


def brute_force_weights(grid, first, shape, centre, size):
    """The part of each voxel inside the box, by random points in the voxel."""
    inner = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 3))
    weights = np.zeros(shape)
    for z, y, x in np.ndindex(*shape):
        points = grid.points(first + np.array([x, y, z]) + inner)
        weights[z, y, x] = (np.abs(points - np.array(centre)) <= np.array(size) / 2).all(axis=1).mean()
    return weights


@settings(max_examples=60, deadline=None)
@given(st.tuples(millimetres, millimetres, millimetres), st.tuples(sides, sides, sides))
def test_on_axis_aligned_scans_the_parts_of_voxels_add_up_exactly(centre, size):
    for direction in (AXIAL, LEFT_HANDED, (0, 0, -1, 1, 0, 0, 0, -1, 0)):
        grid = grid_of((0.8, 1.1, 5.0), direction)
        _, weights = voxel_weights(grid, centre, size)
        assert weights.sum() * grid.voxel_ml * 1000 == pytest.approx(np.prod(size), rel=1e-9)
        assert weights.min() >= 0 and weights.max() <= 1


@settings(max_examples=30, deadline=None)
@given(st.tuples(millimetres, millimetres, millimetres), st.tuples(sides, sides, sides))
def test_on_oblique_scans_the_parts_of_voxels_add_up_nearly(centre, size):
    for direction in (OBLIQUE, TILTED):
        grid = grid_of((0.8, 1.1, 5.0), direction)
        _, weights = voxel_weights(grid, centre, size)
        assert weights.sum() * grid.voxel_ml * 1000 == pytest.approx(np.prod(size), rel=0.005)


@pytest.mark.parametrize("direction", [AXIAL, LEFT_HANDED, OBLIQUE, TILTED])
def test_each_weight_is_the_part_of_its_voxel_inside(direction):
    grid = grid_of((1.3, 1.7, 4.0), direction)
    centre, size = (12.3, 4.1, 20.7), (10.0, 7.0, 12.0)
    first, weights = voxel_weights(grid, centre, size)
    expected = brute_force_weights(grid, first, weights.shape, centre, size)
    assert np.abs(weights - expected).max() < 0.05
    assert weights.sum() == pytest.approx(expected.sum(), rel=0.01)


@pytest.mark.parametrize("direction", [AXIAL, LEFT_HANDED, OBLIQUE, TILTED])
def test_an_attenuation_that_rises_evenly_is_measured_at_the_centre(direction):
    """Only right weights, at the right places, balance."""
    labels = masked_patient((1.5, 1.5, 4.0), direction)
    slope = np.array([0.7, -0.4, 1.1])
    values = (points_of(labels) @ slope).astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(labels)
    centre = centre_of(labels) + LIVER_AT + np.array([1.3, 2.9, -3.7])
    found = RoiMeter.of(image, labels).measure(Roi("L1", "liver", tuple(centre), (12.0, 10.0, 11.0)))
    # A voxel cut by the box counts with its centre's value, so that the mean is off by a little.
    assert found.mean_hu == pytest.approx(centre @ slope, abs=0.35)


def test_partial_voxels_count_by_their_part():
    labels = masked_patient((2.0, 2.0, 10.0), liver=(45, 45, 50))
    image = scan_of(labels, noise=0.0)
    array = sitk.GetArrayFromImage(image)
    middle = centre_of(labels) + LIVER_AT
    z = int(round((middle[2] - labels.GetOrigin()[2]) / 10.0))
    array[z], array[z + 1] = 50, 90
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    between = labels.GetOrigin()[2] + 10.0 * z + 2.5  # 7.5 mm of the one slice, 2.5 mm of the next
    values = RoiMeter.of(changed, labels).measure(Roi("L1", "liver", (middle[0], middle[1], between), SIDE))
    assert values.mean_hu == pytest.approx(0.75 * 50 + 0.25 * 90)
    assert values.sd_hu == pytest.approx(np.sqrt(0.75 * 0.25) * 40)
    assert values.voxels == pytest.approx(25.0)


def test_share_of_an_roi_inside_its_organ_and_lesion():
    labels = masked_patient((2.0, 2.0, 2.0), lesions=[((0, 0, 0), 12.0)])
    meter = RoiMeter.of(scan_of(labels, noise=2.0), labels)
    liver, spleen = centre_of(labels) + LIVER_AT, centre_of(labels) + SPLEEN_AT
    within_lesion = meter.measure(Roi("L1", "liver", tuple(liver), SIDE))
    assert within_lesion.lesion == pytest.approx(1.0) and within_lesion.inside == pytest.approx(1.0)
    assert "It touches a lesion." in within_lesion.flags
    elsewhere = meter.measure(Roi("L2", "liver", tuple(spleen), SIDE))
    assert elsewhere.inside == 0.0
    assert any("outside the liver" in flag for flag in elsewhere.flags)
    astride = meter.measure(Roi("L3", "liver", tuple(liver + np.array([0.0, 45.0, 0.0])), SIDE))
    assert 0.3 < astride.inside < 0.7
    assert any(flag.endswith("% of it lies outside the liver.") for flag in astride.flags)


def test_an_roi_beyond_the_scan_has_no_value_and_one_across_its_border_a_partial_one():
    labels = masked_patient()
    meter = RoiMeter.of(scan_of(labels), labels)
    corner = np.array(labels.GetOrigin()) - np.array(labels.GetSpacing()) / 2
    far = meter.measure(Roi("L1", "liver", tuple(corner - 50.0), SIDE))
    assert far.mean_hu is None and far.sd_hu is None and far.voxels == 0
    assert far.flags == ("It lies outside the scan, or its voxels have no value.",)
    across = meter.measure(Roi("L2", "liver", tuple(corner), SIDE))
    assert across.voxels * np.prod(labels.GetSpacing()) == pytest.approx(125.0)
    assert "Part of it lies outside the scan, or has no value." in across.flags


def test_a_vessel_or_a_lesion_in_an_roi_is_flagged():
    labels = masked_patient((1.5, 1.5, 2.5))
    points = points_of(labels)
    centre = centre_of(labels) + LIVER_AT
    half = np.abs(points - centre).max(-1) < 6
    image = with_hu(scan_of(labels, noise=6.0), labels, half & (points[..., 0] > centre[0]), -40.0)
    values = RoiMeter.of(image, labels).measure(Roi("L1", "liver", tuple(centre), SIDE))
    assert any("SD" in flag and "noise" in flag for flag in values.flags)
    assert any("below the median" in flag for flag in values.flags)


def test_automatic_rois_are_not_flagged():
    labels = masked_patient(lesions=[((10, 5, 0), 9.0)])
    meter = RoiMeter.of(scan_of(labels), labels)
    assert all(meter.measure(roi).flags == () for roi in place(meter).rois)


def test_an_roi_in_an_organ_that_the_mask_lacks_is_flagged():
    labels = masked_patient(spleen=None)
    meter = RoiMeter.of(scan_of(labels), labels)
    values = meter.measure(Roi("S1", "spleen", tuple(centre_of(labels) + SPLEEN_AT), SIDE))
    assert "There is no spleen in the mask." in values.flags
    assert meter.statistics("spleen") is None


@pytest.mark.parametrize("spacing", [(0.9, 0.9, 2.5), (1.5, 1.5, 5.0), (1.5, 1.5, 10.0)])
def test_noise_is_measured_alike_with_vessels_lesions_and_a_gradient(spacing):
    labels = masked_patient(spacing, lesions=[((12, 0, 0), 12.0)])
    points = points_of(labels) - centre_of(labels) - LIVER_AT
    image = scan_of(labels, noise=12.0)
    from_vessel = (points[..., :2] + 11.0) % 22.0 - 11.0
    image = with_hu(image, labels, (from_vessel**2).sum(-1) < 3.0**2, -25.0)  # 6 % of the liver
    array = sitk.GetArrayFromImage(image) + np.rint(points[..., 0] / 5).astype(np.int16)  # 18 HU over 90 mm
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    found = RoiMeter.of(changed, labels).statistics("liver")
    assert found.noise_hu == pytest.approx(12.0, rel=0.05)
    assert found.noise_correlation == pytest.approx(1.0, abs=0.1)
    assert found.sd_hu > 13.5  # what a plain SD of the organ would say


def test_noise_that_neighbours_share_is_noticed():
    labels = masked_patient((1.0, 1.0, 2.5))
    noise = np.random.default_rng(0).normal(size=sitk.GetArrayViewFromImage(labels).shape)
    from scipy import ndimage

    blurred = ndimage.gaussian_filter(noise, (0, 0.8, 0.8))
    image = sitk.GetImageFromArray((60 + 10 * blurred / blurred.std()).astype(np.float32))
    image.CopyInformation(labels)
    found = RoiMeter.of(image, labels).statistics("liver")
    assert found.noise_hu == pytest.approx(10.0, rel=0.05)
    # Gaussian blur of SD s voxels in a plane: the squared correlations sum to 2 pi s^2.
    assert found.noise_correlation == pytest.approx(2 * np.pi * 0.8**2, rel=0.15)


@pytest.mark.parametrize("kind", [np.int16, np.float32])
def test_a_scan_without_noise_has_none_and_its_rois_are_placed(kind):
    labels = masked_patient()
    image = sitk.GetImageFromArray(sitk.GetArrayFromImage(scan_of(labels, noise=0.0)).astype(kind))
    image.CopyInformation(labels)
    meter = RoiMeter.of(image, labels)
    assert meter.statistics("liver").noise_hu < 0.5
    assert len(place(meter).rois) == 10


def test_statistics_are_of_the_parenchyma():
    labels = masked_patient(lesions=[((0, 0, 0), 15.0)])
    found = RoiMeter.of(scan_of(labels, noise=3.0, values=(-90, 60, 50, -200)), labels).statistics("liver")
    assert found.mean_hu == pytest.approx(60.0, abs=0.2)
    assert found.median_hu == pytest.approx(60.0, abs=0.5)
    assert found.cube_median_hu == pytest.approx(60.0, abs=0.5)


def test_arrays_give_what_images_give_without_a_copy():
    labels = masked_patient(direction=OBLIQUE)
    image = scan_of(labels)
    voxels, mask = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labels)
    meter = RoiMeter(voxels, Grid.of(image), mask)
    assert np.shares_memory(meter.voxels, voxels) and np.shares_memory(meter.labels, mask)
    other = RoiMeter.of(image, labels)
    assert place(meter) == place(other)
    assert meter.statistics("liver") == other.statistics("liver")


def test_a_meter_outlives_the_image_it_was_made_from():
    labels = masked_patient()
    meter = RoiMeter.of(scan_of(labels), labels)
    assert len(place(meter).rois) == 10


@pytest.mark.parametrize(
    "voxels, labels",
    [
        (np.zeros((4, 5, 6)), np.zeros((4, 5, 7), np.uint8)),
        (np.zeros((5, 6)), np.zeros((5, 6), np.uint8)),
        (np.zeros((4, 5, 6)), np.zeros((4, 5, 6), np.float32)),
        (np.zeros((4, 5, 6), complex), np.zeros((4, 5, 6), np.uint8)),
        (np.zeros((4, 5, 6)), np.full((4, 5, 6), 9, np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(voxels, labels):
    grid = Grid((6, 5, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), AXIAL)
    with pytest.raises(InputError):
        RoiMeter(voxels, grid, labels)


@pytest.mark.parametrize("wrong", [{"size": (6, 5, 3)}, {"direction": (0.0,) * 9}])
def test_a_grid_that_does_not_fit_is_refused(wrong):
    grid = replace(Grid((6, 5, 4), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), AXIAL), **wrong)
    with pytest.raises(InputError, match="differ in size|do not span space"):
        RoiMeter(np.zeros((4, 5, 6)), grid, np.zeros((4, 5, 6), np.uint8))


def test_rois_and_values_survive_being_written():
    labels = masked_patient()
    meter = RoiMeter.of(scan_of(labels), labels)
    for roi, values in meter.measure_all(place(meter).rois):
        assert Roi.from_dict(roi.to_dict()) == roi
        assert RoiValues.from_dict(values.to_dict()) == values
    found = meter.statistics("liver")
    assert OrganStatistics.from_dict(found.to_dict()) == found


def test_a_meter_made_in_pieces_is_the_same():
    labels = masked_patient()
    image = scan_of(labels)
    voxels, mask = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labels)
    grid = Grid.of(image)
    pieces = RoiMeter.in_pieces(voxels, grid, mask)
    count, meter = 0, None
    while meter is None:
        try:
            next(pieces)
            count += 1
        except StopIteration as end:
            meter = end.value
    whole = RoiMeter(voxels, grid, mask)
    assert count > 8
    assert [meter.statistics(key) for key in meter.organs] == [whole.statistics(key) for key in whole.organs]
    assert place(meter).rois == place(whole).rois
