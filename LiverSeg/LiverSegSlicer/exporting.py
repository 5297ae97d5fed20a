"""The steps of writing a result as DICOM objects; a generator, as :class:`Run` takes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Tuple

from slicer.i18n import tr as _

from LiverSegLib.errors import UsageError
from LiverSegLib.worker.dicom_messages import ExportDicom

from .fatty_liver.assess import acceptedReading
from .jobs import Case, sceneAtRest, watching
from .scene import dicom_database, fingerprint, results, volumes
from .scene.review import reviewForReport
from .work.files import writeSummary
from .work.highdicom_install import installHighdicomSteps, isHighdicomThere
from .work.run import Ask, Run, Steps
from .work.scan_files import folderFor


@dataclass(frozen=True)
class ExportOptions:
    """How to export.

    Attributes:
        store: copy the files into Slicer's DICOM database.
        install: install highdicom first if it is missing; somebody agreed to that.
    """

    store: bool = False
    install: bool = False


@dataclass(frozen=True)
class ExportedDicom:
    """Two DICOM objects.

    Attributes:
        files: the Segmentation and the structured report.
        isStored: whether the DICOM database has them too.
    """

    files: Tuple[Path, Path]
    isStored: bool


def exportSteps(segmentationNode: Any, folder: Path, options: ExportOptions, run: Run) -> Steps:
    """Write a result as DICOM objects, measuring first what was edited; the result is ``ExportedDicom``.

    Args:
        segmentationNode: the result.
        folder: where the files go; made if missing.
        options: whether to store, whether to install.
        run: the run.

    Raises:
        InputError, UsageError: it is none of LiverSeg's, its scan is gone or did not come from DICOM.
    """
    case = Case(segmentationNode)
    files = dicom_database.sourceFiles(case.volumeNode)
    if not isHighdicomThere():
        if not options.install:
            raise UsageError(_("Writing DICOM objects needs the Python package highdicom."))
        yield from installHighdicomSteps(run)
    edited = fingerprint.editedSinceMeasured(segmentationNode)
    steatosis = acceptedReading(segmentationNode, case.volumeNode)
    with watching(run, case.volumeNode, segmentationNode) as watch, folderFor(run) as room:
        if edited:
            yield from case.handOver(run, room)
            yield from case.measure(run, room, 0.2, 0.4)
            yield from sceneAtRest()
        yield from case.handOverLabels(run, room)
        watch.check()
        watch.stop()
        if edited:
            results.updateMeasurements(segmentationNode, case.summary)
        review = yield from reviewForReport(segmentationNode)
        request = ExportDicom(
            f"{room.name}-d",
            grid=volumes.volumeGrid(case.volumeNode),
            labels=str(room / "labels.npy"),
            summary=str(room / "summary.json"),
            folder=str(folder),
        )
        told = {**case.summary, "steatosis": steatosis, "review": review, "source_files": list(files)}
        writeSummary(Path(request.summary), told)
        reply = yield Ask(request, begin=0.5, words=exportWords)
    made = Path(reply.folder) / reply.segmentation, Path(reply.folder) / reply.measurements
    if options.store:
        dicom_database.store(made)
        dicom_database.nameSeries(segmentationNode, reply.segmentation_series)
    return ExportedDicom(made, options.store)


def exportWords(stage: str, text: str) -> str:
    """What to tell people of a stage of the worker's; ``text`` is its own English one."""
    words = {
        "read": _("Reading the segmentation"),
        "dicom": _("Writing the DICOM objects"),
        "measure": _("Measuring"),
    }
    return words.get(stage, text)
