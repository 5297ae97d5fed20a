"""Boxes, components, enclosed holes and boundary voxels of masks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from LiverSegLib.images.grid import bounding_box, grow_box
from LiverSegLib.masks.components import (
    boundary_voxels,
    component_sums,
    connected_components,
    enclosed_holes,
    largest_component,
)


def random_mask(seed, density=None, shape=(7, 9, 11)):
    rng = np.random.default_rng(seed)
    return rng.random(shape) < (rng.uniform(0.01, 0.6) if density is None else density)


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_the_box_is_tight(seed):
    mask = random_mask(seed)
    box = bounding_box(mask)
    if box is None:
        assert not mask.any()
        return
    assert mask[box].sum() == mask.sum()
    for axis in range(3):
        for side in (0, -1):
            assert np.take(mask[box], side, axis=axis).any()


def test_boxes_of_nothing_and_of_labels():
    assert bounding_box(np.zeros((3, 4, 5), dtype=bool)) is None
    assert bounding_box(np.zeros((0, 4, 5), dtype=bool)) is None
    labels = np.zeros((3, 4, 5), dtype=np.uint8)
    labels[1, 2, 3] = 200
    assert bounding_box(labels) == (slice(1, 2), slice(2, 3), slice(3, 4))


def test_a_grown_box_stays_in_the_array():
    box = (slice(0, 2), slice(3, 4), slice(4, 6))
    assert grow_box(box, (2, 2, 2), (5, 8, 6)) == (slice(0, 4), slice(1, 6), slice(2, 6))


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_the_largest_component_is_that_of_an_exhaustive_search(seed):
    mask = random_mask(seed, shape=(13, 17, 19))
    components, count = ndimage.label(mask, np.ones((3, 3, 3)))
    found = largest_component(mask)
    if count == 0:
        assert found is None
        return
    box, component = found
    assert component.sum() == np.bincount(components.ravel())[1:].max()
    assert len(np.unique(components[box][component])) == 1
    assert bounding_box(component) == tuple(slice(0, length) for length in component.shape)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_weights_and_needed_voxels_decide_which_component_is_largest(seed):
    mask = random_mask(seed, 0.08, (13, 17, 19))
    rng = np.random.default_rng(seed + 1)
    weights = rng.integers(0, 256, mask.shape).astype(np.uint8)
    needed = rng.random(mask.shape) < 0.05
    components, count = ndimage.label(mask, np.ones((3, 3, 3)))
    sums = np.bincount(components.ravel(), weights.ravel(), count + 1)
    allowed = np.unique(components[needed & mask])
    found = largest_component(mask, weights=weights, must_hold=needed)
    if not len(allowed):
        assert found is None
    else:
        box, component = found
        assert weights[box][component].sum() == max(sums[allowed])


@pytest.mark.parametrize("weighted", [False, True])
def test_sums_per_component_are_those_of_bincount(weighted):
    components, count = connected_components(random_mask(3, 0.05, (20, 9, 9)))
    weights = np.random.default_rng(0).random(components.shape) if weighted else None
    expected = np.bincount(components.ravel(), None if weights is None else weights.ravel())
    assert component_sums(components, count, weights) == pytest.approx(expected)


@given(st.integers(0, 10**6))
@settings(max_examples=50, deadline=None)
def test_cavities_are_what_filling_holes_fills(seed):
    mask = random_mask(seed, 0.75)
    holes, count = enclosed_holes(mask)
    expected, expected_count = ndimage.label(ndimage.binary_fill_holes(mask) & ~mask)
    assert count == expected_count and np.array_equal(holes > 0, expected > 0)
    pairs = np.unique(np.stack([holes.ravel(), expected.ravel()]), axis=1)  # the same up to their order
    assert pairs.shape[1] == count + 1


@pytest.mark.parametrize("border_is_outside", [True, False])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_shell_is_the_mask_without_its_erosion(border_is_outside, seed):
    mask = random_mask(seed, 0.85)
    eroded = ndimage.binary_erosion(mask, border_value=not border_is_outside)
    assert np.array_equal(boundary_voxels(mask, border_is_outside=border_is_outside), mask & ~eroded)
