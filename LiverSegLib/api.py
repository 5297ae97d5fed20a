"""The core as a library: ``segment`` a scan once, or keep a ``Segmenter`` with its model loaded."""

import datetime
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Union

import numpy as np
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib.cancelling import Ask, while_checking
from LiverSegLib.errors import (
    CancelledError,
    InputChangedError,
    NoLiverError,
    OutOfMemoryError,
    UsageError,
    is_out_of_memory,
)
from LiverSegLib.images import Scan, read_scan, unchanged
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.cleanup import (
    MINIMUM_LESION_ML,
    CleanupReport,
    clean,
    leave_out_small_tumours,
    leave_out_tumours,
)
from LiverSegLib.masks.components import bounding_box
from LiverSegLib.measure import Measurements, measure
from LiverSegLib.measure.facts import NOTHING_KNOWN, ClinicalFacts, PhaseEstimate
from LiverSegLib.measure.lesions import MINIMUM_LESION_MM, narrow_lesions
from LiverSegLib.measure.phase import contrast_in_words, estimate_phase
from LiverSegLib.measure.warnings import left_out_lesions
from LiverSegLib.models import Model, load_model
from LiverSegLib.models.manifest import MAX_LESION_ML
from LiverSegLib.sentences import Sentence
from LiverSegLib.steatosis.conditions import names_contrast_agent

if TYPE_CHECKING:
    from LiverSegLib.steatosis.assess import Assessment, CutOffs
    from LiverSegLib.steatosis.placement import PlacementSettings

Source = Union[str, "os.PathLike[str]", sitk.Image]
Progress = Callable[[float, str, str], None]
"""Called with the fraction done (0 to 1), a stage's key and a text for people."""
Cancel = Callable[[], bool]

STAGES: Tuple[Tuple[str, float, str], ...] = (
    ("read", 0.00, "Reading and checking the scan"),
    ("locate", 0.10, "Looking for the liver"),
    ("segment", 0.20, "Segmenting"),
    ("clean", 0.85, "Cleaning up the mask"),
    ("measure", 0.92, "Measuring"),
    ("done", 1.00, "Done"),
)
"""Key, fraction at which it begins, and text of every stage."""
MINIMUM_LIVER_ML = 20.0
"""Less liver than this after cleaning is taken for none."""


@dataclass(frozen=True)
class Result:
    """What a run yields.

    ``image`` is the scan, ``labels`` its mask (uint8, values of ``LiverSegLib.labels``) on the very same
    grid. ``probability`` is uint8 (z, y, x): 255 times the network's probability of each voxel's label, 0
    outside the organs' box. ``provenance`` and ``measurements.to_dict()`` can be written as JSON.
    ``warnings`` are sentences for the user, ``facts`` what is known of the scan beyond its voxels.
    """

    name: str
    image: sitk.Image
    labels: sitk.Image
    probability: np.ndarray
    measurements: Measurements
    provenance: Dict[str, Any]
    warnings: Tuple[str, ...]
    facts: ClinicalFacts = NOTHING_KNOWN


class Segmenter:
    """A model on a device, loaded once and reusable.

    Args:
        model: name of a model in the store, or a folder; "default" is the bundled one.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "float32", "bfloat16" or "float16".
        threads: CPU threads, 0 for as many as there are.

    Raises:
        ModelError: the model cannot be used.
        DeviceError: PyTorch or the device is missing.
    """

    def __init__(
        self, model: str = "default", device: str = "auto", *, precision: str = "auto", threads: int = 0
    ) -> None:
        from LiverSegLib.inference.devices import choose_device

        self.model: Model = load_model(model)
        self.device = choose_device(device, precision=precision, threads=threads)
        with _memory_errors("failed.memory-loading"):
            from LiverSegLib.inference.cascade import Cascade

            self._cascade = Cascade(self.model, self.device)
        # Work that was cancelled may still be in the networks when the next scan comes.
        self._turn = threading.Lock()

    def segment(
        self,
        source: Source,
        *,
        mirror: bool = False,
        minimum_lesion_ml: Optional[float] = None,
        series: Optional[str] = None,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
    ) -> Result:
        """Segment and measure one CT.

        Args:
            source: a file, a DICOM folder, or a SimpleITK image in HU.
            mirror: average over mirrored tiles too: slower, a little steadier.
            minimum_lesion_ml: smaller tumours become liver. If not given, those below MINIMUM_LESION_ML (a
                ball of 5 mm), those whose longest axial diameter is below 5 mm, and those below what the
                model's manifest says for the scan's contrast phase.
            series: which series of a DICOM folder.
            progress: called as the work goes on, in the caller's thread.
            cancel: asked often, also within a long step, in the caller's thread; True stops the work.

        Raises:
            InputError: the scan cannot be used.
            NoLiverError: no liver is in view.
            OutOfMemoryError: memory ran out.
            CancelledError: ``cancel`` said so.
            UsageError: an option makes no sense.
        """
        _check_minimum(minimum_lesion_ml)
        if mirror and not any(stage.mirror_axes for stage in self._cascade.stages.values()):
            raise UsageError(Sentence("model.not-mirrored", name=self.model.name))

        def work(ask: Ask) -> Result:
            reporter = _Reporter(_asking(ask, progress), _asking(ask, cancel))
            return _Run(self, reporter, mirror, minimum_lesion_ml).segment(source, series)

        return while_checking(work, _Reporter(None, cancel).check, turn=self._turn)


def segment(
    source: Source,
    *,
    model: str = "default",
    device: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    mirror: bool = False,
    minimum_lesion_ml: Optional[float] = None,
    series: Optional[str] = None,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> Result:
    """Segment and measure one CT; see :class:`Segmenter` and :meth:`Segmenter.segment` for arguments and
    errors.
    """
    segmenter = while_checking(
        lambda ask: Segmenter(model, device, precision=precision, threads=threads),
        _Reporter(None, cancel).check,
    )
    return segmenter.segment(
        source,
        mirror=mirror,
        minimum_lesion_ml=minimum_lesion_ml,
        series=series,
        progress=progress,
        cancel=cancel,
    )


def assess_steatosis(
    result: Result,
    *,
    settings: "Optional[PlacementSettings]" = None,
    cut_offs: "Optional[CutOffs]" = None,
    grade_anyway: bool = False,
    kvp: Optional[float] = None,
    phase: Optional[str] = None,
) -> "Assessment":
    """Judge liver fat in a segmented scan by the attenuation of ROIs in liver and spleen.

    Contrast phase, contrast agent and tube voltage are those of the result's facts.

    Args:
        result: what ``segment`` returned.
        settings: how many ROIs, how large, how far from borders.
        cut_offs: between the grades of the liver/spleen ratio.
        grade_anyway: grade in spite of reasons not to; the assessment says so.
        kvp: tube voltage in kV, in place of what the DICOM header says.
        phase: "unenhanced", "arterial", "portal" or "late", as the reader chooses in place of the estimate;
            the assessment says so.

    Raises:
        UsageError: there is no such phase.
        NotCTError: voxels of an organ have no finite value.
    """
    from LiverSegLib.steatosis.assess import assess_scan

    facts, estimate = result.facts, result.facts.phase
    return assess_scan(
        result.image,
        result.labels,
        phase=None if estimate is None else estimate.phase,
        phase_reason="" if estimate is None else estimate.reason,
        chosen_phase=phase,
        kvp=facts.kvp if kvp is None else kvp,
        contrast=facts.contrast_agent,
        settings=settings,
        cut_offs=cut_offs,
        grade_anyway=grade_anyway,
    )


def _asking(ask: Ask, function: Optional[Callable[..., Any]]) -> Optional[Callable[..., Any]]:
    """The user's function, to be called from work in a thread of its own."""
    return None if function is None else lambda *arguments: ask(function, *arguments)


class _Reporter:
    """Progress and cancellation of one run, and how long its stages took."""

    def __init__(self, progress: Optional[Progress], cancel: Optional[Cancel]) -> None:
        self._progress, self._cancel = progress, cancel
        self._started = time.monotonic()
        self._furthest = 0.0
        self.seconds: Dict[str, float] = {}
        self.stage = ""

    def begin(self, stage: str) -> None:
        """Close the stage that ran and begin the next."""
        now = time.monotonic()
        if self.stage:
            self.seconds[self.stage] = round(now - self._started, 3)
        self.stage, self._started = stage, now
        self.tick(0.0)

    def check(self) -> None:
        """Raise CancelledError if the user cancelled."""
        if self._cancel is not None and self._cancel():
            raise CancelledError(Sentence("failed.cancelled"))

    def tick(self, share: float) -> None:
        """Report the share of the stage that is done.

        Raises:
            CancelledError: the user cancelled.
        """
        self.check()
        if self._progress is None:
            return
        keys = [key for key, _, _ in STAGES]
        index = keys.index(self.stage)
        start, text = STAGES[index][1:]
        end = STAGES[min(index + 1, len(STAGES) - 1)][1]
        fraction = start + (end - start) * min(1.0, max(0.0, share))
        self._furthest = max(self._furthest, fraction)  # a second look at a larger box begins anew
        self._progress(self._furthest, self.stage, text)


class _memory_errors:  # noqa: N801  a context manager reads as a verb
    """Turn running out of memory, in any dialect, into an OutOfMemoryError that says when it happened."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        if error is not None and is_out_of_memory(error) and not isinstance(error, OutOfMemoryError):
            raise OutOfMemoryError(Sentence(self.key), str(error)) from error


class _Run:
    """One scan on its way through the stages."""

    def __init__(
        self, segmenter: Segmenter, reporter: _Reporter, mirror: bool, minimum_lesion_ml: Optional[float]
    ) -> None:
        self.segmenter, self.reporter, self.mirror = segmenter, reporter, mirror
        self.minimum_is_asked = minimum_lesion_ml is not None
        self.minimum_lesion_ml = MINIMUM_LESION_ML if minimum_lesion_ml is None else float(minimum_lesion_ml)
        self.left_out: Tuple[str, ...] = ()

    def segment(self, source: Source, series: Optional[str]) -> Result:
        from LiverSegLib.inference.devices import bounded_threads

        cascade, reporter = self.segmenter._cascade, self.reporter
        reporter.begin("read")
        with _memory_errors("failed.memory-reading-scan"):
            scan = read_scan(source, series, check=reporter.check)
        reporter.begin("locate")
        with _memory_errors("failed.memory-segmenting"), bounded_threads(self.segmenter.device.threads):
            found = cascade.segment(
                scan.image,
                mirror=self.mirror,
                locate_tick=reporter.tick,
                tick=self._fine_tick,
                poll=reporter.check,
            )
        if reporter.stage != "segment":
            reporter.begin("segment")
        reporter.begin("clean")
        with _memory_errors("failed.memory-cleaning"):
            cleaned, report = clean(
                found.labels, Grid.of(scan.image).voxel_ml, minimum_lesion_ml=self.minimum_lesion_ml,
                probability=found.probability, check=reporter.check,
            )  # fmt: skip
            labels = _as_image(cleaned, scan.image)
            labels, report = self._without_narrow(labels, report)
        _require_liver(cleaned, scan.image)
        reporter.begin("measure")
        with _memory_errors("failed.memory-measuring"):
            phase = estimate_phase(scan.image, labels, contrast=_contrast_in_header(scan))
            reporter.check()
            labels, report = self._without_doubtful(labels, report, phase)
            reporter.check()
            measurements = measure(
                labels,
                scan.image,
                probability=found.probability,
                phase=phase.phase,
                left_out=self.left_out,
                aorta_hu=phase.aorta_hu,
            )
        if not unchanged(scan):
            raise InputChangedError(Sentence("run.changed", name=scan.name))
        reporter.begin("done")
        fallbacks = cascade.fallbacks
        warnings = _unique([*scan.warnings, *measurements.warnings, *fallbacks])
        facts = _facts(scan, phase, self.left_out)
        provenance = self._provenance(scan, facts, report, list(found.notes), fallbacks, warnings)
        return Result(
            scan.name, scan.image, labels, found.probability, measurements, provenance, tuple(warnings), facts
        )

    def _without_narrow(self, labels: sitk.Image, report: CleanupReport) -> Tuple[sitk.Image, CleanupReport]:
        """Return the mask without the lesions too narrow to be told, unless a size was asked for."""
        narrow = [] if self.minimum_is_asked else narrow_lesions(labels)
        if not narrow:
            return labels, report
        view = sitk.GetArrayViewFromImage(labels)
        mask, report = leave_out_tumours(view, narrow, Grid.of(labels).voxel_ml, report)
        return _as_image(mask, labels), report

    def _without_doubtful(
        self, labels: sitk.Image, report: CleanupReport, phase: PhaseEstimate
    ) -> Tuple[sitk.Image, CleanupReport]:
        """Return the mask without the lesions that the model is known to invent in this contrast phase, and
        the report that says so.
        """
        manifest = self.segmenter.model.manifest
        minimum = manifest.minimum_lesion_ml.get(phase.phase, 0.0) if manifest else 0.0
        if self.minimum_is_asked or minimum <= self.minimum_lesion_ml:
            return labels, report
        self.minimum_lesion_ml = minimum
        mask, report, sizes = leave_out_small_tumours(
            sitk.GetArrayViewFromImage(labels), Grid.of(labels).voxel_ml, minimum, report
        )
        self.left_out = left_out_lesions(phase.phase, sizes, minimum)
        return (_as_image(mask, labels) if sizes else labels), report

    def _fine_tick(self, share: float) -> None:
        if self.reporter.stage == "locate":
            self.reporter.begin("segment")
        self.reporter.tick(share)

    def _provenance(
        self,
        scan: Scan,
        facts: ClinicalFacts,
        report: CleanupReport,
        notes: List[str],
        fallbacks: List[str],
        warnings: List[str],
    ) -> Dict[str, Any]:
        model, device = self.segmenter.model, self.segmenter._cascade.runners["segment"].device
        manifest = model.manifest
        seconds = dict(self.reporter.seconds)
        return {
            "liverseg_version": LiverSegLib.__version__,
            "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "model": {
                "name": model.name,
                "version": manifest.version if manifest else "",
                "sha256": model.sha256,
                "licence": manifest.licence if manifest else "",
            },
            "device": device.kind,
            "device_name": device.name,
            "precision": device.precision,
            "threads": device.threads,
            "seconds": {**seconds, "total": round(sum(seconds.values()), 3)},
            "input": {
                "path": scan.path,
                "name": scan.name,
                "sha256": scan.fingerprint,
                "size": list(scan.image.GetSize()),
                "spacing": list(scan.image.GetSpacing()),
                "series": facts.series,
                "kvp": facts.kvp,
                "contrast_agent": facts.contrast_agent,
            },
            "phase": facts.to_dict()["phase"],
            "options": {
                "mirror": self.mirror,
                "minimum_lesion_ml": self.minimum_lesion_ml,
                "minimum_lesion_mm": None if self.minimum_is_asked else MINIMUM_LESION_MM,
            },
            "cleanup": report.to_dict(),
            "left_out": list(facts.left_out),
            "notes": notes,
            "fallbacks": fallbacks,
            "warnings": warnings,
        }


def _facts(scan: Scan, phase: PhaseEstimate, left_out: Tuple[str, ...]) -> ClinicalFacts:
    if scan.series is None:
        return ClinicalFacts(phase, left_out=left_out)
    series = scan.series
    return ClinicalFacts(phase, series.kvp, series.contrast or None, series.description, left_out)


def _contrast_in_header(scan: Scan) -> Optional[bool]:
    """What the DICOM header says of contrast medium in the veins; None if nothing."""
    if scan.series is None:
        return None
    if names_contrast_agent(scan.series.contrast):
        return True
    return contrast_in_words(scan.series.description)


def _check_minimum(minimum_lesion_ml: Optional[float]) -> None:
    if minimum_lesion_ml is None:
        return
    if not 0 <= float(minimum_lesion_ml) <= MAX_LESION_ML:  # also refuses NaN
        raise UsageError(Sentence("run.lesion-size", most=float(MAX_LESION_ML), value=str(minimum_lesion_ml)))


def _as_image(labels: np.ndarray, scan: sitk.Image) -> sitk.Image:
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(scan)
    return image


def _require_liver(labels: np.ndarray, scan: sitk.Image) -> None:
    """Raise NoLiverError if what was found is too small to be one."""
    box = bounding_box(labels)
    organs = labels[:0] if box is None else labels[box]
    liver_voxels = np.count_nonzero(organs == LIVER) + np.count_nonzero(organs == TUMOUR)
    if liver_voxels * Grid.of(scan).voxel_ml < MINIMUM_LIVER_ML:
        raise NoLiverError(Sentence("refused.no-liver"))


def _unique(sentences: List[str]) -> List[str]:
    return list(dict.fromkeys(sentences))
