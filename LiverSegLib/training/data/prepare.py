"""A case as the network sees it: turned, cut, resampled and scaled as the product does it.

The very functions of the product's inference are called, so that nothing can differ between what a network
learns from and what it is given later.
"""

from dataclasses import dataclass, replace
from typing import Sequence, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.images.grid import Box, Grid, bounding_box, grow_box
from LiverSegLib.images.patient_order import PatientScan
from LiverSegLib.inference.foreign import laboratory
from LiverSegLib.inference.foreign.image import new_shape, resample_image, resampling, separate_axis
from LiverSegLib.inference.foreign.intensity import Scale, scale_for
from LiverSegLib.inference.foreign.layout import nonzero_box
from LiverSegLib.inference.resample import NetworkRegion, to_network
from LiverSegLib.labels import BACKGROUND
from LiverSegLib.models.stage import Preparation
from LiverSegLib.training.data.options import PreparationOptions

Triple = Tuple[float, float, float]

UNCHANGED = Scale(None, None, 0.0, 1.0)
SAME_SPACING_MM = 1e-4
"""Spacings that differ by less are the same: nothing is resampled."""


@dataclass(frozen=True)
class Prepared:
    """A case as the network sees it.

    Attributes:
        image: float32 (channel, z, y, x).
        label: uint8 (z, y, x), 0 background, k the k-th structure.
        spacing: mm (x, y, z).
        outside: value for each channel of what lies beyond the image, as the product pads it.
    """

    image: np.ndarray
    label: np.ndarray
    spacing: Triple
    outside: Tuple[float, ...]


def prepare(
    images: Sequence[sitk.Image], label: np.ndarray, how: PreparationOptions, *, structures: int, crop: bool
) -> Prepared:
    """Prepare the channels of an image and its label.

    Args:
        images: one for each channel, on one grid.
        label: uint8 (z, y, x) on the same grid, in the images' own order.
        how: the recipe's.
        structures: how many label values there are beside the background.
        crop: whether ``how.crop`` "labels" applies, as it does in training.
    """
    scans = [oriented(image, how.orientation) for image in images]
    turned = scans[0].order.apply(label)
    box = _box(scans, turned, how, crop=crop)
    spacing = wanted_spacing(how, scans[0].grid.spacing)
    if how.way == "nnunet":
        channels = [_as_nnunet(scan.array[box], scan.grid.spacing, spacing, how) for scan in scans]
    else:
        channels = [_as_liverseg(scan, box, spacing, how) for scan in scans]
    target = _resampled_label(scans[0], turned, box, spacing, how, structures)
    outside = tuple(outside_value(how, channel) for channel in channels)
    return Prepared(np.stack(channels), target, spacing, outside)


def oriented(image: sitk.Image, orientation: str) -> PatientScan:
    """An image with its axes x, y, z to left, back and up ("LPS"), right, front and up ("RAS"), or as they
    are ("stored"). Nothing is resampled: an oblique image stays oblique.

    Raises:
        ImageGeometryError: the image is not 3-D or its axes do not span space.
    """
    order = Grid.of(image).patient_order
    if orientation == "RAS":
        x, y, z = order.flips
        order = replace(order, flips=(not x, not y, z))
    if orientation == "stored":
        order = replace(order, axes=(0, 1, 2), flips=(False, False, False))
    return PatientScan(image, order.apply(sitk.GetArrayViewFromImage(image)), order)


def wanted_spacing(how: PreparationOptions, own: Sequence[float]) -> Triple:
    """The spacing that an image gets, mm (x, y, z); its own along axes for which the recipe names none."""
    wanted = how.spacing or (None, None, None)
    x, y, z = (
        float(have if want is None or abs(want - have) < SAME_SPACING_MM else want)
        for want, have in zip(wanted, own)
    )
    return x, y, z


def outside_value(how: PreparationOptions, channel: np.ndarray) -> float:
    """What the network is to see beyond a prepared channel (z, y, x): 0 as models of nnU-Net, else as
    ``inference/foreign/laboratory`` has it."""
    return 0.0 if how.way == "nnunet" else laboratory.outside_value(how.intensity.for_manifest(), channel)


def _box(scans: Sequence[PatientScan], label: np.ndarray, how: PreparationOptions, *, crop: bool) -> Box:
    """The part (z, y, x) of the turned image that is used."""
    grid = scans[0].grid
    if how.crop == "nonzero":
        box = nonzero_box(np.max([scan.array != 0 for scan in scans], axis=0))
        return box
    found = bounding_box(label) if how.crop == "labels" and crop else None
    if found is None:
        return grid.box
    margins = [mm / step for mm, step in zip(how.margins_mm[::-1], grid.spacing[::-1])]
    return grow_box(found, np.ceil(margins).tolist(), grid.shape)


def _as_liverseg(scan: PatientScan, box: Box, spacing: Triple, how: PreparationOptions) -> np.ndarray:
    """Resampled, then scaled: float32 (z, y, x)."""
    limits = laboratory.limits_of(how.intensity.for_manifest())
    image = to_network(scan, NetworkRegion.over(scan.grid, box, spacing), limits=limits)
    return _scaled(image, how)


def _as_nnunet(part: np.ndarray, own: Triple, spacing: Triple, how: PreparationOptions) -> np.ndarray:
    """Scaled, then resampled: float32 (z, y, x)."""
    scale = scale_for(how.intensity.for_manifest(), part, _go_on)
    after = new_shape(part.shape, own[::-1], spacing[::-1])
    separate = separate_axis(Preparation(), own[::-1], spacing[::-1])
    return resample_image(part, resampling(part.shape, after, 3, separate, 0), scale.apply, 3, _go_on)


def _scaled(image: np.ndarray, how: PreparationOptions) -> np.ndarray:
    z, y, x = (slice(0, count) for count in image.shape)
    return scale_for(how.intensity.for_manifest(), image, _go_on).apply(image, (z, y, x))


def _resampled_label(
    scan: PatientScan,
    label: np.ndarray,
    box: Box,
    spacing: Triple,
    how: PreparationOptions,
    structures: int,
) -> np.ndarray:
    """The label value with the largest share in each voxel of the network's grid, uint8 (z, y, x).

    The nearest voxel's would lose what is smaller than a coarse voxel and give steps to all borders.
    """
    if spacing == scan.grid.spacing:
        return np.ascontiguousarray(label[box])
    out = best = rest = None
    for value in np.flatnonzero(np.bincount(label[box].ravel(), minlength=structures + 1)[1:]) + 1:
        share = _share(scan, label == value, box, spacing, how)
        if out is None or best is None or rest is None:
            out, best, rest = np.zeros(share.shape, np.uint8), np.zeros_like(share), np.ones_like(share)
        rest -= share
        np.putmask(out, share > best, value)
        np.maximum(best, share, out=best)
    if out is None or best is None or rest is None:
        return np.zeros(_shape(scan, box, spacing, how), np.uint8)
    out[rest > best] = BACKGROUND
    return out


def _share(
    scan: PatientScan, mask: np.ndarray, box: Box, spacing: Triple, how: PreparationOptions
) -> np.ndarray:
    """The share of each voxel of the network's grid that a mask (bool, of the whole scan) fills, float32."""
    if how.way == "liverseg":
        return to_network(
            PatientScan(scan.image, mask, scan.order), NetworkRegion.over(scan.grid, box, spacing)
        )
    part = mask[box]
    after = _shape(scan, box, spacing, how)
    separate = separate_axis(Preparation(), scan.grid.spacing[::-1], spacing[::-1])
    return resample_image(part, resampling(part.shape, after, 1, separate, 0), UNCHANGED.apply, 1, _go_on)


def _shape(scan: PatientScan, box: Box, spacing: Triple, how: PreparationOptions) -> Tuple[int, ...]:
    """Voxels (z, y, x) of the network's grid over a box of a scan."""
    if how.way == "liverseg":
        return NetworkRegion.over(scan.grid, box, spacing).shape
    return new_shape(scan.grid.crop(box).shape, scan.grid.spacing[::-1], spacing[::-1])


def _go_on() -> None:
    """Nothing cancels a preparation but an interrupt."""
