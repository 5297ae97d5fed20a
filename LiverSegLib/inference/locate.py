"""Locate: a network at coarse spacing finds liver and spleen in the whole scan, of any field of view."""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LiverSegLib.errors import NoLiverError
from LiverSegLib.images.grid import Box, grow_box
from LiverSegLib.images.patient_order import PatientScan, patient_order
from LiverSegLib.images.resample import axis_aligned
from LiverSegLib.inference.arrays import on_host
from LiverSegLib.inference.resample import Check, NetworkRegion
from LiverSegLib.inference.stage import Networks, StageNetwork, Tick
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.sentences import Sentence

LOCATED_LIVER_ML = 50.0
"""Below this volume (ml) in the coarse search we report no liver."""
LOCATED_SPLEEN_ML = 15.0
"""Below this volume (ml) a spleen of the coarse search does not widen the box."""
BOX_MARGIN_MM = 30.0
"""How far beyond the coarse liver and spleen the fine network looks."""
MAX_TILT_DEGREES = 12.0
"""The networks were trained with rotations up to this; a more oblique scan is resampled axis-aligned."""


@dataclass(frozen=True)
class Located:
    """A scan as the networks see it, and where its organs are.

    Attributes:
        target: the scan in patient order.
        volume: what the networks see: ``target``, or an axis-aligned copy of an oblique scan.
        box: around liver and spleen, in voxels (z, y, x) of ``volume``.
        liver_ml: coarse volume of the liver; 0 where the model has no coarse network.
        probability: coarse probabilities of background, liver and spleen (3, z, y, x) on ``region``'s grid;
            None where the model has no coarse network.
        region: where ``probability`` lies in ``volume``.
        notes: sentences for the provenance.
    """

    target: PatientScan
    volume: PatientScan
    box: Box
    liver_ml: float = 0.0
    probability: Optional[np.ndarray] = None
    region: Optional[NetworkRegion] = None
    notes: Tuple[str, ...] = ()


def locate(networks: Networks, image: sitk.Image, tick: Tick, check: Optional[Check] = None) -> Located:
    """Find liver and spleen in a CT (HU, any grid).

    Args:
        networks: of a model; without a coarse one the box is the whole scan.
        image: the scan.
        tick: progress; raises to cancel.
        check: called between the layers of a network; raises to cancel.

    Raises:
        NoLiverError: there is no liver in view.
    """
    target = patient_order(image)
    volume = target
    notes: Tuple[str, ...] = ()
    if target.grid.tilt_degrees > MAX_TILT_DEGREES:
        volume = patient_order(axis_aligned(image, min(networks.segment.stage.spacing), check))
        notes = (Sentence("note.oblique", degrees=target.grid.tilt_degrees),)
    if networks.locate is None:
        return Located(target, volume, volume.grid.box, notes=notes)
    region = NetworkRegion.over(volume.grid, volume.grid.box, networks.locate.stage.spacing)
    scores = on_host(networks.locate.probabilities(volume, region, tick, check))
    table = networks.locate.channel_labels
    labels = np.asarray(table, np.uint8)[scores.argmax(0)]
    voxel_ml = region.grid.voxel_ml
    liver, liver_voxels = _largest(np.isin(labels, (LIVER, TUMOUR)))
    if liver is None or liver_voxels * voxel_ml < LOCATED_LIVER_ML:
        raise NoLiverError(Sentence("refused.no-liver"))
    spleen, spleen_voxels = _largest(labels == SPLEEN)
    found = [liver]
    if spleen is not None and spleen_voxels * voxel_ml >= LOCATED_SPLEEN_ML:
        found.append(spleen)
    box = _widened(_in_voxels(found, region.steps), volume, networks.segment)
    return Located(target, volume, box, liver_voxels * voxel_ml, _by_organ(scores, table), region, notes)


def _largest(mask: np.ndarray) -> Tuple[Optional[Box], int]:
    """Box (z, y, x) of the largest piece of a bool array, and its voxels; None and 0 if there is none."""
    pieces, count = ndimage.label(mask)
    if not count:
        return None, 0
    sizes = np.bincount(pieces.ravel())[1:]
    return ndimage.find_objects(pieces)[int(sizes.argmax())], int(sizes.max())


def _in_voxels(boxes: Sequence[Box], steps: Sequence[float]) -> Box:
    """The box (z, y, x) that holds boxes of the coarse grid, in fractions of the volume's voxels."""
    z, y, x = (
        slice(min(box[axis].start for box in boxes) * step, max(box[axis].stop for box in boxes) * step)
        for axis, step in enumerate(steps)
    )
    return z, y, x


def _widened(box: Box, volume: PatientScan, network: StageNetwork) -> Box:
    """Margin on every side, and at least a tile, so that the network sees as much as in training."""
    stage, spacing = network.stage, volume.grid.spacing[::-1]
    tile = [n * s / v for n, s, v in zip(stage.patch, stage.spacing[::-1], spacing)]
    return grow_box(box, [BOX_MARGIN_MM / s for s in spacing], volume.grid.shape, tile)


def _by_organ(scores: np.ndarray, channel_labels: Sequence[int]) -> np.ndarray:
    """Sum a stage's class probabilities to background, liver with tumours, and spleen."""
    wanted = ((BACKGROUND,), (LIVER, TUMOUR), (SPLEEN,))
    rows = [[i for i, label in enumerate(channel_labels) if label in labels] for labels in wanted]
    return np.stack([scores[row].sum(0) for row in rows])
