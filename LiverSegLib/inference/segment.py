"""Segment: a network at fine spacing computes class probabilities inside the box that was located."""

from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from LiverSegLib.errors import NoLiverError
from LiverSegLib.images.grid import Box, Grid
from LiverSegLib.inference.arrays import Array, arrays_of, library, slabs
from LiverSegLib.inference.interpolation import AxisWeights, linear_weights
from LiverSegLib.inference.locate import Located
from LiverSegLib.inference.resample import Check, NetworkRegion
from LiverSegLib.inference.stage import StageNetwork, Tick
from LiverSegLib.labels import BACKGROUND, LIVER, SPLEEN, TUMOUR
from LiverSegLib.sentences import Sentence

AGREEMENT = 0.3
"""The fine network must find at least this share of the coarse one's liver: both must see it."""
BOX_GROWTH_MM = 50.0
"""How far the box grows on a side where the fine liver or spleen reaches it, before the fine network runs
again.
"""
MAX_RUNS = 3
VOTE_DILATION = 2
"""Voxels of the coarse grid (6 mm in the bundled model) around its borders within which it has no say."""
LEAST_VOTE = 0.1
"""The coarse network's probabilities count as at least this much in the vote: of what it excludes the fine
network keeps what it is ten times surer of than of anything else. At least 0.001 took
21 ml from a liver that the fine network sees (docs/accuracy.md)."""


@dataclass(frozen=True)
class Segmented:
    """What the fine network says.

    Attributes:
        probability: float32 (classes, z, y, x) on ``region``'s grid.
        region: where it lies in ``Located.volume``.
        channel_labels: label value of each class.
        notes: sentences for the provenance.
    """

    probability: Array
    region: NetworkRegion
    channel_labels: Sequence[int]
    notes: Tuple[str, ...]


def segment(
    network: StageNetwork,
    located: Located,
    tick: Tick,
    check: Optional[Check] = None,
    *,
    mirror: bool = False,
) -> Segmented:
    """Segment the box of a scan, which grows where the organs reach its sides.

    Args:
        network: the fine one.
        located: the scan and its box.
        tick: progress; raises to cancel.
        check: called between the layers of the network; raises to cancel.
        mirror: average over the mirrored tiles that the model allows.

    Raises:
        NoLiverError: the fine network hardly sees the liver that the coarse one saw.
    """
    box, notes, labels = located.box, [*located.notes], network.channel_labels
    for run in range(MAX_RUNS):
        region = NetworkRegion.over(located.volume.grid, box, network.stage.spacing)
        scores = network.probabilities(located.volume, region, tick, check, mirror=mirror)
        _vote(scores, region, located, labels)
        larger = _larger_box(scores, labels, region.box, located.volume.grid)
        if larger == region.box or run == MAX_RUNS - 1:
            break
        notes.append(Sentence("note.larger-box"))
        box = larger
    _check_agreement(scores, labels, located.liver_ml, region.grid.voxel_ml)
    return Segmented(scores, region, labels, tuple(notes))


def _vote(scores: Array, region: NetworkRegion, located: Located, channel_labels: Sequence[int]) -> None:
    """Multiply the fine probabilities (classes, z, y, x) by the coarse ones of the same organ, in place.

    Two networks that erred independently would be combined by this product. The coarse one sees the whole
    body: it knows the heart, which without contrast looks like more liver. It does not see detail, so each of
    its classes counts as present within VOTE_DILATION voxels of where it is, and near its borders the fine
    network decides alone.
    """
    if located.probability is None or located.region is None:
        return
    of, arrays, whole = library(scores), arrays_of(scores), located.region
    size = (1, *(2 * VOTE_DILATION + 1,) * 3)
    coarse = arrays.put(ndimage.maximum_filter(located.probability, size, mode="nearest"))
    along_z, along_y, along_x = (
        linear_weights(cells, there / here, count, (part.start - start.start) / here)
        for cells, there, here, count, part, start in zip(
            whole.shape, whole.steps, region.steps, region.shape, region.box, whole.box
        )
    )
    coarse = AxisWeights(along_y, arrays).along_y(AxisWeights(along_x, arrays).along_x(coarse))
    rows = [{BACKGROUND: 0, LIVER: 1, TUMOUR: 1, SPLEEN: 2}[label] for label in channel_labels]
    for z, weights in enumerate(along_z):  # a slice at a time: what it needs stays in the processor's cache
        vote = sum(coarse[:, int(cell)] * float(weights[cell]) for cell in np.flatnonzero(weights))
        of.clip(vote, LEAST_VOTE, None, out=vote)
        part = scores[:, z]
        for channel, row in enumerate(rows):
            part[channel] *= vote[row]
        part /= of.clip(part.sum(0), 1e-12, None)


def _larger_box(scores: Array, channel_labels: Sequence[int], box: Box, scan: Grid) -> Box:
    """The box, grown on the sides that the organs reach and behind which there is more scan."""
    organs = [i for i, label in enumerate(channel_labels) if label]
    grown: List[slice] = []
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


def _organs_at(scores: Array, organs: Sequence[int], axis: int, side: int) -> bool:
    """Whether an organ covers more than a few voxels of a face of the box."""
    place: List[Any] = [slice(None)] * 4
    place[axis + 1] = side
    face = scores[tuple(place)]
    return int((face[list(organs)].sum(0) > 0.5).sum()) > 20


def _check_agreement(scores: Array, channel_labels: Sequence[int], coarse_ml: float, voxel_ml: float) -> None:
    """Raise NoLiverError where the fine network hardly sees the liver that the coarse one saw."""
    channels = [i for i, label in enumerate(channel_labels) if label in (LIVER, TUMOUR)]
    voxels = sum(int((part[channels].sum(0) > 0.5).sum()) for part in slabs(scores))
    fine_ml = voxels * voxel_ml
    if fine_ml < AGREEMENT * coarse_ml:
        raise NoLiverError(Sentence("refused.no-liver"), f"coarse {coarse_ml:.0f} ml, fine {fine_ml:.0f} ml")
