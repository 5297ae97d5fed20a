"""What a run does, step by step: segment a scan, measure an edited segmentation, write the report.

The functions are generators, as :class:`Run` takes them; it is their last argument.
"""

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError, UsageError, WorkerError
from LiverSegLib.images.modality import MR, known_modality, said_modality
from LiverSegLib.worker import protocol, scratch
from LiverSegLib.worker.server_messages import AskServer, ServerAddress

from .fatty_liver.assess import acceptedReading
from .reruns import replaceableResult
from .scene import fingerprint, parts, results, segments, volumes
from .scene.dicom_header import headerFacts
from .scene.rejected_lesions import toldLesions
from .scene.review import reviewForReport
from .scene.structures import structureValues
from .work.engines import checkEngine
from .work.files import (
    readArray,
    readSummary,
    readSurfaces,
    resultFile,
    resultFolder,
    writeArray,
    writeSummary,
)
from .work.input_watch import InputWatch
from .work.models import allModels, modelFor, usualStructures
from .work.run import Ask, Run, Steps
from .work.scan_files import KeptScan, folderFor, keepScan


@dataclass(frozen=True)
class SegmentOptions:
    """How to segment.

    Attributes:
        model: Name of a model in the store, or a folder; it draws the organs.
        tumors: The same for the tumors; None if ``model`` draws them too.
        structures: Keys of what else is wanted of a model of another program; those that belong to the liver
            if None.
        device: "auto", "cpu", "cuda" or "mps".
        server: Computes in this computer's place, if it is given; ``model`` and ``tumors`` are its models.
        modality: "CT" or "MR", of volumes of which DICOM does not say it; they are CT if None.
        mirror: Average over mirrored tiles too: slower, a little steadier.
        minimumLesionMl: Smaller tumours become liver; the core's default if None.
        replaceUntouched: Put the result in the place of an earlier one that nobody has edited or accepted.
    """

    model: str = "default"
    tumors: Optional[str] = None
    structures: Optional[Sequence[str]] = None
    device: str = "auto"
    mirror: bool = False
    minimumLesionMl: Optional[float] = None
    replaceUntouched: bool = True
    modality: Optional[str] = None
    server: Optional[ServerAddress] = None


def segmentSteps(volumeNode: Any, options: SegmentOptions, run: Run) -> Steps:
    """Segment a volume; the result is the segmentation node."""
    volumes.checkVolume(volumeNode)
    known_modality(volumes.headerModality(volumeNode), said_modality(options.modality))
    modality = volumes.modalityOf(volumeNode, options.modality)
    if options.server is None:
        options = replace(options, model=modelFor(options.model, modality))
        for model in filter(None, (options.model, options.tumors)):
            checkEngine(model)
    with watching(run, volumeNode) as watch, folderFor(run) as folder:
        run.tell(0.0, _("Handing the scan over"))
        scan = yield from keepScan(run, volumeNode, anew=True)
        request = protocol.Segment(
            folder.name,
            voxels=str(scan.voxels),
            grid=volumes.volumeGrid(volumeNode),
            name=volumeNode.GetName() or None,
            model=options.model,
            tumours=options.tumors,
            structures=_wanted(options),
            device=options.device,
            mirror=options.mirror,
            minimum_lesion_ml=options.minimumLesionMl,
            modality=modality if modality == MR else None,
            probability=True,  # stays with the worker, for corrections
            **headerFacts(volumeNode),
            server=options.server,
        )
        watch.check()
        run.tell(0.02, _waitingFor(run, options))
        reply = yield Ask(request, begin=0.04, end=0.95, words=stageWords)
        run.tell(0.95, _("Putting the result into the scene"))
        result = yield from readResult(reply, scan, volumeNode.GetImageData().GetDimensions()[::-1])
        yield from sceneAtRest()
        watch.check()
        watch.stop()
        earlier = replaceableResult(volumeNode) if options.replaceUntouched else None
        segmentationNode = results.applyResult(volumeNode, result, replace=earlier)
        scan.probability = segmentationNode.GetAttribute(parts.TIME)
        return segmentationNode


def testServerSteps(server: ServerAddress, run: Run) -> Steps:
    """Look whether a server can be used; the result is its answer, a ``ServerAnswer``."""
    with folderFor(run) as folder:
        run.tell(0.05, _("Asking the server"))
        return (yield Ask(AskServer(folder.name, server), begin=0.05))


def measureSteps(segmentationNode: Any, run: Run) -> Steps:
    """Measure a segmentation anew; the result is the segmentation node."""
    case = Case(segmentationNode)
    with watching(run, case.volumeNode, segmentationNode) as watch, folderFor(run) as folder:
        yield from case.handOver(run, folder)
        yield from case.measure(run, folder, 0.2, 1.0)
        yield from sceneAtRest()
        watch.check()
        watch.stop()
        results.updateMeasurements(segmentationNode, case.summary)
        return segmentationNode


def reportSteps(segmentationNode: Any, folder: Path, labelFormat: str, highlight: bool, run: Run) -> Steps:
    """Write the report, measuring first what was edited; the result is the path of report.html."""
    case = Case(segmentationNode)
    edited = fingerprint.editedSinceMeasured(segmentationNode)
    steatosis = acceptedReading(segmentationNode, case.volumeNode)
    with watching(run, case.volumeNode, segmentationNode) as watch, folderFor(run) as room:
        yield from case.handOver(run, room)
        yield from case.handOverLabels(run, room)
        found = yield from case.handOverStructures(room)
        if edited:
            yield from case.measure(run, room, 0.3, 0.5)
            yield from sceneAtRest()
        watch.check()
        watch.stop()
        if edited:
            results.updateMeasurements(segmentationNode, case.summary)
        review = yield from reviewForReport(segmentationNode)
        request = protocol.Report(
            f"{room.name}-r",
            **case.arrays(room),
            folder=str(folder),
            label_format=labelFormat,
            highlight=highlight,
            structures=found,
        )
        writeSummary(Path(request.summary), {**case.summary, "steatosis": steatosis, "review": review})
        reply = yield Ask(request, begin=0.5, words=stageWords)
        return Path(reply.folder) / reply.files["report"]


def stageWords(stage: str, text: str) -> str:
    """What to tell people of a stage of the worker's; ``text`` is its own English one."""
    words = {
        "read": _("Checking the scan"),
        "locate": _("Looking for the liver"),
        "segment": _("Segmenting"),
        "tumours": _("Looking for tumors"),
        "clean": _("Cleaning up the mask"),
        "measure": _("Measuring"),
        "write": _("Writing the report"),
        "send": _("Sending the scan to the server"),
        "fetch": _("Fetching the result from the server"),
        "queue": _("The server is busy; waiting"),
        "done": _("Making the surfaces"),
    }
    if stage.startswith("queue-"):
        return _("Waiting on the server; runs before this one: {place}").format(place=stage[len("queue-") :])
    return words.get(stage, text)


class Case:
    """A segmentation with its scan and numbers, on the way to the worker.

    Raises:
        InputError, UsageError: It is none of LiverSeg's, or its scan is gone.
    """

    def __init__(self, segmentationNode: Any) -> None:
        summary = parts.summaryOf(segmentationNode) if segmentationNode is not None else None
        if summary is None:
            raise UsageError(_("Choose a segmentation that LiverSeg has made."))
        self.summary: Dict[str, Any] = summary
        self.volumeNode = parts.volumeOf(segmentationNode)
        if self.volumeNode is None:
            raise InputError(_("The scan that this segmentation was made of is no longer in the scene."))
        volumes.checkVolume(self.volumeNode)
        self.summary["measurements"]["rejected_lesions"] = toldLesions(segmentationNode)
        self._nodes = segmentationNode, self.volumeNode
        self._box = segments.labelledBox(*self._nodes)
        self._scan: Any = None
        self._untouched = fingerprint.isUntouched(segmentationNode)

    def arrays(self, folder: Path) -> Dict[str, Any]:
        """The fields of a request that name what was handed over."""
        return {
            "voxels": str(self._scan.voxels),
            "labels": str(folder / "labels.npy"),
            "summary": str(folder / "summary.json"),
            "grid": volumes.volumeGrid(self.volumeNode),
        }

    def handOver(self, run: Run, folder: Path, begin: float = 0.0) -> Steps:
        """Write scan and numbers into ``folder``."""
        run.tell(begin, _("Handing the scan over"))
        self._scan = yield from keepScan(run, self.volumeNode)
        writeSummary(folder / "summary.json", self.summary)

    def handOverLabels(self, run: Run, folder: Path, begin: float = 0.2) -> Steps:
        """Write the mask of the whole scan into ``folder``."""
        run.tell(begin, _("Handing the segmentation over"))
        yield from writeArray(folder / "labels.npy", segments.LabelSlabs(*self._nodes, segments.VALUES))

    def handOverStructures(self, folder: Path) -> Steps:
        """Write the mask of the structures into ``folder``; returns its path, None if there is none."""
        values = structureValues(self._nodes[0], self.summary)
        if not values or max(values.values()) > np.iinfo(np.uint8).max:
            return None  # more than 255: their volumes are reported, their mask stays in the scene
        path = folder / "structures.npy"
        yield from writeArray(path, segments.LabelSlabs(*self._nodes, values))
        return str(path)

    def measure(self, run: Run, folder: Path, begin: float, end: float) -> Steps:
        """Take new numbers from the worker, which needs the labels in their box only."""
        path = folder / "labels-in-box.npy"
        run.tell(begin, _("Handing the segmentation over"))
        yield from writeArray(path, segments.LabelSlabs(*self._nodes, segments.VALUES, self._box))
        request = protocol.Measure(
            f"{folder.name}-m",
            **{**self.arrays(folder), "labels": str(path)},
            box=tuple(edge for part in self._box for edge in (part.start, part.stop)),
            edited=not self._untouched,
        )
        reply = yield Ask(request, begin=begin, end=end, words=stageWords)
        place = resultFolder(reply.folder, folder.parent)
        try:
            self.summary = readSummary(reply.folder, reply.summary)
        finally:
            scratch.remove_tree(place)


@contextmanager
def watching(run: Run, volumeNode: Any, segmentationNode: Optional[Any] = None) -> Iterator[InputWatch]:
    """End the run when its input is changed or removed during the block."""
    watch = InputWatch(volumeNode, run.stop, segmentationNode)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()


def readResult(reply: Any, scan: KeptScan, shape: Any) -> Steps:
    """Take a result in and remove its files, but the probability, which stays beside the scan."""
    place = resultFolder(reply.folder, scan.folder.parent)
    try:
        labels = yield from readArray(resultFile(reply.folder, reply.labels))
        if labels.shape != shape or labels.dtype != np.uint8:
            text = _("The worker's result could not be read.")
            raise WorkerError(text, f"labels {labels.dtype} {labels.shape}, scan {shape}")
        found = None
        if reply.structures is not None:
            found = yield from readArray(resultFile(reply.folder, reply.structures))
            if found.shape != shape or found.dtype not in (np.uint8, np.uint16):
                text = _("The worker's result could not be read.")
                raise WorkerError(text, f"structures {found.dtype} {found.shape}, scan {shape}")
        surfaces = yield from readSurfaces(reply)
        summary = readSummary(reply.folder, reply.summary)
        if reply.probability is not None:
            os.replace(resultFile(reply.folder, reply.probability), scan.probabilityFile)
    finally:
        scratch.remove_tree(place)
    return results.RunResult(summary["name"], labels, reply.grid, summary, surfaces, found)


def sceneAtRest() -> Steps:
    """Wait until no scene is coming in, whose nodes must not mix with a result's; a turn at least."""
    yield None
    while slicer.mrmlScene.IsImporting():
        yield None


def _wanted(options: SegmentOptions) -> Tuple[str, ...]:
    """The structures to ask the worker for; of a model in a folder, which is not listed, none."""
    if options.structures is not None:
        return tuple(options.structures)
    return usualStructures(options.model, allModels())


def _waitingFor(run: Run, options: SegmentOptions) -> str:
    if run.worker.isReady() and options.server is not None:
        return _("Sending the scan to the server")
    if not run.worker.isReady():
        return _("Starting the worker")
    if not run.worker.isWarmFor(options.model, options.device, options.tumors):
        return _("Loading the model")
    return _("Waiting for the worker")
