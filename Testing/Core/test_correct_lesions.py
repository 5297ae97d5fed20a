"""Whole lesions: added by a click, removed, split, merged; each can be undone."""

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.correct import Session
from LiverSegLib.errors import UsageError
from LiverSegLib.images.grid import NOT_SHEARED, Grid
from LiverSegLib.labels import BACKGROUND, LIVER, TUMOUR
from LiverSegLib.masks.components import connected_components

GRID = Grid((48, 32, 28), (2.0, 2.0, 2.0), (-47.0, -31.0, -27.0), NOT_SHEARED)
Z, Y, X = np.indices(GRID.shape)
P = GRID.points(np.stack([X, Y, Z], -1).reshape(-1, 3)).reshape(*GRID.shape, 3)
LEFT, RIGHT = (-16.5, 0.4, 0.6), (12.3, 0.6, -0.4)
BODY = (P / [46.0, 30.0, 26.0]) ** 2
IN_LIVER = BODY.sum(-1) < 1


def ball(centre, radius):
    return ((P - centre) ** 2).sum(-1) < radius**2


def labels_of(tumour):
    labels = np.where(IN_LIVER, LIVER, BACKGROUND).astype(np.uint8)
    labels[tumour & IN_LIVER] = TUMOUR
    return labels


def session(tumour, lesions_seen=None):
    seen = tumour if lesions_seen is None else lesions_seen
    hu = np.where(seen, 55, np.where(IN_LIVER, 110, -80)) + np.random.default_rng(0).normal(0, 6, GRID.shape)
    return Session(GRID.image(hu.astype(np.int16)), GRID.image(labels_of(tumour)))


def tumour_in(work):
    return sitk.GetArrayFromImage(work.labels) == TUMOUR


NONE = np.zeros(GRID.shape, bool)
TWO = ball(LEFT, 8) | ball(RIGHT, 8)
TOUCHING = ball((-9.0, 0.0, 0.0), 10) | ball((9.0, 0.0, 0.0), 10)


def test_one_click_adds_a_lesion():
    work = session(NONE, ball(LEFT, 8))
    change = work.add_lesion(LEFT)
    found = tumour_in(work)
    overlap = 2 * np.count_nonzero(found & ball(LEFT, 8)) / (found.sum() + ball(LEFT, 8).sum())
    assert overlap > 0.8 and change.voxels_added == found.sum()
    work.undo()
    assert not tumour_in(work).any()


def test_its_size_can_be_changed_until_something_else_happens():
    work = session(NONE, ball(LEFT, 8))
    volumes = []
    for size in (8.0, 14.0, 20.0):
        work.add_lesion(LEFT, size)
        volumes.append(tumour_in(work).sum() * 8.0 / (np.pi / 6 * size**3))
        assert len(work.history) == 1
    assert np.allclose(volumes, 1, atol=0.25)
    work.refine("liver", exclude=[(-40.5, 0.5, 0.5)])
    work.undo()
    work.undo()
    assert not tumour_in(work).any()


def test_a_removed_lesion_becomes_liver_and_the_other_stays():
    work = session(TWO)
    change = work.remove_lesion(LEFT)
    now = sitk.GetArrayFromImage(work.labels)
    assert (now[ball(LEFT, 8)] == LIVER).all() and (now[ball(RIGHT, 8)] == TUMOUR).all()
    assert change.voxels_removed == ball(LEFT, 8).sum() and change.voxels_added == 0


def test_a_lesion_is_split_where_it_is_narrow():
    work = session(TOUCHING)
    work.split_lesion((-9.0, 0.0, 0.0), (9.0, 0.0, 0.0))
    parts, count = connected_components(tumour_in(work))
    lost = P[TOUCHING & ~tumour_in(work)]
    assert count == 2 and np.abs(lost[:, 0]).max() <= 4.0 and len(lost) < 0.15 * TOUCHING.sum()


def test_lesions_are_merged_by_a_bridge_and_undone():
    work = session(TWO)
    work.merge_lesions(LEFT, RIGHT)
    assert connected_components(tumour_in(work))[1] == 1
    bridge = P[tumour_in(work) & ~TWO]
    assert np.linalg.norm(bridge[:, 1:], axis=1).max() < 10
    work.undo()
    assert (tumour_in(work) == TWO).all()


def test_a_bridge_leads_through_the_liver_only():
    work = session(TWO)
    work.refine("tumor", include=[LEFT])
    cut = labels_of(TWO)
    cut[(np.abs(P[..., 0]) < 2) & (cut == LIVER)] = BACKGROUND
    apart = Session(GRID.image(np.zeros(GRID.shape, np.int16)), GRID.image(cut))
    with pytest.raises(UsageError, match="No bridge"):
        apart.merge_lesions(LEFT, RIGHT)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda s: s.remove_lesion((0.5, 25.0, 0.5)), "no lesion at this point"),
        (lambda s: s.add_lesion(LEFT), "a lesion at this point already"),
        (lambda s: s.add_lesion((-46.5, -30.5, -26.5)), "not lie in the liver"),
        (lambda s: s.add_lesion((0.0, 20.0, 0.0), 500.0), "between 2 and 180 mm"),
        (lambda s: s.split_lesion(LEFT, RIGHT), "not lie in one lesion"),
        (lambda s: s.split_lesion(LEFT, LEFT), "too close"),
        (lambda s: s.merge_lesions(LEFT, (-16.0, 2.0, 0.0)), "one lesion already"),
        (lambda s: s.remove_lesion((900.0, 0.0, 0.0)), "outside the scan"),
        (lambda s: s.redo(), "nothing to redo"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(act, words):
    work = session(TWO)
    with pytest.raises(UsageError, match=words):
        act(work)
    assert not work.history and (tumour_in(work) == TWO).all()


def test_a_size_that_makes_no_sense_leaves_the_lesion_added_before():
    work = session(NONE, ball(LEFT, 8))
    work.add_lesion(LEFT)
    before, entry = tumour_in(work).copy(), work.history[0]
    with pytest.raises(UsageError, match="between 2 and 180 mm"):
        work.add_lesion(LEFT, 500.0)
    assert (tumour_in(work) == before).all() and before.any() and work.history == (entry,)


def test_history_is_small():
    work = session(NONE, ball(LEFT, 8))
    work.add_lesion(LEFT)
    assert work.history[0].bytes < 2000 and work.history[0].action == "add_lesion"
