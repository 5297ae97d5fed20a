"""What a reader would take instead: region growing, geodesic growing, a graph cut on histograms.

Each sees the same crop, clicks and rules of which labels give way as LiverSegLib.correct, and writes only the
component of its change that holds the click; it does not see the network's probability.
"""

from abc import ABC, abstractmethod
from typing import List, Tuple

import numpy as np
import SimpleITK as sitk
from correct_cases import Task
from correct_reader import Point
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from LiverSegLib.correct.crop import Crop, crop_around
from LiverSegLib.correct.refine import may_be_added
from LiverSegLib.correct.strokes import voxel_at
from LiverSegLib.correct.targets import target_named
from LiverSegLib.masks.components import connected_components

GEODESIC_MM = 12.0
"""Geodesic growing takes what lies nearer than this, a step of EDGE_HU counting as a mm."""
EDGE_HU = 10.0
CLICK_MM = 3.0
CAPACITY = 1000
HALF_VOXELS = 16
"""The graph cut sees so many blocks on each side of the click: SciPy's flow takes seconds on more."""


class Baseline(ABC):
    """A click adds or removes what ``grow`` finds around it."""

    def __init__(self, task: Task) -> None:
        self.task, self.target = task, target_named(task.target)
        self.labels = task.start.copy()
        self.image = sitk.GetArrayViewFromImage(task.case.image)
        self.clicks: List[Tuple[Tuple[int, int, int], bool]] = []

    def click(self, point: Point, include: bool) -> None:
        """Take a click."""
        place = voxel_at(self.task.case.grid, point)
        self.clicks.append((place, include))
        z, y, x = (slice(i, i + 1) for i in place)
        crop = crop_around(self.task.case.grid, (z, y, x), self.target.half_mm, self.target.spacing_mm)
        labels = self.labels[crop.box]
        grid = self.task.case.grid
        may = may_be_added(labels, self.target, grid) if include else np.isin(labels, self.target.removable)
        seed = np.zeros(labels.shape, bool)
        seed[tuple(i - part.start for i, part in zip(place, crop.box))] = True
        image = ndimage.gaussian_filter(crop.reduced(self.image[crop.box]), [1.2 / s for s in crop.spacing])
        found = self.grow(crop, image, crop.reduced(may) >= 0.5, crop.reduced(seed) > 0, include)
        grown = (crop.expanded(found.astype(np.float32)) >= 0.5) & may | (seed & may)
        parts, count = connected_components(grown, corners=False)
        if seed.any() and parts[seed].max() > 0:
            change = parts == parts[seed].max()
            labels[change] = self.target.value if include else self.target.removed_value

    @abstractmethod
    def grow(
        self, crop: Crop, image: np.ndarray, may: np.ndarray, seed: np.ndarray, include: bool
    ) -> np.ndarray:
        """Return what changes, bool (z, y, x) of the crop's blocks."""


class RegionGrowing(Baseline):
    """SimpleITK's ConfidenceConnected with its usual multiplier of 2.5."""

    def grow(
        self, crop: Crop, image: np.ndarray, may: np.ndarray, seed: np.ndarray, include: bool
    ) -> np.ndarray:
        """Return the region."""
        index = [int(i) for i in np.argwhere(seed)[0][::-1]]
        grown = sitk.ConfidenceConnected(
            sitk.GetImageFromArray(np.where(may, image, -2000.0).astype(np.float32)),
            seedList=[index], numberOfIterations=3, multiplier=2.5, initialNeighborhoodRadius=2,
            replaceValue=1,
        )  # fmt: skip
        return sitk.GetArrayFromImage(grown) > 0


class GeodesicGrowing(Baseline):
    """What lies near along paths of little change (SimpleITK's FastMarching)."""

    def grow(
        self, crop: Crop, image: np.ndarray, may: np.ndarray, seed: np.ndarray, include: bool
    ) -> np.ndarray:
        """Return the region."""
        near = ndimage.distance_transform_edt(~seed, sampling=crop.spacing) <= CLICK_MM
        here = float(np.median(image[near & may])) if (near & may).any() else float(image[seed].mean())
        speed = np.where(may | seed, 1 / (1 + np.abs(image - here) / EDGE_HU), 1e-6).astype(np.float32)
        picture = sitk.GetImageFromArray(speed)
        picture.SetSpacing(crop.spacing[::-1])
        index = [int(i) for i in np.argwhere(seed)[0][::-1]]
        arrival = sitk.FastMarching(picture, trialPoints=[index], stoppingValue=GEODESIC_MM + 1)
        return sitk.GetArrayFromImage(arrival) <= GEODESIC_MM


class GraphCut(Baseline):
    """Minimum cut with histograms of what was clicked, as MONAI Label's scribbles: in and out, 64 bins."""

    def grow(
        self, crop: Crop, image: np.ndarray, may: np.ndarray, seed: np.ndarray, include: bool
    ) -> np.ndarray:
        """Return the region."""
        near = ndimage.distance_transform_edt(~seed, sampling=crop.spacing) <= CLICK_MM
        centre = np.argwhere(seed)[0]
        box = tuple(slice(max(0, int(c) - HALF_VOXELS), int(c) + HALF_VOXELS + 1) for c in centre)
        whole = np.zeros(image.shape, bool)
        likely = _likely(image, near & may, may & ~near)
        whole[box] = _cut(image[box], likely[box], (may | seed)[box], seed[box])
        return whole


def _likely(image: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return the probability 0..1 by the two histograms."""
    bins = np.clip((image + 200) / 8, 0, 63).astype(int)
    shares = []
    for mask in (inside, outside):
        counts = ndimage.gaussian_filter1d(np.bincount(bins[mask], minlength=64).astype(float), 1.0) + 1e-3
        shares.append(counts / counts.sum())
    return (shares[0] / (shares[0] + shares[1]))[bins]


def _cut(image: np.ndarray, likely: np.ndarray, may: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Return the side of the minimum cut that holds the seed."""
    number = np.full(image.shape, -1)
    number[may] = np.arange(np.count_nonzero(may))
    count = int(np.count_nonzero(may))
    source, sink = count, count + 1
    rows, columns, capacities = [], [], []
    for axis in range(3):
        a, b = (np.moveaxis(number, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        v, w = (np.moveaxis(image, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        both = (a >= 0) & (b >= 0)
        bond = (CAPACITY * np.exp(-(((v - w)[both] / EDGE_HU) ** 2))).astype(np.int32) + 1
        rows += [a[both], b[both]]
        columns += [b[both], a[both]]
        capacities += [bond, bond]
    inside = np.where(seed, 1.0, np.clip(likely, 1e-3, 1 - 1e-3))[may]
    to_sink = np.where(seed[may], 0, -CAPACITY * np.log(inside)).astype(np.int32)
    to_source = np.where(seed[may], 100 * CAPACITY, -CAPACITY * np.log1p(-np.clip(inside, 0, 0.999)))
    nodes = np.arange(count)
    rows += [np.full(count, source), nodes]
    columns += [nodes, np.full(count, sink)]
    capacities += [to_source.astype(np.int32), to_sink]
    graph = csr_array(
        (np.concatenate(capacities), (np.concatenate(rows), np.concatenate(columns))),
        shape=(count + 2, count + 2),
        dtype=np.int32,
    )
    flow = maximum_flow(graph, source, sink).flow
    left = graph - flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    side = np.zeros(count + 2, bool)
    side[reached] = True
    result = np.zeros(image.shape, bool)
    result[may] = side[:count]
    return result


BASELINES = {"region growing": RegionGrowing, "geodesic growing": GeodesicGrowing, "graph cut": GraphCut}
