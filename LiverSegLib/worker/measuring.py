"""What the worker does to measure a mask that somebody drew or changed: numbers soon after every edit.

The scan does not change between two edits, so it is checked once; after that only the box that holds the
labels is read of it.
"""

import datetime
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..cancelling import while_checking
from ..errors import UnreadableImageError
from ..images.grid import Box, Grid
from ..images.modality import CT
from ..review import AUTOMATIC, GIVEN, Review
from ..review import EDITED as EDITED_BY_HAND
from ..sentences import Sentence, with_identity
from .context import CheckedScan, TaskContext, result_folder
from .handed import read_box, read_image, read_mask, read_summary, read_voxels
from .messages import Measure, MeasureResult

if TYPE_CHECKING:
    from ..measure import Measurements
    from ..measure.facts import ClinicalFacts, PhaseEstimate

EDITED = Sentence("volume.edited")
"""What a summary says of a mask that is no longer as it was computed."""

SUMMARY = "summary.json"
"""The file of a result that holds its numbers."""


def measure(request: Measure, context: TaskContext) -> MeasureResult:
    """Measure a mask that somebody drew or changed."""
    summary, checked = while_checking(lambda ask: _measured(request, context.in_thread(ask)), context.check)
    context.scans.keep(checked)
    with result_folder(context, request.id) as folder:
        (folder / SUMMARY).write_text(json.dumps(with_identity(summary)), encoding="utf-8")
        return MeasureResult(request.id, str(folder), SUMMARY)


def _measured(request: Measure, context: TaskContext) -> Tuple[Dict[str, Any], CheckedScan]:
    """Measure the mask that was handed over; return the summary, and what reading the scan found."""
    from ..measure import hu_around_labels, measure_arrays
    from ..measure.facts import ClinicalFacts

    context.report_progress(0.0, "read", "Reading and checking the scan")
    earlier = read_summary(request.summary)
    facts = ClinicalFacts.from_dict(earlier.get("facts"))
    voxels, grid = read_voxels(request.voxels, request.grid), request.grid
    box = read_box(request.box, grid.shape) if request.box else grid.box
    mask = _labels_in(request, box)
    state = _state(request.voxels, grid)
    checked, phase = context.scans.of(state), facts.phase
    image: Optional[sitk.Image] = None
    needs_phase = phase is None and facts.modality == CT
    if checked is None or needs_phase:
        checked, image = _checked(request, state, facts.modality)
    context.report_progress(0.4, "measure", "Measuring")
    context.check()
    if needs_phase:
        assert image is not None
        phase = _phase(image, mask, box, facts.says_contrast)
        context.check()
    facts = replace(facts, phase=phase)
    measurements = measure_arrays(
        mask,
        box,
        hu_around_labels(voxels, mask, box, checked.kind),
        grid,
        **facts.for_measuring(),
    )
    return _summary(request, earlier, checked, facts, measurements), checked


def _summary(
    request: Measure,
    earlier: Mapping[str, Any],
    checked: CheckedScan,
    facts: "ClinicalFacts",
    measurements: "Measurements",
) -> Dict[str, Any]:
    """What goes back: the new numbers, and what the earlier summary said that still holds."""
    plain = {
        **measurements.to_dict(),
        "rejected_lesions": earlier.get("measurements", {}).get("rejected_lesions", []),
    }
    said = set(earlier.get("measurements", {}).get("warnings", ()))
    kept = [text for text in earlier.get("warnings", ()) if text not in said and text != EDITED]
    warnings = [EDITED] * request.edited + list(checked.warnings) + kept + list(measurements.warnings)
    summary = {
        "name": request.name or earlier.get("name") or checked.name,
        "measurements": plain,
        "facts": facts.to_dict(),
        "provenance": {**earlier.get("provenance", {}), **_edit_facts(request.edited)},
        "warnings": list(dict.fromkeys(warnings)),
    }
    if earlier.get("structures"):  # nobody edits those: they are as the model drew them
        summary["structures"] = earlier["structures"]
    review = Review.from_dict(earlier.get("review"))
    if review is not None:
        # An accepted mask may be an edited one: only what was automatic is surely edited now.
        is_edited = request.edited and review.state in (AUTOMATIC, GIVEN)
        summary["review"] = (Review(EDITED_BY_HAND) if is_edited else review).to_dict()
    return summary


def _labels_in(request: Measure, box: Box) -> np.ndarray:
    """The labels in a box of the scan, uint8 (z, y, x)."""
    shape = tuple(part.stop - part.start for part in box)
    return np.asarray(read_mask(request.labels, shape, "handed.segmentation-unreadable"))


def _checked(request: Measure, state: Tuple[Any, ...], modality: str) -> Tuple[CheckedScan, sitk.Image]:
    """Read the whole scan, look whether it is a CT, or the MR that it was, and return what was found and the
    scan.
    """
    from ..images import read_scan

    scan = read_scan(read_image(request.voxels, request.grid), modality=modality)
    kind = sitk.GetArrayViewFromImage(scan.image).dtype
    return CheckedScan(state, scan.name, scan.warnings, kind), scan.image


def _phase(scan: sitk.Image, mask: np.ndarray, box: Box, contrast: Optional[bool]) -> "PhaseEstimate":
    """The contrast phase, with the labels in a box of the scan and what its header says of contrast."""
    from ..measure.phase import estimate_phase

    whole = np.zeros(scan.GetSize()[::-1], np.uint8)
    whole[box] = mask
    labels = sitk.GetImageFromArray(whole)
    labels.CopyInformation(scan)
    return estimate_phase(scan, labels, contrast=contrast)


def _state(path: str, grid: Grid) -> Tuple[Any, ...]:
    """What tells a file of voxels from another, or from the same after it was written again."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise UnreadableImageError(Sentence("handed.scan-unreadable"), str(error)) from error
    return path, found.st_ino, found.st_size, found.st_mtime_ns, grid


def _edit_facts(edited: bool) -> Dict[str, Any]:
    from .. import __version__

    if not edited:
        return {}
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"edited": {"measured": now, "liverseg_version": __version__}}
