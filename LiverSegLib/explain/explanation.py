"""Explain: a scan, a place in it and a model in; two maps beside the scan out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.cancelling import Ask, while_checking
from LiverSegLib.errors import CancelledError, DeviceError, LiverSegError, ModelError
from LiverSegLib.explain.targets import ORGANS, Target
from LiverSegLib.explain.tiles import Tile, foreign_tile, own_tile
from LiverSegLib.images.grid import Grid
from LiverSegLib.images.modality import CT
from LiverSegLib.models import Model, Stage, load_model_for
from LiverSegLib.models.rules import LIVERSEG
from LiverSegLib.models.rules import SEGMENT as SEGMENT_STAGE
from LiverSegLib.progress import Cancel, Progress, memory_errors
from LiverSegLib.sentences import Sentence

if TYPE_CHECKING:
    from LiverSegLib.inference.devices import Device

USUAL_LAYER = "decoder"
"""The layer whose features Grad-CAM weighs unless another is wanted."""
BRIGHTEST = 99.99
"""Percentile of the gradient that counts as 1: single voxels beyond would leave all others dark."""

STEPS: Dict[str, Tuple[float, str]] = {
    "load": (0.0, "Loading the model"),
    "prepare": (0.1, "Preparing the scan"),
    "look": (0.2, "Running the network"),
    "gradcam": (0.4, "Computing the heat map"),
    "guided": (0.6, "Computing the gradient"),
    "done": (1.0, "Done"),
}
"""Key of a step -> the fraction done when it begins, and a text for people."""


@dataclass(frozen=True)
class Explanation:
    """Why a model draws something in a place.

    Attributes:
        target: what was asked about.
        grad_cam: float32, 0 to 1, on the part of the scan's grid that the network saw: where the layer's
            features speak for the structure; 0 everywhere if none do.
        guided: the same of guided backpropagation: on which voxels the score depends; None if not wanted.
        layer: whose features were weighed.
        probability: what the network gives the target's voxels, on average, for the structure.
        model: name and version.
        modality: of the scan, "CT" or "MR".
    """

    target: Target
    grad_cam: sitk.Image
    guided: Optional[sitk.Image]
    layer: str
    probability: float
    model: str
    modality: str = CT

    @property
    def guide(self) -> Sentence:
        """How the maps are to be read, and what they do not show."""
        peak = float(sitk.GetArrayViewFromImage(self.grad_cam).max())
        percent = 100 * self.probability
        key = "explain.guide" if peak > 0 else "explain.guide-empty"
        return Sentence(key, structure=self.target.words, percent=percent, layer=self.layer)


def explain(
    image: sitk.Image,
    target: Target,
    *,
    model: str = "default",
    modality: str = CT,
    device: str = "auto",
    layer: str = USUAL_LAYER,
    labels: Optional[np.ndarray] = None,
    guided: bool = True,
    threads: int = 0,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> Explanation:
    """Explain with Grad-CAM and guided backpropagation why a model draws a structure in a place.

    The model's network runs in PyTorch on one tile around the place, whatever engine segments.

    Args:
        image: the scan, CT in HU.
        target: what is asked about.
        model: name of a model in the store, or a folder; "default" is the one for the modality.
        modality: of the scan, "CT" or "MR".
        device: "auto", "cpu", "cuda" or "mps".
        layer: "encoder" (the coarsest), "decoder" (the last before the scores) or a layer's own name.
        labels: (z, y, x) of the scan, for models that see an organ's surroundings alone.
        guided: whether guided backpropagation is wanted too.
        threads: of the processor; 0 for as many as there are.
        progress: called with the fraction done, a step's key and a text.
        cancel: whether the user cancelled.

    Raises:
        DeviceError: PyTorch is missing. ModelError: the model cannot be used, is for another modality, does
            not draw the structure, or sees labels of an earlier network of its. UsageError: there is no such
            layer.
        CancelledError: the user cancelled.
    """
    from LiverSegLib.inference.devices import choose_devices, require_torch

    try:
        require_torch()
    except DeviceError as error:
        raise DeviceError(Sentence("explain.no-torch"), error.details) from error
    found = load_model_for(model, modality)
    if found.manifest is not None and found.manifest.modality != modality:
        words = {"modality": found.manifest.modality, "scan": modality}
        raise ModelError(Sentence("model.other-modality", name=found.name, **words))
    stage, channel = stage_for(found, target.label)
    devices = choose_devices(device, engine="torch", precision="float32", threads=threads)
    asked = _Asked(image, modality, target, found, stage, channel, layer, labels, guided)

    def work(ask: Ask) -> Explanation:
        with memory_errors(Sentence("explain.memory")):
            return _on_the_first(asked, devices, _Run(progress, cancel, ask))

    return while_checking(work, _Run(progress, cancel, lambda call, *facts: call(*facts)).check)


def stage_for(model: Model, label: int) -> Tuple[Stage, int]:
    """The stage of a model that draws a structure, and the channel of it.

    Raises:
        ModelError: none does.
    """
    stages = () if model.manifest is None else model.manifest.result_stages
    for stage in sorted(stages, key=lambda one: one.name != SEGMENT_STAGE):
        if label in stage.output.channel_labels:
            return stage, stage.output.channel_labels.index(label)
    raise ModelError(Sentence("explain.not-drawn", name=model.name, structure=Sentence(ORGANS[label])))


@dataclass(frozen=True)
class _Run:
    """What the user hears and says meanwhile; ``ask`` calls both functions in the caller's thread."""

    progress: Optional[Progress]
    cancel: Optional[Cancel]
    ask: Ask

    def check(self) -> None:
        """Raise CancelledError if the user cancelled."""
        if self.cancel is not None and self.ask(self.cancel):
            raise CancelledError(Sentence("failed.cancelled"))

    def begin(self, step: str) -> None:
        """Tell of a step, unless the user cancelled."""
        self.check()
        if self.progress is not None:
            fraction, text = STEPS[step]
            self.ask(self.progress, fraction, step, text)


@dataclass(frozen=True)
class _Asked:
    image: sitk.Image
    modality: str
    target: Target
    model: Model
    stage: Stage
    channel: int
    layer: str
    labels: Optional[np.ndarray]
    guided: bool

    def tile(self, multiple: Tuple[int, ...], check: Callable[[], None]) -> Tile:
        """What the network sees around the target."""
        pipeline = LIVERSEG if self.model.manifest is None else self.model.manifest.pipeline
        if pipeline == LIVERSEG:
            return own_tile(self.image, self.stage, self.target.point, multiple, check)
        return foreign_tile(self.image, self.stage, pipeline, self.target.point, self.labels, check)


def _on_the_first(asked: _Asked, devices: "Tuple[Device, ...]", run: _Run) -> Explanation:
    """Compute with the first device, or with the next where it fails."""
    for device in devices[:-1]:
        try:
            return _compute(asked, device, run)
        except LiverSegError:
            raise
        except Exception:  # noqa: BLE001, S112 (what a graphics card's library raises has no common type)
            continue
    return _compute(asked, devices[-1], run)


def _compute(asked: _Asked, device: "Device", run: _Run) -> Explanation:
    import torch

    from LiverSegLib.explain.methods import (
        choose_layer,
        grad_cam,
        guided_backpropagation,
        resized,
        run_once,
        score_over,
    )
    from LiverSegLib.inference.engines.torch import bounded_threads, load_torch

    run.begin("load")
    engine = load_torch(asked.model, asked.stage, 0, device)
    network = engine.network.requires_grad_(False)
    run.begin("prepare")
    tile = asked.tile(engine.size_multiple, run.check)
    voxels, values = asked.target.voxels_of(tile.grid), torch.from_numpy(tile.values)[None, None]
    planar = len(engine.size_multiple) == 2
    if planar:
        voxels, values = voxels[0], values[:, :, 0]
    mask, values = torch.from_numpy(voxels).to(device.kind), values.to(device.kind)
    score = score_over(asked.channel, mask)
    with bounded_threads(torch, device.threads):
        run.begin("look")
        logits, layers = run_once(network, values, run.check)
        layer = choose_layer(layers, asked.layer)
        run.begin("gradcam")
        heat = resized(grad_cam(network, values, layer, score, run.check), values.shape[2:])
        gradient = None
        if asked.guided:
            run.begin("guided")
            gradient = guided_backpropagation(network, values, score, run.check)[0, 0].abs()
    softmax = asked.stage.output.activation == "softmax"
    chances = (logits[0].softmax(0) if softmax else logits[0].sigmoid())[asked.channel][mask]
    scan, manifest = Grid.of(asked.image), asked.model.manifest

    def placed(map_: Any, percentile: float) -> sitk.Image:
        array = map_.cpu().numpy().reshape(tile.grid.shape)
        return on_scan(_normalised(array, percentile), tile.grid, scan)

    run.begin("done")
    return Explanation(
        asked.target,
        placed(heat, 100.0),
        None if gradient is None else placed(gradient, BRIGHTEST),
        layer,
        float(chances.mean()),
        f"{asked.model.name} {manifest.version if manifest is not None else ''}".strip(),
        asked.modality,
    )


def on_scan(map_: np.ndarray, grid: Grid, scan: Grid) -> sitk.Image:
    """A map (z, y, x) on another grid, interpolated linearly to the scan's own voxels: a float32 image on
    the part of the scan's grid that the map covers, 0 where it does not."""
    part = scan.crop(scan.box_around(grid.corners(faces=True), 0.0))
    return sitk.Resample(
        grid.image(map_.astype(np.float32)), part.size, sitk.Transform(), sitk.sitkLinear,
        part.origin, part.spacing, part.direction, 0.0, sitk.sitkFloat32,
    )  # fmt: skip


def _normalised(map_: np.ndarray, percentile: float) -> np.ndarray:
    """A map that is not negative, divided by this percentile of its positive values and cut at 1."""
    positive = map_[map_ > 0]
    if not positive.size:
        return map_
    return np.clip(map_ / np.percentile(positive, percentile), 0.0, 1.0)
