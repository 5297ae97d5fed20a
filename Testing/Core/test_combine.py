"""Organs of one model and tumours of another in one mask: the rules, on shapes whose answer is known."""

import numpy as np
import pytest

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.masks.combine import combine

MM = (2.0, 2.0, 2.0)


def organs():
    """A liver of 20 x 20 x 20 voxels and a spleen beside it, with a gap of 6 voxels."""
    labels = np.zeros((40, 40, 60), np.uint8)
    labels[10:30, 10:30, 10:30] = LIVER
    labels[10:30, 10:30, 36:46] = SPLEEN
    return labels


def drawn_at(*boxes):
    labels = np.zeros((40, 40, 60), np.uint8)
    for z, y, x in boxes:
        labels[slice(*z), slice(*y), slice(*x)] = TUMOUR
    return labels


def put_together(first, second, spacing=MM, **more):
    certain = np.full(first.shape, 200, np.uint8)
    return combine(first, second, spacing, (certain, np.full_like(certain, 90)), **more)


def test_tumours_within_the_liver_become_tumour_and_the_first_models_own_become_liver():
    first = organs()
    first[12:16, 12:16, 12:16] = TUMOUR
    both = put_together(first, drawn_at(((20, 25), (20, 25), (20, 25))))
    assert np.all(both.labels[12:16, 12:16, 12:16] == LIVER)
    assert np.count_nonzero(both.labels == TUMOUR) == 125
    assert np.count_nonzero(np.isin(both.labels, (LIVER, TUMOUR))) == 20**3
    assert both.outside_voxels == both.cut_voxels == 0


def test_a_tumour_voxel_has_the_second_models_probability_and_the_others_the_firsts():
    both = put_together(organs(), drawn_at(((20, 25), (20, 25), (20, 25))))
    assert set(both.probability[both.labels == TUMOUR]) == {90}
    assert set(both.probability[both.labels != TUMOUR]) == {200}


def test_a_lesion_that_bulges_from_the_liver_counts_up_to_5_mm_outside_it():
    both = put_together(organs(), drawn_at(((18, 22), (18, 22), (5, 15))))
    tumour = np.argwhere(both.labels == TUMOUR)
    assert tumour[:, 2].min() == 8  # 2 voxels of 2 mm; the third is 6 mm away
    assert both.outside_voxels == both.cut_voxels == 3 * 16


def test_the_reach_is_in_mm_along_every_axis():
    both = put_together(organs(), drawn_at(((5, 15), (18, 22), (18, 22))), spacing=(5.0, 1.0, 1.0))
    assert np.argwhere(both.labels == TUMOUR)[:, 0].min() == 9


def test_a_lesion_on_the_surface_that_the_liver_leaves_out_counts():
    both = put_together(organs(), drawn_at(((18, 22), (18, 22), (8, 10))))
    assert np.count_nonzero(both.labels == TUMOUR) == 2 * 16


def test_a_tumour_that_does_not_touch_the_liver_does_not_count():
    both = put_together(organs(), drawn_at(((18, 22), (18, 22), (7, 9)), ((0, 4), (0, 4), (50, 55))))
    assert not np.any(both.labels == TUMOUR)
    assert both.outside_voxels == 2 * 16 + 80
    assert both.cut_voxels == 0


def test_the_inside_of_a_large_lesion_that_the_liver_leaves_out_counts_however_deep():
    first = organs()
    first[13:27, 13:27, 13:27] = 0  # 14 voxels of 2 mm across: its middle is 14 mm from the liver
    both = put_together(first, drawn_at(((14, 26), (14, 26), (14, 26))))
    assert np.count_nonzero(both.labels == TUMOUR) == 12**3
    assert both.outside_voxels == 0


def test_spleen_and_other_structures_stay_what_they_are():
    first = organs()
    first[10:30, 10:30, 30:36] = LIVER  # the liver reaches the spleen
    others = np.zeros(first.shape, bool)
    others[18:22, 18:22, 8:10] = True
    second = drawn_at(((18, 22), (18, 22), (34, 40)), ((18, 22), (18, 22), (8, 12)))
    both = put_together(first, second, others=others)
    assert np.all(both.labels[first == SPLEEN] == SPLEEN)
    assert not np.any(both.labels[others])
    assert both.outside_voxels == 4 * 16 + 2 * 16


def test_only_the_second_models_tumours_count():
    second = organs()
    second[second == LIVER] = SPLEEN
    assert np.array_equal(put_together(organs(), second).labels, organs())


@pytest.mark.parametrize("first", [np.zeros((40, 40, 60), np.uint8), organs() * (organs() == SPLEEN)])
def test_without_a_liver_there_is_no_tumour(first):
    both = put_together(first, drawn_at(((20, 25), (20, 25), (20, 25))))
    assert not np.any(both.labels == TUMOUR)
    assert both.outside_voxels == 125


def test_nothing_that_is_handed_over_is_changed():
    first, second = organs(), drawn_at(((18, 22), (18, 22), (5, 15)))
    before = first.copy(), second.copy()
    put_together(first, second)
    assert np.array_equal(first, before[0]) and np.array_equal(second, before[1])
