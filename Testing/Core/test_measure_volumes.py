"""Volumes, attenuation, burden, borders and warnings of a segmented scan."""

import itertools
import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import AXIAL, ball, centre_of, ct_of, draw, ellipsoid, empty_labels, turned

from LiverSegLib.errors import ImageGeometryError, InputError, NotCTError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.measure import Measurements, measure
from LiverSegLib.measure.warnings import NO_LIVER, NO_SPLEEN

OBLIQUE = tuple((turned(20, 0) @ turned(-35, 2)).ravel())
LEFT_HANDED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, math.sin(0.3), 0.0, 0.0, math.cos(0.3))
"""A gantry tilt: slices shear along the patient's posterior axis, the direction is not orthonormal."""


def liver_with_tumour(size=(48, 48, 48), spacing=(1.0, 1.0, 1.0), direction=AXIAL, liver=18.0, tumour=8.0):
    labels = empty_labels(size, spacing, direction)
    centre = centre_of(labels)
    return draw(draw(labels, ball(centre, liver), LIVER), ball(centre, tumour), TUMOUR)


@pytest.mark.parametrize("direction", [AXIAL, OBLIQUE, LEFT_HANDED, TILTED])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.9, 3.0)])
def test_volume_of_a_ball_is_right_on_any_grid(spacing, direction):
    size = [math.ceil(70 / mm) for mm in spacing]
    labels = empty_labels(size, spacing, direction)
    labels = draw(labels, ball(centre_of(labels), 20.0), LIVER)
    found = measure(labels, ct_of(labels)).organ("liver")
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 20**3 / 1000, rel=0.01)


def test_volume_of_a_box_is_exact():
    labels = empty_labels((30, 30, 20), (0.7, 0.7, 5.0))
    labels[5:15, 3:23, 4:14] = SPLEEN
    found = measure(labels, ct_of(labels)).organ("spleen")
    assert found.voxels == 10 * 20 * 10
    assert found.volume_ml == pytest.approx(2000 * 0.7 * 0.7 * 5.0 / 1000)


def test_volume_of_an_ellipsoid_at_an_angle():
    labels = empty_labels((60, 60, 60))
    axes = turned(30, 2) @ turned(50, 0)
    labels = draw(labels, ellipsoid(centre_of(labels), (25, 15, 10), axes), LIVER)
    found = measure(labels, ct_of(labels)).organ("liver")
    assert found.volume_ml == pytest.approx(4 / 3 * math.pi * 25 * 15 * 10 / 1000, rel=0.01)


def test_liver_means_parenchyma_and_tumours_and_burden_is_the_tumours_share():
    labels = liver_with_tumour()
    found = measure(labels, ct_of(labels))
    liver, tumour = found.organ("liver"), found.organ("tumour")
    assert found.parenchyma_ml + tumour.volume_ml == pytest.approx(liver.volume_ml)
    assert found.tumour_burden_percent == pytest.approx(100 * 8**3 / 18**3, rel=0.02)


def test_a_liver_that_is_all_tumour_has_full_burden_and_no_attenuation_of_its_own():
    labels = empty_labels((20, 20, 20))
    labels[5:15, 5:15, 5:15] = TUMOUR
    found = measure(labels, ct_of(labels))
    assert found.tumour_burden_percent == pytest.approx(100.0)
    assert found.organ("liver").mean_hu is None
    assert found.organ("tumour").mean_hu == pytest.approx(60.0)


def test_attenuation_of_the_liver_leaves_the_tumours_out_and_sd_divides_by_n():
    labels = empty_labels((12, 10, 10))
    labels[2:6, 4, 4] = LIVER
    labels[6:8, 4, 4] = TUMOUR
    image = ct_of(labels)
    for x, value in zip(range(2, 8), (100, 102, 110, 140, 1000, -500)):
        image[x, 4, 4] = value
    liver = measure(labels, image).organ("liver")
    assert liver.mean_hu == pytest.approx(113.0)
    assert liver.median_hu == pytest.approx(106.0)
    assert liver.sd_hu == pytest.approx(math.sqrt(sum((v - 113) ** 2 for v in (100, 102, 110, 140)) / 4))


@pytest.mark.parametrize("pixel_type", [sitk.sitkInt16, sitk.sitkInt32, sitk.sitkFloat32, sitk.sitkFloat64])
def test_attenuation_does_not_depend_on_how_the_scan_is_stored(pixel_type):
    labels = liver_with_tumour()
    found = measure(labels, sitk.Cast(ct_of(labels), pixel_type))
    assert found.organ("liver").mean_hu == pytest.approx(110.0)
    assert found.organ("liver").sd_hu == pytest.approx(0.0, abs=1e-6)


def test_an_empty_mask_measures_as_zeros_without_burden():
    labels = empty_labels((10, 11, 12))
    found = measure(labels, ct_of(labels))
    assert [organ.key for organ in found.organs] == ["liver", "spleen", "tumour"]
    assert all(organ.volume_ml == 0 and organ.mean_hu is None and not organ.touches for organ in found.organs)
    assert found.tumour_burden_percent is None and found.liver_spleen_ratio is None and found.lesions == ()
    assert not found.organ("liver").reliable
    assert NO_LIVER in found.warnings and NO_SPLEEN in found.warnings


def test_ratio_and_difference_compare_parenchyma_with_spleen():
    labels = liver_with_tumour()
    labels[0:4, 20:24, 20:24] = SPLEEN
    found = measure(labels, ct_of(labels, (0, 45, 50, 30)), phase="unenhanced")
    assert found.liver_spleen_ratio == pytest.approx(0.9)
    assert found.liver_minus_spleen_hu == pytest.approx(-5.0)
    assert found.liver_spleen_warnings == ()


def test_a_ratio_to_a_spleen_without_attenuation_is_not_given():
    labels = liver_with_tumour()
    labels[2:4, 20:24, 20:24] = SPLEEN
    found = measure(labels, ct_of(labels, (0, 45, -3, 30)))
    assert found.liver_spleen_ratio is None
    assert found.liver_minus_spleen_hu == pytest.approx(48.0)


@pytest.mark.parametrize(("phase", "words"), [("portal", "contrast medium"), (None, "unenhanced scans only")])
def test_the_ratio_is_warned_of_unless_the_scan_is_unenhanced(phase, words):
    labels = liver_with_tumour()
    labels[2:4, 20:24, 20:24] = SPLEEN
    (warning,) = measure(labels, ct_of(labels), phase=phase).liver_spleen_warnings
    assert words in warning


def test_unenhanced_scans_warn_of_invisible_lesions():
    labels = liver_with_tumour()
    image = ct_of(labels)
    plain, portal = (measure(labels, image, phase=phase) for phase in ("unenhanced", "portal"))
    assert any("invisible" in text for text in plain.burden_warnings)
    assert any("invisible" in text for text in plain.organ("tumour").warnings)
    assert not plain.organ("tumour").reliable
    assert portal.organ("tumour").reliable and portal.burden_warnings == ()


@pytest.mark.parametrize(("thickness", "warned"), [(1.0, False), (5.0, False), (5.5, True), (10.0, True)])
def test_slices_above_5_mm_are_warned_of(thickness, warned):
    labels = liver_with_tumour(size=(48, 48, 12), spacing=(1.0, 1.0, thickness))
    found = measure(labels, ct_of(labels))
    for organ in ("liver", "tumour"):
        assert any(f"{thickness:.1f} mm apart" in text for text in found.organ(organ).warnings) == warned
    assert any("less precise" in text for text in found.lesions[0].warnings) == warned


# --- borders ---


@pytest.mark.parametrize(
    ("axis", "high", "word"),
    [
        (0, False, "right"),
        (0, True, "left"),
        (1, False, "anterior"),
        (1, True, "posterior"),
        (2, False, "inferior"),
        (2, True, "superior"),
    ],
)
def test_a_liver_at_a_border_is_truncated_and_says_where(axis, high, word):
    labels = empty_labels((40, 40, 40))
    centre = centre_of(labels)
    centre[axis] += 20 if high else -20
    labels = draw(labels, ball(centre, 12.0), LIVER)
    found = measure(labels, ct_of(labels))
    liver = found.organ("liver")
    assert liver.truncated and not liver.reliable
    assert liver.touches == (word,)
    assert liver.warnings == (
        f"The liver reaches the {word} border of the scan: its volume is a lower bound.",
    )
    assert any("tumor burden" in text for text in found.burden_warnings)
    assert any("not counted" in text for text in found.organ("tumour").warnings)


def test_a_liver_inside_the_scan_is_not_truncated():
    labels = liver_with_tumour()
    found = measure(labels, ct_of(labels), phase="portal")
    assert found.organ("liver").reliable and not found.organ("liver").truncated
    assert found.organ("liver").warnings == () and found.burden_warnings == ()


def test_one_layer_of_voxels_away_from_the_border_is_inside():
    labels = empty_labels((10, 10, 10))
    labels[1:9, 1:9, 1:9] = LIVER
    assert measure(labels, ct_of(labels)).organ("liver").touches == ()
    labels[0, 5, 5] = LIVER
    assert measure(labels, ct_of(labels)).organ("liver").touches == ("right",)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(False, False, False), (True, False, True), (True, True, True)])
def test_borders_have_their_names_in_every_orientation(order, flips):
    labels = empty_labels((20, 24, 28))
    labels[15:20, 10:14, 0:5] = LIVER
    turned_labels = sitk.Flip(sitk.PermuteAxes(labels, order), flips)
    found = measure(turned_labels, ct_of(turned_labels)).organ("liver")
    assert found.touches == ("inferior", "left")


def test_borders_of_an_oblique_grid_are_named_by_the_nearest_patient_axis():
    labels = empty_labels((20, 20, 20), direction=tuple(turned(30, 0).ravel()))
    labels[5:9, 5:9, 15:20] = LIVER
    assert measure(labels, ct_of(labels)).organ("liver").touches == ("superior",)


def test_a_liver_that_meets_the_padding_of_the_field_of_view_is_truncated():
    labels = empty_labels((40, 40, 20))
    labels[10:30, 10:30, 5:15] = LIVER
    image = ct_of(labels)
    image[30:40, 0:40, 0:20] = -2000
    liver = measure(labels, image).organ("liver")
    assert liver.truncated and liver.touches == ("field of view",)
    assert "edge of the field of view" in liver.warnings[0]


def test_air_and_single_streaks_are_no_padding():
    labels = empty_labels((40, 40, 20))
    labels[10:30, 10:30, 5:15] = LIVER
    air, streak = ct_of(labels), ct_of(labels)
    air[30:40, 0:40, 0:20] = -1024
    streak[0:5, 0:40, 0:20] = -3024
    streak[30:32, 20, 10] = -3024
    assert not measure(labels, air).organ("liver").truncated
    assert not measure(labels, streak).organ("liver").truncated


# --- laws ---


def random_case(seed: int):
    """Return a random mask of liver, spleen and tumour blocks and a random scan on a random oblique grid."""
    rng = np.random.default_rng(seed)
    direction = (
        turned(rng.uniform(-80, 80), 0) @ turned(rng.uniform(-80, 80), 1) @ turned(rng.uniform(-80, 80), 2)
    )
    array = np.zeros((9, 10, 11), dtype=np.uint8)
    for label in (LIVER, LIVER, SPLEEN, TUMOUR, TUMOUR):
        start = rng.integers(0, 7, 3)
        stop = start + rng.integers(1, 6, 3)
        array[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = label
    labels = sitk.GetImageFromArray(array)
    labels.SetSpacing([float(value) for value in rng.uniform(0.5, 6.0, 3)])
    labels.SetDirection(tuple(direction.ravel()))
    labels.SetOrigin([float(value) for value in rng.uniform(-300, 300, 3)])
    image = sitk.GetImageFromArray(rng.integers(-100, 200, array.shape).astype(np.int16))
    image.CopyInformation(labels)
    return labels, image


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_volumes_add_up(seed):
    labels, image = random_case(seed)
    found = measure(labels, image)
    whole = sum(found.organ(key).volume_ml for key in ("liver", "spleen"))
    assert whole == pytest.approx(np.count_nonzero(sitk.GetArrayViewFromImage(labels)) * found.voxel_ml)
    assert sum(lesion.volume_ml for lesion in found.lesions) == pytest.approx(found.organ("tumour").volume_ml)
    assert sum(lesion.voxels for lesion in found.lesions) == found.organ("tumour").voxels


@given(
    st.integers(0, 10**6), st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans())
)
@settings(max_examples=40, deadline=None)
def test_the_same_voxels_stored_in_another_order_measure_the_same(seed, order, flips):
    labels, image = random_case(seed)
    here = measure(labels, image, phase="portal")
    turned_labels, turned_image = (
        sitk.Flip(sitk.PermuteAxes(x, [int(axis) for axis in order]), flips) for x in (labels, image)
    )
    there = measure(turned_labels, turned_image, phase="portal")
    assert here.warnings == there.warnings
    assert here.tumour_burden_percent == pytest.approx(there.tumour_burden_percent)
    for a, b in zip(here.organs, there.organs):
        assert (a.voxels, a.touches, a.warnings) == (b.voxels, b.touches, b.warnings)
        assert [a.volume_ml, a.mean_hu, a.sd_hu] == pytest.approx([b.volume_ml, b.mean_hu, b.sd_hu])
    assert len(here.lesions) == len(there.lesions)
    for a, b in zip(here.lesions, there.lesions):
        assert a.centre == pytest.approx(b.centre)
        assert a.longest_diameter_mm == pytest.approx(b.longest_diameter_mm)
        assert a.perpendicular_mm == pytest.approx(b.perpendicular_mm)
        assert a.surface_distance_mm == pytest.approx(b.surface_distance_mm)
        assert (a.voxels, a.mean_hu, a.warnings) == (b.voxels, pytest.approx(b.mean_hu), b.warnings)


@given(st.integers(0, 10**6), st.sampled_from(["unenhanced", "portal", None]))
@settings(max_examples=25, deadline=None)
def test_reading_what_was_written_gives_the_same_measurements(seed, phase):
    labels, image = random_case(seed)
    probability = sitk.GetArrayFromImage(labels) * np.uint8(80)
    found = measure(labels, image, probability=probability, phase=phase)
    written = json.dumps(found.to_dict(), allow_nan=False)
    assert Measurements.from_dict(json.loads(written)) == found


def test_empty_measurements_survive_json_too():
    labels = empty_labels((5, 5, 5))
    found = measure(labels, ct_of(labels))
    assert Measurements.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_keys_of_the_dict_carry_units():
    labels = liver_with_tumour()
    data = measure(labels, ct_of(labels)).to_dict()
    assert {"tumour_burden_percent", "parenchyma_ml", "liver_minus_spleen_hu"} <= set(data)
    assert {"volume_ml", "mean_hu", "sd_hu", "median_hu"} <= set(data["organs"][0])
    assert {"volume_ml", "longest_diameter_mm", "centre_lps_mm", "surface_distance_mm"} <= set(
        data["lesions"][0]
    )


# --- what is refused ---


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ImageGeometryError, match="10 x 10 x 10 against 10 x 10 x 11"):
        measure(empty_labels((10, 10, 10)), ct_of(empty_labels((10, 10, 11))))


@pytest.mark.parametrize(
    "moved", [{"origin": (0, 0, 1.0)}, {"spacing": (1, 1, 1.1)}, {"direction": LEFT_HANDED}], ids=str
)
def test_a_mask_in_another_place_is_refused(moved):
    with pytest.raises(ImageGeometryError, match="same place"):
        measure(empty_labels((10, 10, 10)), ct_of(empty_labels((10, 10, 10), **moved)))


def test_rounding_in_a_file_header_is_no_other_place():
    labels = empty_labels((10, 10, 10), (0.7, 0.7, 2.5), origin=(-250.0, -250.0, 900.0))
    image = ct_of(labels)
    image.SetOrigin((-250.00001, -250.0, 900.0001))
    assert measure(labels, image).organ("liver").volume_ml == 0


def test_values_that_are_no_labels_are_refused_and_named():
    labels = empty_labels((6, 6, 6))
    labels[1, 1, 1], labels[2, 2, 2] = 4, 9
    with pytest.raises(InputError, match="no labels: 4, 9"):
        measure(labels, ct_of(empty_labels((6, 6, 6))))
    negative = sitk.Cast(empty_labels((6, 6, 6)), sitk.sitkInt16)
    negative[1, 1, 1] = -1
    with pytest.raises(InputError, match="no labels: -1"):
        measure(negative, ct_of(empty_labels((6, 6, 6))))


def test_wider_integer_masks_are_taken_and_fractions_refused():
    labels = liver_with_tumour(size=(24, 24, 24), liver=9.0, tumour=4.0)
    assert measure(sitk.Cast(labels, sitk.sitkInt32), ct_of(labels)) == measure(labels, ct_of(labels))
    with pytest.raises(InputError, match="whole numbers"):
        measure(sitk.Cast(labels, sitk.sitkFloat32), ct_of(labels))


def test_a_scan_without_values_in_the_liver_is_refused():
    labels = liver_with_tumour()
    image = sitk.Cast(ct_of(labels), sitk.sitkFloat32)
    image[24, 24, 10] = math.nan
    with pytest.raises(NotCTError, match="finite"):
        measure(labels, image)


def test_a_flat_image_is_refused():
    with pytest.raises(ImageGeometryError, match="2 dimensions"):
        measure(sitk.Image([5, 5], sitk.sitkUInt8), ct_of(empty_labels((5, 5, 5))))


def test_a_probability_of_another_shape_is_refused():
    labels = empty_labels((6, 7, 8))
    with pytest.raises(UsageError, match=r"\(8, 7, 6\)"):
        measure(labels, ct_of(labels), probability=np.zeros((6, 7, 8), np.uint8))


def test_a_missing_organ_says_what_there_is():
    labels = empty_labels((5, 5, 5))
    with pytest.raises(KeyError, match="liver"):
        measure(labels, ct_of(labels)).organ("kidney")


@pytest.mark.parametrize("data", [{}, {"format": "liverseg-measurements-1"}, {"format": "other"}])
def test_a_dict_of_something_else_is_refused(data):
    with pytest.raises(InputError, match="cannot be read"):
        Measurements.from_dict(data)
