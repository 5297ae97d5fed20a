"""The steps of comparing two or more dates of one patient; a generator, as :class:`Run` takes it."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, List, Optional, Sequence

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, InputError, UsageError, WorkerError
from LiverSegLib.sentences import Sentence, key_of, restored
from LiverSegLib.worker import scratch
from LiverSegLib.worker.followup_messages import CompareDates, DateFiles

from .fatty_liver.assess import acceptedReading
from .jobs import Case, sceneAtRest, watching
from .scene import fingerprint, followup, results, volumes
from .scene.review import reviewForReport
from .scene.scan_dates import isoDate, patientNumbers, scanDate
from .work.files import resultFile, resultFolder, writeArray, writeSummary
from .work.run import Ask, Run, Steps
from .work.scan_files import folderFor

HANDING_SHARE = 0.15
"""The share of the work that is done when everything is handed over."""


@dataclass(frozen=True)
class CompareOptions:
    """How to compare.

    Attributes:
        dates: of each result, "2026-11-30"; None for those of the scans, as ``scanDate`` knows them.
        anyway: compare livers that do not fit onto each other, too.
        folder: where the page and the other files go; None for none.
    """

    dates: Optional[Sequence[Optional[str]]] = None
    anyway: bool = False
    folder: Optional[Path] = None


@dataclass(frozen=True)
class Compared:
    """What a comparison brought.

    Attributes:
        tableNode: the table by lesion over time, in the scene.
        page: the page that was written; None if none was wanted.
    """

    tableNode: Any
    page: Optional[Path] = None


def compareSteps(segmentationNodes: Sequence[Any], options: CompareOptions, run: Run) -> Steps:
    """Compare results of several dates, measuring first what was edited; the result is ``Compared``.

    Raises:
        InputError, UsageError: there are fewer than two, one is none of LiverSeg's, its scan is gone or is
            that of another one, a date is none.
    """
    cases = [Case(node) for node in segmentationNodes]
    dates = _dates(cases, options.dates)
    _checkScans(cases)
    patients = patientNumbers([case.volumeNode for case in cases])
    states: List[str] = []
    given: List[DateFiles] = []
    with ExitStack() as stack:
        for index, node in enumerate(segmentationNodes):
            room = stack.enter_context(folderFor(run))
            begin = HANDING_SHARE * index / len(cases)
            files = yield from _handOver(run, node, room, begin)
            given.append(replace(files, date=dates[index], patient=patients[index]))
            states.append(followup.stateOf(node))
        folder = None if options.folder is None else str(options.folder)
        request = CompareDates(f"{room.name}-f", tuple(given), options.anyway, folder)
        run.tell(HANDING_SHARE, compareWords("read", ""))
        reply = yield Ask(request, begin=HANDING_SHARE, end=0.98, words=compareWords)
        numbers = _read(reply, room.parent)
    yield from sceneAtRest()
    if not all(slicer.mrmlScene.IsNodePresent(node) for node in segmentationNodes):
        text = _("A result was removed from the scene meanwhile; the comparison was not put into the scene.")
        raise InputChangedError(text)
    ordered = [segmentationNodes[place] for place in reply.order]
    tableNode = followup.applyComparison(numbers, ordered, [states[place] for place in reply.order])
    return Compared(tableNode, None if reply.page is None else Path(reply.page))


def compareWords(stage: str, text: str) -> str:
    """What to tell people of a stage of the worker's; ``text`` is its own English one."""
    words = {
        "read": _("Reading the scans"),
        "prepare": _("Looking at the livers"),
        "register": _("Registering the livers"),
        "match": _("Matching the lesions"),
        "fat": _("Measuring liver fat"),
        "write": _("Drawing the follow-up page"),
    }
    return words.get(stage, text)


def isOfAnotherPatient(error: Optional[BaseException]) -> bool:
    """Whether a comparison was refused since the livers do not fit onto each other."""
    return key_of(getattr(error, "sentence", "")) == "followup.not-registered"


def _dates(cases: Sequence[Case], typed: Optional[Sequence[Optional[str]]]) -> List[Optional[str]]:
    """The date of each case; None where it is not known."""
    if len(cases) < 2:
        raise UsageError(Sentence("followup.too-few"))
    if typed is None:
        return [scanDate(case.volumeNode) or None for case in cases]
    if len(typed) != len(cases):
        raise UsageError(Sentence("followup.date-count", scans=len(cases), dates=len(typed)))
    return [isoDate(text) if text else None for text in typed]


def _checkScans(cases: Sequence[Case]) -> None:
    """Each result must be of a scan of its own; the core looks at the voxels, too."""
    for index, case in enumerate(cases):
        for earlier in cases[:index]:
            if earlier.volumeNode is case.volumeNode:
                name = case.volumeNode.GetName()
                raise InputError(Sentence("followup.twice", name=name, other=name))


def _handOver(run: Run, segmentationNode: Any, room: Path, begin: float) -> Steps:
    """Write a date for the worker, and new numbers first if it was edited; the result is ``DateFiles``."""
    case = Case(segmentationNode)
    volumeNode = case.volumeNode
    edited = fingerprint.editedSinceMeasured(segmentationNode)
    with watching(run, volumeNode, segmentationNode) as watch:
        if edited:
            yield from case.handOver(run, room, begin)
            yield from case.measure(run, room, begin, begin)
            yield from sceneAtRest()
        run.tell(begin, _("Handing the scan over"))
        voxels = room / "voxels.npy"
        yield from writeArray(voxels, slicer.util.arrayFromVolume(volumeNode))
        yield from case.handOverLabels(run, room, begin)
        watch.check()
    if edited:
        results.updateMeasurements(segmentationNode, case.summary)
    told = {
        **case.summary,
        "name": volumeNode.GetName() or case.summary["name"],
        "steatosis": acceptedReading(segmentationNode, volumeNode),
        "review": (yield from reviewForReport(segmentationNode)),
    }
    summary = room / "summary.json"
    writeSummary(summary, told)
    return DateFiles(str(voxels), volumes.volumeGrid(volumeNode), str(room / "labels.npy"), str(summary))


def _read(reply: Any, privateFolder: Path) -> followup.Numbers:
    """Read what was found, and remove its file.

    Raises:
        WorkerError: it is not what the worker should have written.
    """
    place = resultFolder(reply.folder, privateFolder)
    try:
        numbers = restored(json.loads(resultFile(reply.folder, reply.summary).read_text(encoding="utf-8")))
        if numbers["format"] != followup.FORMAT or len(numbers["dates"]) != len(reply.order):
            raise ValueError(f"format {numbers['format']}")
        return numbers
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkerError(_("The worker's result could not be read."), repr(error)) from error
    finally:
        scratch.remove_tree(place)
