"""Clean a predicted mask: one liver, one spleen, tumours only within the liver, no specks, no holes.

The rules, in this order; each works on what the one before has left.

1. Liver: of the 26-connected components of parenchyma and tumour together, the largest that holds parenchyma
   stays.
2. Tumour outside: tumour voxels elsewhere stay only where the liver encloses them: a piece of at least the
   minimum lesion size of which at least half the voxels meet the liver in five of the six directions along
   the grid. All others become background.
3. Spleen: the largest 26-connected component stays, if it has MINIMUM_SPLEEN_ML or is cut by the border of
   the scan.
4. Holes: background that the liver (then the spleen) encloses on all sides in 3-D, up to ``maximum_hole_ml``,
   is filled, with tumour where more of the hole's faces border on tumour than on parenchyma. What opens to
   the outside, like fissures, the vena cava or the fossa of the gallbladder, stays as it is, and so does what
   the border of the scan cuts. Spleen voxels are never overwritten.
5. Small tumours: 26-connected components below ``minimum_lesion_ml`` become parenchyma.

Cleaning a clean mask changes nothing. "Largest" means most voxels, or the largest sum of probability where
the network's probability is given, so that a large doubtful structure does not win against a certain organ.
"""

from typing import Callable, List, Optional, Tuple

import numpy as np

from ..images.grid import bounding_box
from ..labels import BACKGROUND, LABELS, LIVER, SPLEEN, TUMOUR
from .cleanup_report import CleanupReport, CleanupStep
from .components import Box, component_sums, enclosed_holes, largest_component, nonzero_indices
from .lesion_limits import MINIMUM_LESION_ML, ROUNDING_ML, below, check_arguments, small_tumours
from .runs import find_runs

MAXIMUM_HOLE_ML = 5.0
"""Default size up to which holes are filled, a ball of 21 mm: less than a gallbladder or a large cyst."""
MINIMUM_SPLEEN_ML = 5.0
"""Least size of a spleen that lies wholly in the scan: adults have 100 to 300 ml, shrunken ones tens."""
ENCLOSED_DIRECTIONS = 5
"""A voxel counts as enclosed if the liver lies in so many of the six directions along the grid axes."""


def clean(
    labels: np.ndarray,
    voxel_ml: float,
    *,
    minimum_lesion_ml: float = MINIMUM_LESION_ML,
    maximum_hole_ml: float = MAXIMUM_HOLE_ML,
    probability: Optional[np.ndarray] = None,
    check: Optional[Callable[[], None]] = None,
) -> Tuple[np.ndarray, CleanupReport]:
    """Clean a mask by the rules at the head of this module.

    Args:
        labels: uint8 (z, y, x), values as in :mod:`LiverSegLib.labels`; it is not changed.
        voxel_ml: volume of a voxel in ml.
        minimum_lesion_ml: tumours below this size become liver; 0 keeps all.
        maximum_hole_ml: enclosed holes above this size stay; 0 fills none.
        probability: uint8 (z, y, x), 255 = 1.0: the network's probability of each voxel's label.
        check: called before each rule; may raise to cancel.

    Returns:
        The clean mask, uint8 (z, y, x), and what was changed.

    Raises:
        UsageError: an argument has the wrong type, shape or range.
        InputError: the mask holds values that are no labels.

    >>> labels = np.zeros((6, 8, 8), np.uint8)
    >>> labels[1:5, 2:7, 2:7] = LIVER
    >>> labels[0, 0, 0] = LIVER  # away from the liver
    >>> cleaned, report = clean(labels, voxel_ml=0.1)
    >>> int(cleaned[0, 0, 0]), [(step.rule, step.voxels) for step in report.steps]
    (0, [('liver-pieces', 1)])
    """
    check_arguments(labels, voxel_ml, minimum_lesion_ml, maximum_hole_ml, probability)
    result = np.zeros(labels.shape, np.uint8)
    box = bounding_box(labels)
    if box is None:
        return result, CleanupReport((), minimum_lesion_ml, maximum_hole_ml)
    result[box] = labels[box]
    certainty = None if probability is None else probability[box]
    cut = tuple((part.start == 0, part.stop == length) for part, length in zip(box, labels.shape))
    cleaner = _Cleaner(result[box], voxel_ml, certainty, cut)
    rules: Tuple[Callable[[], None], ...] = (
        lambda: cleaner.keep_one_liver(minimum_lesion_ml),
        cleaner.keep_one_spleen,
        lambda: cleaner.fill_holes(LIVER, maximum_hole_ml),
        lambda: cleaner.fill_holes(SPLEEN, maximum_hole_ml),
        lambda: cleaner.drop_small_tumours(minimum_lesion_ml),
    )
    for rule in rules:
        if check:
            check()
        rule()
    return result, CleanupReport(tuple(cleaner.steps), minimum_lesion_ml, maximum_hole_ml)


class _Cleaner:
    """Applies the rules to a crop of the mask, in place, and notes what each changed."""

    def __init__(
        self,
        labels: np.ndarray,
        voxel_ml: float,
        probability: Optional[np.ndarray],
        cut: Tuple[Tuple[bool, bool], ...],
    ) -> None:
        """Take the crop (z, y, x), its voxel volume, and per axis at which of its faces the scan ends."""
        self.steps: List[CleanupStep] = []
        self._labels = labels
        self._voxel_ml = voxel_ml
        self._probability = probability
        self._cut = cut

    def keep_one_liver(self, minimum_lesion_ml: float) -> None:
        mask = (self._labels == LIVER) | (self._labels == TUMOUR)
        found = largest_component(mask, weights=self._probability, must_hold=self._labels == LIVER)
        if found is None:
            self._erase("tumour-outside", "Tumor without a liver was removed.", nonzero_indices(mask))
            return
        box, liver = found
        mask[box] &= ~liver
        outside = nonzero_indices(mask)  # few, or none: cheaper to work on than more masks of all the scan
        is_liver = self._labels[outside] == LIVER
        pieces = tuple(place[is_liver] for place in outside)
        mask[pieces] = False
        self._erase("liver-pieces", "Liver away from the largest piece was removed.", pieces)
        # No voxel outside the box of the liver can meet it in more than one direction.
        mask[box] = self._not_enclosed(mask[box], liver, minimum_lesion_ml)
        self._erase("tumour-outside", "Tumor outside the liver was removed.", nonzero_indices(mask))

    def keep_one_spleen(self) -> None:
        mask = self._labels == SPLEEN
        found = largest_component(mask, weights=self._probability)
        if found is None:
            return
        box, spleen = found
        mask[box] &= ~spleen
        self._erase("spleen-pieces", "Spleen away from the largest piece was removed.", nonzero_indices(mask))
        volume_ml = np.count_nonzero(spleen) * self._voxel_ml
        if volume_ml < MINIMUM_SPLEEN_ML - ROUNDING_ML and not self._is_cut(box):
            text = f"A spleen of {volume_ml:.1f} ml was removed: too small to be one."
            self._erase("spleen-implausible", text, nonzero_indices(self._labels == SPLEEN))

    def fill_holes(self, organ: int, maximum_hole_ml: float) -> None:
        mask = self._labels == organ
        if organ == LIVER:
            mask |= self._labels == TUMOUR
        box = bounding_box(mask)
        if box is None or maximum_hole_ml == 0:
            return
        labels = self._labels[box]
        holes, count = enclosed_holes(mask[box])
        if not count:
            return
        small = component_sums(holes, count) * self._voxel_ml <= maximum_hole_ml + ROUNDING_ML
        small[0] = False
        fill = small[holes] & (labels == BACKGROUND)
        numbers = holes[fill]
        if not numbers.size:
            return
        values = np.full(numbers.size, organ, dtype=np.uint8)
        if organ == LIVER:
            values[_mostly_in_tumour(labels, holes, fill)[numbers]] = TUMOUR
        labels[fill] = values
        name = LABELS[organ].key
        self._note(f"{name}-holes", f"Holes in the {name} were filled.", numbers.size)

    def drop_small_tumours(self, minimum_lesion_ml: float) -> None:
        mask = self._labels == TUMOUR
        box = bounding_box(mask)
        if box is None or minimum_lesion_ml == 0:
            return
        drop, sizes = small_tumours(mask[box], minimum_lesion_ml, self._voxel_ml)
        if len(sizes):
            self._labels[box][drop] = LIVER
            text = f"Tumors below {minimum_lesion_ml:g} ml were relabeled as liver."
            self._note("small-tumours", text, int(np.count_nonzero(drop)))

    def _not_enclosed(self, tumour: np.ndarray, liver: np.ndarray, minimum_lesion_ml: float) -> np.ndarray:
        """Return those pieces of tumour (bool) that the liver (bool) does not enclose, or that are small."""
        box = bounding_box(tumour)
        if box is None:
            return tumour
        runs = find_runs(tumour)
        sizes = runs.sums(tumour)
        enclosed = runs.sums(tumour, directions_with(liver, tumour) >= ENCLOSED_DIRECTIONS)
        drop = (2 * enclosed < sizes) | below(sizes, minimum_lesion_ml, self._voxel_ml)
        return runs.numbered(drop) > 0

    def _is_cut(self, box: Box) -> bool:
        """Tell whether what lies tightly in a box reaches the border of the scan."""
        return any(
            (first and part.start == 0) or (last and part.stop == length)
            for part, length, (first, last) in zip(box, self._labels.shape, self._cut)
        )

    def _erase(self, rule: str, text: str, places: Tuple[np.ndarray, ...]) -> None:
        """Make the voxels at ``places``, indices (z, y, x), background."""
        if len(places[0]):
            self._labels[places] = BACKGROUND
            self._note(rule, text, len(places[0]))

    def _note(self, rule: str, text: str, voxels: int) -> None:
        self.steps.append(CleanupStep(rule, text, int(voxels), int(voxels) * self._voxel_ml))


def directions_with(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return for every voxel of ``at`` in how many of the six directions along the axes it meets the mask;
    uint8 (z, y, x), 0 outside ``at``. A voxel of the mask meets it in all directions.
    """
    places = nonzero_indices(at)
    met = np.zeros(len(places[0]), np.uint8)
    for axis in range(3):
        across = tuple(place for other, place in enumerate(places) if other != axis)
        for turned, place in (
            (mask, places[axis]),
            (np.flip(mask, axis), mask.shape[axis] - 1 - places[axis]),
        ):
            first = turned.argmax(axis)
            first[~turned.any(axis)] = mask.shape[axis]
            met += first[across] <= place
    directions = np.zeros(mask.shape, np.uint8)
    directions[places] = met
    return directions


def _mostly_in_tumour(labels: np.ndarray, background: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Tell which components of the background, bool (count + 1,), have more faces on tumour than on liver.

    Args:
        labels, background: (z, y, x) masks of labels and of numbered components.
        hole: bool (z, y, x), the voxels of the components in question; none lies on the array's faces.
    """
    count = int(background.max()) + 1
    at = np.array(nonzero_indices(hole))
    numbers = background[tuple(at)]
    balance = np.zeros(count)
    for axis in range(3):
        for step in (-1, 1):
            beside = at.copy()
            beside[axis] += step
            neighbours = labels[tuple(beside)]
            balance += np.bincount(numbers, (neighbours == TUMOUR).astype(float), count)
            balance -= np.bincount(numbers, (neighbours == LIVER).astype(float), count)
    return balance > 0
