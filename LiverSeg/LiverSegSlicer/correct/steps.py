"""One correction, step by step: hand over what the worker lacks, ask it, write what changes into segments."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generator, List, Optional, Sequence, Tuple
from uuid import uuid4

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import CaseNotOpenError, InputError, UsageError, WorkerError
from LiverSegLib.images.grid import Box, Grid
from LiverSegLib.worker import protocol, scratch
from LiverSegLib.worker.correct_messages import Point, StrokeLine

from ..scene import parts, volumes
from ..scene.automatic import automaticOf
from ..scene.edits import Edit, Writer, writeEdit
from ..scene.roles import Roles, rolesFor
from ..scene.segments import VALUES, LabelSlabs
from ..work.files import readArray, resultFile, resultFolder, writeArray
from ..work.input_watch import InputWatch
from ..work.run import Ask, Run, Steps
from ..work.scan_files import KeptScan, folderFor, keepScan

REACH_MM = 95.0
"""The worker gets the labels this far around the points: nothing further than 90 mm from them changes."""
LESION_REACH_MM = 150.0
"""For whole lesions, which may be large."""
PIECE_VOXELS = 1 << 22
"""So many labels are read in one turn of the event loop: some 10 ms."""


@dataclass(frozen=True)
class EditedCase:
    """What is corrected.

    Attributes:
        segmentationNode: any segmentation. volumeNode: the scan that it lies on.
        roles: its segments as the core's labels.
    """

    segmentationNode: Any
    volumeNode: Any
    roles: Roles


@dataclass(frozen=True)
class Asked:
    """What the reader wants; points are LPS mm of the scan.

    Attributes:
        action: "refine", "add_lesion", "remove_lesion", "split_lesion" or "merge_lesions".
        include, exclude: clicks. For actions on lesions ``include`` are their points.
        strokes: lines drawn.
        size: diameter in mm that an added lesion gets; None: the image decides.
        instead: the edit that this one replaces: a lesion that gets another size.
    """

    action: str = "refine"
    include: Tuple[Point, ...] = ()
    exclude: Tuple[Point, ...] = ()
    strokes: Tuple[StrokeLine, ...] = ()
    size: Optional[float] = None
    instead: Optional[Edit] = None

    def points(self) -> Tuple[Point, ...]:
        """All points, those of strokes too."""
        return (*self.include, *self.exclude, *(point for line in self.strokes for point in line.points))

    def lines(self) -> Tuple[StrokeLine, ...]:
        """Clicks and strokes as strokes."""
        clicks = [StrokeLine((point,), include=True) for point in self.include]
        clicks += [StrokeLine((point,), include=False) for point in self.exclude]
        return (*clicks, *self.strokes) if self.action == "refine" else ()


@dataclass(frozen=True)
class Corrected:
    """What a correction did.

    Attributes:
        asked: what was wanted.
        edit: the labels before and after in the box that changed; None if nothing did.
        added, removed: voxels that the corrected segment gained and lost.
        voxelMl: ml of a voxel.
    """

    asked: Asked
    edit: Optional[Edit]
    added: int
    removed: int
    voxelMl: float


def caseOf(segmentationNode: Any, segmentID: str, volumeNode: Any) -> EditedCase:
    """Return what is corrected when a segment is chosen.

    Raises:
        UsageError: there is no such segment, or segmentation and scan lie under different transforms.
        InputError: the volume is no CT that could be segmented.
    """
    if segmentationNode is None or segmentationNode.GetSegmentation().GetSegment(segmentID or "") is None:
        raise UsageError(_("Choose the segment to correct first."))
    volumes.checkVolume(volumeNode)
    if segmentationNode.GetParentTransformNode() is not volumeNode.GetParentTransformNode():
        raise UsageError(
            _("Segmentation and scan lie under different transforms: put both under the same one first.")
        )
    return EditedCase(segmentationNode, volumeNode, rolesFor(segmentationNode, segmentID))


def correctSteps(
    case: EditedCase, asked: Asked, earlier: Tuple[StrokeLine, ...], writer: Writer, run: Run
) -> Steps:
    """Correct a segment near points; the result is a ``Corrected``.

    The labels are read when the worker is asked and the change is written when it has answered; what was
    edited in between by other means stays, unless it is at the very voxels.
    """
    writer.check()
    _checkPresent(case)
    watch = InputWatch(case.volumeNode, run.stop)
    watch.start()
    try:
        with folderFor(run) as folder:
            scan = yield from keepScan(run, case.volumeNode)
            now, edit = yield from _ask(case, asked, earlier, scan, folder)
        watch.check()
        writer.check()
        _checkPresent(case)
        added, removed = writeEdit(
            writer,
            case.segmentationNode,
            case.volumeNode,
            case.roles,
            Edit(edit.box, now, edit.after),
            save=asked.instead is None,
        )
        voxelMl = volumes.volumeGrid(case.volumeNode).voxel_ml
        return Corrected(asked, None if edit.isEmpty else edit.tight(), added, removed, voxelMl)
    finally:
        watch.stop()


def _checkPresent(case: EditedCase) -> None:
    """Raise InputError if what is corrected is gone."""
    if not slicer.mrmlScene.IsNodePresent(case.volumeNode):
        raise InputError(_("The scan was removed from the scene; nothing was changed."))
    if not slicer.mrmlScene.IsNodePresent(case.segmentationNode):
        raise InputError(_("The segmentation was removed from the scene; nothing was changed."))
    if case.segmentationNode.GetSegmentation().GetSegment(case.roles.segmentID) is None:
        raise InputError(_("The segment was removed from the segmentation; nothing was changed."))


def _ask(
    case: EditedCase,
    asked: Asked,
    earlier: Tuple[StrokeLine, ...],
    scan: KeptScan,
    folder: Path,
) -> Generator[Any, Any, Tuple[np.ndarray, Edit]]:
    """Ask the worker; return the labels now in the box around the points, and what changes there, from what
    was there before the edit that this one replaces."""
    grid = volumes.volumeGrid(case.volumeNode)
    box = grid.box_around(asked.points(), REACH_MM if asked.action == "refine" else LESION_REACH_MM)
    if any(part.start >= part.stop for part in box):
        raise UsageError(_("The point lies outside the scan."))
    now = yield from _labelsNow(case, box)
    before = now if asked.instead is None else _takenBack(now, box, asked.instead)
    yield None
    earlier = tuple(line for line in earlier if _holds(line, grid, box, before, case.roles.value))
    reply = yield from _refined(case, asked, earlier, scan, folder, box, before)
    places: List[Box] = [] if asked.instead is None else [_inside(asked.instead.box, box)]
    inside = None
    if reply.labels is not None:
        place = resultFolder(reply.folder, folder.parent)
        try:
            inside = yield from readArray(resultFile(reply.folder, reply.labels))
        finally:
            scratch.remove_tree(place)
        z, y, x = (slice(*pair) for pair in _pairs(reply.box))
        places.append(_inside((z, y, x), box))
        if before[places[-1]].shape != inside.shape or inside.dtype != np.uint8:
            text = _("The worker's result could not be read.")
            raise WorkerError(text, f"labels {inside.dtype} {inside.shape}, box {reply.box}")
    # no larger than what may have changed: to look through all of the box would take long
    around = _around(places)
    after = before[around].copy()
    if inside is not None:
        after[_inside(places[-1], around)] = inside
    z, y, x = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(box, around))
    return now[around], Edit((z, y, x), before[around].copy(), after)


def _refined(
    case: EditedCase,
    asked: Asked,
    earlier: Tuple[StrokeLine, ...],
    scan: KeptScan,
    folder: Path,
    box: Box,
    labels: np.ndarray,
) -> Steps:
    """Ask the worker, for which the case is opened first if need be; the result is its answer."""
    path = folder / "labels.npy"
    yield from writeArray(path, labels)
    for attempt in (1, 2):
        name = yield from _openCase(case, scan)
        request = protocol.Refine(
            f"{folder.name}-{attempt}",
            case=name,
            action=asked.action,
            target=case.roles.target,
            box=tuple(edge for part in box for edge in (part.start, part.stop)),
            labels=str(path),
            include=asked.include,
            exclude=asked.exclude,
            strokes=asked.strokes,
            size=asked.size,
            earlier=earlier,
        )
        try:
            reply = yield Ask(request)
            return reply
        except CaseNotOpenError:
            scan.case = None
            if attempt == 2:
                raise


def _openCase(case: EditedCase, scan: KeptScan) -> Steps:
    """Let the worker open the case, unless it has; the result is its name."""
    settled = automaticOf(case.segmentationNode)
    if settled is None:  # not ours: what is there now counts as settled
        settled, values, state = case.segmentationNode, case.roles.values, 0
    else:
        values = VALUES
        state = settled.GetSegmentation().GetMTime()
    key = (settled.GetID(), settled.GetAddressAsString("vtkMRMLNode"), state, tuple(values.items()))
    if scan.case is not None and scan.case[1] == key:
        return scan.case[0]
    name = uuid4().hex[:12]
    path = scan.folder / f"labels-{name}.npy"
    yield from writeArray(path, LabelSlabs(settled, case.volumeNode, values))
    probability = scan.probabilityOf(case.segmentationNode.GetAttribute(parts.TIME)) if state else None
    yield Ask(
        protocol.OpenCase(
            name,
            voxels=str(scan.voxels),
            grid=volumes.volumeGrid(case.volumeNode),
            labels=str(path),
            probability=None if probability is None else str(probability),
            modality=parts.modalityOfResult(case.segmentationNode) or volumes.modalityOf(case.volumeNode),
        )
    )
    scan.opened(name, key, path)
    return name


def _labelsNow(case: EditedCase, box: Box) -> Generator[None, None, np.ndarray]:
    """Return the labels now, uint8 (z, y, x), in a box of the scan; a piece in every turn."""
    slabs = LabelSlabs(case.segmentationNode, case.volumeNode, case.roles.values, box)
    labels = np.empty(slabs.shape, np.uint8)
    step = max(1, PIECE_VOXELS // max(1, labels[:1].size))
    for first in range(0, len(labels), step):
        labels[first : first + step] = slabs[first : first + step]
        yield None
    return labels


def _inside(part: Box, box: Box) -> Box:
    """Return a part of a box, counted from its corner."""
    z, y, x = (
        slice(max(a.start, b.start) - b.start, max(a.start, b.start, min(a.stop, b.stop)) - b.start)
        for a, b in zip(part, box)
    )
    return z, y, x


def _around(parts: Sequence[Box]) -> Box:
    """Return the box around several; of no size if there are none."""
    if not parts:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    z, y, x = (
        slice(min(part[axis].start for part in parts), max(part[axis].stop for part in parts))
        for axis in range(3)
    )
    return z, y, x


def _takenBack(labels: np.ndarray, box: Box, edit: Edit) -> np.ndarray:
    """Return labels of a box without an edit: where they are still what it made of them."""
    result = labels.copy()
    here, there = [], []
    for part, other in zip(box, edit.box):
        low, high = max(part.start, other.start), min(part.stop, other.stop)
        here.append(slice(low - part.start, max(low, high) - part.start))
        there.append(slice(low - other.start, max(low, high) - other.start))
    view, after = result[tuple(here)], edit.after[tuple(there)]
    if view.size:
        np.copyto(view, edit.before[tuple(there)], where=view == after)
    return result


def _holds(line: StrokeLine, grid: Grid, box: Box, labels: np.ndarray, value: int) -> bool:
    """Whether what a click or stroke told is so now: what was undone or drawn over since does not bind.

    Args:
        labels: (z, y, x) of the box, now.
        value: the segment's.
    """
    starts, shape = np.array([part.start for part in box]), np.array(labels.shape)
    places = np.rint(grid.indices(np.array(line.points))).astype(int)[:, ::-1] - starts
    places = places[((places >= 0) & (places < shape)).all(axis=1)]
    return len(places) > 0 and bool(((labels[tuple(places.T)] == value) == line.include).mean() >= 0.5)


def _pairs(numbers: Sequence[int]) -> Sequence[Tuple[int, int]]:
    return list(zip(numbers[::2], numbers[1::2]))
