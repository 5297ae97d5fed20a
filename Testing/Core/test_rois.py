"""Where ROIs are placed: inside, apart, away from lesions and vessels, the same each time, on any scan."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from measure_shapes import AXIAL, ball, block, centre_of, draw, empty_labels, turned
from roi_patients import LIVER_AT, label_at, masked_patient, points_of, scan_of, with_hu

from LiverSegLib.errors import ImageGeometryError, InputError, NoLiverError, NotCTError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.steatosis.placement import place
from LiverSegLib.steatosis.roi import REJECTIONS, PlacementSettings, Roi
from LiverSegLib.steatosis.roi_statistics import RoiMeter

OBLIQUE = tuple((turned(20, 0) @ turned(-35, 2)).ravel())
LEFT_HANDED = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, np.sin(0.3), 0.0, 0.0, np.cos(0.3))
DIRECTIONS = [AXIAL, OBLIQUE, LEFT_HANDED, SAGITTAL, TILTED, tuple(-np.array(OBLIQUE))]


def place_rois(image, labels, **options):
    chosen = PlacementSettings(**options)
    return place(RoiMeter.of(image, labels), chosen)


def surface_points(roi: Roi, out_by: float) -> np.ndarray:
    """Points (n, 3) in an ROI and ``out_by`` mm outside it, in many directions from its whole surface."""
    steps = [np.linspace(-side / 2, side / 2, 6) for side in roi.size]
    inner = np.array(list(itertools.product(*steps)))
    ways = np.random.default_rng(0).normal(size=(60, 3))
    ways /= np.linalg.norm(ways, axis=1)[:, None]
    surface = inner[(np.abs(np.abs(inner) - np.array(roi.size) / 2) < 1e-9).any(axis=1)]
    outer = (0.999 * surface[:, None] + out_by * ways[None]).reshape(-1, 3)
    return np.concatenate([inner * 0.999, outer]) + np.array(roi.centre)


def assert_keeps_the_rules(placement, labels):
    """Check by points in space, not by the arithmetic that placed them."""
    organ_values = {"liver": (LIVER, TUMOUR), "spleen": (SPLEEN,)}
    settings = placement.settings
    for roi in placement.rois:
        near = label_at(labels, surface_points(roi, 0.98 * settings.margin_mm))
        assert np.isin(near, organ_values[roi.organ]).all(), f"{roi.name} leaves the eroded {roi.organ}"
        to_lesion = label_at(labels, surface_points(roi, 0.98 * settings.lesion_margin_mm))
        assert not (to_lesion == TUMOUR).any(), f"{roi.name} is near a lesion"
    for one, other in itertools.combinations(placement.rois, 2):
        assert not one.overlaps(other)


@st.composite
def directions(draw_value):
    """Any orientation: axes in any order, forwards or backwards, turned by up to 40 degrees, some tilted."""
    order = draw_value(st.permutations([0, 1, 2]))
    signs = draw_value(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
    matrix = np.eye(3)[:, order] * np.array(signs)
    if draw_value(st.booleans()):
        angles = draw_value(st.tuples(st.integers(-40, 40), st.integers(-40, 40)))
        matrix = turned(angles[0], 0) @ turned(angles[1], 2) @ matrix
    if draw_value(st.booleans()):
        tilt = np.deg2rad(draw_value(st.integers(-25, 25)))
        matrix[:, 2] = np.cos(tilt) * matrix[:, 2] + np.sin(tilt) * matrix[:, 1]
    return tuple(matrix.ravel())


@st.composite
def patients(draw_value):
    """A mask on any grid, and settings: thin to 10 mm slices, roomy to tiny organs, lesions or none."""
    in_plane = draw_value(st.sampled_from([1.5, 2.0, 3.0]))
    slices = draw_value(st.sampled_from([1.5, 2.5, 5.0, 10.0]))
    radii = st.tuples(*[st.integers(8, 45)] * 3)
    lesions = draw_value(
        st.lists(st.tuples(st.tuples(*[st.integers(-25, 25)] * 3), st.integers(4, 12)), max_size=2)
    )
    labels = masked_patient(
        (in_plane, in_plane, slices),
        draw_value(directions()),
        liver=draw_value(radii),
        spleen=draw_value(st.none() | st.tuples(*[st.integers(6, 30)] * 3)),
        lesions=lesions,
    )
    chosen = PlacementSettings(
        count=draw_value(st.integers(1, 12)),
        side_mm=draw_value(st.sampled_from([10.0, 12.5, 20.0])),
        margin_mm=draw_value(st.sampled_from([0.0, 2.0, 5.0])),
        lesion_margin_mm=draw_value(st.sampled_from([0.0, 5.0, 8.0])),
        seed=draw_value(st.integers(0, 3)),
    )
    return labels, chosen


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(patients())
def test_rois_lie_inside_apart_and_away_from_lesions_on_any_scan(patient):
    labels, chosen = patient
    if not (sitk.GetArrayViewFromImage(labels) == LIVER).any():
        return
    meter = RoiMeter.of(scan_of(labels), labels)
    placement = place(meter, chosen)
    assert_keeps_the_rules(placement, labels)
    for organ in ("liver", "spleen"):
        assert len(placement.of(organ)) <= chosen.count
        if len(placement.of(organ)) < chosen.count:
            assert any(organ in sentence for sentence in placement.warnings)
    assert place(meter, chosen) == placement
    for roi in placement.rois:
        values = meter.measure(roi)
        assert values.inside == pytest.approx(1.0, abs=1e-3)
        assert values.lesion == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_roomy_organ_gets_all_its_rois_whatever_its_orientation(direction):
    labels = masked_patient(direction=direction, lesions=[((0, 0, 0), 10.0)])
    placement = place_rois(scan_of(labels), labels)
    assert [roi.name for roi in placement.rois] == [f"{letter}{n}" for letter in "LS" for n in range(1, 6)]
    assert placement.warnings == ()
    assert_keeps_the_rules(placement, labels)
    assert all(roi.size == (10.0, 10.0, 10.0) and roi.automatic for roi in placement.rois)


def test_same_seed_same_rois_and_another_seed_others():
    labels = masked_patient()
    image = scan_of(labels)
    first, again, other = (place_rois(image, labels, seed=seed) for seed in (7, 7, 8))
    assert first == again
    assert first.rois != other.rois


def test_liver_rois_are_spread_over_right_and_left_upper_and_lower():
    labels = masked_patient()
    placement = place_rois(scan_of(labels), labels, count=4)
    offsets = np.array([roi.centre for roi in placement.of("liver")]) - centre_of(labels) - LIVER_AT
    assert len({(bool(x > 0), bool(z > 0)) for x, _, z in offsets}) == 4


def test_thirty_rois_fit_into_a_large_liver():
    labels = masked_patient(liver=(48, 55, 55))
    placement = place_rois(scan_of(labels), labels, count=30, side_mm=10.0)
    assert len(placement.of("liver")) == 30
    assert_keeps_the_rules(placement, labels)


def test_a_cube_takes_one_whole_slice_of_10_mm():
    labels = masked_patient((1.5, 1.5, 10.0))
    meter = RoiMeter.of(scan_of(labels), labels)
    placement = place(meter)
    assert len(placement.rois) == 10
    for roi in placement.rois:
        slice_number = (roi.centre[2] - labels.GetOrigin()[2]) / 10.0
        assert slice_number == pytest.approx(round(slice_number))
        assert meter.measure(roi).voxels == pytest.approx((10 / 1.5) ** 2)


def test_along_thicker_slices_a_cube_is_one_slice_high():
    labels = masked_patient((1.5, 1.5, 15.0), liver=(45, 45, 55))
    placement = place_rois(scan_of(labels), labels)
    assert {roi.size for roi in placement.rois} == {(10.0, 10.0, 15.0)}
    assert_keeps_the_rules(placement, labels)


def test_an_organ_too_small_for_all_gets_fewer_with_a_warning():
    labels = masked_patient(spleen=(18, 20, 19))
    placement = place_rois(scan_of(labels), labels, count=8)
    assert 0 < len(placement.of("spleen")) < 8
    assert len(placement.of("liver")) == 8
    assert any(sentence.startswith("Only") and "spleen" in sentence for sentence in placement.warnings)
    assert_keeps_the_rules(placement, labels)


def test_a_tiny_organ_gets_none():
    labels = masked_patient(spleen=(7, 7, 7))
    placement = place_rois(scan_of(labels), labels)
    assert placement.of("spleen") == ()
    assert any(sentence.startswith("No ROI fits into the spleen") for sentence in placement.warnings)


def test_every_voxel_is_tried_before_an_organ_is_given_up():
    """A block with room for one cube: its centre is off the coarse lattice."""
    labels = empty_labels((60, 60, 60))
    labels = draw(labels, block((30.0, 30.0, 30.0), (51, 51, 51)), LIVER)
    labels = draw(labels, block((31.0, 30.0, 30.0), (21.5, 21.5, 21.5)), 0)
    labels = draw(labels, block((31.0, 30.0, 30.0), (20.5, 20.5, 20.5)), SPLEEN)
    placement = place_rois(scan_of(labels, noise=1.0), labels)
    assert [roi.centre for roi in placement.of("spleen")] == [(31.0, 30.0, 30.0)]


def test_a_truncated_organ_gets_rois_within_the_scan_and_a_warning():
    labels = masked_patient()[:, :, 20:]
    placement = place_rois(scan_of(labels), labels)
    assert any("liver reaches the inferior border" in sentence for sentence in placement.warnings)
    assert_keeps_the_rules(placement, labels)
    low = labels.GetOrigin()[2] - labels.GetSpacing()[2] / 2
    assert all(roi.centre[2] - roi.size[2] / 2 >= low + 5.0 - 1e-9 for roi in placement.rois)


def test_only_the_largest_component_of_an_organ_is_used():
    labels = masked_patient(spleen=(30, 32, 35))
    piece = centre_of(labels) + LIVER_AT + np.array([0.0, 55.0, 0.0])
    labels = draw(labels, ball(piece, 9.0), SPLEEN)
    meter = RoiMeter.of(scan_of(labels), labels)
    assert all(roi.centre[0] > piece[0] + 20 for roi in place(meter).of("spleen"))
    assert meter.measure(Roi("S9", "spleen", tuple(piece), (10, 10, 10))).inside == 0.0


def test_cubes_avoid_vessels_that_noise_would_hide_in_a_single_voxel():
    labels = masked_patient((1.0, 1.0, 2.5))
    points = points_of(labels)
    tubes = np.zeros(points.shape[:-1], dtype=bool)
    for offset in (-24, -12, 0, 12, 24):
        line = points[..., :2] - (centre_of(labels) + LIVER_AT)[:2] - np.array([offset, offset / 2])
        tubes |= (line**2).sum(-1) < 4.0**2
    image = with_hu(scan_of(labels, noise=15.0), labels, tubes, -20.0)
    placement = place_rois(image, labels)
    vessel = sitk.GetImageFromArray(tubes.astype(np.float32))
    vessel.CopyInformation(labels)
    shares = [RoiMeter.of(vessel, labels).measure(roi).mean_hu for roi in placement.of("liver")]
    assert np.mean(shares) < 0.02
    assert placement.rejected["noise"] + placement.rejected["mean"] > 0


def test_rejections_are_counted_by_reason():
    labels = masked_patient(lesions=[((0, 0, 0), 12.0)])
    placement = place_rois(scan_of(labels), labels, count=30)
    assert set(placement.rejected) == set(REJECTIONS)
    assert placement.rejected["border"] > 0 and placement.rejected["lesion"] > 0
    assert placement.rejected["overlap"] > 0


def test_without_a_spleen_the_liver_still_gets_its_rois():
    labels = masked_patient(spleen=None)
    placement = place_rois(scan_of(labels), labels)
    assert len(placement.rois) == len(placement.of("liver")) == 5
    assert "The mask holds no spleen: no ROIs were placed there." in placement.warnings


@pytest.mark.parametrize("spleen", [None, (28.0, 32.0, 35.0)])
def test_no_liver_is_said(spleen):
    labels = masked_patient(liver=None, spleen=spleen)
    with pytest.raises(NoLiverError, match="liver"):
        place_rois(scan_of(labels), labels)


def test_a_liver_of_tumour_alone_is_no_liver():
    labels = masked_patient(liver=None, lesions=[((0, 0, 0), 20.0)])
    with pytest.raises(NoLiverError, match="no liver"):
        place_rois(scan_of(labels), labels)


def test_a_mask_of_other_geometry_is_refused():
    labels = masked_patient()
    image = scan_of(labels)
    with pytest.raises(ImageGeometryError, match="differ in size"):
        place_rois(image, labels[:, :, 1:])
    moved = sitk.Image(labels)
    moved.SetOrigin((0.0, 0.0, 0.0))
    with pytest.raises(ImageGeometryError, match="same place"):
        place_rois(image, moved)


def test_values_that_are_no_labels_are_refused():
    labels = masked_patient()
    with pytest.raises(InputError, match="no labels"):
        place_rois(scan_of(labels), labels * 20)


def test_a_scan_with_voxels_that_are_no_numbers_is_refused():
    labels = masked_patient()
    array = sitk.GetArrayFromImage(scan_of(labels)).astype(np.float32)
    array[array > 70] = np.nan
    image = sitk.GetImageFromArray(array)
    image.CopyInformation(labels)
    with pytest.raises(NotCTError, match="finite"):
        place_rois(image, labels)


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 0},
        {"count": 31},
        {"count": 2.5},
        {"count": float("nan")},
        {"side_mm": 9.9},
        {"side_mm": 21.0},
        {"side_mm": "ten"},
        {"margin_mm": -1.0},
        {"lesion_margin_mm": float("inf")},
        {"seed": -1},
        {"seed": 0.5},
    ],
)
def test_settings_out_of_range_are_refused_with_the_range(wrong):
    labels = masked_patient()
    with pytest.raises(UsageError, match="must be"):
        place_rois(scan_of(labels), labels, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"organ": "kidney"},
        {"centre": (0.0, float("nan"), 0.0)},
        {"centre": (0.0, 0.0)},
        {"size": (10.0, 0.0, 10.0)},
        {"size": (10.0, 0.9, 10.0)},
        {"size": (10.0, float("inf"), 10.0)},
        {"size": (10.0, 10.0, 101.0)},
    ],
)
def test_an_impossible_roi_is_refused(wrong):
    with pytest.raises(UsageError):
        Roi(**{"name": "L1", "organ": "liver", "centre": (0.0, 0.0, 0.0), "size": (10.0,) * 3, **wrong})
