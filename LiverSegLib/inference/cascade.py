"""Two networks in a row: one finds liver and spleen in the whole scan at coarse spacing, one segments inside
that box.
"""

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage
from torch.nn import functional

from LiverSegLib.errors import ModelCorruptError, ModelError, NoLiverError
from LiverSegLib.images.grid import Box, Grid, grow_box
from LiverSegLib.images.patient_order import PatientScan, patient_order
from LiverSegLib.images.resample import axis_aligned
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.resample import (
    NetworkRegion,
    classify,
    classify_at,
    normalise,
    to_network,
)
from LiverSegLib.inference.tiles import TileRunner, plan_tiles
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import Model, Stage
from LiverSegLib.networks import build_network
from LiverSegLib.sentences import Sentence

LOCATE = "locate"
SEGMENT = "segment"
LOCATED_LIVER_ML = 50.0
"""Less liver than this in the coarse search is taken for none."""
AGREEMENT = 0.3
"""The fine network must find at least this share of the coarse one's liver: both must see it."""
LOCATED_SPLEEN_ML = 15.0
BOX_MARGIN_MM = 30.0
"""How far beyond the coarse liver and spleen the fine network looks."""
BOX_GROWTH_MM = 50.0
"""How far the box grows on a side where the fine liver or spleen reaches it, before the fine network runs
again.
"""
MAX_RUNS = 3
MAX_TILT_DEGREES = 12.0
"""The networks were trained with rotations up to this; a more oblique scan is resampled axis-aligned."""
NO_LIVER = Sentence("refused.no-liver")

Tick = Callable[[float], None]
"""Called with the share of a step that is done; raises to cancel."""


VOTE_REACH = 2
"""Cells of the coarse grid (6 mm in the bundled model) around its borders within which it has no say."""
LEAST_VOTE = 1e-3
"""The coarse network's probabilities count as at least this much in the vote, so that none decides alone."""


@dataclass(frozen=True)
class Located:
    """Where the organs are: a box in the volume's voxels (z, y, x), the coarse volume of the liver, and the
    coarse probabilities (background, liver, spleen; z, y, x) in their region.
    """

    box: Box
    liver_ml: float
    scores: Optional[torch.Tensor] = None
    region: Optional[NetworkRegion] = None


@dataclass(frozen=True)
class Segmentation:
    """What the networks say, before any cleaning.

    ``labels`` and ``probability`` are uint8 in the order of the image's own array (z, y, x); ``probability``
    is 255 times that of the label given. ``notes`` are sentences for the provenance.
    """

    labels: np.ndarray
    probability: np.ndarray
    notes: Tuple[str, ...]


class Cascade:
    """A model's networks on a device, loaded once.

    Raises:
        ModelError: a stage is missing, or its weights do not fit its network.
    """

    def __init__(self, model: Model, device: Device) -> None:
        manifest = model.manifest
        if manifest is None:
            raise ModelError(Sentence("model.no-description", name=model.name))
        self.stages: Dict[str, Stage] = {stage.name: stage for stage in manifest.stages}
        if SEGMENT not in self.stages:
            text = Sentence("model.no-stage", name=model.name, stage=SEGMENT)
            raise ModelError(text, f"Available: {sorted(self.stages)}")
        self._poll: Optional[Callable[[], None]] = None
        self.runners = {name: _runner(model, stage, device) for name, stage in self.stages.items()}

    @property
    def fallbacks(self) -> List[str]:
        """What had to be given up on this scan, for lack of memory or as the device failed; each once."""
        return list(dict.fromkeys(text for runner in self.runners.values() for text in runner.fallbacks))

    def locate(self, volume: PatientScan, tick: Tick) -> Located:
        """Find liver and spleen in the whole scan at coarse spacing.

        Raises:
            NoLiverError: there is no liver in view.
        """
        stage = self.stages[LOCATE]
        region = NetworkRegion.over(volume.grid, volume.grid.box, stage.spacing)
        scores = self._scores(LOCATE, volume, region, (), tick)
        table = stage.output.channel_labels
        labels = torch.as_tensor(table, dtype=torch.uint8)[scores.argmax(0).cpu()].numpy()
        voxel_ml = region.grid.voxel_ml
        liver, liver_voxels = _largest(np.isin(labels, (LIVER, TUMOUR)))
        if liver is None or liver_voxels * voxel_ml < LOCATED_LIVER_ML:
            raise NoLiverError(NO_LIVER)
        found = [liver]
        spleen, spleen_voxels = _largest(labels == SPLEEN)
        if spleen is not None and spleen_voxels * voxel_ml >= LOCATED_SPLEEN_ML:
            found.append(spleen)
        box = tuple(
            slice(min(b[a].start for b in found) * step, max(b[a].stop for b in found) * step)
            for a, step in enumerate(region.steps)
        )
        widened = self._widen(box, volume.grid)  # type: ignore[arg-type]
        return Located(widened, liver_voxels * voxel_ml, _by_organ(scores, table), region)

    def segment(
        self,
        image: sitk.Image,
        *,
        mirror: bool,
        locate_tick: Tick,
        tick: Tick,
        poll: Optional[Callable[[], None]] = None,
    ) -> Segmentation:
        """Run the whole cascade over a CT (HU, any grid).

        Args:
            image: the scan.
            mirror: average over the mirrored tiles that the model allows.
            locate_tick: progress of the coarse search.
            tick: progress of the fine segmentation.
            poll: called often, between the layers of a network too; raises to cancel.

        Raises:
            NoLiverError: there is no liver in view.
        """
        self._poll = poll
        for runner in self.runners.values():
            runner.new_scan()
        target = patient_order(image)
        volume, notes = target, []
        stage = self.stages[SEGMENT]
        if target.grid.tilt_degrees > MAX_TILT_DEGREES:
            volume = patient_order(axis_aligned(image, min(stage.spacing), poll))
            notes.append(Sentence("note.oblique", degrees=target.grid.tilt_degrees))
        if LOCATE in self.stages:
            located = self.locate(volume, locate_tick)
        else:
            located = Located(volume.grid.box, 0.0)
        scores, region = self._fine(volume, located, stage.mirror_axes if mirror else (), tick, notes)
        _check_agreement(scores, stage, located, region.grid.voxel_ml)
        return self._labelled(scores, region, volume, target, tick, notes)

    def _fine(self, volume, located, mirror_axes, tick, notes) -> Tuple[torch.Tensor, NetworkRegion]:
        """Probabilities inside the box, which grows where the organs reach its sides."""
        stage, box = self.stages[SEGMENT], located.box
        for run in range(MAX_RUNS):
            region = NetworkRegion.over(volume.grid, box, stage.spacing)
            scores = self._scores(SEGMENT, volume, region, mirror_axes, lambda share: tick(0.8 * share))
            _vote(scores, region, located, stage.output.channel_labels)
            larger = _larger_box(scores, stage, region.box, volume.grid)
            if larger == region.box or run == MAX_RUNS - 1:
                break
            notes.append(Sentence("note.larger-box"))
            box = larger
        return scores, region

    def _labelled(self, scores, region, volume, target, tick, notes) -> Segmentation:
        """Carry the probabilities to the scan's own voxels."""
        table = self.stages[SEGMENT].output.channel_labels
        if volume is target:
            labels, probability = classify(scores, region, volume, table, lambda: tick(0.85))
        else:
            labels, probability = classify_at(scores, region, volume, target, table, lambda: tick(0.85))
        return Segmentation(target.order.restore(labels), target.order.restore(probability), tuple(notes))

    def _scores(
        self, name: str, volume: PatientScan, region: NetworkRegion, mirror_axes: Sequence[int], tick: Tick
    ) -> torch.Tensor:
        """Class probabilities (classes, z, y, x) of one stage in a region."""
        stage, runner = self.stages[name], self.runners[name]
        image = normalise(to_network(volume, region, lambda: tick(0.0)), stage.intensity)
        background = _background(stage)
        plan = plan_tiles(region.shape, stage.patch, runner.size_multiple)
        logits = runner.run(
            image, plan, background=background, mirror_axes=mirror_axes, progress=tick, poll=self._poll
        )
        del image
        if stage.output.activation == "sigmoid":
            return _from_sigmoid(logits)
        return torch.softmax(logits, 0)

    def _widen(self, box: Box, scan: Grid) -> Box:
        """Margin on every side, and at least a tile, so that the network sees as much as in training."""
        stage, spacing = self.stages[SEGMENT], scan.spacing[::-1]
        tile = [n * s / v for n, s, v in zip(stage.patch, stage.spacing[::-1], spacing)]
        return grow_box(box, [BOX_MARGIN_MM / s for s in spacing], scan.shape, tile)


def _runner(model: Model, stage: Stage, device: Device) -> TileRunner:
    network = build_network(stage.network.name, stage.network.arguments)
    weights = model.state_dict(stage.name)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        text = Sentence("model.does-not-fit", weights=stage.weights, name=model.name)
        raise ModelCorruptError(text, str(error)) from error
    return TileRunner(network.float(), device)


def _largest(mask: np.ndarray) -> Tuple[Optional[Tuple[slice, ...]], int]:
    """Bounding box and voxels of the largest connected piece; None and 0 if there is none."""
    pieces, count = ndimage.label(mask)
    if not count:
        return None, 0
    sizes = np.bincount(pieces.ravel())[1:]
    return ndimage.find_objects(pieces)[int(sizes.argmax())], int(sizes.max())


def _by_organ(scores: torch.Tensor, channel_labels: Sequence[int]) -> torch.Tensor:
    """Sum a stage's class probabilities to background, liver with tumour, and spleen."""
    wanted = ((BACKGROUND,), (LIVER, TUMOUR), (SPLEEN,))
    rows = [[i for i, label in enumerate(channel_labels) if label in labels] for labels in wanted]
    return torch.stack([scores[row].sum(0) for row in rows])


def _vote(
    scores: torch.Tensor, region: NetworkRegion, located: Located, channel_labels: Sequence[int]
) -> None:
    """Multiply the fine probabilities (classes, z, y, x) by the coarse ones of the same organ, in place.

    Two networks that erred independently would be combined by this product. The coarse one sees the whole
    body: it knows the heart, which without contrast looks like more liver. It does not see detail, so each of
    its classes counts as present within VOTE_REACH cells of where it is, and near its borders the fine
    network decides alone.
    """
    if located.scores is None or located.region is None:
        return
    coarse = functional.max_pool3d(located.scores, 2 * VOTE_REACH + 1, stride=1, padding=VOTE_REACH)
    for axis, step, count in zip((1, 2, 3), region.steps, region.shape):
        coarse_step, cells = located.region.steps[axis - 1], coarse.shape[axis]
        start = region.box[axis - 1].start - located.region.box[axis - 1].start
        centres = (start + (np.arange(count) + 0.5) * step) / coarse_step - 0.5
        distance = np.abs(np.clip(centres, 0, cells - 1)[:, None] - np.arange(cells)[None])
        weights = torch.from_numpy(np.clip(1 - distance, 0, None).astype(np.float32)).to(coarse.device)
        coarse = torch.movedim(torch.movedim(coarse, axis, -1) @ weights.T, -1, axis)
    coarse = coarse.clamp_(min=LEAST_VOTE).to(scores.device)
    for channel, label in enumerate(channel_labels):
        scores[channel] *= coarse[{BACKGROUND: 0, LIVER: 1, TUMOUR: 1, SPLEEN: 2}[label]]
    scores /= scores.sum(0, keepdim=True).clamp_(min=1e-12)


def _check_agreement(scores: torch.Tensor, stage: Stage, located: Located, voxel_ml: float) -> None:
    """Raise NoLiverError where the fine network hardly sees the liver that the coarse one saw."""
    channels = [i for i, label in enumerate(stage.output.channel_labels) if label in (LIVER, TUMOUR)]
    fine_ml = float((scores[channels].sum(0) > 0.5).sum()) * voxel_ml
    if fine_ml < AGREEMENT * located.liver_ml:
        raise NoLiverError(NO_LIVER, f"coarse {located.liver_ml:.0f} ml, fine {fine_ml:.0f} ml")


def _larger_box(scores: torch.Tensor, stage: Stage, box: Box, scan: Grid) -> Box:
    """The box, grown on the sides that the organs reach and behind which there is more scan."""
    organs = [i for i, label in enumerate(stage.output.channel_labels) if label]
    grown = []
    for axis, (part, limit, spacing) in enumerate(zip(box, scan.shape, scan.spacing[::-1])):
        start, stop = part.start, part.stop
        growth = int(np.ceil(BOX_GROWTH_MM / spacing))
        if start > 0 and _organs_at(scores, organs, axis, 0):
            start = max(0, start - growth)
        if stop < limit and _organs_at(scores, organs, axis, -1):
            stop = min(limit, stop + growth)
        grown.append(slice(start, stop))
    z, y, x = grown
    return z, y, x


def _organs_at(scores: torch.Tensor, organs: Sequence[int], axis: int, side: int) -> bool:
    """Whether an organ covers more than a few voxels of a face of the box."""
    face = scores.select(axis + 1, side if side == 0 else scores.shape[axis + 1] - 1)
    return int((face[list(organs)].sum(0) > 0.5).sum()) > 20


def _background(stage: Stage) -> float:
    """The normalised value of air."""
    intensity = stage.intensity
    if (
        intensity.scheme == "zscore"
    ):  # relative to an image that is not known here; its mean is the neutral choice
        return 0.0
    return float(normalise(torch.tensor([-1024.0]), intensity)[0])


def _from_sigmoid(logits: torch.Tensor) -> torch.Tensor:
    """Probabilities of which the last channel above one half, in their order, is the largest (nnU-Net's
    regions).
    """
    p = torch.sigmoid(logits)
    result = torch.zeros_like(p)
    left = torch.ones_like(p[0])
    for channel in range(p.shape[0] - 1, 0, -1):
        result[channel] = left * p[channel]
        left = left * (1 - p[channel])
    result[0] = left
    return result
