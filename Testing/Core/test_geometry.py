"""Patient order, upright copies and axis weights."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegLib.images.patient_order import axis_weights, grow_box, patient_order, upright


def signed_permutations():
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            for column, row in enumerate(order):
                matrix[row, column] = signs[column]
            yield matrix


def image_with(direction, size=(4, 5, 6), spacing=(1.0, 2.0, 3.0)):
    array = np.arange(np.prod(size), dtype=np.int16).reshape(size[::-1])
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((10.0, -20.0, 30.0))
    image.SetDirection(np.asarray(direction, float).ravel().tolist())
    return image


@pytest.mark.parametrize("direction", list(signed_permutations()))
def test_every_orientation_comes_out_in_patient_order_and_goes_back(direction):
    image = image_with(direction)
    volume = patient_order(image)
    assert np.all(np.diag(volume.to_lps) > 0)
    assert volume.tilt_degrees < 1e-6
    assert np.array_equal(volume.restore(volume.array), sitk.GetArrayFromImage(image))
    assert np.array_equal(volume.apply(sitk.GetArrayFromImage(image)), volume.array)


@pytest.mark.parametrize("direction", list(signed_permutations())[::7])
def test_a_voxel_keeps_its_place_in_the_patient(direction):
    image = image_with(direction)
    volume = patient_order(image)
    for index in [(0, 0, 0), (3, 2, 1), (1, 4, 5)]:
        value = image[index]
        z, y, x = np.argwhere(volume.array == value)[0]
        assert volume.to_lps @ [x, y, z, 1] == pytest.approx([*image.TransformIndexToPhysicalPoint(index), 1])


def test_spacing_follows_the_axes():
    volume = patient_order(image_with([[0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    assert volume.spacing == (2.0, 1.0, 3.0)  # z was y, y was x, x was z
    assert volume.array.shape == (5, 4, 6)


def test_no_voxel_is_copied():
    image = image_with(np.eye(3))
    assert np.shares_memory(patient_order(image).array, sitk.GetArrayViewFromImage(image))


def test_tilt_is_measured_and_an_upright_copy_has_none():
    angle = np.radians(25)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    image = image_with(turn, size=(20, 20, 20), spacing=(2.0, 2.0, 2.0))
    assert patient_order(image).tilt_degrees == pytest.approx(25, abs=1e-4)
    copy = upright(image, 2.0)
    assert patient_order(copy).tilt_degrees == pytest.approx(0, abs=1e-6)
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


def test_a_box_grows_to_what_is_wanted_but_not_beyond_the_array():
    box = (slice(5, 10), slice(0, 3), slice(8, 10))
    assert grow_box(box, (2, 2, 2), (20, 20, 10)) == (slice(3, 12), slice(0, 5), slice(6, 10))
    assert grow_box(box, (0, 0, 0), (20, 20, 10), (9, 9, 99)) == (slice(3, 12), slice(0, 9), slice(0, 10))
