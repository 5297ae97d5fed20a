"""Corrections of labels that somebody else keeps: a case reads a box, and writes nothing but the answer."""

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from measure_shapes import turned
from scipy import ndimage
from test_correct_session import (
    CLICK,
    GRID,
    LACKING,
    LESION,
    NOTCHED,
    SCAN,
    SPILT,
    TRUE,
    P,
    array,
    dice,
    grid_of,
    patient,
    scan_of,
)

from LiverSegLib.correct import Case, Correction, Session, Stroke
from LiverSegLib.correct import refine as refining
from LiverSegLib.correct.refine import crumbs
from LiverSegLib.errors import UsageError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import BACKGROUND, LIVER, TUMOUR

HU = sitk.GetArrayViewFromImage(SCAN)
ELSEWHERE = (-12.6, 4.4, 2.4)
"""A click that removes the whole lesion, if nothing is protected."""
NOTCH = (-30.0, -8.0, 0.0)
PROBABILITY = np.where(TRUE > 0, 230, 200).astype(np.uint8)


def correction(labels, box=GRID.box, action="refine", target="tumor", **told):
    return Correction(action, target, box, np.ascontiguousarray(labels[box]), **told)


def after(labels, change):
    """The labels when the change is written into them, as who keeps them does."""
    now = labels.copy()
    now[change.box] = change.labels_in_box
    return now


def asked(work, labels, *actions, box=GRID.box):
    """The labels after actions in turn, each told of the strokes before."""
    earlier = ()
    for target, told in actions:
        labels = after(
            labels, work.correct(correction(labels, box, "refine", target, earlier=earlier, **told))
        )
        earlier += tuple(Stroke((point,), 0.0, True) for point in told.get("include", ()))
        earlier += tuple(Stroke((point,), 0.0, False) for point in told.get("exclude", ()))
        earlier += tuple(told.get("strokes", ()))
    return labels


SEQUENCES = {
    "a lesion": (LACKING, [("tumor", {"include": [CLICK]})]),
    "a lesion with its wrong part": (
        LACKING,
        [("tumor", {"strokes": [Stroke([LESION], 14.0)]}), ("tumor", {"exclude": [(-12.0, 4.0, 14.0)]})],
    ),
    "the liver twice": (
        NOTCHED,
        [("liver", {"include": [NOTCH]}), ("liver", {"exclude": [(30.6, 0.4, 0.4)]})],
    ),
    "fat": (SPILT, [("liver", {"exclude": [(-5.0, -40.0, 0.0)]})]),
    "two far clicks": (NOTCHED, [("spleen", {"include": [(-50.0, 30.0, 0.0), (54.0, 30.0, 0.0)]})]),
}


@pytest.mark.parametrize("probability", [None, PROBABILITY], ids=["no network", "network"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_it_gives_what_a_session_gives(name, probability):
    labels, actions = SEQUENCES[name]
    session = Session(SCAN, GRID.image(labels), probability)
    for target, told in actions:
        session.refine(target, **told)
    now = asked(Case(HU, GRID, labels, probability), labels, *actions)
    assert (now != labels).any() and (now == array(session)).all()


def test_a_smaller_box_with_the_reach_in_it_gives_the_same():
    wide = grid_of((4.0, 4.0, 4.0), extent=(480.0, 80.0, 64.0))
    labels = np.full(wide.shape, LIVER, np.uint8)
    labels[:, :, 60] = BACKGROUND
    case = Case(sitk.GetArrayFromImage(scan_of(wide, labels)), wide, labels)
    click = (-150.0, 1.0, 1.0)
    box = wide.box_around([click], 90.0)
    assert box[2].stop < 60
    changes = [
        case.correct(correction(labels, part, target="liver", exclude=[click])) for part in (wide.box, box)
    ]
    assert not changes[0].is_empty and changes[0].box == changes[1].box
    assert (changes[0].labels_in_box == changes[1].labels_in_box).all()


def test_nothing_outside_the_box_changes_and_the_given_labels_stay():
    box = GRID.box_around([LESION], 6.0)
    given = correction(LACKING, box, strokes=[Stroke([LESION], 20.0)])
    before = given.labels.copy()
    change = Case(HU, GRID, LACKING).correct(given)
    assert all(b.start <= c.start and c.stop <= b.stop for b, c in zip(box, change.box))
    assert (given.labels == before).all() and (change.labels_in_box == TUMOUR).any()
    assert change.voxels_added == np.count_nonzero(change.labels_in_box == TUMOUR)


def test_nothing_changed_is_an_empty_change():
    assert Case(HU, GRID, TRUE).correct(correction(TRUE, target="liver", include=[(0.4, 0.4, 0.4)])).is_empty


def edited_elsewhere():
    """Labels in which another tool drew tumor: a ball at the lesion's upper side."""
    drawn = ((P - (-12.0, 4.0, 12.0)) ** 2).sum(-1) < 25
    return np.where(drawn, TUMOUR, TRUE).astype(np.uint8), drawn & (TRUE != TUMOUR)


def test_what_another_tool_edited_is_not_touched_by_clicks_elsewhere():
    labels, drawn = edited_elsewhere()
    click = {"exclude": [ELSEWHERE]}
    now = asked(Case(HU, GRID, TRUE), labels, ("tumor", click))
    assert (now != labels).any() and (now[drawn] == TUMOUR).all()
    unprotected = asked(Case(HU, GRID, labels), labels, ("tumor", click))
    assert (unprotected[drawn] != TUMOUR).any()


def test_a_click_within_what_another_tool_edited_corrects_it():
    labels, drawn = edited_elsewhere()
    now = asked(Case(HU, GRID, TRUE), labels, ("tumor", {"exclude": [(-12.6, 4.4, 14.6)]}))
    assert np.count_nonzero(now[drawn] == LIVER) > 0.5 * np.count_nonzero(drawn)


def test_edits_apart_are_opened_one_by_one():
    drawn = [((P - middle) ** 2).sum(-1) < 16 for middle in ((-12.0, 4.0, 2.0), (10.0, 4.0, 2.0))]
    labels = np.where(drawn[0] | drawn[1], TUMOUR, np.where(TRUE == TUMOUR, LIVER, TRUE)).astype(np.uint8)
    automatic = np.where(TRUE == TUMOUR, LIVER, TRUE).astype(np.uint8)
    now = asked(Case(HU, GRID, automatic), labels, ("tumor", {"exclude": [(10.4, 4.4, 2.4)]}))
    assert (now[drawn[1]] == LIVER).any() and (now[drawn[0]] == TUMOUR).all()


def test_what_earlier_strokes_told_stays():
    told = Stroke([(-12.4, 4.4, 8.4)], 2.0)
    case = Case(HU, GRID, TRUE)
    click = {"exclude": [ELSEWHERE]}
    removed = after(TRUE, case.correct(correction(TRUE, **click))) != TRUE
    under = ((P - told.points[0]) ** 2).sum(-1) <= 4
    assert (removed & under).any()
    kept = after(TRUE, case.correct(correction(TRUE, earlier=[told], **click)))
    assert (kept[under] == TRUE[under]).all() and (kept != TRUE).any()


def test_without_automatic_labels_only_earlier_strokes_are_known_of():
    labels, _ = edited_elsewhere()
    case = Case(HU, GRID)
    change = case.correct(correction(labels, exclude=[ELSEWHERE]))
    same = Case(HU, GRID, labels).correct(correction(labels, exclude=[ELSEWHERE]))
    assert (after(labels, change) == after(labels, same)).all() and not change.is_empty


def test_whole_lesions_as_in_a_session():
    two = np.where(((P - (16.0, -6.0, 0.0)) ** 2).sum(-1) < 49, TUMOUR, TRUE).astype(np.uint8)
    a, b = (-12.4, 4.4, 2.4), (16.4, -6.4, 0.4)
    pair = np.where(((P - (2.0, 4.0, 2.0)) ** 2).sum(-1) < 49, TUMOUR, TRUE).astype(np.uint8)
    steps = [
        (LACKING, "add_lesion", [CLICK], {"size": 14.0}),
        (LACKING, "add_lesion", [CLICK], {}),
        (two, "remove_lesion", [b], {}),
        (two, "merge_lesions", [a, b], {}),
        (pair, "split_lesion", [a, (4.4, 4.4, 2.4)], {}),
    ]
    for labels, action, points, more in steps:
        session = Session(SCAN, GRID.image(labels))
        expected = getattr(session, action)(*points, **more)
        change = Case(HU, GRID, labels).correct(correction(labels, action=action, include=points, **more))
        assert (after(labels, change) == array(session)).all(), action
        numbers = (change.box, change.voxels_added, change.voxels_removed)
        assert numbers == (expected.box, expected.voxels_added, expected.voxels_removed)


def test_an_oblique_scan_on_a_memory_map(tmp_path):
    rotation = turned(25.0, 0)
    grid = grid_of(direction=rotation)
    truth = patient(grid, rotation)
    labels = np.where(truth == TUMOUR, LIVER, truth).astype(np.uint8)
    image = scan_of(grid, truth)
    np.save(tmp_path / "hu.npy", sitk.GetArrayViewFromImage(image))
    click = tuple(rotation @ CLICK)
    box = grid.box_around([click], 30.0)
    case = Case(np.load(tmp_path / "hu.npy", mmap_mode="r"), grid, labels)
    now = after(labels, case.correct(correction(labels, box, include=[click])))
    assert dice(now == TUMOUR, truth == TUMOUR) > 0.8


@pytest.mark.parametrize("shear", [0.0, 0.6])
def test_the_box_around_points_holds_what_lies_near(shear):
    direction = turned(20.0, 2) @ np.array([[1.0, 0, shear], [0, 1, 0], [0, 0, np.sqrt(1 - shear**2)]])
    grid = Grid((40, 30, 20), (1.0, 1.5, 3.0), (3.0, -8.0, 4.0), tuple(direction.ravel().tolist()))
    z, y, x = np.indices(grid.shape)
    voxels = grid.points(np.stack([x, y, z], -1).reshape(-1, 3)).reshape(*grid.shape, 3)
    points = grid.points([(11.3, 14.2, 9.4), (20.0, 6.0, 11.0)])
    near = np.min([((voxels - point) ** 2).sum(-1) for point in points], 0) <= 7.0**2
    inside = np.zeros(grid.shape, bool)
    inside[grid.box_around(points, 7.0)] = True
    assert inside[near].all() and inside.sum() < 0.6 * inside.size
    assert not inside[(slice(0, 2),)].any()
    outside = grid.box_around([(500.0, 0.0, 0.0)], 7.0)
    assert any(part.start >= part.stop for part in outside)


BOX = GRID.box_around([LESION], 20.0)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"action": "polish"}, "no correction 'polish'; there are refine, add_lesion"),
        ({"target": "kidney", "include": [CLICK]}, "no structure 'kidney'"),
        ({}, "at least one point"),
        ({"include": [(500.0, 0.0, 0.0)]}, "outside the scan"),
        ({"include": [(50.0, 0.0, 0.0)]}, "outside the part of the scan"),
        ({"strokes": [Stroke([LESION, (50.0, 0.0, 0.0)], 3.0)]}, "outside the part of the scan"),
        ({"include": [(1.0, 2.0)]}, "three coordinates"),
        ({"action": "add_lesion", "include": [CLICK], "size": 500.0}, "size of a lesion"),
        ({"action": "add_lesion", "include": [CLICK, LESION]}, "one point, not 2"),
        ({"action": "merge_lesions", "include": [CLICK]}, "2 points, not 1"),
        ({"action": "remove_lesion", "include": [CLICK]}, "no lesion at this point"),
        ({"labels": np.zeros((2, 2, 2), np.uint8)}, "must be uint8 of shape"),
        ({"labels": LACKING[BOX].astype(np.int16)}, "must be uint8 of shape"),
        ({"labels": np.full_like(LACKING[BOX], 9)}, "holds the value 9"),
        ({"box": (slice(0, 5), slice(0, 5), slice(0, 999))}, "does not lie within the scan"),
        ({"box": (slice(5, 5), slice(0, 5), slice(0, 5))}, "does not lie within the scan"),
    ],
)
def test_what_makes_no_sense_is_refused(fields, words):
    with pytest.raises(UsageError, match=words):
        Case(HU, GRID, LACKING).correct(replace(correction(LACKING, BOX), **fields))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"image": HU[1:]}, "must be an array of shape"),
        ({"automatic": LACKING[1:]}, "must be uint8 of shape"),
        ({"automatic": LACKING, "probability": PROBABILITY[1:]}, "probability must be uint8"),
        ({"probability": PROBABILITY}, "needs the automatic segmentation"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, words):
    with pytest.raises(UsageError, match=words):
        Case(**{"image": HU, "grid": GRID, **arrays})


class TestCrumbs:
    """What a removal cuts off and leaves behind as specks goes with it."""

    LEFT = np.zeros((5, 5, 12), bool)
    LEFT[1:4, 1:4, 1:5] = True  # what stays: 36 voxels
    LEFT[2, 2, 8:10] = True  # a speck beside what goes
    GONE = np.zeros((5, 5, 12), bool)
    GONE[2, 2, 5:8] = True
    NONE = np.zeros((5, 5, 12), bool)

    def test_a_speck_that_was_cut_off_goes_and_the_rest_stays(self):
        found = crumbs(self.LEFT, self.GONE, self.NONE, 10)
        assert np.argwhere(found).tolist() == [[2, 2, 8], [2, 2, 9]]

    def test_nothing_goes_where_nothing_was_removed(self):
        assert not crumbs(self.LEFT, self.NONE, self.NONE, 1000).any()

    @pytest.mark.parametrize("voxels", [1, 2])
    def test_a_speck_of_the_smallest_lesion_s_size_is_no_speck(self, voxels):
        assert not crumbs(self.LEFT, self.GONE, self.NONE, voxels).any()

    def test_a_speck_as_large_as_what_is_removed_stays(self):
        left = self.LEFT.copy()
        left[2, 2, 10] = True
        assert not crumbs(left, self.GONE, self.NONE, 10).any()

    def test_what_somebody_drew_or_settled_stays(self):
        kept = self.NONE.copy()
        kept[2, 2, 8] = True
        assert not crumbs(self.LEFT, self.GONE, kept, 10).any()

    def test_a_speck_that_was_apart_before_stays(self):
        left = self.LEFT.copy()
        left[2, 2, 8] = False
        assert not crumbs(left, self.GONE, self.NONE, 10).any()

    def test_a_speck_that_may_go_on_beyond_the_box_stays(self):
        left, gone = self.NONE.copy(), self.NONE.copy()
        left[2, 2, 11], gone[2, 2, 8:11] = True, True
        assert not crumbs(left, gone, self.NONE, 10).any()

    def test_one_click_leaves_no_specks_behind(self, monkeypatch):
        """Where noise decides for single blocks that they stay, they go with the rest."""
        labels = TRUE.copy()

        def noisy(prior, image, free, *_):
            return np.where(np.random.default_rng(0).random(free.shape) > 0.05, 1.0, 0.0)

        def parts_after():
            case = Case(HU, GRID, TRUE, PROBABILITY)
            now = after(labels, case.correct(correction(labels, exclude=[LESION])))
            parts, _ = ndimage.label(now == TUMOUR)
            return np.bincount(parts.ravel())[1:] * GRID.voxel_ml

        monkeypatch.setattr(refining, "random_walker", noisy)
        assert not (parts_after() < 0.065).any()
        monkeypatch.setattr(refining, "crumbs", lambda left, *_: np.zeros(left.shape, bool))
        assert (parts_after() < 0.065).any(), "the noise leaves none: the test above proves nothing"
