"""Stand-ins for real runs in tests of the panel: a made-up patient, a logic whose runs the test ends."""

from pathlib import Path

import numpy as np

from SlicerHost import boot

MODULE = Path(__file__).resolve().parents[2] / "LiverSeg" / "LiverSeg.py"

import slicer  # noqa: E402

if not hasattr(boot() and slicer.modules, "liverseg"):
    boot().loadModule(MODULE)  # the module's classes can be imported in a running Slicer only

from LiverSeg import LiverSegLogic  # noqa: E402
from LiverSegLib.errors import CancelledError  # noqa: E402
from LiverSegLib.images.grid import Grid  # noqa: E402
from LiverSegLib.measure import measure  # noqa: E402
from LiverSegLib.sentences import Sentence  # noqa: E402
from LiverSegLib.worker.server_messages import ServerAnswer  # noqa: E402
from LiverSegSlicer.comparing import Compared  # noqa: E402
from LiverSegSlicer.explaining import Why  # noqa: E402
from LiverSegSlicer.exporting import ExportedDicom  # noqa: E402
from LiverSegSlicer.reruns import replaceableResult  # noqa: E402
from LiverSegSlicer.scene import followup, parts, results, segments  # noqa: E402
from LiverSegSlicer.scene.rejected_lesions import toldLesions  # noqa: E402
from LiverSegSlicer.scene.volumes import volumeGrid  # noqa: E402
from LiverSegSlicer.scene.why import makeWhy  # noqa: E402
from LiverSegSlicer.work.engines import EngineState, Offer  # noqa: E402

SPACING = (4.0, 4.0, 5.0)
SHAPE = (24, 60, 60)
OPENVINO = Offer("openvino", 49, 151, "suits this computer")
TORCH = Offer("torch", 250, 1000, "runs models of other programs too")
ENGINE_OK = EngineState("ok", "torch", "PyTorch 2.8.0, CPU", usable=("torch",))
OPENVINO_ALONE = EngineState("ok", "openvino", "OpenVINO 2025.3, CPU", "", (TORCH,), ("openvino",))
ENGINE_MISSING = EngineState(
    "missing",
    None,
    "not installed",
    "LiverSeg needs a library that runs its networks, which Slicer does not bring.",
    (OPENVINO, TORCH),
)


def madeUpScan(name="Patient", loaded=True):
    """A volume node with a body, liver and spleen; ``loaded`` ones look as if they came from a file."""
    voxels = np.full(SHAPE, -1000, np.int16)
    voxels[:, 6:54, 6:54] = 40
    voxels[madeUpLabels() == 1] = 100
    voxels[madeUpLabels() == 2] = 110
    voxels[madeUpLabels() == 3] = 60
    volumeNode = slicer.util.addVolumeFromArray(voxels, name=name)
    volumeNode.SetSpacing(*SPACING)
    volumeNode.SetOrigin(-120, -120, -60)
    if loaded:
        volumeNode.AddDefaultStorageNode()
    return volumeNode


def madeUpLabels(tumours=2):
    """uint8 (z, y, x): liver, spleen, and a larger and a smaller tumour."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[4:20, 15:40, 8:32] = 1
    labels[6:14, 30:44, 40:50] = 2
    if tumours > 0:
        labels[6:11, 20:27, 12:20] = 3
    if tumours > 1:
        labels[14:17, 32:36, 24:28] = 3
    return labels


def summaryOfLabels(volumeNode, labels, phase="portal"):
    """What the worker would measure."""
    images = []
    for array in (labels, slicer.util.arrayFromVolume(volumeNode).astype(np.int16)):
        images.append(volumeGrid(volumeNode).image(array))
    measurements = measure(*images, phase=phase)
    return {
        "name": volumeNode.GetName(),
        "measurements": measurements.to_dict(),
        "provenance": {},
        "warnings": list(measurements.warnings),
    }


def madeUpResult(volumeNode, tumours=2):
    """What a run on a made-up scan brings."""
    labels = madeUpLabels(tumours)
    summary = summaryOfLabels(volumeNode, labels)
    return results.RunResult(volumeNode.GetName(), labels, volumeGrid(volumeNode), summary)


def madeUpHeat():
    """A heat map, float32 (z, y, x), and its grid: a part of the made-up scan's, oblique to nothing."""
    heat = np.zeros((8, 12, 10), np.float32)
    heat[3:6, 4:8, 4:7] = 1
    return heat, Grid((10, 12, 8), SPACING, (88.0, 72.0, -50.0), (-1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))


def madeUpComparison(nodes, dates):
    """What the core would say of two results with two lesions each: the first grew, the second is gone."""
    lesions = [parts.summaryOf(node)["measurements"]["lesions"] for node in nodes]

    def at(date, number):
        gone = number == 2 and date == 1
        found = lesions[date][number - 1]
        return {
            "status": "absent" if gone else "measured",
            "lesions": [] if gone else [number],
            "events": ["gone"] if gone else [],
            "volume_ml": 0.0 if gone else found["volume_ml"] * (1 + date),
            "longest_diameter_mm": 0.0 if gone else found["longest_diameter_mm"] * (1 + 0.25 * date),
            "place_lps_mm": [sum(ends) / 2 for ends in zip(*found["longest_ends_lps_mm"])],
            "truncated": False,
            "volume_change_percent": (-100.0 if gone else 100.0) if date else None,
            "diameter_change_percent": (-100.0 if gone else 25.0) if date else None,
        }

    fat = {"grade": None, "reasons_not_to_grade": ["there is contrast medium"], "difference_hu": -8.4}
    fat.update(liver_mean_hu=101.6, spleen_mean_hu=110.0)
    told = [
        {
            "name": parts.volumeOf(node).GetName(),
            "date": date,
            "liver_ml": 1500.4,
            "tumour_ml": 30.0,
            "tumour_burden_percent": 2.0,
            "sum_of_diameters_mm": 56.0 + 10.0 * index,
            "fat": None if index else fat,
        }
        for index, (node, date) in enumerate(zip(nodes, dates))
    ]
    rule = Sentence("recist.sd", sum=66.0, baseline=56.0, nadir=56.0)
    return {
        "format": followup.FORMAT,
        "dates": told,
        "lesions": [
            {"number": number, "targets_at_first_date": [1] if number == 1 else [], "dates": dates}
            for number, dates in ((n, [at(0, n), at(1, n)]) for n in (1, 2))
        ],
        "responses": [{"category": "SD", "reasons": [rule]}],
        "response_note": Sentence("recist.of-liver"),
        "warnings": [Sentence("followup.phases", phases="portal, arterial")],
    }


class FakeRun:
    """A run that ends when the test says so."""

    def __init__(self, progress, completed, work):
        self.progress = progress
        self._completed = completed
        self._work = work
        self.cancelled = False

    def isRunning(self):
        return self._completed is not None

    def cancel(self):
        self.cancelled = True

    def finish(self, error=None):
        completed, self._completed = self._completed, None
        if error is None:
            completed(self._work(), None)
        else:
            completed(None, error)

    def finishCancelled(self):
        assert self.cancelled
        self.finish(CancelledError("Cancelled."))


class FakeWorker:
    """Remembers what the panel told it."""

    def __init__(self):
        self.idleMinutes = None
        self.started = []
        self.occupant = None

    def logText(self):
        return "the worker's log"

    def setIdleMinutes(self, minutes):
        self.idleMinutes = minutes

    def start(self, model=None, device="auto", tumors=None):
        self.started.append((model, device))


class FakeLogic(LiverSegLogic):
    """The module's logic without a worker: scene and views are real, runs are the test's."""

    def __init__(self):
        LiverSegLogic.__init__(self)
        self.fakeWorker = FakeWorker()
        self.runs = []
        self.explainedOn = None
        self.givenWarnings = []
        self.background = []
        self.options = []
        self.engine = ENGINE_OK
        self.models = []
        self.installError = None
        self.tumours = 2

    # LiverSegLogic.__init__ takes the name "LiverSeg" from the class's own name
    moduleName = property(lambda self: "LiverSeg", lambda self, name: None)
    worker = property(lambda self: self.fakeWorker)

    @property
    def run(self):
        """The run that was started last."""
        return self.runs[-1]

    def segmentAsync(self, volumeNode, progress=None, completed=None, **options):
        self.options.append(options)

        def work():
            made = madeUpResult(volumeNode, self.tumours)
            replace = replaceableResult(volumeNode) if options["replaceUntouched"] else None
            return results.applyResult(volumeNode, made, replace=replace)

        return self._started(progress, completed, work)

    def measureSegmentationAsync(
        self, segmentationNode, volumeNode, roles=None, progress=None, completed=None, **options
    ):
        self.options.append({"roles": roles, **options})

        def work():
            made = madeUpResult(volumeNode, self.tumours)
            made.summary["provenance"]["labels"] = {"name": segmentationNode.GetName()}
            made.summary["warnings"] += self.givenWarnings
            return results.applyResult(volumeNode, made)

        return self._started(progress, completed, work)

    def testServerAsync(self, server, progress=None, completed=None):
        self.tested = server
        return self._started(progress, completed, lambda: ServerAnswer("t", "9.9.9", ("default",), 1, 16))

    def measureAsync(self, segmentationNode, completed=None, progress=None):
        return self._started(progress, completed, lambda: self._measured(segmentationNode))

    def measureInBackground(self, segmentationNode, completed):
        self.background.append(FakeRun(None, completed, lambda: self._measured(segmentationNode)))
        return self.background[-1]

    def _measured(self, segmentationNode):
        volumeNode = parts.volumeOf(segmentationNode)
        labels = segments.labelsOf(segmentationNode, volumeNode)
        summary = summaryOfLabels(volumeNode, labels)
        summary["measurements"]["rejected_lesions"] = toldLesions(segmentationNode)
        results.updateMeasurements(segmentationNode, summary)
        return segmentationNode

    def explainLesionAsync(self, segmentationNode, number, completed=None, progress=None, device="auto"):
        self.explainedOn = device

        def work():
            return Why(makeWhy(segmentationNode, number, *madeUpHeat()), Sentence("explain.memory"))

        return self._started(progress, completed, work)

    def writeReport(self, segmentationNode, folder, completed=None, progress=None, **options):
        def work():
            Path(folder).mkdir(parents=True)
            report = Path(folder) / "report.html"
            report.write_text("<html></html>")
            return report

        return self._started(progress, completed, work)

    def exportDicomAsync(self, segmentationNode, folder, progress=None, completed=None, **options):
        self.options.append(options)

        def work():
            files = (Path(folder) / "segmentation.dcm", Path(folder) / "measurements.dcm")
            return ExportedDicom(files, options["store"])

        return self._started(progress, completed, work)

    def compareAsync(self, nodes, dates=None, progress=None, completed=None, **options):
        self.options.append({"nodes": nodes, "dates": dates, **options})

        def work():
            numbers = madeUpComparison(nodes, dates)
            table = followup.applyComparison(numbers, nodes, [followup.stateOf(node) for node in nodes])
            if options["folder"] is None:
                return Compared(table)
            page = Path(options["folder"]) / "followup.html"
            page.parent.mkdir(parents=True)
            page.write_text("<html></html>")
            return Compared(table, page)

        return self._started(progress, completed, work)

    def engineState(self):
        return self.engine

    def installEngineAsync(self, engine, progress=None, completed=None):
        def work():
            self.engine = EngineState("ok", engine, "OpenVINO 2025.3, CPU", "", (TORCH,), (engine,))
            return "OpenVINO"

        return self._started(progress, completed, work)

    def addModelAsync(self, source, configuration=None, progress=None, completed=None):
        def work():
            self.models.append(("add", source))
            return "theirs"

        return self._started(progress, completed, work)

    def removeModelAsync(self, name, progress=None, completed=None):
        def work():
            self.models.append(("remove", name))
            return name

        return self._started(progress, completed, work)

    def installTorch(self, confirm):
        if not confirm("PyTorch is a download of about 250 MB."):
            return False
        if self.installError is not None:
            raise self.installError
        self.engine = ENGINE_OK
        return True

    def _started(self, progress, completed, work):
        self.runs.append(FakeRun(progress, completed, work))
        return self.run
