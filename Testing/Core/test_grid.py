"""Grids: the place of every voxel, crops, other spacings, patient order; voxel volume, thick slices."""

import itertools
import json
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import turned

from LiverSegLib.errors import ImageGeometryError
from LiverSegLib.images.checks import check_image
from LiverSegLib.images.grid import (
    NOT_SHEARED,
    THICK_SLICES_MM,
    Grid,
    are_thick_slices,
    grow_box,
)
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.cleanup import clean
from LiverSegLib.masks.lesion_limits import leave_out_small_tumours
from LiverSegLib.measure.warnings import thick_slices, too_small
from LiverSegLib.worker.protocol import Segment, decode, encode

TILT = np.radians(28.0)
TILTED = (1.0, 0.0, 0.0, 0.0, 1.0, float(np.sin(TILT)), 0.0, 0.0, float(np.cos(TILT)))
SPACING = (1.0, 1.0, 2.0)

law = settings(max_examples=50, deadline=None)


def signed_permutations():
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            for column, row in enumerate(order):
                matrix[row, column] = signs[column]
            yield matrix


@st.composite
def directions(draw):
    """Any 9 numbers, row by row: permuted, mirrored, turned, its last axis sheared as by a gantry."""
    matrix = draw(st.sampled_from(list(signed_permutations())))
    for axis in range(3):
        matrix = turned(draw(st.floats(-180, 180)), axis) @ matrix
    matrix[:, 2] += draw(st.floats(-0.5, 0.5)) * matrix[:, 1]
    matrix[:, 2] /= np.linalg.norm(matrix[:, 2])
    return tuple(matrix.ravel().tolist())


@st.composite
def grids(draw):
    """Any grid of few voxels."""
    size = tuple(draw(st.integers(1, 7)) for _ in range(3))
    spacing = tuple(draw(st.floats(0.2, 9.0)) for _ in range(3))
    origin = tuple(draw(st.floats(-400.0, 400.0)) for _ in range(3))
    return Grid(size, spacing, origin, draw(directions()))


@st.composite
def boxes(draw, size):
    """Any box (z, y, x) that holds a voxel at least."""
    parts = []
    for count in size[::-1]:
        start = draw(st.integers(0, count - 1))
        parts.append(slice(start, draw(st.integers(start + 1, count))))
    return tuple(parts)


def numbered(grid):
    """An image on a grid in which every voxel has its own value."""
    return grid.image(np.arange(np.prod(grid.size), dtype=np.int32).reshape(grid.shape))


def image_with(direction, size=(4, 5, 6), spacing=(1.0, 2.0, 3.0)):
    return numbered(Grid(size, spacing, (10.0, -20.0, 30.0), tuple(np.ravel(direction).tolist())))


# --- the place of a voxel --------------------------------------------------------------------------


@law
@given(grids())
def test_corners_lie_where_simpleitk_has_them(grid):
    image = numbered(grid)
    indices = list(itertools.product(*((0, count - 1) for count in grid.size)))
    expected = np.array([image.TransformIndexToPhysicalPoint(index) for index in indices])
    assert np.allclose(grid.corners(), expected, atol=1e-9)
    assert np.allclose(grid.points(indices), expected, atol=1e-9)
    assert np.allclose([grid.to_lps @ [*index, 1] for index in indices], np.c_[expected, np.ones(8)])
    faces = [(-0.5 if i == 0 else count - 0.5) for i, count in zip((0, 1, 1), grid.size)]
    assert np.allclose(grid.corners(faces=True)[3], image.TransformContinuousIndexToPhysicalPoint(faces))


@law
@given(grids(), st.tuples(*[st.floats(-9, 9)] * 3))
def test_points_and_indices_are_inverse(grid, index):
    point = grid.points(index)
    assert np.allclose(grid.indices(point), index, atol=1e-6)
    assert np.allclose(grid.indices(np.stack([point, point])), [index, index], atol=1e-6)


@law
@given(grids())
def test_an_image_has_its_grid_again(grid):
    assert Grid.of(numbered(grid)) == grid
    assert hash(Grid.of(numbered(grid))) == hash(grid)


@law
@given(grids())
def test_a_grid_survives_json_and_the_protocol(grid):
    assert Grid(**{key: tuple(value) for key, value in json.loads(json.dumps(asdict(grid))).items()}) == grid
    assert decode(encode(Segment("s", voxels="v", grid=grid))).grid == grid


@pytest.mark.parametrize("direction", [(0.0,) * 9, (float("nan"),) * 9, (1.0, 1.0, 0, 0, 0, 0, 0, 0, 1.0)])
def test_axes_that_do_not_span_space_are_refused(direction):
    with pytest.raises(ImageGeometryError, match="do not span space"):
        Grid((2, 2, 2), SPACING, (0.0, 0.0, 0.0), direction).checked()


def test_a_plane_is_no_volume():
    with pytest.raises(ImageGeometryError, match="2 dimensions"):
        Grid.of(sitk.Image([3, 3], sitk.sitkInt16))


def test_what_is_computed_of_a_grid_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Grid((2, 2, 2), SPACING, (0.0, 0.0, 0.0), NOT_SHEARED).steps[0, 0] = 3


def test_grids_coincide_within_a_twentieth_of_a_voxel():
    grid = Grid((9, 9, 9), (0.5, 1.0, 2.0), (0.0, 0.0, 0.0), NOT_SHEARED)
    near, far = (replace(grid, origin=(shift, 0.0, 0.0)) for shift in (0.024, 0.026))
    assert grid.coincides(near) and not grid.coincides(far)
    assert grid.corner_distance(far) == pytest.approx(0.026)
    assert not grid.coincides(replace(grid, size=(9, 9, 8)))


# --- crop and resample -----------------------------------------------------------------------------


@law
@given(st.data(), grids())
def test_paste_after_crop_is_the_identity(data, grid):
    image = numbered(grid)
    box = data.draw(boxes(grid.size))
    part = grid.crop(box)
    assert part.shape == sitk.GetArrayFromImage(image)[box].shape
    cropped = part.image(sitk.GetArrayFromImage(image)[box])
    index = np.rint(grid.indices(part.origin)).astype(int).tolist()
    assert index == [piece.start for piece in box[::-1]]
    assert np.allclose(cropped.GetOrigin(), image.TransformIndexToPhysicalPoint(index))
    emptied = sitk.Paste(image, cropped * 0 - 1, cropped.GetSize(), [0, 0, 0], index)
    pasted = sitk.Paste(emptied, cropped, cropped.GetSize(), [0, 0, 0], index)
    assert np.array_equal(sitk.GetArrayFromImage(pasted), sitk.GetArrayFromImage(image))


@law
@given(grids())
def test_the_box_of_all_voxels_crops_nothing(grid):
    assert grid.crop(grid.box) == grid


@law
@given(st.data(), grids())
def test_a_crop_of_a_crop_is_a_crop(data, grid):
    outer = data.draw(boxes(grid.size))
    inner = data.draw(boxes(grid.crop(outer).size))
    both = tuple(slice(o.start + i.start, o.start + i.stop) for o, i in zip(outer, inner))
    twice, once = grid.crop(outer).crop(inner), grid.crop(both)
    assert twice.size == once.size and np.allclose(twice.origin, once.origin, atol=1e-9)


@law
@given(grids(), st.tuples(*[st.floats(0.3, 12.0)] * 3))
def test_another_spacing_begins_at_the_same_corner_and_covers_all(grid, spacing):
    other = grid.resampled(spacing)
    assert other.spacing == spacing and other.direction == grid.direction
    assert np.allclose(other.corners(faces=True)[0], grid.corners(faces=True)[0], atol=1e-9)
    for mine, its, old, new in zip(other.size, grid.size, grid.spacing, spacing):
        assert (mine - 1) * new < its * old or mine == 1
        assert mine * new >= its * old - 1e-5 * new


@law
@given(grids())
def test_the_same_spacing_changes_nothing(grid):
    same = grid.resampled(grid.spacing)
    assert (same.size, same.spacing) == (grid.size, grid.spacing)
    assert np.allclose(same.origin, grid.origin)


@law
@given(grids(), st.floats(0.5, 5.0))
def test_an_axis_aligned_grid_holds_all_of_an_oblique_one(grid, spacing):
    aligned = grid.axis_aligned(spacing, most=20)
    assert aligned.direction == NOT_SHEARED and max(aligned.size) <= 20
    low, high = aligned.corners(faces=True).min(0), aligned.corners(faces=True).max(0)
    assert (grid.corners(faces=True) >= low - 1e-6).all() and (grid.corners(faces=True) <= high + 1e-6).all()


def test_a_box_grows_to_what_is_wanted_but_not_beyond_the_array():
    box = (slice(5, 10), slice(0, 3), slice(8, 10))
    assert grow_box(box, (2, 2, 2), (20, 20, 10)) == (slice(3, 12), slice(0, 5), slice(6, 10))
    assert grow_box(box, (0, 0, 0), (20, 20, 10), (9, 9, 99)) == (slice(3, 12), slice(0, 9), slice(0, 10))


# --- patient order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", list(signed_permutations()))
def test_every_orientation_comes_out_in_patient_order_and_goes_back(direction):
    image = image_with(direction)
    scan = patient_order(image)
    assert np.all(np.diag(scan.grid.to_lps) > 0)
    assert scan.grid.tilt_degrees < 1e-6
    assert np.array_equal(scan.order.restore(scan.array), sitk.GetArrayFromImage(image))
    assert np.array_equal(scan.order.apply(sitk.GetArrayFromImage(image)), scan.array)


@pytest.mark.parametrize("direction", list(signed_permutations())[::7])
def test_a_voxel_keeps_its_place_in_the_patient(direction):
    image = image_with(direction)
    scan = patient_order(image)
    for index in [(0, 0, 0), (3, 2, 1), (1, 4, 5)]:
        value = image[index]
        z, y, x = np.argwhere(scan.array == value)[0]
        assert scan.grid.to_lps @ [x, y, z, 1] == pytest.approx(
            [*image.TransformIndexToPhysicalPoint(index), 1]
        )


@law
@given(grids())
def test_patient_order_and_back_is_the_identity_on_any_grid(grid):
    order, array = grid.patient_order, sitk.GetArrayFromImage(numbered(grid))
    there = order.apply(array)
    assert there.shape == order.grid.shape and np.shares_memory(there, array)
    back = order.restore(there)
    assert np.array_equal(back, array) and back.flags.c_contiguous
    assert order.grid.voxel_ml == pytest.approx(grid.voxel_ml)
    assert order.grid.tilt_degrees == pytest.approx(grid.tilt_degrees, abs=1e-4)


@law
@given(grids())
def test_patient_order_moves_no_voxel_of_any_grid(grid):
    order = grid.patient_order
    z, y, x = np.unravel_index(order.apply(sitk.GetArrayFromImage(numbered(grid))).ravel(), grid.shape)
    ordered_z, ordered_y, ordered_x = np.indices(order.grid.shape).reshape(3, -1)
    mine = order.grid.points(np.stack([ordered_x, ordered_y, ordered_z], axis=1))
    assert np.allclose(mine, grid.points(np.stack([x, y, z], axis=1)), atol=1e-6)


@law
@given(grids())
def test_patient_order_is_done_once(grid):
    again = grid.patient_order.grid.patient_order
    assert again.flips == (False, False, False) and again.axes == (0, 1, 2)
    assert again.grid == grid.patient_order.grid


def test_spacing_follows_the_axes():
    scan = patient_order(image_with([[0, 0, 1], [1, 0, 0], [0, 1, 0]]))
    assert scan.grid.spacing == (3.0, 1.0, 2.0)  # x was z, y was x, z was y
    assert scan.array.shape == (5, 4, 6) == scan.grid.shape


def test_no_voxel_is_copied():
    image = image_with(np.eye(3))
    assert np.shares_memory(patient_order(image).array, sitk.GetArrayViewFromImage(image))


# --- the volume of a voxel, thick slices -----------------------------------------------------------


def test_a_voxel_of_a_tilted_gantry_is_smaller_by_the_cosine_and_the_same_everywhere():
    image = image_with(TILTED, (8, 7, 6), SPACING)
    expected = 0.002 * np.cos(TILT)
    assert Grid.of(image).voxel_ml == pytest.approx(expected)
    assert patient_order(image).grid.voxel_ml == pytest.approx(expected)


def test_cleaning_measures_lesions_with_the_volume_of_a_tilted_voxel():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[5:25, 5:25, 5:25] = LIVER
    labels[12:14, 12:17, 12:17] = TUMOUR  # 50 voxels: 0.100 ml straight, 0.088 ml tilted
    grid = Grid((30, 30, 30), SPACING, (0.0, 0.0, 0.0), NOT_SHEARED)
    straight_ml, tilted_ml = grid.voxel_ml, replace(grid, direction=TILTED).voxel_ml
    straight, report = clean(labels, straight_ml, minimum_lesion_ml=0.095)
    tilted, _ = clean(labels, tilted_ml, minimum_lesion_ml=0.095)
    assert (straight == TUMOUR).sum() == 50
    assert (tilted == TUMOUR).sum() == 0
    _, _, kept = leave_out_small_tumours(straight, straight_ml, 0.095, report)
    _, _, left_out = leave_out_small_tumours(straight, tilted_ml, 0.095, report)
    assert kept == () and left_out == pytest.approx((0.1 * np.cos(TILT),))


@pytest.mark.parametrize("spacing, thick", [(5.0, False), (5.0004, False), (5.5, True)])
def test_reading_measuring_and_recist_agree_on_what_a_thick_slice_is(spacing, thick):
    image, _ = phantom.patient((80, 58, 36), (4.0, 4.0, spacing))
    assert THICK_SLICES_MM == 5.0
    assert are_thick_slices(spacing) == thick
    assert any("mm apart" in text for text in check_image(image)) == thick
    assert bool(thick_slices(spacing)) == thick
    assert bool(too_small(10.5, spacing)) == thick  # twice the thickness is asked of thick slices only


# --- what it needs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["LiverSegLib.images.grid", "LiverSegLib.worker.protocol"])
def test_a_grid_loads_neither_simpleitk_nor_scipy(module):
    """3D Slicer's window waits for what the module imports when it starts."""
    code = f"import sys, {module}; print(sorted({{'SimpleITK', 'scipy'}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.stdout.strip(), run.stderr) == ("[]", "")


def test_a_box_grows_the_same_where_a_quotient_of_lengths_is_rounded():
    box = (slice(8.0, 20.0),) * 3
    exact = grow_box(box, (4.0,) * 3, (64,) * 3, (30.0,) * 3)
    assert exact == (slice(0, 30),) * 3
    for shift in (-1e-9, 1e-9):
        near = (slice(8.0 + shift, 20.0 + shift),) * 3
        assert grow_box(near, (4.0,) * 3, (64,) * 3, (30.0 + shift,) * 3) == exact
        assert grow_box(near, (4.0 + shift,) * 3, (64,) * 3) == (slice(4, 24),) * 3
