"""The core as a library: ``segment`` a scan once, or keep a ``Segmenter`` with its model loaded."""

import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple, Union

import SimpleITK as sitk

from LiverSegLib.cancelling import Ask, while_checking
from LiverSegLib.errors import InputChangedError, UsageError
from LiverSegLib.images import Scan, read_scan, unchanged
from LiverSegLib.images.grid import Grid
from LiverSegLib.images.modality import CT, MR, said_modality
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.loaded_model import (
    Drawn,
    LoadedModel,
    modality_of,
    not_drawn,
    require_label,
    require_modality,
)
from LiverSegLib.masks.cleanup_report import CleanupStep
from LiverSegLib.measure import Measurements, measure
from LiverSegLib.measure.facts import PhaseEstimate, header_facts
from LiverSegLib.measure.phase import estimate_phase
from LiverSegLib.measure.structures import StructureVolume, measure_structures
from LiverSegLib.models import Model, load_model, load_model_for
from LiverSegLib.models.rules import MAX_LESION_ML
from LiverSegLib.models.store import DEFAULT_NAME
from LiverSegLib.postprocess import (
    cleaned,
    together,
    with_grown_lesions,
    without_doubtful,
    without_spikes,
    without_unlikely,
)
from LiverSegLib.progress import STAGES, TWO_MODELS, Cancel, Progress, Stages, memory_errors
from LiverSegLib.provenance import Origin
from LiverSegLib.result import Result, assess_steatosis
from LiverSegLib.review import AUTOMATIC, Review
from LiverSegLib.sentences import Sentence
from LiverSegLib.structures import Structures, chosen, keep

if TYPE_CHECKING:
    from LiverSegLib.inference.devices import Device

__all__ = ["Result", "Segmenter", "assess_steatosis", "segment"]

Source = Union[str, "os.PathLike[str]", sitk.Image]


class Segmenter:
    """A model on a device, loaded once and reusable; or two, one for the organs and one for the tumours.

    Of two models, liver and spleen are the first one's; its own tumours become liver. What the second calls
    tumour counts within that liver, up to 5 mm outside it in pieces that touch it, and where the liver
    encloses it; not in the spleen, nor in what else the first model draws. "Liver" in volumes is, as ever,
    the liver with these tumours.

    Each model is for CT or for MR. The one called "default" is for both: it is the bundled one for CT, and of
    an MR it is the computer's model for MR, loaded when the first MR comes.

    Args:
        model: name of a model in the store, or a folder; "default" is the bundled one.
        device: "auto", "cpu", "cuda" or "mps".
        tumours: a second model that draws the tumours, as ``model``; None if the first draws them too.
        engine: "auto", or "openvino", "torch" or "onnxruntime", and no other then.
        precision: "auto", "float32", "bfloat16" or "float16".
        threads: CPU threads, 0 for as many as there are.
        modality: "CT" or "MR", if all scans are known to be that: of "default" only that model is loaded.

    Raises:
        ModelError: a model cannot be used, draws no liver, or no tumours where it should draw those; or the
            two are not for the same modality.
        DeviceError: no engine is installed, or the one that is wanted, or the device, is missing.
    """

    def __init__(
        self,
        model: str = "default",
        device: str = "auto",
        *,
        tumours: Optional[str] = None,
        engine: str = "auto",
        precision: str = "auto",
        threads: int = 0,
        modality: Optional[str] = None,
    ) -> None:
        from LiverSegLib.inference.devices import choose_devices

        self._said = said_modality(modality)
        self.tumour_model: Optional[Model] = None if tumours is None else load_model(tumours)
        is_for_mr = self.tumour_model is not None and modality_of(self.tumour_model) == MR
        self.model: Model = load_model_for(model, self._said or (MR if is_for_mr else CT))
        require_label(self.model, LIVER)
        if self._said is not None:
            require_modality(self.model, self._said)
        if self.tumour_model is not None:
            require_label(self.tumour_model, TUMOUR)
            require_modality(self.tumour_model, modality_of(self.model))
            if self.tumour_model.path == self.model.path:
                self.tumour_model = None  # one model for both is loaded, and runs, once
        devices = choose_devices(device, engine=engine, precision=precision, threads=threads)
        with memory_errors(Sentence("failed.memory-loading")):
            second = self.tumour_model
            self._organs = LoadedModel(self.model, devices, draws_tumours=second is None)
            self._tumours = None if second is None else LoadedModel(second, devices, only_tumours=True)
        self._again: Dict[str, Any] = {
            "device": device, "tumours": tumours, "engine": engine, "precision": precision,
            "threads": threads, "modality": MR,
        }  # fmt: skip
        self._is_for_any = str(model) == DEFAULT_NAME and self._said is None and not is_for_mr
        self._for_mr: Optional[Segmenter] = None
        # Work that was cancelled may still be in the networks when the next scan comes.
        self._turn = threading.Lock()

    @property
    def device(self) -> "Device":
        """What the next scan is computed with."""
        return self._organs.device

    def segment(
        self,
        source: Source,
        *,
        mirror: bool = False,
        minimum_lesion_ml: Optional[float] = None,
        structures: Optional[Sequence[str]] = None,
        series: Optional[str] = None,
        modality: Optional[str] = None,
        contrast: Optional[bool] = None,
        progress: Optional[Progress] = None,
        cancel: Optional[Cancel] = None,
    ) -> Result:
        """Segment and measure one CT or MR. Attenuation, contrast phase and fatty liver are those of CT only.

        Args:
            source: a file, a DICOM folder, or a SimpleITK image, CT in HU.
            mirror: average over mirrored tiles too, in each model that was trained for it: slower, a little
                steadier.
            minimum_lesion_ml: smaller tumours become liver. If not given, those below MINIMUM_LESION_ML (a
                ball of 5 mm), those whose longest axial diameter is below 5 mm, and those below what the
                manifest of the model that draws the tumours says for the scan's contrast phase.
            structures: what to keep of all that a model of another program finds, by key or name; None
                keeps all that LiverSeg's own labels do not show, () nothing.
            series: which series of a DICOM folder.
            modality: "CT" or "MR", of files that do not say it themselves; they are taken for CT.
            contrast: whether the scan's DICOM header names a contrast agent, if it was read elsewhere.
            progress: called as the work goes on, in the caller's thread.
            cancel: asked often, also within a long step, in the caller's thread; True stops the work.

        Raises:
            InputError: the scan cannot be used.
            NoLiverError: no liver is in view.
            OutOfMemoryError: memory ran out.
            CancelledError: ``cancel`` said so.
            UsageError: an option makes no sense, or the model knows no structure of a name.
            ModelError: the model is not for the scan's modality, or there is none for it.
        """
        minimum_ml = minimum_lesion_ml
        if minimum_ml is not None and not 0 <= float(minimum_ml) <= MAX_LESION_ML:  # also refuses NaN
            raise UsageError(Sentence("run.lesion-size", most=float(MAX_LESION_ML), value=str(minimum_ml)))
        said = said_modality(modality) or self._said
        self._check_options(mirror, () if self._is_for_any and said != CT else structures)

        def work(ask: Ask) -> Result:
            stages = STAGES if self._tumours is None else TWO_MODELS
            run = Stages.asking(ask, progress, cancel, stages)
            with run.stage("read"):
                scan = read_scan(source, series, modality=said, check=run.check)
                fitting = self._for(scan.kind)
                fitting._check_options(mirror, structures)
            return fitting._run(scan, mirror, minimum_ml, structures, run, contrast)

        return while_checking(work, Stages(cancel=cancel).check, turn=self._turn)

    def _check_options(self, mirror: bool, structures: Optional[Sequence[str]]) -> None:
        """Raise UsageError for what the models cannot do."""
        if mirror and not any(model.can_mirror for model in self._loaded):
            raise UsageError(Sentence("model.not-mirrored", name=self.model.name))
        chosen(self._organs.table, structures)

    def _for(self, modality: str) -> "Segmenter":
        """The segmenter for a scan of this modality: this one, or of "default" the one for MR.

        Raises:
            ModelError: the model is for another one, or there is none.
        """
        if modality == MR and self._is_for_any:
            if self._for_mr is None:
                self._for_mr = Segmenter(DEFAULT_NAME, **self._again)
            return self._for_mr
        require_modality(self.model, modality)
        return self

    def _run(
        self,
        scan: Scan,
        mirror: bool,
        minimum_ml: Optional[float],
        names: Optional[Sequence[str]],
        run: Stages,
        contrast: Optional[bool] = None,
    ) -> Result:
        """One scan that was read, on its way: draw (locate, segment, label), clean, measure, report."""
        grid = Grid.of(scan.image)
        drawn, earlier = self._drawn(scan.image, grid, mirror, run)
        with run.stage("clean"):
            labels, cleanup = cleaned(drawn, scan.image, minimum_ml, run.check, earlier)
        with run.stage("measure"):
            phase = _phase(scan, labels, contrast)
            run.check()
            left_out: Tuple[str, ...] = ()
            if minimum_ml is None and phase is not None:
                manifest = (self.tumour_model or self.model).manifest
                labels, cleanup, left_out = without_doubtful(labels, cleanup, phase, manifest)
                labels, cleanup, unlikely = without_unlikely(
                    labels, cleanup, scan.image, drawn.probability, manifest, run.check
                )
                left_out += unlikely
            probability = drawn.probability
            if self.tumour_model is None and scan.kind == CT:  # one model's probabilities, and HU
                labels, cleanup, probability = with_grown_lesions(
                    labels, cleanup, scan.image, probability, self.model.manifest, run.check
                )
                labels, cleanup, probability = without_spikes(
                    labels, cleanup, probability, self.model.manifest, run.check
                )
            facts = replace(
                header_facts(scan.series),
                phase=phase,
                left_out=left_out,
                modality=scan.kind,
                not_segmented=not_drawn(self.model, self.tumour_model),
            )
            measurements = measure(labels, scan.image, probability=probability, **facts.for_measuring())
            structures, volumes = _kept(drawn, names, labels, measurements)
        if not unchanged(scan):
            raise InputChangedError(Sentence("run.changed", name=scan.name))
        run.done()
        fallbacks = tuple(dict.fromkeys(text for model in self._loaded for text in model.fallbacks))
        said = (*scan.warnings, *drawn.warnings, *measurements.warnings, *fallbacks)
        warnings = tuple(dict.fromkeys(said))
        origin = Origin(
            scan, self.model, self.device, self._organs.engine_version, facts, cleanup, run.seconds, mirror,
            minimum_ml, drawn.notes, fallbacks, warnings, self.tumour_model,
        )  # fmt: skip
        return Result(
            scan.name,
            scan.image,
            labels,
            probability,
            measurements,
            origin.to_dict(),
            warnings,
            facts,
            Review(AUTOMATIC),
            structures,
            volumes,
            scan.dicom_files,
        )

    @property
    def _loaded(self) -> Tuple[LoadedModel, ...]:
        """The models, each once."""
        return (self._organs,) if self._tumours is None else (self._organs, self._tumours)

    def _drawn(
        self, image: sitk.Image, grid: Grid, mirror: bool, run: Stages
    ) -> Tuple[Drawn, Tuple[CleanupStep, ...]]:
        """What the model draws, or the two models together, and what was left out of that."""
        organs = self._organs.draw(image, run, mirror=mirror)
        if self._tumours is None:
            return organs, ()
        tumours = self._tumours.draw_tumours(image, organs.labels, run, mirror=mirror)
        return together(organs, tumours, grid, (self.model.name, self._tumours.model.name))


def segment(
    source: Source,
    *,
    model: str = "default",
    tumours: Optional[str] = None,
    device: str = "auto",
    engine: str = "auto",
    precision: str = "auto",
    threads: int = 0,
    mirror: bool = False,
    minimum_lesion_ml: Optional[float] = None,
    structures: Optional[Sequence[str]] = None,
    series: Optional[str] = None,
    modality: Optional[str] = None,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> Result:
    """Segment and measure one CT or MR; see :class:`Segmenter` and :meth:`Segmenter.segment` for arguments
    and errors.

    >>> result = segment("Resources/SampleData/hcc013-portal.nii.gz", device="cpu")
    >>> [organ.key for organ in result.measurements.organs if organ.voxels]
    ['liver', 'spleen', 'tumour']
    >>> result.labels.GetSize() == result.image.GetSize()
    True
    """
    segmenter = while_checking(
        lambda ask: Segmenter(
            model,
            device,
            tumours=tumours,
            engine=engine,
            precision=precision,
            threads=threads,
            modality=modality,
        ),
        Stages(cancel=cancel).check,
    )
    return segmenter.segment(
        source,
        mirror=mirror,
        minimum_lesion_ml=minimum_lesion_ml,
        structures=structures,
        series=series,
        progress=progress,
        cancel=cancel,
    )


def _kept(
    drawn: Drawn, names: Optional[Sequence[str]], labels: sitk.Image, measurements: Measurements
) -> Tuple[Optional[Structures], Tuple[StructureVolume, ...]]:
    """The further structures that are wanted, and their volumes."""
    wanted = () if drawn.structures is None else chosen(drawn.structures.table, names)
    if drawn.structures is None or not wanted:
        return None, ()
    kept = keep(drawn.structures, wanted, sitk.GetArrayViewFromImage(labels))
    liver_ml = measurements.organ("liver").volume_ml
    return kept, measure_structures(kept, Grid.of(labels), liver_ml)


def _phase(scan: Scan, labels: sitk.Image, contrast: Optional[bool]) -> Optional[PhaseEstimate]:
    """The contrast phase, which is told by HU: None for MR. ``contrast`` where the scan has no header."""
    if scan.kind != CT:
        return None
    said = header_facts(scan.series).says_contrast
    return estimate_phase(scan.image, labels, contrast=contrast if said is None else said)
