"""Lesions: a network of its own looks at the liver that was segmented, of which it sees more at a time."""

from typing import Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.images.grid import ROUNDING_VOXELS, Box, bounding_box, grow_box
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.inference.arrays import Array, arrays_of, on_host
from LiverSegLib.inference.interpolation import AxisWeights, linear_weights
from LiverSegLib.inference.lesion_channels import EMPTY, lesion_channels, liver_level
from LiverSegLib.inference.resample import Check, NetworkRegion, normalise, to_network
from LiverSegLib.inference.segment import Segmented
from LiverSegLib.inference.stage import StageNetwork, Tick
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.lesion_agreement import agreed_lesions

TINY = 1e-6
"""Least probability that a share is taken of."""
MARGIN_MM = 24.0
"""How much around the liver the network sees."""


def look_for_lesions(
    network: StageNetwork,
    segmented: Segmented,
    volume: PatientScan,
    tick: Tick,
    check: Optional[Check] = None,
    *,
    mirror: bool = False,
) -> None:
    """Let the network have its say on which part of the liver is lesion, in place.

    What either network takes for lesion is one, as far as both agree on it (``masks.lesion_agreement``).
    The probability that a voxel is liver or lesion stays as it is. Arguments as for
    :func:`lesion_probability`.
    """
    found = lesion_probability(network, segmented, volume, tick, check, mirror=mirror)
    if found is None:
        return
    chance, box = found
    scores, labels = segmented.probability, list(segmented.channel_labels)
    liver, lesion = scores[labels.index(LIVER)][box], scores[labels.index(TUMOUR)][box]
    both = liver + lesion
    whole = on_host(both)
    fine = on_host(lesion) / np.maximum(whole, TINY)
    lesion[...] = arrays_of(scores).put(agreed_lesions(fine, chance, whole > 0.5)) * both
    liver[...] = both - lesion


def lesion_probability(
    network: StageNetwork,
    segmented: Segmented,
    volume: PatientScan,
    tick: Tick,
    check: Optional[Check] = None,
    *,
    mirror: bool = False,
) -> Optional[Tuple[np.ndarray, Box]]:
    """What the network says of each voxel about the liver being a lesion.

    Args:
        network: for lesions; it sees :mod:`lesion_channels`.
        segmented: what the fine network says of the scan.
        volume: the scan.
        tick: progress; raises to cancel.
        check: called between the layers of the network; raises to cancel.
        mirror: average over the mirrored tiles that the model allows.

    Returns:
        Probabilities 0 to 1, float32 (z, y, x), and the box around the liver that they are of, in voxels of
        the grid of ``segmented.region``; None where there is no liver.
    """
    fine = segmented.region
    whole, certain = (
        _chance(segmented.probability, segmented.channel_labels, labels) > 0.5
        for labels in ((LIVER, TUMOUR), (LIVER,))
    )
    box = bounding_box(whole)
    if box is None:
        return None
    margins = [MARGIN_MM / step for step in fine.grid.spacing[::-1]]
    region = NetworkRegion.over(
        volume.grid, _in_scan(grow_box(box, margins, fine.shape), fine), network.stage.spacing
    )
    hu = to_network(volume, region, lambda: tick(0.0))
    liver, certain = (carried(mask, fine, region) > 0.5 for mask in (whole, certain))
    window = normalise(hu.copy(), network.stage.intensity)
    image = lesion_channels(window, hu, liver, liver_level(hu, certain))
    padded = _padded(image, network.plan(region.shape).padded, (network.air, *EMPTY))
    scores = on_host(network.of_image(padded, tick, check, mirror=mirror, skip_empty=False))
    z, y, x = region.shape
    chance = _chance(scores, network.channel_labels, (TUMOUR,))[:z, :y, :x]
    return carried(chance, region, fine)[box], box


def _chance(probability: Array, channel_labels: Sequence[int], labels: Sequence[int]) -> np.ndarray:
    """Probability (z, y, x) that a voxel has one of the labels."""
    rows = [i for i, label in enumerate(channel_labels) if label in labels]
    return on_host(probability[rows].sum(0))


def _in_scan(box: Box, region: NetworkRegion) -> Box:
    """A box in voxels (z, y, x) of a region's network, in whole voxels of the scan."""
    z, y, x = (
        slice(
            max(whole.start, whole.start + int(np.floor(part.start * step + ROUNDING_VOXELS))),
            min(whole.stop, whole.start + int(np.ceil(part.stop * step - ROUNDING_VOXELS))),
        )
        for part, whole, step in zip(box, region.box, region.steps)
    )
    return z, y, x


def _padded(image: np.ndarray, size: Sequence[int], empty: Sequence[float]) -> np.ndarray:
    """The channels (3, z, y, x) filled up behind to the size (z, y, x) with what they are far from a body."""
    padded = np.empty((len(image), *size), np.float32)
    for channel, value, target in zip(image, empty, padded):
        target[...] = value
        target[tuple(slice(0, n) for n in channel.shape)] = channel
    return padded


def carried(values: np.ndarray, source: NetworkRegion, target: NetworkRegion) -> np.ndarray:
    """Values on the grid of one region, float32 (z, y, x), interpolated linearly on that of another; beyond
    its box the nearest of its voxels counts.

    Args:
        values: (z, y, x) of ``source``.
        source, target: regions of the same scan.
    """
    weights = []
    for axis in range(3):
        here, there = target.steps[axis], source.steps[axis]
        shift = (target.box[axis].start - source.box[axis].start) / here
        weights.append(
            AxisWeights(linear_weights(values.shape[axis], there / here, target.shape[axis], shift))
        )
    along_z, along_y, along_x = weights
    planes = along_x.along_x(along_y.along_y(values.astype(np.float32)))
    return np.asarray(along_z.along_z(planes), np.float32)
