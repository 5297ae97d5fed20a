"""One correction: from clicks and strokes to the voxels that are added and removed."""

from dataclasses import dataclass
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from scipy import ndimage

from ..images.grid import Box, Grid
from ..labels import BACKGROUND, LIVER, TUMOUR
from ..masks.components import component_sums, connected_components
from ..masks.lesion_limits import MINIMUM_LESION_ML
from .crop import Crop, crop_around, touches_border
from .energy import Local, change_probability
from .solve import random_walker
from .strokes import Stroke, box_of, covered
from .targets import Target

SMOOTHING_MM = 1.2
"""Standard deviation of the smoothing of the image: noise goes, edges stay."""
GROWTH = 1.6
"""A crop whose border the change touches is made larger by this factor."""
MOST_BLOCKS, COARSER = 200_000, 1.15
"""Around long and wide strokes blocks are made coarser in steps: more of them take seconds."""
Touched = Callable[[Box], List[Tuple[np.ndarray, np.ndarray]]]
"""Asked with a box: for each earlier action, the box's voxels that were told and that changed."""
LEVELS = 12
"""Halvings of the range of probabilities when a lesion of a given size is looked for."""
DECISION = 0.5
"""Voxels change from this probability on."""


@dataclass(frozen=True)
class Scene:
    """All that a correction reads; arrays are of the whole scan (z, y, x).

    Attributes:
        grid: of the scan.
        image: HU.
        labels: the present labels.
        first_labels: those that ``probability`` is about.
        probability: uint8 as ``Result.probability``, or None.
        liver_hu: attenuation of liver without tumor; NaN if there is no liver.
    """

    grid: Grid
    image: np.ndarray
    labels: np.ndarray
    first_labels: np.ndarray
    probability: Optional[np.ndarray]
    liver_hu: float


def parenchyma_hu(image: np.ndarray, labels: np.ndarray) -> float:
    """Return the most frequent attenuation (HU) in the liver, smoothed; NaN if there is no liver."""
    values = image[labels == LIVER]
    if values.size == 0:
        return float("nan")
    counts = np.bincount(np.clip(values + 200.0, 0, 600).astype(np.int64), minlength=601).astype(float)
    return float(np.argmax(ndimage.gaussian_filter1d(counts, 6.0)) - 200)


class Wanted(NamedTuple):
    """What a correction wants to change in a box: bool (z, y, x) of the box's shape each."""

    box: Box
    added: np.ndarray
    removed: np.ndarray
    told: np.ndarray


def refine(
    scene: Scene,
    target: Target,
    strokes: Sequence[Stroke],
    touched: Touched,
    volume_mm3: Optional[float] = None,
) -> Wanted:
    """Return what strokes that lie near each other change.

    The crop is made larger, and its blocks coarser, while the change touches its border; of long and wide
    strokes the blocks are coarser from the start.
    """
    half_mm, spacing_mm = target.half_mm, target.spacing_mm
    inner = box_of(scene.grid, strokes)
    while True:
        crop = crop_around(scene.grid, inner, half_mm, spacing_mm)
        while np.prod(crop.shape) > MOST_BLOCKS:
            spacing_mm *= COARSER
            crop = crop_around(scene.grid, inner, half_mm, spacing_mm)
        wanted = _refine_in(crop, scene, target, strokes, touched, volume_mm3)
        grown = min(half_mm * GROWTH, target.reach_mm)
        if grown <= half_mm or not touches_border(wanted.added | wanted.removed, crop.box, scene.grid.shape):
            return wanted
        half_mm, spacing_mm = grown, spacing_mm * grown / half_mm


def _refine_in(
    crop: Crop,
    scene: Scene,
    target: Target,
    strokes: Sequence[Stroke],
    touched: Touched,
    volume_mm3: Optional[float],
) -> Wanted:
    box = crop.box
    labels = scene.labels[box]
    told_in, told_out = _told(scene.grid, box, strokes)
    earlier = touched(box)
    fixed = _protected(earlier, told_in | told_out) | told_in | told_out
    fixed |= _beyond_reach(crop, told_in | told_out, target.reach_mm)
    image = crop.reduced(scene.image[box])
    image = ndimage.gaussian_filter(image, [SMOOTHING_MM / step for step in crop.spacing])
    inside = np.isin(labels, target.members)
    ever_told = np.logical_or.reduce([told for told, _ in earlier] + [told_in | told_out])
    stays_in, stays_out = (
        (ever_told & inside & ~told_out) | told_in,
        (ever_told & ~inside & ~told_in) | told_out,
    )
    network = _network(scene, target, box)
    changes = []
    for include, told in ((True, told_in), (False, told_out)):
        may = may_be_added(labels, target, scene.grid) if include else np.isin(labels, target.removable)
        seeds = told & may
        if not seeds.any():
            changes.append(seeds)
            continue
        free = may & ~fixed
        natural = labels != BACKGROUND if target.margin_mm is not None else np.ones(labels.shape, bool)
        blocks = crop.reduced(seeds) > 0
        local = Local(
            target.name, include, image, crop.reduced(inside) >= 0.5, (crop.reduced(free) >= 0.5) & ~blocks,
            blocks, None if network is None else crop.reduced(network), crop.reduced(natural) >= 0.5,
            crop.spacing, scene.liver_hu, crop.reduced(stays_in if include else stays_out) > 0,
            crop.reduced(stays_out if include else stays_in) > 0,
        )  # fmt: skip
        prior = change_probability(local)
        share = random_walker(prior, local.image, local.free, local.seeds, local.spacing)
        voxel_mm3 = scene.grid.voxel_ml * 1000
        voxels = None if volume_mm3 is None else max(1, round(volume_mm3 / voxel_mm3))
        changes.append(_cut(np.where(free, crop.expanded(share), 0), seeds, voxels))
    added, removed = changes
    largest = MINIMUM_LESION_ML / scene.grid.voxel_ml
    specks = crumbs(inside & ~removed, removed, fixed | stays_in, largest)
    removed |= specks & np.isin(labels, target.removable)
    return Wanted(box, added, removed, told_in | told_out)


def crumbs(left: np.ndarray, removed: np.ndarray, kept: np.ndarray, voxels: float) -> np.ndarray:
    """Return what a removal cuts off and leaves behind: specks, which would count as lesions of their own.

    Args:
        left: what stays of the target in a box, bool (z, y, x).
        removed: what goes.
        kept: a speck with one of these voxels stays, as somebody drew it or settled it.
        voxels: a speck is smaller than this, and than what is removed. One at the box's border may go on
            beyond it, and stays.
    """
    size = int(np.count_nonzero(removed))
    if size == 0:
        return removed
    components, count = connected_components(left, corners=False)
    inner = np.zeros(left.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    go = component_sums(components, count) < min(voxels, size)
    cut_off = np.zeros(count + 1, bool)
    cut_off[np.unique(components[ndimage.binary_dilation(removed)])] = True
    cut_off[np.unique(components[kept | ~inner | ~left])] = False
    return (go & cut_off)[components]


def _cut(share: np.ndarray, seeds: np.ndarray, voxels: Optional[int]) -> np.ndarray:
    """Return the component that holds the seeds of what is more probable than not, or, with ``voxels``, of
    what is more probable than the level that gives about so many voxels."""
    if voxels is None:
        return _holding((share >= DECISION) | seeds, seeds)
    low, high = 0.0, 1.0
    for _ in range(LEVELS):
        middle = 0.5 * (low + high)
        if np.count_nonzero(_holding((share > middle) | seeds, seeds)) > voxels:
            low = middle
        else:
            high = middle
    return _holding((share > high) | seeds, seeds)


def _told(grid: Grid, box: Box, strokes: Sequence[Stroke]) -> Tuple[np.ndarray, np.ndarray]:
    """Return the voxels told to belong to the target and those told not to; the last stroke counts."""
    told_in, told_out = (np.zeros([part.stop - part.start for part in box], bool) for _ in range(2))
    for stroke in strokes:
        mask = covered(grid, box, [stroke])
        told_in, told_out = (
            (told_in | mask, told_out & ~mask) if stroke.include else (told_in & ~mask, told_out | mask)
        )
    return told_in, told_out


def _protected(touched: List[Tuple[np.ndarray, np.ndarray]], told: np.ndarray) -> np.ndarray:
    """Return the voxels that earlier actions settled.

    What an action changed is open again only to strokes within it; what lay under its strokes is not.
    """
    protected = np.zeros(told.shape, bool)
    for earlier_told, changed in touched:
        if not (changed & told).any():
            protected |= changed
        protected |= earlier_told
    return protected


def _beyond_reach(crop: Crop, told: np.ndarray, reach_mm: float) -> np.ndarray:
    """Return the voxels further than the reach from every stroke."""
    blocks = crop.reduced(told) > 0
    if np.linalg.norm(np.multiply(crop.shape, crop.spacing)) <= reach_mm or not blocks.any():
        return np.zeros(told.shape, bool)
    distance = ndimage.distance_transform_edt(~blocks, sampling=crop.spacing)
    return crop.expanded(distance.astype(np.float32)) > reach_mm


def may_be_added(labels: np.ndarray, target: Target, grid: Grid) -> np.ndarray:
    """Return the voxels (z, y, x) that a target may gain, by the labels of a box of the scan's grid."""
    may = np.isin(labels, target.gives_way)
    if target.margin_mm is None:
        return may
    home = (labels == LIVER) | (labels == TUMOUR)
    if not home.any():
        return may & home
    away = ndimage.distance_transform_edt(~home, sampling=grid.spacing[::-1])
    return may & (away <= target.margin_mm)


def _network(scene: Scene, target: Target, box: Box) -> Optional[np.ndarray]:
    """Return the network's probability of the target, float32 (z, y, x); None if it is unknown."""
    if scene.probability is None:
        return None
    share = scene.probability[box].astype(np.float32) / 255
    return np.where(np.isin(scene.first_labels[box], target.members), share, 1 - share)


def _holding(mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return the components of a mask that hold seeds."""
    components, count = connected_components(mask, corners=False)
    chosen = np.zeros(count + 1, bool)
    chosen[np.unique(components[seeds])] = True
    chosen[0] = False
    return chosen[components]
