"""Runs link into the components that labelling voxel by voxel finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from LiverSegLib.masks.runs import find_runs

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=7))


def numbered(mask, runs):
    numbers = np.zeros(mask.shape, int)
    numbers[mask] = np.repeat(runs.component + 1, runs.stop - runs.start)
    return numbers


@given(masks, st.booleans())
def test_components_are_those_of_labelling_voxels(mask, corners):
    expected, count = ndimage.label(mask, np.ones((3, 3, 3)) if corners else None)
    runs = find_runs(mask, corners=corners)
    assert runs.count == count
    assert len(set(zip(expected[mask], numbered(mask, runs)[mask]))) == count


@given(masks)
def test_sums_boxes_and_voxels_are_the_components_own(mask):
    runs = find_runs(mask)
    numbers = numbered(mask, runs)
    weights = (np.arange(mask.size) % 251).astype(np.uint8).reshape(mask.shape)
    for component in range(runs.count):
        own = numbers == component + 1
        assert runs.sums(mask)[component] == own.sum()
        assert runs.sums(mask, weights)[component] == weights[own].sum()
        assert np.array_equal(runs.voxels(mask, component), own)
        assert runs.box(component) == ndimage.find_objects(own.astype(int))[0]


@pytest.mark.parametrize("corners", [True, False])
def test_an_empty_mask_has_no_components(corners):
    runs = find_runs(np.zeros((3, 4, 5), bool), corners=corners)
    assert runs.count == 0
    assert runs.sums(np.zeros((3, 4, 5), bool)).size == 0


def test_runs_at_the_ends_of_neighbouring_rows_do_not_touch():
    mask = np.zeros((2, 2, 4), bool)
    mask[0, 0, 3] = mask[0, 1, 0] = mask[1, 0, 0] = True
    assert find_runs(mask).count == 2  # (0, 1, 0) and (1, 0, 0) share an edge; (0, 0, 3) is far away
