"""Label: the most probable class at each of the scan's own voxels, slab by slab."""

from dataclasses import dataclass
from typing import Dict, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.inference.arrays import Array, arrays_of, library, on_host
from LiverSegLib.inference.interpolation import AxisWeights, linear_weights
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
    scores: Array,
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
        labels[place], confidence[place] = label, best
    return labels, confidence


def _most_probable(scores: Array, channel_labels: Sequence[int]) -> Tuple[np.ndarray, np.ndarray]:
    """Label of the most probable class of a slice (classes, y, x), and 255 times its probability, both uint8;
    the first of equal ones.

    Class by class, and with arithmetic: ``argmax`` along the first axis and masks are ten times slower.
    """
    of = library(scores)
    best = scores[0] + 0
    winner = of.zeros_like(best, dtype=of.uint8)
    for channel, score in enumerate(scores[1:], 1):
        larger = (score > best).view(of.uint8)
        larger *= channel
        of.maximum(winner, larger, out=winner)
        of.maximum(best, score, out=best)
    best *= 255
    of.round(best, out=best)
    of.clip(best, 0, 255, out=best)
    label = on_host(winner)
    if tuple(channel_labels) != tuple(range(len(channel_labels))):
        label = np.asarray(channel_labels, np.uint8)[label]
    return label, on_host(best).astype(np.uint8)


class _PlaneInterpolator:
    """The network's planes interpolated linearly to scan slices, one after the other.

    Where the scan's slices lie closer than the network's planes, as in long scans, every plane is resized
    once and kept for the slices beside it; else planes are mixed first and resized then.
    """

    def __init__(self, scores: Array, region: NetworkRegion, across: Sequence[int]) -> None:
        """Take probabilities (classes, z, y, x) and the number of scan pixels (y, x) to resize to."""
        self._scores, self._step = scores, region.steps[0]
        self._y, self._x = (
            AxisWeights(linear_weights(*sizes), arrays_of(scores))
            for sizes in zip(region.shape[1:], region.steps[1:], across)
        )
        self._ready: Dict[int, Array] = {}

    def at(self, index: int) -> Array:
        """The slice (classes, y, x) at a scan slice of the box."""
        last = int(self._scores.shape[1]) - 1
        place = min(max((index + 0.5) / self._step - 0.5, 0.0), float(last))
        low = int(place)
        high, share = min(low + 1, last), place - low
        if self._step <= 1:
            return self._resized(_mixed(self._scores[:, low], self._scores[:, high], share))
        self._ready = {
            z: self._ready[z] if z in self._ready else self._resized(self._scores[:, z]) for z in (low, high)
        }
        return _mixed(self._ready[low], self._ready[high], share)

    def _resized(self, plane: Array) -> Array:
        """(classes, y, x) of the network -> the scan's pixels."""
        return self._y.along_y(self._x.along_x(plane))


def _mixed(low: Array, high: Array, share: float) -> Array:
    """``low`` with a share of ``high``."""
    between = high - low
    between *= share
    between += low
    return between


def classify_at(
    scores: Array,
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
    # Index (x, y, z) of the target -> u of the aligned copy -> (u - start + 0.5) / step - 0.5 of the network.
    to_aligned = np.linalg.inv(axis_aligned.grid.to_lps) @ target.grid.to_lps
    matrix = to_aligned[:3, :3] / steps[:, None]
    offset = (to_aligned[:3, 3] - starts + 0.5) / steps - 0.5
    lengths = np.asarray([part.stop - part.start for part in region.box[::-1]], float)
    last = lengths / steps - 0.5  # the network's grid may reach beyond the box
    classes = [sitk.GetImageFromArray(np.ascontiguousarray(one)) for one in on_host(scores)]
    y, x = np.arange(shape[1])[:, None], np.arange(shape[2])[None]
    for index in range(shape[0]):
        if check:
            check()
        inside = np.ones(shape[1:], bool)
        for row, first, end in zip(matrix, offset, last):
            along = (row[0] * x + (row[2] * index + first)) + row[1] * y
            inside &= (along >= -0.5) & (along <= end)
        if not inside.any():
            continue
        slices = [_sampled(one, matrix, offset, index, shape[1:]) for one in classes]
        label, best = _most_probable(np.stack(slices), channel_labels)
        labels[index], confidence[index] = label * inside, best * inside
    return labels, confidence


def _sampled(
    image: sitk.Image, matrix: np.ndarray, offset: np.ndarray, index: int, shape: Tuple[int, ...]
) -> np.ndarray:
    """A slice (y, x) of an image sampled linearly where an affine map of indices (x, y, z) leads."""
    place = sitk.AffineTransform(matrix.ravel().tolist(), (matrix[:, 2] * index + offset).tolist())
    size = (int(shape[1]), int(shape[0]), 1)
    sampled = sitk.Resample(image, size, place, sitk.sitkLinear)
    return sitk.GetArrayFromImage(sampled)[0]
