"""Metrics of a predicted mask against a reference."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from LiverSegLib.errors import UsageError
from LiverSegLib.evaluation.lesions import lesion_detection, pooled_detection
from LiverSegLib.evaluation.overlap import Overlap, dice, volume_error
from LiverSegLib.evaluation.surface_distances import (
    SurfaceRule,
    assd_mm,
    hd95_mm,
    surface_dice,
    surface_distances,
)

MM = (1.0, 1.0, 1.0)


def block(start, stop, shape=(20, 20, 20)):
    mask = np.zeros(shape, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop))] = True
    return mask


EMPTY = np.zeros((20, 20, 20), dtype=bool)
CUBE = block((5, 5, 5), (15, 15, 15))


def test_dice_of_half_overlapping_cubes():
    assert dice(CUBE, block((10, 5, 5), (20, 15, 15))) == pytest.approx(0.5)
    assert dice(CUBE, CUBE) == 1.0
    assert dice(CUBE, block((0, 0, 0), (4, 4, 4))) == 0.0


def test_empty_masks_are_defined():
    assert dice(EMPTY, EMPTY) == 1.0 and dice(EMPTY, CUBE) == 0.0
    for distance in (assd_mm, hd95_mm):
        assert distance(EMPTY, EMPTY, MM) == 0.0
        assert distance(EMPTY, CUBE, MM) == math.inf and distance(CUBE, EMPTY, MM) == math.inf


def test_masks_of_numbers_count_as_masks():
    assert dice(CUBE.astype(np.uint8) * 3, CUBE) == 1.0


def test_surface_distances_of_parallel_plates_are_the_way_between_them():
    a, b = block((5, 0, 0), (6, 20, 20)), block((8, 0, 0), (9, 20, 20))
    spacing = (1.0, 1.0, 2.5)
    assert assd_mm(a, b, spacing) == pytest.approx(7.5)
    assert hd95_mm(a, b, spacing) == pytest.approx(7.5)
    assert assd_mm(CUBE, CUBE, spacing) == 0.0


def test_assd_pools_both_surfaces_and_hd95_takes_the_worse_side():
    a = block((5, 5, 0), (6, 6, 10))
    b = block((5, 5, 0), (6, 6, 20))
    beyond = np.arange(1, 11)
    assert assd_mm(a, b, MM) == pytest.approx(beyond.sum() / 30)
    assert hd95_mm(a, b, MM) == pytest.approx(np.percentile([0] * 10 + list(beyond), 95))


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_surface_distances_agree_with_distance_transforms(seed):
    rng = np.random.default_rng(seed)
    a, b = (ndimage.binary_dilation(rng.random((9, 10, 11)) < 0.01, iterations=2) for _ in range(2))
    a[4, 4, 4] = b[5, 5, 5] = True
    spacing = tuple(rng.uniform(0.5, 3.0, 3))
    surfaces = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    far = [ndimage.distance_transform_edt(~surface, sampling=spacing[::-1]) for surface in surfaces]
    ways = [far[1][surfaces[0]], far[0][surfaces[1]]]
    assert assd_mm(a, b, spacing) == pytest.approx(np.concatenate(ways).mean())
    assert hd95_mm(a, b, spacing) == pytest.approx(max(np.percentile(way, 95) for way in ways))
    assert assd_mm(a, b, spacing) == pytest.approx(assd_mm(b, a, spacing))


def test_volume_error_is_signed_and_relative_to_the_reference():
    error = volume_error(CUBE, block((5, 5, 5), (15, 15, 12)), (1.0, 1.0, 2.0))
    assert error.reference_ml == pytest.approx(2.0) and error.prediction_ml == pytest.approx(1.4)
    assert error.difference_ml == pytest.approx(-0.6) and error.difference_percent == pytest.approx(-30.0)
    assert volume_error(EMPTY, CUBE, MM).difference_percent is None


def lesion_masks():
    """Return a reference with lesions as large as balls of 12.4, 6.2 and 3.7 mm, and a prediction.

    The prediction hits the first two and invents one.
    """
    reference = block((2, 2, 2), (12, 12, 12), (30, 30, 60))
    reference |= block((2, 2, 20), (7, 7, 25), (30, 30, 60))
    reference |= block((2, 2, 30), (5, 5, 33), (30, 30, 60))
    prediction = block((2, 2, 2), (12, 12, 11), (30, 30, 60))
    prediction |= block((6, 6, 24), (9, 9, 27), (30, 30, 60))
    prediction |= block((20, 20, 40), (24, 24, 44), (30, 30, 60))
    return reference, prediction


def test_lesions_are_counted_by_size_with_any_overlap():
    found = lesion_detection(*lesion_masks(), MM, (0, 5, 10, 20))
    assert [item.references for item in found.by_size] == [1, 1, 1]
    assert [item.detected for item in found.by_size] == [0, 1, 1]
    assert [item.predictions for item in found.by_size] == [2, 0, 1]
    assert [item.correct for item in found.by_size] == [1, 0, 1]
    assert found.total.recall == pytest.approx(2 / 3) and found.total.precision == pytest.approx(2 / 3)
    assert found.by_size[1].precision is None and found.by_size[0].recall == 0.0


def test_overlap_can_be_asked_to_be_large():
    found = lesion_detection(*lesion_masks(), MM, minimum_iou=0.5)
    assert (found.total.detected, found.total.correct) == (1, 1)


def test_a_lesion_found_in_two_pieces_is_found():
    reference = block((2, 2, 2), (8, 8, 18))
    prediction = reference.copy()
    prediction[:, :, 9] = False
    found = lesion_detection(reference, prediction, MM, minimum_iou=0.5)
    assert found.total.detected == 1 and found.total.predictions == 2
    assert lesion_detection(prediction, reference, MM, minimum_iou=0.5).total.correct == 1


def test_sizes_are_physical():
    reference, prediction = lesion_masks()
    found = lesion_detection(reference, prediction, (2.0, 2.0, 2.0), (0, 10, 20, math.inf))
    assert [item.references for item in found.by_size] == [1, 1, 1]


def test_scans_without_lesions_have_neither_recall_nor_precision():
    found = lesion_detection(EMPTY, EMPTY, MM)
    assert found.total.recall is None and found.total.precision is None
    assert lesion_detection(EMPTY, CUBE, MM).total.precision == 0.0
    assert lesion_detection(CUBE, EMPTY, MM).total.recall == 0.0


def test_detection_is_ready_for_json():
    data = json.loads(json.dumps(lesion_detection(*lesion_masks(), MM).to_dict(), allow_nan=False))
    assert data["total"]["recall"] == pytest.approx(2 / 3) and data["by_size"][-1]["upper_mm"] is None


def test_wrong_arguments_are_refused():
    with pytest.raises(UsageError, match="same three axes"):
        dice(CUBE, CUBE[1:])
    with pytest.raises(UsageError, match="ascend"):
        lesion_detection(CUBE, CUBE, MM, (10, 5))
    with pytest.raises(UsageError, match="between 0 and 1"):
        lesion_detection(CUBE, CUBE, MM, minimum_iou=2.0)


# --- root mean square, maximum, other surface rules --------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_all_surface_distances_agree_with_every_pair_of_surface_voxels(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.random((5, 6, 7)) < 0.3 for _ in range(2))
    a[2, 2, 2] = b[3, 3, 3] = True
    spacing = tuple(rng.uniform(0.5, 4.0, 3))
    points = []
    for mask in (a, b):
        inner = ndimage.binary_erosion(mask)  # beyond the array is outside
        points.append(np.argwhere(mask & ~inner)[:, ::-1] * spacing)
    every = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
    ways = np.concatenate([every.min(axis=1), every.min(axis=0)])
    found = surface_distances(a, b, spacing)
    assert found.mean == pytest.approx(ways.mean())
    assert found.root_mean_square == pytest.approx(np.sqrt((ways**2).mean()))
    assert found.maximum == pytest.approx(ways.max())
    assert found.percentile95 == pytest.approx(
        max(np.percentile(every.min(axis=1), 95), np.percentile(every.min(axis=0), 95))
    )
    assert surface_dice(a, b, spacing, 1.0) == pytest.approx((ways <= 1.0).mean())


def test_distances_of_a_moved_cube_are_the_way_it_moved():
    moved = block((5, 5, 9), (15, 15, 19))
    found = surface_distances(CUBE, moved, (1.5, 1.0, 1.0))
    assert found.maximum == pytest.approx(6.0)  # four voxels of 1.5 mm along x
    assert surface_distances(CUBE, block((9, 5, 5), (19, 15, 15)), (1.5, 1.0, 1.0)).maximum == 4.0


def test_where_the_image_ends_a_surface_is_or_is_not():
    full = np.ones((4, 4, 4), dtype=bool)
    half = full.copy()
    half[2:] = False
    assert len(surface_distances(full, full, MM).from_first) == 56  # all but the inner eight
    rule = SurfaceRule(border_is_outside=False)
    assert surface_distances(full, half, MM, rule) is None  # the whole image has no surface in it
    assert len(surface_distances(half, half, MM, rule).from_first) == 16  # the layer at the cut


def test_edges_widen_the_surface_at_inner_corners():
    mask = np.ones((3, 6, 6), dtype=bool)
    mask[:, 3:, 3:] = False
    mask = np.pad(mask, 3)
    faces, edges = (surface_distances(mask, mask, MM, SurfaceRule(edges=edges)) for edges in (False, True))
    structure = ndimage.generate_binary_structure(3, 2)
    assert len(edges.from_first) == np.count_nonzero(mask & ~ndimage.binary_erosion(mask, structure))
    assert len(edges.from_first) > len(faces.from_first)


# --- pooled figures ----------------------------------------------------------------------------------------


def test_overlaps_of_cases_add_up():
    first, second = Overlap(10.0, 10.0, 10.0), Overlap(30.0, 10.0, 0.0)
    assert (first + second).dice == pytest.approx(20 / 60) and first.relative_difference == 0.0
    assert second.relative_difference == pytest.approx(-2 / 3) and second.jaccard == 0.0
    assert Overlap(0.0, 5.0, 0.0).relative_difference is None


def test_detections_of_cases_add_up():
    one, other = lesion_detection(*lesion_masks(), MM), lesion_detection(CUBE, EMPTY, MM)
    together = pooled_detection([one, other])
    assert together.total.references == 4 and together.total.detected == 2
    assert sum(item.references for item in together.by_size) == 4
    assert pooled_detection([]) is None


def test_f1_is_the_harmonic_mean():
    found = lesion_detection(*lesion_masks(), MM).total
    assert found.f1 == pytest.approx(2 / 3)
    assert lesion_detection(EMPTY, EMPTY, MM).total.f1 is None
    assert lesion_detection(CUBE, EMPTY, MM).total.f1 == 0.0
    assert lesion_detection(EMPTY, CUBE, MM).total.f1 == 0.0


def test_half_overlap_is_not_more_than_half():
    reference, prediction = block((0, 0, 0), (2, 2, 2)), block((0, 0, 0), (4, 2, 2))
    assert lesion_detection(reference, prediction, MM, minimum_iou=0.5).total.detected == 0
    assert lesion_detection(reference, prediction, MM, minimum_iou=0.49).total.detected == 1
