"""Lesions: which voxels make one, diameters, distance to the surface, probability, warnings."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import AXIAL, ball, block, centre_of, ct_of, draw, ellipsoid, empty_labels, turned
from scipy import ndimage

from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.measure import measure
from LiverSegLib.measure.diameters import longest_in_slices

SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""Columns run to posterior, rows to inferior, slices to the left, as scanners write sagittal series."""
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0)


def lesions_of(labels, **options):
    return measure(labels, ct_of(labels), **options).lesions


def lesion_in_liver(inside, *, size=(64, 64, 40), spacing=(1.0, 1.0, 1.0), direction=AXIAL, offset=(0, 0, 0)):
    labels = empty_labels(size, spacing, direction)
    labels[1 : size[0] - 1, 1 : size[1] - 1, 1 : size[2] - 1] = LIVER
    labels = draw(labels, inside(centre_of(labels) + np.array(offset)), TUMOUR)
    (lesion,) = lesions_of(labels)
    return lesion


@pytest.mark.parametrize("offset", [(0, 0, 0), (0.3, 0.2, 0.1), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("radius", [4.0, 9.0, 16.0])
def test_a_ball_has_its_diameter_both_ways_within_a_voxel(radius, offset):
    lesion = lesion_in_liver(lambda centre: ball(centre, radius), offset=offset)
    assert lesion.longest_diameter_mm == pytest.approx(2 * radius, abs=1.0)
    assert lesion.perpendicular_mm == pytest.approx(2 * radius, abs=1.0)
    assert lesion.volume_ml == pytest.approx(4 / 3 * math.pi * radius**3 / 1000, rel=0.05)


@pytest.mark.parametrize("direction", [AXIAL, SAGITTAL, CORONAL, tuple(turned(25, 0).ravel())])
def test_centre_is_the_centre_of_mass_in_the_patient(direction):
    labels = empty_labels((40, 44, 48), (1.0, 0.9, 1.2), direction, origin=(-120.0, 35.0, 800.0))
    centre = centre_of(labels) + np.array([2.0, -3.0, 4.0])
    (lesion,) = lesions_of(draw(labels, ball(centre, 8.0), TUMOUR))
    assert lesion.centre == pytest.approx(centre, abs=0.15)


@pytest.mark.parametrize("degrees", [0, 17, 45, 71, 90])
def test_an_ellipse_at_any_angle_has_its_axes_as_diameters(degrees):
    axes = turned(degrees, 2)
    lesion = lesion_in_liver(lambda centre: ellipsoid(centre, (20, 8, 10), axes))
    assert lesion.longest_diameter_mm == pytest.approx(40, abs=1.0)
    assert lesion.perpendicular_mm == pytest.approx(16, abs=1.0)
    start, stop = np.array(lesion.longest_ends)
    along = abs((stop - start) / np.linalg.norm(stop - start) @ axes[0])
    assert along > math.cos(math.radians(6))


def test_a_box_has_its_diagonal_as_longest_diameter():
    lesion = lesion_in_liver(lambda centre: block(centre, (30, 16, 10)))
    assert lesion.longest_diameter_mm == pytest.approx(math.hypot(30, 16), abs=0.7)
    # The longest chord at right angles to a rectangle's diagonal starts in a corner: b * d / a.
    assert lesion.perpendicular_mm == pytest.approx(16 * math.hypot(30, 16) / 30, abs=1.0)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_row_of_voxels_measures_as_many_voxel_edges(count):
    labels = empty_labels((20, 20, 10), (0.8, 1.1, 3.0))
    labels[5 : 5 + count, 9, 4] = TUMOUR
    (lesion,) = lesions_of(labels)
    long, short = sorted((count * 0.8, 1.1), reverse=True)
    assert (lesion.longest_diameter_mm, lesion.perpendicular_mm) == pytest.approx((long, short), abs=0.01)


def test_pixels_need_not_be_square():
    lesion = lesion_in_liver(lambda centre: ball(centre, 15), size=(80, 40, 20), spacing=(0.6, 1.4, 3.0))
    assert lesion.longest_diameter_mm == pytest.approx(30, abs=1.4)
    assert lesion.perpendicular_mm == pytest.approx(30, abs=1.6)


def test_the_longest_diameter_lies_in_an_axial_slice_though_the_lesion_is_longer_across():
    lesion = lesion_in_liver(lambda centre: ellipsoid(centre, (6, 6, 18)))
    assert lesion.longest_diameter_mm == pytest.approx(12, abs=1.0)


@pytest.mark.parametrize("direction", [SAGITTAL, CORONAL])
def test_sagittal_and_coronal_scans_are_measured_in_the_axial_plane_too(direction):
    lesion = lesion_in_liver(
        lambda centre: ellipsoid(centre, (12, 6, 18)), size=(50, 50, 50), direction=direction
    )
    assert lesion.longest_diameter_mm == pytest.approx(24, abs=1.0)
    assert lesion.perpendicular_mm == pytest.approx(12, abs=1.0)
    (start, stop) = lesion.longest_ends
    assert start[2] == pytest.approx(stop[2])


def test_the_slice_of_the_diameter_is_that_of_the_widest_section():
    labels = empty_labels((50, 50, 30))
    labels[20:30, 20:30, 5:20] = TUMOUR
    labels[15:36, 20:30, 17] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.slice_index == 17
    assert all(end[2] == pytest.approx(17.0) for end in (*lesion.longest_ends, *lesion.perpendicular_ends))


def test_a_slanted_gantry_shears_slices_but_not_what_lies_in_one():
    tilt = (1.0, 0.0, 0.0, 0.0, 1.0, 0.3, 0.0, 0.0, 1.0)
    lesion = lesion_in_liver(lambda centre: ball(centre, 12.0), direction=tilt)
    assert lesion.longest_diameter_mm == pytest.approx(24, abs=1.0)


def test_slices_with_skewed_axes_are_measured_in_true_millimetres():
    mask = np.ones((1, 1, 5), dtype=bool)
    step = np.array([1.0, 0.0, 0.0])
    assert longest_in_slices(mask, step, np.array([0.6, 0.8, 0.0])).longest_mm == pytest.approx(5.0, abs=0.05)
    column = longest_in_slices(np.ones((1, 5, 1), dtype=bool), step, np.array([1.2, 1.6, 0.0]))
    assert column.longest_mm == pytest.approx(10.0, abs=0.05)


def parts_of_slices(mask):
    """The (column, row) centres of each 8-connected part of each slice, by growing it voxel by voxel."""
    for plane in mask:
        left = {tuple(at) for at in np.argwhere(plane)}
        while left:
            part, new = set(), {left.pop()}
            while new:
                part |= new
                new = {(r + i, c + j) for r, c in new for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
                left -= new
            yield np.array(sorted(part))[:, ::-1]


def as_image(array, like):
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(like)
    return image


def test_two_parts_of_a_lesion_in_one_slice_are_not_spanned_by_one_line():
    """A horseshoe standing upright: its arms are two parts in every slice but the one that joins them."""
    labels = empty_labels((40, 20, 12))
    array = sitk.GetArrayViewFromImage(labels).copy()
    array[1:11, 1:19, 1:39] = LIVER
    array[2:9, 8:11, 5:8] = array[2:9, 8:12, 30:34] = TUMOUR
    array[9, 8:11, 5:34] = TUMOUR
    (whole,) = lesions_of(as_image(array, labels))
    assert whole.slice_index == 9
    assert whole.longest_diameter_mm == pytest.approx(29.0, abs=0.2)
    # Joined out of plane only, over two slices that show a part each: no slice shows more than an arm.
    array[9, 8:11, 5:34] = LIVER
    array[9, 8:11, 8:20] = array[10, 8:11, 19:30] = TUMOUR
    array[9, 8:11, 30:34] = TUMOUR
    (stepped,) = lesions_of(as_image(array, labels))
    assert stepped.longest_diameter_mm == pytest.approx(12.0, abs=0.5)


def test_only_the_parts_that_touch_count_as_one():
    mask = np.zeros((2, 5, 12), bool)
    mask[0, 2, 0:3] = mask[0, 2, 8:12] = True
    mask[1, 2, 0:3] = mask[1, 2, 2:5] = mask[1, 3, 5] = True
    found = longest_in_slices(mask, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    assert found.slice_index == 1
    assert found.longest_mm == pytest.approx(np.hypot(6.0, 1.0))


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_diameter_is_the_largest_distance_between_outline_points_and_its_perpendicular_is_one(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 7, 8)) < rng.uniform(0.05, 0.9)
    mask[1, 3, 4] = True
    column, row = (
        np.array([rng.uniform(0.5, 2), 0, 0]),
        np.array([rng.uniform(-0.3, 0.3), rng.uniform(0.5, 2), 0]),
    )
    found = longest_in_slices(mask, column, row)
    best = 0.0
    for centres in parts_of_slices(mask):
        points = np.concatenate([centres + o for o in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
        mm = points @ np.stack([column, row])
        best = max([best, *np.linalg.norm(mm[:, None] - mm[None], axis=2).ravel()])
    assert found.longest_mm == pytest.approx(best)
    ends, across = (
        np.array(e) @ np.stack([column, row]) for e in (found.longest_ends, found.perpendicular_ends)
    )
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(found.longest_mm)
    assert np.linalg.norm(across[1] - across[0]) == pytest.approx(found.perpendicular_mm)
    assert (ends[1] - ends[0]) @ (across[1] - across[0]) == pytest.approx(0.0, abs=1e-6)
    assert found.perpendicular_mm <= found.longest_mm + 1e-6


# --- which voxels make a lesion ---


@pytest.mark.parametrize("step", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, -1, 1)])
def test_voxels_that_touch_by_face_edge_or_corner_are_one_lesion(step):
    labels = empty_labels((12, 12, 12))
    labels[5, 5, 5] = TUMOUR
    labels[tuple(5 + way for way in step)] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.voxels == 2


def test_lesions_apart_are_numbered_by_descending_volume():
    labels = empty_labels((60, 30, 30))
    for x, side in ((5, 4), (20, 10), (40, 6)):
        labels[x : x + side, 5 : 5 + side, 5 : 5 + side] = TUMOUR
    found = lesions_of(labels)
    assert [lesion.number for lesion in found] == [1, 2, 3]
    assert [lesion.voxels for lesion in found] == [1000, 216, 64]


# --- distance to the surface ---


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_the_distance_to_the_surface_is_the_thickness_of_liver_left(depth):
    labels = empty_labels((40, 40, 20), (0.8, 0.8, 2.5))
    labels[5:35, 5:35, 3:17] = LIVER
    labels[5 + depth : 12 + depth, 15:25, 8:12] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.surface_distance_mm == pytest.approx(depth * 0.8)


def test_the_distance_between_concentric_balls_is_the_difference_of_radii():
    labels = empty_labels((64, 64, 64))
    centre = centre_of(labels)
    labels = draw(draw(labels, ball(centre, 28), LIVER), ball(centre, 10), TUMOUR)
    (lesion,) = lesions_of(labels)
    assert lesion.surface_distance_mm == pytest.approx(18, abs=1.0)


def test_distances_to_the_surface_are_those_of_a_distance_transform():
    labels = empty_labels((60, 56, 40), (0.8, 0.9, 1.5))
    centre = centre_of(labels)
    labels = draw(labels, ellipsoid(centre, (22, 20, 26), turned(30, 1)), LIVER)
    for offset, radius in (((0, 0, 0), 7), ((12, 3, 5), 4), ((-9, -10, -8), 3), ((3, 12, 4), 2)):
        labels = draw(labels, ball(centre + np.array(offset), radius), TUMOUR)
    array = sitk.GetArrayFromImage(labels)
    outermost = (array > 0) & ~ndimage.binary_erosion(array > 0)
    far = ndimage.distance_transform_edt(~outermost, sampling=labels.GetSpacing()[::-1])
    components, count = ndimage.label(array == TUMOUR, np.ones((3, 3, 3)))
    expected = ndimage.minimum(far, components, range(1, count + 1))
    found = [lesion.surface_distance_mm for lesion in lesions_of(labels)]
    assert count == 4 and sorted(found) == pytest.approx(sorted(expected))


def test_a_cavity_inside_the_liver_is_no_surface():
    labels = empty_labels((40, 40, 20))
    labels[2:38, 2:38, 2:18] = LIVER
    labels[18:22, 18:22, 8:12] = TUMOUR
    labels[23:25, 18:22, 8:12] = 0
    (lesion,) = lesions_of(labels)
    assert lesion.surface_distance_mm == pytest.approx(6.0)


def test_the_cut_face_of_a_liver_is_no_surface_and_is_warned_of_when_near():
    labels = empty_labels((40, 40, 20))
    labels[5:35, 5:35, 0:15] = LIVER
    labels[18:22, 18:22, 2:5] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.surface_distance_mm == pytest.approx(10.0)
    assert any("surface may be nearer" in text for text in lesion.warnings)
    assert not lesion.truncated


def test_a_liver_that_fills_the_scan_shows_no_surface():
    labels = empty_labels((8, 8, 8)) + LIVER
    labels[4, 4, 4] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.surface_distance_mm is None


# --- what else is told ---


def test_probability_is_the_mean_over_the_lesion_and_unknown_without_a_map():
    labels = empty_labels((12, 12, 12))
    labels[4:6, 4, 4] = TUMOUR
    probability = np.full((12, 12, 12), 7, dtype=np.uint8)
    probability[4, 4, 4], probability[4, 4, 5] = 255, 51
    (lesion,) = lesions_of(labels, probability=probability)
    assert lesion.probability == pytest.approx((1.0 + 0.2) / 2)
    assert lesions_of(labels)[0].probability is None


def test_attenuation_of_each_lesion_is_its_own():
    labels = empty_labels((20, 12, 12))
    labels[2:4, 4, 4], labels[10, 4, 4] = TUMOUR, TUMOUR
    image = sitk.Cast(ct_of(labels), sitk.sitkFloat32)
    image[2, 4, 4], image[3, 4, 4], image[10, 4, 4] = 40.0, 60.0, -7.5
    large, small = measure(labels, image).lesions
    assert (large.mean_hu, large.sd_hu) == pytest.approx((50.0, 10.0))
    assert (small.mean_hu, small.sd_hu) == pytest.approx((-7.5, 0.0))


@pytest.mark.parametrize(
    ("side", "thickness", "warned"), [(8, 1, True), (12, 1, False), (12, 10, True), (25, 10, False)]
)
def test_lesions_too_small_for_recist_are_marked(side, thickness, warned):
    labels = empty_labels((40, 40, 10), (1.0, 1.0, thickness))
    labels[5 : 5 + side, 20, 4:6] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert any("not measurable by RECIST" in text for text in lesion.warnings) == warned


@pytest.mark.parametrize(("value", "warned"), [(60.0, False), (200.0, False), (201.0, True)])
def test_lesions_denser_than_tissue_are_marked(value, warned):
    labels = empty_labels((20, 20, 20))
    labels[5:10, 5:10, 5:10] = TUMOUR
    image = sitk.Cast(ct_of(labels), sitk.sitkFloat32)
    image[5:10, 5:10, 5:10] = value
    found = measure(labels, image)
    (lesion,) = found.lesions
    assert any("embolization" in text for text in lesion.warnings) == warned
    for said in (found.organ("tumour").warnings, found.burden_warnings, found.warnings):
        assert any(text.startswith("1 of 1 lesion (0.1 ml) is denser than tissue") for text in said) == warned


def test_a_lesion_at_the_border_of_the_scan_is_truncated():
    labels = empty_labels((40, 40, 10))
    labels[5:35, 5:35, 0:10] = LIVER
    labels[15:30, 15:30, 7:10] = TUMOUR
    (lesion,) = lesions_of(labels)
    assert lesion.truncated
    assert (
        "This lesion reaches the superior border of the scan: its volume and diameters are lower bounds."
        in (lesion.warnings)
    )


def test_a_lesion_that_meets_the_padding_is_truncated():
    labels = empty_labels((40, 40, 20))
    labels[10:30, 10:30, 5:15] = LIVER
    labels[20:30, 15:25, 8:12] = TUMOUR
    image = ct_of(labels)
    image[30:40, 0:40, 0:20] = -2000
    assert measure(labels, image).lesions[0].truncated
