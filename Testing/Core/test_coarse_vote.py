"""What the coarse network has a say in: what the fine one doubts, away from the coarse organs' borders."""

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.inference.locate import Located
from LiverSegLib.inference.resample import NetworkRegion
from LiverSegLib.inference.segment import LEAST_VOTE, _vote

CHANNEL_LABELS = (0, 1, 2, 3)
"""Background, liver, spleen, liver tumor."""
BORDER_MM = 72.0
"""The coarse network sees liver on this side of it, along z."""


def voted(liver: float) -> np.ndarray:
    """Probability of liver (z,) along a line in z after the vote, of a fine network that says ``liver``
    everywhere, beside a coarse one that says liver below BORDER_MM alone."""
    scan = patient_order(sitk.GetImageFromArray(np.zeros((150, 12, 12), np.int16)))
    coarse, fine = (NetworkRegion.over(scan.grid, scan.grid.box, (s, s, s)) for s in (6.0, 1.5))
    below = (np.arange(coarse.shape[0]) * 6.0 < BORDER_MM)[:, None, None] & np.ones(coarse.shape, bool)
    says = np.stack([~below, below, np.zeros_like(below)]).astype(np.float32)
    located = Located(scan, scan, scan.grid.box, 100.0, says, coarse)
    scores = np.zeros((4, *fine.shape), np.float32)
    scores[0], scores[1] = 1 - liver, liver
    _vote(scores, fine, located, CHANNEL_LABELS)
    assert np.allclose(scores.sum(0), 1, atol=1e-5)
    return scores[1, :, 4, 4]


def test_far_from_its_liver_the_coarse_network_settles_what_the_fine_one_doubts():
    line = voted(0.7)
    assert line[5] > 0.95 and line[-5] < 0.25


def test_a_fine_network_that_is_sure_is_not_overruled():
    """A part of the liver that the coarse network misses altogether, as beside a border of the scan."""
    line = voted(0.98)
    assert line[5] > 0.99 and line[-5] > 0.8


@pytest.mark.parametrize("liver", [0.1, 0.5, 0.9])
def test_near_the_border_the_fine_network_decides_alone(liver):
    near = voted(liver)[int(BORDER_MM / 1.5)]
    assert near == pytest.approx(liver, abs=0.02)


def test_what_the_coarse_network_excludes_needs_a_certainty_of_its_least_vote():
    for liver in (0.85, 0.9, 0.95):
        expected = liver * LEAST_VOTE / (liver * LEAST_VOTE + 1 - liver)
        assert voted(liver)[-5] == pytest.approx(expected, rel=0.01)
