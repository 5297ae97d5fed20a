"""Axis-aligned copies of oblique scans, and the weights that resample along an axis."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import turned

from LiverSegLib.images.grid import Grid
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.images.resample import axis_aligned, axis_weights


def test_tilt_is_measured_and_an_axis_aligned_copy_has_none():
    oblique = Grid((20, 20, 20), (2.0, 2.0, 2.0), (10.0, -20.0, 30.0), tuple(turned(25, 0).ravel().tolist()))
    image = oblique.image(np.arange(8000, dtype=np.int16).reshape(oblique.shape))
    assert patient_order(image).grid.tilt_degrees == pytest.approx(25, abs=1e-4)
    copy = axis_aligned(image, 2.0)
    assert Grid.of(copy).tilt_degrees == pytest.approx(0, abs=1e-6)
    middle = image.TransformContinuousIndexToPhysicalPoint([9.5, 9.5, 9.5])
    inside = copy.TransformPhysicalPointToIndex(middle)
    assert all(0 <= i < n for i, n in zip(inside, copy.GetSize()))


@given(st.integers(1, 40), st.floats(0.2, 8), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_axis_weights_keep_constants(count, step, out_count):
    weights = axis_weights(count, step, out_count)
    assert weights.shape == (out_count, count)
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    assert weights.min() >= 0


def test_axis_weights_interpolate_a_ramp():
    weights = axis_weights(20, 0.5, 40)
    centres = (np.arange(40) + 0.5) * 0.5 - 0.5
    assert np.allclose((weights @ np.arange(20))[2:-2], centres[2:-2], atol=1e-5)
