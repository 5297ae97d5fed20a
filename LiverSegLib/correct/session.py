"""A session of corrections: the labels now, what was done, and what can be undone."""

import time
from dataclasses import replace
from typing import Iterable, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import LiverSegError, UsageError
from ..images.grid import bounding_box, check_same_grid
from ..masks.check import check_labels
from ..masks.components import box_within
from ..sentences import Sentence
from . import lesions
from .history import Change, Entry, History, Packed
from .refine import Scene, Wanted, parenchyma_hu, refine
from .strokes import Point, Stroke, checked_strokes, near_each_other
from .targets import TARGETS, Target, target_named
from .writing import write


class Session:
    """Corrections of one mask.

    Args:
        image: CT in HU.
        labels: values of ``LiverSegLib.labels``, on the image's grid. It is copied.
        probability: uint8 (z, y, x) as ``Result.probability``; None for a mask from elsewhere.

    Raises:
        ImageGeometryError: image and labels differ in grid.
        InputError: the labels are no mask of LiverSeg.
        UsageError: the probability has another shape or type.
    """

    def __init__(
        self, image: sitk.Image, labels: sitk.Image, probability: Optional[np.ndarray] = None
    ) -> None:
        grid = check_same_grid(labels, image)
        array = sitk.GetArrayFromImage(check_labels(labels))
        if probability is not None and (probability.shape != array.shape or probability.dtype != np.uint8):
            raise UsageError(
                Sentence("correct.probability", wanted=str(array.shape), shape=str(probability.shape))
            )
        self._image = image  # owns the voxels of the view below
        view = sitk.GetArrayViewFromImage(image)
        self._scene = Scene(grid, view, array, array.copy(), probability, parenchyma_hu(view, array))
        self._history = History()

    @property
    def labels(self) -> sitk.Image:
        """The labels now: a copy, uint8, on the grid of the scan."""
        return self._scene.grid.image(self._scene.labels)

    @property
    def history(self) -> Tuple[Entry, ...]:
        """What was done and not undone, oldest first."""
        return tuple(self._history.done)

    def refine(
        self,
        target: str,
        include: Iterable[Point] = (),
        exclude: Iterable[Point] = (),
        strokes: Iterable[Stroke] = (),
    ) -> Change:
        """Correct a structure near clicks and strokes.

        Args:
            target: "liver", "spleen" or "tumor".
            include: LPS mm of clicks on voxels that belong to the target and lack.
            exclude: LPS mm of clicks on voxels of the target that do not belong to it.
            strokes: lines drawn.

        Returns:
            What changed; empty, and not in the history, if nothing did.

        Raises:
            UsageError: no such target, no point, or a point outside the scan.
        """
        started = time.monotonic()
        spec = target_named(target)
        told = checked_strokes(self._scene.grid, include, exclude, strokes)
        groups = near_each_other(told, spec.reach_mm)
        wanted = [refine(self._scene, spec, group, self._history.touched) for group in groups]
        return self._write("refine", spec, wanted, started)

    def undo(self) -> Change:
        """Take back the last action.

        Raises:
            UsageError: there is nothing to undo.
        """
        history = self._history
        return self._move(history.done, history.undone, Sentence("correct.nothing-to-undo"), forth=False)

    def redo(self) -> Change:
        """Do again what was undone last.

        Raises:
            UsageError: there is nothing to redo.
        """
        history = self._history
        return self._move(history.undone, history.done, Sentence("correct.nothing-to-redo"), forth=True)

    def add_lesion(self, point: Point, size: Optional[float] = None) -> Change:
        """Add the lesion that holds a point, grown against the liver around it.

        Args:
            point: LPS mm, in the liver.
            size: diameter in mm of the ball of equal volume; None lets the image decide. If the last action
                added a lesion at this very point, it is replaced.

        Raises:
            UsageError: the point lies outside the scan or the liver, or in a lesion, or the size makes no
                sense.
        """
        started = time.monotonic()
        spec = TARGETS["tumor"]
        last = self._history.done[-1] if self._history.done else None
        again = last is not None and last.action == "add_lesion" and last.point == tuple(point)
        if again:
            self.undo()
        try:
            wanted = lesions.grown_lesion(self._scene, point, size, self._history.touched)
        except LiverSegError:
            if again:
                self.redo()  # an error changes nothing
            raise
        if again:
            self._history.undone.pop()
        return self._write("add_lesion", spec, [wanted], started, tuple(point))

    def remove_lesion(self, point: Point) -> Change:
        """Make the lesion at a point liver.

        Raises:
            UsageError: no lesion lies there.
        """
        started = time.monotonic()
        return self._write("remove_lesion", TARGETS["tumor"], [lesions.without(self._scene, point)], started)

    def split_lesion(self, a: Point, b: Point) -> Change:
        """Part a lesion in two, where it is narrow between two points within it.

        Raises:
            UsageError: the points do not lie in one lesion.
        """
        started = time.monotonic()
        return self._write("split_lesion", TARGETS["tumor"], [lesions.split(self._scene, a, b)], started)

    def merge_lesions(self, a: Point, b: Point) -> Change:
        """Join the lesions at two points by a bridge through the liver.

        Raises:
            UsageError: no lesion lies at a point, both lie in one, or no bridge leads through the liver.
        """
        started = time.monotonic()
        return self._write("merge_lesions", TARGETS["tumor"], [lesions.merged(self._scene, a, b)], started)

    def _write(
        self,
        action: str,
        target: Target,
        wanted: Sequence[Wanted],
        started: float,
        point: Optional[Tuple[float, ...]] = None,
    ) -> Change:
        """Write what is wanted into the labels and the history."""
        written = write(self._scene.labels, target, wanted, started)
        change = written.change
        if change.is_empty:
            return change
        labels = self._scene.labels[written.box]
        kept = bounding_box((written.before != labels) | written.told)
        assert kept is not None
        self._history.add(
            Entry(
                action, target.name, box_within(written.box, kept), Packed.of(written.before[kept]),
                Packed.of(labels[kept]), Packed.of(written.told[kept]), change.voxels_added,
                change.voxels_removed, point,
            )
        )  # fmt: skip
        return replace(change, seconds=time.monotonic() - started)

    def _move(self, taken: List[Entry], given: List[Entry], nothing: Sentence, *, forth: bool) -> Change:
        """Restore the labels after (``forth``) or before the last entry of ``taken``, and give it over."""
        started = time.monotonic()
        if not taken:
            raise UsageError(nothing)
        entry = taken.pop()
        given.append(entry)
        labels = self._scene.labels[entry.box]
        now = (entry.after if forth else entry.before).array()
        changed = bounding_box(labels != now)
        labels[...] = now
        assert changed is not None
        added, removed = (entry.voxels_added, entry.voxels_removed)[:: 1 if forth else -1]
        return Change(
            box_within(entry.box, changed), now[changed].copy(), added, removed, time.monotonic() - started
        )
