"""Corrections of a mask: clicks and strokes change what is wrong near them, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import turned
from scipy.spatial import cKDTree

from LiverSegLib.correct import Session, Stroke
from LiverSegLib.correct.crop import crop_around
from LiverSegLib.correct.history import Packed
from LiverSegLib.errors import ImageGeometryError, UsageError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR

STRAIGHT = np.eye(3)
HU = np.array([-80.0, 110.0, 130.0, 60.0])
"""Attenuation of fat, liver, spleen and tumor."""
LESION, LESION_MM = (-12.0, 4.0, 2.0), 9.0
CLICK = (-12.6, 4.5, 2.4)
"""In the lesion, and not on the border between two voxels."""


def grid_of(spacing=(2.0, 2.0, 2.0), direction=STRAIGHT, extent=(120.0, 80.0, 64.0)):
    size = tuple(int(round(length / step)) for length, step in zip(extent, spacing))
    centre = (np.array(size) - 1) / 2 * spacing
    origin = tuple((-(np.asarray(direction) @ centre)).tolist())
    return Grid(size, tuple(spacing), origin, tuple(np.ravel(direction).tolist()))


def places(grid, back=STRAIGHT):
    """The points (z, y, x, 3) of the voxels, turned back to where the patient's axes are."""
    z, y, x = np.indices(grid.shape)
    return (grid.points(np.stack([x, y, z], -1).reshape(-1, 3)) @ back).reshape(*grid.shape, 3)


def patient(grid, back=STRAIGHT):
    """The true labels: an ellipsoid of liver with two lesions, and a spleen that touches it."""
    p = places(grid, back)
    labels = np.zeros(grid.shape, np.uint8)
    labels[((p - [-5, 0, 0]) ** 2 / np.square([46.0, 34, 26])).sum(-1) < 1] = LIVER
    labels[(((p - [52, 0, 0]) / [14.0, 24, 20]) ** 2).sum(-1) < 1] = SPLEEN
    labels[((p - LESION) ** 2).sum(-1) < LESION_MM**2] = TUMOUR
    return labels


def scan_of(grid, labels, seed=0):
    noise = np.random.default_rng(seed).normal(0, 8, labels.shape)
    return grid.image((HU[labels] + noise).astype(np.int16))


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def array(session):
    return sitk.GetArrayFromImage(session.labels)


GRID = grid_of()
TRUE = patient(GRID)
SCAN = scan_of(GRID, TRUE)
LACKING = np.where(TRUE == TUMOUR, LIVER, TRUE).astype(np.uint8)
"""The lesion was missed."""
P = places(GRID)
HOLE = ((P - [-30, -8, 0]) ** 2).sum(-1) < 12**2
NOTCHED = np.where(HOLE & (TRUE == LIVER), BACKGROUND, TRUE).astype(np.uint8)
"""A part of the liver was missed."""
SPILT = TRUE.copy()
SPILT[(((P - [-5, -38, 0]) ** 2).sum(-1) < 12**2) & (TRUE == BACKGROUND)] = LIVER
"""Fat was taken for liver."""


def session(labels=LACKING, scan=SCAN, grid=GRID, probability=None):
    return Session(scan, grid.image(labels), probability)


def test_a_click_adds_the_lesion_around_it():
    work = session()
    change = work.refine("tumor", include=[CLICK])
    assert dice(array(work) == TUMOUR, TRUE == TUMOUR) > 0.8
    assert change.voxels_added == np.count_nonzero(array(work) == TUMOUR) and change.voxels_removed == 0
    assert (array(work)[change.box] == change.labels_in_box).all()
    outside = np.ones(GRID.shape, bool)
    outside[change.box] = False
    assert (array(work)[outside] == LACKING[outside]).all()


def test_a_click_fills_what_the_liver_lacks_and_only_that():
    work = session(NOTCHED)
    work.refine("liver", include=[(-30.0, -8.0, 0.0)])
    missed, now = HOLE & (TRUE == LIVER), array(work)
    assert np.count_nonzero((now == LIVER) & missed) > 0.8 * np.count_nonzero(missed)
    assert np.count_nonzero((now != NOTCHED) & (now != TRUE)) < 0.05 * np.count_nonzero(now != NOTCHED)


def test_a_click_removes_what_is_no_liver():
    work = session(SPILT)
    change = work.refine("liver", exclude=[(-5.0, -40.0, 0.0)])
    now = array(work)
    assert np.count_nonzero(now != TRUE) < 0.3 * np.count_nonzero(SPILT != TRUE)
    assert change.voxels_added == 0 and (now[SPILT == TUMOUR] == TUMOUR).all()


def test_removed_tumor_becomes_liver_and_added_tumor_replaces_liver():
    work = session(TRUE)
    work.refine("tumor", strokes=[Stroke([LESION], 6.0, include=False)])
    now = array(work)
    assert (now[TRUE == TUMOUR] != BACKGROUND).all() and (
        now[((P - LESION) ** 2).sum(-1) <= 36] == LIVER
    ).all()


@pytest.mark.parametrize(("target", "other"), [("liver", SPLEEN), ("spleen", LIVER), ("spleen", TUMOUR)])
def test_neighbours_do_not_give_way(target, other):
    work = session(TRUE)
    points = [tuple(map(float, p)) for p in P[TRUE == other][::90]]
    change = work.refine(target, include=points, strokes=[Stroke(points[:2], 5.0)])
    assert (array(work)[TRUE == other] == other).all()
    assert change.voxels_removed == 0


def test_tumor_leaves_the_liver_by_no_more_than_its_margin():
    work = session(TRUE)
    edge = (-5.0, 34.0, 0.0)
    work.refine("tumor", strokes=[Stroke([edge], 34.0)])
    new = (array(work) == TUMOUR) & (TRUE == BACKGROUND)
    away = cKDTree(P[(TRUE == LIVER) | (TRUE == TUMOUR)]).query(P[new])[0]
    assert new.any() and away.max() <= 20.0


def test_voxels_under_strokes_are_as_told():
    work = session()
    line = [(-30.0, 10.0, -4.0), (-10.0, 14.0, 0.0)]
    work.refine("tumor", strokes=[Stroke(line, 3.0)])
    along = [np.array(line[0]) * (1 - t) + np.array(line[1]) * t for t in np.linspace(0, 1, 12)]
    near = np.min([((P - point) ** 2).sum(-1) for point in along], 0)
    assert (array(work)[near <= 2.9**2] == TUMOUR).all()


def test_later_clicks_elsewhere_leave_an_edit_alone():
    work = session(TRUE)
    work.refine("tumor", strokes=[Stroke([(-12.0, 4.0, 12.0)], 5.0)])
    edited = array(work) != TRUE
    work.refine("tumor", exclude=[(-12.0, 4.0, -4.0)])
    assert (array(work)[edited] == TUMOUR).all()


def test_a_click_within_an_edit_corrects_it():
    work = session()
    work.refine("tumor", strokes=[Stroke([LESION], 16.0)])
    wrong = (array(work) == TUMOUR) & (TRUE != TUMOUR)
    work.refine("tumor", strokes=[Stroke([(-12.0, 4.0, 15.0)], 1.0, include=False)])
    assert array(work)[wrong].min() == LIVER


def test_undo_and_redo_restore_every_bit():
    work = session(NOTCHED)
    states = [array(work)]
    for told in ({"include": [(-30.0, -8.0, 0.0)]}, {"exclude": [(30.0, 0.0, 0.0)]}):
        work.refine("liver", **told)
        states.append(array(work))
    assert len(work.history) == 2
    for state in states[-2::-1]:
        change = work.undo()
        assert (array(work) == state).all()
        assert (array(work)[change.box] == change.labels_in_box).all()
    for state in states[1:]:
        work.redo()
        assert (array(work) == state).all()
    work.undo()
    work.refine("liver", exclude=[(-40.0, 0.0, 0.0)])
    with pytest.raises(UsageError, match="nothing to redo"):
        work.redo()


def test_nothing_changed_is_no_history():
    work = session(TRUE)
    change = work.refine("liver", include=[(0.0, 0.0, 0.0)])
    assert change.is_empty and not work.history
    with pytest.raises(UsageError, match="nothing to undo"):
        work.undo()


def test_the_given_mask_is_not_changed():
    given_mask = GRID.image(LACKING)
    Session(SCAN, given_mask).refine("tumor", include=[CLICK])
    assert (sitk.GetArrayViewFromImage(given_mask) == LACKING).all()


def test_far_strokes_commute():
    wide = grid_of(extent=(320.0, 60.0, 60.0))
    points = places(wide)
    labels = np.full(wide.shape, LIVER, np.uint8)
    ends = [(-130.0, 0.0, 0.0), (130.0, 0.0, 0.0)]
    hu = np.where(np.min([((points - end) ** 2).sum(-1) for end in ends], 0) < 64, 3, 1)
    scan = scan_of(wide, hu)
    results = []
    for order in (ends, ends[::-1]):
        work = session(labels, scan, wide)
        for end in order:
            work.refine("tumor", include=[end])
        results.append(array(work))
    work = session(labels, scan, wide)
    work.refine("tumor", include=ends)
    assert (results[0] == results[1]).all() and (results[0] == array(work)).all()


@settings(max_examples=4, deadline=None)
@given(st.floats(-40, 40), st.integers(0, 2), st.permutations([0, 1, 2]), st.tuples(*[st.booleans()] * 3))
def test_turned_and_permuted_volumes_give_the_same_result(degrees, axis, order, flips):
    rotation = turned(degrees, axis)
    axes = np.eye(3)[:, order] * np.where(flips, -1, 1)
    oblique = grid_of(direction=rotation @ axes, extent=tuple(np.array((120.0, 80.0, 64.0))[list(order)]))
    truth = patient(oblique, rotation)
    # The same noise in the same place.
    nearest = np.round(GRID.indices(places(oblique, rotation).reshape(-1, 3))).astype(int)
    hu = sitk.GetArrayViewFromImage(SCAN)[tuple(nearest[:, ::-1].T)].reshape(oblique.shape)
    work = session(np.where(truth == TUMOUR, LIVER, truth).astype(np.uint8), oblique.image(hu), oblique)
    straight = session()
    work.refine("tumor", include=[tuple(rotation @ CLICK)])
    straight.refine("tumor", include=[CLICK])
    there = array(straight)[tuple(nearest[:, ::-1].T)].reshape(oblique.shape)
    assert np.count_nonzero(there != array(work)) <= 0.02 * np.count_nonzero(there == TUMOUR)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 4.0), (0.8, 0.8, 3.0), (1.0, 3.0, 2.0)])
def test_anisotropic_volumes_give_the_same_result(spacing):
    grid = grid_of(spacing)
    truth = patient(grid)
    labels = np.where(truth == TUMOUR, LIVER, truth).astype(np.uint8)
    work = session(labels, scan_of(grid, truth), grid)
    work.refine("tumor", include=[CLICK])
    straight = session()
    straight.refine("tumor", include=[CLICK])
    volumes = [
        np.count_nonzero(array(one) == TUMOUR) * g.voxel_ml for one, g in ((work, grid), (straight, GRID))
    ]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.15)
    assert dice(array(work) == TUMOUR, truth == TUMOUR) > 0.8


def test_the_network_s_probability_guides_a_click():
    # No contrast at all: the image says nothing, the network everything.
    flat = GRID.image(np.full(GRID.shape, 100, np.int16))
    missed = (TRUE == LIVER) & (P[..., 0] < -22)
    lacking = np.where(missed, BACKGROUND, TRUE).astype(np.uint8)
    doubtful = np.where(missed, 60, 250).astype(np.uint8)
    found = []
    for probability in (doubtful, None):
        work = session(lacking, flat, probability=probability)
        work.refine("liver", include=[(-34.6, 0.5, 0.5)])
        found.append(dice(array(work) != lacking, missed))
    assert found[0] > found[1]


def test_nothing_changes_beyond_reach():
    flat = grid_of((3.0, 3.0, 3.0), extent=(330.0, 60.0, 60.0))
    work = session(np.full(flat.shape, LIVER, np.uint8), flat.image(np.full(flat.shape, 100, np.int16)), flat)
    change = work.refine("liver", exclude=[(-150.0, 0.0, 0.0)])
    points = places(flat)[array(work) != LIVER]
    assert change.voxels_removed == len(points)
    assert np.linalg.norm(points - (-150.0, 0.0, 0.0), axis=1).max() <= 93.0


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"target": "kidney", "include": [LESION]}, "no structure 'kidney'"),
        ({"target": "liver"}, "at least one point"),
        ({"target": "liver", "include": [(500.0, 0.0, 0.0)]}, "lies outside the scan"),
        ({"target": "liver", "include": [(0.0, 0.0)]}, "three coordinates"),
        ({"target": "liver", "include": [(0.0, 0.0, float("nan"))]}, "three coordinates"),
        ({"target": "liver", "strokes": [Stroke([LESION], -1.0)]}, "between 0 and 50 mm"),
    ],
)
def test_what_makes_no_sense_is_refused(told, words):
    work = session()
    with pytest.raises(UsageError, match=words):
        work.refine(**told)
    assert not work.history


def test_other_grids_and_probabilities_are_refused():
    other = replace(GRID, origin=(0.0, 0.0, 9.0))
    with pytest.raises(ImageGeometryError):
        Session(SCAN, other.image(TRUE))
    with pytest.raises(UsageError, match="probability"):
        Session(SCAN, GRID.image(TRUE), np.zeros((2, 2, 2), np.uint8))


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_packed_arrays_come_back(seed, is_bool):
    rng = np.random.default_rng(seed)
    given_array = rng.integers(0, 2 if is_bool else 4, rng.integers(1, 7, 3)).astype(
        bool if is_bool else np.uint8
    )
    back = Packed.of(given_array).array()
    assert back.dtype == given_array.dtype and (back == given_array).all()


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_blocks_of_a_crop_lie_where_their_voxels_lie(spacing):
    grid = Grid((23, 17, 9), (spacing, spacing, 2.0), (0.0, 0.0, 0.0), GRID.direction)
    crop = crop_around(grid, (slice(4, 5), slice(8, 9), slice(11, 12)), 40.0, 2.0)
    ramp = np.indices(grid.shape)[2][crop.box].astype(np.float32)
    back = crop.expanded(crop.reduced(ramp))
    inner = slice(crop.factors[2], -crop.factors[2] * 2)
    assert np.abs(back - ramp)[..., inner].max() < 1e-3
