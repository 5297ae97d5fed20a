"""The steps of explaining why a lesion was drawn; a generator, as :class:`Run` takes it."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping

import numpy as np
from slicer.i18n import tr as _

from LiverSegLib.errors import UsageError, WorkerError
from LiverSegLib.images.modality import CT
from LiverSegLib.review import Given
from LiverSegLib.worker import explain_messages, scratch

from .scene import parts, segments, volumes
from .scene.why import makeWhy
from .work.files import readArray, resultFile, resultFolder, writeArray
from .work.input_watch import InputWatch
from .work.run import Ask, Run, Steps
from .work.scan_files import folderFor, keepScan


@dataclass(frozen=True)
class Why:
    """An explained lesion.

    Attributes:
        node: the map, a scalar volume.
        guide: how it is to be read, as the core says it.
    """

    node: Any
    guide: Any


def explainSteps(segmentationNode: Any, number: int, device: str, run: Run) -> Steps:
    """Explain a lesion of a result; the result is a :class:`Why`.

    Raises:
        InputError, UsageError: it is none of LiverSeg's, its scan is gone, or it has no such lesion.
    """
    summary = parts.summaryOf(segmentationNode) if segmentationNode is not None else None
    if summary is None:
        raise UsageError(_("Choose a segmentation that LiverSeg has made."))
    if Given.of(summary.get("provenance")) is not None:
        raise UsageError(_("No model drew the lesions of this result, so there is nothing to explain."))
    lesion = next((item for item in summary["measurements"]["lesions"] if item["number"] == number), None)
    if lesion is None:
        raise UsageError(_("The result has no lesion {number} any more.").format(number=number))
    volumeNode = parts.requireVolume(segmentationNode)
    volumes.checkVolume(volumeNode)
    box = segments.labelledBox(segmentationNode, volumeNode)
    watch = InputWatch(volumeNode, run.stop, segmentationNode)
    watch.start()
    try:
        with folderFor(run) as folder:
            run.tell(0.0, _("Handing the scan over"))
            scan = yield from keepScan(run, volumeNode)
            labels = folder / "labels-in-box.npy"
            slabs = segments.LabelSlabs(segmentationNode, volumeNode, segments.VALUES, box)
            yield from writeArray(labels, slabs)
            request = explain_messages.Explain(
                folder.name,
                voxels=str(scan.voxels),
                grid=volumes.volumeGrid(volumeNode),
                labels=str(labels),
                box=tuple(edge for part in box for edge in (part.start, part.stop)),
                lesion=number,
                centre=tuple(lesion["centre_lps_mm"]),
                model=modelOf(summary),
                modality=parts.modalityOfResult(segmentationNode) or CT,
                device=device,
            )
            reply = yield Ask(request, begin=0.1, end=0.95, words=explainWords)
            heat = yield from _readHeat(reply, scan.folder.parent)
        watch.check()
    finally:
        watch.stop()
    return Why(makeWhy(segmentationNode, number, heat, reply.grid), reply.guide)


def modelOf(summary: Mapping[str, Any]) -> str:
    """The name of the model that drew a result's lesions; the bundled one's where it does not say."""
    provenance: Dict[str, Any] = summary.get("provenance") or {}
    model = provenance.get("tumour_model") or provenance.get("model") or {}
    return str(model.get("name") or "default")


def explainWords(step: str, text: str) -> str:
    """What to tell people of a step of the worker's; ``text`` is its own English one."""
    words = {
        "read": _("Checking the scan"),
        "load": _("Loading the model"),
        "prepare": _("Preparing the scan"),
        "look": _("Running the network"),
        "gradcam": _("Computing the heat map"),
    }
    return words.get(step, text)


def _readHeat(reply: Any, privateFolder: Any) -> Steps:
    """Read the map, float32 (z, y, x), and remove its file."""
    place = resultFolder(reply.folder, privateFolder)
    try:
        heat = yield from readArray(resultFile(reply.folder, reply.heat))
        if heat.shape != reply.grid.shape or heat.dtype != np.float32:
            text = _("The worker's result could not be read.")
            raise WorkerError(text, f"map {heat.dtype} {heat.shape}, grid {reply.grid.shape}")
        return heat
    finally:
        scratch.remove_tree(place)
