"""Corrections without a memory: each says what the labels are now, in a box around the click.

3D Slicer holds the segmentation, which other tools may change between two clicks. So the case keeps only what
does not change, and reads from the labels what was edited.
"""

import time
from dataclasses import dataclass, replace
from typing import List, Optional, Sequence, Tuple

import numpy as np

from ..errors import UsageError
from ..images.grid import Box, Grid, bounding_box
from ..labels import LABELS
from ..masks.components import box_within
from ..masks.runs import find_runs
from ..sentences import Sentence
from . import lesions
from .history import Change
from .refine import Scene, Touched, Wanted, parenchyma_hu, refine
from .strokes import Point, Stroke, checked_strokes, covered, near_each_other, voxel_at
from .targets import TARGETS, target_named
from .writing import NOWHERE, write

POINTS = {"add_lesion": 1, "remove_lesion": 1, "split_lesion": 2, "merge_lesions": 2}
"""Actions on whole lesions -> the points that they need."""
ACTIONS = ("refine", *POINTS)
"""What a correction can do."""


@dataclass(frozen=True, eq=False)
class Correction:
    """One correction.

    Attributes:
        action: one of ``ACTIONS``.
        target: "liver", "spleen" or "tumor"; actions on whole lesions are about tumor whatever it says.
        box: of the scan's array (z, y, x). Nothing outside it is read or changed: a lesion that it cuts is
            taken for the part within. ``Grid.box_around`` the points with the reach of the target (90 mm)
            gives what a session would give.
        labels: uint8 of the box's shape, the labels now.
        include: LPS mm of clicks on voxels that belong to the target and lack; for actions on lesions their
            points.
        exclude: LPS mm of clicks on voxels of the target that do not belong to it.
        strokes: lines drawn.
        size: for "add_lesion": diameter in mm of the ball of equal volume; None lets the image decide. To
            give the same lesion another size, send the labels from before it was added.
        earlier: the clicks and strokes of earlier corrections, oldest first. What they told stays.
    """

    action: str
    target: str
    box: Box
    labels: np.ndarray
    include: Sequence[Point] = ()
    exclude: Sequence[Point] = ()
    strokes: Sequence[Stroke] = ()
    size: Optional[float] = None
    earlier: Sequence[Stroke] = ()


class Case:
    """A scan whose mask is being corrected. A case does not change.

    Args:
        image: HU (z, y, x); may be a memory map, of which only boxes are read.
        grid: of the image.
        automatic: uint8 (z, y, x), the labels as they were computed, or for a mask from elsewhere as it was
            when the case was opened: voxels that differ count as edited. None: nothing is known of edits but
            the earlier strokes.
        probability: uint8 (z, y, x) as ``Result.probability``, of the automatic labels.
        liver_hu: attenuation of liver without tumor; computed from the automatic labels if None.

    Raises:
        UsageError: an array has another shape or type, or there is a probability without labels.
    """

    def __init__(
        self,
        image: np.ndarray,
        grid: Grid,
        automatic: Optional[np.ndarray] = None,
        probability: Optional[np.ndarray] = None,
        liver_hu: Optional[float] = None,
    ) -> None:
        if image.shape != grid.shape:
            raise UsageError(Sentence("correct.case-image", wanted=str(grid.shape), found=str(image.shape)))
        if automatic is not None:
            _check_labels(automatic, grid.shape)
        elif probability is not None:
            raise UsageError(Sentence("correct.case-probability"))
        if probability is not None and (probability.shape != grid.shape or probability.dtype != np.uint8):
            raise UsageError(
                Sentence("correct.probability", wanted=str(grid.shape), shape=str(probability.shape))
            )
        self._image, self._grid = image, grid
        self._automatic, self._probability = automatic, probability
        if liver_hu is None and automatic is not None:
            liver_hu = parenchyma_hu(image, automatic)
        self._liver_hu = liver_hu

    @property
    def grid(self) -> Grid:
        """The grid of the scan."""
        return self._grid

    def correct(self, correction: Correction) -> Change:
        """Correct the labels in a box.

        Voxels that were edited before, by whatever tool, are open only to clicks within the edit: an edit is
        a connected component (26 neighbours) of what differs from the automatic labels.

        Returns:
            What changed; its box is of the scan's array. The correction's own labels stay as they are.

        Raises:
            UsageError: there is no such action or target, the box or the labels do not fit the scan, a point
                is missing or lies outside the box, or the action makes no sense there.
        """
        started = time.monotonic()
        scene = self._scene(correction)
        if correction.action == "refine":
            target = target_named(correction.target)
            self._check_points([*correction.include, *correction.exclude], correction)
            told = checked_strokes(scene.grid, correction.include, correction.exclude, correction.strokes)
            wanted = [
                refine(scene, target, group, _touched(scene, group, correction.earlier))
                for group in near_each_other(told, target.reach_mm)
            ]
        else:
            target = TARGETS["tumor"]
            wanted = [self._on_lesions(scene, correction)]
        change = write(scene.labels, target, wanted, started).change
        if change.is_empty:
            return replace(change, box=NOWHERE)
        return replace(change, box=box_within(correction.box, change.box))

    def _scene(self, correction: Correction) -> Scene:
        """What a correction reads, cut to its box; the labels are a copy, to be changed."""
        box, shape = correction.box, self._grid.shape
        if not all(0 <= part.start < part.stop <= count for part, count in zip(box, shape)):
            numbers = str([(part.start, part.stop) for part in box])
            raise UsageError(Sentence("correct.box", box=numbers, shape=str(shape)))
        grid = self._grid.crop(box)
        _check_labels(correction.labels, grid.shape)
        labels = np.array(correction.labels)
        image = np.asarray(self._image[box])
        first = labels.copy() if self._automatic is None else np.asarray(self._automatic[box])
        probability = None if self._probability is None else np.asarray(self._probability[box])
        liver_hu = parenchyma_hu(image, first) if self._liver_hu is None else self._liver_hu
        return Scene(grid, image, labels, first, probability, liver_hu)

    def _on_lesions(self, scene: Scene, correction: Correction) -> Wanted:
        count = POINTS.get(correction.action)
        if count is None:
            known = ", ".join(ACTIONS)
            raise UsageError(Sentence("correct.action", name=correction.action, known=known))
        points, found = list(correction.include), len(correction.include)
        if found != count and count == 1:
            raise UsageError(Sentence("correct.one-point", found=found))
        if found != count:
            raise UsageError(Sentence("correct.point-count", count=count, found=found))
        self._check_points(points, correction)
        if correction.action == "add_lesion":
            touched = _touched(scene, [Stroke((points[0],))], correction.earlier)
            return lesions.grown_lesion(scene, points[0], correction.size, touched)
        if correction.action == "remove_lesion":
            return lesions.without(scene, points[0])
        joined_or_parted = lesions.split if correction.action == "split_lesion" else lesions.merged
        return joined_or_parted(scene, points[0], points[1])

    def _check_points(self, points: Sequence[Point], correction: Correction) -> None:
        """Raise UsageError if a point, or one of the strokes, lies outside the scan or outside the box."""
        drawn = [point for stroke in correction.strokes for point in stroke.points]
        for point in [*points, *drawn]:
            place = voxel_at(self._grid, point)
            if not all(part.start <= index < part.stop for part, index in zip(correction.box, place)):
                x, y, z = (float(value) for value in point)
                raise UsageError(Sentence("correct.outside-box", x=x, y=y, z=z))


def _check_labels(labels: np.ndarray, shape: Tuple[int, ...]) -> None:
    """Raise UsageError unless an array holds labels and has a shape (z, y, x)."""
    if labels.shape != shape or labels.dtype != np.uint8:
        found = {"type": str(labels.dtype), "found": str(labels.shape)}
        raise UsageError(Sentence("correct.case-labels", wanted=str(shape), **found))
    largest = int(labels.max(initial=0))
    if largest > max(LABELS):
        raise UsageError(Sentence("correct.case-values", value=largest, most=max(LABELS)))


def _touched(scene: Scene, told: Sequence[Stroke], earlier: Sequence[Stroke]) -> Touched:
    """Return what tells ``refine`` which voxels earlier actions settled.

    All edits that no stroke of ``told`` opens count as one action, whose changes protect themselves.
    """
    closed = _closed_edits(scene, told)

    def settled(box: Box) -> List[Tuple[np.ndarray, np.ndarray]]:
        return [(covered(scene.grid, box, earlier), closed[box])]

    return settled


def _closed_edits(scene: Scene, told: Sequence[Stroke]) -> np.ndarray:
    """Return the components (bool, z, y, x) of what differs from the first labels that no stroke meets."""
    differs = scene.labels != scene.first_labels
    closed = np.zeros(differs.shape, bool)
    box = bounding_box(differs)
    if box is None:
        return closed
    inside = np.ascontiguousarray(differs[box])
    runs = find_runs(inside)
    met = runs.sums(inside, covered(scene.grid, box, told)) > 0
    closed[box] = runs.numbered((~met).astype(np.int64)) > 0
    return closed
