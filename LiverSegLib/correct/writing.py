"""From what a correction wants to what it changes: the labels are written, and the change is told."""

import time
from typing import NamedTuple, Sequence

import numpy as np

from ..images.grid import Box, bounding_box
from ..masks.components import box_within
from .history import Change
from .refine import Wanted
from .targets import Target

NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
"""The box of a change of nothing."""


class Written(NamedTuple):
    """What was written into labels.

    Attributes:
        box: the box (z, y, x) of the labels that holds all that was wanted.
        before: uint8, the labels in the box before.
        told: bool, the voxels of the box that lie under strokes.
        change: what changed.
    """

    box: Box
    before: np.ndarray
    told: np.ndarray
    change: Change


def write(labels: np.ndarray, target: Target, wanted: Sequence[Wanted], started: float) -> Written:
    """Write what corrections want into labels, uint8 (z, y, x), which are changed.

    Args:
        labels: those that the boxes of ``wanted`` cut.
        target: what was corrected.
        wanted: at least one; the last counts where two overlap.
        started: ``time.monotonic()`` when the action began.
    """
    box = _around([item.box for item in wanted])
    inside = labels[box]
    before, told = inside.copy(), np.zeros(inside.shape, bool)
    for item in wanted:
        z, y, x = (slice(i.start - o.start, i.stop - o.start) for i, o in zip(item.box, box))
        part = inside[z, y, x]
        part[item.added], part[item.removed] = target.value, target.removed_value
        told[z, y, x] |= item.told
    changed = bounding_box(before != inside)
    if changed is None:
        nothing = Change(NOWHERE, inside[NOWHERE].copy(), 0, 0, time.monotonic() - started)
        return Written(box, before, told, nothing)
    member = np.isin(before, target.members), np.isin(inside, target.members)
    added, removed = (int(np.count_nonzero(a & ~b)) for a, b in (member[::-1], member))
    seconds = time.monotonic() - started
    change = Change(box_within(box, changed), inside[changed].copy(), added, removed, seconds)
    return Written(box, before, told, change)


def _around(boxes: Sequence[Box]) -> Box:
    """Return the smallest box that holds all."""
    z, y, x = (slice(min(p.start for p in parts), max(p.stop for p in parts)) for parts in zip(*boxes))
    return z, y, x
