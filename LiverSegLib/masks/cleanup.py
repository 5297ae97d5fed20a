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

from dataclasses import asdict, dataclass, replace
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError, UsageError
from ..labels import BACKGROUND, LABELS, LIVER, SPLEEN, TUMOUR
from .components import Box, bounding_box, cavities, component_sums, largest_component, places_of
from .runs import find_runs

MINIMUM_LESION_ML = 0.065
"""Default least size of a lesion: a ball of 5 mm, see MINIMUM_LESION_MM in ``measure.lesions``."""
MAXIMUM_HOLE_ML = 5.0
"""Default size up to which holes are filled, a ball of 21 mm: less than a gallbladder or a large cyst."""
MINIMUM_SPLEEN_ML = 5.0
"""Least size of a spleen that lies wholly in the scan: adults have 100 to 300 ml, shrunken ones tens."""
ENCLOSED_DIRECTIONS = 5
"""A voxel counts as enclosed if the liver lies in so many of the six directions along the grid axes."""
_ROUNDING_ML = 1e-9


@dataclass(frozen=True)
class CleanupStep:
    """What one rule changed.

    Attributes:
        rule: "liver-pieces", "tumour-outside", "spleen-pieces", "spleen-implausible", "liver-holes",
            "spleen-holes", "small-tumours", "narrow-tumours" or "doubtful-tumours".
        text: what happened, as a sentence.
        voxels: number of voxels changed.
        volume_ml: their volume.
    """

    rule: str
    text: str
    voxels: int
    volume_ml: float


@dataclass(frozen=True)
class CleanupReport:
    """What cleaning changed, a step for each rule that changed something, and the thresholds it used (ml)."""

    steps: Tuple[CleanupStep, ...]
    minimum_lesion_ml: float
    maximum_hole_ml: float

    def step(self, rule: str) -> Optional[CleanupStep]:
        """Return the step of this rule, or None if it changed nothing."""
        return next((step for step in self.steps if step.rule == rule), None)

    @property
    def changed_voxels(self) -> int:
        """Number of changes to voxels over all rules."""
        return sum(step.voxels for step in self.steps)

    def to_dict(self) -> Dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, with units in the keys."""
        return {
            "minimum_lesion_ml": self.minimum_lesion_ml,
            "maximum_hole_ml": self.maximum_hole_ml,
            "steps": [asdict(step) for step in self.steps],
        }


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
    """
    _check(labels, voxel_ml, minimum_lesion_ml, maximum_hole_ml, probability)
    result = np.zeros(labels.shape, np.uint8)
    box = bounding_box(labels)
    if box is None:
        return result, CleanupReport((), minimum_lesion_ml, maximum_hole_ml)
    result[box] = labels[box]
    certainty = None if probability is None else probability[box]
    cut = tuple((part.start == 0, part.stop == length) for part, length in zip(box, labels.shape))
    cleaner = _Cleaner(result[box], voxel_ml, certainty, cut)
    for rule, *arguments in (
        (cleaner.keep_one_liver, minimum_lesion_ml),
        (cleaner.keep_one_spleen,),
        (cleaner.fill_holes, LIVER, maximum_hole_ml),
        (cleaner.fill_holes, SPLEEN, maximum_hole_ml),
        (cleaner.drop_small_tumours, minimum_lesion_ml),
    ):
        if check:
            check()
        rule(*arguments)
    return result, CleanupReport(tuple(cleaner.steps), minimum_lesion_ml, maximum_hole_ml)


def leave_out_tumours(
    labels: np.ndarray, pieces: Sequence[Tuple[Box, np.ndarray]], voxel_ml: float, report: CleanupReport
) -> Tuple[np.ndarray, CleanupReport]:
    """Turn given pieces of tumour into liver.

    Args:
        labels: uint8 (z, y, x), as :func:`clean` returned it; it is not changed.
        pieces: box and bool mask in it of each piece.
        voxel_ml: volume of a voxel.
        report: as :func:`clean` returned it.

    Returns:
        The mask (the one given without pieces) and the report with what was left out as its step
        "narrow-tumours".
    """
    if not pieces:
        return labels, report
    result = labels.copy()
    for box, mask in pieces:
        result[box][mask] = LIVER
    voxels = sum(int(np.count_nonzero(mask)) for _, mask in pieces)
    step = CleanupStep(
        "narrow-tumours", "Tumors too narrow to be told were made liver.", voxels, voxels * voxel_ml
    )
    return result, replace(report, steps=(*report.steps, step))


def leave_out_small_tumours(
    labels: np.ndarray,
    voxel_ml: float,
    minimum_lesion_ml: float,
    report: CleanupReport,
) -> Tuple[np.ndarray, CleanupReport, Tuple[float, ...]]:
    """Turn the small tumours of a clean mask into liver: a second, stricter look for scans that ask for it.

    Args:
        labels: uint8 (z, y, x), as :func:`clean` returned it; it is not changed.
        voxel_ml: volume of a voxel in ml.
        minimum_lesion_ml: 26-connected tumours below this size become parenchyma.
        report: as :func:`clean` returned it.

    Returns:
        The mask (the one given if nothing is small), the report with what was left out as its step
        "doubtful-tumours", and the volumes in ml of what was left out.

    Raises:
        UsageError: an argument has the wrong type, shape or range.
        InputError: the mask holds values that are no labels.
    """
    _check(labels, voxel_ml, minimum_lesion_ml, 0.0, None)
    report = replace(report, minimum_lesion_ml=minimum_lesion_ml)
    tumour = labels == TUMOUR
    box = bounding_box(tumour)
    if box is None:
        return labels, report, ()
    small, sizes = _small_tumours(tumour[box], minimum_lesion_ml, voxel_ml)
    if not len(sizes):
        return labels, report, ()
    result = labels.copy()
    result[box][small] = LIVER
    text = f"Tumors below {minimum_lesion_ml:g} ml were made liver: doubtful in this contrast phase."
    volumes = tuple(float(size) * voxel_ml for size in sizes)
    step = CleanupStep("doubtful-tumours", text, int(sizes.sum()), sum(volumes))
    return result, replace(report, steps=(*report.steps, step)), volumes


def _check(
    labels: np.ndarray,
    voxel_ml: float,
    minimum_lesion_ml: float,
    maximum_hole_ml: float,
    probability: Optional[np.ndarray],
) -> None:
    if labels.ndim != 3 or labels.dtype != np.uint8:
        raise UsageError(f"The mask must be uint8 with three axes, not {labels.dtype} with {labels.ndim}.")
    if not (np.isfinite(voxel_ml) and voxel_ml > 0):
        raise UsageError(f"The volume of a voxel must be a positive number of ml, not {voxel_ml}.")
    for name, value in (("minimum lesion size", minimum_lesion_ml), ("maximum hole size", maximum_hole_ml)):
        if not (np.isfinite(value) and value >= 0):
            raise UsageError(f"The {name} must be 0 ml or more, not {value}.")
    if probability is not None and (probability.shape != labels.shape or probability.dtype != np.uint8):
        raise UsageError(
            f"The probability must be uint8 of shape {labels.shape}, not of shape {probability.shape}."
        )
    if labels.max(initial=0) > max(LABELS):
        raise InputError(f"The mask holds the value {labels.max()}, which is no label.")


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
        self.steps = []
        self._labels = labels
        self._voxel_ml = voxel_ml
        self._probability = probability
        self._cut = cut

    def keep_one_liver(self, minimum_lesion_ml: float) -> None:
        mask = (self._labels == LIVER) | (self._labels == TUMOUR)
        found = largest_component(mask, weights=self._probability, must_hold=self._labels == LIVER)
        if found is None:
            self._erase("tumour-outside", "Tumor without a liver was removed.", places_of(mask))
            return
        box, liver = found
        mask[box] &= ~liver
        outside = places_of(mask)  # few, or none: cheaper to work on than more masks of all the scan
        is_liver = self._labels[outside] == LIVER
        pieces = tuple(place[is_liver] for place in outside)
        mask[pieces] = False
        self._erase("liver-pieces", "Liver away from the largest piece was removed.", pieces)
        # No voxel outside the box of the liver can meet it in more than one direction.
        mask[box] = self._not_enclosed(mask[box], liver, minimum_lesion_ml)
        self._erase("tumour-outside", "Tumor outside the liver was removed.", places_of(mask))

    def keep_one_spleen(self) -> None:
        mask = self._labels == SPLEEN
        found = largest_component(mask, weights=self._probability)
        if found is None:
            return
        box, spleen = found
        mask[box] &= ~spleen
        self._erase("spleen-pieces", "Spleen away from the largest piece was removed.", places_of(mask))
        volume_ml = np.count_nonzero(spleen) * self._voxel_ml
        if volume_ml < MINIMUM_SPLEEN_ML - _ROUNDING_ML and not self._is_cut(box):
            text = f"A spleen of {volume_ml:.1f} ml was removed: too small to be one."
            self._erase("spleen-implausible", text, places_of(self._labels == SPLEEN))

    def fill_holes(self, organ: int, maximum_hole_ml: float) -> None:
        mask = self._labels == organ
        if organ == LIVER:
            mask |= self._labels == TUMOUR
        box = bounding_box(mask)
        if box is None or maximum_hole_ml == 0:
            return
        labels = self._labels[box]
        holes, count = cavities(mask[box])
        if not count:
            return
        small = component_sums(holes, count) * self._voxel_ml <= maximum_hole_ml + _ROUNDING_ML
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
        drop, sizes = _small_tumours(mask[box], minimum_lesion_ml, self._voxel_ml)
        if len(sizes):
            self._labels[box][drop] = LIVER
            text = f"Tumors below {minimum_lesion_ml:g} ml were made liver."
            self._note("small-tumours", text, np.count_nonzero(drop))

    def _not_enclosed(self, tumour: np.ndarray, liver: np.ndarray, minimum_lesion_ml: float) -> np.ndarray:
        """Return those pieces of tumour (bool) that the liver (bool) does not enclose, or that are small."""
        box = bounding_box(tumour)
        if box is None:
            return tumour
        runs = find_runs(tumour)
        sizes = runs.sums(tumour)
        enclosed = runs.sums(tumour, _directions_with(liver, tumour) >= ENCLOSED_DIRECTIONS)
        drop = (2 * enclosed < sizes) | _below(sizes, minimum_lesion_ml, self._voxel_ml)
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


def _small_tumours(tumour: np.ndarray, minimum_ml: float, voxel_ml: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return the pieces of tumour (bool) below a volume as bool of its shape, and their sizes in voxels."""
    runs = find_runs(tumour)
    sizes = runs.sums(tumour)
    small = _below(sizes, minimum_ml, voxel_ml)
    return runs.numbered(small) > 0, sizes[small]


def _below(sizes: np.ndarray, minimum_ml: float, voxel_ml: float) -> np.ndarray:
    """Tell which sizes in voxels are below a volume."""
    return sizes * voxel_ml < minimum_ml - _ROUNDING_ML


def _directions_with(mask: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return for every voxel of ``at`` in how many of the six directions along the axes it meets the mask;
    uint8 (z, y, x), 0 outside ``at``. A voxel of the mask meets it in all directions.
    """
    places = places_of(at)
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
    at = np.array(places_of(hole))
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
