"""Label: the most probable class at each of the scan's own voxels, slab by slab."""

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.inference.locate import Located
from LiverSegLib.inference.resample import Check, NetworkRegion
from LiverSegLib.inference.segment import Segmented

CHECK_EVERY = 16
"""Slices classified between two looks at whether the user has cancelled."""


@dataclass(frozen=True)
class Labelled:
    """Both arrays are uint8 in the order of the image's own array (z, y, x).

    Attributes:
        labels: values of :mod:`LiverSegLib.labels`, before any cleaning.
        probability: 255 times that of the label given; 0 outside the box that was segmented.
    """

    labels: np.ndarray
    probability: np.ndarray


def label(segmented: Segmented, located: Located, check: Optional[Check] = None) -> Labelled:
    """Carry class probabilities to the voxels of the scan and take the most probable class of each.

    Raises:
        CancelledError: ``check``, called every few slices, said so.
    """
    scores, region, table = segmented.probability, segmented.region, segmented.channel_labels
    if located.volume is located.target:
        arrays = classify(scores, region, located.volume, table, check)
    else:
        arrays = classify_at(scores, region, located.volume, located.target, table, check)
    labels, probability = (located.target.order.restore(array) for array in arrays)
    return Labelled(labels, probability)


def classify(
    scores: torch.Tensor,
    region: NetworkRegion,
    volume: PatientScan,
    channel_labels: Sequence[int],
    check: Optional[Check] = None,
) -> Tuple[np.ndarray, np.ndarray]:
    """Sample class probabilities at the volume's own voxels and take the most probable class, slice by
    slice.

    Args:
        scores: probabilities (classes, z, y, x) on ``region.grid``.
        region: where they lie.
        volume: the scan.
        channel_labels: label value of each class.
        check: called every few slices; may raise to cancel.

    Returns:
        (labels, probability), both uint8 (z, y, x) of the volume's shape: the label, and 255 times its
        probability; 0 outside ``region.box``.
    """
    labels, confidence = np.zeros(volume.array.shape, np.uint8), np.zeros(volume.array.shape, np.uint8)
    z, *across = region.box
    planes = _PlaneInterpolator(scores, region, [part.stop - part.start for part in across])
    for index in range(z.stop - z.start):
        if check and index % CHECK_EVERY == 0:
            check()
        label, best = _most_probable(planes.at(index), channel_labels)
        place = (z.start + index, *across)
        labels[place] = label.cpu().numpy()
        confidence[place] = best.mul_(255).round_().clamp_(0, 255).to(torch.uint8).cpu().numpy()
    return labels, confidence


def _most_probable(scores: torch.Tensor, channel_labels: Sequence[int]) -> Tuple[torch.Tensor, torch.Tensor]:
    """Label (uint8) and probability of the most probable class of a slice (classes, y, x); the first of equal
    ones.

    Class by class: ``Tensor.max`` along the first axis is several times slower.
    """
    best = scores[0].clone()
    label = torch.full_like(best, channel_labels[0], dtype=torch.uint8)
    for value, score in zip(channel_labels[1:], scores[1:]):
        label.masked_fill_(score > best, value)
        torch.maximum(best, score, out=best)
    return label, best


class _PlaneInterpolator:
    """The network's planes interpolated linearly to scan slices, one after the other.

    Where the scan's slices lie closer than the network's planes, as in long scans, every plane is resized
    once and kept for the slices beside it; else planes are mixed first and resized then.
    """

    def __init__(self, scores: torch.Tensor, region: NetworkRegion, across: Sequence[int]) -> None:
        """Take probabilities (classes, z, y, x) and the number of scan pixels (y, x) to resize to."""
        self._scores, self._step = scores, region.steps[0]
        self._weights = [
            torch.from_numpy(_linear_weights(*sizes)).to(scores.device, scores.dtype)
            for sizes in zip(region.shape[1:], region.steps[1:], across)
        ]
        self._ready: Dict[int, torch.Tensor] = {}

    def at(self, index: int) -> torch.Tensor:
        """The slice (classes, y, x) at a scan slice of the box."""
        last = self._scores.shape[1] - 1
        place = min(max((index + 0.5) / self._step - 0.5, 0.0), float(last))
        low = int(place)
        high, share = min(low + 1, last), place - low
        if self._step <= 1:
            return self._resized(torch.lerp(self._scores[:, low], self._scores[:, high], share))
        self._ready = {
            z: self._ready[z] if z in self._ready else self._resized(self._scores[:, z]) for z in (low, high)
        }
        return torch.lerp(self._ready[low], self._ready[high], share)

    def _resized(self, plane: torch.Tensor) -> torch.Tensor:
        """(classes, y, x) of the network -> the scan's pixels, by matrices along y and x."""
        wy, wx = self._weights
        return wy @ (plane @ wx.T)


def _linear_weights(count: int, step: float, out_count: int) -> np.ndarray:
    centres = np.clip((np.arange(out_count) + 0.5) / step - 0.5, 0, count - 1)
    distance = np.abs(centres[:, None] - np.arange(count)[None])
    return np.clip(1 - distance, 0, None).astype(np.float32)


def classify_at(
    scores: torch.Tensor,
    region: NetworkRegion,
    axis_aligned: PatientScan,
    target: PatientScan,
    channel_labels: Sequence[int],
    check: Optional[Check] = None,
) -> Tuple[np.ndarray, np.ndarray]:
    """As :func:`classify`, at the voxels of another volume (an oblique scan, while ``axis_aligned`` is its
    axis-aligned copy).

    Returns:
        (labels, probability), uint8 (z, y, x) over the whole of ``target``; 0 outside the box.
    """
    shape = target.array.shape
    labels, confidence = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    steps, starts = np.asarray(region.steps[::-1]), np.asarray([part.start for part in region.box[::-1]])
    # indices (x, y, z) -> indices (x, y, z)
    to_aligned = np.linalg.inv(axis_aligned.grid.to_lps) @ target.grid.to_lps
    size = np.asarray(region.shape[::-1], float)
    lengths = np.asarray([part.stop - part.start for part in region.box[::-1]], float)
    last = torch.from_numpy(
        (2 * lengths / (steps * size) - 1).astype(np.float32)
    )  # the grid may reach beyond
    # axis-aligned index u -> network index (u - start + 0.5) / step - 0.5
    # -> grid_sample's -1..1 over outer faces
    scale = 2 / (steps * size)
    matrix = torch.from_numpy((scale[:, None] * to_aligned[:3, :3]).astype(np.float32))
    offset = torch.from_numpy((scale * (to_aligned[:3, 3] - starts + 0.5) - 1).astype(np.float32))
    table = torch.as_tensor(channel_labels, dtype=torch.uint8)
    source = scores.float()[None].cpu()
    plane = torch.cartesian_prod(torch.arange(shape[1]), torch.arange(shape[2])).float()
    for index in range(shape[0]):
        if check:
            check()
        points = (
            torch.cat([plane[:, 1:], plane[:, :1], torch.full((len(plane), 1), float(index))], 1) @ matrix.T
            + offset
        )
        inside = ((points >= -1) & (points <= last)).all(1).reshape(shape[1:])
        if not inside.any():
            continue
        sampled = functional.grid_sample(
            source, points.reshape(1, 1, *shape[1:], 3), padding_mode="border", align_corners=False
        )[0, :, 0]
        best, winner = sampled.max(0)
        labels[index] = torch.where(inside, table[winner], torch.zeros((), dtype=torch.uint8)).numpy()
        confidence[index] = (best * inside).mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()
    return labels, confidence
