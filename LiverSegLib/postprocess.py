"""What is done to the labels that networks draw before they are measured: combined, cleaned, doubtful lesions
left out.
"""

from dataclasses import replace
from typing import Callable, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import NoLiverError
from LiverSegLib.images.grid import Grid, bounding_box
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.loaded_model import Drawn
from LiverSegLib.masks.cleanup import MINIMUM_LESION_ML, clean
from LiverSegLib.masks.cleanup_report import CleanupReport, CleanupStep
from LiverSegLib.masks.combine import REACH_MM, combine
from LiverSegLib.masks.lesion_growth import grown_lesions
from LiverSegLib.masks.lesion_limits import UNLIKELY, leave_out_small_tumours, leave_out_tumours
from LiverSegLib.masks.lesion_opening import spikes
from LiverSegLib.measure.facts import PhaseEstimate
from LiverSegLib.measure.lesions import narrow_lesions
from LiverSegLib.measure.second_look import candidates, likelihood
from LiverSegLib.measure.warnings import left_out_lesions, unlikely_lesions
from LiverSegLib.models import Manifest
from LiverSegLib.sentences import Sentence

GROWN = ("grown-tumours", "Liver at the borders of tumors was relabeled as tumor.")
"""Rule and sentence of the report's step about lesions that grew."""
OPENED = ("spikes-of-tumours", "Thin parts at the borders of tumors were relabeled as liver.")
"""Rule and sentence of the report's step about lesions that lost their spikes."""
MINIMUM_LIVER_ML = 20.0
"""Below this volume (ml) after cleaning we report no liver."""
NOTABLE_CUT_ML = 1.0
"""From this volume (ml) on a user is told that a part of a lesion lies outside the liver and was left out."""


def together(
    organs: Drawn, tumours: Drawn, grid: Grid, names: Tuple[str, str]
) -> Tuple[Drawn, Tuple[CleanupStep, ...]]:
    """Put the tumours of one model into the liver of another, by the rules of :mod:`masks.combine`.

    Args:
        organs, tumours: what the two models draw on the grid.
        grid: of the scan.
        names: of the two models, for sentences.

    Returns:
        Both as one, and what was left out.
    """
    first, second = organs.structures, tumours.probability
    both = combine(
        organs.labels,
        tumours.labels,
        grid.spacing[::-1],
        (organs.probability, second),
        others=None if first is None else first.is_extra(),
    )
    steps: Tuple[CleanupStep, ...] = ()
    if both.outside_voxels:
        text = "Tumor that the second model draws outside the first one's liver was left out."
        left_ml = both.outside_voxels * grid.voxel_ml
        steps = (CleanupStep("tumour-beyond", text, both.outside_voxels, left_ml),)
    warnings = (*organs.warnings, *tumours.warnings)
    cut_ml = both.cut_voxels * grid.voxel_ml
    if cut_ml >= NOTABLE_CUT_ML:
        warnings += (Sentence("tumours.beyond", ml=cut_ml, name=names[1], mm=REACH_MM),)
    notes = (*organs.notes, *tumours.notes, Sentence("note.tumours-of", tumours=names[1], organs=names[0]))
    once = tuple(dict.fromkeys(notes))
    return Drawn(both.labels, both.probability, first, once, warnings), steps


def cleaned(
    drawn: Drawn,
    scan: sitk.Image,
    minimum_ml: Optional[float],
    check: Callable[[], None],
    earlier: Tuple[CleanupStep, ...] = (),
) -> Tuple[sitk.Image, CleanupReport]:
    """Clean what was drawn; without a size that the user asked for, narrow lesions become liver too.

    Args:
        drawn: on the scan's grid.
        scan: the scan.
        minimum_ml: the least lesion that the user asked for; None for the defaults.
        check: called between the rules; may raise to cancel.
        earlier: what was changed before, for the report.

    Raises:
        NoLiverError: what is left is too small to be a liver.
    """
    grid = Grid.of(scan)
    mask, report = clean(
        drawn.labels,
        grid.voxel_ml,
        minimum_lesion_ml=MINIMUM_LESION_ML if minimum_ml is None else float(minimum_ml),
        probability=drawn.probability,
        check=check,
    )
    report = replace(report, steps=(*earlier, *report.steps))
    _require_liver(mask, grid.voxel_ml)
    labels = grid.image(mask)
    if minimum_ml is None:
        narrow = narrow_lesions(labels)
        if narrow:
            mask, report = leave_out_tumours(mask, narrow, grid.voxel_ml, report)
            labels = grid.image(mask)
    return labels, report


def without_doubtful(
    labels: sitk.Image, report: CleanupReport, phase: PhaseEstimate, manifest: Optional[Manifest]
) -> Tuple[sitk.Image, CleanupReport, Tuple[str, ...]]:
    """Leave out the lesions that the model is known to invent in this contrast phase.

    Args:
        labels: the mask.
        report: of its cleaning.
        phase: of the scan.
        manifest: of the model that drew the tumours.

    Returns:
        The mask, the report that says so, and sentences on what was left out.
    """
    minimum = manifest.minimum_lesion_ml.get(phase.phase, 0.0) if manifest else 0.0
    if minimum <= report.minimum_lesion_ml:
        return labels, report, ()
    grid = Grid.of(labels)
    mask, report, sizes = leave_out_small_tumours(
        sitk.GetArrayViewFromImage(labels), grid.voxel_ml, minimum, report
    )
    return (
        grid.image(mask) if sizes else labels,
        report,
        left_out_lesions(phase.phase, sizes, minimum),
    )


def without_unlikely(
    labels: sitk.Image,
    report: CleanupReport,
    scan: sitk.Image,
    probability: np.ndarray,
    manifest: Optional[Manifest],
    check: Callable[[], None],
) -> Tuple[sitk.Image, CleanupReport, Tuple[str, ...]]:
    """Leave out the lesions that are none on a second look, if the model's manifest has one.

    Args:
        labels: the mask.
        report: of its cleaning.
        scan: in HU.
        probability: uint8 (z, y, x), of each voxel's label.
        manifest: of the model that drew the tumours.
        check: called between lesions; may raise to cancel.

    Returns:
        The mask, the report that says so, and sentences on what was left out.
    """
    look = manifest.second_look if manifest else None
    if look is None:
        return labels, report, ()
    unlikely = [
        (candidate.box, candidate.mask)
        for candidate in candidates(labels, scan, probability, check)
        if likelihood(candidate.features, look.weights, look.bias) < look.least
    ]
    if not unlikely:
        return labels, report, ()
    grid = Grid.of(labels)
    mask, report = leave_out_tumours(
        sitk.GetArrayViewFromImage(labels), unlikely, grid.voxel_ml, report, UNLIKELY
    )
    step = report.steps[-1]
    return grid.image(mask), report, unlikely_lesions(len(unlikely), step.volume_ml)


def with_grown_lesions(
    labels: sitk.Image,
    report: CleanupReport,
    scan: sitk.Image,
    probability: np.ndarray,
    manifest: Optional[Manifest],
    check: Callable[[], None],
) -> Tuple[sitk.Image, CleanupReport, np.ndarray]:
    """Grow the lesions to their borders, if the model's manifest says that it draws them too small.

    Args:
        labels: the mask.
        report: of its cleaning.
        scan: in HU.
        probability: uint8 (z, y, x), of each voxel's label, as this one model gave it; it is not changed.
        manifest: of the model.
        check: called between lesions; may raise to cancel.

    Returns:
        The mask, the report that says so, and the probability of each voxel's label, which is that of not
        being liver where a lesion grew.
    """
    growth = manifest.lesion_growth if manifest else None
    if growth is None:
        return labels, report, probability
    added = grown_lesions(
        labels,
        scan,
        probability,
        evidence=growth.evidence,
        least=growth.least,
        reach_mm=growth.reach_mm,
        reach_share=growth.reach_share,
        check=check,
    )
    return _relabeled(labels, report, probability, added, TUMOUR, GROWN)


def without_spikes(
    labels: sitk.Image,
    report: CleanupReport,
    probability: np.ndarray,
    manifest: Optional[Manifest],
    check: Callable[[], None],
) -> Tuple[sitk.Image, CleanupReport, np.ndarray]:
    """Take thin parts off the lesions, if the model's manifest says that it draws them with such.

    Args:
        labels: the mask.
        report: of its cleaning.
        probability: uint8 (z, y, x), of each voxel's label; it is not changed.
        manifest: of the model.
        check: called between lesions; may raise to cancel.

    Returns:
        The mask, the report that says so, and the probability of each voxel's label, which is that of not
        being lesion where a part was taken off.
    """
    opening = manifest.lesion_opening if manifest else None
    if opening is None:
        return labels, report, probability
    narrow = spikes(
        labels,
        radius_mm=opening.radius_mm,
        radius_share=opening.radius_share,
        least_ml=report.minimum_lesion_ml,
        check=check,
    )
    return _relabeled(labels, report, probability, narrow, LIVER, OPENED)


def _relabeled(
    labels: sitk.Image,
    report: CleanupReport,
    probability: np.ndarray,
    where: np.ndarray,
    label: int,
    reason: Tuple[str, str],
) -> Tuple[sitk.Image, CleanupReport, np.ndarray]:
    """Give voxels another label, and with it what is left of the probability of the one before."""
    voxels = int(np.count_nonzero(where))
    if not voxels:
        return labels, report, probability
    grid, mask, probability = Grid.of(labels), sitk.GetArrayFromImage(labels), probability.copy()
    mask[where] = label
    probability[where] = 255 - probability[where]
    step = CleanupStep(*reason, voxels, voxels * grid.voxel_ml)
    return grid.image(mask), replace(report, steps=(*report.steps, step)), probability


def _require_liver(labels: np.ndarray, voxel_ml: float) -> None:
    """Raise NoLiverError if what was found is too small to be one."""
    box = bounding_box(labels)
    organs = labels[:0] if box is None else labels[box]
    liver_voxels = np.count_nonzero(organs == LIVER) + np.count_nonzero(organs == TUMOUR)
    if liver_voxels * voxel_ml < MINIMUM_LIVER_ML:
        raise NoLiverError(Sentence("refused.no-liver"))
