"""What the worker does to correct a mask: keep the case open, and correct its labels in a box."""

from typing import Tuple

import numpy as np

from ..cancelling import while_checking
from ..errors import UsageError
from ..images.modality import MR
from ..images.signal import like_hu
from ..sentences import Sentence
from . import scratch
from .context import TaskContext, result_folder
from .correct_messages import CaseOpened, OpenCase, Point, Refine, RefineResult, StrokeLine
from .handed import read_box, read_mask, read_voxels

LABELS = "labels.npy"
"""The file of a result that holds the labels in its box."""


def open_case(request: OpenCase, context: TaskContext) -> CaseOpened:
    """Open a case: what later corrections read is mapped, and what they import is imported."""
    from ..correct import Case
    from ..measure import scan as numbers  # noqa: F401 (imported here: new numbers follow the first edit)

    def opened() -> Case:
        # Mapped files cannot be removed on Windows: their owner does it after another case was opened.
        image, shape = read_voxels(request.voxels, request.grid), request.grid.shape
        if request.modality == MR:
            image = like_hu(image)
        labels, probability = request.labels, request.probability
        return Case(
            image,
            request.grid.checked(),
            None if labels is None else read_mask(labels, shape, "handed.segmentation-unreadable"),
            None if probability is None else read_mask(probability, shape, "handed.probability-unreadable"),
        )

    context.cases.keep(request.id, while_checking(lambda ask: opened(), context.check))
    return CaseOpened(request.id)


def refine(request: Refine, context: TaskContext) -> RefineResult:
    """Correct the labels in a box of an open case."""
    from ..correct import Correction, Stroke

    def strokes(lines: Tuple[StrokeLine, ...]) -> Tuple[Stroke, ...]:
        return tuple(Stroke(_points(line.points), line.radius_mm, line.include) for line in lines)

    case = context.cases.named(request.case)
    box = read_box(request.box, case.grid.shape)
    shape = tuple(part.stop - part.start for part in box)
    correction = Correction(
        request.action,
        request.target,
        box,
        np.array(read_mask(request.labels, shape, "handed.segmentation-unreadable")),
        _points(request.include),
        _points(request.exclude),
        strokes(request.strokes),
        request.size,
        strokes(request.earlier),
    )
    change = while_checking(lambda ask: case.correct(correction), context.check)
    numbers = (change.voxels_added, change.voxels_removed, change.seconds)
    if change.is_empty:
        return RefineResult(request.id, None, None, (), *numbers)
    with result_folder(context, request.id) as folder:
        scratch.save_array(folder / LABELS, change.labels_in_box)
        corners = tuple(edge for part in change.box for edge in (part.start, part.stop))
        return RefineResult(request.id, str(folder), LABELS, corners, *numbers)


def _points(points: Tuple[Tuple[float, ...], ...]) -> Tuple[Point, ...]:
    """The points of a message, whose number of coordinates is checked."""
    for point in points:
        if len(point) != 3:
            raise UsageError(Sentence("correct.not-a-point", value=str(point)))
    return tuple((x, y, z) for x, y, z in points)
