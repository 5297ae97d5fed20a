"""Cleaning a predicted mask."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.masks.cleanup import clean
from LiverSegLib.masks.lesion_limits import leave_out_small_tumours

CUBIC_MM = 0.001
"""Volume of a voxel of 1 mm, in ml."""


def abdomen():
    """Return a mask (z, y, x) at 1 mm with a liver of 64 ml and a spleen of 8 ml, away from all borders."""
    labels = np.zeros((50, 60, 90), dtype=np.uint8)
    labels[5:45, 10:50, 5:45] = LIVER
    labels[15:35, 20:40, 60:80] = SPLEEN
    return labels


def rules(report):
    return [step.rule for step in report.steps]


def test_a_clean_mask_stays_as_it_is():
    labels = abdomen()
    labels[20:25, 20:25, 20:25] = TUMOUR
    result, report = clean(labels, CUBIC_MM)
    assert np.array_equal(result, labels) and report.steps == ()


def test_the_given_mask_is_not_changed():
    labels = abdomen()
    labels[2, 2, 2] = LIVER
    before = labels.copy()
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(labels, before) and result[2, 2, 2] == 0


def test_an_empty_mask_stays_empty():
    result, report = clean(np.zeros((4, 5, 6), dtype=np.uint8), CUBIC_MM)
    assert not result.any() and report.steps == ()


def test_liver_and_spleen_keep_their_largest_pieces_only():
    labels = abdomen()
    labels[5:15, 10:20, 50:56] = LIVER
    labels[40:48, 50:58, 70:80] = SPLEEN
    result, report = clean(labels, CUBIC_MM)
    assert np.array_equal(result, abdomen())
    assert report.step("liver-pieces").voxels == 600
    assert report.step("liver-pieces").volume_ml == pytest.approx(0.6)
    assert report.step("spleen-pieces").voxels == 640


def test_pieces_that_touch_by_a_corner_are_one_liver():
    labels = abdomen()
    labels[45:48, 50:53, 45:48] = LIVER
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(result, labels)


def test_a_tumour_counts_when_the_largest_liver_piece_is_chosen():
    labels = np.zeros((20, 20, 60), dtype=np.uint8)
    labels[5:15, 5:15, 2:14] = LIVER
    labels[5:15, 5:15, 14:30] = TUMOUR
    labels[5:15, 5:15, 35:50] = LIVER
    result, _ = clean(labels, CUBIC_MM)
    assert np.count_nonzero(result == TUMOUR) == 1600 and not result[:, :, 35:].any()


def test_certainty_counts_more_than_size_where_it_is_known():
    labels = np.zeros((30, 30, 80), dtype=np.uint8)
    labels[5:25, 5:25, 5:30] = SPLEEN
    labels[5:25, 5:25, 50:70] = SPLEEN
    probability = np.full(labels.shape, 130, dtype=np.uint8)
    probability[:, :, 50:70] = 250
    assert clean(labels, CUBIC_MM)[0][15, 15, 10] == SPLEEN
    sure, _ = clean(labels, CUBIC_MM, probability=probability)
    assert sure[15, 15, 60] == SPLEEN and sure[15, 15, 10] == 0


def test_tumour_outside_the_liver_is_removed():
    labels = abdomen()
    labels[20:26, 52:58, 20:26] = TUMOUR
    labels[20:26, 25:31, 50:56] = TUMOUR
    result, report = clean(labels, CUBIC_MM)
    assert np.array_equal(result, abdomen())
    assert report.step("tumour-outside").voxels == 2 * 216


def test_tumour_that_the_liver_encloses_without_touching_it_is_kept():
    labels = abdomen()
    labels[10:40, 15:45, 10:40] = 0
    labels[20:26, 20:26, 20:26] = TUMOUR
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(result, labels)


def test_tumour_in_a_pocket_that_opens_on_two_sides_is_outside():
    labels = abdomen()
    labels[20:45, 10:30, 15:35] = 0
    labels[30:36, 15:21, 20:26] = TUMOUR
    result, _ = clean(labels, CUBIC_MM)
    assert not (result == TUMOUR).any()


def test_without_a_liver_there_is_no_liver_tumour():
    labels = abdomen()
    labels[labels == LIVER] = 0
    labels[20:30, 20:30, 20:30] = TUMOUR
    result, report = clean(labels, CUBIC_MM)
    assert set(np.unique(result)) == {0, SPLEEN} and rules(report) == ["tumour-outside"]


def test_small_holes_in_organs_are_filled_and_reported():
    labels = abdomen()
    labels[20:24, 20:24, 20:24] = 0
    labels[25:28, 30:33, 70:73] = 0
    result, report = clean(labels, CUBIC_MM)
    assert np.array_equal(result, abdomen())
    assert report.step("liver-holes").voxels == 64 and report.step("spleen-holes").voxels == 27


def test_holes_above_the_limit_stay():
    labels = abdomen()
    labels[20:30, 20:30, 20:30] = 0
    assert np.array_equal(clean(labels, CUBIC_MM, maximum_hole_ml=0.999)[0], labels)
    assert np.array_equal(clean(labels, CUBIC_MM, maximum_hole_ml=1.0)[0], abdomen())


def test_slits_that_open_to_the_outside_stay():
    labels = abdomen()
    labels[5:45, 20:23, 20:23] = 0
    labels[20:23, 30, 20:45] = 0
    result, report = clean(labels, CUBIC_MM)
    assert np.array_equal(result, labels) and report.steps == ()


def test_a_hole_at_the_border_of_the_scan_is_open():
    labels = abdomen()[5:45]
    labels[0:3, 20:23, 20:23] = 0
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(result, labels)


def test_a_hole_in_a_tumour_is_tumour_and_one_in_parenchyma_liver():
    labels = abdomen()
    labels[15:30, 15:30, 15:30] = TUMOUR
    whole = labels.copy()
    labels[20:24, 20:24, 20:24] = 0
    labels[35:38, 35:38, 35:38] = 0
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(result, whole)


def test_a_spleen_within_a_hole_of_the_liver_is_not_overwritten():
    labels = np.zeros((30, 30, 30), dtype=np.uint8)
    labels[2:28, 2:28, 2:28] = LIVER
    labels[5:25, 5:25, 5:25] = 0
    labels[6:24, 6:24, 6:24] = SPLEEN
    result, _ = clean(labels, CUBIC_MM, maximum_hole_ml=10.0)
    assert np.array_equal(result == SPLEEN, labels == SPLEEN)
    assert (result[5:25, 5:25, 5:25] != 0).all()


def test_stray_spleen_within_the_liver_becomes_liver():
    labels = abdomen()
    labels[20:23, 20:23, 20:23] = SPLEEN
    result, _ = clean(labels, CUBIC_MM)
    assert np.array_equal(result, abdomen())


@pytest.mark.parametrize(("minimum", "kept"), [(0.0, True), (0.05, False), (0.027, True), (0.028, False)])
def test_tumours_below_the_minimum_size_become_liver(minimum, kept):
    labels = abdomen()
    labels[20:23, 20:23, 20:23] = TUMOUR
    result, report = clean(labels, CUBIC_MM, minimum_lesion_ml=minimum)
    assert np.array_equal(result, labels if kept else abdomen())
    assert (report.step("small-tumours") is None) == kept
    assert report.minimum_lesion_ml == minimum


def test_a_stricter_look_turns_small_tumours_of_a_clean_mask_into_liver():
    labels = abdomen()
    labels[20:23, 20:23, 20:23] = TUMOUR
    labels[30:34, 30:34, 30:34] = TUMOUR
    before = labels.copy()
    _, report = clean(labels, 0.002, minimum_lesion_ml=0.0)
    result, report, sizes = leave_out_small_tumours(labels, 0.002, 0.128, report)
    assert sizes == (pytest.approx(0.054),)
    assert np.array_equal(labels, before)
    before[20:23, 20:23, 20:23] = LIVER
    assert np.array_equal(result, before)
    step = report.step("doubtful-tumours")
    assert (step.voxels, step.volume_ml, report.minimum_lesion_ml) == (27, pytest.approx(0.054), 0.128)


def test_a_stricter_look_at_nothing_small_gives_the_mask_back():
    labels = abdomen()
    _, report = clean(labels, CUBIC_MM)
    for side in (0, 3):
        labels[20 : 20 + side, 20:23, 20:23] = TUMOUR
        result, after, sizes = leave_out_small_tumours(labels, CUBIC_MM, 0.027, report)
        assert result is labels and sizes == () and after.steps == report.steps == ()
    with pytest.raises(UsageError, match="minimum lesion size"):
        leave_out_small_tumours(labels, CUBIC_MM, -1.0, report)


def test_sizes_are_volumes_and_not_voxels():
    labels = abdomen()
    labels[20:23, 20:23, 20:23] = TUMOUR
    assert (clean(labels, 0.125 * CUBIC_MM)[0] == TUMOUR).sum() == 0
    assert (clean(labels, 5 * CUBIC_MM)[0] == TUMOUR).sum() == 27


def test_a_spleen_too_small_to_be_one_is_removed_unless_the_scan_cuts_it():
    labels = abdomen()
    labels[labels == SPLEEN] = 0
    labels[20:26, 20:26, 60:66] = SPLEEN
    result, report = clean(labels, CUBIC_MM)
    assert not (result == SPLEEN).any() and "spleen-implausible" in rules(report)
    cut, _ = clean(labels[20:], CUBIC_MM)
    assert (cut == SPLEEN).sum() == 216


def test_the_report_is_ready_for_json():
    labels = abdomen()
    labels[2, 2, 2] = LIVER
    data = json.loads(json.dumps(clean(labels, CUBIC_MM)[1].to_dict()))
    assert data["minimum_lesion_ml"] == 0.065 and data["maximum_hole_ml"] == 5.0
    (step,) = data["steps"]
    assert step["rule"] == "liver-pieces" and step["voxels"] == 1
    assert step["volume_ml"] == pytest.approx(0.001) and step["text"].endswith(".")


def blotches(seed):
    """Return a small random mask of overlapping blocks with holes and specks, and a random voxel's ml."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((12, 13, 14), dtype=np.uint8)
    for _ in range(rng.integers(1, 14)):
        start = rng.integers(0, 11, 3)
        stop = start + rng.integers(1, 9, 3)
        labels[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]] = rng.integers(0, 4)
    noise = rng.random(labels.shape)
    labels[noise < 0.03] = rng.integers(0, 4, (noise < 0.03).sum())
    return labels, float(np.prod(rng.uniform(0.6, 8.0, 3))) / 1000, rng


@given(
    st.integers(0, 10**9), st.booleans(), st.sampled_from([0.0, 0.05, 1.0]), st.sampled_from([0.0, 0.5, 5.0])
)
@settings(max_examples=80, deadline=None)
def test_cleaning_twice_is_cleaning_once(seed, with_probability, minimum_lesion_ml, maximum_hole_ml):
    labels, voxel_ml, rng = blotches(seed)
    options = {"minimum_lesion_ml": minimum_lesion_ml, "maximum_hole_ml": maximum_hole_ml}
    if with_probability:
        options["probability"] = rng.integers(0, 256, labels.shape).astype(np.uint8)
    once, _ = clean(labels, voxel_ml, **options)
    twice, report = clean(once, voxel_ml, **options)
    assert np.array_equal(once, twice) and report.steps == ()


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_the_result_does_not_depend_on_how_the_axes_run(seed):
    labels, voxel_ml, rng = blotches(seed)
    probability = rng.integers(0, 256, labels.shape).astype(np.uint8)
    here, _ = clean(labels, voxel_ml, probability=probability)
    turned = (np.ascontiguousarray(array.T[::-1]) for array in (labels, probability))
    there, _ = clean(next(turned), voxel_ml, probability=next(turned))
    assert np.array_equal(here.T[::-1], there)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"labels": np.zeros((3, 3), np.uint8)}, "three axes"),
        ({"labels": np.zeros((3, 3, 3), np.int16)}, "uint8"),
        ({"voxel_ml": 0.0}, "volume of a voxel"),
        ({"voxel_ml": float("nan")}, "volume of a voxel"),
        ({"minimum_lesion_ml": -1.0}, "minimum lesion size"),
        ({"minimum_lesion_ml": float("nan")}, "minimum lesion size"),
        ({"maximum_hole_ml": float("inf")}, "maximum hole size"),
        ({"probability": np.zeros((2, 3, 3), np.uint8)}, "probability"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    given_arguments = {"labels": np.zeros((3, 3, 3), np.uint8), "voxel_ml": CUBIC_MM, **arguments}
    with pytest.raises(UsageError, match=words):
        clean(given_arguments.pop("labels"), given_arguments.pop("voxel_ml"), **given_arguments)


def test_values_that_are_no_labels_are_refused():
    with pytest.raises(InputError, match="value 4"):
        clean(np.full((3, 3, 3), 4, np.uint8), CUBIC_MM)
