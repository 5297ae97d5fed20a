"""The core as a library: ``segment`` a scan once, or keep a ``Segmenter`` with its model loaded."""

import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple, Union

import numpy as np
import SimpleITK as sitk

from LiverSegLib.cancelling import Ask, while_checking
from LiverSegLib.errors import InputChangedError, NoLiverError, UsageError
from LiverSegLib.images import Scan, read_scan, unchanged
from LiverSegLib.images.grid import Grid, bounding_box
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.cleanup import MINIMUM_LESION_ML, clean
from LiverSegLib.masks.cleanup_report import CleanupReport
from LiverSegLib.masks.lesion_limits import leave_out_small_tumours, leave_out_tumours
from LiverSegLib.measure import Measurements, measure
from LiverSegLib.measure.facts import NOTHING_KNOWN, ClinicalFacts, PhaseEstimate, header_facts
from LiverSegLib.measure.lesions import narrow_lesions
from LiverSegLib.measure.phase import contrast_in_words, estimate_phase
from LiverSegLib.measure.warnings import left_out_lesions
from LiverSegLib.models import Manifest, Model, load_model
from LiverSegLib.models.rules import MAX_LESION_ML
from LiverSegLib.progress import Cancel, Progress, Stages, memory_errors
from LiverSegLib.provenance import Origin
from LiverSegLib.review import AUTOMATIC, Review
from LiverSegLib.sentences import Sentence
from LiverSegLib.steatosis.conditions import names_contrast_agent

if TYPE_CHECKING:
    from LiverSegLib.inference.devices import Device
    from LiverSegLib.inference.label import Labelled
    from LiverSegLib.steatosis.assessment import Assessment, CutOffs
    from LiverSegLib.steatosis.placement import PlacementSettings

Source = Union[str, "os.PathLike[str]", sitk.Image]
MINIMUM_LIVER_ML = 20.0
"""Below this volume (ml) after cleaning we report no liver."""


@dataclass(frozen=True)
class Result:
    """What a run yields.

    ``image`` is the scan, ``labels`` its mask (uint8, values of ``LiverSegLib.labels``) on the very same
    grid. ``probability`` is uint8 (z, y, x): 255 times the network's probability of each voxel's label, 0
    outside the organs' box. ``provenance`` and ``measurements.to_dict()`` can be written as JSON.
    ``warnings`` are sentences for the user, ``facts`` what is known of the scan beyond its voxels.
    ``review`` says whether the labels are as they were computed, edited, or accepted by a reader; None where
    nobody has said.
    """

    name: str
    image: sitk.Image
    labels: sitk.Image
    probability: np.ndarray
    measurements: Measurements
    provenance: Dict[str, Any]
    warnings: Tuple[str, ...]
    facts: ClinicalFacts = NOTHING_KNOWN
    review: Optional[Review] = None


class Segmenter:
    """A model on a device, loaded once and reusable.

    Args:
        model: name of a model in the store, or a folder; "default" is the bundled one.
        device: "auto", "cpu", "cuda" or "mps".
        engine: "auto", or "openvino", "torch" or "onnxruntime", and no other then.
        precision: "auto", "float32", "bfloat16" or "float16".
        threads: CPU threads, 0 for as many as there are.

    Raises:
        ModelError: the model cannot be used.
        DeviceError: no engine is installed, or the one that is wanted, or the device, is missing.
    """

    def __init__(
        self,
        model: str = "default",
        device: str = "auto",
        *,
        engine: str = "auto",
        precision: str = "auto",
        threads: int = 0,
    ) -> None:
        from LiverSegLib.inference.devices import choose_devices

        self.model: Model = load_model(model)
        devices = choose_devices(device, engine=engine, precision=precision, threads=threads)
        with memory_errors(Sentence("failed.memory-loading")):
            from LiverSegLib.inference.stage import load_networks

            self._networks = load_networks(self.model, devices)
        # Work that was cancelled may still be in the networks when the next scan comes.
        self._turn = threading.Lock()

    @property
    def device(self) -> "Device":
        """What the next scan is computed with."""
        return self._networks.segment.runner.device

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
        minimum_ml = minimum_lesion_ml
        if minimum_ml is not None and not 0 <= float(minimum_ml) <= MAX_LESION_ML:  # also refuses NaN
            raise UsageError(Sentence("run.lesion-size", most=float(MAX_LESION_ML), value=str(minimum_ml)))
        if mirror and not any(network.stage.mirror_axes for network in self._networks.all):
            raise UsageError(Sentence("model.not-mirrored", name=self.model.name))

        def work(ask: Ask) -> Result:
            return self._run(source, series, mirror, minimum_ml, Stages.asking(ask, progress, cancel))

        return while_checking(work, Stages(cancel=cancel).check, turn=self._turn)

    def _run(
        self, source: Source, series: Optional[str], mirror: bool, minimum_ml: Optional[float], run: Stages
    ) -> Result:
        """One scan on its way: read, locate, segment, label, clean, measure, report."""
        from LiverSegLib.inference.label import label
        from LiverSegLib.inference.locate import locate
        from LiverSegLib.inference.segment import segment

        networks = self._networks
        with run.stage("read"):
            scan = read_scan(source, series, check=run.check)
        with run.stage("locate"):
            networks.new_scan()
            located = locate(networks, scan.image, run.tick, run.check)
        with run.stage("segment"):
            segmented = segment(
                networks.segment, located, lambda share: run.tick(0.8 * share), run.check, mirror=mirror
            )
            found, notes = label(segmented, located, lambda: run.tick(0.85)), segmented.notes
        del located, segmented  # memory that cleaning and measuring may need
        with run.stage("clean"):
            labels, cleanup = _cleaned(found, scan.image, minimum_ml, run.check)
        with run.stage("measure"):
            phase = estimate_phase(scan.image, labels, contrast=_contrast_in_header(scan))
            run.check()
            left_out: Tuple[str, ...] = ()
            if minimum_ml is None:
                labels, cleanup, left_out = _without_doubtful(labels, cleanup, phase, self.model.manifest)
                run.check()
            measurements = measure(
                labels,
                scan.image,
                probability=found.probability,
                phase=phase.phase,
                left_out=left_out,
                aorta_hu=phase.aorta_hu,
            )
        if not unchanged(scan):
            raise InputChangedError(Sentence("run.changed", name=scan.name))
        run.done()
        facts = replace(header_facts(scan.series), phase=phase, left_out=left_out)
        fallbacks = tuple(networks.fallbacks)
        warnings = tuple(dict.fromkeys((*scan.warnings, *measurements.warnings, *fallbacks)))
        origin = Origin(
            scan, self.model, networks.segment.runner.engine, facts, cleanup, run.seconds, mirror, minimum_ml,
            notes, fallbacks, warnings,
        )  # fmt: skip
        return Result(
            scan.name,
            scan.image,
            labels,
            found.probability,
            measurements,
            origin.to_dict(),
            warnings,
            facts,
            Review(AUTOMATIC),
        )


def segment(
    source: Source,
    *,
    model: str = "default",
    device: str = "auto",
    engine: str = "auto",
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

    >>> result = segment("Resources/SampleData/hcc013-portal.nii.gz", device="cpu")
    >>> [organ.key for organ in result.measurements.organs if organ.voxels]
    ['liver', 'spleen', 'tumour']
    >>> result.labels.GetSize() == result.image.GetSize()
    True
    """
    segmenter = while_checking(
        lambda ask: Segmenter(model, device, engine=engine, precision=precision, threads=threads),
        Stages(cancel=cancel).check,
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


def _cleaned(
    found: "Labelled", scan: sitk.Image, minimum_ml: Optional[float], check: Callable[[], None]
) -> Tuple[sitk.Image, CleanupReport]:
    """Clean what was labelled; without a size that the user asked for, narrow lesions become liver too.

    Raises:
        NoLiverError: what is left is too small to be a liver.
    """
    grid = Grid.of(scan)
    mask, report = clean(
        found.labels,
        grid.voxel_ml,
        minimum_lesion_ml=MINIMUM_LESION_ML if minimum_ml is None else float(minimum_ml),
        probability=found.probability,
        check=check,
    )
    _require_liver(mask, grid.voxel_ml)
    labels = grid.image(mask)
    if minimum_ml is None:
        narrow = narrow_lesions(labels)
        if narrow:
            mask, report = leave_out_tumours(mask, narrow, grid.voxel_ml, report)
            labels = grid.image(mask)
    return labels, report


def _without_doubtful(
    labels: sitk.Image, report: CleanupReport, phase: PhaseEstimate, manifest: Optional[Manifest]
) -> Tuple[sitk.Image, CleanupReport, Tuple[str, ...]]:
    """Leave out the lesions that the model is known to invent in this contrast phase; returns the mask, the
    report that says so, and sentences on what was left out.
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


def _require_liver(labels: np.ndarray, voxel_ml: float) -> None:
    """Raise NoLiverError if what was found is too small to be one."""
    box = bounding_box(labels)
    organs = labels[:0] if box is None else labels[box]
    liver_voxels = np.count_nonzero(organs == LIVER) + np.count_nonzero(organs == TUMOUR)
    if liver_voxels * voxel_ml < MINIMUM_LIVER_ML:
        raise NoLiverError(Sentence("refused.no-liver"))


def _contrast_in_header(scan: Scan) -> Optional[bool]:
    """What the DICOM header says of contrast medium in the veins; None if nothing."""
    if scan.series is None:
        return None
    if names_contrast_agent(scan.series.contrast):
        return True
    return contrast_in_words(scan.series.description)
